"""The follower: what changed since is counted, and nothing else.

Of each customer with a change, what had been counted is taken away and what is there now is added, in one transaction
that sees one state of the shop. In a second one the metrics follow from the facts. Customers that lie between lie in
the queue: whoever comes next goes on with them.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import metrics, ranks, rollups
from app.analytics.keeping.facts import COLUMNS, facts
from app.analytics.keeping.literals import literal
from app.analytics.keeping.refresh import Told, reached, refresh
from app.analytics.keeping.state import Ranking, Standing, State, read_state, turn, write_followed, write_standing
from app.db.places import BELOW
from app.models.base import currency_scale, utcnow

PACE = 2.0
"""Seconds between two looks for changes."""

REST = timedelta(seconds=60)
"""Where nothing happens, the metrics are brought forward this often."""

MOST_DAYS = 90
"""With lines changed on more days than this, everything is counted anew."""

_MOST_RATES = 2_000
_CUSTOMER_ACTIONS = ("delete", "restore", "merge", "unmerge")
"""What can happen to a customer that says something about orders."""

_AFTER = f"(e.transaction_id, e.position) > ($1, $2) AND e.transaction_id < {BELOW}"
_ANYTHING = f"""
    SELECT EXISTS (SELECT FROM analytics_changes) OR EXISTS (
        SELECT FROM outbox e WHERE {_AFTER} AND (e.entity = 'Order' OR e.entity = 'Customer' AND e.action = ANY($3))
    )
"""
_CHANGED = """
    SELECT o.customer_id FROM outbox e JOIN orders o ON o.id = e.record_id WHERE {after} AND e.entity = 'Order'
    UNION
    SELECT e.record_id FROM outbox e WHERE {after} AND e.entity = 'Customer' AND e.action = ANY($3)
    UNION
    SELECT q.customer_id FROM analytics_changes q WHERE q.customer_id IS NOT NULL AND NOT q.counted
    UNION
    SELECT o.customer_id FROM analytics_changes q JOIN orders o ON o.id = q.order_id
    UNION
    SELECT o.customer_id FROM (SELECT DISTINCT currency, day FROM analytics_changes WHERE currency IS NOT NULL) q
    CROSS JOIN LATERAL (
        SELECT min(day) AS day FROM exchange_rates r WHERE r.currency = q.currency AND r.day > q.day
    ) later
    JOIN orders o ON o.currency = q.currency AND o.placed_at >= timezone({zone}, q.day::timestamp) - interval '1 day'
        AND o.placed_at < coalesce(timezone({zone}, later.day::timestamp) + interval '1 day', 'infinity')
"""  # A day to both sides: the orders found too many come to no difference.
_WHOLE = """
    SELECT count(*) FILTER (WHERE num_nonnulls(customer_id, order_id, currency) = 0) AS everything,
        count(*) FILTER (WHERE currency IS NOT NULL) AS rates FROM analytics_changes
"""


@dataclass(frozen=True, slots=True)
class Followed:
    """What one look has come to: how many customers were counted anew, or whether all were."""

    customers: int
    everything: bool = False


async def follow(
    connection: asyncpg.Connection,
    shop: ShopFacts,
    *,
    outbox_hours: int,
    now: datetime | None = None,
    wait: bool = False,
    tell: Told = lambda _: None,
) -> Followed | None:
    """Bring what is kept up to date. None where there is nothing to do, or another process is at it.

    Everything is counted anew where nothing is kept yet, the shop has another currency or time zone, the outbox may
    have lost what happened since, or most of the shop has changed.
    """
    moment = utcnow() if now is None else now
    if not await _due(connection, await read_state(connection), shop, outbox_hours, moment):
        return None
    async with turn(connection, wait=wait) as mine:
        if not mine:
            return None
        state = await read_state(connection)
        present = moment = utcnow() if now is None else now
        standing = state.standing
        if standing is not None and (state.pinned or present < standing.as_of):
            moment = standing.as_of
        if not state.whole or standing is None or _lost(state, shop, outbox_hours, present):
            await refresh(connection, shop, moment, pinned=state.pinned, tell=tell)
            return Followed(0, everything=True)
        changed = await _count(connection, state, shop, present)
        if changed is None:
            await refresh(connection, shop, moment, pinned=state.pinned, tell=tell)
            return Followed(0, everything=True)
        await _measure(connection, shop, standing, moment, pinned=state.pinned)
        return Followed(changed)


async def _due(connection: asyncpg.Connection, state: State, shop: ShopFacts, outbox_hours: int, now: datetime) -> bool:
    if not state.whole or state.standing is None or _lost(state, shop, outbox_hours, now):
        return True
    if not state.pinned and now - state.standing.as_of >= REST:
        return True
    if state.followed_at is None or now - state.followed_at >= REST:
        return True
    place = state.position
    found = await connection.fetchval(_ANYTHING, place.transaction_id, place.position, list(_CUSTOMER_ACTIONS))
    return bool(found)


def _lost(state: State, shop: ShopFacts, outbox_hours: int, now: datetime) -> bool:
    """Whether what is kept is for another shop, or so old that events since may have been cleared away."""
    # An event is dated when its transaction begins, so one of an hour ago may come to light only now.
    kept = timedelta(hours=max(outbox_hours - 1, outbox_hours / 2))
    return not state.built or state.shop != shop or state.followed_at is None or now - state.followed_at > kept


async def _count(connection: asyncpg.Connection, state: State, shop: ShopFacts, now: datetime) -> int | None:
    """Facts and roll-ups of what changed; how many customers that were. None: too many to go one by one."""
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute("SET LOCAL statement_timeout = 0")
        position = await reached(connection, state.position)
        queued = await connection.fetchrow(_WHOLE)
        if queued["everything"] or queued["rates"] > _MOST_RATES:
            return None
        await connection.execute("CREATE TEMP TABLE kept_changed (customer_id uuid PRIMARY KEY) ON COMMIT DROP")
        await connection.execute(
            f"INSERT INTO kept_changed {_CHANGED.format(after=_AFTER, zone=literal(shop.timezone))}",
            state.position.transaction_id,
            state.position.position,
            list(_CUSTOMER_ACTIONS),
        )
        changed: int = await connection.fetchval("SELECT count(*) FROM kept_changed")
        ranked = state.standing.ranked if state.standing else 0
        if changed > max(10_000, ranked // 10):
            return None
        if changed:
            await connection.execute("ANALYZE kept_changed")
            if not await _move(connection, shop):
                return None
        await connection.execute("DELETE FROM analytics_changes WHERE NOT counted")
        await write_followed(connection, shop, position, now)
    return changed


async def _move(connection: asyncpg.Connection, shop: ShopFacts) -> bool:
    """Take away what was counted of ``kept_changed``, and add what is there now; False, and nothing done, where lines
    have changed on too many days."""
    these = "customer_id IN (SELECT customer_id FROM kept_changed)"
    names = ", ".join(COLUMNS)
    await connection.execute(
        f"CREATE TEMP TABLE kept_before ON COMMIT DROP AS SELECT {names} FROM order_facts WHERE {these}"
    )
    await connection.execute(f"CREATE TEMP TABLE kept_after ON COMMIT DROP AS {facts(shop, customers=f'o.{these}')}")
    days = [
        row[0]
        for row in await connection.fetch(
            "SELECT DISTINCT b.day FROM analytics_changes q JOIN kept_before b ON b.order_id = q.order_id"
        )
    ]
    if len(days) > MOST_DAYS:
        return False
    # Facts that are the same before and after need not be touched.
    only = f"SELECT {names} FROM {{0}} EXCEPT ALL SELECT {names} FROM {{1}}"
    await connection.execute(
        f"""
        CREATE TEMP TABLE kept_moved ON COMMIT DROP AS
        SELECT -1 AS sign, gone.* FROM ({only.format("kept_before", "kept_after")}) gone
        UNION ALL SELECT 1, come.* FROM ({only.format("kept_after", "kept_before")}) come
        """
    )
    moved = await connection.fetchval("SELECT count(*) FROM kept_moved")
    if moved:
        for table in ("kept_before", "kept_after", "kept_moved"):
            await connection.execute(f"ANALYZE {table}")
        await _roll(connection, bool(days))
        await connection.execute(
            "DELETE FROM order_facts f USING kept_moved m"
            " WHERE m.sign < 0 AND f.customer_id = m.customer_id AND f.order_id = m.order_id"
        )
        await connection.execute(f"INSERT INTO order_facts ({names}) SELECT {names} FROM kept_moved WHERE sign > 0")
        await connection.execute(
            "INSERT INTO analytics_changes (customer_id, counted) SELECT DISTINCT customer_id, true FROM kept_moved"
        )
    if days:
        await rollups.count_products_anew(connection, days)
    return True


async def _roll(connection: asyncpg.Connection, some_lines: bool) -> None:
    """Bring the roll-ups from ``kept_before`` to ``kept_after``."""
    both = "(SELECT day FROM kept_before UNION SELECT day FROM kept_after) either"
    await connection.execute(f"CREATE TEMP TABLE kept_calendar ON COMMIT DROP AS {rollups.calendar(both)}")
    for when in ("before", "after"):
        daily = rollups.by_day(f"kept_{when}", "kept_calendar")
        await connection.execute(f"CREATE TEMP TABLE kept_days_{when} ON COMMIT DROP AS {daily}")
    for table, rows in (("sales_buckets", rollups.sales), ("cohort_buckets", rollups.cohorts)):
        names = (
            "bucket, start, orders, customers, amount, unvalued"
            if table == "sales_buckets"
            else "cohort, month, customers"
        )
        gone, come = rows("kept_days_before", negative=True), rows("kept_days_after")
        await rollups.add(connection, table, f"SELECT {names} FROM ({gone}) g UNION ALL SELECT {names} FROM ({come}) c")
    source = "kept_moved"
    if some_lines:
        # The products of the days on which lines changed are counted anew as a whole.
        source = (
            "(SELECT * FROM kept_moved WHERE day NOT IN (SELECT b.day FROM analytics_changes q"
            " JOIN kept_before b ON b.order_id = q.order_id))"
        )
    await connection.execute(f"CREATE TEMP TABLE kept_products ON COMMIT DROP AS {rollups.product_differences(source)}")
    await rollups.add(
        connection, "product_buckets", f"SELECT * FROM kept_products UNION ALL ({rollups.by_month('kept_products')})"
    )


async def _measure(
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
