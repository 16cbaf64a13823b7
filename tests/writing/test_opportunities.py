"""The rules of opportunities."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.fingerprint import fingerprint
from tests.oracle.rows import Row, typed_id
from tests.writing.calls import call, codes, message
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

SHOWN = """
  id name customer { id } contact { id } owner { id } product { id } stage { id name } amount { amount currency }
  probability expectedCloseOn openedAt closedAt lossReason lossNotes version deletedAt externalRefs { system id }
  stageChanges { fromStage { name } toStage { name } changedBy { id } changedAt }
"""
Problems = list[tuple[str, str]]


async def do(office: Office, field: str, deal: Row | None = None, role: str = "ADMIN", **arguments: Any) -> Any:
    """What the mutation came to."""
    if deal is not None:
        arguments = {"id": typed_id(deal)} | arguments
    return await call(office, field, role, SHOWN, **arguments)


async def create(office: Office, role: str = "ADMIN", **values: Any) -> Any:
    given = {"name": "New", "customerId": typed_id(office.label("probe_2")), "amount": {"amount": "10"}} | values
    return await do(office, "createOpportunity", role=role, input=given)


async def update(office: Office, deal: Row, role: str = "ADMIN", **values: Any) -> Any:
    """The update of the deal as it is now."""
    await office.look()
    deal = office.rows.by_id["Opportunity"][deal.id]
    return await do(office, "updateOpportunity", deal, role, version=deal.version, input=values)


async def open_deal(office: Office, **values: Any) -> Row:
    """A deal as the API makes them: of probe_2, in the first open stage."""
    made = await create(office, **values)
    assert made["errors"] == [], made
    await office.look()
    return next(row for row in office.rows.all("Opportunity") if typed_id(row) == made["opportunity"]["id"])


def stage(office: Office, name: str) -> str:
    return typed_id(office.label(f"stage_{name}"))


def path(payload: Any) -> list[str | None]:
    """The names of the stages through which it came, the first one from None."""
    changes = payload["opportunity"]["stageChanges"]
    assert all(a["toStage"] == b["fromStage"] for a, b in pairwise(changes))
    assert changes[-1]["toStage"]["name"] == payload["opportunity"]["stage"]["name"]
    return [change["toStage"]["name"] for change in changes]


# Making


async def test_a_new_opportunity_starts_in_the_first_open_stage_at_its_probability(office: Office) -> None:
    made = await create(office, "SALES", stageId=None, probability=None)
    deal = made["opportunity"]
    assert made["errors"] == []
    assert (deal["stage"]["name"], deal["probability"], deal["closedAt"]) == ("Lead", 10, None)
    assert deal["amount"] == {"amount": "10.00", "currency": "EUR"}
    assert deal["owner"] == {"id": typed_id(office.label("sales_north"))}
    (change,) = deal["stageChanges"]
    assert (change["fromStage"], change["toStage"]) == (None, {"name": "Lead"})
    assert change["changedBy"] == {"id": typed_id(office.label("sales_north"))}
    assert change["changedAt"] == deal["openedAt"]


async def test_whose_a_new_opportunity_is(office: Office) -> None:
    for role, owner in (("ADMIN", None), ("INTEGRATION", None), ("MANAGER", "manager_north"), ("SALES", "sales_north")):
        made = await create(office, role)
        assert made["opportunity"]["owner"] == (owner and {"id": typed_id(office.label(owner))}), role
    other = typed_id(office.label("sales_north_2"))
    assert codes(await create(office, "SALES", ownerId=other)) == [("input.ownerId", "INVALID")]
    assert codes(await create(office, "SALES", ownerId=None)) == [("input.ownerId", "INVALID")]
    assert (await create(office, "MANAGER", ownerId=other))["opportunity"]["owner"] == {"id": other}
    for label in ("sales_south", "retired"):
        refused = await create(office, "MANAGER", ownerId=typed_id(office.label(label)))
        assert codes(refused) == [("input.ownerId", "INVALID")]


async def test_everything_that_a_new_opportunity_can_have(office: Office) -> None:
    product = next(p for p in office.rows.all("Product") if p.active and p.deleted_at is None)
    given = {
        "customerId": typed_id(office.label("probe_1")),
        "contactId": typed_id(office.label("contact_1")),
        "productId": typed_id(product),
        "stageId": stage(office, "Proposal"),
        "ownerId": typed_id(office.label("sales_south")),
        "amount": {"amount": "12", "currency": "JPY"},
        "probability": 77,
        "expectedCloseOn": "2030-02-28",
        "externalRefs": [{"system": "erp", "id": "D-1"}],
    }
    deal = (await create(office, **given))["opportunity"]
    for name in ("customer", "contact", "product", "owner", "stage"):
        assert deal[name]["id"] == given[f"{name}Id"]
    assert deal["amount"] == {"amount": "12", "currency": "JPY"}
    assert (deal["probability"], deal["expectedCloseOn"]) == (77, "2030-02-28")
    assert deal["externalRefs"] == given["externalRefs"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"name": "  "}, [("input.name", "REQUIRED")]),
        ({"name": "n" * 501}, [("input.name", "TOO_LONG")]),
        ({"name": "\0"}, [("input.name", "INVALID")]),
        ({"amount": {"amount": "-1"}}, [("input.amount.amount", "OUT_OF_RANGE")]),
        ({"amount": {"amount": "1.005"}}, [("input.amount.amount", "INVALID")]),
        ({"amount": {"amount": "1", "currency": "EURO"}}, [("input.amount.currency", "INVALID")]),
        ({"probability": -1}, [("input.probability", "OUT_OF_RANGE")]),
        ({"probability": 0}, []),
        ({"probability": 100}, []),
        ({"probability": 101}, [("input.probability", "OUT_OF_RANGE")]),
        ({"expectedCloseOn": "1999-12-31"}, [("input.expectedCloseOn", "OUT_OF_RANGE")]),
        ({"expectedCloseOn": "2000-01-01"}, []),
        ({"expectedCloseOn": "2099-12-31"}, []),
        ({"expectedCloseOn": "2100-01-01"}, [("input.expectedCloseOn", "OUT_OF_RANGE")]),
        ({"stageId": "Won"}, [("input.stageId", "INVALID")]),
        ({"stageId": "Lost"}, [("input.stageId", "INVALID")]),
        ({"stageId": "forgotten"}, [("input.stageId", "NOT_FOUND")]),
        ({"stageId": "not an id"}, [("input.stageId", "INVALID")]),
        ({"contactId": "contact_1"}, [("input.contactId", "INVALID")]),
        ({"contactId": "contact_gone"}, [("input.contactId", "NOT_FOUND")]),
        ({"customerId": "probe_gone"}, [("input.customerId", "NOT_FOUND")]),
        ({"productId": "inactive"}, [("input.productId", "INVALID")]),
        (
            {"name": "", "amount": {"amount": "-1"}, "probability": 101, "stageId": "Won", "productId": "inactive"},
            [
                ("input.amount.amount", "OUT_OF_RANGE"),
                ("input.name", "REQUIRED"),
                ("input.probability", "OUT_OF_RANGE"),
                ("input.productId", "INVALID"),
                ("input.stageId", "INVALID"),
            ],
        ),
    ],
)
async def test_what_a_new_opportunity_may_be(office: Office, given: dict[str, Any], found: Problems) -> None:
    named = {label.removeprefix("stage_"): label for label in office.ids}
    for name, value in given.items():
        if name == "productId":
            row = next(p for p in office.rows.all("Product") if not p.active and p.deleted_at is None)
            given = given | {name: typed_id(row)}
        elif name.endswith("Id") and value in named:
            given = given | {name: typed_id(office.label(named[value]))}
    before = await fingerprint(office.connection)
    assert codes(await create(office, **given)) == found
    assert (await fingerprint(office.connection) == before) == bool(found)


async def test_without_an_open_stage_there_is_no_new_opportunity(office: Office) -> None:
    await office.connection.execute("UPDATE stages SET deleted_at = now() WHERE kind = 'OPEN'")
    assert codes(await create(office)) == [("input.stageId", "REQUIRED")]


async def test_an_opportunity_of_a_merged_customer_is_the_survivors(office: Office) -> None:
    made = await create(office, customerId=typed_id(office.label("probe_merged")))
    assert made["opportunity"]["customer"] == {"id": typed_id(office.label("probe_1"))}


# Changing


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"name": None}, [("input.name", "REQUIRED")]),
        ({"amount": None}, [("input.amount", "REQUIRED")]),
        ({"contactId": None, "productId": None, "ownerId": None, "expectedCloseOn": None, "externalRefs": None}, []),
        ({"expectedCloseOn": "2100-01-01"}, [("input.expectedCloseOn", "OUT_OF_RANGE")]),
        ({"probability": 101}, [("input.probability", "OUT_OF_RANGE")]),
        ({"amount": {"amount": "0.001"}}, [("input.amount.amount", "INVALID")]),
        ({"contactId": "contact_1"}, [("input.contactId", "INVALID")]),
        ({"contactId": "contact_gone"}, [("input.contactId", "NOT_FOUND")]),
    ],
)
async def test_what_an_opportunity_may_become(office: Office, given: dict[str, Any], found: Problems) -> None:
    deal = await open_deal(office)
    if given.get("contactId"):
        given = given | {"contactId": typed_id(office.label(given["contactId"]))}
    assert codes(await update(office, deal, **given)) == found


async def test_a_product_that_is_no_longer_active_may_stay_and_not_come(office: Office) -> None:
    active = next(p for p in office.rows.all("Product") if p.active and p.deleted_at is None)
    deal = await open_deal(office, productId=typed_id(active))
    await office.connection.execute("UPDATE products SET active = false WHERE id = $1", active.id)
    assert codes(await update(office, deal, productId=typed_id(active), name="The same")) == []
    assert codes(await update(office, deal, productId=None)) == []
    assert codes(await update(office, deal, productId=typed_id(active))) == [("input.productId", "INVALID")]


async def test_a_new_amount_keeps_the_currency_unless_another_is_said(office: Office) -> None:
    deal = await open_deal(office, amount={"amount": "10", "currency": "KWD"})
    for given, printed in (
        ({"amount": "1.005"}, {"amount": "1.005", "currency": "KWD"}),
        ({"amount": "7", "currency": "JPY"}, {"amount": "7", "currency": "JPY"}),
        ({"amount": "-0", "currency": "EUR"}, {"amount": "0.00", "currency": "EUR"}),
    ):
        assert (await update(office, deal, amount=given))["opportunity"]["amount"] == printed


async def test_a_probability_set_by_hand_stays_until_it_is_cleared(office: Office) -> None:
    deal = await open_deal(office)
    assert (await update(office, deal, probability=42))["opportunity"]["probability"] == 42
    moved = await do(office, "moveOpportunity", deal, stageId=stage(office, "Proposal"))
    assert moved["opportunity"]["probability"] == 42
    assert (await update(office, deal, probability=None))["opportunity"]["probability"] == 50
    moved = await do(office, "moveOpportunity", deal, stageId=stage(office, "商谈"))
    assert moved["opportunity"]["probability"] == 33


@pytest.mark.parametrize(("way", "arguments"), [("winOpportunity", {}), ("loseOpportunity", {"reason": "price"})])
async def test_amount_and_probability_of_a_closed_one_stay(office: Office, way: str, arguments: dict[str, Any]) -> None:
    deal = await open_deal(office)
    closed = await do(office, way, deal, **arguments)
    before = await fingerprint(office.connection)
    refused = await update(office, deal, name="N", amount={"amount": "11"}, probability=55)
    assert codes(refused) == [("input.amount", "INVALID_TRANSITION"), ("input.probability", "INVALID_TRANSITION")]
    assert all("reopenOpportunity" in error["message"] for error in refused["errors"])
    assert await fingerprint(office.connection) == before
    same = {"amount": {"amount": "10"}, "probability": closed["opportunity"]["probability"]}
    assert codes(await update(office, deal, name="Renamed", ownerId=None, **same)) == []
    assert codes(await update(office, deal, probability=None)) == []
    other = await update(office, deal, amount={"amount": "10", "currency": "USD"})
    assert codes(other) == [("input.amount", "INVALID_TRANSITION")]


async def test_the_stage_and_the_customer_are_no_part_of_an_update(office: Office) -> None:
    deal = await open_deal(office)
    for name in ("stageId", "customerId"):
        answer = await update(office, deal, **{name: "x"})
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


# Moving


async def test_moving_is_on_record(office: Office) -> None:
    deal = await open_deal(office, ownerId=typed_id(office.label("sales_north")))
    known = len(await office.events())
    moved = await do(office, "moveOpportunity", deal, "MANAGER", stageId=stage(office, "Proposal"))
    assert path(moved) == ["Lead", "Proposal"]
    assert moved["opportunity"]["probability"] == 50
    assert moved["opportunity"]["stageChanges"][1]["changedBy"] == {"id": typed_id(office.label("manager_north"))}
    (event,) = (await office.events())[known:]
    assert (event["action"], event["record_id"], event["record_version"]) == ("move", deal.id, 2)
    row = (await office.look()).by_id["Opportunity"][deal.id]
    assert row.stage_entered_at > deal.stage_entered_at


async def test_moving_to_where_it_is_does_nothing(office: Office) -> None:
    deal = await open_deal(office)
    before, known = await fingerprint(office.connection), len(await office.events())
    assert path(await do(office, "moveOpportunity", deal, stageId=stage(office, "Lead"))) == ["Lead"]
    assert await fingerprint(office.connection) == before
    assert len(await office.events()) == known


async def test_a_move_comes_after_the_one_before_whatever_the_clocks_say(office: Office) -> None:
    deal = await open_deal(office)
    ahead = datetime.now(UTC) + timedelta(seconds=5)
    await office.connection.execute("UPDATE opportunities SET stage_entered_at = $1 WHERE id = $2", ahead, deal.id)
    await office.connection.execute(
        "UPDATE stage_changes SET changed_at = $1 WHERE opportunity_id = $2", ahead, deal.id
    )
    moved = await do(office, "moveOpportunity", deal, stageId=stage(office, "Proposal"))
    assert path(moved) == ["Lead", "Proposal"]
    first, second = (change["changedAt"] for change in moved["opportunity"]["stageChanges"])
    assert first < second


@pytest.mark.parametrize(
    ("to", "field", "code", "named"),
    [
        ("Won", "stageId", "INVALID_TRANSITION", "winOpportunity"),
        ("Lost", "stageId", "INVALID_TRANSITION", "loseOpportunity"),
        ("forgotten", "stageId", "NOT_FOUND", "Stage"),
    ],
)
async def test_where_an_open_one_does_not_move(office: Office, to: str, field: str, code: str, named: str) -> None:
    deal = await open_deal(office)
    before = await fingerprint(office.connection)
    refused = await do(office, "moveOpportunity", deal, stageId=stage(office, to))
    assert codes(refused) == [(field, code)]
    assert named in message(refused)
    assert await fingerprint(office.connection) == before


# Ending


async def test_winning(office: Office) -> None:
    deal = await open_deal(office, probability=42)
    known = len(await office.events())
    won = await do(office, "winOpportunity", deal, amount={"amount": "12.34"})
    assert path(won) == ["Lead", "Won"]
    found = won["opportunity"]
    assert (found["probability"], found["amount"]["amount"], found["version"]) == (100, "12.34", 2)
    assert found["closedAt"] == found["stageChanges"][1]["changedAt"]
    (event,) = (await office.events())[known:]
    assert (event["action"], event["outcome"], event["record_version"]) == ("win", "OK", 2)


async def test_losing(office: Office) -> None:
    deal = await open_deal(office)
    lost = await do(office, "loseOpportunity", deal, reason="price", notes="Came back twice.")
    assert path(lost) == ["Lead", "Lost"]
    found = lost["opportunity"]
    assert (found["probability"], found["lossReason"], found["lossNotes"]) == (0, "price", "Came back twice.")
    assert found["closedAt"] is not None


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"reason": ""}, [("reason", "REQUIRED")]),
        ({"reason": " \n"}, [("reason", "REQUIRED")]),
        ({"reason": "r" * 500, "notes": ""}, []),
        ({"reason": "r" * 501}, [("reason", "TOO_LONG")]),
        ({"reason": "\0"}, [("reason", "INVALID")]),
        ({"notes": "n" * 20_000}, []),
        ({"notes": "n" * 20_001}, [("notes", "TOO_LONG")]),
        ({"notes": None}, []),
        ({"reason": "", "notes": "\0"}, [("notes", "INVALID"), ("reason", "REQUIRED")]),
    ],
)
async def test_what_is_said_of_a_loss(office: Office, given: dict[str, Any], found: Problems) -> None:
    deal = await open_deal(office)
    assert codes(await do(office, "loseOpportunity", deal, **({"reason": "price"} | given))) == found


@pytest.mark.parametrize(("way", "arguments"), [("winOpportunity", {}), ("loseOpportunity", {"reason": "price"})])
async def test_when_it_ended(office: Office, way: str, arguments: dict[str, Any]) -> None:
    deal = await open_deal(office)
    opened = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await office.connection.execute("UPDATE opportunities SET opened_at = $1 WHERE id = $2", opened, deal.id)

    async def at(moment: datetime) -> Any:
        return await do(office, way, deal, closedAt=moment.isoformat(), **arguments)

    future = await at(datetime.now(UTC) + timedelta(hours=1))
    assert codes(future) == [("closedAt", "OUT_OF_RANGE")]
    assert "future" in message(future)
    early = await at(opened - timedelta(microseconds=1))
    assert codes(early) == [("closedAt", "OUT_OF_RANGE")]
    assert "opened" in message(early)
    done = await at(opened)
    assert (done["errors"], done["opportunity"]["closedAt"]) == ([], "2026-03-01T12:00:00.000000+00:00")


@pytest.mark.parametrize("given", [{"amount": "-1"}, {"amount": "1.005"}, {"amount": "1", "currency": "?"}])
async def test_an_amount_that_cannot_be_won(office: Office, given: dict[str, str]) -> None:
    deal, before = office.label("deal_north"), await fingerprint(office.connection)
    ((field, _),) = codes(await do(office, "winOpportunity", deal, amount=given))
    assert field.startswith("amount.")
    assert await fingerprint(office.connection) == before


@pytest.mark.parametrize(("kind", "way"), [("WON", "winOpportunity"), ("LOST", "loseOpportunity")])
async def test_without_a_stage_of_its_kind_there_is_no_end(office: Office, kind: str, way: str) -> None:
    deal = await open_deal(office)
    await office.connection.execute("UPDATE stages SET deleted_at = now() WHERE kind = $1", kind)
    refused = await do(office, way, deal, **({"reason": "x"} if kind == "LOST" else {}))
    assert codes(refused) == [("id", "INVALID_TRANSITION")]
    assert kind in message(refused)


@pytest.mark.parametrize(
    ("end", "way"),
    [
        (end, way)
        for end in ("winOpportunity", "loseOpportunity")
        for way in ("moveOpportunity", "winOpportunity", "loseOpportunity")
    ],
)
async def test_a_closed_one_only_goes_on_by_being_reopened(office: Office, end: str, way: str) -> None:
    deal = await open_deal(office)
    arguments: dict[str, Any] = {"loseOpportunity": {"reason": "x"}}
    assert codes(await do(office, end, deal, **arguments.get(end, {}))) == []
    arguments["moveOpportunity"] = {"stageId": stage(office, "Proposal")}
    before = await fingerprint(office.connection)
    refused = await do(office, way, deal, **arguments.get(way, {}))
    assert codes(refused) == [("id", "INVALID_TRANSITION")]
    assert "reopenOpportunity" in message(refused)
    assert await fingerprint(office.connection) == before


# Reopening


async def test_a_reopened_one_is_in_the_last_open_stage_that_it_was_in(office: Office) -> None:
    deal = await open_deal(office)
    for name in ("Proposal", "商谈"):
        await do(office, "moveOpportunity", deal, stageId=stage(office, name))
    await do(office, "loseOpportunity", deal, reason="price", notes="n")
    back = await do(office, "reopenOpportunity", deal, stageId=None)
    assert path(back) == ["Lead", "Proposal", "商谈", "Lost", "商谈"]
    found = back["opportunity"]
    assert (found["closedAt"], found["lossReason"], found["lossNotes"]) == (None, None, None)
    assert (found["probability"], found["version"]) == (33, 5)


async def test_a_reopened_one_passes_over_stages_that_are_no_more(office: Office) -> None:
    deal = await open_deal(office, stageId=stage(office, "Proposal"))
    await do(office, "moveOpportunity", deal, stageId=stage(office, "spare"))
    await do(office, "winOpportunity", deal)
    spare = office.label("stage_spare")
    assert codes(await call(office, "deleteStage", id=typed_id(spare), version=spare.version)) == []
    assert path(await do(office, "reopenOpportunity", deal))[-1] == "Proposal"
    await do(office, "winOpportunity", deal)
    await office.connection.execute("DELETE FROM stage_changes WHERE opportunity_id = $1", deal.id)
    back = await do(office, "reopenOpportunity", deal)
    assert back["opportunity"]["stage"]["name"] == "Lead", "Without a past it starts anew."


@pytest.mark.parametrize(
    ("to", "found"),
    [
        ("Proposal", []),
        ("Won", [("stageId", "INVALID_TRANSITION")]),
        ("Lost", [("stageId", "INVALID_TRANSITION")]),
        ("forgotten", [("stageId", "NOT_FOUND")]),
    ],
)
async def test_the_stage_to_reopen_it_in_is_an_open_one(office: Office, to: str, found: Problems) -> None:
    deal = await open_deal(office)
    await do(office, "winOpportunity", deal)
    back = await do(office, "reopenOpportunity", deal, stageId=stage(office, to))
    assert codes(back) == found
    if not found:
        assert (back["opportunity"]["stage"]["name"], back["opportunity"]["probability"]) == (to, 50)


async def test_an_open_one_is_not_reopened(office: Office) -> None:
    deal = await open_deal(office)
    refused = await do(office, "reopenOpportunity", deal)
    assert codes(refused) == [("id", "INVALID_TRANSITION")]
    assert "moveOpportunity" in message(refused)
    await do(office, "winOpportunity", deal)
    await office.connection.execute("UPDATE stages SET deleted_at = now() WHERE kind = 'OPEN'")
    assert codes(await do(office, "reopenOpportunity", deal)) == [("stageId", "REQUIRED")]


# Deleting


async def test_a_deleted_opportunity_comes_back_as_it_was(office: Office) -> None:
    deal = await open_deal(office, ownerId=typed_id(office.label("sales_north")))
    gone = await do(office, "deleteOpportunity", deal, "MANAGER", version=deal.version)
    assert gone["opportunity"]["deletedAt"] is not None
    hidden = await do(office, "moveOpportunity", deal, stageId=stage(office, "Proposal"))
    assert codes(hidden) == [("id", "NOT_FOUND")]
    back = await do(office, "restoreOpportunity", deal, "MANAGER")
    assert (back["errors"], back["opportunity"]["deletedAt"], path(back)) == ([], None, ["Lead"])
    again = await do(office, "restoreOpportunity", deal, "MANAGER")
    assert codes(again) == [("id", "INVALID_TRANSITION")]


async def test_a_deleted_opportunity_does_not_come_back_into_a_deleted_stage(office: Office) -> None:
    deal, before = office.label("deal_stranded"), await fingerprint(office.connection)
    refused = await do(office, "restoreOpportunity", deal)
    assert codes(refused) == [("id", "INVALID_TRANSITION")]
    assert "forgotten_2" in message(refused)
    assert await fingerprint(office.connection) == before
    stage_gone = typed_id(office.label("stage_forgotten_2"))
    assert codes(await call(office, "restoreStage", id=stage_gone)) == []
    assert codes(await do(office, "restoreOpportunity", deal)) == []
