from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.writing.conftest import office as office


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A database of the test's own, with no rows but the roles."""
    connection = await asyncpg.connect(empty_database)
    yield connection
    await connection.close()
