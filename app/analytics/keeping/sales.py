"""Sales: facts of sold orders and their roll-ups by time, product and cohort.

Of each customer with a change, what had been counted is taken away and what is there now is added.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import rollups
from app.analytics.keeping.facts import COLUMNS, LINES, all_facts, lines, rates_of_days, some_facts
from app.analytics.keeping.literals import literal
from app.analytics.keeping.moving import collect, compare, replace
from app.analytics.keeping.since import AFTER, CUSTOMER_ACTIONS, valued_anew
from app.analytics.keeping.state import State

TABLES = ("order_facts", "sales_buckets", "product_buckets", "cohort_buckets")

_MADE = (
    "kept_rates",
    "kept_lines",
    "kept_facts",
    "kept_calendar",
    "kept_days",
    "kept_sales",
    "kept_cohorts",
    "kept_products",
)
_CHANGED = """
    SELECT o.customer_id FROM outbox e JOIN orders o ON o.id = e.record_id WHERE {after} AND e.entity = 'Order'
    UNION
    SELECT e.record_id FROM outbox e WHERE {after} AND e.entity = 'Customer' AND e.action = ANY($3)
    UNION
    SELECT q.customer_id FROM analytics_changes q WHERE q.customer_id IS NOT NULL AND NOT q.counted
    UNION
    SELECT o.customer_id FROM analytics_changes q JOIN orders o ON o.id = q.order_id
    UNION
    {valued}
"""

_TOUCHED = """
    SELECT e.record_id FROM outbox e WHERE {after} AND e.entity = 'Order'
    UNION
    SELECT q.order_id FROM analytics_changes q WHERE q.order_id IS NOT NULL
    UNION
    SELECT o.id FROM analytics_changes q JOIN orders o ON o.customer_id = q.customer_id WHERE NOT q.counted
"""
"""The orders of which lines may have changed."""


async def count_all(connection: asyncpg.Connection, shop: ShopFacts) -> None:
    """Count everything anew, in the caller's transaction."""
    await rollups.make(connection, "kept_rates", rates_of_days(shop))
    await rollups.make(connection, "kept_lines", lines())
    rows = all_facts(shop, "kept_rates", "kept_lines")
    # Who sees some of the customers mostly sees those of some owners.
    order = "owner_id", "customer_id", "placed_at"
    columns = ", ".join((*COLUMNS, "owner_id"))
    rows = f"SELECT {columns} FROM ({rows}) found ORDER BY {', '.join(order)}"
    await rollups.make(connection, "kept_facts", rows)
    keys, values = COLUMNS[:2], COLUMNS[2:]
    await rollups.bring(connection, "order_facts", "kept_facts", keys, values, order)
    await rollups.make(connection, "kept_calendar", rollups.calendar("kept_facts"))
    await rollups.make(connection, "kept_days", rollups.by_day("kept_facts", "kept_calendar"))
    await rollups.make(connection, "kept_sales", rollups.sales("kept_days"))
    await rollups.replace(connection, "sales_buckets", "kept_sales")
    await rollups.make(connection, "kept_cohorts", rollups.cohorts("kept_days"))
    await rollups.replace(connection, "cohort_buckets", "kept_cohorts")
    await rollups.make(connection, "kept_products", rollups.products("kept_facts"))
    await connection.execute(f"INSERT INTO kept_products {rollups.by_month('kept_products')}")
    await rollups.replace(connection, "product_buckets", "kept_products")
    for table in _MADE:
        await connection.execute(f"DROP TABLE {table}")
    for table in TABLES:
        await connection.execute(f"ANALYZE {table}")


async def count_changed(connection: asyncpg.Connection, shop: ShopFacts, state: State) -> int | None:
    """Count what changed since ``state``, in the caller's transaction; of how many customers that was. None: too much
    to go one by one."""
    place = state.position.transaction_id, state.position.position
    valued = valued_anew("customer_id", "orders", "placed_at", literal(shop.timezone))
    changes = _CHANGED.format(after=AFTER, valued=valued)
    changed = await collect(connection, "kept_changed", "customer_id", changes, *place, list(CUSTOMER_ACTIONS))
    await collect(connection, "kept_touched", "order_id", _TOUCHED.format(after=AFTER), *place)
    ranked = state.standing.ranked if state.standing else 0
    if changed > max(10_000, ranked // 10):
        return None
    if changed:
        await _move(connection, shop)
    return changed


async def _move(connection: asyncpg.Connection, shop: ShopFacts) -> None:
    """Take away what was counted of ``kept_changed``, and add what is there now."""
    these = "customer_id IN (SELECT customer_id FROM kept_changed)"
    names = ", ".join(COLUMNS)
    await connection.execute(
        f"CREATE TEMP TABLE kept_before ON COMMIT DROP AS SELECT {names} FROM order_facts WHERE {these}"
    )
    # The lines of all orders of a customer would be looked for in as many places.
    await connection.execute(
        f"CREATE TEMP TABLE kept_same ON COMMIT DROP AS SELECT order_id, {', '.join(LINES)} FROM kept_before"
        " WHERE order_id NOT IN (SELECT order_id FROM kept_touched)"
    )
    await connection.execute("ANALYZE kept_same")
    rows = some_facts(shop, f"o.{these}", "kept_same")
    await connection.execute(f"CREATE TEMP TABLE kept_after ON COMMIT DROP AS SELECT {names} FROM ({rows}) found")
    for table in ("kept_before", "kept_after"):
        await connection.execute(f"ANALYZE {table}")
    if await compare(connection, "kept", COLUMNS):
        await _roll(connection)
        await replace(connection, "order_facts", "kept", COLUMNS[:2], COLUMNS)
        await connection.execute(
            "INSERT INTO analytics_changes (customer_id, counted) SELECT DISTINCT customer_id, true FROM kept_moved"
        )


async def _roll(connection: asyncpg.Connection) -> None:
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
    differences = rollups.products("kept_moved", signed=True)
    await connection.execute(f"CREATE TEMP TABLE kept_products ON COMMIT DROP AS {differences}")
    await rollups.add(
        connection, "product_buckets", f"SELECT * FROM kept_products UNION ALL ({rollups.by_month('kept_products')})"
    )
