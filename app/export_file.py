"""Exporting to a file, for the command line."""

import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO
from uuid import UUID

import asyncpg

from app.db.ids import new_id
from app.db.writers import open_writers
from app.domain.problems import RefusedError
from app.errors import ApiError, ForbiddenError
from app.exporting.writers import CsvWriter, ExportFormat, JsonlWriter, Writer
from app.exporting.xlsx import UnfitError, XlsxFile
from app.mistakes import UserMistakeError
from app.models.enums import AuditOutcome
from app.settings import Settings
from auth.access import ENTITY_CLASSES, Access
from auth.audit import Origin
from auth.audit_log import AuditLog
from auth.exporting import OPERATOR, Export, Exporter, Prepared, exported, operator_access
from auth.loading import AccessCache
from auth.principal import Principal
from schema.exporting import EXPORTED, export_of
from schema.schema import build_schema


class ExportRefusedError(UserMistakeError):
    """An export that is not made; the message says why."""


@dataclass(frozen=True, slots=True)
class FileOrder:
    """What is to stand in which file, and as whom it is read; None is whoever works at the machine itself."""

    entity: str
    file: str
    format: ExportFormat
    fields: Sequence[str] | None = None
    where: Any = None
    email: str | None = None
    byte_order_mark: bool = False


async def export_file(url: str, settings: Settings, order: FileOrder) -> int:
    """Write the file, and note it in the audit log: how many records there are in it. ``-`` is standard output."""
    entity = ENTITY_CLASSES.get(order.entity.replace("-", "").title())
    if entity is None or entity.__name__ not in EXPORTED:
        names = ", ".join(name.lower() for name in EXPORTED)
        raise ExportRefusedError(f"{order.entity!r} cannot be exported; these can: {names}.")
    writers = open_writers(url, settings)
    accesses = AccessCache(writers)
    exporter = Exporter.open(url, settings, accesses)
    try:
        schema = build_schema().graphql
        export = export_of(schema, entity, order.format, order.fields, order.where, settings)
        access = await _access(writers, accesses, order.email)
        actor = None if access.user_id == OPERATOR else access.user_id
        origin = Origin(actor, f"cli-{new_id().hex}", user_agent="rapport export")
        audit = AuditLog(writers)
        run = _Run(export, order)
        try:
            await run.write(exporter, access)
        except ForbiddenError as refusal:
            await audit.denied(origin, {"export": refusal})
            raise
        except BaseException:
            if run.rows:
                await audit.write(exported(export, run.prepared, origin, run.rows, AuditOutcome.FAILED))
            raise
        await audit.write(exported(export, run.prepared, origin, run.rows))
        return run.rows
    except ApiError as error:
        raise ExportRefusedError(error.message) from None
    except (RefusedError, UnfitError) as error:
        raise ExportRefusedError(str(error)) from None
    finally:
        await exporter.lanes.close()
        await writers.close()


async def _access(writers: Any, accesses: AccessCache, email: str | None) -> Access:
    if email is None:
        return operator_access()
    found: asyncpg.Record | None = await writers.fetchrow("SELECT id FROM users WHERE lower(email) = lower($1)", email)
    if found is None:
        raise ExportRefusedError(f"There is no user with the email {email}.")
    return await accesses.get(Principal(UUID(bytes=found["id"].bytes)))


class _Run:
    def __init__(self, export: Export, order: FileOrder) -> None:
        self.rows = 0
        self.prepared: Prepared | None = None
        self._export = export
        self._order = order

    async def write(self, exporter: Exporter, access: Access) -> None:
        """Write the file beside its place first, so that there is never a part of one in it."""
        if self._order.file == "-":
            await self._write(exporter, access, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        place = Path(self._order.file)
        part = place.with_name(f".{place.name}.part")
        try:
            with part.open("wb") as file:
                await self._write(exporter, access, file)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)

    async def _write(self, exporter: Exporter, access: Access, file: BinaryIO) -> None:
        writer: Writer | None = None
        book: XlsxFile | None = None
        try:
            async with aclosing(exporter.batches(self._export, access)) as batches:
                async for self.prepared, batch in batches:
                    columns = self.prepared.columns
                    self.rows += len(batch)
                    if self._order.format is ExportFormat.XLSX:
                        book = book or XlsxFile(columns)
                        book.batch(batch)
                        continue
                    if writer is None:
                        csv = self._order.format is ExportFormat.CSV
                        writer = CsvWriter(columns, bom=self._order.byte_order_mark) if csv else JsonlWriter()
                        file.write(writer.begin())
                    file.write(writer.batch(batch))
            if book is not None:
                with book.finish().open("rb") as made:
                    copyfileobj(made, file)
        finally:
            if book is not None:
                book.discard()
