"""The gate: what holds for every mutation, whichever rule it follows."""

import asyncio
from typing import Any

import pytest

from tests.api import open_api
from tests.fingerprint import fingerprint
from tests.oracle.rows import Row, typed_id
from tests.wire import tapped
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

UPDATE = """mutation($id: ID!, $version: Int!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, version: $version, input: $input) {
    customer { id name email tags version }
    errors { field code message ids current params }
  }
}"""
CREATE = """mutation($input: CreateTicketInput!) {
  createTicket(input: $input) { ticket { id subject customer { id } } errors { field code message } }
}"""


async def update(office: Office, role: str, row: Row, version: int | None = None, **values: Any) -> Any:
    """The payload of an update, or the whole answer where it is refused."""
    seen = row.version if version is None else version
    answer = await office.do(UPDATE, role, id=typed_id(row), version=seen, input=values)
    return answer if "errors" in answer else answer["data"]["updateCustomer"]


def codes(payload: Any) -> list[tuple[str, str]]:
    """Field path and code of each problem."""
    return [(".".join(error["field"] or ()), error["code"]) for error in payload["errors"]]


# Rights


async def test_fields_that_may_be_read_may_still_be_closed_to_writing(office: Office) -> None:
    probe = office.label("probe_2")
    refused = await update(office, "MARKETING", probe, tags=["a"], name="Taken over")
    (error,) = refused["errors"]
    assert error["extensions"] | {"requestId": ""} == {
        "code": "FORBIDDEN",
        "entity": "Customer",
        "action": "update",
        "field": "name",
        "requestId": "",
    }
    assert refused["data"] is None
    assert (await office.look()).find("Customer", probe.id).tags == probe.tags
    assert (await update(office, "MARKETING", probe, tags=["a"]))["customer"]["tags"] == ["a"]


async def test_a_field_may_be_open_on_some_rows_only(office: Office) -> None:
    """SUPPORT writes notes where it may read them: where somebody else gave it a ticket of the customer."""
    given, other = office.label("probe_3"), office.label("probe_4")
    assert codes(await update(office, "SUPPORT", given, notes="called back")) == []
    refused = await update(office, "SUPPORT", other, notes="called back")
    assert refused["errors"][0]["extensions"]["field"] == "notes"
    assert refused["errors"][0]["extensions"]["id"] == typed_id(other)
    rows = await office.look()
    assert rows.find("Customer", given.id).notes == "called back"
    assert rows.find("Customer", other.id).notes == other.notes


async def test_a_right_withdrawn_is_gone_for_the_next_write(office: Office) -> None:
    probe = office.label("probe_1")
    assert codes(await update(office, "SALES", probe, city="Kiel")) == []
    await office.connection.execute(
        "DELETE FROM grants USING roles r WHERE r.id = role_id AND r.name = 'SALES' AND entity = 'Customer'"
        " AND action = 'update'"
    )
    before = await fingerprint(office.connection)
    refused = await update(office, "SALES", probe, version=probe.version + 1, city="Bonn")
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await fingerprint(office.connection) == before


async def test_a_right_given_counts_for_the_next_write(office: Office) -> None:
    probe = office.label("probe_2")
    assert "errors" in await update(office, "MARKETING", probe, city="Kiel")
    await office.connection.execute(
        "UPDATE field_grants f SET access = 'READ', otherwise = 'READ' FROM grants g, roles r WHERE f.grant_id = g.id"
        " AND g.role_id = r.id AND r.name = 'MARKETING' AND g.action = 'update' AND f.field = 'city'"
    )
    assert codes(await update(office, "MARKETING", probe, city="Kiel")) == []


async def test_what_may_not_be_selected_is_refused_before_anything_is_done(office: Office) -> None:
    probe, before = office.label("probe_2"), await fingerprint(office.connection)
    document = UPDATE.replace("id name email", "id notes")
    values = {"id": typed_id(probe), "version": probe.version, "input": {"tags": ["x"]}}
    answer = await office.do(document, "MARKETING", **values)
    assert answer["errors"][0]["extensions"] | {"requestId": ""} == {
        "code": "FORBIDDEN",
        "entity": "Customer",
        "action": "read",
        "field": "notes",
        "requestId": "",
    }
    assert await fingerprint(office.connection) == before


async def test_the_answer_is_read_again_with_the_readers_eyes(office: Office) -> None:
    probe = office.label("probe_1")
    assert (await update(office, "MARKETING", probe, tags=["seen"]))["customer"]["email"] == "a***@example.com"
    document = UPDATE.replace("customer {", "a: customer { name } customer {")
    values = {"id": typed_id(probe), "version": probe.version + 1, "input": {"tags": []}}
    answer = await office.do(document, "ADMIN", **values)
    assert answer["data"]["updateCustomer"]["a"] == {"name": "Probe One"}
    assert answer["data"]["updateCustomer"]["customer"]["email"] == "anna@example.com"


async def test_a_record_that_leaves_the_callers_sight_is_null_without_problems(office: Office) -> None:
    """A seller hands a customer over to a colleague of the team."""
    probe = office.label("probe_1")
    colleague = next(
        user
        for user in office.rows.all("User")
        if user.active and user.team_id == office.label("sales_north").team_id and user.id != office.ids["sales_north"]
    )
    await office.connection.execute("UPDATE opportunities SET owner_id = NULL WHERE customer_id = $1", probe.id)
    await office.connection.execute("UPDATE tickets SET assignee_id = NULL WHERE customer_id = $1", probe.id)
    payload = await update(office, "SALES", probe, ownerId=typed_id(colleague))
    assert payload == {"customer": None, "errors": []}
    assert (await office.look()).find("Customer", probe.id).owner_id == colleague.id


async def test_owners_are_active_and_within_reach(office: Office) -> None:
    probe, far, retired = office.label("probe_1"), office.label("sales_south"), office.label("retired")
    payload = await update(office, "MANAGER", probe, ownerId=typed_id(far))
    assert codes(payload) == [("input.ownerId", "INVALID")]
    assert payload["errors"][0]["message"] == f"owner {typed_id(far)} is not in your team."
    assert codes(await update(office, "ADMIN", probe, ownerId=typed_id(retired))) == [("input.ownerId", "INVALID")]
    assert codes(await update(office, "ADMIN", probe, ownerId=typed_id(far))) == []


# Problems


async def test_all_problems_of_an_input_come_at_once(office: Office) -> None:
    probe, before = office.label("probe_1"), await fingerprint(office.connection)
    payload = await update(
        office,
        "ADMIN",
        probe,
        name=" ",
        email="nobody",
        phone="x" * 600,
        notes="nul \0 inside",
        tags=["ok", ""],
        ownerId="cus_1",
        externalRefs=[{"system": "", "id": "1"}],
    )
    assert payload["customer"] is None
    assert sorted(codes(payload)) == [
        ("input.email", "INVALID"),
        ("input.externalRefs.0.system", "REQUIRED"),
        ("input.name", "REQUIRED"),
        ("input.notes", "INVALID"),
        ("input.ownerId", "INVALID"),
        ("input.phone", "TOO_LONG"),
        ("input.tags.1", "INVALID"),
    ]
    assert await fingerprint(office.connection) == before


async def test_a_reference_that_is_not_seen_is_not_there(office: Office) -> None:
    """To a seller, another team's customer and one that never was look alike."""
    far = office.label("probe_3")
    for id in (typed_id(far), "cus_" + "0" * 32):
        answer = await office.do(CREATE, "SALES", input={"customerId": id, "subject": "Hello"})
        (problem,) = answer["data"]["createTicket"]["errors"]
        assert (problem["field"], problem["code"]) == (["input", "customerId"], "NOT_FOUND")
        assert problem["message"].replace(id, "…") == "There is no Customer with the id … that you may see."


async def test_an_id_of_another_entity_is_told_from_one_that_is_not_seen(office: Office) -> None:
    answer = await office.do(UPDATE, "ADMIN", id="ord_" + "0" * 32, version=1, input={})
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert answer["errors"][0]["extensions"]["argument"] == "id"


async def test_a_unique_value_that_is_taken_is_named(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    assert codes(await update(office, "ADMIN", two, code=one.code)) == [("input.code", "UNIQUE")]
    await update(office, "ADMIN", one, externalRefs=[{"system": "pos", "id": "7"}])
    payload = await update(office, "ADMIN", two, externalRefs=[{"system": "pos", "id": "7"}])
    assert codes(payload) == [("input.externalRefs", "UNIQUE")]


async def test_a_number_that_somebody_gave_by_hand_is_passed_over(office: Office) -> None:
    upcoming = await office.connection.fetchval("SELECT last_value + 1 FROM customer_codes")
    await update(office, "ADMIN", office.label("probe_1"), code=f"C{upcoming:09}")
    answer = await office.do(
        'mutation { createCustomer(input: { name: "Next" }, allowDuplicate: true)'
        " { customer { code } errors { code } } }",
        "ADMIN",
    )
    assert answer["data"]["createCustomer"] == {"customer": {"code": f"C{upcoming + 1:09}"}, "errors": []}


async def test_nothing_changed_is_nothing_done(office: Office) -> None:
    probe, before, known = office.label("probe_1"), await fingerprint(office.connection), len(await office.events())
    payload = await update(office, "ADMIN", probe, name=probe.name, tags=probe.tags)
    assert payload["customer"]["version"] == probe.version
    assert await fingerprint(office.connection) == before
    assert len(await office.events()) == known


# Stale writes


async def test_a_stale_write_tells_what_changed_and_how_it_is_now(office: Office) -> None:
    # Above the versions of whatever the shop's log tells of it.
    await office.connection.execute("UPDATE customers SET version = 1000 WHERE id = $1", office.ids["probe_1"])
    await office.look()
    probe = office.label("probe_1")
    await update(office, "ADMIN", probe, email="new@example.com", city="Kiel")
    await update(office, "ADMIN", probe, version=probe.version + 1, notes="a secret")
    before = await fingerprint(office.connection)
    payload = await update(office, "ADMIN", probe, name="Too late")
    (problem,) = payload["errors"]
    assert (problem["code"], problem["field"]) == ("CONFLICT", ["email", "city", "notes"])
    assert problem["current"] == {"email": "new@example.com", "city": "Kiel", "notes": "a secret"}
    assert problem["params"] == {"version": probe.version + 2}
    (problem,) = (await update(office, "MARKETING", probe, tags=["late"]))["errors"]
    assert problem["field"] == ["email", "city"]
    assert problem["current"] == {"email": "n***@example.com", "city": "Kiel"}
    assert await fingerprint(office.connection) == before


async def test_fifty_at_once_on_one_customer_lose_no_update(office: Office) -> None:
    """Each puts its own tag beside those that it has seen, and comes again when somebody was faster."""
    # Above the versions of whatever the shop's log tells of it.
    await office.connection.execute("UPDATE customers SET version = 1000 WHERE id = $1", office.ids["probe_2"])
    await office.look()
    probe, admin = office.label("probe_2"), office.user("ADMIN")
    known = len(await office.events())
    read = "query($id: ID!) { customer(id: $id) { version tags } }"

    async def one(number: int) -> None:
        while True:
            seen = (await office.api.post(read, {"id": typed_id(probe)}, user=admin))["data"]["customer"]
            values = {"tags": [*seen["tags"], str(number)]}
            payload = await update(office, "ADMIN", probe, version=seen["version"], **values)
            if not payload["errors"]:
                return
            assert codes(payload) == [("tags", "CONFLICT")]

    await asyncio.gather(*(one(number) for number in range(50)))
    now = (await office.look()).find("Customer", probe.id)
    assert now.version == probe.version + 50
    assert sorted(now.tags, key=int) == [str(number) for number in range(50)]
    events = (await office.events())[known:]
    assert [event["record_version"] for event in events] == list(range(probe.version + 1, probe.version + 51))


# Cost


async def test_a_write_takes_five_trips(office: Office) -> None:
    """BEGIN, rows and rights, changes with audit and outbox, the answer, COMMIT. One more costs every writer a wait."""
    async with tapped(office.url) as tap, open_api(tap.url, write_pool=1) as api:
        office.api = api
        customer = typed_id(office.label("probe_1"))
        for _ in range(2):
            tap.reset()
            answer = await office.do(CREATE, "ADMIN", input={"customerId": customer, "subject": "Hello"})
            assert answer["data"]["createTicket"]["errors"] == []
        assert (tap.trips, tap.executed, tap.parsed) == (5, 5, 0)
