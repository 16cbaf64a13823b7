"""Indexes and foreign keys during a bulk load: all at once is several times as fast as row by row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

_WORTH_WHILE = 2_000
_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
WHERE indrelid = $1::text::regclass AND NOT indisunique AND NOT indisprimary AND indisvalid ORDER BY indexrelid
"""

# The foreign keys to tables that this transaction has already taken for itself: leaving them out locks nothing more.
_KEYS = """
SELECT quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = $1::text::regclass AND contype = 'f' AND convalidated AND confrelid IN (
    SELECT relation FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND mode = 'AccessExclusiveLock' AND granted
) AND confrelid <> conrelid ORDER BY oid
"""


@asynccontextmanager
async def rebuilt_indexes(connection: asyncpg.Connection, table: str, changing: int) -> AsyncIterator[None]:
    """Drop the indexes of ``table`` and build them again afterwards, where ``changing`` rows are most of its rows.

    Foreign keys to a table that is being loaded in the same transaction are checked afterwards, all rows at once.

    Until the end of the transaction nobody else can read the table, so this is for first loads: a table that holds more
    than is coming keeps its indexes and stays readable. Unique indexes stay in any case, because they are being used.
    """
    found: list[str] = []
    if changing >= _WORTH_WHILE and not await _is_larger(connection, table, changing):
        found = await _dropped(connection, table)
    yield
    for statement in found:
        await connection.execute(statement)


async def _is_larger(connection: asyncpg.Connection, table: str, than: int) -> bool:
    # Reading no further than needed: the estimates of the planner may know nothing of a table just filled.
    statement = f"SELECT count(*) FROM (SELECT FROM {table} LIMIT $1) AS enough"  # noqa: S608  # Our own table names.
    return bool(await connection.fetchval(statement, than * 2 + 1) > than * 2)


async def _dropped(connection: asyncpg.Connection, table: str) -> list[str]:
    """Drop what can be made again; returns the statements that do so."""
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '3s'")
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            await connection.execute("SET LOCAL lock_timeout = 0")
            keys = await connection.fetch(_KEYS, table)
            indexes = await connection.fetch(_INDEXES, table)
            if indexes:
                await connection.execute(f"DROP INDEX {', '.join(index['name'] for index in indexes)}")
            if keys:
                dropped = ", ".join(f"DROP CONSTRAINT {key['name']}" for key in keys)
                await connection.execute(f"ALTER TABLE {table} {dropped}")
            again = [f"ALTER TABLE {table} ADD CONSTRAINT {key['name']} {key['definition']}" for key in keys]
            return [index["definition"] for index in indexes] + again
    except (asyncpg.LockNotAvailableError, asyncpg.InsufficientPrivilegeError):
        return []
