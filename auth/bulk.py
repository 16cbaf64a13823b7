"""Bulk: the gate for many rows. The rule of the single mutation, row by row, between statements that take all at once.

Targets are loaded and locked in the order of their ids by one statement, references of all rows by one for each entity,
and one more writes every change with its audit and outbox events. A right that does not cover one of the rows refuses
the whole, whatever the policy on errors: a right is never a matter of leaving something out.
"""

import asyncio
import gc
from collections.abc import Sequence

import asyncpg
import structlog

from app.db.lanes import Lanes
from app.domain.problems import Problem, RefusedError
from app.domain.work import Actor, RightMissingError, Shop
from app.models.enums import FieldAccess, RowScope
from auth.access import Access, RightsChangedError
from auth.bulk_deeds import BULK, BulkDeed, BulkDone, Item, found_again, kept, refused
from auth.bulk_rows import BulkRows
from auth.choosing import refuse_many
from auth.flush import Writing
from auth.gate import Rule, forbidden
from auth.idempotency import Key, claim, remember, remember_refusal
from auth.loading import AccessCache
from auth.scopes import WIDTH
from auth.uniqueness import Unique

_ATTEMPTS = 8
_AT_ONCE = 200
_ADDED_AT_ONCE = 50
"""Rows that are written together, changed ones and new ones: as many as fit into a socket, so that PostgreSQL has all
of them when the next are worked out. Each statement makes ready for all indexes anew: fewer rows take longer."""
_TURN = 50
"""After so many, other requests of this process have their turn."""
_log = structlog.get_logger("rapport.bulk")


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
        self._most = most
        self._rows = BulkRows(shop, most)

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
                    await remember_refusal(self._writers, key, undone.done.problems, kept(undone.done))
                return undone.done
            except RefusedError as refusal:
                if key is not None:
                    await remember_refusal(self._writers, key, refusal.problems)
                return BulkDone(problems=refusal.problems)
            except RightMissingError as missing:
                raise forbidden(access, missing.action, missing.entity) from missing
            except RightsChangedError:
                access = await self._accesses.reload(access.principal)
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
                    return found_again(*earlier[1:])
            actor = Actor(access.user_id, access.team_id, scope, access.rights.rows)
            async with Writing(connection, deed.origin, deed.action) as writing:
                items = await self._rows.items(connection, writing, deed, access, actor)
                await self._rows.stand(connection, deed, access, items)
                unique = await Unique.among(connection, deed.entity, (item.given for item in items))
                await self._follow(deed, items, unique, writing)
            good = [item for item in items if not item.problems]
            if deed.all_or_none and len(good) < len(items):
                raise _UndoneError(refused(items))
            await self._rows.refuse_unheld(connection, deed, access, good)
            done = BulkDone(len(good), [item.done(stays=not deed.dry_run) for item in items])
            if deed.dry_run:
                raise _UndoneError(done)
            if key is not None:
                await remember(connection, key, {}, kept(done))
        return done

    async def _follow(self, deed: BulkDeed, items: Sequence[Item], unique: Unique, writing: Writing) -> None:
        """Let the rule do every row on its own, and write them by the hundred. What a row is refused for is noted at
        it; once nothing is to be done for that, the others are looked at, and not written."""
        failed = any(item.problems for item in items)
        # Ids rise with time, as most indexes do: in their order, neighbours are written together, a fifth faster.
        ordered = sorted(items, key=lambda item: item.target.id) if all(item.target for item in items) else items
        size = _ADDED_AT_ONCE if deed.chosen is None else _AT_ONCE
        for start in range(0, len(ordered), size):
            good = []
            for number, item in enumerate(ordered[start : start + size], 1):
                if number % _TURN == 0:
                    await asyncio.sleep(0)
                if not item.problems:
                    await _follow(deed.rule, item, unique)
                if item.problems:
                    failed = True
                else:
                    good.append((item.work, item.work.subject or item.record))
            if good and not (failed and deed.all_or_none):
                await writing.write(good)

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
        for name in deed.fields:
            rule = access.rights.writing(deed.entity, deed.action, name)
            if FieldAccess.READ not in (rule.access, rule.otherwise):
                raise forbidden(access, deed.action, deed.entity, name)
        return min(scopes, key=WIDTH.__getitem__)


async def _follow(rule: Rule, item: Item, unique: Unique) -> None:
    """Let the rule do one row."""
    try:
        item.record = await rule(item.work, item.target, item.given)
        item.work.problems.refuse()
    except RefusedError as refusal:
        item.problems = item.eyes.told(refusal.problems)
        return
    problem = unique.problem(item)
    if problem is not None:
        item.problems = (problem,)
    elif item.target is None:
        item.eyes.remember(item.index, item.record.id, item.given)
