"""Adding up what the triggers of ``customer_metrics`` write down about the customers of each segment and state."""

import asyncpg

MOST = 1_000
"""Rows from which it is worth while: as many are read in a millisecond."""

_ADD_UP = """
    WITH gone AS (DELETE FROM customer_totals RETURNING segment, churn_state, customers, revenue, unvalued_orders)
    INSERT INTO customer_totals (segment, churn_state, customers, revenue, unvalued_orders)
    SELECT segment, churn_state, sum(customers), sum(revenue), sum(unvalued_orders) FROM gone
    GROUP BY segment, churn_state
    HAVING sum(customers) <> 0 OR sum(revenue) <> 0 OR sum(unvalued_orders) <> 0
"""


async def add_up(connection: asyncpg.Connection, most: int = MOST) -> bool:
    """Make one row of each segment and state where there are more than ``most`` rows; whether that was so.

    Nobody waits for it, and who reads meanwhile sees the rows as they were before.
    """
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM customer_totals OFFSET $1)", most):
        return False
    await connection.execute(_ADD_UP)
    return True
