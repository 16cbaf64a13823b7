"""What is kept for the figures is what the rows say, however it came to be."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import Followed, follow
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.snapshots import NotKeptError, snapshot, snapshot_due
from app.analytics.keeping.state import turn
from tests.analytics.following import followed
from tests.analytics.kept_shop import END, START, KeptShop
from tests.analytics.plain_metrics import PlainShop, assert_right

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
    return await followed(connection, SHOP, outbox_hours=AGES, now=now)


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


async def test_two_who_follow_at_once_come_to_the_same(connection: asyncpg.Connection, empty_database: str) -> None:
    shop = KeptShop(connection, 99)
    await shop.open(customers=12, orders=40)
    await all_anew(connection, END)
    other = await asyncpg.connect(empty_database, server_settings={"TimeZone": "UTC"})
    for _ in range(4):
        for _ in range(4):
            await shop.change()
        await shop.tell()
        done = await asyncio.gather(
            bring(connection, END), follow(other, SHOP, outbox_hours=AGES, now=END, wait=True), return_exceptions=True
        )
        assert not [each for each in done if isinstance(each, BaseException)]
        await assert_right(connection, END)
    await other.close()


async def test_one_at_work_is_not_disturbed(connection: asyncpg.Connection, empty_database: str) -> None:
    other = await asyncpg.connect(empty_database)
    async with turn(other):
        assert await bring(connection, END) is None
    assert await bring(connection, END) == Followed(0, everything=True)
    await other.close()


async def test_a_crash_between_facts_and_metrics_is_made_up_for(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = KeptShop(connection, 5)
    await shop.open(customers=12, orders=40)
    await all_anew(connection, END)
    await shop.tell()
    await bring(connection, END)
    for _ in range(6):
        await shop.change()
    await shop.add_order(status="PAID", placed_at=START)
    await shop.tell()

    async def crash(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr("app.analytics.keeping.follow.measure", crash)
        with pytest.raises(ConnectionResetError):
            await bring(connection, END)
    assert await connection.fetchval("SELECT count(*) FROM analytics_changes WHERE counted")
    assert await bring(connection, END) is not None
    await assert_right(connection, END)


async def test_a_crash_in_a_refresh_is_made_up_for(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = KeptShop(connection, 6)
    await shop.open(customers=12, orders=40)

    async def crash(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr("app.analytics.keeping.refresh._write_counts", crash)
        with pytest.raises(ConnectionResetError):
            await all_anew(connection, END)
    assert await bring(connection, END) == Followed(0, everything=True)
    await assert_right(connection, END)


async def test_another_time_zone_or_currency_counts_everything_anew(connection: asyncpg.Connection) -> None:
    shop = KeptShop(connection, 7)
    await shop.open(customers=12, orders=40)
    await all_anew(connection, END)
    for other in (ShopFacts("EUR", "America/Sao_Paulo"), ShopFacts("JPY", "Asia/Tokyo")):
        done = await followed(connection, other, outbox_hours=AGES, now=END)
        assert done == Followed(0, everything=True)
        places = 0 if other.currency == "JPY" else 2
        await assert_right(connection, END, currency=other.currency, zone=other.timezone, places=places)


async def test_an_outbox_that_may_have_been_cleared_away_counts_everything_anew(connection: asyncpg.Connection) -> None:
    shop = KeptShop(connection, 8)
    await shop.open(customers=5, orders=10)
    now = datetime.now(UTC)
    await all_anew(connection, now)
    assert await followed(connection, SHOP, outbox_hours=72, now=now + timedelta(hours=70)) == Followed(0)
    late = now + timedelta(hours=142)
    assert await followed(connection, SHOP, outbox_hours=72, now=late) == Followed(0, everything=True)
    await assert_right(connection, late)


async def test_metrics_of_the_past_stay_there_until_a_refresh_without(connection: asyncpg.Connection) -> None:
    shop = KeptShop(connection, 9)
    await shop.open(customers=12, orders=40)
    past = datetime(2024, 7, 1, 12, tzinfo=UTC)
    async with turn(connection):
        await refresh(connection, SHOP, past, pinned=True)
    for _ in range(5):
        await shop.change()
    await shop.add_order(status="PAID", placed_at=past - timedelta(days=1))
    await shop.add_order(status="PAID", placed_at=past + timedelta(days=1))
    await shop.tell()
    assert await bring(connection, END) is not None
    await assert_right(connection, past)
    await all_anew(connection, END)
    await assert_right(connection, END)


async def test_a_row_that_somebody_writes_is_left_for_later(
    connection: asyncpg.Connection, empty_database: str
) -> None:
    shop = KeptShop(connection, 10)
    await shop.open(customers=12, orders=40)
    await all_anew(connection, END)
    customer = shop.customers[0]
    await shop.add_order(customer=customer, status="PAID")
    await shop.tell()
    other = await asyncpg.connect(empty_database)
    async with other.transaction():
        await other.execute("UPDATE customer_metrics SET order_count = 7 WHERE customer_id = $1", customer)
        await bring(connection, END)
        waiting = await connection.fetch("SELECT customer_id, counted FROM analytics_changes")
        assert (customer, True) in [tuple(row) for row in waiting]
    await bring(connection, END)
    await assert_right(connection, END)
    assert await connection.fetchval("SELECT order_count FROM customer_metrics WHERE customer_id = $1", customer) == 7
    await other.close()


async def test_writers_do_not_wait_for_a_refresh_that_waits_for_them(
    connection: asyncpg.Connection, empty_database: str
) -> None:
    shop = KeptShop(connection, 11)
    await shop.open(customers=6, orders=30)
    other = await asyncpg.connect(empty_database)
    first, second = shop.customers[:2]
    change = "UPDATE customer_metrics SET order_count = 7 WHERE customer_id = $1"
    async with other.transaction():
        await other.execute(change, first)
        working = asyncio.create_task(all_anew(connection, END))
        waits = (
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'transactionid')"
        )
        while not await other.fetchval(waits):
            pass
        await other.execute(change, second)
    await working
    await assert_right(connection, END)
    await other.close()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 6, 7, 11, 12, 26, 51])
async def test_scores_are_percent_ranks(connection: asyncpg.Connection, n: int) -> None:
    """The database's own percent_rank, for whatever ties."""
    shop = KeptShop(connection, n)
    await shop.open(customers=max(1, n), orders=0)
    for customer in shop.customers[:n]:
        for _ in range(shop.chance.choice((1, 1, 1, 2, 2, 3, 5))):
            await shop.add_order(customer=customer, status="PAID")
    await all_anew(connection, END)
    rank = "least(5, 1 + floor(round(5 * (percent_rank() OVER (ORDER BY {}))::numeric, 12)))"
    wrong = await connection.fetch(
        f"""
        SELECT FROM (
            SELECT recency_score, frequency_score, monetary_score, {rank.format("last_sold_at")} AS r,
                {rank.format("sold_orders")} AS f, {rank.format("exact_revenue")} AS m
            FROM customer_metrics WHERE sold_orders > 0
        ) scores WHERE (recency_score, frequency_score, monetary_score) IS DISTINCT FROM (r, f, m)
        """
    )
    assert wrong == []
    await assert_right(connection, END)


async def test_snapshots_are_the_metrics_of_the_beginnings_of_months(connection: asyncpg.Connection) -> None:
    shop = KeptShop(connection, 12)
    await shop.open(customers=15, orders=60)
    with pytest.raises(NotKeptError):
        await snapshot(connection, SHOP, date(2024, 5, 1))
    await all_anew(connection, END)
    plain = await PlainShop("EUR", "Europe/Berlin", 2).read(connection)
    for month in (date(2023, 1, 1), date(2024, 4, 1), date(2024, 11, 1), date(2024, 4, 1)):
        right, _ = plain.metrics(datetime(month.year, month.month, 1, tzinfo=ZoneInfo("Europe/Berlin")))
        wanted = {
            (id, each["segment"], each["churn_state"], each["revenue"])
            for id, each in right.items()
            if each["sold_orders"]
        }
        assert await snapshot(connection, SHOP, month) == len(wanted)
        rows = await connection.fetch(
            "SELECT customer_id, segment, churn_state, revenue FROM segment_snapshots WHERE month = $1", month
        )
        assert {tuple(row) for row in rows} == wanted
    months = await connection.fetch("SELECT month FROM segment_snapshot_months ORDER BY 1")
    assert [month for (month,) in months] == [date(2023, 1, 1), date(2024, 4, 1), date(2024, 11, 1)]
    await assert_right(connection, END)


async def test_a_month_gets_its_snapshot_once(connection: asyncpg.Connection) -> None:
    assert await snapshot_due(connection, SHOP) is None
    await all_anew(connection, datetime(2024, 12, 31, 22, 59, 59, tzinfo=UTC))
    assert await snapshot_due(connection, SHOP) == date(2024, 12, 1)
    assert await snapshot_due(connection, SHOP) is None
    await all_anew(connection, datetime(2024, 12, 31, 23, tzinfo=UTC))
    assert await snapshot_due(connection, SHOP) == date(2025, 1, 1)
    async with turn(connection):
        await refresh(connection, SHOP, datetime(2024, 2, 1, tzinfo=UTC), pinned=True)
    assert await snapshot_due(connection, SHOP) is None


async def test_lines_that_change_are_followed(connection: asyncpg.Connection) -> None:
    shop = KeptShop(connection, 13)
    await shop.open(customers=6, orders=0)
    orders = [await shop.add_order(status="PAID", placed_at=START + timedelta(days=day)) for day in range(3)]
    await all_anew(connection, END)
    await shop.tell()
    await bring(connection, END)
    for count in (2, 3):
        for order in orders[:count]:
            await shop.set_lines(order)
            await connection.execute("INSERT INTO analytics_changes (order_id) VALUES ($1)", order)
        done = await bring(connection, END)
        assert done is not None
        assert not done.everything
        await assert_right(connection, END)
