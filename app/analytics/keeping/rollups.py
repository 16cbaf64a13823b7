"""Roll-ups of the facts: sales by day to year, products by day and month, cohorts of customers by month.

Customers of a bucket are counted at the first of their orders in it; so all buckets come from one pass over the facts.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from collections.abc import Collection

import asyncpg

from app.models.kept import NO_PRODUCT

_UNITS = ("day", "week", "month", "quarter", "year")
_CALENDAR = ", ".join(f"date_trunc('{unit}', day::timestamp)::date AS {unit}" for unit in _UNITS[1:])


def calendar(source: str) -> str:
    """The days of ``source`` with the first day of the week, month, quarter and year of each."""
    return f"SELECT day, {_CALENDAR} FROM (SELECT DISTINCT day FROM {source}) days"


def by_day(source: str, days: str) -> str:
    """The facts of ``source`` by cohort and day: orders, amount, unvalued ones, and the customers who come up for the
    first time in the day, the week, and so on. ``days`` is their calendar."""
    new = ", ".join(f"count(*) FILTER (WHERE before IS NULL OR before < d.{u}) AS new_in_{u}" for u in _UNITS)
    return f"""
        SELECT f.month AS cohort, d.day, d.week, d.month, d.quarter, d.year, count(*) AS orders,
            coalesce(sum(s.amount), 0) AS amount, count(*) FILTER (WHERE s.rate IS NULL) AS unvalued, {new}
        FROM (
            SELECT day, rate, amount, lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS before,
                first_value(day) OVER (PARTITION BY customer_id ORDER BY placed_at) AS first_day
            FROM {source}
        ) s JOIN {days} d ON d.day = s.day JOIN {days} f ON f.day = s.first_day
        GROUP BY 1, 2, 3, 4, 5, 6
    """


def sales(daily: str, *, negative: bool = False) -> str:
    """The rows of ``sales_buckets`` that the rows ``daily`` of ``by_day`` make, or take away."""
    sign = "-" if negative else ""
    members = ", ".join(f"('{unit.upper()}', {unit}, new_in_{unit})" for unit in _UNITS)
    return f"""
        SELECT v.bucket, v.start, {sign}sum(orders)::int AS orders, {sign}sum(v.customers)::int AS customers,
            {sign}sum(amount) AS amount, {sign}sum(unvalued)::int AS unvalued
        FROM {daily} CROSS JOIN LATERAL (VALUES {members}) v(bucket, start, customers) GROUP BY 1, 2
    """


def cohorts(daily: str, *, negative: bool = False) -> str:
    """The rows of ``cohort_buckets`` that the rows ``daily`` of ``by_day`` make, or take away."""
    sign = "-" if negative else ""
    return f"SELECT cohort, month, {sign}sum(new_in_month)::int AS customers FROM {daily} GROUP BY 1, 2"


def products(source: str, *, signed: bool = False) -> str:
    """The rows of ``product_buckets`` by DAY that the facts of ``source`` make, or add and take away, as their ``sign``
    says."""
    sign, times = (", sign", "sign * ") if signed else ("", "")
    # Day by day, what is added up at a time is little.
    return f"""
        SELECT 'DAY' AS bucket, day AS start, coalesce(product_id, '{NO_PRODUCT}') AS product_id,
            sum({times}quantity)::bigint AS quantity, {"sum(sign)" if signed else "count(*)"}::int AS orders,
            coalesce(sum({times}total * rate), 0) AS amount
        FROM (
            SELECT day, rate, unnest(products) AS product_id, unnest(quantities) AS quantity,
                unnest(totals) AS total{sign}
            FROM (SELECT * FROM {source} ORDER BY day OFFSET 0) s
        ) l
        GROUP BY 2, 3
    """


def by_month(source: str) -> str:
    """The rows of ``product_buckets`` by MONTH that rows by DAY make: an order is of one day."""
    return f"""
        SELECT 'MONTH' AS bucket, date_trunc('month', start::timestamp)::date AS start, product_id,
            sum(quantity)::bigint AS quantity, sum(orders)::int AS orders, sum(amount) AS amount
        FROM {source} GROUP BY 2, 3
    """


async def make(connection: asyncpg.Connection, table: str, select: str) -> None:
    """Make a table of the rows of ``select`` for this transaction. It is no temporary one, which workers in parallel
    could not read; the caller drops it."""
    await connection.execute(f"CREATE UNLOGGED TABLE {table} AS {select}")
    await connection.execute(f"ANALYZE {table}")


_KEYS = {
    "sales_buckets": (("bucket", "start"), ("orders", "customers", "amount", "unvalued"), "orders"),
    "product_buckets": (("bucket", "start", "product_id"), ("quantity", "orders", "amount"), "orders"),
    "cohort_buckets": (("cohort", "month"), ("customers",), "customers"),
    "ticket_buckets": (("what", "bucket", "start", "label"), ("tickets",), "tickets"),
    "metric_counts": (("metric", "value"), ("customers",), "customers"),
    "pipeline_buckets": (
        ("stage_id", "closed", "currency", "expected"),
        ("opportunities", "entered", "amount", "weighted"),
        "opportunities",
    ),
    "closing_buckets": (
        ("by", "month", "id", "stage_id", "currency"),
        ("opportunities", "amount", "length"),
        "opportunities",
    ),
    "funnel_buckets": (("month", "way"), ("opportunities",), "opportunities"),
}


async def add(connection: asyncpg.Connection, table: str, differences: str) -> None:
    """Add the rows ``differences`` to those of a roll-up. What has come to nothing goes."""
    keys, values, count = _KEYS[table]
    names = ", ".join((*keys, *values))
    sums = ", ".join(f"sum({name}) AS {name}" for name in values)
    some = " OR ".join(f"sum({name}) <> 0" for name in values)
    raised = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in values)
    empty = await connection.fetch(
        f"""
        WITH changed AS (
            INSERT INTO {table} AS t ({names})
            SELECT {", ".join(keys)}, {sums} FROM ({differences}) d GROUP BY {", ".join(keys)} HAVING {some}
            ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {raised}
            RETURNING {", ".join((*keys, count))}
        ) SELECT {", ".join(keys)} FROM changed WHERE {count} = 0
        """
    )
    if empty:
        same = " AND ".join(f"{key} = ${number}" for number, key in enumerate(keys, 1))
        await connection.executemany(f"DELETE FROM {table} WHERE {same}", [tuple(row) for row in empty])


async def bring(
    connection: asyncpg.Connection,
    table: str,
    source: str,
    keys: Collection[str],
    values: Collection[str],
    order: Collection[str] = (),
) -> None:
    """Make the rows of ``table`` those of ``source``, writing only what differs, in the ``order`` of the keys or of
    these columns of ``source``."""
    same = " AND ".join(f"n.{key} = t.{key}" for key in keys)
    names = ", ".join((*keys, *values))
    alike = (
        f"ROW({', '.join(f'n.{v}' for v in values)}) IS NOT DISTINCT FROM ROW({', '.join(f't.{v}' for v in values)})"
    )
    await connection.execute(
        f"DELETE FROM {table} t WHERE NOT EXISTS (SELECT FROM {source} n WHERE {same} AND {alike})"
    )
    await connection.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {source} n"
        f" WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same}) ORDER BY {', '.join(order or keys)}"
    )


async def replace(connection: asyncpg.Connection, table: str, source: str) -> None:
    """Make the rows of a roll-up those of ``source``, writing only what differs."""
    keys, values, _ = _KEYS[table]
    await bring(connection, table, source, keys, values)
