"""What PostgreSQL is doing: to wait until a statement waits there, or has ended."""

import asyncio

import asyncpg

READING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'rapport read'"
    " AND state = 'active'"
)
"""How many reads are running in the database of the connection."""


async def until(connection: asyncpg.Connection, count: str, expected: int, seconds: float = 10) -> None:
    """Wait until the query ``count`` gives ``expected``: PostgreSQL tells nobody, so it is asked again and again."""
    found: int | None = None
    for _ in range(round(seconds / 0.01)):
        # Inside a transaction the figures stand still unless they are let go.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        found = await connection.fetchval(count)
        if found == expected:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"After {seconds} s: {found}, not {expected}: {count}")
