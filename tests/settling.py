"""Waiting for transactions of others: they hold back whoever follows the outbox or seals the audit log, in whichever
database of the server they are. Tests share a server where ``DATABASE_URL`` names one."""

import asyncpg

_NOW = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_OVER = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1"


async def settled(connection: asyncpg.Connection) -> None:
    """Wait until all transactions have ended that run now."""
    until = await connection.fetchval(_NOW)
    while not await connection.fetchval(_OVER, until):
        pass
