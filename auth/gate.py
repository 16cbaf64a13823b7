"""The gate: the one door for writes.

Right, rows, rule, record, answer, in one transaction: the rows that a mutation names are loaded through the caller's
sight and locked, the rule changes them, one statement writes the changes with their audit and outbox events, and the
answer is read again under the same rights. Whatever goes wrong on the way, nothing is done.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast
from uuid import UUID

import asyncpg
import structlog

from app.db.ids import print_id
from app.db.lanes import Lanes
from app.domain.given import Given
from app.domain.problems import Problem, RefusedError
from app.domain.work import Actor, RightMissingError, Shop, Work
from app.errors import ForbiddenError
from app.models.base import Row, utcnow
from app.models.enums import FieldAccess, RowScope
from auth.access import Access, RightsChangedError, field_name
from auth.audit import Origin
from auth.eyes import Eyes, Looks
from auth.flush import flush
from auth.giving import Giving
from auth.idempotency import Key, claim, remember, remember_refusal
from auth.loading import AccessCache
from auth.rows import Found, Lock, RowLoader, Want
from auth.scopes import FOLLOWERS, WIDTH
from auth.stale import Conflicts

_ATTEMPTS = 8
_log = structlog.get_logger("rapport.gate")

Rule = Callable[[Work, Any, Given], Awaitable[Any]]
"""From the record at hand (None where a new one is made) and what was given to the record that the answer shows.

A record that an input names and that the caller may not see is a problem noted already, and None in ``given.rows``: a
rule notes its own problems, calls ``work.problems.refuse()``, and only then looks at those rows.
"""


class NumberTakenError(Exception):
    """The server's next number is one that somebody has given by hand; the one after it may be free."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A record that an input names: where the input does, and which it is."""

    entity: type[Row]
    id: UUID
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """Records that are changed as one: each must be seen, and covered by the action. They are locked in the order of
    their ids, so that two who want the same ones take turns."""

    name: str
    paths: Mapping[UUID, tuple[str, ...]]
    """Where the input names each."""
    lock: Lock = "UPDATE"


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done: the right it needs, the rows it names, the rule it follows."""

    action: str
    entity: type[Row]
    rule: Rule
    given: Given
    origin: Origin
    target: UUID | None = None
    named: str = "id"
    """What the API calls the argument with the target's id."""
    of: type[Row] | None = None
    """The entity of the target, where it is not that of the right: a deed then makes one from the other, and it is
    enough to see the target."""
    writes: Sequence[str] = ()
    """The fields of the API that are written without being named in the input."""
    version: int | None = None
    """The version that the caller has seen; None where the action does not ask for it."""
    lock: Lock = "NO KEY UPDATE"
    include_deleted: bool = False
    references: Mapping[str, Reference] = field(default_factory=dict)
    listed: Mapping[str, tuple[type[Row], Mapping[UUID, tuple[str, ...]]]] = field(default_factory=dict)
    """Records that an input names in lists: by name, the entity and each id's path."""
    standing: Mapping[str, type[Row]] = field(default_factory=dict)
    """Tables of one row which the rule needs to know, by the name under which it finds the row in ``given.rows``."""
    problems: Sequence[Problem] = ()
    """What is wrong with the input already."""
    key: Key | None = None
    together: Together | None = None
    within: "Deed | None" = None
    """What is done to a record besides, by a right of its own: its rule is the outer rule's business."""


@dataclass(slots=True)
class Done:
    """What came of a deed: the records that the payload shows, by its field; other facts; or the problems."""

    records: dict[str, UUID] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    answer: dict[str, bytes | None] = field(default_factory=dict)


class Answer(Protocol):
    """How the payload's records are read again."""

    def prepare(self, access: Access) -> Any:
        """Whatever can be refused of the selection is refused here, before anything is done."""

    async def read(
        self, connection: Any, prepared: Any, access: Access, records: Mapping[str, UUID]
    ) -> dict[str, bytes | None]:
        """The JSON of each response key, on a connection whose transaction has made the changes."""


class Gate:
    """Performs deeds."""

    def __init__(self, writers: Lanes, accesses: AccessCache, shop: Shop) -> None:
        self._writers = writers
        self._accesses = accesses
        self._shop = shop
        self._rows = RowLoader()
        self._looks = Looks()
        self._conflicts = Conflicts()

    async def perform(self, deed: Deed, access: Access, answer: Answer) -> Done:
        """Do it, or raise what forbids it. What a person can mend comes back as problems."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._attempt(deed, access, answer, answer.prepare(access))
            except RefusedError as refusal:
                if deed.key is not None:
                    await remember_refusal(self._writers, deed.key, refusal.problems)
                return Done(problems=refusal.problems)
            except RightsChangedError:
                access = await self._accesses.reload(access.principal)
            except ForbiddenError:
                # The refusal may rest on rights that have grown since they were loaded.
                fresh = await self._accesses.reload(access.principal)
                if fresh.loaded_version == access.loaded_version:
                    raise
                access = fresh
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, NumberTakenError):
                _log.info("deed repeated", action=deed.action, entity=deed.entity.__name__, attempt=attempt)
        raise OverflowError(f"{_ATTEMPTS} attempts at {deed.action} {deed.entity.__name__} failed")

    async def _attempt(self, deed: Deed, access: Access, answer: Answer, prepared: Any) -> Done:
        scope = self._checked(deed, access)
        given = replace(deed.given, values=dict(deed.given.values), rows={})
        done = Done()
        try:
            async with self._writers.transaction() as connection:
                if deed.key is not None:
                    earlier = await claim(connection, deed.key)
                    if earlier is not None:
                        done.records, done.facts, done.problems = earlier
                        done.answer = await self._again(connection, access, answer, prepared, done)
                        return done
                actor = Actor(access.user_id, access.team_id, scope, access.rights.rows)
                work = Work(connection, actor, self._shop, utcnow())
                work.eyes = Eyes(connection, access, self._rows, self._looks)
                work.giving = Giving(connection, access, self._rows, scope)
                work.problems.found += deed.problems
                target = await self._load(connection, deed, access, given, work)
                record = await deed.rule(work, target, given)
                work.problems.refuse()
                subject = work.subject or record
                await flush(connection, work, deed.origin, deed.action, subject)
                if (target is None or deed.of is not None) and subject is not None:
                    await self._made(connection, deed, access, subject)
                for action, row in work.needed:
                    if not await self._covers(connection, access, action, row):
                        raise forbidden(access, action, type(row), record=row)
                done.facts = work.facts
                done.records = {name: row.id for name, row in work.shown(record).items()}
                if deed.key is not None:
                    await remember(connection, deed.key, done.records, done.facts)
                done.answer = await answer.read(connection, prepared, access, done.records)
        except RightMissingError as missing:
            raise forbidden(access, missing.action, missing.entity) from missing
        except asyncpg.UniqueViolationError as error:
            raise _taken(deed, error) from error
        return done

    async def _again(
        self, connection: Any, access: Access, answer: Answer, prepared: Any, done: Done
    ) -> dict[str, bytes | None]:
        """The answer of a deed done earlier, under the present rights."""
        version, _ = await self._rows.one_each(connection, access, (), {})
        if version != access.loaded_version:
            raise RightsChangedError
        return await answer.read(connection, prepared, access, done.records)

    def _checked(self, deed: Deed, access: Access) -> RowScope:
        """The rows that the right covers; ForbiddenError names the action or the field that is not granted."""
        scope = access.rights.rows(deed.entity, deed.action)
        if scope is RowScope.NONE:
            raise forbidden(access, deed.action, deed.entity)
        for name in self._fields(deed):
            rule = access.rights.writing(deed.entity, deed.action, name)
            if FieldAccess.READ not in (rule.access, rule.otherwise):
                raise forbidden(access, deed.action, deed.entity, name)
        if deed.within is not None:
            scope = min(scope, self._checked(deed.within, access), key=WIDTH.__getitem__)
        return scope

    def _fields(self, deed: Deed) -> list[str]:
        """The fields of the API that the input wants to write, where the action goes field by field."""
        if deed.action not in ("create", "update"):
            return []
        return [*deed.writes, *(written(name) for name in deed.given.values)]

    async def _load(self, connection: Any, deed: Deed, access: Access, given: Given, work: Work) -> Any:
        """The record that the deed is about, watched; the records that the input names are put into ``given``."""
        wants, ids = self._wants(deed, access)
        version, found = await self._rows.one_each(connection, access, wants, ids)
        if version != access.loaded_version:
            raise RightsChangedError
        target = None
        if deed.target is not None:
            at = found["id"]
            if at is None:
                name = (deed.of or deed.entity).__name__
                raise RefusedError(
                    Problem((deed.named,), "NOT_FOUND", f"There is no {name} with this id that you may see.")
                )
            self._allowed(deed, access, at)
            target = work.keep(at.row)
            if deed.version is not None and deed.version != target.version:
                raise RefusedError(await self._conflicts.find(connection, access, target, deed.version))
        for name in deed.standing:
            at = found[name]
            given.rows[name] = at.row if at is not None else None
        self._refer(work, deed, given, found)
        for name, (entity, paths) in deed.listed.items():
            rows = await self._rows.all_of(connection, access, Want(name, entity), list(paths))
            for id, path in paths.items():
                self._referred(work, Reference(entity, id, path), rows.get(id))
            given.rows[name] = {id: each.row for id, each in rows.items()}
        if deed.together is not None:
            await self._load_together(connection, deed, deed.together, access, given, work)
        if deed.within is not None:
            given.within = await self._load_within(connection, deed.within, access, work)
        return target

    async def _load_together(
        self, connection: Any, deed: Deed, together: Together, access: Access, given: Given, work: Work
    ) -> None:
        want = Want(together.name, deed.entity, together.lock, deed.action)
        rows = await self._rows.all_of(connection, access, want, list(together.paths))
        for id, path in together.paths.items():
            found = rows.get(id)
            self._referred(work, Reference(deed.entity, id, path), found)
            if found is not None:
                self._allowed(deed, access, found)
        given.rows[together.name] = {id: work.keep(each.row) for id, each in rows.items()}

    async def _load_within(self, connection: Any, deed: Deed, access: Access, work: Work) -> Given:
        """What is given for the deed inside another one; its record has been loaded by the outer one."""
        given = replace(deed.given, values=dict(deed.given.values), rows={})
        wants, ids = self._wants(deed, access)
        _, found = await self._rows.one_each(connection, access, wants, ids)
        if (at := found["id"]) is not None:
            self._allowed(deed, access, at)
        self._refer(work, deed, given, found)
        return given

    def _refer(self, work: Work, deed: Deed, given: Given, found: Mapping[str, Found | None]) -> None:
        """Put the records that the input names into ``given``. Of a merged one, the survivor answers for the id: what
        is written is the survivor's."""
        for name, reference in deed.references.items():
            row = given.rows[name] = self._referred(work, reference, found[name])
            if row is not None and f"{name}_id" in given.values:
                given.values[f"{name}_id"] = row.id

    def _wants(self, deed: Deed, access: Access) -> tuple[tuple[Want, ...], dict[str, UUID]]:
        ids = {name: reference.id for name, reference in deed.references.items()}
        wants = [Want(name, reference.entity) for name, reference in deed.references.items()]
        if deed.target is not None and deed.of is not None:
            ids["id"] = deed.target
            wants.insert(0, Want("id", deed.of, deed.lock))
        elif deed.target is not None:
            ids["id"] = deed.target
            asked = tuple(
                name
                for name in self._fields(deed)
                if (rule := access.rights.writing(deed.entity, deed.action, name)).access is not rule.otherwise
            )
            wants.insert(0, Want("id", deed.entity, deed.lock, deed.action, asked, deed.include_deleted))
        for name, entity in deed.standing.items():
            assert entity.only is not None, f"{entity.__name__} may have more rows than one"
            ids[name] = entity.only
            wants.append(Want(name, entity, standing=True))
        return tuple(wants), ids

    def _allowed(self, deed: Deed, access: Access, at: Found) -> None:
        if not at.allowed:
            raise forbidden(access, deed.action, deed.entity, record=at.row)
        for name, writable in at.writable.items():
            if not writable:
                raise forbidden(access, deed.action, deed.entity, name, record=at.row)

    def _referred(self, work: Work, reference: Reference, found: Found | None) -> Any:
        if found is None:
            missing_reference(work, reference)
            return None
        return found.row

    async def _made(self, connection: Any, deed: Deed, access: Access, record: Any) -> None:
        """Refuse a new record that lies outside the rows in which the right to create holds."""
        scope = access.rights.rows(deed.entity, deed.action)
        parent = deed.entity.parent
        if scope is RowScope.ALL:
            return
        if parent is not None and deed.entity.__name__ in FOLLOWERS:
            seen = access.rights.rows(deed.references[parent].entity) if parent in deed.references else RowScope.ALL
            if WIDTH[scope] >= WIDTH[seen]:
                return
        if not await self._covers(connection, access, deed.action, record):
            raise forbidden(access, deed.action, deed.entity, record=record)

    async def _covers(self, connection: Any, access: Access, action: str, record: Any) -> bool:
        """Whether the right to ``action`` covers a record as it is now."""
        entity = type(record)
        if access.rights.rows(entity, action) is RowScope.ALL:
            return True
        return await self._rows.covers(connection, access, entity, action, record.id)


def forbidden(
    access: Access, action: str, entity: type[Row], field: str | None = None, record: Any = None
) -> ForbiddenError:
    """The refusal that names the right that is missing, and the record where it is missing for this one only."""
    subject = entity.__name__ if field is None else f"{entity.__name__}.{field}"
    details: dict[str, Any] = {"entity": entity.__name__, "action": action}
    if field is not None:
        details["field"] = field
    if record is None:
        return ForbiddenError(f"The role {access.role_name} has no right to {action} {subject}.", **details)
    details["id"] = print_id(entity.prefix, record.id)
    rule = access.rights.writing(entity, action, field) if field is not None else None
    rows = str(rule.on_rows if rule else access.rights.rows(entity, action)).lower()
    return ForbiddenError(
        f"The role {access.role_name} has no right to {action} {subject} here: it covers {rows} rows only.", **details
    )


_TAKEN = {
    "uq_customers_code": "code",
    "uq_products_sku": "sku",
    "uq_stages_name": "name",
    "uq_external_refs_live": "external_refs",
    "uq_users_email_lower": "email",
    "uq_teams_name": "name",
    "uq_roles_name": "name",
}


def _taken(deed: Deed, error: asyncpg.UniqueViolationError) -> Exception:
    """What a value means that another record has: a problem of the one who gave it; a reason to start again, if it is
    a number of the server's own that somebody had given by hand before."""
    attribute = _TAKEN.get(str(error.constraint_name))
    if attribute is None:
        return cast(Exception, error)
    if deed.within is not None and attribute in deed.within.given.values:
        deed = deed.within
    if deed.action == "restore" or (deed.target is not None and attribute not in deed.given.values):
        name = field_name(attribute)
        said = f"The {name} of this {deed.entity.__name__} is taken by now: change that of the live one first."
        return RefusedError(Problem(("id",), "UNIQUE", said, params={"field": name}))
    if attribute not in deed.given.values:
        return NumberTakenError()
    name = deed.given.at(attribute)[-1]
    said = f"{name} is taken: another {deed.entity.__name__} has it."
    return RefusedError(Problem(deed.given.at(attribute), "UNIQUE", said))


def written(attribute: str) -> str:
    """The field of the API that a given attribute writes: ``owner`` for ``owner_id``."""
    return field_name(attribute.removesuffix("_id"))


def missing_reference(work: Work, reference: Reference) -> None:
    """Note that an input names a record that is not there for the caller."""
    name, id = reference.entity.__name__, print_id(reference.entity.prefix, reference.id)
    work.problems.add(reference.path, "NOT_FOUND", f"There is no {name} with the id {id} that you may see.")
