"""Following changes in tests, where transactions of other tests and PostgreSQL's own hold back the outbox."""

from typing import Any

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import Followed, follow
from app.db.places import BELOW


async def settled(connection: asyncpg.Connection) -> None:
    """Wait until nothing can come before the events of the outbox."""
    while not await connection.fetchval(f"SELECT coalesce(max(transaction_id) < {BELOW}, true) FROM outbox"):
        pass


async def followed(connection: asyncpg.Connection, shop: ShopFacts, **given: Any) -> Followed | None:
    """What ``follow`` comes to once it can see all that has happened."""
    await settled(connection)
    return await follow(connection, shop, **given)
