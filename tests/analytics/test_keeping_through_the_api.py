"""What callers, imports and the keeper do reaches what is kept."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import Followed
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from app.keeper import Keeper
from app.settings import Settings
from tests.analytics.following import followed
from tests.analytics.plain_metrics import assert_right
from tests.api import SECRET, open_api
from tests.importing.conftest import Desk
from tests.nasty_shop import Shop
from tests.oracle.rows import typed_id
from tests.writing.calls import call
from tests.writing.conftest import office as office
from tests.writing.deeds import Office
from tests.writing.selling import made, step

pytestmark = pytest.mark.anyio

SHOP = ShopFacts("EUR", "Europe/Berlin")


async def caught_up(connection: asyncpg.Connection) -> Followed | None:
    now = datetime.now(UTC)
    done = await followed(connection, SHOP, outbox_hours=72, now=now, wait=True)
    as_of = await connection.fetchval("SELECT as_of FROM analytics_state")
    await assert_right(connection, as_of)
    return done


async def test_a_stranger_learns_of_no_refresh(shop: Shop) -> None:
    async with open_api(shop.url) as api:
        answer = await api.post("{ analytics { refreshedAt } }")
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_refreshed_at_is_the_moment_of_the_metrics(office: Office) -> None:
    asked = "{ analytics { refreshedAt } }"
    assert (await office.do(asked, "SUPPORT"))["data"] == {"analytics": {"refreshedAt": None}}
    async with turn(office.connection):
        await refresh(office.connection, SHOP, datetime(2026, 1, 2, 3, tzinfo=UTC))
    assert (await office.do(asked, "ADMIN"))["data"] == {
        "analytics": {"refreshedAt": "2026-01-02T03:00:00.000000+00:00"}
    }


async def test_every_deed_to_orders_and_customers_is_followed(office: Office) -> None:
    connection = office.connection
    await caught_up(connection)
    order = await made(office, placedAt="2026-01-05T10:00:00Z")
    assert await caught_up(connection) == Followed(1)
    for action in ("pay", "ship", "deliver", "complete"):
        await step(office, order, action)
        assert await caught_up(connection) == Followed(1)
    kept = "SELECT status FROM orders o JOIN order_facts f ON f.order_id = o.id WHERE o.number = $1"
    assert await connection.fetchval(kept, order["number"]) == "COMPLETED"
    for action in ("cancel", "refund"):
        other = await made(office, placedAt="2026-01-06T10:00:00Z")
        await step(office, other, "pay")
        await caught_up(connection)
        await step(office, other, action)
        assert await caught_up(connection) == Followed(1)


async def test_deleted_restored_and_merged_customers_are_followed(office: Office) -> None:
    connection = office.connection
    await caught_up(connection)
    for label in ("probe_1", "probe_2"):
        order = await made(office, label=label, placedAt="2026-01-05T10:00:00Z")
        await step(office, order, "pay")
    await caught_up(connection)
    one, other = (office.label(label) for label in ("probe_1", "probe_2"))
    first, second = one.id, other.id
    facts = "SELECT count(*) FROM order_facts WHERE customer_id = $1"
    version = "SELECT version FROM customers WHERE id = $1"
    before = [await connection.fetchval(facts, id) for id in (first, second)]
    assert all(before)

    await call(office, "deleteCustomer", id=typed_id(one), version=await connection.fetchval(version, first))
    await caught_up(connection)
    assert await connection.fetchval(facts, first) == 0
    await call(office, "restoreCustomer", id=typed_id(one))
    await caught_up(connection)
    assert await connection.fetchval(facts, first) == before[0]
    merge = (
        "mutation($keep: ID!, $merge: [ID!]!) { mergeCustomers(keepId: $keep, mergeIds: $merge) { errors { code } } }"
    )
    done = await office.do(merge, "ADMIN", keep=typed_id(other), merge=[typed_id(one)])
    assert done["data"]["mergeCustomers"]["errors"] == []
    await caught_up(connection)
    assert [await connection.fetchval(facts, id) for id in (first, second)] == [0, sum(before)]
    await call(office, "unmergeCustomer", id=typed_id(one))
    await caught_up(connection)
    assert [await connection.fetchval(facts, id) for id in (first, second)] == before


async def test_what_is_imported_is_followed(empty_database: str, tmp_path: Path) -> None:
    """Orders that are new, changed, moved to another customer; lines, rates."""
    key = 'system = "shop"\nexternal_id = "{id}"\n'
    order = key + (
        '[fields]\ncustomer = "{customer}"\ncurrency = "{currency}"\nstatus = "{status}"\nplaced_at = "{placed}"\n'
    )
    line = (
        'system = "shop"\n[fields]\norder = "{order}"\nposition = "{id}"\nquantity = "{n}"\n'
        'unit_price = "2"\nproduct = { value = "A", by = "sku" }\n'
    )
    connection = await asyncpg.connect(empty_database)
    desk = Desk(connection, tmp_path)
    await desk.run("customer", key + '[fields]\nname = "{id}"\n', "id\nC\nD\n")
    await desk.run("product", '[fields]\nsku = "A"\nname = "A"\nprice = "10"\ncurrency = "EUR"\n', "s\nA\n")
    head = "id,customer,currency,status,placed\n"
    await caught_up(connection)
    for text in (
        "1,C,EUR,paid,2024-01-01\n2,C,USD,paid,2024-01-02\n3,D,EUR,pending_payment,2024-01-03\n",
        "1,D,EUR,paid,2024-01-01\n2,C,USD,refunded,2024-01-02\n3,D,EUR,paid,2024-02-03\n",
    ):
        await desk.run("order", order, head + text)
        done = await caught_up(connection)
        assert done is not None
        assert not done.everything
    for text in ("id,order,n\n1,1,3\n2,3,4\n", "id,order,n\n1,1,5\n2,3,1\n"):
        await desk.run("order-line", line, text)
        assert await caught_up(connection) == Followed(1)
    assert await connection.fetchval("SELECT sum(quantity) FROM product_buckets WHERE bucket = 'DAY'") == 6
    await connection.execute("INSERT INTO exchange_rates VALUES ('USD', '2024-01-01', 0.9)")
    await caught_up(connection)
    await connection.close()


async def until(connection: asyncpg.Connection, query: str, *arguments: str) -> None:
    """Wait until the database says yes: somebody else is at work."""
    async with asyncio.timeout(30):
        while not await connection.fetchval(query, *arguments):
            await connection.execute("SELECT pg_sleep(0.05)")


async def test_the_keeper_follows_within_seconds(office: Office) -> None:
    settings = Settings(secret=SECRET, database_url=office.url, data_dir=Path("/nonexistent"))
    keeping = asyncio.create_task(Keeper(office.url, settings).run())
    try:
        snapped = "EXISTS (SELECT FROM segment_snapshot_months)"
        await until(office.connection, f"SELECT whole AND {snapped} FROM analytics_state")
        order = await made(office, placedAt="2026-01-05T10:00:00Z")
        await step(office, order, "pay")
        there = "SELECT EXISTS (SELECT FROM order_facts f JOIN orders o ON o.id = f.order_id WHERE o.number = $1)"
        await until(office.connection, there, order["number"])
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_a_large_import_counts_everything_anew(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.importing.changes.MOST", 1)
    connection = await asyncpg.connect(empty_database)
    desk = Desk(connection, tmp_path)
    await caught_up(connection)
    await desk.run("customer", 'system = "shop"\nexternal_id = "{id}"\n[fields]\nname = "{id}"\n', "id\nC\nD\n")
    order = (
        'system = "shop"\nexternal_id = "{id}"\n[fields]\ncustomer = "{id}"\ncurrency = "EUR"\nstatus = "paid"\n'
        'placed_at = "2024-01-01"\n'
    )
    await desk.run("order", order, "id\nC\nD\n", dry_run=True)
    assert await caught_up(connection) is None
    await desk.run("order", order, "id\nC\nD\n")
    assert await caught_up(connection) == Followed(0, everything=True)
    await connection.close()
