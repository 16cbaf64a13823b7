"""The metrics of customers after changes: of those whose facts changed, and of those whom that or time moves.

Customers that lie between lie in the queue: whoever comes next goes on with them.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import metrics, ranks, rollups
from app.analytics.keeping.literals import literal
from app.analytics.keeping.state import Ranking, Standing, write_standing
from app.models.base import currency_scale


async def measure(
    connection: asyncpg.Connection, shop: ShopFacts, before: Standing, as_of: datetime, *, pinned: bool
) -> None:
    """The metrics of those whose facts changed, or some of whose orders were placed since the last time; then the
    scores and churn states that came to be others, of these and of all others."""
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        # Few of the customers are looked at, whatever old statistics say.
        await connection.execute("SET LOCAL enable_seqscan = off")
        await _renew(connection, shop, before.as_of, as_of)
        standing = await _stand(connection, before, as_of)
        await _judge(connection, before, standing)
        await write_standing(connection, standing, pinned=pinned)


async def _renew(connection: asyncpg.Connection, shop: ShopFacts, since: datetime, until: datetime) -> None:
    """Write the metrics that need no comparison; makes ``kept_renewed`` with what they were and are.

    A customer whose row somebody else is writing stays in the queue: nobody who writes waits for rows held here, while
    this waits for theirs.
    """
    await connection.execute("CREATE TEMP TABLE kept_todo (customer_id uuid PRIMARY KEY) ON COMMIT DROP")
    await connection.execute(
        "INSERT INTO kept_todo SELECT customer_id FROM analytics_changes WHERE counted"
        " UNION SELECT customer_id FROM orders WHERE placed_at > $1 AND placed_at <= $2",
        since,
        until,
    )
    await connection.execute("ANALYZE kept_todo")
    these = "customer_id IN (SELECT customer_id FROM kept_todo)"
    was = "sold_orders, last_sold_at, exact_revenue, rhythm"
    now = ", ".join(
        f"coalesce(n.{c}, {metrics.NOTHING[c]}) AS {c}" if c in metrics.NOTHING else f"n.{c}" for c in metrics.BASE
    )
    base = metrics.base(f"(SELECT * FROM order_facts WHERE {these}) f", literal(until), currency_scale(shop.currency))
    await connection.execute(
        f"""
        CREATE TEMP TABLE kept_renewed ON COMMIT DROP AS
        SELECT m.customer_id, m.sold_orders AS old_sold_orders, m.last_sold_at AS old_last_sold_at,
            m.exact_revenue AS old_exact_revenue, m.rhythm AS old_rhythm, {now}
        FROM (
            SELECT customer_id, {was} FROM customer_metrics WHERE {these} FOR NO KEY UPDATE SKIP LOCKED
        ) m LEFT JOIN ({base}) n ON n.customer_id = m.customer_id
        """
    )
    await connection.execute("ANALYZE kept_renewed")
    await connection.execute("DELETE FROM analytics_changes WHERE counted")
    await connection.execute(
        "INSERT INTO analytics_changes (customer_id, counted) SELECT m.customer_id, true FROM customer_metrics m"
        f" WHERE {these} AND NOT EXISTS (SELECT FROM kept_renewed r WHERE r.customer_id = m.customer_id)"
    )
    before, after = (", ".join(f"{row}.{name}" for name in metrics.BASE) for row in ("m", "r"))
    assigned = ", ".join(f"{name} = r.{name}" for name in metrics.BASE)
    await connection.execute(
        f"UPDATE customer_metrics m SET {assigned} FROM kept_renewed r WHERE m.customer_id = r.customer_id"
        f" AND ROW({before}) IS DISTINCT FROM ROW({after})"
    )


async def _stand(connection: asyncpg.Connection, before: Standing, as_of: datetime) -> Standing:
    """How the shop stands with ``kept_renewed``."""
    parts = [
        f"SELECT '{metric}' AS metric, {prefix}{column}::numeric AS value, {sign} AS customers FROM kept_renewed"
        f" WHERE {prefix}{column} IS NOT NULL" + (f" AND {prefix}{column} > 0" if column == "sold_orders" else "")
        for metric, column in (("FREQUENCY", "sold_orders"), ("RHYTHM", "rhythm"))
        for prefix, sign in (("old_", -1), ("", 1))
    ]
    await rollups.add(connection, "metric_counts", " UNION ALL ".join(parts))
    ranked = before.ranked + await connection.fetchval(
        "SELECT count(*) FILTER (WHERE sold_orders > 0) - count(*) FILTER (WHERE old_sold_orders > 0) FROM kept_renewed"
    )
    return Standing(
        as_of=as_of,
        ranked=ranked,
        recency=await _ranking(connection, "last_sold_at", before.recency, ranked),
        frequency=ranks.counted(await _counts(connection, "FREQUENCY"), ranked),
        monetary=await _ranking(connection, "exact_revenue", before.monetary, ranked),
        rhythm=ranks.median(await _counts(connection, "RHYTHM")),
    )


async def _counts(connection: asyncpg.Connection, metric: str) -> list[tuple[Decimal, int]]:
    rows = await connection.fetch("SELECT value, customers FROM metric_counts WHERE metric = $1 ORDER BY value", metric)
    return [(row[0], row[1]) for row in rows]


async def _ranking(connection: asyncpg.Connection, column: str, before: Ranking[Any], ranked: int) -> Ranking[Any]:
    """The cuts of ``column``, from how many values are less than the old ones by now."""
    changes = ", ".join(
        f"count(*) FILTER (WHERE sold_orders > 0 AND {_less(column, cut)})"
        f" - count(*) FILTER (WHERE old_sold_orders > 0 AND {_less(f'old_{column}', cut)})"
        for cut in before.cuts
    )
    row = await connection.fetchrow(f"SELECT {changes} FROM kept_renewed")
    below = [less + change for less, change in zip(before.below, row, strict=True)]
    return await ranks.moved(connection, column, before, below, ranked)


def _less(column: str, cut: object) -> str:
    return "true" if cut is None else f"{column} < {literal(cut)}"


async def _judge(connection: asyncpg.Connection, before: Standing, after: Standing) -> None:
    """Write scores, segments and churn states where they came to be others: of the renewed customers, of those whose
    value lies between an old and a new cut, and of those whom time made due."""
    candidates = [
        "SELECT customer_id FROM kept_renewed",
        *_between("last_sold_at", before.recency, after.recency),
        *_between("exact_revenue", before.monetary, after.monetary),
        *_passed(before, after),
    ]
    await connection.execute(f"CREATE TEMP TABLE kept_candidates ON COMMIT DROP AS {' UNION '.join(candidates)}")
    if frequent := _between("sold_orders", before.frequency, after.frequency):
        # That is seldom, and concerns many: there is no index for it.
        await connection.execute("SET LOCAL enable_seqscan = on")
        await connection.execute(f"INSERT INTO kept_candidates {' UNION '.join(frequent)}")
        await connection.execute("SET LOCAL enable_seqscan = off")
    await connection.execute("ANALYZE kept_candidates")
    judged = metrics.judged("m", after)
    present, right = ", ".join(f"m.{name}" for name in judged), ", ".join(judged.values())
    await connection.execute(
        f"""
        CREATE TEMP TABLE kept_wrong ON COMMIT DROP AS
        SELECT m.customer_id FROM customer_metrics m
        WHERE m.customer_id IN (SELECT customer_id FROM kept_candidates)
            AND ROW({present}) IS DISTINCT FROM ROW({right})
        """
    )
    await connection.execute("ANALYZE kept_wrong")
    assigned = ", ".join(f"{name} = {value}" for name, value in judged.items())
    await connection.execute(
        f"""
        WITH free AS (
            SELECT m.customer_id FROM customer_metrics m JOIN kept_wrong w ON w.customer_id = m.customer_id
            FOR NO KEY UPDATE OF m SKIP LOCKED
        ), done AS (
            UPDATE customer_metrics m SET {assigned} FROM free WHERE m.customer_id = free.customer_id
            RETURNING m.customer_id
        )
        INSERT INTO analytics_changes (customer_id, counted)
        SELECT w.customer_id, true FROM kept_wrong w WHERE w.customer_id NOT IN (SELECT customer_id FROM done)
        """
    )


def _between(column: str, before: Ranking[Any], after: Ranking[Any]) -> list[str]:
    found = []
    for old, new in zip(before.cuts, after.cuts, strict=True):
        if old == new:
            continue
        given = [cut for cut in (old, new) if cut is not None]
        low, high = min(given), max(given) if len(given) == 2 else None
        limit = f" AND {column} < {literal(high)}" if high is not None else ""
        found.append(
            f"SELECT customer_id FROM customer_metrics WHERE sold_orders > 0 AND {column} >= {literal(low)}{limit}"
        )
    return found


def _passed(before: Standing, after: Standing) -> list[str]:
    """Those whose own due moments have passed, and those whom the shop's rhythm makes due at another moment."""
    now = literal(after.as_of)
    found = [
        f"SELECT customer_id FROM customer_metrics WHERE churn_state = 'ACTIVE' AND due_at < {now}",
        f"SELECT customer_id FROM customer_metrics WHERE churn_state = 'DUE' AND churned_at < {now}",
    ]
    for factor in (metrics.DUE, metrics.CHURNED):
        old, new = before.rests(factor), after.rests(factor)
        if old == new:
            continue
        limits = sorted(limit for limit in (old, new) if limit is not None)
        low = f" AND last_sold_at >= {literal(limits[0])}" if len(limits) == 2 else ""
        found.append(
            f"SELECT customer_id FROM customer_metrics WHERE sold_orders > 0 AND order_days < {metrics.OWN_RHYTHM}"
            f" AND last_sold_at <= {literal(limits[-1])}{low}"
        )
    return found
