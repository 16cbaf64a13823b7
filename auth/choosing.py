"""Choosing the records that a bulk change is for: by their ids, or by a filter, as far as the caller sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from app.db.ids import split_id
from app.domain.problems import Problem, RefusedError
from app.models.base import Row
from app.reading.compile import compile_read
from app.reading.cursors import CursorKeys
from app.reading.read import (
    All,
    AnyOf,
    Compare,
    Filter,
    Leaf,
    Missing,
    Nodes,
    Not,
    Operand,
    Page,
    Read,
    ToOneFilter,
    TotalCount,
)
from auth.access import Access
from auth.authorize import authorize

_UNUSED = CursorKeys("no cursor is made here")
_IDS = "#ids"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The records of these ids, or those that ``where`` selects with its ``variables``. Just one of both is given."""

    ids: Sequence[UUID] | None = None
    where: Filter | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    def refuse_unclear(self, most: int) -> None:
        """RefusedError where it is not said which records are meant, or too many are."""
        if self.ids is not None and self.where is not None:
            raise RefusedError(Problem(("where",), "INVALID", "Give either ids or where, not both."))
        if self.ids is not None:
            if not self.ids:
                raise RefusedError(Problem(("ids",), "REQUIRED", "ids is empty: name the records."))
            refuse_many(("ids",), len(self.ids), most)
        elif self.where is None:
            raise RefusedError(Problem(("ids",), "REQUIRED", "Say which records: give ids, or a filter in where."))
        elif _always(self.where, self.variables):
            said = "This filter selects every record: say what is true of those that you mean."
            raise RefusedError(Problem(("where",), "INVALID", said))


def refuse_many(path: tuple[str, ...], actual: int, most: int) -> None:
    """RefusedError where a list is longer than what is done at once."""
    if actual > most:
        said = f"{path[-1]} has {actual} members; {most} are allowed at once."
        raise RefusedError(Problem(path, "TOO_LONG", said, params={"max": most, "actual": actual}))


async def selected(connection: Any, access: Access, entity: type[Row], chosen: Chosen, most: int) -> list[UUID]:
    """The ids of the records that the filter selects among those that the caller sees; RefusedError if too many."""
    assert chosen.where is not None
    rows = Nodes("rows", (Leaf("id", "id"),))
    found = await _read(connection, access, Read(entity, (), (rows,), chosen.where, page=Page(most + 1)), chosen)
    if len(found["rows"]) > most:
        counting = Read(entity, (), (TotalCount("count"),), chosen.where, page=Page(1))
        count = (await _read(connection, access, counting, chosen))["count"]
        said = f"{count} records match; {most} are allowed at once: narrow the filter."
        raise RefusedError(Problem(("where",), "OUT_OF_RANGE", said, params={"max": most, "actual": count}))
    return _ids(found["rows"])


async def still_selected(
    connection: Any, access: Access, entity: type[Row], chosen: Chosen, ids: Sequence[UUID]
) -> set[UUID]:
    """Those of the ids that the filter selects now: between choosing and locking, records may have changed."""
    assert chosen.where is not None
    these = Compare("id", "in", Operand(_itself, (_IDS,)))
    rows = Nodes("rows", (Leaf("id", "id"),))
    read = Read(entity, (), (rows,), All((chosen.where, these)), page=Page(max(len(ids), 1)))
    found = await _read(connection, access, read, Chosen(variables={**chosen.variables, _IDS: list(ids)}))
    return set(_ids(found["rows"]))


async def _read(connection: Any, access: Access, read: Read, chosen: Chosen) -> Any:
    statement = compile_read(authorize(read, access), _UNUSED)
    _, data = await connection.fetchrow(statement.sql, *statement.arguments(chosen.variables, access.arguments))
    return orjson.loads(data)


def _ids(rows: Any) -> list[UUID]:
    return sorted(split[1] for row in rows if (split := split_id(row["id"])))


def _always(part: Filter, variables: Mapping[str, Any], *, there: bool = True) -> bool:
    """Whether the filter holds for every row, by its form alone; ``there`` where the row cannot be missing."""
    match part:
        case All(parts):
            return all(_always(each, variables, there=there) for each in parts)
        case AnyOf(parts):
            return any(_always(each, variables, there=there) for each in parts)
        case Not(inner):
            return _never(inner, variables, there=there)
        case Missing(holds):
            return there and not holds
        case Compare(_, "notIn", operand):
            return not _value(operand, variables)
        case ToOneFilter(_, inner):
            return _always(inner, variables, there=False)
    return False


def _never(part: Filter, variables: Mapping[str, Any], *, there: bool = True) -> bool:
    match part:
        case All(parts):
            return any(_never(each, variables, there=there) for each in parts)
        case AnyOf(parts):
            return all(_never(each, variables, there=there) for each in parts)
        case Not(inner):
            return _always(inner, variables, there=there)
        case Missing(holds):
            return there and holds
        case Compare(_, "in" | "hasAny", operand):
            return not _value(operand, variables)
        case ToOneFilter(_, inner):
            return _never(inner, variables, there=False)
    return False


def _value(operand: Operand, variables: Mapping[str, Any]) -> Any:
    value: Any = operand.constant
    if operand.source is not None:
        value = variables
        for step in operand.source:
            value = value[step]
    return operand.convert(value)


def _itself(value: Any) -> Any:
    return value
