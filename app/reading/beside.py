"""Values that are kept in a table beside the rows that they are of: looked at where an index of that table serves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, join

from app.models.computed import Kept
from app.reading.aliases import alias
from app.reading.correlation import there
from app.reading.printing import effective
from app.reading.sight import Treatment


@dataclass(frozen=True, slots=True)
class Beside:
    """The row at hand that stands beside ``row``; where that may be deleted, nothing is known of it then."""

    row: Any
    near: Any
    key: str
    may_be_deleted: bool

    @classmethod
    def of(cls, kept: Kept, row: Any, name: str, *, may_be_deleted: bool) -> "Beside":
        """The row beside ``row``, under a name of its own."""
        return cls(alias(kept.table, name), row, kept.key, may_be_deleted)

    @property
    def id(self) -> ColumnElement[Any]:
        """The id of the row that it stands beside, as a column of its own."""
        found: ColumnElement[Any] = getattr(self.row, self.key)
        return found

    @property
    def joined(self) -> Any:
        """Both rows."""
        return join(self.near, self.row, self.id == self.near.id)

    def value(self, kept: Kept) -> ColumnElement[Any]:
        """A value that is kept here."""
        return kept.value(self.row)

    def treatment(self, treatment: Treatment) -> Treatment:
        """How such a value is shown: of a deleted row nothing is."""
        if not self.may_be_deleted:
            return treatment
        alive = self.near.deleted_at.is_(None)
        readable = treatment.readable
        return replace(treatment, readable=alive if isinstance(readable, bool) else and_(alive, readable))


def kept_there(
    kept: Kept,
    row: Any,
    treatment: Treatment,
    condition: Callable[[ColumnElement[Any]], ColumnElement[bool]],
    *,
    may_be_deleted: bool,
) -> ColumnElement[bool]:
    """Whether ``condition`` holds for the value that is kept of ``row``: a semi-join, which may begin at an index of
    either table."""
    beside = Beside(alias(kept.table), row, kept.key, may_be_deleted)
    value = effective(beside.value(kept), beside.treatment(treatment))
    return there(beside.row, beside.id == row.id, condition(value))
