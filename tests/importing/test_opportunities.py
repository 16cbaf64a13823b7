"""Opportunities: amounts from products, probabilities from stages, and a history of stages that fits."""

from datetime import UTC, datetime

import pytest

from tests.importing.conftest import Desk, figures

pytestmark = pytest.mark.anyio

KEY = 'system = "crm"\nexternal_id = "{id}"\n'
MAP = KEY + (
    '[fields]\nname = "{id}"\ncustomer = "C"\nproduct = { value = "{sku}", by = "sku" }\nstage = "{stage}"\n'
    'amount = "{amount}"\nopened_at = "{opened}"\nclosed_at = "{closed}"\nfirst_stage = "Talk"\n'
)
HEAD = "id,sku,stage,amount,opened,closed\n"
HISTORY = (
    "SELECT f.name, t.name, extract(day FROM c.changed_at)::int FROM stage_changes c"
    " LEFT JOIN stages f ON f.id = c.from_stage_id JOIN stages t ON t.id = c.to_stage_id"
    " JOIN external_refs r ON r.record_id = c.opportunity_id WHERE r.external_id = $1 ORDER BY c.changed_at, c.id"
)
FACTS = (
    "SELECT r.external_id, s.name, amount::text, currency, o.probability, extract(day FROM stage_entered_at)::int,"
    " extract(day FROM closed_at)::int FROM opportunities o JOIN stages s ON s.id = stage_id"
    " JOIN external_refs r ON r.record_id = o.id ORDER BY 1"
)


@pytest.fixture
async def crm(desk: Desk) -> Desk:
    await desk.run("customer", KEY + '[fields]\nname = "{id}"\n', "id\nC\n")
    product = '[fields]\nsku = "{s}"\nname = "{s}"\nprice = "{p}"\ncurrency = "EUR"\n'
    await desk.run("product", product, "s,p\nA,10\n")
    stage = '[fields]\nname = "{n}"\nkind = "{k}"\nposition = "{p}"\nprobability = "{q}"\n'
    await desk.run("stage", stage, "n,k,p,q\nTalk,OPEN,1,20\nOffer,OPEN,2,60\nWon,WON,3,100\nLost,LOST,4,0\n")
    return desk


async def test_what_the_file_leaves_out_follows_product_and_stage(crm: Desk) -> None:
    text = HEAD + (
        "1,A,Won,99,2024-01-01,2024-01-09\n2,A,Talk,,2024-01-02,\n3,A,Lost,,2024-01-03,2024-01-08\n"
        "4,A,Offer,5,2024-01-04,\n5,A,Won,5,2024-01-05,2024-01-02\n"
    )
    assert figures(await crm.run("opportunity", MAP, text)) == (5, 0, 0, 0, 0)
    facts = [
        ("1", "Won", "99.00", "EUR", 100, 9, 9),
        ("2", "Talk", "10.00", "EUR", 20, 2, None),
        ("3", "Lost", "10.00", "EUR", 0, 8, 8),
        ("4", "Offer", "5.00", "EUR", 60, 4, None),
        ("5", "Won", "5.00", "EUR", 100, 5, 2),
    ]
    assert await crm.rows(FACTS) == facts
    assert await crm.rows(HISTORY, "1") == [(None, "Talk", 1), ("Talk", "Won", 9)]
    assert await crm.rows(HISTORY, "2") == [(None, "Talk", 2)]
    assert await crm.rows(HISTORY, "4") == [(None, "Talk", 4), ("Talk", "Offer", 4)]
    assert await crm.rows(HISTORY, "5") == [(None, "Talk", 5), ("Talk", "Won", 5)]
    await crm.connection.execute("UPDATE opportunities SET probability = 33 WHERE name = '2'")
    map = MAP.replace('amount = "{amount}"\n', "")
    assert figures(await crm.run("opportunity", map, text)) == (0, 0, 5, 0, 0)
    assert await crm.value("SELECT count(*) FROM stage_changes") == 9


async def test_one_that_moves_gets_a_step_and_the_probability_of_its_new_stage(crm: Desk) -> None:
    await crm.run(
        "opportunity", MAP, HEAD + "1,A,Talk,,2024-01-01,\n2,A,Talk,,2024-01-01,\n3,A,Won,,2024-01-01,2024-01-03\n"
    )
    moved = HEAD + "1,A,Won,,2024-01-01,2024-01-07\n2,A,Offer,,2024-01-01,\n3,A,Talk,,2024-01-01,\n"
    assert figures(await crm.run("opportunity", MAP, moved)) == (0, 3, 0, 0, 0)
    assert await crm.rows(HISTORY, "1") == [(None, "Talk", 1), ("Talk", "Won", 7)]
    entered = "SELECT name, probability, stage_entered_at = now(), closed_at FROM opportunities ORDER BY name"
    assert await crm.rows(entered) == [
        ("1", 100, False, datetime(2024, 1, 7, tzinfo=UTC)),
        ("2", 60, True, None),
        ("3", 20, True, None),
    ]
    last = await crm.rows(
        "SELECT DISTINCT ON (o.id) c.to_stage_id = o.stage_id, c.changed_at = o.stage_entered_at, o.version"
        " FROM opportunities o JOIN stage_changes c ON c.opportunity_id = o.id"
        " ORDER BY o.id, c.changed_at DESC, c.id DESC"
    )
    assert last == [(True, True, 2)] * 3


async def test_rows_that_contradict_themselves_are_refused(crm: Desk) -> None:
    text = HEAD + "1,A,Talk,1,2024-01-01,2024-01-02\n2,,Talk,,2024-01-01,\n3,A,Gone,1,2024-01-01,\n4,A,,1,2024-01-01,\n"
    assert figures(await crm.run("opportunity", MAP + 'currency = "USD"\n', text)) == (0, 0, 0, 0, 4)
    assert crm.rejects() == [
        (2, "closed", "must be empty while the stage is open"),
        (3, "amount", "is required: amount must have a value, or product one whose price is in the same currency"),
        (4, "stage", 'no stage has the name "Gone"'),
        (5, "stage", "is required: stage must have a value"),
    ]
    # The product's price is in EUR, so it cannot stand in for an amount in USD.
    assert (await crm.run("opportunity", MAP + 'currency = "USD"\n', HEAD + "5,A,Talk,,2024-01-01,\n")).rejected == 1
    assert (await crm.run("opportunity", MAP, HEAD + "5,,Talk,1,2024-01-01,\n")).rejected == 1
    assert crm.rejects()[0][2].startswith("is required: currency")
