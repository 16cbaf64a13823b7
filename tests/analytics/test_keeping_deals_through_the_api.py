"""What callers and imports do to opportunities reaches what is kept of them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import Followed
from tests.analytics.following import followed
from tests.analytics.plain_deals import assert_deals_right
from tests.importing.conftest import Desk
from tests.oracle.rows import typed_id
from tests.settling import settled
from tests.writing.calls import call
from tests.writing.conftest import office as office
from tests.writing.deeds import Office
from tests.writing.test_opportunities import do, open_deal, stage, update

pytestmark = pytest.mark.anyio


async def caught_up(connection: asyncpg.Connection) -> Followed | None:
    await settled(connection)
    done = await followed(connection, ShopFacts("EUR", "Europe/Berlin"), outbox_hours=72, now=datetime.now(UTC))
    await assert_deals_right(connection)
    return done


async def test_every_deed_to_opportunities_is_followed(office: Office) -> None:
    connection = office.connection
    await caught_up(connection)
    deal = await open_deal(office, amount={"amount": "10", "currency": "USD"})
    assert await caught_up(connection) == Followed(0, opportunities=1)
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("moveOpportunity", {"stageId": stage(office, "Proposal")}),
        ("winOpportunity", {"closedAt": None, "amount": {"amount": "12"}}),
        ("reopenOpportunity", {}),
        ("loseOpportunity", {"reason": "price"}),
        ("deleteOpportunity", {}),
        ("restoreOpportunity", {}),
    )
    owner = typed_id(office.label("sales_north"))
    assert (await update(office, deal, ownerId=owner, expectedCloseOn="2026-02-28"))["errors"] == []
    assert await caught_up(connection) == Followed(0, opportunities=1)
    for name, arguments in steps:
        version = {"version": await _version(office, deal.id)} if name == "deleteOpportunity" else {}
        assert (await do(office, name, deal, **arguments, **version))["errors"] == []
        assert await caught_up(connection) == Followed(0, opportunities=1), name


async def _version(office: Office, deal: Any) -> int:
    found: int = await office.connection.fetchval("SELECT version FROM opportunities WHERE id = $1", deal)
    return found


async def test_opportunities_that_follow_their_stage_are_followed(office: Office) -> None:
    await caught_up(office.connection)
    for _ in range(2):
        await open_deal(office)
    await caught_up(office.connection)
    lead = office.label("stage_Lead")
    changed = await call(office, "updateStage", id=typed_id(lead), version=lead.version, input={"probability": 77})
    assert changed["errors"] == []
    done = await caught_up(office.connection)
    assert done is not None
    assert done.opportunities >= 2


async def test_many_changed_at_once_are_followed(office: Office) -> None:
    await caught_up(office.connection)
    deals = [typed_id(await open_deal(office)) for _ in range(3)]
    await caught_up(office.connection)
    document = (
        "mutation($ids: [ID!], $input: UpdateOpportunityInput!) {"
        " bulkUpdateOpportunities(ids: $ids, input: $input) { count } }"
    )
    answer = await office.do(document, "ADMIN", ids=deals, input={"amount": {"amount": "77"}})
    assert answer["data"]["bulkUpdateOpportunities"]["count"] == 3
    assert await caught_up(office.connection) == Followed(0, opportunities=3)


async def test_deleted_restored_and_merged_customers_take_their_opportunities_along(office: Office) -> None:
    connection = office.connection
    await caught_up(connection)
    one, other = (office.label(label) for label in ("probe_1", "probe_2"))
    first, second = one.id, other.id
    for customer in (one, other):
        await open_deal(office, customerId=typed_id(customer))
    one, other = (office.label(label) for label in ("probe_1", "probe_2"))
    await caught_up(connection)
    facts = (
        "SELECT count(*) FROM opportunity_facts f JOIN opportunities o ON o.id = f.opportunity_id"
        " WHERE o.customer_id = $1"
    )
    before = [await connection.fetchval(facts, id) for id in (first, second)]
    assert all(before)
    version = await connection.fetchval("SELECT version FROM customers WHERE id = $1", first)
    await call(office, "deleteCustomer", id=typed_id(one), version=version)
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


async def test_imported_opportunities_are_followed(empty_database: str, tmp_path: Path) -> None:
    """New ones, changed ones, and rates."""
    connection = await asyncpg.connect(empty_database)
    desk = Desk(connection, tmp_path)
    key = 'system = "crm"\nexternal_id = "{id}"\n'
    await desk.run("customer", key + '[fields]\nname = "{id}"\n', "id\nC\n")
    steps = '[fields]\nname = "{n}"\nkind = "{k}"\nposition = "{p}"\nprobability = "{q}"\n'
    await desk.run("stage", steps, "n,k,p,q\nTalk,OPEN,1,20\nOffer,OPEN,2,60\nWon,WON,3,100\nLost,LOST,4,0\n")
    await caught_up(connection)
    map = key + (
        '[fields]\nname = "{id}"\ncustomer = "C"\nstage = "{stage}"\namount = "{amount}"\ncurrency = "{currency}"\n'
        'opened_at = "{opened}"\nclosed_at = "{closed}"\nfirst_stage = "Talk"\n'
    )
    head = "id,stage,amount,currency,opened,closed\n"
    for text in (
        "1,Talk,5,EUR,2024-01-01,\n2,Won,5,USD,2024-01-01,2024-02-29\n3,Lost,5,EUR,2024-01-01,2024-03-31\n",
        "1,Won,5,EUR,2024-01-01,2024-04-01\n2,Offer,7,USD,2024-01-01,\n3,Won,5,USD,2024-01-01,2024-03-31\n",
    ):
        await desk.run("opportunity", map, head + text)
        done = await caught_up(connection)
        assert done is not None
        assert (done.opportunities, done.everything) == (3, False)
    await connection.execute("INSERT INTO exchange_rates VALUES ('USD', '2024-01-01', 0.9)")
    assert await caught_up(connection) == Followed(0, opportunities=1)
    assert await connection.fetchval("SELECT sum(amount) FROM closing_buckets WHERE by = 'OWNER'") == 9.5
    await connection.close()
