"""The full refresh: everything counted anew from the orders as they are.

First the facts and roll-ups in one transaction, which writes only what differs. Then the metrics of customers, a
piece at a time: orders that are being written touch the same rows, and nobody waits for more than one piece.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

import asyncio
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import metrics, ranks, rollups
from app.analytics.keeping.facts import COLUMNS, facts, rates_of_days
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
)
_REACHED = f"""
    SELECT transaction_id, position FROM outbox WHERE transaction_id < {BELOW}
    ORDER BY transaction_id DESC, position DESC LIMIT 1
"""
_KEPT = ("kept_rates", "kept_facts", "kept_calendar", "kept_days", "kept_sales", "kept_cohorts", "kept_products")
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
    # Tables that only this transaction sees are no temporary ones, which workers in parallel could not read.
    await _make(connection, "kept_rates", rates_of_days(shop))
    await _make(connection, "kept_facts", f"{facts(shop, rates='kept_rates')} ORDER BY customer_id, placed_at")
    keys, values = COLUMNS[:2], COLUMNS[2:]
    await rollups.bring(connection, "order_facts", "kept_facts", keys, values)
    await _make(connection, "kept_calendar", rollups.calendar("kept_facts"))
    await _make(connection, "kept_days", rollups.by_day("kept_facts", "kept_calendar"))
    await _make(connection, "kept_sales", rollups.sales("kept_days"))
    await rollups.replace(connection, "sales_buckets", "kept_sales")
    await _make(connection, "kept_cohorts", rollups.cohorts("kept_days"))
    await rollups.replace(connection, "cohort_buckets", "kept_cohorts")
    await _make(connection, "kept_products", rollups.products("kept_facts"))
    await connection.execute(f"INSERT INTO kept_products {rollups.by_month('kept_products')}")
    await rollups.replace(connection, "product_buckets", "kept_products")
    for table in _KEPT:
        await connection.execute(f"DROP TABLE {table}")
    for table in ("order_facts", "sales_buckets", "product_buckets", "cohort_buckets"):
        await connection.execute(f"ANALYZE {table}")
    await write_followed(connection, shop, position, now)


async def _make(connection: asyncpg.Connection, table: str, select: str) -> None:
    await connection.execute(f"CREATE UNLOGGED TABLE {table} AS {select}")
    await connection.execute(f"ANALYZE {table}")


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
    last = await connection.fetchval("SELECT coalesce(max(piece), -1) FROM kept_late")
    for piece in range(last + 1):
        await connection.execute(
            f"""
            WITH free AS (
                SELECT m.customer_id FROM customer_metrics m JOIN kept_late n ON n.customer_id = m.customer_id
                WHERE n.piece = {piece} FOR NO KEY UPDATE OF m SKIP LOCKED
            ), done AS (
                UPDATE customer_metrics m SET {assigned} FROM kept_late n JOIN free f ON f.customer_id = n.customer_id
                WHERE m.customer_id = n.customer_id AND n.piece = {piece} RETURNING m.customer_id
            )
            UPDATE kept_late n SET piece = -1 FROM done d WHERE d.customer_id = n.customer_id AND n.piece = {piece}
            """
        )
        await asyncio.sleep(0)
    for (customer,) in await connection.fetch("SELECT customer_id FROM kept_late WHERE piece >= 0"):
        await connection.execute(
            f"UPDATE customer_metrics m SET {assigned} FROM kept_late n"
            " WHERE m.customer_id = n.customer_id AND n.customer_id = $1",
            customer,
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
