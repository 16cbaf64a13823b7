"""Rows for writing: loaded through the caller's sight, locked, and each with whether the caller may do what it wants.

All single rows that a mutation names come by one statement, together with the present version of the caller's rights.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, and_, literal_column, select, true

from app.domain.rows import columns, loaded
from app.models.base import Row
from app.models.enums import FieldAccess
from app.reading.aliases import alias, one_statement
from app.reading.binding import Binder, Statement, compile_statement
from app.reading.correlation import survivor
from app.reading.read import Operand
from auth.access import Access
from auth.scopes import in_scope

Lock = Literal["KEY SHARE", "NO KEY UPDATE", "UPDATE"]
_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Want:
    """One row that a mutation names under ``name``.

    A row that is only referred to is held in place (KEY SHARE), so that it cannot be deleted or merged meanwhile; one
    to be changed is locked against other changes, one to be deleted or merged against references as well. ``fields``
    are those of the API about which the row itself decides whether ``action`` may write them. A ``standing`` row is one
    that the rule needs to know: it is read as it is, whoever may see it, and not held. Where the right needs another
    action as well, as writing many at once does, that is ``also``.
    """

    name: str
    entity: type[Row]
    lock: Lock = "KEY SHARE"
    action: str | None = None
    fields: tuple[str, ...] = ()
    include_deleted: bool = False
    standing: bool = False
    also: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A row that the caller sees: whether the action covers it, and which of the fields asked about it may write."""

    row: Any
    allowed: bool
    writable: Mapping[str, bool] = field(default_factory=dict)


class RowLoader:
    """Makes the statements that load rows, and keeps those in use."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Statement] = OrderedDict()

    async def one_each(
        self, connection: Any, access: Access, wants: Sequence[Want], ids: Mapping[str, UUID]
    ) -> tuple[str | None, dict[str, Found | None]]:
        """The present access version, and the row of each want that the caller sees."""
        key = (tuple(wants), access.fingerprint)
        statement = self._kept.get(key) or self._keep(key, _single(access, wants))
        (record,) = await connection.fetch(statement.sql, *statement.arguments(ids, access.arguments))
        values = tuple(record)
        found: dict[str, Found | None] = {}
        place = 1
        for want in wants:
            end = place + _width(want)
            found[want.name] = _found(want, values[place:end])
            place = end
        return values[0], found

    async def all_of(self, connection: Any, access: Access, want: Want, ids: Sequence[UUID]) -> dict[UUID, Found]:
        """Those of the rows that the caller sees, by id. They are locked in the order of their ids."""
        key = (want, "all", access.fingerprint)
        statement = self._kept.get(key) or self._keep(key, _several(access, want))
        records = await connection.fetch(statement.sql, *statement.arguments({"ids": list(ids)}, access.arguments))
        found = (_found(want, tuple(record)) for record in records)
        return {each.row.id: each for each in found if each is not None}

    async def covers(self, connection: Any, access: Access, entity: type[Row], action: str, id: UUID) -> bool:
        """Whether the action covers a row of whatever state."""
        key = (entity, action, access.fingerprint)
        statement = self._kept.get(key) or self._keep(key, _covering(access, entity, action))
        return bool(await connection.fetchval(statement.sql, *statement.arguments({"id": id}, access.arguments)))

    async def covered(
        self, connection: Any, access: Access, entity: type[Row], action: str, ids: Sequence[UUID]
    ) -> set[UUID]:
        """Those of the rows, of whatever state, that the action covers."""
        key = (entity, action, "all", access.fingerprint)
        statement = self._kept.get(key) or self._keep(key, _all_covered(access, entity, action))
        records = await connection.fetch(statement.sql, *statement.arguments({"ids": list(ids)}, access.arguments))
        return {record[0] for record in records}

    def _keep(self, key: Any, statement: Statement) -> Statement:
        self._kept[key] = statement
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return statement


def _width(want: Want) -> int:
    return len(columns(want.entity)) + 1 + len(want.fields)


def _found(want: Want, values: tuple[Any, ...]) -> Found | None:
    own = len(columns(want.entity))
    if values[own] is None:
        return None
    row = loaded(want.entity, values[:own])
    return Found(row, values[own], dict(zip(want.fields, values[own + 1 :], strict=True)))


@one_statement
def _single(access: Access, wants: Sequence[Want]) -> Statement:
    binder = Binder()
    version = select(access.version.label("#version")).subquery("#v")
    source: Any = version
    shown: list[ColumnElement[Any]] = [version.c["#version"]]
    for number, want in enumerate(wants):
        row: Any = alias(want.entity, f"#r{number}")
        at = binder.bind(Operand(_itself, (want.name,)), Uuid())
        found = _query(access, want, row, row.id == survivor(want.entity, at)).lateral(f"#w{number}")
        source = source.outerjoin(found, true())
        shown += list(found.c)
    return compile_statement(select(*shown).select_from(source), binder)


@one_statement
def _several(access: Access, want: Want) -> Statement:
    binder = Binder()
    row: Any = alias(want.entity, "#r")
    ids = binder.bind(Operand(_itself, ("ids",)), ARRAY(Uuid()))
    found = _query(access, want, row, row.id == ids.any_()).order_by(row.id)
    return compile_statement(found, binder)


@one_statement
def _covering(access: Access, entity: type[Row], action: str) -> Statement:
    binder = Binder()
    row: Any = alias(entity, "#r")
    at = row.id == binder.bind(Operand(_itself, ("id",)), Uuid())
    scope = in_scope(entity, row, access.rights.rows(entity, action), "row")
    return compile_statement(select(_holds(scope)).select_from(row).where(at), binder)


@one_statement
def _all_covered(access: Access, entity: type[Row], action: str) -> Statement:
    binder = Binder()
    row: Any = alias(entity, "#r")
    ids = binder.bind(Operand(_itself, ("ids",)), ARRAY(Uuid()))
    conditions = in_scope(entity, row, access.rights.rows(entity, action), "row")
    return compile_statement(select(row.id).select_from(row).where(row.id == ids.any_(), *conditions), binder)


def _query(access: Access, want: Want, row: Any, at: ColumnElement[bool]) -> Select[Any]:
    entity = want.entity
    shown = [getattr(row, name).label(f"#c{place}") for place, name in enumerate(columns(entity))]
    scopes = dict.fromkeys(access.rights.rows(entity, action) for action in (want.action, want.also) if action)
    scope = [condition for each in scopes for condition in in_scope(entity, row, each, "row")]
    shown.append(_holds(scope).label("#allowed"))
    for place, name in enumerate(want.fields):
        rule = access.rights.grants[entity.__name__][want.action or ""].fields[name]
        on = _holds(in_scope(entity, row, rule.on_rows, "row"))
        shown.append((on if rule.access is FieldAccess.READ else on.is_not(True)).label(f"#f{place}"))
    if want.standing:
        return select(*shown).select_from(row).where(at)
    seen = access.rows(entity, row, "row", include_deleted=want.include_deleted)
    query = select(*shown).select_from(row).where(at, *seen)
    return query.with_for_update(of=row, read=want.lock == "KEY SHARE", key_share=want.lock != "UPDATE")


def _holds(conditions: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    # Whose a row without an owner is cannot be said: that is no.
    return and_(*conditions).is_(true()) if conditions else literal_column("true")


def _itself(value: Any) -> Any:
    return value
