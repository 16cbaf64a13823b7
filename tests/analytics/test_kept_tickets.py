"""What is kept of tickets is what the rows say, and gives the same figures, however it came to be."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from app.models.base import utcnow
from tests.analytics.test_pipeline_figures import PERIODS, TICKETS, Shop, opened

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def shop(server: Any, migrated: str) -> AsyncIterator[Shop]:
    async with opened(server, migrated, "Europe/Berlin") as found:
        yield found


async def test_thin(shop: Shop) -> None:
    url = shop.url
    for start, end in PERIODS:
        for bucket in ("DAY", "MONTH"):
            raw, _ = await shop.ask("admin", TICKETS, bucket=bucket, **{"from": start, "to": end})
            connection = await asyncpg.connect(url)
            async with turn(connection):
                await refresh(connection, ShopFacts("EUR", "Europe/Berlin"), utcnow())
            rolled, _ = await shop.ask("admin", TICKETS, bucket=bucket, **{"from": start, "to": end})
            assert rolled == raw
            await connection.execute("UPDATE analytics_state SET built = false")
            await connection.close()
