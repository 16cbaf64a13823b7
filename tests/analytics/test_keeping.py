"""What is kept for the figures is what the rows say, however it came to be."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import Followed, follow
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from tests.analytics.kept_shop import END, START, KeptShop
from tests.analytics.plain_metrics import assert_right

pytestmark = pytest.mark.anyio

SHOP = ShopFacts("EUR", "Europe/Berlin")
AGES = 1_000_000
"""Hours that an outbox may be old here: the moments of the tests are years apart."""


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    found = await asyncpg.connect(empty_database, server_settings={"TimeZone": "UTC"})
    yield found
    await found.close()


async def bring(connection: asyncpg.Connection, now: datetime) -> Followed | None:
    return await follow(connection, SHOP, outbox_hours=AGES, now=now)


async def all_anew(connection: asyncpg.Connection, as_of: datetime, shop: ShopFacts = SHOP) -> None:
    async with turn(connection):
        await refresh(connection, shop, as_of)


async def test_an_empty_shop(connection: asyncpg.Connection) -> None:
    await all_anew(connection, END)
    await assert_right(connection, END)


@pytest.mark.parametrize("seed", range(4))
async def test_everything_counted_anew(connection: asyncpg.Connection, seed: int) -> None:
    shop = KeptShop(connection, seed)
    await shop.open(customers=12 * seed + 1, orders=50)
    await all_anew(connection, END)
    await assert_right(connection, END)
    await all_anew(connection, datetime(2024, 6, 1, tzinfo=UTC))
    await assert_right(connection, datetime(2024, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_is_followed(connection: asyncpg.Connection, seed: int) -> None:
    shop = KeptShop(connection, seed)
    await shop.open(customers=3 + 4 * (seed % 6), orders=20 + 10 * (seed % 3))
    now = START + timedelta(days=20 * seed)
    await all_anew(connection, now)
    await shop.tell()
    happened = []
    for _ in range(12):
        happened.append([await shop.change() for _ in range(shop.chance.choice((0, 1, 3)))])
        await shop.tell()
        now += timedelta(days=shop.chance.choice((0, 1, 9, 40)), hours=shop.chance.randrange(24))
        done = await bring(connection, now)
        if done is not None:
            assert not done.everything
            await assert_right(connection, now)
