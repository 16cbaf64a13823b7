"""Finding, opening and erasing who a customer is."""

from typing import Any

import orjson
import pytest

from auth.audit import value_hash
from tests.api import open_api
from tests.fingerprint import fingerprint
from tests.oracle.rows import TABLES, Row, typed_id
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

REVEAL = """mutation($id: ID!, $reason: String!) { revealCustomer(id: $id, reason: $reason) {
  again: customer { mail: email } customer { id email phone notes __typename } errors { field code message } } }"""
LOOKUP = """mutation($email: String, $phone: String) { lookupCustomer(email: $email, phone: $phone) {
  customer { id name email phone } errors { field code message } } }"""
ERASE = """mutation($id: ID!, $reason: String!) { eraseCustomer(id: $id, reason: $reason) {
  customer { id name email phone notes city tags version contacts { nodes { fullName email } } }
  errors { field code message } } }"""
MERGE = "mutation($keep: ID!, $ids: [ID!]!) { mergeCustomers(keepId: $keep, mergeIds: $ids) { errors { code } } }"
UNMERGE = "mutation($id: ID!) { unmergeCustomer(id: $id) { customer { name email } errors { code } } }"
UPDATE = """mutation($id: ID!, $version: Int!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, version: $version, input: $input) { errors { code } } }"""


def codes(payload: Any) -> list[tuple[str, str]]:
    """Field path and code of each problem."""
    return [(".".join(error["field"] or ()), error["code"]) for error in payload["errors"]]


async def reveal(
    office: Office, row: Row, role: str = "SUPPORT", reason: str = "called in", key: str | None = None
) -> Any:
    """The payload, or the whole answer where it is refused."""
    answer = await office.do(REVEAL, role, key=key, id=typed_id(row), reason=reason)
    return answer if "errors" in answer else answer["data"]["revealCustomer"]


async def lookup(office: Office, role: str = "SUPPORT", **sought: str | None) -> Any:
    """The payload, or the whole answer where it is refused."""
    answer = await office.do(LOOKUP, role, **sought)
    return answer if "errors" in answer else answer["data"]["lookupCustomer"]


async def erase(office: Office, id: str, reason: str = "asked for in writing") -> Any:
    """The payload of an erasure by ADMIN."""
    return (await office.do(ERASE, "ADMIN", id=id, reason=reason))["data"]["eraseCustomer"]


# Revealing


async def test_details_are_opened_in_clear_and_the_reason_is_on_record(office: Office) -> None:
    probe, known = office.label("probe_1"), len(await office.events())
    payload = await reveal(office, probe, reason="  caller forgot the address ")
    assert payload["customer"] == {
        "id": typed_id(probe),
        "email": "anna@example.com",
        "phone": "+491701234567",
        "notes": "first",
        "__typename": "RevealedDetails",
    }
    assert payload["again"] == {"mail": "anna@example.com"}
    (event,) = (await office.events())[known:]
    assert (event["action"], event["record_id"]) == ("reveal", probe.id)
    assert orjson.loads(event["changes"]) == {"reason": {"before": None, "after": "caller forgot the address"}}
    assert (await office.look()).find("Customer", probe.id).version == probe.version


async def test_a_reason_is_needed(office: Office) -> None:
    probe, known = office.label("probe_1"), len(await office.events())
    for reason, code in (("", "REQUIRED"), ("  \t ", "REQUIRED"), (" ab ", "INVALID"), ("x" * 501, "TOO_LONG")):
        payload = await reveal(office, probe, reason=reason)
        assert (codes(payload), payload["customer"]) == ([("reason", code)], None)
    assert codes(await reveal(office, probe, reason="nul \0 here")) == [("reason", "INVALID")]
    assert len(await office.events()) == known
    assert (
        codes(await reveal(office, probe, reason="x" * 500)) == codes(await reveal(office, probe, reason="abc")) == []
    )


async def test_what_was_revealed_is_not_kept_for_a_repeated_request(office: Office) -> None:
    probe = office.label("probe_1")
    first = await reveal(office, probe, key="once")
    known = len(await office.events())
    assert await reveal(office, probe, key="once") == first
    assert len(await office.events()) == known
    kept = await office.connection.fetchval("SELECT outcome::text FROM idempotency_keys WHERE key = 'once'")
    assert "anna" not in kept
    await office.connection.execute("UPDATE customers SET deleted_at = now() WHERE id = $1", probe.id)
    assert (await reveal(office, probe, key="once"))["customer"] is None


async def test_a_manager_reveals_in_the_team_only(office: Office) -> None:
    sight = office.rights("MANAGER")
    far = next(row for row in office.rows.all("Customer") if row.deleted_at is None and not sight.visible(row))
    assert codes(await reveal(office, far, "MANAGER")) == [("id", "NOT_FOUND")]
    assert (await reveal(office, office.label("probe_1"), "MANAGER"))["customer"]["email"] == "anna@example.com"


# Looking up


async def test_a_caller_is_found_by_email_or_phone_and_shown_as_the_role_reads(office: Office) -> None:
    four = office.label("probe_4")
    await office.connection.execute(
        "UPDATE customers SET email = 'Unique@Only.example', phone = '+49 (89) 555-0199' WHERE id = $1", four.id
    )
    shown = {"id": typed_id(four), "name": "Probe Four", "email": "U***@Only.example", "phone": "+49****0199"}
    for sought in ({"email": "unique@ONLY.example "}, {"phone": "49 89 5550199"}):
        known = len(await office.events())
        assert await lookup(office, **sought) == {"customer": shown, "errors": []}
        (event,) = (await office.events())[known:]
        assert (event["action"], event["record_id"], event["outcome"]) == ("lookup", four.id, "OK")
        assert orjson.loads(event["changes"]) == {"by": {"before": None, "after": next(iter(sought))}}
    assert (await lookup(office, "ADMIN", phone="+49895550199"))["customer"]["email"] == "Unique@Only.example"
    for part in ({"email": "unique"}, {"email": "%"}, {"phone": "5550199"}, {"email": "unique@only.exampl_"}):
        assert codes(await lookup(office, **part)) == [(next(iter(part)), "NOT_FOUND")]


async def test_who_is_not_found_is_on_record_without_the_value(office: Office) -> None:
    known = len(await office.events())
    assert codes(await lookup(office, email="nobody@nowhere.example")) == [("email", "NOT_FOUND")]
    (event,) = (await office.events())[known:]
    assert (event["action"], event["entity"], event["record_id"]) == ("lookup", "Customer", None)
    assert (event["outcome"], event["actor_id"]) == ("FAILED", office.user("SUPPORT"))
    assert "nobody" not in str(dict(event))


async def test_just_one_of_email_and_phone_is_given(office: Office) -> None:
    known = len(await office.events())
    assert codes(await lookup(office)) == [("email", "REQUIRED")]
    assert codes(await lookup(office, email=None, phone=None)) == [("email", "REQUIRED")]
    assert codes(await lookup(office, email="a@b.example", phone="1")) == [("email", "INVALID")]
    assert codes(await lookup(office, phone="call me")) == [("phone", "INVALID")]
    assert codes(await lookup(office, email=" ")) == [("email", "REQUIRED")]
    assert codes(await lookup(office, email="\0")) == [("email", "INVALID")]
    assert len(await office.events()) == known


async def test_deleted_ones_and_other_teams_are_not_found(office: Office) -> None:
    sight = office.rights("MANAGER")
    far = next(row for row in office.rows.all("Customer") if row.deleted_at is None and not sight.visible(row))
    await office.connection.execute("UPDATE customers SET email = 'far@far.example' WHERE id = $1", far.id)
    assert codes(await lookup(office, "MANAGER", email="far@far.example")) == [("email", "NOT_FOUND")]
    assert codes(await lookup(office, email="far@far.example")) == []
    await office.connection.execute("UPDATE customers SET deleted_at = now() WHERE id = $1", far.id)
    assert codes(await lookup(office, email="far@far.example")) == [("email", "NOT_FOUND")]


async def test_guessing_is_limited_for_each_user(office: Office) -> None:
    async with open_api(office.url, **LIMITS, lookup_per_minute=3) as api:
        office.api = api
        for _ in range(3):
            assert codes(await lookup(office, phone="0")) == [("phone", "NOT_FOUND")]
        known = len(await office.events())
        (error,) = (await lookup(office, phone="0"))["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert 1 <= error["extensions"]["retryAfter"] <= 60
        assert len(await office.events()) == known
        assert codes(await lookup(office, "ADMIN", phone="0")) == [("phone", "NOT_FOUND")]


# Erasing


async def test_nothing_that_tells_who_it_was_is_left_anywhere(office: Office) -> None:
    """Every table is searched for words that stand only in what is erased."""
    one, two = office.label("probe_1"), office.label("probe_2")
    secret = "Xyzzyplugh"
    run = office.connection.execute
    for row in (one, two):
        version = (await office.look()).find("Customer", row.id).version
        given = {
            "name": secret,
            "email": f"{secret}@x.example",
            "phone": "+1 555 0177",
            "notes": secret,
            "tags": [secret],
        }
        given |= {"city": secret, "externalRefs": [{"system": "erp9", "id": secret + typed_id(row)}]}
        answer = await office.do(UPDATE, "ADMIN", id=typed_id(row), version=version, input=given)
        assert answer["data"]["updateCustomer"]["errors"] == []
    mine, theirs = "WHERE customer_id = $1", "IN (SELECT id FROM {} WHERE customer_id = $1)"
    for statement in (
        f"UPDATE contacts SET first_name = '{secret}', email = '{secret}', birthday = '1990-05-05' {mine}",
        f"UPDATE tickets SET subject = '{secret}', description = '{secret}' {mine}",
        f"UPDATE ticket_comments SET body = '{secret}' WHERE ticket_id {theirs.format('tickets')}",
        f"UPDATE order_status_changes SET reason = '{secret}' WHERE order_id {theirs.format('orders')}",
    ):
        await run(statement, one.id)
    await run(f"UPDATE opportunities SET name = '{secret}', loss_notes = '{secret}' {mine}", two.id)
    await reveal(office, one, reason=f"because of {secret}")
    await office.do(MERGE, "ADMIN", keep=typed_id(two), ids=[typed_id(one)])
    assert await places(office, secret) >= {"customers", "audit_events", "contacts", "tickets", "external_refs"}
    payload = await erase(office, typed_id(one))
    assert payload["errors"] == []
    assert payload["customer"]["id"] == typed_id(two)
    assert (payload["customer"]["name"], payload["customer"]["email"]) == ("Erased customer", None)
    assert await places(office, secret) == set()
    undone = (await office.do(UNMERGE, "ADMIN", id=typed_id(one)))["data"]["unmergeCustomer"]
    assert undone == {"customer": {"name": "Erased customer", "email": None}, "errors": []}
    assert await places(office, secret) == set()


async def places(office: Office, word: str) -> set[str]:
    """The tables in which a word stands."""
    tables = await office.connection.fetch("SELECT tablename AS t FROM pg_tables WHERE schemaname = 'public'")
    found = set()
    for table in tables:
        if await office.connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {table['t']} x WHERE x::text ILIKE '%{word}%')"
        ):
            found.add(table["t"])
    return found


async def test_figures_and_all_others_stand(office: Office) -> None:
    two = office.label("probe_2")
    before = office.rows
    await erase(office, typed_id(two))
    after = await office.look()
    erased = {
        "Customer": {"name", "email", "phone", "city", "notes", "tags"},
        "Contact": {"first_name", "last_name", "title", "email", "phone", "birthday", "notes"},
        "Opportunity": {"name", "loss_notes"},
        "Ticket": {"subject", "description"},
    }
    for entity in TABLES:
        for row in before.all(entity):
            now = after.find(entity, row.id)
            changed = {name for name, value in vars(row).items() if vars(now)[name] != value}
            owner = row.id if entity == "Customer" else getattr(row, "customer_id", None)
            if entity == "AuditEvent":
                # The values that the log held of the person go, with their salts.
                assert changed <= {"changes", "salts"}, (row, changed)
            elif owner == two.id and entity in erased:
                assert changed <= erased[entity] | {"version", "updated_at", "refs"}
            else:
                assert changed == set() or entity in ("TicketComment", "OrderStatusChange"), (entity, changed)


async def test_one_event_tells_of_it_and_hashes_stay(office: Office) -> None:
    one = office.label("probe_1")
    await office.do(UPDATE, "ADMIN", id=typed_id(one), version=one.version, input={"city": "Kiel"})
    before = (await office.events())[-1]
    hashes, salts = orjson.loads(before["hashes"]), orjson.loads(before["salts"])
    assert value_hash(salts["city"], "city", orjson.loads(before["changes"])["city"]) == hashes["city"]
    known = len(await office.events())
    assert (await erase(office, typed_id(one)))["customer"]["version"] == one.version + 2
    events = await office.events()
    (event,) = events[known:]
    assert (event["action"], event["record_id"], event["record_version"]) == ("erase", one.id, one.version + 2)
    assert orjson.loads(event["changes"]) == {"reason": {"before": None, "after": "asked for in writing"}}
    after = events[known - 1]
    assert (after["id"], after["changes"], after["salts"], after["hashes"]) == (
        before["id"],
        None,
        None,
        before["hashes"],
    )
    await erase(office, typed_id(one), "asked for again")
    assert [orjson.loads(e["changes"])["reason"]["after"] for e in (await office.events())[known:]] == [
        "asked for in writing",
        "asked for again",
    ]


async def test_a_deleted_customer_is_erased_too_and_a_reason_is_needed(office: Office) -> None:
    gone, before = office.label("probe_gone"), await fingerprint(office.connection)
    assert codes(await erase(office, typed_id(gone), " ")) == [("reason", "REQUIRED")]
    assert await fingerprint(office.connection) == before
    assert (await erase(office, typed_id(gone)))["errors"] == []
    rows = await office.look()
    assert rows.find("Customer", gone.id).name == "Erased customer"
    assert rows.find("Customer", office.ids["probe_merged_away"]).name == "Erased customer"
    assert [c.first_name for c in rows.many(gone, "contacts")] == ["Erased"]


async def test_ten_thousand_tickets_take_as_many_statements_as_one(office: Office) -> None:
    one = office.label("probe_1")
    await office.connection.execute(
        "INSERT INTO tickets (id, number, customer_id, subject, kind, priority, status, channel)"
        " SELECT gen_random_uuid(), 'X' || n, $1, 'mine ' || n, 'INQUIRY', 'LOW', 'OPEN', 'WEB'"
        " FROM generate_series(1, 10000) n",
        one.id,
    )
    await office.connection.execute(
        "INSERT INTO ticket_comments (id, ticket_id, body, internal, created_at)"
        " SELECT gen_random_uuid(), id, 'said', false, now() FROM tickets WHERE customer_id = $1",
        one.id,
    )
    assert (await erase(office, typed_id(one)))["errors"] == []
    left = await office.connection.fetchval(
        "SELECT count(*) FROM tickets t JOIN ticket_comments c ON c.ticket_id = t.id"
        " WHERE customer_id = $1 AND (subject <> 'Erased' OR body <> 'Erased')",
        one.id,
    )
    assert left == 0
