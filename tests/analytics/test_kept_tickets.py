"""What is kept of tickets is what the rows say, however it came to be."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import Followed
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from app.db.migrate import migrate
from tests.analytics.following import followed
from tests.analytics.kept_tickets import TicketShop
from tests.analytics.plain_tickets import assert_tickets_right
from tests.importing.conftest import Desk
from tests.oracle.rows import typed_id
from tests.settling import settled
from tests.writing.calls import call
from tests.writing.conftest import office as office
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

SHOP = ShopFacts("EUR", "Europe/Berlin")
NOW = datetime(2025, 1, 1, tzinfo=UTC)
AGES = 1_000_000
"""Hours that an outbox may be old here."""


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    found = await asyncpg.connect(empty_database, server_settings={"TimeZone": "UTC"})
    yield found
    await found.close()


async def bring(connection: asyncpg.Connection, shop: ShopFacts = SHOP) -> Followed | None:
    return await followed(connection, shop, outbox_hours=AGES, now=NOW)


async def all_anew(connection: asyncpg.Connection) -> None:
    await settled(connection)
    async with turn(connection):
        await refresh(connection, SHOP, NOW)


async def opened(connection: asyncpg.Connection, seed: int, tickets: int = 40) -> TicketShop:
    """A shop of whose tickets all is kept."""
    shop = TicketShop(connection, seed)
    await shop.open_tickets(2 + seed % 7, tickets)
    await shop.tell()
    await all_anew(connection)
    return shop


async def all_kept(connection: asyncpg.Connection) -> list[Any]:
    """The rows as they stand, and when each was written."""
    found = []
    for table, key in (("ticket_facts", "ticket_id"), ("ticket_buckets", "what, bucket, start, label")):
        found += await connection.fetch(f"SELECT xmin::text, t.* FROM {table} t ORDER BY {key}")
    return found


async def test_of_an_empty_shop_nothing_is_kept(connection: asyncpg.Connection) -> None:
    await all_anew(connection)
    assert await all_kept(connection) == []


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_is_followed(connection: asyncpg.Connection, seed: int) -> None:
    shop = await opened(connection, seed)
    await assert_tickets_right(connection)
    for _ in range(12):
        for _ in range(shop.chance.choice((0, 1, 4))):
            await shop.happen()
        await shop.tell()
        done = await bring(connection)
        assert done is None or not done.everything
        await assert_tickets_right(connection)
    # Counted anew, everything is as it was: nothing is even written.
    before = await all_kept(connection)
    await all_anew(connection)
    assert await all_kept(connection) == before


async def test_orders_have_nothing_to_do_with_it(connection: asyncpg.Connection) -> None:
    shop = await opened(connection, 3)
    await shop.set(shop.tickets[0], satisfaction=4)
    await connection.execute("INSERT INTO analytics_changes (ticket_id) VALUES ($1)", shop.tickets[0])
    assert await bring(connection) == Followed(0, tickets=1)
    await assert_tickets_right(connection)
    assert await connection.fetchval("SELECT count(*) FROM analytics_changes") == 0


async def test_a_ticket_that_is_gone_for_good_is_forgotten(connection: asyncpg.Connection) -> None:
    """Nothing of the program does so; a hand that does can say so in the queue."""
    shop = await opened(connection, 4)
    await connection.execute("DELETE FROM tickets WHERE id = $1", shop.tickets[0])
    await connection.execute("INSERT INTO analytics_changes (ticket_id) VALUES ($1)", shop.tickets[0])
    assert await bring(connection) == Followed(0, tickets=1)
    await assert_tickets_right(connection)


async def test_a_crash_in_between_is_made_up_for(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await opened(connection, 5)
    for _ in range(6):
        await shop.happen()
    await shop.add_ticket()
    await shop.tell()

    async def crash(*_: object, **__: object) -> None:
        raise ConnectionResetError

    before = await all_kept(connection)
    for place in ("follow.write_followed", "tickets.rollups.add"):
        with monkeypatch.context() as patched:
            patched.setattr(f"app.analytics.keeping.{place}", crash)
            with pytest.raises(ConnectionResetError):
                await bring(connection)
        assert await all_kept(connection) == before
    assert await bring(connection) is not None
    await assert_tickets_right(connection)
    with monkeypatch.context() as patched:
        patched.setattr("app.analytics.keeping.refresh.write_followed", crash)
        with pytest.raises(ConnectionResetError):
            await all_anew(connection)
    await assert_tickets_right(connection)


async def test_another_time_zone_counts_everything_anew(connection: asyncpg.Connection) -> None:
    await opened(connection, 6)
    for zone in ("America/Sao_Paulo", "Asia/Kathmandu"):
        assert await bring(connection, ShopFacts("EUR", zone)) == Followed(0, everything=True)
        await assert_tickets_right(connection, zone)


@pytest.mark.parametrize(("most", "everything"), [(5, True), (50, False)])
async def test_so_many_changes_count_everything_anew(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, most: int, everything: bool
) -> None:
    monkeypatch.setattr("app.analytics.keeping.tickets.MOST", most)
    shop = await opened(connection, 7)
    for ticket in shop.tickets[:6]:
        await shop.set(ticket, status="CLOSED", resolved_at=NOW, channel="SOCIAL")
        shop.untold.append(("Ticket", ticket, "close"))
    await shop.tell()
    done = await bring(connection)
    assert done == (Followed(0, everything=True) if everything else Followed(0, tickets=6))
    await assert_tickets_right(connection)


async def test_after_the_migration_everything_is_counted_anew(
    connection: asyncpg.Connection, empty_database: str
) -> None:
    await opened(connection, 2)
    await migrate(empty_database, "0024-1", down=True)
    await migrate(empty_database)
    assert await all_kept(connection) == []
    assert await bring(connection) == Followed(0, everything=True)
    await assert_tickets_right(connection)


# Through the API and imports


async def caught_up(connection: asyncpg.Connection) -> Followed | None:
    done = await followed(connection, SHOP, outbox_hours=72, now=datetime.now(UTC), wait=True)
    await assert_tickets_right(connection)
    return done


async def test_every_deed_to_tickets_is_followed(office: Office) -> None:
    connection = office.connection
    await caught_up(connection)
    customer = typed_id(office.label("probe_1"))
    given = {"customerId": customer, "subject": "Help"}
    made = await call(office, "createTicket", show="id number", input=given)
    ticket, number = made["ticket"]["id"], made["ticket"]["number"]
    assert await caught_up(connection) == Followed(0, tickets=1)

    async def done(field: str, **arguments: Any) -> None:
        version = {}
        if field in ("updateTicket", "deleteTicket"):
            present = "SELECT version FROM tickets WHERE number = $1"
            version = {"version": await connection.fetchval(present, number)}
        if field == "commentOnTicket":
            document = 'mutation($id: ID!) { commentOnTicket(id: $id, body: "So") { errors { code } } }'
            assert (await office.do(document, "ADMIN", id=ticket))["data"]["commentOnTicket"] == {"errors": []}
        else:
            assert (await call(office, field, id=ticket, **version, **arguments))["errors"] == []
        assert await caught_up(connection) == Followed(0, tickets=1)

    await done("setTicketPending")
    await done("commentOnTicket")
    await done("reopenTicket")
    await done("updateTicket", input={"priority": "URGENT", "channel": "PHONE", "kind": "COMPLAINT"})
    await done("resolveTicket")
    await done("rateTicket", satisfaction=2)
    await done("closeTicket")
    await done("reopenTicket")
    await done("deleteTicket")
    await done("restoreTicket")


async def test_customers_that_come_and_go_take_their_tickets_with_them(office: Office) -> None:
    connection = office.connection
    one, other = (office.label(label) for label in ("probe_1", "probe_2"))
    for row in (one, other):
        given = {"customerId": typed_id(row), "subject": "Help"}
        assert (await call(office, "createTicket", input=given))["errors"] == []
    await caught_up(connection)
    counted = "SELECT count(*) FROM ticket_facts"
    before = await connection.fetchval(counted)
    theirs = await connection.fetchval(
        "SELECT count(*) FROM tickets WHERE customer_id = $1 AND deleted_at IS NULL", one.id
    )
    version = await connection.fetchval("SELECT version FROM customers WHERE id = $1", one.id)
    await call(office, "deleteCustomer", id=typed_id(one), version=version)
    await caught_up(connection)
    assert await connection.fetchval(counted) == before - theirs < before
    await call(office, "restoreCustomer", id=typed_id(one))
    await caught_up(connection)
    assert await connection.fetchval(counted) == before
    merge = (
        "mutation($keep: ID!, $merge: [ID!]!) { mergeCustomers(keepId: $keep, mergeIds: $merge) { errors { code } } }"
    )
    done = await office.do(merge, "ADMIN", keep=typed_id(other), merge=[typed_id(one)])
    assert done["data"]["mergeCustomers"]["errors"] == []
    await caught_up(connection)
    version = await connection.fetchval("SELECT version FROM customers WHERE id = $1", other.id)
    await call(office, "deleteCustomer", id=typed_id(other), version=version)
    await caught_up(connection)
    assert await connection.fetchval(counted) < before - theirs
    await call(office, "restoreCustomer", id=typed_id(other))
    await caught_up(connection)
    assert (await call(office, "unmergeCustomer", id=typed_id(one)))["errors"] == []
    await caught_up(connection)
    assert await connection.fetchval(counted) == before


async def test_imported_tickets_are_followed(connection: asyncpg.Connection, tmp_path: Path) -> None:
    """New ones, changed ones, and such as go over to another customer."""
    key = 'system = "shop"\nexternal_id = "{id}"\n'
    ticket = key + (
        '[fields]\ncustomer = "{customer}"\nsubject = "Help"\nstatus = "{status}"\nchannel = "{channel}"\n'
        'created_at = "{made}"\nresolved_at = "{done}"\n'
    )
    desk = Desk(connection, tmp_path)
    await desk.run("customer", key + '[fields]\nname = "{id}"\n', "id\nC\nD\n")
    await caught_up(connection)
    head = "id,customer,status,channel,made,done\n"
    for text in (
        "1,C,open,web,2024-01-01,\n2,C,resolved,phone,2024-01-02,2024-02-01\n",
        "1,D,closed,web,2024-01-01,2024-02-29\n2,C,resolved,email,2024-01-03,2024-02-01\n",
    ):
        await desk.run("ticket", ticket, head + text)
        assert await caught_up(connection) == Followed(0, tickets=2)
    assert await connection.fetchval("SELECT count(*) FROM ticket_facts WHERE settled_on IS NOT NULL") == 2


async def test_a_refresh_while_tickets_change_loses_nothing(
    connection: asyncpg.Connection, empty_database: str
) -> None:
    shop = await opened(connection, 8)
    other = await asyncpg.connect(empty_database)
    async with other.transaction():
        # It begins before everything is counted, and ends after that.
        await other.execute("UPDATE tickets SET channel = 'SOCIAL' WHERE id = $1", shop.tickets[1])
        await other.execute(
            "INSERT INTO outbox (event_id, at, action, entity, record_id, fields)"
            " VALUES (gen_random_uuid(), now(), 'update', 'Ticket', $1, '{}')",
            shop.tickets[1],
        )
        await all_anew(connection)
    assert await bring(connection) == Followed(0, tickets=1)
    await assert_tickets_right(connection)
    await other.close()


async def test_metrics_of_the_past_leave_tickets_in_the_present(connection: asyncpg.Connection) -> None:
    shop = TicketShop(connection, 9)
    await shop.open_tickets(3, 20)
    async with turn(connection):
        await refresh(connection, SHOP, NOW - timedelta(days=900), pinned=True)
    await assert_tickets_right(connection)
