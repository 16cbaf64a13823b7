"""Values that are worked out: from columns of the row, or from other rows and kept in a table beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.ext.hybrid import hybrid_property

from app.models.rows import Rows


def computed(
    *sources: str, expression: Callable[[Any], Any] | None = None, currency: str | None = None
) -> Callable[[Callable[[Any], Any]], hybrid_property[Any]]:
    """A hybrid property that names its ``sources``: it is never more readable than the least readable of them.

    ``expression`` is the SQL side where the Python side does not serve for both; ``currency`` names the currency's
    column of a computed amount.
    """

    def make(getter: Callable[[Any], Any]) -> hybrid_property[Any]:
        found = hybrid_property(getter)
        if expression is not None:
            found = found.expression(expression)
        found.info["sources"] = sources
        if currency:
            found.info["currency"] = currency
        return found

    return make


SHOP_CURRENCY = "#shop"
"""The currency of an amount whose currency is that of the shop, which is a setting and no column."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A value of each row that is kept in ``table``, in the row whose ``key`` is the row's id: there always is one.

    It is worked out from the rows at the end of ``relation``, and from their ``sources``: it is never more readable
    than these. Where they are not to be read, and where the row is deleted, ``otherwise`` stands for it: what it is
    without any such rows, NULL where that is None. ``parts`` are the columns of a value of several parts, which is NULL
    where the first of them is.
    """

    table: type[Any]
    key: str
    value: Callable[[Any], ColumnElement[Any]]
    relation: str
    sources: tuple[str, ...]
    otherwise: ColumnElement[Any] | None
    parts: Mapping[str, str]

    @property
    def nullable(self) -> bool:
        """Whether it may be NULL."""
        return self.otherwise is None

    def of(self, row: Any) -> ColumnElement[Any]:
        """The value of ``row``, looked up in the table."""
        beside = Rows.named(self.table)
        found = select(self.value(beside)).where(getattr(beside, self.key) == row.id, row.deleted_at.is_(None))
        value: ColumnElement[Any] = found.correlate_except(beside).scalar_subquery()
        return value if self.otherwise is None else func.coalesce(value, self.otherwise, type_=value.type)


def kept(
    table: type[Any],
    key: str,
    value: Callable[[Any], ColumnElement[Any]],
    *,
    relation: str,
    sources: tuple[str, ...] = (),
    otherwise: str | None = None,
    in_shop_currency: bool = False,
    parts: Mapping[str, str] | None = None,
) -> Callable[[Callable[[Any], Any]], hybrid_property[Any]]:
    """A property whose value is ``Kept``; ``otherwise`` is SQL. It has no Python side: nothing changes it there."""
    usual: ColumnElement[Any] | None = None if otherwise is None else literal_column(otherwise)
    said = Kept(table, key, value, relation, sources, usual, parts or {})

    def make(getter: Callable[[Any], Any]) -> hybrid_property[Any]:
        found = hybrid_property(getter).expression(said.of)
        found.info["kept"] = said
        if in_shop_currency:
            found.info["currency"] = SHOP_CURRENCY
        return found

    return make
