"""One small demo shop for all tests that only look at it."""

from collections.abc import AsyncIterator, Iterator

import anyio
import asyncpg
import pytest

from app.demo.load import load_demo
from tests.conftest import Server

CUSTOMERS = 300
HASH = "not a hash that anybody can sign in with"


@pytest.fixture(scope="session")
def shop(server: Server, migrated: str) -> Iterator[str]:
    """The URL of a database with a demo shop. Do not write to it."""

    async def make() -> str:
        url = await server.copy(migrated)
        await load_demo(url, CUSTOMERS, password_hash=HASH)
        return url

    url = anyio.run(make)
    yield url
    anyio.run(server.drop, url)


@pytest.fixture
async def db(shop: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(shop)
    yield connection
    await connection.close()
