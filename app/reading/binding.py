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


class Binder:
    """Makes a bind parameter of every operand of one statement, and remembers which is which."""

    def __init__(self) -> None:
        self.operands: dict[str, Operand] = {}

    def bind(self, operand: Operand, kind: TypeEngine[Any]) -> BindParameter[Any]:
        """The place of ``operand`` in the statement."""
        name = f"p{len(self.operands)}"
        self.operands[name] = operand
        return bindparam(name, type_=kind)


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement and where its arguments come from, in order."""

    sql: str
    slots: tuple[Operand | str, ...]

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

    return Statement(str(compiled), tuple(slot(name) for name in names))


def _itself(value: Any) -> Any:
    return value


def _value(operand: Operand, variables: Mapping[str, Any]) -> Any:
    if operand.source is None:
        return operand.constant
    value: Any = variables
    for step in operand.source:
        value = value[step]
    return value
