"""What is kept of the opportunities is what the rows say, however it came to be."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import Followed
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from tests.analytics import deal_shop
from tests.analytics.following import followed
from tests.analytics.kept_deal_shop import DEEDS, KeptDeals
from tests.analytics.plain_deals import assert_deals_right

pytestmark = pytest.mark.anyio

ZONE = "Europe/Berlin"
SHOP = ShopFacts("EUR", ZONE)
EVERYTHING = Followed(0, everything=True)


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    found = await asyncpg.connect(empty_database, server_settings={"TimeZone": "UTC"})
    yield found
    await found.close()


async def filled(connection: asyncpg.Connection, url: str, seed: int, customers: int = 15) -> KeptDeals:
    """A shop of which everything is kept."""
    users = await deal_shop.build(url, seed, ZONE, customers)
    await all_anew(connection)
    return KeptDeals(connection, users, seed, ZONE)


async def all_anew(connection: asyncpg.Connection) -> None:
    async with turn(connection):
        await refresh(connection, SHOP, datetime.now(UTC))


async def bring(connection: asyncpg.Connection, shop: ShopFacts = SHOP) -> Followed | None:
    return await followed(connection, shop, outbox_hours=72)


async def test_an_empty_shop(connection: asyncpg.Connection) -> None:
    await all_anew(connection)
    await assert_deals_right(connection)


@pytest.mark.parametrize("seed", range(3))
async def test_everything_counted_anew(connection: asyncpg.Connection, empty_database: str, seed: int) -> None:
    shop = await filled(connection, empty_database, seed, customers=20 * seed + 1)
    await assert_deals_right(connection)
    for _ in range(10):
        await shop.change()
    await all_anew(connection)
    await assert_deals_right(connection)


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_happens_is_followed(connection: asyncpg.Connection, empty_database: str, seed: int) -> None:
    shop = await filled(connection, empty_database, seed)
    for _ in range(10):
        happened = [await shop.change() for _ in range(shop.chance.choice((1, 2, 5)))]
        await shop.tell()
        done = await bring(connection)
        assert done is None or not done.everything, happened
        await assert_deals_right(connection)


@pytest.mark.parametrize("deed", sorted(set(DEEDS)))
async def test_each_deed_is_followed(connection: asyncpg.Connection, empty_database: str, deed: str) -> None:
    shop = await filled(connection, empty_database, 1)
    for _ in range(5):
        await shop.change(deed)
        await shop.tell()
        done = await bring(connection)
        assert done is None or not done.everything
        await assert_deals_right(connection)


async def test_how_many_were_looked_at_is_told(connection: asyncpg.Connection, empty_database: str) -> None:
    shop = await filled(connection, empty_database, 2)
    assert await bring(connection) is None
    await shop.change("edited")
    await shop.change("opened")
    await shop.tell()
    assert await bring(connection) == Followed(0, opportunities=2)
    await shop.connection.execute("INSERT INTO analytics_changes (ticket_id) SELECT id FROM tickets LIMIT 1")
    done = await bring(connection)
    assert done is not None
    assert (done.customers, done.opportunities, done.everything) == (0, 0, False)


async def test_a_crash_after_the_facts_is_made_up_for(
    connection: asyncpg.Connection, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await filled(connection, empty_database, 3)

    async def crash(*_: object, **__: object) -> None:
        raise ConnectionResetError

    for place in ("follow.measure", "follow.write_followed", "deals.rollups.add"):
        for _ in range(6):
            await shop.change()
        await shop.change("edited")
        await shop.tell()
        with monkeypatch.context() as patched:
            patched.setattr(f"app.analytics.keeping.{place}", crash)
            with pytest.raises(ConnectionResetError):
                await bring(connection)
        # What was written before the crash need not be written again.
        assert (await bring(connection) is None) == (place == "follow.measure")
        await assert_deals_right(connection)


async def test_another_time_zone_or_currency_counts_everything_anew(
    connection: asyncpg.Connection, empty_database: str
) -> None:
    await filled(connection, empty_database, 4)
    for other in (ShopFacts("EUR", "America/New_York"), ShopFacts("USD", "Asia/Kathmandu")):
        assert await bring(connection, other) == EVERYTHING
        await assert_deals_right(connection, currency=other.currency, zone=other.timezone)


async def test_a_great_many_changes_count_everything_anew(
    connection: asyncpg.Connection, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.analytics.keeping.deals.MOST", 2)
    shop = await filled(connection, empty_database, 5, customers=30)
    facts = await connection.fetchval("SELECT count(*) FROM opportunity_facts")
    queue = "INSERT INTO analytics_changes (opportunity_id) SELECT id FROM opportunities LIMIT $1"
    for count, everything in ((facts // 10, False), (facts // 10 + 1, True)):
        for _ in range(4):
            await shop.change("edited")
        await connection.execute(queue, count)
        done = await bring(connection)
        assert done is not None
        assert done.everything == everything
        shop.untold.clear()
        await all_anew(connection)
        await assert_deals_right(connection)


async def test_a_way_through_very_many_stages(connection: asyncpg.Connection, empty_database: str) -> None:
    """An entry of an index has no room for their ids."""
    shop = await filled(connection, empty_database, 6)
    await connection.execute(
        "INSERT INTO stages (id, name, kind, position, probability)"
        " SELECT gen_random_uuid(), 'Step ' || n, 'OPEN', n, 5 FROM generate_series(10, 409) n"
    )
    deal = await shop.some("opportunities", "deleted_at IS NULL")
    await connection.execute(
        "INSERT INTO stage_changes (id, opportunity_id, to_stage_id, changed_at)"
        " SELECT gen_random_uuid(), $1, id, now() FROM stages",
        deal["id"],
    )
    shop.untold.append(("Opportunity", deal["id"], "move"))
    await shop.tell()
    assert await bring(connection) == Followed(0, opportunities=1)
    await assert_deals_right(connection)
    await all_anew(connection)
    await assert_deals_right(connection)
