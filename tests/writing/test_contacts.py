"""The rules of contacts."""

import asyncio
from typing import Any

import pytest

from tests.fingerprint import fingerprint
from tests.oracle.rows import Row, typed_id
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

CREATE = """mutation($input: CreateContactInput!, $allow: Boolean! = false) {
  createContact(input: $input, allowDuplicate: $allow) {
    contact { id fullName isPrimary birthday customer { id } } errors { field code message ids params }
  }
}"""
UPDATE = """mutation($id: ID!, $version: Int!, $input: UpdateContactInput!) {
  updateContact(id: $id, version: $version, input: $input) {
    contact { id isPrimary version birthday } errors { field code message params }
  }
}"""
RESTORE = "mutation($id: ID!) { restoreContact(id: $id) { contact { isPrimary } errors { field code } } }"
DELETE = "mutation($id: ID!, $v: Int!) { deleteContact(id: $id, version: $v) { contact { id } errors { code } } }"


async def create(office: Office, customer: Row, role: str = "ADMIN", *, allow: bool = False, **values: Any) -> Any:
    """The payload for a new contact of ``customer``."""
    given = {"customerId": typed_id(customer), "firstName": "Grace", "lastName": "Hopper", **values}
    answer = await office.do(CREATE, role, input=given, allow=allow)
    assert "errors" not in answer, answer
    return answer["data"]["createContact"]


async def update(office: Office, contact: Row, **values: Any) -> Any:
    """The payload of an update by ADMIN."""
    answer = await office.do(UPDATE, "ADMIN", id=typed_id(contact), version=contact.version, input=values)
    return answer["data"]["updateContact"]


def codes(payload: Any) -> list[tuple[str, str]]:
    """Field path and code of each problem."""
    return [(".".join(error["field"] or ()), error["code"]) for error in payload["errors"]]


def primaries(office: Office, customer: Row) -> list[Row]:
    """The live primary contacts of a customer."""
    return [c for c in office.rows.many(customer, "contacts") if c.is_primary and c.deleted_at is None]


async def test_a_new_primary_contact_takes_the_place_of_the_one_before(office: Office) -> None:
    probe = office.label("probe_2")
    first = (await create(office, probe, isPrimary=True))["contact"]
    second = (await create(office, probe, isPrimary=True, lastName="Second"))["contact"]
    assert (first["isPrimary"], second["isPrimary"]) == (True, True)
    await office.look()
    assert [typed_id(c) for c in primaries(office, probe)] == [second["id"]]
    event = (await office.events())[-1]
    assert (event["action"], event["entity"]) == ("update", "Contact")
    assert '"isPrimary"' in event["changes"]


async def test_making_a_contact_primary_and_unmaking_it(office: Office) -> None:
    probe = office.label("probe_2")
    await create(office, probe, isPrimary=True)
    await create(office, probe, lastName="Second")
    rows = await office.look()
    one, two = sorted(rows.many(probe, "contacts"), key=lambda c: c.id)
    assert (await update(office, two, isPrimary=True))["contact"]["isPrimary"]
    rows = await office.look()
    assert primaries(office, probe) == [rows.find("Contact", two.id)]
    assert rows.find("Contact", one.id).version == one.version + 1
    assert codes(await update(office, rows.find("Contact", two.id), isPrimary=None)) == [
        ("input.isPrimary", "REQUIRED")
    ]
    await update(office, rows.find("Contact", two.id), isPrimary=False)
    await office.look()
    assert primaries(office, probe) == []


async def test_of_many_who_become_primary_at_once_one_is(office: Office) -> None:
    probe = office.label("probe_2")
    for number in range(6):
        await create(office, probe, lastName=str(number))
    contacts = (await office.look()).many(probe, "contacts")
    new = [create(office, probe, lastName=f"new {number}", isPrimary=True) for number in range(6)]
    payloads = await asyncio.gather(*(update(office, contact, isPrimary=True) for contact in contacts), *new)
    assert [payload["errors"] for payload in payloads if payload["errors"]] == []
    await office.look()
    assert len(primaries(office, probe)) == 1


async def test_a_restored_contact_is_not_primary_beside_another(office: Office) -> None:
    probe = office.label("probe_2")
    made = (await create(office, probe, isPrimary=True))["contact"]
    await office.do(DELETE, "ADMIN", id=made["id"], v=1)
    await create(office, probe, lastName="Second", isPrimary=True)
    restored = (await office.do(RESTORE, "ADMIN", id=made["id"]))["data"]["restoreContact"]
    assert restored == {"contact": {"isPrimary": False}, "errors": []}
    again = (await office.do(RESTORE, "ADMIN", id=made["id"]))["data"]["restoreContact"]
    assert codes(again) == [("id", "INVALID_TRANSITION")]


async def test_names_and_birthdays_must_make_sense(office: Office) -> None:
    probe, before = office.label("probe_2"), await fingerprint(office.connection)
    payload = await create(office, probe, firstName=" ", lastName="", birthday="2999-01-01", email="x", phone="abc")
    assert sorted(codes(payload)) == [
        ("input.birthday", "OUT_OF_RANGE"),
        ("input.email", "INVALID"),
        ("input.firstName", "REQUIRED"),
        ("input.lastName", "REQUIRED"),
        ("input.phone", "INVALID"),
    ]
    assert codes(await create(office, probe, birthday="1899-12-31")) == [("input.birthday", "OUT_OF_RANGE")]
    assert await fingerprint(office.connection) == before
    assert (await create(office, probe, birthday="1900-01-01"))["contact"]["birthday"] == "1900-01-01"


async def test_a_contact_of_a_deleted_customer_does_not_come_back_alone(office: Office) -> None:
    answer = await office.do(RESTORE, "ADMIN", id=typed_id(office.label("contact_of_gone")))
    assert codes(answer["data"]["restoreContact"]) == [("id", "NOT_FOUND")]


# Duplicates


async def test_one_email_or_one_phone_at_the_same_customer_is_a_duplicate(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    ada = typed_id(office.label("contact_1"))
    payload = await create(office, two, email="ADA@x.example")
    assert codes(payload) == [("input.email", "DUPLICATE")]
    assert payload["errors"][0]["ids"] == [ada]
    made = (await create(office, two, email="ADA@x.example", phone="+1 555 0100", allow=True))["contact"]
    assert codes(await create(office, two, phone="1-555-0100")) == [("input.phone", "DUPLICATE")]
    assert codes(await create(office, one, phone="1-555-0100")) == []
    payload = await create(office, two, phone="15550100", email="ada@x.example")
    assert codes(payload) == [("input.email", "DUPLICATE"), ("input.phone", "DUPLICATE")]
    assert sorted(payload["errors"][0]["ids"]) == sorted([ada, made["id"]])


async def test_what_a_role_reads_masked_is_no_duplicate_to_it(office: Office) -> None:
    """SUPPORT reads emails only where somebody else gave it a ticket of the customer."""
    two, three = office.label("probe_2"), office.label("probe_3")
    assert codes(await create(office, two, "SUPPORT", email="ada@x.example")) == []
    await create(office, three, email="seen@x.example")
    assert codes(await create(office, two, "SUPPORT", email="seen@x.example")) == [("input.email", "DUPLICATE")]


async def test_what_a_role_does_not_see_is_no_duplicate_to_it(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    await create(office, office.label("probe_5"), email="far@x.example")
    assert codes(await create(office, one, "SALES", email="far@x.example")) == []
    assert codes(await create(office, two, email="far@x.example")) == [("input.email", "DUPLICATE")]
