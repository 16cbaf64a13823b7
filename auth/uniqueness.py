"""Values that are unique, checked for many rows before they are written, so that each taken one is told at its row."""

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

from app.domain.given import Given
from app.domain.problems import Problem
from app.domain.work import Work
from app.models import Customer, ExternalRef

_NUMBERED = {Customer: "code"}
"""Unique values among the live records of an entity that callers may give."""

_CODES = "SELECT id, code FROM customers WHERE code = ANY($1) AND deleted_at IS NULL"
_REFS = """
    SELECT r.entity, r.system, r.external_id FROM external_refs r
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS n (entity, system, external_id)
    USING (entity, system, external_id)
"""


class Written(Protocol):
    """One row of many: what was given for it, and what its rule made of it."""

    index: int
    given: Given
    work: Work
    record: Any


async def taken(connection: Any, rows: Sequence[Written]) -> dict[int, Problem]:
    """The rows, by index, whose unique values other records have already, or an earlier one of these rows has."""
    claims = [(row, attribute, key) for row in rows for attribute, key in _claimed(row)]
    if not claims:
        return {}
    present = await _present(connection, [key for _, _, key in claims])
    found: dict[int, Problem] = {}
    for row, attribute, key in claims:
        holder = present.get(key)
        if holder is not None and holder != row.record.id:
            name = row.given.at(attribute)[-1]
            said = f"{name} is taken: another {type(row.record).__name__} has it."
            found.setdefault(row.index, Problem(row.given.at(attribute), "UNIQUE", said))
    first: dict[Hashable, int] = {}
    for row, attribute, key in claims:
        if row.index in found:
            continue
        earlier = first.setdefault(key, row.index)
        if earlier != row.index:
            name = row.given.at(attribute)[-1]
            said = f"{name} is taken: the row with the index {earlier} is given the same."
            found[row.index] = Problem(row.given.at(attribute), "UNIQUE", said, params={"index": earlier})
    return found


def _claimed(row: Written) -> list[tuple[str, tuple[str, ...]]]:
    """The attribute and the value of each unique value that the row takes up."""
    found: list[tuple[str, tuple[str, ...]]] = []
    attribute = _NUMBERED.get(type(row.record))
    if attribute is not None and row.given.get(attribute) is not None:
        found.append((attribute, (type(row.record).__name__, row.given.values[attribute])))
    for added in row.work.added:
        if isinstance(added, ExternalRef):
            found.append(("external_refs", (added.entity, added.system, added.external_id)))
    return found


async def _present(connection: Any, keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], Any]:
    """Who has which of the values; of references that are new to their record, anybody."""
    found: dict[tuple[str, ...], Any] = {}
    codes = [key[1] for key in keys if len(key) == 2]
    if codes:
        found |= {("Customer", code): id for id, code in await connection.fetch(_CODES, codes)}
    refs = [key for key in keys if len(key) == 3]
    if refs:
        columns = [list(column) for column in zip(*refs, strict=True)]
        found |= {tuple(record): "anybody" for record in await connection.fetch(_REFS, *columns)}
    return found
