"""Bulk: the gate for many rows. The rule of the single mutation, row by row, between statements that take all at once.

Targets are loaded and locked in the order of their ids by one statement, references of all rows by one for each entity,
and one more writes every change with its audit and outbox events. A right that does not cover one of the rows refuses
the whole, whatever the policy on errors: a right is never a matter of leaving something out.
"""

import asyncio
import gc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from app.db.ids import print_id
from app.db.lanes import Lanes
from app.domain.given import Given
from app.domain.problems import Problem, RefusedError
from app.domain.rows import table_of
from app.domain.work import Actor, Shop, Work
from app.errors import ForbiddenError
from app.models.base import Row, utcnow
from app.models.enums import FieldAccess, RowScope
from auth.access import Access
from auth.audit import Origin
from auth.choosing import Chosen, refuse_many, selected, still_selected
from auth.flush import flush_all
from auth.gate import Reference, RightsChangedError, Rule, forbidden, missing_reference, written
from auth.idempotency import Key, claim, problem_told, remember, remember_refusal
from auth.loading import AccessCache
from auth.rows import Found, RowLoader, Want
from auth.scopes import WIDTH
from auth.uniqueness import taken

BULK = "bulk"
_ATTEMPTS = 8
_BREATH = 200
"""Rows after which other requests of this process have their turn."""
_log = structlog.get_logger("rapport.bulk")


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
class _Item:
    index: int
    given: Given
    work: Work
    target: Any = None
    record: Any = None
    problems: tuple[Problem, ...] = ()


class _UndoneError(Exception):
    """Everything is rolled back, and this is the answer."""

    def __init__(self, done: BulkDone) -> None:
        super().__init__()
        self.done = done


class _Calm:
    """Keeps the garbage collector still while rows are made by the thousand.

    They are no garbage, but so many new objects have it look through all that the process holds, again and again: half
    of the time of a bulk change went there (measured).
    """

    def __init__(self) -> None:
        self._inside = 0

    def __enter__(self) -> None:
        self._inside += 1
        gc.disable()

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
        if not self._inside:
            gc.enable()


_CALM = _Calm()


class BulkGate:
    """Performs deeds on many rows."""

    def __init__(self, writers: Lanes, accesses: AccessCache, shop: Shop, most: int) -> None:
        self._writers = writers
        self._accesses = accesses
        self._shop = shop
        self._most = most
        self._rows = RowLoader()

    async def perform(self, deed: BulkDeed, access: Access) -> BulkDone:
        """Do it, or raise what forbids it. What a person can mend comes back as problems."""
        with _CALM:
            return await self._perform(deed, access, None if deed.dry_run else deed.key)

    async def _perform(self, deed: BulkDeed, access: Access, key: Key | None) -> BulkDone:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._attempt(deed, access, key)
            except _UndoneError as undone:
                if key is not None:
                    await remember_refusal(self._writers, key, undone.done.problems, _told(undone.done))
                return undone.done
            except RefusedError as refusal:
                if key is not None:
                    await remember_refusal(self._writers, key, refusal.problems)
                return BulkDone(problems=refusal.problems)
            except RightsChangedError:
                access = await self._accesses.reload(access.user_id)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError) as error:
                # Whoever took a value since it was looked for has committed: it is found now, and told at its row.
                _log.info("bulk repeated", action=deed.action, entity=deed.entity.__name__, attempt=attempt)
                if attempt == _ATTEMPTS and isinstance(error, asyncpg.UniqueViolationError):
                    said = "Others keep taking the values that are given here: nothing was done. Try again."
                    return BulkDone(problems=(Problem(None, "UNIQUE", said),))
        raise OverflowError(f"{_ATTEMPTS} attempts at {deed.action} on many {deed.entity.__name__} failed")

    async def _attempt(self, deed: BulkDeed, access: Access, key: Key | None) -> BulkDone:
        scope = self._checked(deed, access)
        self._refuse_at_once(deed)
        async with self._writers.transaction() as connection:
            if key is not None:
                earlier = await claim(connection, key)
                if earlier is not None:
                    return _retold(*earlier[1:])
            actor = Actor(access.user_id, access.team_id, scope, access.rights.rows)
            items = await self._items(connection, deed, access, actor)
            await self._stand(connection, deed, access, items)
            await _follow(deed.rule, items)
            taken_rows = await taken(connection, [item for item in items if not item.problems])
            for item in items:
                if (problem := taken_rows.get(item.index)) is not None:
                    item.problems = (problem,)
            good = [item for item in items if not item.problems]
            if deed.all_or_none and len(good) < len(items):
                raise _UndoneError(_refused(items))
            pairs = [(item.work, item.work.subject or item.record) for item in good]
            if pairs:
                await flush_all(connection, pairs, deed.origin, deed.action)
            if deed.chosen is None:
                await self._made(connection, deed, access, good)
            done = BulkDone(len(good), [_row(item, stays=not deed.dry_run) for item in items])
            if deed.dry_run:
                raise _UndoneError(done)
            if key is not None:
                await remember(connection, key, {}, _told(done))
        return done

    def _refuse_at_once(self, deed: BulkDeed) -> None:
        """Refuse what need not be looked up."""
        if deed.chosen is None:
            if not deed.entries:
                raise RefusedError(Problem(("rows",), "REQUIRED", "rows is empty: give at least one."))
            refuse_many(("rows",), len(deed.entries), self._most)
            return
        deed.chosen.refuse_unclear(self._most)
        if deed.entries[0].problems:
            raise RefusedError(*deed.entries[0].problems)

    # Rights

    def _checked(self, deed: BulkDeed, access: Access) -> RowScope:
        """The rows that both rights cover; ForbiddenError names the action or the field that is not granted."""
        scopes = [access.rights.rows(deed.entity, action) for action in (BULK, deed.action)]
        for scope, action in zip(scopes, (BULK, deed.action), strict=True):
            if scope is RowScope.NONE:
                raise forbidden(access, action, deed.entity)
        for name in _fields(deed):
            rule = access.rights.writing(deed.entity, deed.action, name)
            if FieldAccess.READ not in (rule.access, rule.otherwise):
                raise forbidden(access, deed.action, deed.entity, name)
        return min(scopes, key=WIDTH.__getitem__)

    def _narrower(self, deed: BulkDeed, access: Access) -> str:
        return min((deed.action, BULK), key=lambda action: WIDTH[access.rights.rows(deed.entity, action)])

    def _refuse_uncovered(self, deed: BulkDeed, access: Access, found: Iterable[Found]) -> None:
        """ForbiddenError for the first of the rows that the caller sees and may not change."""
        rows = list(found)
        outside = [each.row for each in rows if not each.allowed]
        if outside:
            raise _forbidden_among(access, self._narrower(deed, access), deed.entity, None, outside, len(rows))
        for name in rows[0].writable if rows else ():
            closed = [each.row for each in rows if not each.writable[name]]
            if closed:
                raise _forbidden_among(access, deed.action, deed.entity, name, closed, len(rows))

    async def _made(self, connection: Any, deed: BulkDeed, access: Access, items: Sequence[_Item]) -> None:
        """Refuse new records that lie outside the rows in which the right to make them holds."""
        actions = (deed.action, BULK)
        if not items or all(access.rights.rows(deed.entity, action) is RowScope.ALL for action in actions):
            return
        ids = [item.record.id for item in items]
        covered = await self._rows.covered(connection, access, deed.entity, actions, ids)
        outside = [item.record for item in items if item.record.id not in covered]
        if outside:
            raise _forbidden_among(access, self._narrower(deed, access), deed.entity, None, outside, len(items))

    # Rows

    async def _items(self, connection: Any, deed: BulkDeed, access: Access, actor: Actor) -> list[_Item]:
        """Every row, with its target if it has one, what is given for it, and the records that it names."""
        now = utcnow()

        def item(index: int, entry: Entry, references: dict[str, Any]) -> _Item:
            # Whoever brings many at once has looked for duplicates: to look once more for each would take longer than
            # all the rest.
            options = {"allow_duplicate": True}
            given = Given(dict(entry.given.values), dict(references), entry.given.path, options)
            return _Item(index, given, Work(connection, actor, self._shop, now))

        if deed.chosen is None:
            named = await self._named(connection, access, deed.entries)
            items = []
            for index, entry in enumerate(deed.entries):
                each = item(index, entry, {**entry.given.rows})
                each.work.problems.found += entry.problems
                self._refer(each, entry, named)
                items.append(each)
            return items
        (entry,) = deed.entries
        targets = await self._targets(connection, deed, access)
        named = await self._named(connection, access, deed.entries)
        first = item(-1, entry, {**entry.given.rows})
        self._refer(first, entry, named)
        first.work.problems.refuse()
        items = []
        for index, target in enumerate(targets):
            each = item(index, entry, first.given.rows)
            if isinstance(target, Problem):
                each.problems = (target,)
            else:
                each.target = each.work.keep(target.row)
            items.append(each)
        return items

    async def _targets(self, connection: Any, deed: BulkDeed, access: Access) -> list[Found | Problem]:
        """The chosen records, locked; in place of one that the caller does not see, the problem."""
        assert deed.chosen is not None
        rules = {name: access.rights.writing(deed.entity, deed.action, name) for name in _fields(deed)}
        asked = tuple(name for name, rule in rules.items() if rule.access is not rule.otherwise)
        want = Want("id", deed.entity, "NO KEY UPDATE", deed.action, asked, also=BULK)
        if deed.chosen.ids is None:
            ids = await selected(connection, access, deed.entity, deed.chosen, self._most)
            rows = await self._rows.all_of(connection, access, want, ids)
            still = await still_selected(connection, access, deed.entity, deed.chosen, list(rows)) if rows else set()
            found = {id: each for id, each in rows.items() if id in still}
            self._refuse_uncovered(deed, access, found.values())
            return list(found.values())
        seen = await self._seen(connection, access, want, deed.chosen.ids)
        self._refuse_uncovered(deed, access, seen.values())
        return _in_order(deed.entity, deed.chosen.ids, seen)

    async def _named(
        self, connection: Any, access: Access, entries: Sequence[Entry]
    ) -> dict[type[Row], dict[UUID, Found]]:
        """The records that all entries name, held in place: one statement for each entity."""
        wanted: dict[type[Row], dict[UUID, None]] = {}
        for entry in entries:
            for reference in entry.references.values():
                wanted.setdefault(reference.entity, {})[reference.id] = None
        return {
            entity: await self._seen(connection, access, Want("named", entity), list(ids))
            for entity, ids in sorted(wanted.items(), key=lambda pair: pair[0].__name__)
        }

    async def _seen(self, connection: Any, access: Access, want: Want, ids: Sequence[UUID]) -> dict[UUID, Found]:
        """Those of the rows that the caller sees, by the id that was asked; a merged one is its survivor."""
        found = await self._rows.all_of(connection, access, want, ids)
        absent = [id for id in ids if id not in found]
        if absent and hasattr(want.entity, "merged_into_id"):
            merged = await connection.fetch(
                f"SELECT id, merged_into_id FROM {table_of(want.entity)}"  # noqa: S608  # The name of a table of ours.
                " WHERE id = ANY($1) AND merged_into_id IS NOT NULL",
                absent,
            )
            if merged:
                survivors = await self._rows.all_of(connection, access, want, [into for _, into in merged])
                # The same row must not be had twice: changes are found in one of them only.
                whole = survivors | found
                found |= {id: whole[into] for id, into in merged if into in whole}
        return found

    async def _stand(self, connection: Any, deed: BulkDeed, access: Access, items: Sequence[_Item]) -> None:
        """Let every row know the standing rows, all as of the present rights. RightsChangedError where these are not
        the ones that were loaded."""
        wants = [Want(name, entity, standing=True) for name, entity in deed.standing.items()]
        ids = {name: entity.only for name, entity in deed.standing.items() if entity.only is not None}
        version, found = await self._rows.one_each(connection, access, wants, ids)
        if version != access.loaded_version:
            raise RightsChangedError
        for item in items:
            item.given.rows |= {name: at.row for name, at in found.items() if at is not None}

    def _refer(self, item: _Item, entry: Entry, named: dict[type[Row], dict[UUID, Found]]) -> None:
        for name, reference in entry.references.items():
            found = named[reference.entity].get(reference.id)
            if found is None:
                missing_reference(item.work, reference)
            item.given.rows[name] = None if found is None else found.row
            if found is not None and f"{name}_id" in item.given.values:
                # Of a merged record, the survivor answers for the id.
                item.given.values[f"{name}_id"] = found.row.id


async def _follow(rule: Rule, items: Sequence[_Item]) -> None:
    """Let the rule do every row on its own; what it refuses is noted at that row."""
    for item in items:
        if item.problems:
            continue
        try:
            item.record = await rule(item.work, item.target, item.given)
            item.work.problems.refuse()
        except RefusedError as refusal:
            item.problems = refusal.problems
        if item.index % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)


def _fields(deed: BulkDeed) -> list[str]:
    """The fields of the API that the entries want to write, where the action goes field by field."""
    if deed.action not in ("create", "update"):
        return []
    names = {name for entry in deed.entries for name in entry.given.values}
    return sorted(written(name) for name in names)


def _in_order(entity: type[Row], ids: Sequence[UUID], seen: dict[UUID, Found]) -> list[Found | Problem]:
    """What there is of each id. No row may be named twice: its second change would hide the first."""
    places: dict[UUID, int] = {}
    found: list[Found | Problem] = []
    for index, id in enumerate(ids):
        path, at = ("ids", str(index)), seen.get(id)
        if at is None:
            said = f"There is no {entity.__name__} with the id {print_id(entity.prefix, id)} that you may see."
            found.append(Problem(path, "NOT_FOUND", said))
        elif (earlier := places.setdefault(at.row.id, index)) != index:
            said = f"This is the same {entity.__name__} as at the index {earlier}: name it once."
            found.append(Problem(path, "INVALID", said, params={"index": earlier}))
        else:
            found.append(at)
    return found


def _forbidden_among(
    access: Access, action: str, entity: type[Row], field: str | None, outside: Sequence[Any], among: int
) -> ForbiddenError:
    """The refusal of a row, which also says how many of the rows it goes for."""
    error = forbidden(access, action, entity, field, outside[0])
    counted = f"{len(outside)} of the {among} rows lie outside; nothing was done."
    return ForbiddenError(f"{error.message} {counted}", **error.details, count=len(outside))


def _row(item: _Item, *, stays: bool) -> RowDone:
    """What came of a row; a new record has an id to tell only if it ``stays``."""
    at = item.target or (item.record if stays and not item.problems else None)
    return RowDone(item.index, None if at is None else at.id, item.problems)


def _refused(items: Sequence[_Item]) -> BulkDone:
    """Nothing done, for all the problems there are; one that many rows share is told once for all."""
    told: dict[str, Problem] = {}
    for item in items:
        for problem in item.problems:
            told.setdefault(repr(problem), problem)
    return BulkDone(0, [_row(item, stays=False) for item in items], tuple(told.values()))


def _told(done: BulkDone) -> dict[str, Any]:
    """What is kept of it under an Idempotency-Key."""
    rows = [[row.index, row.id and str(row.id), [asdict(problem) for problem in row.problems]] for row in done.rows]
    return {"count": done.count, "rows": rows}


def _retold(facts: dict[str, Any], problems: tuple[Problem, ...]) -> BulkDone:
    rows = [
        RowDone(index, UUID(id) if id else None, tuple(problem_told(each) for each in said))
        for index, id, said in facts.get("rows", ())
    ]
    return BulkDone(facts.get("count", 0), rows, problems)
