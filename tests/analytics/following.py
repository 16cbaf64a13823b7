"""Following changes in tests, where transactions of other tests and PostgreSQL's own hold back the outbox."""

from typing import Any

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import Followed, follow
from tests.settling import settled


async def followed(connection: asyncpg.Connection, shop: ShopFacts, **given: Any) -> Followed | None:
    """What ``follow`` comes to once it can see all that has happened."""
    await settled(connection)
    return await follow(connection, shop, **given)
