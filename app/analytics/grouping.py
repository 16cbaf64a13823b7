"""A grouping as a plain value: rows of one entity by what they have in common, and what is worked out of each group.

A path names a value of a row: an attribute (``status``), one of a row that it refers to (``customer_region``), or that
row itself (``customer_owner``). A column names what a group shows, orders by or is chosen by: ``key.`` and a path that
it is grouped by, ``count``, or a function and a path (``sum.total``).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from app.analytics.figure import Record, Value
from app.models import Opportunity, Order
from app.models.base import Row
from app.reading.read import EVERYTHING, All, AnyOf, Compare, Constant, Filter, IsNull, MoneyField, Not, Operand, Term
from app.reading.relations import currency_of, relation

COUNT = "count"
"""The column of how many rows a group has."""

KEY = "key"
"""What columns begin with that are grouped by."""


@dataclass(frozen=True, slots=True)
class GroupKey:
    """The value at ``path``, or the ``bucket`` of time in which it lies."""

    path: str
    bucket: str | None = None

    @property
    def column(self) -> str:
        """Its column."""
        return f"{KEY}.{self.path}"


@dataclass(frozen=True, slots=True)
class Inside:
    """An object inside a group."""

    key: str
    fields: tuple["GroupField", ...]


GroupField = Constant | Value | MoneyField | Record | Inside


@dataclass(frozen=True, slots=True)
class Groups:
    """The list of the groups, and what is shown of each."""

    key: str
    fields: tuple[GroupField, ...]


@dataclass(frozen=True, slots=True)
class TotalGroups:
    """How many groups there are, those too that are not listed."""

    key: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """The rows of ``entity`` that meet ``where``, by ``keys``; without any, all in one group.

    Of the groups that meet ``having``, which is about columns, the ``first`` in ``order`` are listed; ties go by the
    keys. ``given`` holds the other arguments.
    """

    entity: type[Row]
    parts: tuple[Groups | TotalGroups | Constant, ...]
    keys: tuple[GroupKey, ...] = ()
    where: Filter = EVERYTHING
    having: Filter = EVERYTHING
    order: tuple[Term, ...] = ()
    first: int = 100
    given: Mapping[str, Operand | Any] = field(default_factory=dict)

    def asked(self) -> Collection[str]:
        """The columns that have to be worked out, but those of the keys."""
        shown = {each.attribute if isinstance(each, MoneyField) else each.name for each in self._columns()}
        needed = shown | set(_attributes(self.having)) | {term.attribute for term in self.order}
        return sorted(each for each in needed if not each.startswith(f"{KEY}."))

    def records(self) -> list[Record]:
        """The records that are shown."""
        return [each for each in self._columns() if isinstance(each, Record)]

    def paths(self) -> list[str]:
        """All paths that it looks at."""
        return [*(key.path for key in self.keys), *(path_of(each) for each in self.asked() if each != COUNT)]

    def amounts(self) -> list[str]:
        """The paths of the amounts, each in the currency of its row, of which something is worked out."""
        found = dict.fromkeys(path_of(each) for each in self.asked() if each != COUNT)
        return [each for each in found if currency_of(self.entity, each) == "currency"]

    def _columns(self) -> Iterator[Value | MoneyField | Record]:
        for part in self.parts:
            if isinstance(part, Groups):
                yield from _columns(part.fields)


def _columns(fields: Iterable[GroupField]) -> Iterator[Value | MoneyField | Record]:
    for each in fields:
        if isinstance(each, Inside):
            yield from _columns(each.fields)
        elif not isinstance(each, Constant):
            yield each


def _attributes(part: Filter) -> Iterator[str]:
    match part:
        case All(parts) | AnyOf(parts):
            for each in parts:
                yield from _attributes(each)
        case Not(inner):
            yield from _attributes(inner)
        case Compare(attribute, _, _) | IsNull(attribute, _):
            yield attribute


def path_of(column: str) -> str:
    """The path of a column."""
    return column.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Way:
    """A path, step by step: ``relations`` to one row each, then an ``attribute`` of ``entity``, the last of them; that
    row itself where there is none."""

    steps: tuple[tuple[type[Row], str], ...]
    entity: type[Row]
    attribute: str | None


@cache
def way(entity: type[Row], path: str) -> Way:
    """The way of ``path`` from a row of ``entity``."""
    mapper: Mapper[Any] = inspect(entity)
    relations = mapper.relationships
    if path in mapper.all_orm_descriptors and path not in relations:
        return Way((), entity, path)
    for name in relations.keys():  # noqa: SIM118  # It is no dictionary.
        target = relation(entity, name).target
        if path == name:
            return Way(((entity, name),), target, None)
        if path.startswith(f"{name}_"):
            rest = way(target, path.removeprefix(f"{name}_"))
            return Way(((entity, name), *rest.steps), rest.entity, rest.attribute)
    raise AssertionError(f"{entity.__name__} has no {path}")


RATED: Mapping[type[Row], str] = {Order: "placed_at", Opportunity: "closed_at"}
"""The moment whose exchange rate the amounts of an entity count at."""

_CURRENCY_WITH: Mapping[type[Row], str] = {Order: "total", Opportunity: "amount"}


def read_as(entity: type[Row], attribute: str) -> str:
    """The attribute that has the rights of ``attribute``: a currency is read with its amount."""
    return _CURRENCY_WITH[entity] if attribute == "currency" else attribute


def needed(grouping: Grouping) -> Iterator[tuple[type[Row], str | None]]:
    """The entities whose rows a grouping looks at, and the attributes that it works on."""
    for path in grouping.paths():
        found = way(grouping.entity, path)
        yield from found.steps
        yield found.entity, found.attribute and read_as(found.entity, found.attribute)
    if grouping.amounts() and grouping.entity in RATED:
        yield grouping.entity, RATED[grouping.entity]
