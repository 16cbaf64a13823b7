"""The count of a customer's orders and the moment of the last stand with every change, whoever else writes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.analytics.kept_shop import KeptShop
from tests.conftest import Server

pytestmark = pytest.mark.anyio

WRONG = """
    SELECT m.customer_id, m.order_count, o.count, m.last_order_at, o.last FROM customer_metrics m LEFT JOIN (
        SELECT customer_id, count(*) AS count, max(placed_at) AS last FROM orders GROUP BY customer_id
    ) o USING (customer_id)
    WHERE (m.order_count, m.last_order_at) IS DISTINCT FROM (coalesce(o.count, 0), o.last)
"""
INSERT = """
    INSERT INTO orders (id, customer_id, status, currency, subtotal, discount, shipping_fee, placed_at)
    SELECT id, customer, 'PAID', 'EUR', 0.00, 0.00, 0.00, placed
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS o (id, customer, placed)
"""
START = datetime(2025, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


async def add(connection: asyncpg.Connection, customer: UUID, *days: int) -> list[UUID]:
    ids = [uuid4() for _ in days]
    await connection.execute(INSERT, ids, [customer] * len(days), [day(each) for each in days])
    return ids


async def kept(connection: asyncpg.Connection, customer: UUID) -> tuple[int, datetime | None]:
    row = await connection.fetchrow(
        "SELECT order_count, last_order_at FROM customer_metrics WHERE customer_id = $1", customer
    )
    return row[0], row[1]


@pytest.fixture
async def two(empty_database: str) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """Two connections to a database with no customers."""
    both = [await asyncpg.connect(empty_database) for _ in range(2)]
    yield both[0], both[1]
    for each in both:
        await each.close()


async def customers(connection: asyncpg.Connection, count: int) -> list[UUID]:
    ids = sorted(uuid4() for _ in range(count))
    await connection.execute(
        "INSERT INTO customers (id, name, kind, tier, status) SELECT unnest($1::uuid[]), 'C', 'PERSON', 'GOLD', 'LEAD'",
        ids,
    )
    return ids


async def test_every_change_of_orders_is_counted(two: tuple[asyncpg.Connection, asyncpg.Connection]) -> None:
    one, _ = two
    a, b = await customers(one, 2)
    assert await kept(one, a) == (0, None)
    first, last = await add(one, a, 1, 5)
    assert await kept(one, a) == (2, day(5))
    await one.execute("UPDATE orders SET placed_at = $2 WHERE id = $1", first, day(9))
    assert await kept(one, a) == (2, day(9))
    await one.execute("UPDATE orders SET status = 'CANCELLED', placed_at = $2 WHERE id = $1", first, day(2))
    assert await kept(one, a) == (2, day(5))
    await one.execute("UPDATE orders SET customer_id = $2 WHERE id = $1", last, b)
    assert await kept(one, a) == (1, day(2))
    assert await kept(one, b) == (1, day(5))
    await one.execute("DELETE FROM orders")
    assert await kept(one, a) == await kept(one, b) == (0, None)
    await add(one, a)
    assert await kept(one, a) == (0, None)


async def test_only_what_changes_is_written(two: tuple[asyncpg.Connection, asyncpg.Connection]) -> None:
    one, _ = two
    (a,) = await customers(one, 1)
    orders = await add(one, a, 1, 5)
    written = "SELECT xmin FROM customer_metrics WHERE customer_id = $1"
    before = await one.fetchval(written, a)
    await one.execute("UPDATE orders SET status = 'SHIPPED'")
    await one.execute("UPDATE orders SET placed_at = $2 WHERE id = $1", orders[0], day(3))
    assert await one.fetchval(written, a) == before


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_the_counts_are_right(empty_database: str, seed: int) -> None:
    connection = await asyncpg.connect(empty_database)
    shop = KeptShop(connection, seed)
    await shop.open(customers=12, orders=30)
    assert await connection.fetch(WRONG) == []
    for _ in range(40):
        done = await shop.change()
        assert await connection.fetch(WRONG) == [], done
    await connection.close()


async def test_who_takes_the_last_order_away_sees_what_another_has_just_written(
    two: tuple[asyncpg.Connection, asyncpg.Connection],
) -> None:
    """One moves an order that is not the last: nothing of the count changes. The other deletes the last meanwhile."""
    one, other = two
    (a,) = await customers(one, 1)
    early, late = await add(one, a, 5, 10)
    moving = one.transaction()
    await moving.start()
    await one.execute("UPDATE orders SET placed_at = $2 WHERE id = $1", early, day(6))
    deleting = asyncio.create_task(other.execute("DELETE FROM orders WHERE id = $1", late))
    await _waits(one, deleting)
    await moving.commit()
    await deleting
    assert await kept(one, a) == (1, day(6))


async def test_two_new_orders_of_one_customer_are_both_counted(
    two: tuple[asyncpg.Connection, asyncpg.Connection],
) -> None:
    one, other = two
    (a,) = await customers(one, 1)
    first = one.transaction()
    await first.start()
    await add(one, a, 7)
    second = asyncio.create_task(add(other, a, 3))
    await _waits(one, second)
    await first.commit()
    await second
    assert await kept(one, a) == (2, day(7))


async def _waits(connection: asyncpg.Connection, task: "asyncio.Task[object]") -> None:
    """Wait until the task waits for a lock."""
    while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        assert not task.done()
        await asyncio.sleep(0)


async def test_many_who_write_for_the_same_customers_never_stand_in_each_others_way(
    server: Server, empty_database: str
) -> None:
    """Each statement is about several customers, in no order: a deadlock would be an error here."""
    connections = [await asyncpg.connect(empty_database) for _ in range(6)]
    shared = await customers(connections[0], 8)

    async def work(number: int) -> None:
        connection, chance = connections[number], Random(number)
        mine: list[UUID] = []
        for _ in range(25):
            deed = chance.choice(("insert", "insert", "move", "redate", "delete"))
            some = chance.sample(mine, min(len(mine), 4))
            if deed == "insert" or not some:
                fresh = [uuid4() for _ in range(4)]
                places = [chance.choice(shared) for _ in fresh]
                await connection.execute(INSERT, fresh, places, [day(chance.randrange(30)) for _ in fresh])
                mine += fresh
            elif deed == "move":
                target = [chance.choice(shared) for _ in some]
                await connection.execute(
                    "UPDATE orders o SET customer_id = n.customer FROM unnest($1::uuid[], $2::uuid[]) n (id, customer)"
                    " WHERE o.id = n.id",
                    *(some, target),
                )
            elif deed == "redate":
                await connection.execute(
                    "UPDATE orders SET placed_at = $2 WHERE id = ANY ($1)", some, day(chance.randrange(30))
                )
            else:
                await connection.execute("DELETE FROM orders WHERE id = ANY ($1)", some)
                mine = [each for each in mine if each not in some]

    await asyncio.gather(*(work(number) for number in range(len(connections))))
    assert await connections[0].fetch(WRONG) == []
    assert await connections[0].fetchval("SELECT count(*) FROM orders") > 20
    for connection in connections:
        await connection.close()
