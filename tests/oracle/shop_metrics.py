"""What is kept of the customers of the shop: every segment and state, ties, zeros and NULLs, of deleted ones too."""

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import asyncpg

from app.models.enums import RfmSegment

SEGMENTS = tuple(each.value for each in RfmSegment if each is not RfmSegment.PROSPECTS)
REVENUES = ("0", "0.004", "10", "10.00", "10.005", "99.995", "12345678901.2345", "-3.335")


async def keep_metrics(connection: asyncpg.Connection) -> None:
    """Fill in what the refresh of the analytics would, of some customers; it need not follow from their orders."""
    chance = Random("metrics")
    rows: list[tuple[Any, ...]] = []
    ids = [record[0] for record in await connection.fetch("SELECT customer_id FROM customer_metrics ORDER BY 1")]
    for id in ids:
        if chance.random() < 0.3:
            continue
        exact = Decimal(chance.choice(REVENUES))
        sold, days = chance.choice((1, 2, 3, 7)), chance.choice((1, 2, 3))
        rows.append(
            (
                id,
                sold,
                chance.choice((0, sold)) if exact == 0 else 0,
                exact,
                days,
                None if days == 1 else chance.choice((Decimal(1), Decimal("2.5"), Decimal(30))),
                timedelta(days=chance.choice((0, 1, 1, 45)), microseconds=chance.choice((0, 1))),
                *(chance.choice((1, 2, 3, 4, 5)) for _ in range(3)),
                chance.choice(SEGMENTS),
                chance.choice(("ACTIVE", "DUE", "CHURNED")),
            )
        )
    await connection.executemany(
        """
        UPDATE customer_metrics SET sold_orders = $2, unvalued_orders = $3, exact_revenue = $4, revenue = round($4, 2),
            order_days = $5, rhythm = $6, first_sold_at = '2025-01-01', last_sold_at = timestamptz '2025-01-01Z' + $7,
            recency_score = $8, frequency_score = $9, monetary_score = $10, segment = $11, churn_state = $12
        WHERE customer_id = $1
        """,
        rows,
    )
    await connection.execute("UPDATE analytics_state SET rhythm = 12.5")
