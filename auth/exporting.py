"""Exports: the records that a caller may both see and export, a batch at a time, as it sees them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from app.db.lanes import Lanes
from app.errors import ForbiddenError
from app.exporting.cells import Column
from app.exporting.writers import ExportFormat
from app.models.base import Row, utcnow
from app.models.enums import AuditOutcome, RowScope
from app.reading.binding import Statement
from app.reading.each import compile_each
from app.reading.read import EVERYTHING, Filter, Read
from app.reading.shop import ShopFacts
from app.settings import Settings
from auth.access import ENTITY_CLASSES, Access, Granted, Rights, RightsChangedError
from auth.audit import Event, Origin, event
from auth.authorize import authorize
from auth.builtin import listed_fields
from auth.export_fields import chosen, default_names
from auth.gate import forbidden
from auth.loading import AccessCache
from auth.policy import POLICY
from auth.principal import Principal
from auth.rows import RowLoader
from auth.scopes import in_scope

BATCH = 500
_EXPORT = "export"
_ATTEMPTS = 5
_STALLED_MS = 300_000
OPERATOR = UUID(int=0)
"""Whoever works at the machine itself, and is no user."""


@dataclass(frozen=True, slots=True)
class Export:
    """What is asked for: records of ``entity`` that ``where`` selects, and of each the ``names``, or all of its own."""

    entity: type[Row]
    format: ExportFormat
    shop: ShopFacts
    names: Sequence[str] | None = None
    where: Filter = EVERYTHING
    variables: Mapping[str, Any] = field(default_factory=dict)
    said: Any = None
    """The filter as it was given, for the audit log."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An export that these rights allow: its statement and its columns."""

    statement: Statement
    columns: tuple[Column, ...]
    access: Access


def prepare(export: Export, access: Access) -> Prepared:
    """Check everything. ForbiddenError names the right that is missing, RefusedError the fields that will not do."""
    scope = access.rights.rows(export.entity, _EXPORT)
    if scope is RowScope.NONE:
        raise forbidden(access, _EXPORT, export.entity)
    names = default_names(export.entity, access) if export.names is None else export.names
    fields, columns = chosen(export.entity, names)
    authorized = authorize(Read(export.entity, fields, where=export.where), access)
    statement = compile_each(authorized, export.shop, lambda row: in_scope(export.entity, row, scope, "row"))
    # What cannot be bound is refused now, not when the file has begun.
    statement.arguments(export.variables, access.arguments)
    return Prepared(statement, columns, access)


class Exporter:
    """Reads exports, on connections of its own: each is held for as long as its reader takes."""

    def __init__(self, lanes: Lanes, accesses: AccessCache) -> None:
        self.lanes = lanes
        self._accesses = accesses
        self._rows = RowLoader()

    @classmethod
    def open(cls, url: str, settings: Settings, accesses: AccessCache) -> "Exporter":
        """An exporter from the database of ``url``."""

        async def connect() -> asyncpg.Connection:
            connection = await asyncpg.connect(
                url,
                server_settings={
                    "application_name": "rapport export",
                    "default_transaction_read_only": "on",
                    "default_transaction_isolation": "repeatable read",
                    "statement_timeout": str(settings.write_timeout_ms),
                    "idle_in_transaction_session_timeout": str(_STALLED_MS),
                    "jit": "off",
                    "TimeZone": "UTC",
                    "max_parallel_workers_per_gather": "0",
                },
            )
            await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
            return connection

        return cls(Lanes(connect, settings.export_pool), accesses)

    async def batches(self, export: Export, access: Access) -> AsyncGenerator[tuple[Prepared, list[bytes]], None]:
        """The records as JSON, in batches, all of one moment; first an empty one, which shows that it is allowed.

        The rights are those of that moment: where they differ from those of ``access``, it is prepared anew.
        """
        for _ in range(_ATTEMPTS):
            prepared = await self._prepared(export, access)
            try:
                async with aclosing(self._fetched(prepared, export)) as found:
                    async for batch in found:
                        yield prepared, batch
            except RightsChangedError:
                access = await self._accesses.reload(access.principal)
            else:
                return
        raise OverflowError("Rights changed again and again while an export was begun.")

    async def _prepared(self, export: Export, access: Access) -> Prepared:
        try:
            return prepare(export, access)
        except ForbiddenError:
            if access.user_id == OPERATOR:
                raise
            # The refusal may rest on rights that have grown since they were loaded.
            return prepare(export, await self._accesses.reload(access.principal))

    async def _fetched(self, prepared: Prepared, export: Export) -> AsyncGenerator[list[bytes], None]:
        access = prepared.access
        async with self.lanes.transaction() as connection:
            if access.user_id != OPERATOR:
                version, _ = await self._rows.one_each(connection, access, (), {})
                if version != access.loaded_version:
                    raise RightsChangedError
            yield []
            arguments = prepared.statement.arguments(export.variables, access.arguments)
            cursor = await connection.cursor(prepared.statement.sql, *arguments)
            while records := await cursor.fetch(BATCH):
                yield [record[0] for record in records]


def exported(
    export: Export, prepared: Prepared | None, origin: Origin, rows: int, outcome: AuditOutcome = AuditOutcome.OK
) -> Event:
    """The event that ``rows`` records went out; FAILED where they were not all."""
    told = {
        "filter": export.said,
        "fields": [column.name for column in prepared.columns] if prepared else export.names,
        "format": export.format.value,
        "rows": rows,
    }
    changes = {name: {"before": None, "after": value} for name, value in told.items()}
    return event(origin, utcnow(), _EXPORT, entity=export.entity.__name__, changes=changes, outcome=outcome)


def operator_access() -> Access:
    """The rights of whoever works at the machine itself: all."""
    grants = {
        entity: {
            action: Granted(rule.rows, dict(listed_fields(entity, action, rule))) for action, rule in actions.items()
        }
        for entity, actions in POLICY["ADMIN"].grants.items()
        if entity in ENTITY_CLASSES
    }
    return Access(Principal(OPERATOR), OPERATOR, "operator", None, "", Rights(grants))
