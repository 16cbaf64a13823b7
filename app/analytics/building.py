"""What the statement of a figure is made with, and what each figure has to say of itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

from sqlalchemy import CTE, ColumnElement, Date, DateTime, Select, Text, literal_column
from sqlalchemy.types import TypeEngine

from app.analytics.figure import Figure
from app.models.base import Row
from app.reading.compile import Compiler
from app.reading.printing import effective
from app.reading.read import EVERYTHING, Filter
from app.reading.shop import ShopFacts as ShopFacts
from app.reading.sight import Sight

ANALYSE = "analyse"
"""The action that opens figures over rows."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a figure: ``select`` has a column for each name that is shown, and those by which they go."""

    select: Select[Any]
    order: Sequence[str] = ()


class Asked(Protocol):
    """What a statement is made for: a figure, or a grouping."""

    @property
    def where(self) -> Filter:
        """Which rows it goes over."""

    @property
    def given(self) -> Mapping[str, Any]:
        """Its other arguments by name."""

    def asked(self) -> Collection[str]:
        """The names of all that is shown."""


class Building:
    """The making of one statement."""

    def __init__(self, figure: Asked, compiler: Compiler, shop: ShopFacts) -> None:
        self.figure = figure
        self.compiler = compiler
        self.sight: Sight = compiler.sight
        self.shop = shop
        self.scale = shop.scale
        """The minor units of the shop's currency."""
        self._made: dict[str, CTE] = {}

    @cached_property
    def asked(self) -> Collection[str]:
        """What is shown of the figure: the rest need not be worked out."""
        return self.figure.asked()

    def given(self, name: str) -> Any:
        """An argument that the statement is made for; None where it is not given."""
        return self.figure.given.get(name)

    def moment(self, name: str) -> ColumnElement[Any] | None:
        """An argument that is a moment; None where it is not given."""
        return self._bound(name, DateTime(timezone=True))

    def day(self, name: str) -> ColumnElement[Any] | None:
        """An argument that is a day; None where it is not given."""
        return self._bound(name, Date())

    def zone(self) -> ColumnElement[Any]:
        """The time zone that the figure goes by: the argument ``timezone``, or the shop's."""
        given = self._bound("timezone", Text())
        return text(self.shop.timezone) if given is None else given

    def _bound(self, name: str, kind: TypeEngine[Any]) -> ColumnElement[Any] | None:
        given = self.figure.given.get(name)
        return None if given is None else self.compiler.binder.bind(given, kind)

    def alias(self, entity: type[Row]) -> Any:
        """The table of ``entity`` under a name of its own."""
        return self.compiler.alias(entity)

    def once(self, name: str, make: Callable[[], CTE]) -> CTE:
        """The rows ``name`` of the figure, which ``make`` makes, the same for all parts of the statement."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def seen(self, entity: type[Row], row: Any, *, filtered: bool = True) -> list[ColumnElement[bool]]:
        """The conditions under which ``row`` counts: the caller sees it, may analyse it, and it meets the figure's
        ``where`` (which is about rows of this entity where ``filtered``)."""
        conditions = [*self.sight.rows(entity, row, "figure"), *self.sight.covered(entity, row, ANALYSE)]
        where = self.figure.where
        if filtered and where != EVERYTHING:
            conditions.append(self.compiler.filters.condition(entity, row, where))
        return conditions

    def value(self, entity: type[Row], row: Any, attribute: str) -> ColumnElement[Any]:
        """The value of ``attribute`` where the caller may read it on the row, NULL elsewhere."""
        return effective(getattr(row, attribute), self.sight.treatment(entity, attribute, row))

    def whole(self, entity: type[Row], *attributes: str) -> bool:
        """Whether the figure goes over every live row of ``entity``, and ``attributes`` may be read on all of them.

        Then what is kept of them for everybody may be used.
        """
        return (
            self.figure.where == EVERYTHING
            and self.sight.covers_all(entity, ANALYSE)
            and all(self.sight.treatment(entity, each, self.alias(entity)).readable is True for each in attributes)
        )


class Definition(ABC):
    """What a figure is."""

    entity: ClassVar[type[Row]]
    """The rows that it goes over, which its ``where`` is about, and which the caller needs the right to analyse."""

    @abstractmethod
    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """The attributes that the figure works on, as far as ``asked`` takes them: each has to be readable somewhere.
        Those of entities that are not ``entity`` need the right to analyse these too, if there is such a right."""

    def needed(self, figure: Figure) -> Sequence[tuple[type[Row], str]]:
        """What ``needs`` says, for a figure whose arguments make a difference to it."""
        return self.needs(figure.asked())

    @abstractmethod
    def table(self, build: Building) -> Table:
        """The rows of the figure."""

    def inner(self, build: Building, name: str) -> Table:  # noqa: ARG002  # Most figures have no lists inside.
        """The rows of the list ``name`` in the figure."""
        raise AssertionError(name)

    def note(self, build: Building) -> ColumnElement[Any] | None:  # noqa: ARG002  # Most leave out nothing.
        """A JSON object about what the figure had to leave out, NULL where it left out nothing; None where it never
        does."""
        return None

    def refusal(self, build: Building) -> ColumnElement[Any] | None:  # noqa: ARG002  # Most answer whatever is asked.
        """A JSON object of ``argument`` and ``message`` where the rows show that the figure cannot be answered, NULL
        elsewhere; None where that is never so. Then the answer is BAD_USER_INPUT."""
        return None


def text(value: str) -> ColumnElement[str]:
    """A text of our own, as it stands in the statement."""
    return literal_column("'" + value.replace("'", "''") + "'", Text)
