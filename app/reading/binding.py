"""From the operands of a read to the arguments of its statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql import Executable
from sqlalchemy.types import TypeEngine

from app.reading.read import Operand

CALLER, TEAM = "caller", "team"
"""The bind parameters of the caller: its id, and its team's."""

_DIALECT = dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Weighed:
    """The argument at ``place`` says which rows of ``table`` are meant: those whose ``column`` stands in the relation
    ``how`` to it (a ``Comparison`` of app.reading.read). How many these are decides how they are best found."""

    place: int
    table: str
    column: str
    how: str


class Binder:
    """Makes a bind parameter of every operand of one statement, and remembers which is which."""

    def __init__(self) -> None:
        self.operands: dict[str, Operand] = {}
        self._known: dict[tuple[int, str], BindParameter[Any]] = {}
        self.weighed: dict[str, tuple[str, str, str]] = {}
        self.unweighed = False
        """Whether there is an operand on whose value the best way to the rows hangs, nobody can say how."""

    def bind(self, operand: Operand, kind: TypeEngine[Any]) -> BindParameter[Any]:
        """The place of ``operand`` in the statement; the same one for the same operand."""
        key = (id(operand), repr(kind))
        if key not in self._known:
            name = f"p{len(self.operands)}"
            self.operands[name] = operand
            self._known[key] = bindparam(name, type_=kind)
        return self._known[key]

    def compared(
        self, operand: Operand, kind: TypeEngine[Any], column: tuple[str, str] | None, how: str
    ) -> BindParameter[Any]:
        """The place of ``operand``, to which rows are compared by a ``column`` of a table, or by what is none."""
        found = self.bind(operand, kind)
        if column is None:
            self.unweighed = True
        else:
            self.weighed[found.key] = (*column, how)
        return found


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement and where its arguments come from, in order. ``weighed`` are those on whose values the best
    plan hangs; where it is ``unweighed`` it does so nobody knows how."""

    sql: str
    slots: tuple[Operand | str, ...]
    weighed: tuple[Weighed, ...] = ()
    unweighed: bool = False

    def arguments(self, variables: Mapping[str, Any], caller: Mapping[str, Any]) -> list[Any]:
        """The arguments for one run. BadUserInputError names the argument that cannot be used."""
        return [caller[slot] if isinstance(slot, str) else slot.convert(_value(slot, variables)) for slot in self.slots]


def compile_statement(statement: Executable, binder: Binder) -> Statement:
    """The SQL text for asyncpg, with the order of its arguments."""
    compiled = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
    names: Sequence[str] = compiled.positiontup or ()

    def slot(name: str) -> Operand | str:
        if name in (CALLER, TEAM):
            return name
        return binder.operands.get(name) or Operand(_itself, None, compiled.params[name])

    weighed = tuple(Weighed(names.index(name), *of) for name, of in binder.weighed.items() if name in names)
    return Statement(str(compiled), tuple(slot(name) for name in names), weighed, binder.unweighed)


def _itself(value: Any) -> Any:
    return value


def _value(operand: Operand, variables: Mapping[str, Any]) -> Any:
    if operand.source is None:
        return operand.constant
    value: Any = variables
    for step in operand.source:
        value = value[step]
    return value
