"""The lists before GIN indexes: an index of words takes up what is new by a list first, a hundred times as fast.

Every search reads the list besides the index, and whoever makes it too long has to empty it. So it may be long enough
for a change of some thousand records (``gin_pending_list_limit``, see migration 0026), and is emptied all the time.
"""

import asyncpg

PACE = 1.0
"""Seconds between two times at which the lists are emptied."""

_EMPTY = """
    SELECT gin_clean_pending_list(i.indexrelid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'gin' AND i.indisvalid AND c.relnamespace = current_schema()::regnamespace
      AND pg_has_role(c.relowner, 'USAGE')
"""


async def empty_lists(connection: asyncpg.Connection) -> None:
    """Have every index take up its list. Nobody waits for that, and it waits for nobody who holds an index for long,
    as a first import does: LockNotAvailableError."""
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '500ms'")
        await connection.fetch(_EMPTY)
