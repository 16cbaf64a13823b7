"""Reaching a database: a new connection, or one that is there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

Where = str | asyncpg.Connection


@asynccontextmanager
async def connected(where: Where) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database of a URL, for the time; or the connection given."""
    if not isinstance(where, str):
        yield where
        return
    connection = await asyncpg.connect(where)
    try:
        yield connection
    finally:
        await connection.close()
