"""Stale writes: what has changed in a record since the caller saw it."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import Uuid, or_, select

from app.db.ids import print_id
from app.domain.problems import Problem
from app.models.enums import FieldAccess
from app.reading.aliases import alias, one_statement
from app.reading.binding import Binder, Statement, compile_statement
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
_KEPT = 500


def _itself(value: Any) -> Any:
    return value


_ID = Operand(_itself, ("id",))


class Conflicts:
    """Finds what is in conflict, and keeps its statements: those who write to one record at once ask the same."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Statement] = OrderedDict()

    async def find(self, connection: Any, access: Access, record: Any, seen: int) -> Problem:
        """The problem that ``record`` is not the version that was seen: its changed fields, and their present values
        as far as the caller may read them."""
        entity = type(record)
        since = {row["field"] for row in await connection.fetch(_SINCE, record.id, seen)}
        names = [name for name in ENTITIES[entity.__name__] if name in since]
        fields = {name: field for name in names if (field := _read(access, entity, name))}
        for name in await self._closed(connection, access, record, fields):
            del fields[name]
        current = None
        if fields:
            key = ("read", entity, *fields, access.fingerprint)
            statement = self._kept.get(key) or self._keep(key, _present(access, entity, tuple(fields.values())))
            _, data = await connection.fetchrow(statement.sql, *_arguments(statement, access, record))
            current = orjson.loads(data) if data else None
        since_then = f"; since then, {', '.join(fields)} changed" if fields else ""
        return Problem(
            tuple(fields) or ("version",),
            "CONFLICT",
            f"This {entity.__name__} is at version {record.version}, not {seen}{since_then}. Look at it as it is now,"
            " and send your change again with the present version.",
            ids=(print_id(entity.prefix, record.id),),
            current=current,
            params={"version": record.version},
        )

    async def _closed(self, connection: Any, access: Access, record: Any, names: Iterable[str]) -> list[str]:
        """Those of the fields of which the caller sees nothing on this very row: that they changed is not told
        either."""
        entity = type(record)
        doubtful = [name for name in names if _may_be_closed(access, entity, name)]
        if not doubtful:
            return []
        key = ("closed", entity, *doubtful, access.fingerprint)
        statement = self._kept.get(key) or self._keep(key, _open_fields(access, entity, doubtful))
        seen = await connection.fetchrow(statement.sql, *_arguments(statement, access, record))
        return [name for name, is_open in zip(doubtful, seen, strict=True) if not is_open]

    def _keep(self, key: Any, statement: Statement) -> Statement:
        self._kept[key] = statement
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return statement


def _arguments(statement: Statement, access: Access, record: Any) -> list[Any]:
    return statement.arguments({"id": record.id}, access.arguments)


def _present(access: Access, entity: Any, fields: tuple[Field, ...]) -> Statement:
    """The fields of one row, as the caller reads them."""
    read = Read(entity, fields=fields, id=_ID, include_deleted=_restores(access, entity))
    return compile_read(authorize(read, access), _UNUSED)


@one_statement
def _open_fields(access: Access, entity: Any, names: Iterable[str]) -> Statement:
    """Of each of the fields, whether the caller sees anything on one row."""
    row: Any = alias(entity, "#r")
    binder = Binder()
    shown = []
    for name in names:
        treatment = access.treatment(entity, attribute_name(name), row)
        parts = [part for part in (treatment.readable, treatment.masked) if not isinstance(part, bool)]
        shown.append(or_(*parts).label(f"#{name}"))
    return compile_statement(select(*shown).where(row.id == binder.bind(_ID, Uuid())), binder)


def _may_be_closed(access: Access, entity: Any, name: str) -> bool:
    rules = access.rights.rules(entity, attribute_name(name))
    return any(FieldAccess.HIDDEN in (rule.access, rule.otherwise) for rule in rules)


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
