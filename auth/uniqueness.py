"""Values that are unique, looked for before many rows are written, so that each taken one is told at its row."""

from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

from app.domain.checks import can_be_kept
from app.domain.given import Given
from app.domain.problems import Problem
from app.domain.work import Work
from app.models import Customer, ExternalRef
from app.models.base import Row

_CODES = "SELECT id, code FROM customers WHERE code = ANY($1) AND deleted_at IS NULL"
_REFS = """
    SELECT r.record_id, r.entity, r.system, r.external_id FROM external_refs r
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS n (entity, system, external_id)
    USING (entity, system, external_id) WHERE r.live
"""
Key = tuple[str, ...]


class Written(Protocol):
    """One row of many: what was given for it, and what its rule made of it."""

    index: int
    given: Given
    work: Work
    record: Any


class Unique:
    """Who has which of the unique values that are given, in the tables and among the rows themselves."""

    def __init__(self, present: dict[Key, UUID]) -> None:
        self._present = present
        self._first: dict[Key, int] = {}

    @classmethod
    async def among(cls, connection: Any, entity: type[Row], given: Iterable[Given]) -> "Unique":
        """Look up all that is given, in one statement for each kind of value."""
        codes: set[str] = set()
        refs: set[Key] = set()
        for each in given:
            if entity is Customer and (code := each.get("code")) is not None and can_be_kept(code):
                codes.add(code)
            for system, id in each.get("external_refs", ()):
                if can_be_kept(system + id):
                    refs.add((entity.__name__, system, id))
        present: dict[Key, UUID] = {}
        if codes:
            present |= {("code", code): id for id, code in await connection.fetch(_CODES, list(codes))}
        if refs:
            columns = [list(column) for column in zip(*refs, strict=True)]
            present |= {tuple(key): id for id, *key in await connection.fetch(_REFS, *columns)}
        return cls(present)

    def problem(self, row: Written) -> Problem | None:
        """What is wrong with the unique values of a row; where nothing is, they are its own from now on."""
        claims = _claimed(row)
        for attribute, key in claims:
            path = row.given.at(attribute)
            holder, earlier = self._present.get(key), self._first.get(key)
            if earlier is not None:
                said = f"{path[-1]} is taken: the row with the index {earlier} is given the same."
                return Problem(path, "UNIQUE", said, params={"index": earlier})
            if holder is not None and holder != row.record.id:
                said = f"{path[-1]} is taken: another {type(row.record).__name__} has it."
                return Problem(path, "UNIQUE", said)
        self._first |= {key: row.index for _, key in claims}
        return None


def _claimed(row: Written) -> list[tuple[str, Key]]:
    """The attribute and the value of each unique value that the row takes up."""
    found: list[tuple[str, Key]] = []
    if isinstance(row.record, Customer) and row.given.get("code") is not None:
        found.append(("code", ("code", row.given.values["code"])))
    for added in row.work.added:
        if isinstance(added, ExternalRef):
            found.append(("external_refs", (added.entity, added.system, added.external_id)))
    return found
