"""Deeds on many rows, and what comes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from app.domain.given import Given
from app.domain.problems import Problem
from app.domain.work import Work
from app.models.base import Row
from auth.audit import Origin
from auth.bulk_eyes import BulkEyes
from auth.choosing import Chosen
from auth.gate import Reference, Rule, written
from auth.idempotency import Key, problem_told

BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is given for a row, the records that it names, and what is wrong with it already."""

    given: Given
    references: dict[str, Reference] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True)
class BulkDeed:
    """What is to be done to many rows: a new record from each entry, or the one entry to each chosen record."""

    action: str
    entity: type[Row]
    rule: Rule
    origin: Origin
    entries: Sequence[Entry]
    chosen: Chosen | None = None
    all_or_none: bool = True
    dry_run: bool = False
    key: Key | None = None
    standing: Mapping[str, type[Row]] = field(default_factory=dict)
    """Tables of one row which the rule needs to know, by the name under which it finds the row."""

    @property
    def fields(self) -> list[str]:
        """The fields of the API that the entries want to write, where the action goes field by field."""
        if self.action not in ("create", "update"):
            return []
        names: set[str] = set().union(*(entry.given.values for entry in self.entries))
        return sorted(written(name) for name in names)


@dataclass(frozen=True, slots=True)
class RowDone:
    """What came of one row: its record, or its problems."""

    index: int
    id: UUID | None
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class BulkDone:
    """What came of all: how many rows are done, each row, and the problems for which nothing was done at all."""

    count: int = 0
    rows: list[RowDone] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class Item:
    """One row under way."""

    index: int
    given: Given
    work: Work
    eyes: BulkEyes
    target: Any = None
    record: Any = None
    problems: tuple[Problem, ...] = ()

    def done(self, *, stays: bool) -> RowDone:
        """What came of the row; a new record has an id to tell only if it ``stays``."""
        at = self.target or (self.record if stays and not self.problems else None)
        return RowDone(self.index, None if at is None else at.id, self.problems)


def refused(items: Sequence[Item]) -> BulkDone:
    """Nothing done, for all the problems there are; one that many rows share is told once for all."""
    told: dict[str, Problem] = {}
    for item in items:
        for problem in item.problems:
            told.setdefault(repr(problem), problem)
    return BulkDone(0, [item.done(stays=False) for item in items], tuple(told.values()))


def kept(done: BulkDone) -> dict[str, Any]:
    """What is kept of it under an Idempotency-Key."""
    rows = [[row.index, row.id and str(row.id), [asdict(problem) for problem in row.problems]] for row in done.rows]
    return {"count": done.count, "rows": rows}


def found_again(facts: dict[str, Any], problems: tuple[Problem, ...]) -> BulkDone:
    """What was kept of it."""
    rows = [
        RowDone(index, UUID(id) if id else None, tuple(problem_told(each) for each in said))
        for index, id, said in facts.get("rows", ())
    ]
    return BulkDone(facts.get("count", 0), rows, problems)
