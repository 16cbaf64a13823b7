"""Flush: everything that a unit of work has done, in one statement.

Each table's rows come as one JSON array, so that the statement's text depends on tables and columns alone: it is
prepared once, and one row and a thousand go the same way.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import inspect

from app.domain.rows import columns, table_of, written_by_database
from app.domain.work import Alike, Change, Work
from app.models.base import Record, Row, Versioned
from auth.audit import Event, Origin, Same, changed, changed_values, created, event, same_events
from auth.policy import ENTITIES

_OWN = {
    "id": "uuid",
    "action": "text",
    "entity": "text",
    "record_id": "uuid",
    "record_version": "integer",
    "changes": "jsonb",
    "salts": "jsonb",
    "hashes": "jsonb",
}
"""The columns of an audit event in which the events of one deed differ, and their types."""
_SHARED = {
    "at": "timestamptz",
    "actor_id": "uuid",
    "token_id": "uuid",
    "impersonator_id": "uuid",
    "outcome": "text",
    "ip": "text",
    "user_agent": "text",
    "request_id": "text",
}
"""Those in which they are alike."""
_POSTED = {
    "event_id": "id",
    **{name: name for name in ("at", "action", "entity", "record_id", "record_version", "fields")},
}
"""The columns of an outbox event, and what they hold of the audit event."""


class _Flush:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.arguments: list[Any] = []

    def _rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> str:
        self.arguments.append(orjson.dumps(rows, default=_exact))
        return f"json_populate_recordset(NULL::{table}, ${len(self.arguments)}::json)"

    def insert(self, table: str, names: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> None:
        listed = ", ".join(names)
        self.parts.append(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {self._rows(table, rows)}")  # noqa: S608

    def update(self, table: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        values = ", ".join(f"{name} = n.{name}" for name in names)
        self.parts.append(f"UPDATE {table} t SET {values} FROM {self._rows(table, rows)} n WHERE t.id = n.id")  # noqa: S608

    def delete(self, table: str, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        same = " AND ".join(f"t.{key} = n.{key}" for key in keys)
        self.parts.append(f"DELETE FROM {table} t USING {self._rows(table, rows)} n WHERE {same}")  # noqa: S608

    def update_alike(self, change: Alike, told: Same, now: datetime) -> None:
        """Change many rows in the same way, with an event for each."""
        entity, table, changed_part = change.entity, table_of(change.entity), f"p{len(self.parts)}"
        own = (dict(zip(("event_id", "salts", "hashes"), each, strict=True)) for each in told.own)
        rows = [{"id": id, **each} for id, each in zip(change.ids, own, strict=True)]
        self.arguments += [orjson.dumps(rows, default=_exact), now]
        listed, at = f"${len(self.arguments) - 1}::json", f"${len(self.arguments)}::timestamptz"
        stamps = [("version", "t.version + 1")] if issubclass(entity, Versioned) else []
        stamps += [("updated_at", at)] if issubclass(entity, Record) else []
        values = ", ".join(f"{name} = {value}" for name, value in [*((n, f"a.{n}") for n in change.after), *stamps])
        self.parts.append(
            f"UPDATE {table} t SET {values} FROM {self._rows(table, [change.after])} a,"  # noqa: S608
            f" json_to_recordset({listed}) AS n (id uuid, event_id uuid, salts jsonb, hashes jsonb) WHERE t.id = n.id"
            " RETURNING t.id AS record_id, t.version AS record_version, n.event_id, n.salts, n.hashes"
        )
        each = {name: name for name in ("record_id", "record_version", "salts", "hashes")}
        self._copy("audit_events", told.shared, {"id": "event_id", **each}, changed_part)
        each = {name: name for name in ("event_id", "record_id", "record_version")}
        posted = {name: value for name, value in _posted(told.shared).items() if name not in each}
        self._copy("outbox", posted, each, changed_part)

    def tell(self, events: Sequence[Event]) -> None:
        """Insert events of one deed into the audit log, and those about a record into the outbox, too. What they have
        of their own comes once for both; who acts, when and from where is the same for all."""
        rows = [
            {**{name: each.columns[name] for name in _OWN}, "fields": sorted(each.columns["changes"] or ())}
            for each in events
        ]
        self.arguments.append(orjson.dumps(rows, default=_exact))
        given, own = f"convert_from(${len(self.arguments)}, 'UTF8')::jsonb", f"p{len(self.parts)}"
        listed = ", ".join(f"{name} {kind}" for name, kind in _OWN.items())
        self.parts.append(f"SELECT * FROM jsonb_to_recordset({given}) AS n ({listed}, fields text[])")  # noqa: S608
        shared = {}
        for name, kind in _SHARED.items():
            self.arguments.append(events[0].columns[name])
            shared[name] = f"${len(self.arguments)}::{kind}"
        names, values = ", ".join((*_OWN, *shared)), ", ".join((*_OWN, *shared.values()))
        self.parts.append(f"INSERT INTO audit_events ({names}) SELECT {values} FROM {own}")  # noqa: S608
        named = ", ".join(_POSTED)
        posted = ", ".join(shared.get(name, name) for name in _POSTED.values())
        self.parts.append(f"INSERT INTO outbox ({named}) SELECT {posted} FROM {own} WHERE record_id IS NOT NULL")  # noqa: S608

    def _copy(self, table: str, shared: Mapping[str, Any], own: Mapping[str, str], of: str) -> None:
        """Insert a row for each row of the part ``of``: columns of its own, and those that all share."""
        names = ", ".join([*own, *shared])
        values = ", ".join([*(f"o.{name}" for name in own.values()), *(f"s.{name}" for name in shared)])
        rows = self._rows(table, [shared])
        self.parts.append(f"INSERT INTO {table} ({names}) SELECT {values} FROM {of} o, {rows} s")  # noqa: S608

    @property
    def sql(self) -> str:
        """One statement; data-modifying parts all run, whether or not anything reads from them."""
        named = ", ".join(f"p{number} AS ({part})" for number, part in enumerate(self.parts))
        return f"WITH {named} SELECT"


async def flush(connection: Any, work: Work, origin: Origin, action: str, subject: Any) -> list[Event]:
    """Write what ``work`` has done, with one audit event and one outbox event for each record that it changed.

    ``subject`` is the record that ``action`` was about: its event takes up what the work has told besides. Without one,
    ``action`` was about all records that it changed. Where nothing is different from before, nothing is written.
    """
    sql, arguments, events = _statement([(work, subject)], origin, action)
    if events:
        await connection.fetch(sql, *arguments)
    return events


class Writing:
    """Writes units of work by the hundred: while PostgreSQL writes some, the next are worked out.

    It is also the connection that their rules ask, which waits for what is being written. What they have asked once is
    known: a thousand deals ask for the same few stages. So a rule that is to be followed for many rows asks of nothing
    that it changes in another row: of stages, which no bulk change touches, or of what belongs to its own row. What is
    found for two rows alike is known to ``Unique`` and to the eyes.
    """

    def __init__(self, connection: Any, origin: Origin, action: str) -> None:
        self._connection = connection
        self._origin = origin
        self._action = action
        self._sent: asyncio.Future[Any] | None = None
        self._known: dict[Any, list[Any]] = {}

    async def __aenter__(self) -> "Writing":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self._settle()
        elif self._sent is not None:
            # The connection is free again only when this has ended, however it does.
            await asyncio.wait([self._sent])
            self._sent.cancelled() or self._sent.exception()

    async def write(self, done: Sequence[tuple[Work, Any]]) -> None:
        """Write some units of work, each with its subject, as ``flush`` does. They may still be under way then."""
        sql, arguments, events = _statement(done, self._origin, self._action)
        if events:
            await self._settle()
            self._sent = asyncio.ensure_future(self._connection.fetch(sql, *arguments))
            # It is sent now, not when this task waits next.
            await asyncio.sleep(0)

    async def _settle(self) -> None:
        sent, self._sent = self._sent, None
        if sent is not None:
            await sent

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """The rows of a statement of a rule, which reads."""
        key = (query, tuple(tuple(each) if isinstance(each, list) else each for each in args))
        found = self._known.get(key)
        if found is None:
            await self._settle()
            found = self._known[key] = await self._connection.fetch(query, *args)
        return found


def _statement(done: Sequence[tuple[Work, Any]], origin: Origin, action: str) -> tuple[str, Sequence[Any], list[Event]]:
    removed: list[Any] = []
    added: list[Any] = []
    changes: list[Change] = []
    alike: list[Alike] = []
    events: list[Event] = []
    for work, subject in done:
        own = work.changes()
        told = _events(work, own, origin, action, subject)
        if told:
            removed += work.removed
            added += work.added
            changes += own
            events += told
            alike += work.alike
    if not events:
        return "", (), []
    now = done[0][0].now
    found = _Flush()
    for entity, rows in _by_entity(removed).items():
        keys = [column.key for column in inspect(entity).primary_key]
        found.delete(table_of(entity), keys, [_picked(row, keys) for row in rows])
    for (entity, names), rows in _by_columns(added).items():
        found.insert(table_of(entity), names, [_picked(row, names) for row in rows])
    updates: dict[tuple[type[Row], tuple[str, ...]], list[Any]] = {}
    for change in changes:
        stamped = _stamp(change.row, now)
        kind: type[Row] = type(change.row)
        ours = {*written_by_database(kind), *stamped}
        names = (*(name for name in change.before if name not in ours), *stamped)
        updates.setdefault((kind, names), []).append(change.row)
    for (entity, names), rows in updates.items():
        found.update(table_of(entity), names, [_picked(row, ("id", *names)) for row in rows])
    for many in alike:
        about = "update" if done[0][1] is not None else action
        changed_alike = changed_values(many.entity, many.before, many.after)
        found.update_alike(many, same_events(origin, now, about, many.entity, changed_alike, len(many.ids)), now)
    found.tell(events)
    return found.sql, found.arguments, events


def _events(work: Work, changes: Sequence[Any], origin: Origin, action: str, subject: Any) -> list[Event]:
    found: list[Event] = []

    def add(row: Any, about: str, told: Any, version: int | None) -> None:
        name = type(row).__name__
        if (noted := work.noted().get(id(row))) is not None:
            about, told = noted[1], {**told, **noted[2]}
        found.append(event(origin, work.now, about, entity=name, record_id=row.id, version=version, changes=told))

    for row in work.added:
        if row is subject:
            add(row, action, {**created(row), **work.told}, getattr(row, "version", None))
        elif isinstance(row, Versioned) and type(row).__name__ in ENTITIES:
            add(row, "create", created(row), row.version)
    for change in changes:
        row = change.row
        if row is not subject and type(row).__name__ not in ENTITIES:
            continue
        version = row.version + 1 if isinstance(row, Versioned) else None
        if row is subject:
            add(row, action, {**changed(row, change.before), **work.told}, version)
        elif isinstance(row, Versioned):
            add(row, "update" if subject is not None else action, changed(row, change.before), version)
    covered = {each.columns["record_id"] for each in found}
    if subject is not None and subject.id not in covered and (work.told or work.added or work.removed or found):
        add(subject, action, dict(work.told), getattr(subject, "version", None))
        covered.add(subject.id)
    if subject is None and work.about is not None:
        found.append(event(origin, work.now, action, entity=work.about, changes=dict(work.told)))
    for row, about, _ in work.noted().values():
        if row.id not in covered:
            add(row, about, {}, getattr(row, "version", None))
    return found


def _stamp(row: Any, now: datetime) -> tuple[str, ...]:
    """Raise the version of a changed row, and note when it was. No session of the ORM watches it."""
    stamped: tuple[str, ...] = ()
    here = row.__dict__
    if isinstance(row, Versioned):
        here["version"] += 1
        stamped = ("version",)
    if isinstance(row, Record):
        here["updated_at"] = now
        stamped += ("updated_at",)
    return stamped


@cache
def _insertable(entity: type[Row]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns that are ours to write; and those that the database fills in where a row has no value."""
    ours, theirs = columns(entity), written_by_database(entity)
    defaults = {column.key for column in inspect(entity).columns if column.server_default is not None}
    names = tuple(name for name in ours if name not in theirs)
    return names, tuple(name for name in names if name in defaults)


def _by_columns(rows: Iterable[Any]) -> dict[tuple[type[Row], tuple[str, ...]], list[Any]]:
    """New rows by entity and columns to insert: what the database is to fill in is left out."""
    found: dict[tuple[type[Row], tuple[str, ...]], list[Any]] = {}
    for row in rows:
        entity: type[Row] = type(row)
        names, defaults = _insertable(entity)
        here = row.__dict__
        unsaid = [name for name in defaults if here[name] is None]
        if unsaid:
            names = tuple(name for name in names if name not in unsaid)
        found.setdefault((entity, names), []).append(row)
    return found


def _by_entity(rows: Iterable[Any]) -> dict[type[Row], list[Any]]:
    found: dict[type[Row], list[Any]] = {}
    for row in rows:
        found.setdefault(type(row), []).append(row)
    return found


def _picked(row: Any, names: Iterable[str]) -> dict[str, Any]:
    here = row.__dict__
    return {name: here[name] for name in names}


def _posted(told: Mapping[str, Any]) -> dict[str, Any]:
    said = {**told, "fields": sorted(told["changes"] or ())}
    return {name: said.get(source) for name, source in _POSTED.items()}


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal | UUID):
        # asyncpg's UUIDs are a subclass, which orjson does not take for one.
        return str(value)
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)} microseconds"
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(f"{type(value).__name__} has no place in a row")
