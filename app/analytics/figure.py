"""A figure as a plain value: which one, over which rows, with which arguments, and what of it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.reading.read import EVERYTHING, Constant, Filter, MoneyField, Operand, Read


@dataclass(frozen=True, slots=True)
class Value:
    """A column of the figure."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """The record whose id stands in the column ``name``, as ``read`` shows it."""

    key: str
    name: str
    read: Read


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of rows inside a figure, which is a table of its own."""

    key: str
    name: str
    fields: tuple["FigureField", ...]


FigureField = Constant | Value | MoneyField | Record | Rows


@dataclass(frozen=True, slots=True)
class Figure:
    """The figure ``name``: a list of rows where it is ``many``, else one row; ``fields`` of each are shown.

    ``where`` limits the rows that it goes over. ``given`` holds its other arguments by name: an operand for what is
    bound when the statement runs, the value itself for what the statement is made for. Those not given, or null, are
    not there.
    """

    name: str
    many: bool
    fields: tuple[FigureField, ...]
    where: Filter = EVERYTHING
    given: Mapping[str, Operand | Any] = field(default_factory=dict)

    def asked(self) -> frozenset[str]:
        """The names of all that is shown, also inside lists (``opened``, ``opened.count``)."""
        return frozenset(_asked(self.fields, ""))

    def records(self) -> list[Record]:
        """The records that are shown."""
        return [each for each in self.fields if isinstance(each, Record)]


def _asked(fields: tuple[FigureField, ...], before: str) -> list[str]:
    found = []
    for each in fields:
        if isinstance(each, Constant):
            continue
        name = before + (each.attribute if isinstance(each, MoneyField) else each.name)
        found.append(name)
        if isinstance(each, Rows):
            found += _asked(each.fields, f"{name}.")
    return found
