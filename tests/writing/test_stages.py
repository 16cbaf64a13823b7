"""The rules of stages."""

import asyncio
from typing import Any

import orjson
import pytest

from auth.audit import value_hash
from tests.fingerprint import fingerprint
from tests.oracle.rows import Row, typed_id
from tests.writing.calls import call, codes, message
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

SHOWN = "id name kind position probability rottingAfterDays version deletedAt"


async def change(office: Office, row: Row, **values: Any) -> Any:
    return await call(office, "updateStage", show=SHOWN, id=typed_id(row), version=row.version, input=values)


async def delete(office: Office, row: Row) -> Any:
    return await call(office, "deleteStage", show=SHOWN, id=typed_id(row), version=row.version)


async def test_a_new_stage_is_an_open_one_in_the_last_place(office: Office) -> None:
    made = await call(office, "createStage", show=SHOWN, input={"name": "Pilot", "probability": 60})
    stage = made["stage"]
    assert made["errors"] == []
    assert (stage["kind"], stage["position"], stage["probability"], stage["rottingAfterDays"]) == ("OPEN", 10, 60, None)
    nulls = {"name": "Pilot 2", "probability": 0, "position": None, "rottingAfterDays": None}
    assert (await call(office, "createStage", show=SHOWN, input=nulls))["stage"]["position"] == 11


async def test_the_first_stage_of_all_has_place_0_and_beyond_the_last_place_there_is_none(office: Office) -> None:
    await office.connection.execute("UPDATE stages SET deleted_at = now()")
    for name, position in (("One", 0), ("Far", 1_000_000), ("Further", 1_000_000)):
        given = {"name": name, "probability": 1} | ({"position": position} if name == "Far" else {})
        assert (await call(office, "createStage", show=SHOWN, input=given))["stage"]["position"] == position


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"name": ""}, [("input.name", "REQUIRED")]),
        ({"name": " \t"}, [("input.name", "REQUIRED")]),
        ({"name": "n" * 501}, [("input.name", "TOO_LONG")]),
        ({"name": "n" * 500}, []),
        ({"name": "nul \0"}, [("input.name", "INVALID")]),
        ({"name": "Lead"}, [("input.name", "UNIQUE")]),
        ({"name": "forgotten"}, []),
        ({"probability": -1}, [("input.probability", "OUT_OF_RANGE")]),
        ({"probability": 0}, []),
        ({"probability": 100}, []),
        ({"probability": 101}, [("input.probability", "OUT_OF_RANGE")]),
        ({"position": -1}, [("input.position", "OUT_OF_RANGE")]),
        ({"position": 0}, []),
        ({"position": 1_000_001}, [("input.position", "OUT_OF_RANGE")]),
        ({"rottingAfterDays": 0}, [("input.rottingAfterDays", "OUT_OF_RANGE")]),
        ({"rottingAfterDays": 1}, []),
        ({"rottingAfterDays": 36_500}, []),
        ({"rottingAfterDays": 36_501}, [("input.rottingAfterDays", "OUT_OF_RANGE")]),
        ({"kind": "WON", "probability": 100}, []),
        ({"kind": "WON", "probability": 99}, [("input.probability", "INVALID")]),
        ({"kind": "LOST", "probability": 0}, []),
        ({"kind": "LOST", "probability": 1}, [("input.probability", "INVALID")]),
        (
            {"name": "", "probability": 101, "position": -1, "rottingAfterDays": 0},
            [
                ("input.name", "REQUIRED"),
                ("input.position", "OUT_OF_RANGE"),
                ("input.probability", "OUT_OF_RANGE"),
                ("input.rottingAfterDays", "OUT_OF_RANGE"),
            ],
        ),
    ],
)
async def test_what_a_new_stage_may_be(office: Office, given: dict[str, Any], found: list[tuple[str, str]]) -> None:
    before = await fingerprint(office.connection)
    made = await call(office, "createStage", show=SHOWN, input={"name": "New", "probability": 5} | given)
    assert codes(made) == found
    assert (made["stage"] is None) == bool(found)
    assert (await fingerprint(office.connection) == before) == bool(found)


@pytest.mark.parametrize(
    ("label", "given", "found"),
    [
        ("stage_Lead", {"name": "Contacted", "position": 7, "rottingAfterDays": None}, []),
        ("stage_Lead", {"name": None}, [("input.name", "REQUIRED")]),
        ("stage_Lead", {"position": None}, [("input.position", "REQUIRED")]),
        ("stage_Lead", {"probability": None}, [("input.probability", "REQUIRED")]),
        ("stage_Lead", {"probability": 101}, [("input.probability", "OUT_OF_RANGE")]),
        ("stage_Lead", {"name": "Proposal"}, [("input.name", "UNIQUE")]),
        ("stage_Won", {"probability": 99}, [("input.probability", "INVALID")]),
        ("stage_Won", {"probability": 100}, []),
        ("stage_Lost", {"probability": 1}, [("input.probability", "INVALID")]),
    ],
)
async def test_what_a_stage_may_become(
    office: Office, label: str, given: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    row = office.label(label)
    changed = await change(office, row, **given)
    assert codes(changed) == found
    for name, value in given.items():
        if not found:
            assert changed["stage"][name] == value


async def test_the_kind_of_a_stage_never_changes(office: Office) -> None:
    answer = await change(office, office.label("stage_Lead"), kind="WON")
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_opportunities_follow_a_new_probability_unless_theirs_was_set_by_hand(office: Office) -> None:
    stage = office.label("stage_Lead")
    before = {deal.id: deal for deal in office.rows.all("Opportunity")}
    follow = {id for id, deal in before.items() if deal.stage_id == stage.id and deal.probability == 10}
    by_hand = {id for id, deal in before.items() if deal.stage_id == stage.id and deal.probability != 10}
    assert follow
    assert by_hand
    known = len(await office.events())
    assert codes(await change(office, stage, probability=15)) == []
    after = {deal.id: deal for deal in (await office.look()).all("Opportunity")}
    assert {id for id in after if after[id].probability != before[id].probability} == follow
    assert {after[id].probability for id in follow} == {15}
    assert all(after[id].version == before[id].version + (id in follow) for id in after)
    events = (await office.events())[known:]
    told = {(event["entity"], event["action"], event["record_id"]) for event in events}
    assert told == {("Stage", "update", stage.id)} | {("Opportunity", "update", id) for id in follow}
    assert codes(await change(office, office.label("stage_Lead"), name="Still there")) == []
    assert len(await office.events()) == known + len(events) + 1


async def test_each_deal_that_follows_has_an_event_of_its_own_that_verifies(office: Office) -> None:
    stage, known, posted = office.label("stage_Lead"), len(await office.events()), len(await office.posted())
    assert codes(await change(office, stage, probability=15)) == []
    events = [event for event in (await office.events())[known:] if event["entity"] == "Opportunity"]
    outbox = {each["event_id"]: each for each in (await office.posted())[posted:]}
    rows = await office.look()
    assert len(events) > 1
    assert len({event["salts"] for event in events}) == len(events)
    for event in events:
        deal = rows.find("Opportunity", event["record_id"])
        changes, salts, hashes = (orjson.loads(event[name]) for name in ("changes", "salts", "hashes"))
        assert changes == {"probability": {"before": 10, "after": 15}}
        assert hashes == {"probability": value_hash(salts["probability"], "probability", changes["probability"])}
        assert event["record_version"] == deal.version
        assert event["at"] == deal.updated_at
        assert event["actor_id"] == office.user("ADMIN")
        told = outbox[event["id"]]
        assert (told["entity"], told["action"], told["record_id"]) == ("Opportunity", "update", deal.id)
        assert (told["record_version"], told["fields"], told["at"]) == (deal.version, ["probability"], event["at"])
    assert len(outbox) == len(events) + 1


async def test_a_stage_goes_only_when_no_live_opportunity_is_in_it(office: Office) -> None:
    stage = office.label("stage_Lead")
    inside = [d for d in office.rows.all("Opportunity") if d.stage_id == stage.id and d.deleted_at is None]
    before = await fingerprint(office.connection)
    refused = await delete(office, stage)
    (problem,) = refused["errors"]
    assert (problem["field"], problem["code"], problem["params"]) == (["id"], "IN_USE", {"count": len(inside)})
    assert str(len(inside)) in problem["message"]
    assert await fingerprint(office.connection) == before
    await office.connection.execute("UPDATE opportunities SET deleted_at = now() WHERE id <> $1", inside[0].id)
    assert "1 opportunity is in this stage" in message(await delete(office, stage))
    await office.connection.execute("UPDATE opportunities SET deleted_at = now()")
    gone = await delete(office, stage)
    assert gone["errors"] == []
    assert gone["stage"]["deletedAt"] is not None


async def test_a_deleted_stage_comes_back_once(office: Office) -> None:
    row = office.label("stage_forgotten")
    back = await call(office, "restoreStage", show=SHOWN, id=typed_id(row))
    assert (back["errors"], back["stage"]["deletedAt"]) == ([], None)
    again = await call(office, "restoreStage", show=SHOWN, id=typed_id(row))
    assert codes(again) == [("id", "INVALID_TRANSITION")]
    assert "not deleted" in message(again)


async def test_a_deleted_stage_does_not_come_back_beside_a_live_one_of_its_name(office: Office) -> None:
    row = office.label("stage_forgotten")
    assert codes(await call(office, "createStage", input={"name": row.name, "probability": 5})) == []
    before = await fingerprint(office.connection)
    refused = await call(office, "restoreStage", id=typed_id(row))
    assert codes(refused) == [("id", "UNIQUE")]
    assert "name" in message(refused)
    assert await fingerprint(office.connection) == before


async def test_a_deleted_stage_is_still_told_by_the_way_of_a_deal(office: Office) -> None:
    """The types say that there is a stage, so that clients rely on it."""
    deal = typed_id(office.label("deal_north"))
    document = "query($id: ID!) { opportunity(id: $id) { stageChanges { toStage { name } fromStage { name } } } }"
    for role in ("ADMIN", "SALES", "ANALYST"):
        answer = await office.do(document, role, id=deal)
        named = {"toStage": {"name": "forgotten_2"}, "fromStage": {"name": "forgotten_2"}}
        assert named in answer["data"]["opportunity"]["stageChanges"], role
        listed = (await office.do("{ stages { name } }", role))["data"]["stages"]
        assert {"name": "forgotten_2"} not in listed


@pytest.mark.parametrize("way", ["createOpportunity", "moveOpportunity", "reopenOpportunity", "restoreOpportunity"])
async def test_nothing_comes_into_a_stage_while_it_is_being_deleted(office: Office, way: str) -> None:
    """Of deleting a stage and bringing a deal into it, at the same moment, one is refused."""
    spare = office.label("stage_spare")
    customer, deal = office.label("probe_2"), office.label("deal_north")
    arguments: dict[str, Any] = {"id": typed_id(deal), "stageId": typed_id(spare)}
    if way == "createOpportunity":
        values = {"name": "N", "customerId": typed_id(customer), "stageId": typed_id(spare), "amount": {"amount": "1"}}
        arguments = {"input": values}
    elif way == "reopenOpportunity":
        assert codes(await call(office, "winOpportunity", id=typed_id(deal))) == []
    elif way == "restoreOpportunity":
        gone = {"id": typed_id(office.label("deal_deleted"))}
        await office.connection.execute(
            "UPDATE opportunities SET stage_id = $1 WHERE id = $2", spare.id, office.ids["deal_deleted"]
        )
        arguments = gone
    for _ in range(4):
        deleted, entered = await asyncio.gather(delete(office, spare), call(office, way, **arguments))
        assert bool(deleted["errors"]) != bool(entered["errors"])
        inside = await office.connection.fetchval(
            "SELECT count(*) FROM opportunities o JOIN stages s ON s.id = o.stage_id"
            " WHERE o.deleted_at IS NULL AND s.deleted_at IS NOT NULL"
        )
        assert inside == 0
        if way != "createOpportunity":
            break
        await office.connection.execute("DELETE FROM stage_changes WHERE to_stage_id = $1", spare.id)
        await office.connection.execute("DELETE FROM opportunities WHERE stage_id = $1", spare.id)
        await office.connection.execute("UPDATE stages SET deleted_at = NULL WHERE id = $1", spare.id)
        await office.look()
        spare = office.label("stage_spare")


async def test_a_deal_waits_for_the_deletion_of_its_stage_and_finds_none(office: Office) -> None:
    """The other order of the two, made certain: the deletion is under way, and uncommitted, when the deal comes."""
    spare, deal = office.label("stage_spare"), office.label("deal_north")
    transaction = office.connection.transaction()
    await transaction.start()
    await office.connection.execute("SELECT 1 FROM stages WHERE id = $1 FOR UPDATE", spare.id)
    moving = asyncio.create_task(call(office, "moveOpportunity", id=typed_id(deal), stageId=typed_id(spare)))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not await office.connection.fetchval(waiting):
        assert not moving.done()
        await office.connection.execute("SELECT pg_stat_clear_snapshot()")
    await office.connection.execute("UPDATE stages SET deleted_at = now() WHERE id = $1", spare.id)
    await transaction.commit()
    assert codes(await moving) == [("stageId", "NOT_FOUND")]
