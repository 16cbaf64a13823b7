"""Downloads of exports: ``GET /exports/…`` as a link says, streamed while the rows are read."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any, TypeVar
from urllib.parse import parse_qs

import orjson
import structlog
from graphql import GraphQLSchema

from app.domain.problems import RefusedError
from app.errors import ApiError, ForbiddenError, RateLimitedError
from app.exporting.writers import CsvWriter, ExportFormat, JsonlWriter, Writer
from app.exporting.xlsx import MEDIA, UnfitError, XlsxFile
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from app.settings import Settings
from auth.access import ENTITY_CLASSES, Access
from auth.audit import Origin
from auth.audit_log import AuditLog
from auth.export_links import Asked, ExportLinks
from auth.exporting import Export, Exporter, Prepared, exported
from auth.loading import AccessCache
from schema.errors import INTERNAL
from schema.exporting import export_of
from schema.hanging_up import Watch
from schema.requests import Headers, HttpError, Receive, Scope, Send

T = TypeVar("T")
_log = structlog.get_logger("rapport.downloads")
_PATIENCE = 60
"""Seconds that a client may take for one part; the snapshot that its export reads keeps old rows alive."""
_PART = 65_536
_RETRY_AFTER = 10
_STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "RATE_LIMITED": 429, "TIMEOUT": 504, INTERNAL: 500}
PREFIX = "/exports/"


class Downloads:
    """The ASGI application under /exports/."""

    def __init__(
        self,
        schema: GraphQLSchema,
        settings: Settings,
        accesses: AccessCache,
        exporter: Exporter,
        links: ExportLinks,
        audit: AuditLog,
    ) -> None:
        self._schema = schema
        self._settings = settings
        self._accesses = accesses
        self._exporter = exporter
        self._links = links
        self._audit = audit
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request_id = scope["exchange"].request_id
        watch = Watch(receive)
        sending = _Sending(send)
        try:
            try:
                await self._answer(scope, sending, request_id)
            except Exception as error:
                if sending.begun:
                    # Too late for a status: the connection is broken off, so that nobody takes a part for the whole.
                    raise
                await sending.refuse(*_refusal(error, request_id))
        except asyncio.CancelledError:
            if not watch.gone:
                raise
        finally:
            watch.stop()

    async def _answer(self, scope: Scope, sending: "_Sending", request_id: str) -> None:
        if scope["method"] != "GET":
            raise HttpError(405, "Exports are fetched with GET.")
        asked = await self._asked(scope)
        if self._running >= self._settings.export_pool:
            said = f"{self._running} exports are under way: try again in {_RETRY_AFTER} seconds."
            raise RateLimitedError(said, retryAfter=_RETRY_AFTER)
        client = scope.get("client")
        agent = Headers(scope["headers"]).text(b"user-agent")
        origin = Origin.of(asked.principal, request_id, client[0] if client else None, agent)
        self._running += 1
        try:
            await self._download(asked, origin, sending)
        except ForbiddenError as refusal:
            await self._audit.denied(origin, {"export": refusal})
            raise
        finally:
            self._running -= 1

    async def _asked(self, scope: Scope) -> Asked:
        given = parse_qs(scope["query_string"].decode("latin-1"))
        id = scope["path"].removeprefix(PREFIX)
        asked = await self._links.follow(id, given.get("expires", [""])[0], given.get("signature", [""])[0])
        if asked is None or asked.entity not in ENTITY_CLASSES:
            raise HttpError(404, "There is no such export, or its link is over: ask for a new one.")
        return asked

    async def _download(self, asked: Asked, origin: Origin, sending: "_Sending") -> None:
        access = await self._accesses.get(asked.principal)
        entity, format = ENTITY_CLASSES[asked.entity], ExportFormat(asked.format)
        export = export_of(self._schema, entity, format, asked.fields, asked.filter, self._settings)
        run = _Run(export, sending)
        try:
            if format is ExportFormat.XLSX:
                await run.xlsx(self._exporter, access)
            else:
                await run.text(self._exporter, access, bom=asked.byte_order_mark)
        except BaseException:
            if sending.begun:
                # What went out is on record, also where the client has hung up.
                told = exported(export, run.prepared, origin, run.rows, AuditOutcome.FAILED)
                await asyncio.shield(self._audit.write(told))
            raise
        # Whoever has the whole of it is on record.
        await self._audit.write(exported(export, run.prepared, origin, run.rows))
        await sending.end()


class _Run:
    """One download: how many rows have gone out so far."""

    def __init__(self, export: Export, sending: "_Sending") -> None:
        self.rows = 0
        self.prepared: Prepared | None = None
        self._export = export
        self._sending = sending
        day = utcnow().date().isoformat()
        self._name = f"{export.entity.__tablename__}-{day}.{export.format.value}"

    async def text(self, exporter: Exporter, access: Access, *, bom: bool) -> None:
        """Send CSV or JSON lines while the rows come."""
        writer: Writer | None = None
        async with aclosing(exporter.batches(self._export, access)) as batches:
            async for self.prepared, batch in batches:
                if writer is None:
                    columns = self.prepared.columns
                    csv = self._export.format is ExportFormat.CSV
                    writer = CsvWriter(columns, bom=bom) if csv else JsonlWriter()
                    await self._sending.begin(writer.media, self._name)
                    await self._sending.part(writer.begin())
                await self._sending.part(writer.batch(batch))
                self.rows += len(batch)

    async def xlsx(self, exporter: Exporter, access: Access) -> None:
        """Write the workbook to the disk, in a thread, and send it then."""
        book: XlsxFile | None = None
        try:
            async with aclosing(exporter.batches(self._export, access)) as batches:
                async for self.prepared, batch in batches:
                    if book is None:
                        book = await _in_thread(XlsxFile, self.prepared.columns)
                    await _in_thread(book.batch, batch)
                    self.rows += len(batch)
            assert book is not None
            path = await _in_thread(book.finish)
            await self._sending.begin(MEDIA, self._name, path.stat().st_size)
            with path.open("rb") as file:
                while part := file.read(_PART):
                    await self._sending.part(part)
        finally:
            if book is not None:
                await _in_thread(book.discard)


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Do ``work`` in a thread, and wait for its end even when nobody wants the result any more."""
    doing = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        with suppress(Exception):
            await doing
        raise


class _Sending:
    """The response, part by part."""

    def __init__(self, send: Send) -> None:
        self.begun = False
        self._send = send

    async def begin(self, media: str, name: str, length: int | None = None) -> None:
        """The head of a file; names are made of those of tables and a date."""
        headers = [
            (b"content-type", media.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ]
        await self._head(200, headers, length)
        self.begun = True

    async def part(self, data: bytes) -> None:
        """Some of the file. TimeoutError where the client does not take it."""
        if data:
            message = {"type": "http.response.body", "body": data, "more_body": True}
            await asyncio.wait_for(self._send(message), _PATIENCE)

    async def end(self) -> None:
        """The end of the file."""
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """An error instead of a file."""
        await self._head(status, [(b"content-type", b"application/json; charset=utf-8"), *headers], len(body))
        await self._send({"type": "http.response.body", "body": body})

    async def _head(self, status: int, headers: list[tuple[bytes, bytes]], length: int | None) -> None:
        shared = [(b"cache-control", b"no-store")]
        sized = [] if length is None else [(b"content-length", str(length).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *sized, *shared]})


def _refusal(error: Exception, request_id: str) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, body and headers for an error, in the shape of GraphQL's."""
    headers: list[tuple[bytes, bytes]] = []
    details: dict[str, Any] = {}
    match error:
        case HttpError():
            status, code, message = error.status, error.code, error.message
            if status == 405:
                headers.append((b"allow", b"GET"))
        case RefusedError():
            status, code, message = 400, "BAD_USER_INPUT", str(error)
        case UnfitError():
            status, code, message = 422, "BAD_USER_INPUT", str(error)
        case ApiError():
            status, code, message, details = _STATUS.get(error.code, 400), error.code, error.message, error.details
            if isinstance(error, RateLimitedError):
                headers.append((b"retry-after", str(_RETRY_AFTER).encode()))
        case _:
            _log.error("internal error", request_id=request_id, exc_info=error)
            status, code = 500, INTERNAL
            message = "Something went wrong on our side; the log has it under this requestId."
    told = {"message": message, "extensions": {"code": code, **details, "requestId": request_id}}
    return status, orjson.dumps({"errors": [told]}), headers
