"""A wire tap: what really goes from a client to PostgreSQL, whatever the client's driver calls it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlencode, urlsplit

from app.db.database import address

_EXECUTE, _SIMPLE_QUERY, _PARSE, _SYNC = b"E", b"Q", b"P", b"S"
_ASK_FOR_TLS = (8).to_bytes(4) + (80_877_103).to_bytes(4)


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

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to PostgreSQL: encrypted where it can be, for some servers admit no other."""
        host, port = address(self._target)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(_ASK_FOR_TLS)
        if await reader.readexactly(1) == b"S":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await writer.start_tls(context)
        return reader, writer

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the client."""
        there, back = await self.open()
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


def _through(url: str, port: int) -> str:
    """The same database for the same user, reached unencrypted through that port of this machine."""
    parts = urlsplit(url)
    user = "".join(parts.netloc.rpartition("@")[:2])
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"host", "port", "sslmode"}]
    query = urlencode([*kept, ("sslmode", "disable")])
    return parts._replace(netloc=f"{user}127.0.0.1:{port}", query=query).geturl()


@asynccontextmanager
async def tapped(url: str) -> AsyncIterator[Tap]:
    """A tap before the database of ``url``; connect to the tap's own ``url``."""
    tap = Tap(url)
    # A target that cannot be reached fails here, and not as a connection lost in the middle of something.
    (await tap.open())[1].close()
    server = await asyncio.start_server(tap.pass_on, "127.0.0.1", 0)
    tap.url = _through(url, server.sockets[0].getsockname()[1])
    try:
        yield tap
    finally:
        server.close()
