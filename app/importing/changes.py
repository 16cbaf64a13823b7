"""Telling the analytics what an import changed: it leaves no events in the outbox.

Orders tell through their customers, before and after; lines through their orders; opportunities and tickets themselves.
"""

# ruff: noqa: S608  # Statements are made of names of our own; values travel as parameters.

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from app.importing.resolving import FOUND, Resolution

MOST = 50_000
"""With more than this, everything is counted anew: that is sooner done."""

_TOLD = {
    "order": ("orders", "customer_id", "customer_id"),
    "order-line": ("order_lines", "order_id", "order_id"),
    "opportunity": ("opportunities", "id", "opportunity_id"),
    "ticket": ("tickets", "id", "ticket_id"),
}
"""Table and column of what is told of an imported entity, and the column of the queue for it."""


def _query(resolution: Resolution, where: str) -> str | None:
    if resolution.target.name not in _TOLD:
        return None
    table, column, _ = _TOLD[resolution.target.name]
    return (
        f"SELECT DISTINCT t.{column} FROM {FOUND} f JOIN {table} t ON t.id = f._id"
        f" WHERE f._problem IS NULL AND f._head{where} LIMIT {MOST + 1}"
    )


async def changing(connection: asyncpg.Connection, resolution: Resolution) -> Sequence[UUID]:
    """The customers, orders, opportunities or tickets that the records to be changed have before."""
    query = _query(resolution, " AND NOT f._is_new")
    return [] if query is None else [row[0] for row in await connection.fetch(query)]


async def queue_changes(connection: asyncpg.Connection, resolution: Resolution, before: Sequence[UUID]) -> None:
    """Queue those of before and those of now."""
    query = _query(resolution, "")
    if query is None:
        return
    found = {row[0] for row in await connection.fetch(query)}.union(before)
    if len(found) > MOST:
        await connection.execute("INSERT INTO analytics_changes DEFAULT VALUES")
        return
    name = _TOLD[resolution.target.name][2]
    await connection.execute(f"INSERT INTO analytics_changes ({name}) SELECT unnest($1::uuid[])", sorted(found))
