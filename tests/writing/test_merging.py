"""Merging customers, and taking merges apart."""

import asyncio
from random import Random
from typing import Any

import orjson
import pytest

from app.domain.merging import MOVED
from tests.fingerprint import fingerprint
from tests.oracle.rows import Row, typed_id
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

MERGE = """mutation($keep: ID!, $ids: [ID!]!, $overrides: UpdateCustomerInput, $dry: Boolean! = false) {
  mergeCustomers(keepId: $keep, mergeIds: $ids, overrides: $overrides, dryRun: $dry) {
    customer { id name email phone city notes tags version owner { id } externalRefs { system id } }
    moved { label count } errors { field code message ids }
  }
}"""
UNMERGE = "mutation($id: ID!) { unmergeCustomer(id: $id) { customer { id name } errors { field code message } } }"
RESTORE = "mutation($id: ID!) { restoreCustomer(id: $id) { customer { id } errors { field code message ids } } }"
LABELS = ("contacts", "opportunities", "orders", "tickets", "externalRefs")
CHILDREN = ("contacts", "opportunities", "orders", "tickets")


async def merge(office: Office, keep: Row, *rows: Row, role: str = "ADMIN", **more: Any) -> Any:
    """The payload of a merge, or the whole answer where it is refused."""
    ids = [typed_id(row) for row in rows]
    answer = await office.do(MERGE, role, keep=typed_id(keep), ids=ids, **more)
    await office.look()
    return answer if "errors" in answer else answer["data"]["mergeCustomers"]


async def unmerge(office: Office, row: Row, role: str = "ADMIN") -> Any:
    """The payload of taking a merge apart."""
    answer = await office.do(UNMERGE, role, id=typed_id(row))
    await office.look()
    return answer if "errors" in answer else answer["data"]["unmergeCustomer"]


def codes(payload: Any) -> list[tuple[str, str]]:
    """Field path and code of each problem."""
    return [(".".join(error["field"] or ()), error["code"]) for error in payload["errors"]]


def now(office: Office, row: Row) -> Row:
    """The customer as it is now."""
    found = office.rows.find("Customer", row.id)
    assert found is not None
    return found


def belongings(office: Office, row: Row) -> dict[str, list[Any]]:
    """The ids of all that belongs to a customer, deleted or not, and its references."""
    found: dict[str, list[Any]] = {
        each: sorted(child.id for child in office.rows.many(now(office, row), each)) for each in CHILDREN
    }
    return {**found, "externalRefs": sorted(now(office, row).refs)}


def rich(office: Office, count: int) -> list[Row]:
    """Live customers that have a lot."""
    rows = [row for row in office.rows.all("Customer") if row.deleted_at is None]
    rows.sort(key=lambda row: (-sum(len(office.rows.many(row, each)) for each in CHILDREN), row.id))
    return rows[:count]


def values(row: Row) -> dict[str, Any]:
    """All that a person can see of a customer."""
    names = ("name", "email", "phone", "source", "industry", "city", "region", "country", "notes", "owner_id", "tags")
    return {name: getattr(row, name) for name in names} | {"deleted_at": row.deleted_at, "into": row.merged_into_id}


async def test_every_table_that_belongs_to_customers_is_moved(office: Office) -> None:
    """A table that refers to customers and that merges do not know of would lose its rows with the next merge."""
    found = await office.connection.fetch(
        "SELECT conrelid::regclass::text AS t, a.attname FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = ANY(conkey)"
        " WHERE contype = 'f' AND confrelid = 'customers'::regclass"
    )
    known = {(table, "customer_id") for table in MOVED} | {("customers", "merged_into_id")}
    known |= {("customer_merges", "merged_id"), ("customer_merges", "kept_id")}
    # What is kept of its orders follows these, by trigger and by the refresh of the analytics.
    known |= {("customer_metrics", "customer_id")}
    assert {(row["t"], row["attname"]) for row in found} == known


async def test_all_that_belongs_to_the_merged_moves(office: Office) -> None:
    keep, one, two = rich(office, 3)
    had = [belongings(office, row) for row in (keep, one, two)]
    payload = await merge(office, keep, one, two)
    assert payload["errors"] == []
    expected = {label: len(had[1][label]) + len(had[2][label]) for label in LABELS}
    assert {each["label"]: each["count"] for each in payload["moved"]} == expected
    assert belongings(office, keep) == {
        label: sorted(had[0][label] + had[1][label] + had[2][label]) for label in LABELS
    }
    for row in (one, two):
        assert now(office, row).merged_into_id == keep.id
        assert now(office, row).deleted_at is not None
        answer = await office.do("query($id: ID!) { customer(id: $id) { id } }", "ADMIN", id=typed_id(row))
        assert answer["data"]["customer"]["id"] == typed_id(keep)
    contacts = office.rows.many(now(office, keep), "contacts")
    before = {c.id for row in (keep, one, two) for c in [*office.rows.many(row, "contacts")]}
    assert len([c for c in contacts if c.is_primary and c.deleted_at is None]) <= max(1, len(before))


async def test_a_dry_run_says_the_same_and_changes_nothing(office: Office) -> None:
    keep, one, two = rich(office, 3)
    before, known = await fingerprint(office.connection), len(await office.events())
    said = await merge(office, keep, one, two, dry=True, overrides={"name": "Never"})
    assert said["errors"] == []
    assert said["customer"]["name"] == keep.name
    assert await fingerprint(office.connection) == before
    assert len(await office.events()) == known
    assert (await merge(office, keep, one, two))["moved"] == said["moved"]


async def test_empty_fields_are_filled_and_tags_united(office: Office) -> None:
    """probe_2 has no city, email or notes; probe_1 and probe_3 have."""
    one, two, three = (office.label(f"probe_{n}") for n in (1, 2, 3))
    await office.connection.execute("UPDATE customers SET notes = NULL WHERE id = $1", two.id)
    payload = await merge(office, two, three, one)
    kept = payload["customer"]
    assert (kept["name"], kept["phone"]) == ("Probe Two", two.phone)
    assert (kept["email"], kept["city"], kept["notes"]) == ("three", "berlin", "third")
    assert kept["tags"] == ["vip", "大客户"]
    assert kept["owner"]["id"] == f"usr_{three.owner_id.hex}"
    assert kept["version"] == two.version + 1


async def test_overrides_go_before_all_else(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    refs = [{"system": "till", "id": "9"}]
    given = {"name": "Both", "email": None, "tags": ["x"], "externalRefs": refs}
    kept = (await merge(office, two, one, overrides=given))["customer"]
    assert (kept["name"], kept["email"], kept["tags"], kept["externalRefs"]) == ("Both", None, ["x"], refs)


async def test_problems_of_ids_and_overrides_come_at_once(office: Office) -> None:
    one, gone, before = office.label("probe_1"), office.label("probe_gone"), await fingerprint(office.connection)
    payload = await merge(office, one, one, gone, gone, overrides={"name": "", "email": "x", "ownerId": "usr_1"})
    assert sorted(codes(payload)) == [
        ("mergeIds.0", "INVALID"),
        ("mergeIds.1", "NOT_FOUND"),
        ("mergeIds.2", "INVALID"),
        ("overrides.email", "INVALID"),
        ("overrides.name", "REQUIRED"),
        ("overrides.ownerId", "INVALID"),
    ]
    assert codes(await merge(office, one)) == [("mergeIds", "OUT_OF_RANGE")]
    many = rich(office, 22)
    assert codes(await merge(office, *many)) == [("mergeIds", "OUT_OF_RANGE")]
    refused = await office.do(MERGE, "ADMIN", keep="ord_1", ids=[])
    assert refused["errors"][0]["extensions"]["argument"] == "keepId"
    assert await fingerprint(office.connection) == before


async def test_who_does_not_see_or_may_not_merge_does_not(office: Office) -> None:
    one, sight = office.label("probe_1"), office.rights("MANAGER")
    three = next(r for r in office.rows.all("Customer") if r.deleted_at is None and not sight.visible(r))
    assert codes(await merge(office, one, three, role="MANAGER")) == [("mergeIds.0", "NOT_FOUND")]
    assert codes(await merge(office, three, one, role="MANAGER")) == [("keepId", "NOT_FOUND")]
    refused = await merge(office, one, three, role="SALES")
    assert refused["errors"][0]["extensions"]["action"] == "merge"
    await office.connection.execute(
        "UPDATE grants SET rows = 'OWN' FROM roles r WHERE r.id = role_id AND r.name = 'MANAGER'"
        " AND entity = 'Customer' AND action = 'merge'"
    )
    refused = await merge(office, one, office.label("probe_2"), role="MANAGER")
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_overrides_need_the_right_to_update(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    role = "FROM roles r WHERE r.id = role_id AND r.name = 'MANAGER' AND entity = 'Customer' AND action = 'update'"
    await office.connection.execute(
        "UPDATE field_grants SET access = 'HIDDEN', otherwise = 'HIDDEN' WHERE field = 'email' AND grant_id IN"
        " (SELECT g.id FROM grants g JOIN roles r ON r.id = role_id WHERE r.name = 'MANAGER'"
        " AND entity = 'Customer' AND action = 'update')"
    )
    refused = await merge(office, one, two, role="MANAGER", overrides={"email": "a@b.example"})
    assert refused["errors"][0]["extensions"] | {"requestId": ""} == {
        "code": "FORBIDDEN",
        "entity": "Customer",
        "action": "update",
        "field": "email",
        "requestId": "",
    }
    await office.connection.execute(f"DELETE FROM grants USING {role.removeprefix('FROM ')}")
    refused = await merge(office, one, two, role="MANAGER", overrides={"city": "Kiel"})
    assert refused["errors"][0]["extensions"]["action"] == "update"
    far = office.label("sales_south")
    await office.connection.execute("UPDATE users SET active = false WHERE id = $1", far.id)
    payload = await merge(office, one, two, overrides={"ownerId": typed_id(far)})
    assert codes(payload) == [("overrides.ownerId", "INVALID")]


async def test_merges_are_on_record_with_all_that_took_part(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    known, posted = len(await office.events()), len(await office.posted())
    await merge(office, two, one)
    events = {event["record_id"]: event for event in (await office.events())[known:]}
    assert {event["action"] for event in events.values()} == {"merge"}
    kept, merged = orjson.loads(events[two.id]["changes"]), orjson.loads(events[one.id]["changes"])
    assert kept["merged"]["after"] == [typed_id(one)]
    assert kept["email"] == {"before": None, "after": "anna@example.com"}
    assert kept["moved"]["after"]["orders"] == 2
    assert merged["mergedInto"] == {"before": None, "after": typed_id(two)}
    assert len(await office.posted()) == posted + 2


async def test_chains_are_flat(office: Office) -> None:
    one, two, three = (office.label(f"probe_{n}") for n in (1, 2, 3))
    earlier = office.label("probe_merged")
    await merge(office, two, one)
    await merge(office, three, two)
    assert {now(office, row).merged_into_id for row in (one, two, earlier)} == {three.id}
    answer = await office.do("query($id: ID!) { customer(id: $id) { id } }", "ADMIN", id=typed_id(one))
    assert answer["data"]["customer"]["id"] == typed_id(three)


# Taking apart


async def test_taking_a_merge_apart_makes_everything_as_it_was(office: Office) -> None:
    keep, one, two = rich(office, 3)
    rows = (keep, one, two)
    had, were = [belongings(office, row) for row in rows], [values(row) for row in rows]
    primary = {c.id: c.is_primary for row in rows for c in office.rows.many(row, "contacts") if c.deleted_at is None}
    await merge(office, keep, one, two, overrides={"name": "All of them", "city": "Kiel", "tags": ["one"]})
    for row in (two, one):
        assert (await unmerge(office, row))["errors"] == []
    assert [belongings(office, row) for row in rows] == had
    assert [values(now(office, row)) for row in rows] == were
    contacts = {c.id: c.is_primary for row in rows for c in office.rows.many(now(office, row), "contacts")}
    several = [row for row in rows if sum(primary[c] for c in primary if c in _contacts(office, row)) > 1]
    for id, was in primary.items():
        if not any(id in _contacts(office, row) for row in several):
            assert contacts[id] == was


def _contacts(office: Office, row: Row) -> set[Any]:
    return {c.id for c in office.rows.many(now(office, row), "contacts")}


async def test_one_of_two_taken_apart_leaves_the_other(office: Office) -> None:
    keep, one, two = rich(office, 3)
    had = [belongings(office, row) for row in (keep, one, two)]
    await merge(office, keep, one, two)
    await unmerge(office, one)
    assert belongings(office, one) == had[1]
    assert belongings(office, keep) == {label: sorted(had[0][label] + had[2][label]) for label in LABELS}


async def test_what_moved_elsewhere_since_or_was_written_since_stays(office: Office) -> None:
    one, two, three = (office.label(f"probe_{n}") for n in (1, 2, 3))
    await merge(office, two, one)
    order = office.label("order_1")
    await office.connection.execute("UPDATE orders SET customer_id = $1 WHERE id = $2", three.id, order.id)
    await office.connection.execute("UPDATE customers SET email = 'mine@now.example' WHERE id = $1", two.id)
    payload = await unmerge(office, one)
    assert payload["customer"] == {"id": typed_id(one), "name": "Probe One"}
    assert office.rows.find("Order", order.id).customer_id == three.id
    assert office.rows.find("Order", office.ids["order_2"]).customer_id == one.id
    kept = now(office, two)
    assert (kept.email, kept.city, kept.notes, kept.tags) == ("mine@now.example", two.city, two.notes, two.tags)


async def test_a_chain_can_be_taken_apart_from_either_end(office: Office) -> None:
    for first in (0, 1):
        one, two, three = (office.label(f"probe_{n}") for n in (1, 2, 3))
        rows = (one, two, three)
        had, were = [belongings(office, row) for row in rows], [values(row) for row in rows]
        await merge(office, two, one)
        await merge(office, three, two)
        order = (one, two) if first == 0 else (two, one)
        for row in order:
            assert (await unmerge(office, row))["errors"] == []
        assert [belongings(office, row) for row in rows] == had
        assert [values(now(office, row)) for row in rows] == were


@pytest.mark.parametrize("seed", range(6))
async def test_however_merges_and_unmerges_follow_all_ends_where_it_was(office: Office, seed: int) -> None:
    """Every record is always at a live customer; once all is taken apart, in whatever order, each is where it was."""
    chance, rows = Random(seed), rich(office, 5)
    had = [belongings(office, row) for row in rows]
    everything = sorted(id for each in had for label in CHILDREN for id in each[label])
    for _ in range(12):
        live = [row for row in rows if now(office, row).deleted_at is None]
        merged = [row for row in rows if row not in live]
        if len(live) == 1 or (merged and chance.random() < 0.4):
            payload = await unmerge(office, chance.choice(merged))
        else:
            keep, *others = chance.sample(live, chance.choice([2, min(3, len(live))]))
            payload = await merge(office, keep, *others)
        assert payload["errors"] == []
        live = [row for row in rows if now(office, row).deleted_at is None]
        assert sorted(id for row in live for label in CHILDREN for id in belongings(office, row)[label]) == everything
        assert all(now(office, row).merged_into_id in {None, *(r.id for r in live)} for row in rows)
    merged = [row for row in rows if now(office, row).deleted_at is not None]
    for row in chance.sample(merged, len(merged)):
        await unmerge(office, row)
    assert [belongings(office, row) for row in rows] == had


async def test_only_what_is_merged_can_be_taken_apart_and_it_is_not_restored(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    assert codes(await unmerge(office, one)) == [("id", "INVALID_TRANSITION")]
    await merge(office, two, one)
    answer = (await office.do(RESTORE, "ADMIN", id=typed_id(one)))["data"]["restoreCustomer"]
    assert codes(answer) == [("id", "INVALID_TRANSITION")]
    assert answer["errors"][0]["ids"] == [typed_id(two)]
    await unmerge(office, one)
    assert codes(await unmerge(office, one)) == [("id", "INVALID_TRANSITION")]


async def test_a_code_taken_meanwhile_is_in_the_way(office: Office) -> None:
    one, two, three = (office.label(f"probe_{n}") for n in (1, 2, 3))
    await merge(office, two, one)
    await office.connection.execute("UPDATE customers SET code = $1 WHERE id = $2", one.code, three.id)
    assert codes(await unmerge(office, one)) == [("id", "UNIQUE")]


async def test_a_merge_taken_apart_is_on_record_on_both_sides(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    await merge(office, two, one)
    known = len(await office.events())
    await unmerge(office, one)
    events = (await office.events())[known:]
    assert {(event["record_id"], event["action"]) for event in events if event["entity"] == "Customer"} == {
        (one.id, "unmerge"),
        (two.id, "unmerge"),
    }


# Many at once


async def test_crossed_merges_at_once_neither_hang_nor_lose_anything(office: Office) -> None:
    rows = rich(office, 6)
    had = [id for row in rows for each in CHILDREN for id in belongings(office, row)[each]]
    pairs = [(a, b) for a in rows for b in rows if a is not b]

    async def one(keep: Row, other: Row) -> Any:
        answer = await office.do(MERGE, "ADMIN", keep=typed_id(keep), ids=[typed_id(other)])
        assert "errors" not in answer, answer
        return answer["data"]["mergeCustomers"]

    payloads = await asyncio.gather(*(one(keep, other) for keep, other in pairs))
    assert {code for payload in payloads for _, code in codes(payload)} <= {"NOT_FOUND"}
    await office.look()
    left = [row for row in rows if now(office, row).deleted_at is None]
    assert len(left) == 1
    assert {now(office, row).merged_into_id for row in rows if row not in left} == {left[0].id}
    assert sorted(id for each in CHILDREN for id in belongings(office, left[0])[each]) == sorted(had)


async def test_tickets_opened_during_a_merge_are_lost_nowhere(office: Office) -> None:
    one, two = office.label("probe_1"), office.label("probe_2")
    create = """mutation($c: ID!) { createTicket(input: { customerId: $c, subject: "now" }) {
      ticket { id } errors { code } } }"""

    async def open_one() -> str | None:
        payload = (await office.do(create, "ADMIN", c=typed_id(one)))["data"]["createTicket"]
        return payload["ticket"]["id"] if payload["ticket"] else None

    opened = asyncio.gather(*(open_one() for _ in range(12)))
    await office.do(MERGE, "ADMIN", keep=typed_id(two), ids=[typed_id(one)])
    made = {id for id in await opened if id}
    made.add(str(await open_one()))
    await office.look()
    assert {typed_id(t) for t in office.rows.many(now(office, two), "tickets")} >= made
    assert office.rows.many(now(office, one), "tickets") == []
