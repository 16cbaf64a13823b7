"""One PostgreSQL for all tests: the embedded one, or that of DATABASE_URL. A test that writes has its own copy."""

import asyncio
import gc
import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import anyio
import asyncpg
import pytest

from app.db.database import create_database
from app.db.embedded import EmbeddedPostgres
from app.db.migrate import migrate
from auth.builtin import sync_built_in_roles
from tests.hashing import quicken
from tests.hashing import slow_hashes as slow_hashes
from tests.nasty_shop import STILL
from tests.nasty_shop import shop as shop

STANDING_SESSIONS = """
    CREATE FUNCTION open_standing_session() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO sessions (id, user_id, refresh_seed, created_at, last_used_at, expires_at)
        VALUES (NEW.id, NEW.id, '', '2020-01-01', '2020-01-01', '2100-01-01');
        RETURN NULL;
    END $$;
    CREATE TRIGGER users_standing_session AFTER INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION open_standing_session();
    CREATE FUNCTION reopen_standing_session() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE sessions SET revoked_at = NULL WHERE id = NEW.id;
        RETURN NULL;
    END $$;
    CREATE TRIGGER users_standing_session_again AFTER UPDATE OF active ON users
    FOR EACH ROW WHEN (NEW.active AND NOT OLD.active) EXECUTE FUNCTION reopen_standing_session();
"""
"""Gives each user of a test a session with the user's own id, so that a token can be signed without signing in; it is
there again when an inactive user is made active."""


T = TypeVar("T")

quicken()

_SHM = "/dev/shm"


class Server:
    """A PostgreSQL server on which tests make and drop databases.

    It does so over one connection, in a loop of its own: every test has another loop.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self.run = uuid4().hex[:8]
        self._count = 0
        self._templates: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connection = self._run(asyncpg.connect(self.url("postgres"))).result()

    def _run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self._run(self._connection.close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, name: str) -> str:
        return urlunsplit(self._parts._replace(path=f"/{name}"))

    async def execute(self, *statements: str) -> None:
        async def work() -> None:
            for statement in statements:
                await self._connection.execute(statement)

        await asyncio.wrap_future(self._run(work()))

    async def copy(self, template: str) -> str:
        """The URL of a new database with everything that ``template`` holds."""
        self._count += 1
        name = f"rapport_{self.run}_{self._count}"
        await self.execute(
            # A session that some test has left there would hold up this copy and all that follow.
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'",
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy",
        )
        return self.url(name)

    async def own(self, url: str) -> str:
        """A copy of the shop of ``url`` to write to, whose audit log goes on."""
        if (template := self._templates.get(url)) is None:
            template = self._templates[url] = await self.copy(urlsplit(url).path[1:])
            connection = await asyncpg.connect(template)
            await connection.execute(f"DROP FUNCTION {STILL} CASCADE")
            # Sign-ins that other tests have tried in the shop make nobody wait here.
            await connection.execute("DELETE FROM slowed_down")
            await connection.close()
        return await self.copy(urlsplit(template).path[1:])

    async def drop(self, url: str) -> None:
        await self.execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")

    async def forget(self) -> None:
        """Drop what it has made for itself."""
        for template in self._templates.values():
            await self.drop(template)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def _memory() -> str | None:
    """A folder that is memory, where there is one and it has room: a new database has 700 files, which take a disk up
    to a third of a second."""
    there = os.path.isdir(_SHM) and os.access(_SHM, os.W_OK) and shutil.disk_usage(_SHM).free > 4 * 2**30
    return _SHM if there else None


HURRIED = (
    "fsync = off\nfull_page_writes = off\nwal_level = minimal\nmax_wal_senders = 0\nautovacuum = off\n"
    "io_method = sync\nshared_buffers = '64MB'\n"
)
"""Settings of a server that need not outlive a crash of the machine, and has little in many databases: all its memory
is looked through when a database is made, and when one is dropped. Nothing lives long enough to be vacuumed, and a
vacuum holds back whoever follows the outbox."""


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if external := os.environ.get("DATABASE_URL"):
        found = Server(external)
        yield found
        anyio.run(found.forget)
        found.close()
        return
    with tempfile.TemporaryDirectory(prefix="rapport-test-", dir=_memory(), ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        with EmbeddedPostgres(Path(folder), HURRIED) as embedded:
            found = Server(embedded.url("postgres"))
            yield found
            found.close()


@pytest.fixture(scope="session")
def migrated(server: Server) -> Iterator[str]:
    """The name of a database with all tables and the built-in roles, and nothing else. Copy it; do not write to it."""
    name = f"rapport_{server.run}_migrated"

    async def make() -> None:
        await create_database(server.url(name))
        await migrate(server.url(name))
        connection = await asyncpg.connect(server.url(name))
        await sync_built_in_roles(connection)
        await connection.execute(STANDING_SESSIONS)
        await connection.close()

    anyio.run(make)
    yield name
    anyio.run(server.drop, server.url(name))


@pytest.fixture
async def empty_database(server: Server, migrated: str) -> AsyncIterator[str]:
    """The URL of a database of the test's own: tables, built-in roles, no rows."""
    url = await server.copy(migrated)
    yield url
    await server.drop(url)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector need not look through it again and again. What tests make is
    much at once, such as all rows of a shop, and little of it is garbage that only the collector finds."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 100)
