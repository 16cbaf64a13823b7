"""Audit events: who did what to which record, with every value before and after, and the hashes that a seal covers.

The hash of a field is SHA-256 over its salt, its name, a zero byte, and [before, after] as JSON with sorted keys. The
salt stands beside the value and goes with it, so that the hash of an erased phone number cannot be guessed.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from app.db.ids import new_id, print_id
from app.models.base import Entity
from app.models.enums import AuditOutcome
from app.reading.relations import currency_of
from auth.access import field_of
from auth.policy import ENTITIES
from auth.principal import Principal

_SALT = 16
_UNSHOWN = {"version", "createdAt", "updatedAt"}

Changes = dict[str, dict[str, Any]]
"""Before and after by field of the API."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts, through what, and from where."""

    actor_id: UUID | None
    request_id: str
    ip: str | None = None
    user_agent: str | None = None
    token_id: UUID | None = None
    impersonator_id: UUID | None = None

    @classmethod
    def of(
        cls, principal: Principal | None, request_id: str, ip: str | None = None, user_agent: str | None = None
    ) -> "Origin":
        """Whoever calls; None is a stranger."""
        if principal is None:
            return cls(None, request_id, ip, user_agent)
        token, impersonator = principal.token_id, principal.impersonator_id
        return cls(principal.user_id, request_id, ip, user_agent, token, impersonator)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is stored, by column."""

    id: UUID
    columns: Mapping[str, Any]


_OWN = ("id", "record_id", "record_version", "salts", "hashes")


@dataclass(frozen=True, slots=True)
class Same:
    """Many events that differ in the record, and in the salts alone: ``own`` has id, salts and hashes of each."""

    shared: Mapping[str, Any]
    own: Sequence[tuple[UUID, dict[str, str], dict[str, str]]]


def event(
    origin: Origin,
    at: datetime,
    action: str,
    *,
    entity: str | None = None,
    record_id: UUID | None = None,
    version: int | None = None,
    changes: Changes | None = None,
    outcome: AuditOutcome = AuditOutcome.OK,
) -> Event:
    """One event of ``origin``."""
    id = new_id()
    salts, hashes = _sealed(changes or {})
    return Event(
        id,
        {
            "id": id,
            "at": at,
            "actor_id": origin.actor_id,
            "token_id": origin.token_id,
            "impersonator_id": origin.impersonator_id,
            "action": action,
            "entity": entity,
            "record_id": record_id,
            "record_version": version,
            "outcome": outcome.value,
            "changes": changes or None,
            "salts": salts or None,
            "hashes": hashes or None,
            "ip": origin.ip,
            "user_agent": (origin.user_agent or "")[:500].replace("\0", "") or None,
            "request_id": origin.request_id,
        },
    )


def same_events(origin: Origin, at: datetime, action: str, entity: type[Entity], changes: Changes, count: int) -> Same:
    """What ``count`` events of records of one entity with the same changes share, and what each has of its own."""
    shared = event(origin, at, action, entity=entity.__name__, changes=changes).columns
    own = [(new_id(), *_sealed(changes)) for _ in range(count)]
    return Same({name: value for name, value in shared.items() if name not in _OWN}, own)


def value_hash(salt: str, field: str, change: Mapping[str, Any]) -> str:
    """The hash of one field of an event, in hexadecimal digits."""
    said = orjson.dumps([change.get("before"), change.get("after")], option=orjson.OPT_SORT_KEYS)
    return sha256(bytes.fromhex(salt) + field.encode() + b"\0" + said).hexdigest()


def _sealed(changes: Changes) -> tuple[dict[str, str], dict[str, str]]:
    random = secrets.token_bytes(_SALT * len(changes)).hex()
    salts = {field: random[2 * _SALT * n : 2 * _SALT * (n + 1)] for n, field in enumerate(changes)}
    return salts, {field: value_hash(salts[field], field, change) for field, change in changes.items()}


def created(row: Entity) -> Changes:
    """The changes of a record that was made: every field that has a value."""
    found = _shown(row, row.__dict__)
    return {field: {"before": None, "after": value} for field, value in found.items() if value not in (None, [])}


def changed(row: Entity, before: Mapping[str, Any]) -> Changes:
    """The changes of a record whose columns ``before`` had these values."""
    return changed_values(type(row), before, row.__dict__)


def changed_values(entity: type[Entity], before: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """The changes of a record of ``entity`` with the values ``new``, whose columns ``before`` had these values."""
    old = {**new, **before}
    shows = {field: show for name in before for field, show in _fields_of(entity, name)}
    pairs = [(field, show(old), show(new)) for field, show in shows.items()]
    return {field: {"before": then, "after": now} for field, then, now in pairs if then != now}


def _shown(row: Entity, values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: show(values) for field, show in _fields(type(row))}


@cache
def _fields(entity: type[Entity]) -> tuple[tuple[str, "Show"], ...]:
    """The fields of the API that columns of ``entity`` stand behind, and how their values are told."""
    return tuple((field, show) for field, show, _ in _columns(entity))


@cache
def _fields_of(entity: type[Entity], column: str) -> tuple[tuple[str, "Show"], ...]:
    """Those of the fields that tell something of one column."""
    return tuple((field, show) for field, show, columns in _columns(entity) if column in columns)


@cache
def _columns(entity: type[Entity]) -> tuple[tuple[str, "Show", tuple[str, ...]], ...]:
    """The same, each with its columns."""
    mapper: Mapper[Any] = inspect(entity)
    references = {
        near.key: (relation.key, relation.mapper.class_.prefix)
        for relation in mapper.relationships
        if relation.direction.name == "MANYTOONE"
        for near, _ in relation.local_remote_pairs or ()
    }
    listed = ENTITIES.get(entity.__name__, ())
    found: list[tuple[str, Show, tuple[str, ...]]] = []
    for column in mapper.columns:
        name = column.key
        relation, prefix = references.get(name, (name, ""))
        field = field_of(entity, relation)
        if (listed and field not in listed) or field in _UNSHOWN or name == "id":
            continue
        if prefix:
            found.append((field, _reference(name, prefix), (name,)))
        elif currency := currency_of(entity, name):
            found.append((field, _money(name, currency), (name, currency)))
        else:
            found.append((field, _value(name), (name,)))
    return tuple(found)


Show = Callable[[Mapping[str, Any]], Any]


def _reference(name: str, prefix: str) -> Show:
    return lambda values: values[name] and print_id(prefix, values[name])


def _money(name: str, currency: str) -> Show:
    def show(values: Mapping[str, Any]) -> Any:
        amount = values[name]
        return None if amount is None else {"amount": str(amount), "currency": values[currency]}

    return show


def _value(name: str) -> Show:
    return lambda values: plain(values[name])


def plain(value: Any) -> Any:
    """A value as JSON tells it: moments in UTC with six digits, amounts as text, all else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    return value
