"""Indexes during a bulk load: building one anew is several times as fast as inserting into it row by row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

_WORTH_WHILE = 2_000
_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
WHERE indrelid = $1::text::regclass AND NOT indisunique AND NOT indisprimary AND indisvalid ORDER BY indexrelid
"""


@asynccontextmanager
async def rebuilt_indexes(connection: asyncpg.Connection, table: str, changing: int) -> AsyncIterator[None]:
    """Drop the indexes of ``table`` and build them again afterwards, where ``changing`` rows are most of its rows.

    Until the end of the transaction nobody else can read the table, so this is for first loads: a table that holds more
    than is coming keeps its indexes and stays readable. Unique indexes stay in any case, because they are being used.
    """
    found = []
    if changing >= _WORTH_WHILE and not await _is_larger(connection, table, changing):
        found = await _dropped(connection, table)
    yield
    for index in found:
        await connection.execute(index["definition"])


async def _is_larger(connection: asyncpg.Connection, table: str, than: int) -> bool:
    # Reading no further than needed: the estimates of the planner may know nothing of a table just filled.
    statement = f"SELECT count(*) FROM (SELECT FROM {table} LIMIT $1) AS enough"  # noqa: S608  # Our own table names.
    return bool(await connection.fetchval(statement, than * 2 + 1) > than * 2)


async def _dropped(connection: asyncpg.Connection, table: str) -> list[asyncpg.Record]:
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '3s'")
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            await connection.execute("SET LOCAL lock_timeout = 0")
            found: list[asyncpg.Record] = await connection.fetch(_INDEXES, table)
            if found:
                await connection.execute(f"DROP INDEX {', '.join(index['name'] for index in found)}")
            return found
    except (asyncpg.LockNotAvailableError, asyncpg.InsufficientPrivilegeError):
        return []
