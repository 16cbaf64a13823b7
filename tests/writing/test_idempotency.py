"""One key, one deed."""

import asyncio
from typing import Any

import pytest

from tests.api import open_api
from tests.oracle.rows import typed_id
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

CREATE = """mutation($customer: ID!, $subject: String!) {
  createTicket(input: { customerId: $customer, subject: $subject }) {
    ticket { id subject customer { name email } } errors { field code message params }
  }
}"""


async def create(office: Office, role: str, key: str | None, subject: str = "Help") -> Any:
    """The answer to one request for a ticket of the first probe."""
    return await office.do(CREATE, role, key, customer=typed_id(office.label("probe_1")), subject=subject)


async def tickets(office: Office) -> int:
    """How many tickets there are."""
    found: int = await office.connection.fetchval("SELECT count(*) FROM tickets")
    return found


async def test_a_repeat_is_answered_with_the_same_record(office: Office) -> None:
    before, known = await tickets(office), len(await office.events())
    first, second = await create(office, "ADMIN", "k"), await create(office, "ADMIN", "k")
    assert first["data"]["createTicket"]["ticket"]["id"].startswith("tkt_")
    assert second == first
    assert await tickets(office) == before + 1
    assert len(await office.events()) == known + 1


async def test_keys_belong_to_their_senders(office: Office) -> None:
    before = await tickets(office)
    answers = [await create(office, role, "k") for role in ("ADMIN", "SUPPORT", "MANAGER")]
    assert len({answer["data"]["createTicket"]["ticket"]["id"] for answer in answers}) == 3
    assert await tickets(office) == before + 3


async def test_a_key_is_for_one_request(office: Office) -> None:
    await create(office, "ADMIN", "k")
    before = await tickets(office)
    answer = await create(office, "ADMIN", "k", subject="Something else")
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert await tickets(office) == before


async def test_problems_are_kept_too(office: Office) -> None:
    first = await create(office, "ADMIN", "k", subject="x" * 600)
    assert first["data"]["createTicket"]["errors"][0]["code"] == "TOO_LONG"
    assert await create(office, "ADMIN", "k", subject="x" * 600) == first
    assert await office.connection.fetchval("SELECT outcome ? 'problems' FROM idempotency_keys")


async def test_a_denial_is_not_kept(office: Office) -> None:
    """Whoever is granted the right afterwards may send the same again."""
    assert (await create(office, "ANALYST", "k"))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await office.connection.fetchval("SELECT count(*) FROM idempotency_keys") == 0
    await office.connection.execute(
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'SUPPORT') WHERE id = $1", office.user("ANALYST")
    )
    assert (await create(office, "ANALYST", "k"))["data"]["createTicket"]["errors"] == []


async def test_a_repeat_shows_what_its_sender_may_see_by_then(office: Office) -> None:
    first = await create(office, "ADMIN", "k")
    assert first["data"]["createTicket"]["ticket"]["customer"]["email"] == "anna@example.com"
    await office.connection.execute(
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'SUPPORT') WHERE id = $1", office.user("ADMIN")
    )
    again = await create(office, "ADMIN", "k")
    assert again["data"]["createTicket"]["ticket"]["id"] == first["data"]["createTicket"]["ticket"]["id"]
    assert again["data"]["createTicket"]["ticket"]["customer"]["email"] == "a***@example.com"


async def test_fifty_at_once_under_one_key_do_the_work_once(office: Office) -> None:
    before, known = await tickets(office), len(await office.events())
    answers = await asyncio.gather(*(create(office, "ADMIN", "k") for _ in range(50)))
    assert len({str(answer) for answer in answers}) == 1
    assert answers[0]["data"]["createTicket"]["errors"] == []
    assert await tickets(office) == before + 1
    assert len(await office.events()) == known + 1


async def test_two_workers_do_the_work_once(office: Office) -> None:
    """The table decides, not the memory of one process."""
    before = await tickets(office)
    async with open_api(office.url) as other:
        one = Office(office.url, office.ids, other, office.connection)
        one.rows = office.rows
        answers = await asyncio.gather(*(create(each, "ADMIN", "k") for each in [office, one] * 10))
    assert len({answer["data"]["createTicket"]["ticket"]["id"] for answer in answers}) == 1
    assert await tickets(office) == before + 1


@pytest.mark.parametrize("key", ["x" * 256, "tab\there"])
async def test_a_key_has_to_be_printable_and_short(office: Office, key: str) -> None:
    answer = await create(office, "ADMIN", key)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert answer["errors"][0]["extensions"]["argument"] == "Idempotency-Key"


async def test_a_keyed_operation_has_one_field(office: Office) -> None:
    before = await tickets(office)
    field = 'createTicket(input: { customerId: $customer, subject: "A" }) { errors { code } }'
    document = f"mutation($customer: ID!) {{ a: {field} b: {field} }}"
    answer = await office.do(document, "ADMIN", "k", customer=typed_id(office.label("probe_1")))
    assert answer["errors"][0]["extensions"]["argument"] == "Idempotency-Key"
    assert await tickets(office) == before
