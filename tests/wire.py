"""A wire tap: what really goes from a client to PostgreSQL, whatever the client's driver calls it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

_EXECUTE, _SIMPLE_QUERY, _PARSE, _SYNC = b"E", b"Q", b"P", b"S"


class Tap:
    """Passes bytes on, and counts the messages of PostgreSQL's frontend protocol."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.executed = 0
        """Statements run."""
        self.parsed = 0
        """Statements that PostgreSQL had to parse first."""
        self.trips = 0
        """Times that the client waits for the server."""
        self.url = ""

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._target)
        host = parse_qs(parts.query).get("host", [parts.hostname or "localhost"])[0]
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{parts.port or 5432}")
        return await asyncio.open_connection(host, parts.port or 5432)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the client."""
        there, back = await self._open()
        answers = asyncio.create_task(_copy(there, writer))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            started = False
            while True:
                kind = await reader.readexactly(1) if started else b""
                length = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(length, "big") - 4)
                self._count(kind)
                back.write(kind + length + body)
                await back.drain()
                started = True
        back.close()
        answers.cancel()
        writer.close()

    def _count(self, kind: bytes) -> None:
        self.executed += kind in (_EXECUTE, _SIMPLE_QUERY)
        self.parsed += kind == _PARSE
        self.trips += kind in (_SYNC, _SIMPLE_QUERY)

    def reset(self) -> None:
        """Count from zero."""
        self.executed = self.parsed = self.trips = 0


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def tapped(url: str) -> AsyncIterator[Tap]:
    """A tap before the database of ``url``; connect to the tap's own ``url``."""
    tap = Tap(url)
    server = await asyncio.start_server(tap.pass_on, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    parts = urlsplit(url)
    user = f"{parts.username or 'postgres'}" + (f":{unquote(parts.password)}" if parts.password else "")
    tap.url = urlunsplit(("postgresql", f"{user}@127.0.0.1:{port}", parts.path, "sslmode=disable", ""))
    try:
        yield tap
    finally:
        server.close()
