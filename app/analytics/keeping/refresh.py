"""The full refresh: everything counted anew from the rows as they are.

First the facts and roll-ups in one transaction, which writes only what differs. Then the metrics of customers, a
piece at a time: orders that are being written touch the same rows, and nobody waits for more than one piece.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import deals, metrics, ranks, rollups, sales, tickets
from app.analytics.keeping.literals import literal
from app.analytics.keeping.state import Standing, write_followed, write_standing
from app.db.places import BELOW
from app.models.base import currency_scale, utcnow
from app.outbox import Position

PIECE = 10_000
"""Customers whose metrics are written in one transaction."""

_SETTINGS = (
    "SET LOCAL work_mem = '256MB'",
    "SET LOCAL hash_mem_multiplier = 4",
    "SET LOCAL maintenance_work_mem = '256MB'",
    "SET LOCAL jit = off",
    "SET LOCAL statement_timeout = 0",
    # A table that was empty a moment ago looks small to the planner, and looping over it would never end.
    "SET LOCAL enable_nestloop = off",
    # Whatever the planner thinks of a processor that would otherwise rest.
    "SET LOCAL parallel_tuple_cost = 0.005",
    "SET LOCAL parallel_setup_cost = 100",
)
_REACHED = f"""
    SELECT transaction_id, position FROM outbox WHERE transaction_id < {BELOW}
    ORDER BY transaction_id DESC, position DESC LIMIT 1
"""
_FRESH = ("kept_metrics", "kept_late")

Told = Callable[[str], None]
"""Is told what is being done."""


async def refresh(
    connection: asyncpg.Connection,
    shop: ShopFacts,
    as_of: datetime,
    *,
    pinned: bool = False,
    tell: Told = lambda _: None,
) -> Standing:
    """Count everything anew; the metrics as of ``as_of``. The caller has the turn (``state.turn``)."""
    tell("facts and roll-ups")
    async with connection.transaction(isolation="repeatable_read"):
        await settle(connection)
        await _count(connection, shop)
    tell("metrics")
    try:
        async with connection.transaction():
            await settle(connection)
            standing = await measured(connection, shop, as_of)
            await _find_late(connection, standing)
        await _write_late(connection)
        async with connection.transaction():
            await _write_counts(connection)
            await write_standing(connection, standing, pinned=pinned)
        await connection.execute("ANALYZE customer_metrics")
    finally:
        if not connection.is_closed():
            for table in _FRESH:
                await connection.execute(f"DROP TABLE IF EXISTS {table}")
    return standing


async def reached(connection: asyncpg.Connection, otherwise: Position) -> Position:
    """The last event that nothing can come before any more; ``otherwise`` where the outbox has none."""
    row = await connection.fetchrow(_REACHED)
    return max(otherwise, Position(row[0], row[1])) if row else otherwise


async def settle(connection: asyncpg.Connection) -> None:
    """Give a transaction the memory and the time that it needs to go over the whole shop."""
    for setting in _SETTINGS:
        await connection.execute(setting)


async def _count(connection: asyncpg.Connection, shop: ShopFacts) -> None:
    """Facts and roll-ups, all from one snapshot."""
    now = utcnow()
    position = await reached(connection, Position())
    await connection.execute("DELETE FROM analytics_changes")
    await connection.execute("UPDATE analytics_state SET whole = false")
    await sales.count_all(connection, shop)
    await deals.count_all(connection, shop)
    await tickets.count_all(connection, shop)
    await write_followed(connection, shop, position, now)


async def measured(connection: asyncpg.Connection, shop: ShopFacts, as_of: datetime) -> Standing:
    """How the shop stood at ``as_of`` by the present facts; makes the temporary table ``kept_metrics`` of the metrics
    (``metrics.BASE``) of all customers who had bought."""
    base = metrics.base("order_facts", literal(as_of), currency_scale(shop.currency))
    await connection.execute(f"CREATE TEMP TABLE kept_metrics AS {base}")
    await connection.execute("ANALYZE kept_metrics")
    n = await connection.fetchval("SELECT count(*) FROM kept_metrics")
    frequencies = await _counts(connection, "sold_orders")
    rhythms = await _counts(connection, "rhythm")
    return Standing(
        as_of=as_of,
        ranked=n,
        recency=await ranks.found(connection, "kept_metrics", "last_sold_at", n),
        frequency=ranks.counted(frequencies, n),
        monetary=await ranks.found(connection, "kept_metrics", "exact_revenue", n),
        rhythm=ranks.median(rhythms),
    )


async def _counts(connection: asyncpg.Connection, column: str) -> list[tuple[Decimal, int]]:
    rows = await connection.fetch(
        f"SELECT {column}::numeric, count(*) FROM kept_metrics WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    return [(row[0], row[1]) for row in rows]


async def _find_late(connection: asyncpg.Connection, standing: Standing) -> None:
    """Make ``kept_late``: the customers whose metrics are no longer right, with the right ones."""
    # Whoever has no facts has the metrics of somebody who never bought.
    base = ", ".join(
        f"coalesce(n.{c}, {metrics.NOTHING[c]}) AS {c}" if c in metrics.NOTHING else f"n.{c}" for c in metrics.BASE
    )
    judged = ", ".join(f"{value} AS {name}" for name, value in metrics.judged("r", standing).items())
    before, after = (", ".join(f"{row}.{name}" for name in metrics.COLUMNS) for row in ("m", "late"))
    await connection.execute(
        f"""
        CREATE TEMP TABLE kept_late AS
        SELECT row_number() OVER () / {PIECE} AS piece, late.* FROM (
            SELECT r.*, {judged} FROM (
                SELECT m.customer_id, {base}
                FROM customer_metrics m LEFT JOIN kept_metrics n ON n.customer_id = m.customer_id
            ) r
        ) late JOIN customer_metrics m ON m.customer_id = late.customer_id
        WHERE ROW({before}) IS DISTINCT FROM ROW({after})
        """
    )
    await connection.execute("CREATE INDEX ON kept_late (piece)")
    await connection.execute("ANALYZE kept_late")


async def _write_late(connection: asyncpg.Connection) -> None:
    """Write ``kept_late``. A row that somebody else is writing is left for later, and then waited for by itself: who
    holds one row and waits for another could stand in the way of a writer that does so the other way about."""
    assigned = ", ".join(f"{name} = n.{name}" for name in metrics.COLUMNS)
    before, after = (", ".join(f"{row}.{name}" for name in metrics.COLUMNS) for row in ("m", "n"))
    for piece, count in await connection.fetch("SELECT piece, count(*) FROM kept_late GROUP BY piece ORDER BY piece"):
        written = await connection.execute(
            f"""
            UPDATE customer_metrics m SET {assigned} FROM (
                SELECT n.* FROM kept_late n JOIN customer_metrics m ON m.customer_id = n.customer_id
                WHERE n.piece = {piece} FOR NO KEY UPDATE OF m SKIP LOCKED
            ) n WHERE m.customer_id = n.customer_id
            """
        )
        if int(written.rpartition(" ")[2]) == count:
            continue
        left = await connection.fetch(
            "SELECT n.customer_id FROM kept_late n JOIN customer_metrics m ON m.customer_id = n.customer_id"
            f" WHERE n.piece = {piece} AND ROW({before}) IS DISTINCT FROM ROW({after})"
        )
        await connection.executemany(
            f"UPDATE customer_metrics m SET {assigned} FROM kept_late n"
            " WHERE m.customer_id = n.customer_id AND n.customer_id = $1",
            [(customer,) for (customer,) in left],
        )


async def _write_counts(connection: asyncpg.Connection) -> None:
    """How many customers have which number of orders, and which rhythm."""
    parts = (("FREQUENCY", "sold_orders"), ("RHYTHM", "rhythm"))
    selects = [
        f"SELECT '{metric}' AS metric, {column}::numeric AS value, count(*)::int AS customers FROM kept_metrics"
        f" WHERE {column} IS NOT NULL GROUP BY 2"
        for metric, column in parts
    ]
    await connection.execute(f"CREATE TEMP TABLE kept_counts ON COMMIT DROP AS {' UNION ALL '.join(selects)}")
    await rollups.replace(connection, "metric_counts", "kept_counts")
