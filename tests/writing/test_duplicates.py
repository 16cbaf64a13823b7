"""Customers that are probably the same: told as far as their teller may read them."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.api import open_api
from tests.fingerprint import fingerprint
from tests.oracle.rows import typed_id
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

FIND = "query($id: ID!, $first: Int! = 10) { found: duplicateCustomers(id: $id, first: $first) { id name email } }"
CREATE = """mutation($input: CreateCustomerInput!, $allow: Boolean! = false) {
  createCustomer(input: $input, allowDuplicate: $allow) { customer { id } errors { field code message ids } }
}"""


async def create(office: Office, role: str = "ADMIN", *, allow: bool = False, **values: Any) -> Any:
    """The payload for a new customer."""
    answer = await office.do(CREATE, role, input={"name": "Quintessential", **values}, allow=allow)
    assert "errors" not in answer, answer
    return answer["data"]["createCustomer"]


async def found(office: Office, id: str, role: str = "ADMIN", first: int = 10) -> list[str]:
    """The ids of the duplicates of a customer, in their order."""
    answer = await office.do(FIND, role, id=id, first=first)
    assert "errors" not in answer, answer
    return [each["id"] for each in answer["data"]["found"]]


def codes(payload: Any) -> list[tuple[str, str]]:
    """Field path and code of each problem."""
    return [(".".join(error["field"] or ()), error["code"]) for error in payload["errors"]]


async def make(office: Office, **values: Any) -> str:
    """The id of a new customer."""
    payload = await create(office, allow=True, **values)
    assert payload["errors"] == [], payload
    return str(payload["customer"]["id"])


# The query


async def test_those_who_share_most_come_first(office: Office) -> None:
    one = await make(office, name="Zebra Crossing Ltd", email="Zebra@Cross.example", phone="+49 (30) 1234-567")
    name = await make(office, name="Zebra Crosing Ltd")
    phone = await make(office, name="Something else", phone="4930 1234567")
    both = await make(office, name="Other", phone="0049", email="zebra@cross.EXAMPLE")
    all_three = await make(office, name="zebra crossing ltd", phone="+49301234567", email="zebra@cross.example")
    ids = await found(office, one)
    assert ids[0] == all_three
    assert set(ids[1:3]) == {phone, both}
    assert ids[3] == name
    assert await found(office, one, first=2) == ids[:2]
    assert one not in ids


async def test_an_empty_email_or_phone_is_shared_by_nobody(office: Office) -> None:
    one = await make(office, name="Nothing In Common 1", email="", phone=None)
    assert await found(office, one) == []


async def test_an_unknown_or_deleted_customer_has_no_duplicates(office: Office) -> None:
    assert await found(office, "cus_" + "0" * 32) == []
    assert await found(office, typed_id(office.label("probe_gone"))) == []


async def test_how_many_is_from_1_to_50(office: Office) -> None:
    for first in (0, -1, 51):
        answer = await office.do(FIND, "ADMIN", id=typed_id(office.label("probe_1")), first=first)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert answer["errors"][0]["extensions"]["argument"] == "first"
    answer = await office.do(FIND, "ADMIN", id="nothing", first=1)
    assert answer["errors"][0]["extensions"]["argument"] == "id"


async def test_a_masked_email_matches_nothing(office: Office) -> None:
    """MARKETING reads emails and phones masked everywhere, SUPPORT where no ticket was given to it."""
    one = await make(office, name="Alpha Quux", email="same@same.example", phone="5550100")
    two = await make(office, name="Totally Different", email="same@same.example", phone="5550100")
    assert await found(office, one) == [two]
    for role in ("MARKETING", "SUPPORT"):
        assert await found(office, one, role) == []
    care = office.user("SUPPORT")
    for id in (one, two):
        await office.connection.execute(
            "INSERT INTO tickets (id, customer_id, subject, kind, priority, status, channel, assignee_id,"
            " assigned_by_id) VALUES (gen_random_uuid(), $1::text::uuid, 'x', 'INQUIRY', 'LOW', 'OPEN', 'WEB', $2, $3)",
            id[4:],
            care,
            office.user("ADMIN"),
        )
        # Both sides must be readable.
        assert await found(office, one, "SUPPORT") == ([] if id == one else [two])


async def test_rows_out_of_sight_are_no_duplicates(office: Office) -> None:
    one = await make(office, name="Alpha Quux", email="same@same.example", ownerId=f"usr_{office.user('SALES').hex}")
    two = await make(office, name="Alpha Quux", email="same@same.example")
    assert await found(office, one) == [two]
    assert await found(office, one, "SALES") == []


async def test_without_any_value_to_compare_it_is_forbidden(office: Office) -> None:
    """ANALYST reads neither name nor email nor phone."""
    answer = await office.do("query($id: ID!) { duplicateCustomers(id: $id) { id } }", "ANALYST", id="cus_" + "0" * 32)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert answer["errors"][0]["extensions"]["field"] == ["email", "phone", "name"]


async def test_a_merged_id_is_answered_for_by_the_survivor(office: Office) -> None:
    two = await make(office, name="Else", phone="+49 170 1234567")
    merged = typed_id(office.label("probe_merged"))
    assert two in await found(office, merged)


async def test_without_the_extension_the_same_name_counts(office: Office) -> None:
    one = await make(office, name="Zebra Crossing")
    same = await make(office, name="ZEBRA crossing")
    similar = await make(office, name="Zebra Crosing")
    assert await found(office, one) == [same, similar]
    connection = await asyncpg.connect(office.url)
    await connection.execute("DROP EXTENSION pg_trgm CASCADE")
    await connection.close()
    async with open_api(office.url) as api:
        answer = await api.post(FIND, {"id": one}, user=office.user("ADMIN"))
        assert [each["id"] for each in answer["data"]["found"]] == [same]


# Making one more


async def test_the_same_email_or_phone_is_refused_until_it_is_allowed(office: Office) -> None:
    one, before = office.label("probe_1"), await fingerprint(office.connection)
    payload = await create(office, email="Anna@Example.com ".strip().upper())
    ids = [
        typed_id(row)
        for row in office.rows.all("Customer")
        if row.deleted_at is None and (row.email or "").lower() == "anna@example.com"
    ]
    assert codes(payload) == [("input.email", "DUPLICATE")]
    assert sorted(payload["errors"][0]["ids"]) == sorted(ids)
    assert typed_id(one) in ids
    payload = await create(office, phone="0049 not a phone", email="ANNA@example.com")
    assert sorted(codes(payload)) == [("input.email", "DUPLICATE"), ("input.phone", "INVALID")]
    assert await fingerprint(office.connection) == before
    assert codes(await create(office, email="anna@example.com", allow=True)) == []


async def test_whoever_may_not_read_is_told_nothing(office: Office) -> None:
    for role in ("SUPPORT", "SALES"):
        far = await make(office, name="Far", email=f"{role}@far.example", phone="99 88 77 66")
        assert codes(await create(office, role, email=f"{role}@far.example", phone="99887766")) == []
        await office.connection.execute(
            "UPDATE customers SET deleted_at = now() WHERE id = $1::text::uuid OR phone = '99887766'", far[4:]
        )


async def test_deleted_ones_are_not_in_the_way(office: Office) -> None:
    one = await make(office, email="gone@gone.example")
    await office.connection.execute("UPDATE customers SET deleted_at = now() WHERE id = $1::text::uuid", one[4:])
    assert codes(await create(office, email="gone@gone.example")) == []


async def test_of_twenty_who_make_the_same_at_once_one_does(office: Office) -> None:
    payloads = await asyncio.gather(*(create(office, email="rush@rush.example", phone="12 34 56") for _ in range(20)))
    made = [payload for payload in payloads if payload["customer"]]
    assert len(made) == 1
    refused = [payload for payload in payloads if not payload["customer"]]
    assert all(error["ids"] == [made[0]["customer"]["id"]] for payload in refused for error in payload["errors"])
