"""Stale writes: what has changed in a record since the caller saw it."""

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import Uuid, or_, select
from sqlalchemy.orm import aliased

from app.db.ids import print_id
from app.domain.problems import Problem
from app.reading.binding import Binder, compile_statement
from app.reading.compile import compile_read
from app.reading.cursors import CursorKeys
from app.reading.read import Field, Leaf, MoneyField, Operand, Read, ToMany, ToOne
from app.reading.relations import currency_of
from auth.access import Access, attribute_name
from auth.authorize import authorize
from auth.policy import ENTITIES

_SINCE = """
    SELECT DISTINCT jsonb_object_keys(hashes) AS field FROM audit_events
    WHERE record_id = $1 AND record_version > $2
"""
_UNUSED = CursorKeys("no list is read here")


async def conflict(connection: Any, access: Access, record: Any, seen: int) -> Problem:
    """The problem that ``record`` is not the version that was seen: its changed fields, and their present values as
    far as the caller may read them."""
    entity = type(record)
    since = {row["field"] for row in await connection.fetch(_SINCE, record.id, seen)}
    names = [name for name in ENTITIES[entity.__name__] if name in since]
    fields = {name: field for name in names if (field := _read(access, entity, name))}
    for name in await _closed(connection, access, record, fields):
        del fields[name]
    current = None
    if fields:
        read = Read(
            entity,
            fields=tuple(fields.values()),
            id=Operand(_itself, None, record.id),
            include_deleted=_restores(access, entity),
        )
        statement = compile_read(authorize(read, access), _UNUSED)
        _, data = await connection.fetchrow(statement.sql, *statement.arguments({}, access.arguments))
        current = orjson.loads(data) if data else None
    since_then = f"; since then, {', '.join(fields)} changed" if fields else ""
    return Problem(
        tuple(fields) or ("version",),
        "CONFLICT",
        f"This {entity.__name__} is at version {record.version}, not {seen}{since_then}. Look at it as it is now, and"
        " send your change again with the present version.",
        ids=(print_id(entity.prefix, record.id),),
        current=current,
        params={"version": record.version},
    )


async def _closed(connection: Any, access: Access, record: Any, names: Iterable[str]) -> list[str]:
    """Those of the fields of which the caller sees nothing on this very row: that they changed is not told either."""
    entity = type(record)
    row: Any = aliased(entity, name="#r")
    open_here = {}
    for name in names:
        treatment = access.treatment(entity, attribute_name(name), row)
        if treatment.readable is not True and treatment.masked is not True:
            parts = [part for part in (treatment.readable, treatment.masked) if not isinstance(part, bool)]
            open_here[name] = or_(*parts)
    if not open_here:
        return []
    binder = Binder()
    at = row.id == binder.bind(Operand(_itself, None, record.id), Uuid())
    query = select(*(condition.label(f"#{name}") for name, condition in open_here.items())).where(at)
    statement = compile_statement(query, binder)
    seen = await connection.fetchrow(statement.sql, *statement.arguments({}, access.arguments))
    return [name for name, is_open in zip(open_here, seen, strict=True) if not is_open]


def _restores(access: Access, entity: Any) -> bool:
    return hasattr(entity, "deleted_at") and "restore" in access.rights.grants.get(entity.__name__, {})


def _read(access: Access, entity: Any, name: str) -> Field | None:
    """How the field is read; None where the caller may not."""
    attribute = attribute_name(name)
    if access.rights.hidden(entity, attribute):
        return None
    if currency_of(entity, attribute):
        if not access.rights.readable_somewhere(entity, attribute):
            return None
        return MoneyField(name, attribute, (("amount", "amount"), ("currency", "currency")))
    relations = entity.__mapper__.relationships
    if attribute not in relations:
        return Leaf(name, attribute)
    target = relations[attribute].mapper.class_
    if name == "externalRefs":
        return ToMany(name, attribute, Read(target, fields=(Leaf("system", "system"), Leaf("id", "external_id"))))
    if relations[attribute].uselist or not access.rights.may_see(target):
        return None
    return ToOne(name, attribute, Read(target, fields=(Leaf("id", "id"),)))


def _itself(value: Any) -> Any:
    return value
