"""Many records at once: the same rules, all or the good ones, and nothing that goes unsaid."""

import asyncio
from typing import Any

import pytest

from app.db.ids import new_id
from tests.api import open_api
from tests.fingerprint import fingerprint
from tests.oracle.rows import Row, typed_id
from tests.wire import tapped
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

_ANSWER = """{ count results { index id errors { field code message params } } errors { field code message params } }"""
CREATE = (
    "mutation($rows: [CreateCustomerInput!]!, $policy: ErrorPolicy! = REJECT_EVERYTHING, $dry: Boolean! = false)"
    f" {{ bulkCreateCustomers(rows: $rows, errorPolicy: $policy, dryRun: $dry) {_ANSWER} }}"
)
UPDATE = (
    "mutation($ids: [ID!], $where: CustomerFilter, $input: UpdateCustomerInput!,"
    " $policy: ErrorPolicy! = REJECT_EVERYTHING, $dry: Boolean! = false) { bulkUpdateCustomers("
    f"ids: $ids, where: $where, input: $input, errorPolicy: $policy, dryRun: $dry) {_ANSWER} }}"
)
ASSIGN = (
    "mutation($ids: [ID!], $where: CustomerFilter, $ownerId: ID!)"
    f" {{ assignCustomers(ids: $ids, where: $where, ownerId: $ownerId) {_ANSWER} }}"
)


async def do(office: Office, document: str, role: str = "ADMIN", key: str | None = None, **variables: Any) -> Any:
    """The payload, or the whole answer where it is refused at the top."""
    answer = await office.do(document, role, key, **variables)
    return answer if "errors" in answer else next(iter(answer["data"].values()))


def problems(payload: Any) -> list[tuple[str, str]]:
    """Path and code of each problem of the whole."""
    return [(".".join(error["field"] or ()), error["code"]) for error in payload["errors"]]


def by_row(payload: Any) -> dict[int, list[tuple[str, str]]]:
    """Path and code of each problem of the rows that have some."""
    return {row["index"]: problems(row) for row in payload["results"] if row["errors"]}


async def live(office: Office, count: int) -> list[Row]:
    """Some customers that are neither deleted nor merged."""
    rows = [row for row in office.rows.all("Customer") if row.deleted_at is None and row.merged_into_id is None]
    return sorted(rows, key=lambda row: row.id)[:count]


async def nothing_is_done(office: Office, document: str, role: str = "ADMIN", **variables: Any) -> Any:
    """The payload of something that changes nothing and leaves no event behind."""
    before, known = await fingerprint(office.connection), len(await office.events())
    payload = await do(office, document, role, **variables)
    assert await fingerprint(office.connection) == before
    assert len(await office.events()) == known
    return payload


# All or the good ones


async def test_one_bad_row_keeps_all_from_being_done(office: Office) -> None:
    rows = [{"name": "One"}, {"name": " "}, {"name": "Three", "email": "nobody", "phone": "?"}]
    payload = await nothing_is_done(office, CREATE, rows=rows)
    assert payload["count"] == 0
    assert by_row(payload) == {
        1: [("rows.1.name", "REQUIRED")],
        2: [("rows.2.email", "INVALID"), ("rows.2.phone", "INVALID")],
    }
    assert problems(payload) == [problem for row in by_row(payload).values() for problem in row]
    assert [(row["index"], row["id"]) for row in payload["results"]] == [(0, None), (1, None), (2, None)]


async def test_the_good_rows_are_done_where_that_is_asked(office: Office) -> None:
    known = len(await office.events())
    rows = [{"name": "One"}, {"name": " "}, {"name": "Three"}]
    payload = await do(office, CREATE, rows=rows, policy="REJECT_FAILED_ROWS")
    assert (payload["count"], payload["errors"]) == (2, [])
    assert by_row(payload) == {1: [("rows.1.name", "REQUIRED")]}
    made = [row["id"] for row in payload["results"]]
    assert made[1] is None
    rows_now = {typed_id(row): row.name for row in (await office.look()).all("Customer")}
    assert [rows_now[made[0]], rows_now[made[2]]] == ["One", "Three"]
    events = (await office.events())[known:]
    assert [(event["action"], event["record_version"]) for event in events] == [("create", 1)] * 2


async def test_every_changed_record_has_its_event(office: Office) -> None:
    rows = await live(office, 5)
    known, posted = len(await office.events()), len(await office.posted())
    payload = await do(office, UPDATE, ids=[typed_id(row) for row in rows], input={"city": "Kiel"})
    assert (payload["count"], payload["errors"]) == (5, [])
    assert [row["id"] for row in payload["results"]] == [typed_id(row) for row in rows]
    now = await office.look()
    assert {now.find("Customer", row.id).city for row in rows} == {"Kiel"}
    events = {event["record_id"]: event for event in (await office.events())[known:]}
    changed = [row for row in rows if row.city != "Kiel"]
    assert set(events) == {row.id for row in changed}
    for row in changed:
        assert events[row.id]["record_version"] == row.version + 1 == now.find("Customer", row.id).version
    outbox = (await office.posted())[posted:]
    assert [event["event_id"] for event in outbox] == [event["id"] for event in events.values()]


async def test_nothing_different_is_done_without_a_trace(office: Office) -> None:
    (row,) = await live(office, 1)
    payload = await nothing_is_done(office, UPDATE, ids=[typed_id(row)], input={"city": row.city})
    assert (payload["count"], payload["errors"]) == (1, [])


async def test_a_dry_run_checks_everything_and_does_nothing(office: Office) -> None:
    rows = await live(office, 3)
    ids = [typed_id(row) for row in rows]
    payload = await nothing_is_done(office, UPDATE, ids=ids, input={"city": "Kiel"}, dry=True)
    assert (payload["count"], payload["errors"]) == (3, [])
    payload = await nothing_is_done(office, CREATE, rows=[{"name": "One"}, {"name": "Two"}], dry=True)
    assert payload["count"] == 2
    assert [row["id"] for row in payload["results"]] == [None, None]
    bad = [{"name": "One"}, {"name": "Two", "code": rows[0].code}]
    payload = await nothing_is_done(office, CREATE, rows=bad, dry=True, policy="REJECT_FAILED_ROWS")
    assert (payload["count"], by_row(payload)) == (1, {1: [("rows.1.code", "UNIQUE")]})


async def test_some_rows_may_give_what_the_server_gives_the_others(office: Office) -> None:
    payload = await do(office, CREATE, rows=[{"name": "One", "code": "HAND-1"}, {"name": "Two"}])
    assert payload["errors"] == []
    now = {typed_id(row): row.code for row in (await office.look()).all("Customer")}
    first, second = (now[row["id"]] for row in payload["results"])
    assert first == "HAND-1"
    assert second.startswith("C")


# Which records


async def test_ids_or_a_filter_and_not_both(office: Office) -> None:
    ids = [typed_id(row) for row in await live(office, 1)]
    for given, found in (
        ({}, [("ids", "REQUIRED")]),
        ({"ids": None, "where": None}, [("ids", "REQUIRED")]),
        ({"ids": []}, [("ids", "REQUIRED")]),
        ({"ids": ids, "where": {"city": {"eq": "Kiel"}}}, [("where", "INVALID")]),
    ):
        payload = await nothing_is_done(office, UPDATE, input={"city": "Kiel"}, **given)
        assert problems(payload) == found, given
        assert payload["results"] == []


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"and": []},
        {"and": [{}, {}]},
        {"or": [{"city": {"eq": "Kiel"}}, {}]},
        {"not": {"or": []}},
        {"not": {"isNull": True}},
        {"isNull": False},
        {"name": {}},
        {"name": {"notIn": []}},
        {"not": {"name": {"in": []}}},
        {"owner": {}},
    ],
)
async def test_a_filter_that_selects_everything_is_refused(office: Office, where: Any) -> None:
    payload = await nothing_is_done(office, UPDATE, where=where, input={"city": "Kiel"})
    assert problems(payload) == [("where", "INVALID")]
    assert payload["errors"][0]["message"] == (
        "This filter selects every record: say what is true of those that you mean."
    )


async def test_filters_have_their_limits_here_too(office: Office) -> None:
    where = {"or": [{"city": {"eq": "Kiel"}}] * 300}
    answer = await do(office, UPDATE, where=where, input={"city": "Kiel"})
    assert answer["errors"][0]["extensions"]["limit"] == "filter terms"
    where = {"or": [{"owner": {"name": {"eq": "a"}}}] * 30}
    answer = await do(office, UPDATE, where=where, input={"city": "Kiel"})
    assert answer["errors"][0]["extensions"]["limit"] == "relation filters"


async def test_an_empty_filter_in_the_document_is_refused_as_well(office: Office) -> None:
    document = UPDATE.replace("where: $where", "where: {}").replace("$where: CustomerFilter, ", "")
    payload = await nothing_is_done(office, document, input={"city": "Kiel"})
    assert problems(payload) == [("where", "INVALID")]


async def test_a_filter_selects_what_the_caller_sees(office: Office) -> None:
    rights = office.rights("MANAGER")
    rows = [row for row in office.rows.all("Customer") if row.status == "LEAD" and rights.visible(row)]
    assert rows
    payload = await do(office, UPDATE, "MANAGER", where={"status": {"eq": "LEAD"}}, input={"city": "Kiel"})
    assert [row["id"] for row in payload["results"]] == sorted(typed_id(row) for row in rows)
    now = await office.look()
    for row in office.rows.all("Customer"):
        before = row.city if row.id not in {each.id for each in rows} else "Kiel"
        assert now.find("Customer", row.id).city == before


async def test_a_filter_on_a_field_that_may_not_be_read_is_forbidden(office: Office) -> None:
    await office.connection.execute(
        "INSERT INTO grants (id, role_id, entity, action, rows)"
        " SELECT gen_random_uuid(), id, 'Customer', 'bulk', 'ALL' FROM roles WHERE name = 'MARKETING'"
    )
    before = await fingerprint(office.connection)
    where = {"email": {"startsWith": "a"}}
    answer = await do(office, UPDATE, "MARKETING", where=where, input={"tags": ["a"]})
    assert answer["errors"][0]["extensions"] | {"requestId": ""} == {
        "code": "FORBIDDEN",
        "entity": "Customer",
        "action": "read",
        "field": "email",
        "requestId": "",
    }
    assert await fingerprint(office.connection) == before


async def test_records_that_are_not_seen_are_not_there(office: Office) -> None:
    far = next(row for row in office.rows.all("Customer") if not office.rights("MANAGER").visible(row))
    near = next(row for row in await live(office, 100) if office.rights("MANAGER").visible(row))
    ids = [typed_id(near), typed_id(far), f"cus_{new_id().hex}"]
    payload = await nothing_is_done(office, UPDATE, "MANAGER", ids=ids, input={"city": "Kiel"})
    assert by_row(payload) == {1: [("ids.1", "NOT_FOUND")], 2: [("ids.2", "NOT_FOUND")]}
    assert [row["id"] for row in payload["results"]] == [typed_id(near), None, None]
    payload = await do(office, UPDATE, "MANAGER", ids=ids, input={"city": "Kiel"}, policy="REJECT_FAILED_ROWS")
    assert payload["count"] == 1


async def test_a_record_is_named_once(office: Office) -> None:
    """By its own id or by that of one that was merged into it."""
    merged = next(
        row
        for row in office.rows.all("Customer")
        if row.merged_into_id is not None
        and (into := office.rows.find("Customer", row.merged_into_id)) is not None
        and into.deleted_at is None
    )
    survivor = office.rows.find("Customer", merged.merged_into_id)
    ids = [typed_id(survivor), typed_id(survivor), typed_id(merged)]
    payload = await nothing_is_done(office, UPDATE, ids=ids, input={"city": "Kiel"})
    assert by_row(payload) == {1: [("ids.1", "INVALID")], 2: [("ids.2", "INVALID")]}
    assert payload["results"][2]["errors"][0]["params"] == {"index": 0}
    payload = await do(office, UPDATE, ids=[typed_id(merged)], input={"city": "Kiel"})
    assert [row["id"] for row in payload["results"]] == [typed_id(survivor)]


async def test_an_id_that_is_none_is_told_by_its_place(office: Office) -> None:
    ids = [typed_id(row) for row in await live(office, 1)]
    answer = await do(office, UPDATE, ids=[*ids, "ord_" + "0" * 32], input={"city": "Kiel"})
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert answer["errors"][0]["extensions"]["argument"] == "ids.1"


async def test_the_cap_is_told(office: Office) -> None:
    rows = await live(office, 4)
    async with open_api(office.url, bulk_cap=3, **LIMITS) as api:
        office.api = api
        where = {"id": {"in": [typed_id(row) for row in rows]}}
        payload = await nothing_is_done(office, UPDATE, where=where, input={"city": "Kiel"})
        (problem,) = payload["errors"]
        assert (problem["field"], problem["code"]) == (["where"], "OUT_OF_RANGE")
        assert problem["message"] == "4 records match; 3 are allowed at once: narrow the filter."
        assert problem["params"] == {"max": 3, "actual": 4}
        payload = await nothing_is_done(office, UPDATE, ids=[typed_id(row) for row in rows], input={"city": "Kiel"})
        assert problems(payload) == [("ids", "TOO_LONG")]
        payload = await nothing_is_done(office, CREATE, rows=[{"name": "One"}] * 4)
        assert problems(payload) == [("rows", "TOO_LONG")]
        payload = await do(office, UPDATE, ids=[typed_id(row) for row in rows[:3]], input={"city": "Kiel"})
        assert payload["count"] == 3


async def test_no_rows_are_nothing_to_do(office: Office) -> None:
    assert problems(await nothing_is_done(office, CREATE, rows=[])) == [("rows", "REQUIRED")]
    payload = await nothing_is_done(office, UPDATE, where={"city": {"eq": "no such place"}}, input={"city": "Kiel"})
    assert payload == {"count": 0, "results": [], "errors": []}


# Rights


async def test_a_row_outside_the_right_refuses_the_whole(office: Office) -> None:
    """Under either policy: what a right does not cover is never left out silently."""
    await office.connection.execute(
        "UPDATE grants g SET rows = 'OWN' FROM roles r WHERE r.id = role_id AND r.name = 'MANAGER'"
        " AND entity = 'Customer' AND action = 'bulk'"
    )
    rights, manager = office.rights("MANAGER"), office.user("MANAGER")
    rows = [row for row in await live(office, 200) if rights.visible(row) and row.owner_id not in (None, manager)]
    mine, other = rows[:2]
    await office.connection.execute("UPDATE customers SET owner_id = $1 WHERE id = $2", manager, mine.id)
    before = await fingerprint(office.connection)
    for policy in ("REJECT_EVERYTHING", "REJECT_FAILED_ROWS"):
        ids = [typed_id(mine), typed_id(other)]
        answer = await do(office, UPDATE, "MANAGER", ids=ids, input={"city": "Kiel"}, policy=policy)
        (error,) = answer["errors"]
        assert error["extensions"] | {"requestId": ""} == {
            "code": "FORBIDDEN",
            "entity": "Customer",
            "action": "bulk",
            "id": typed_id(other),
            "count": 1,
            "requestId": "",
        }
        assert error["message"] == (
            "The role MANAGER has no right to bulk Customer here: it covers own rows only."
            " 1 of the 2 rows lie outside; nothing was done."
        )
    assert await fingerprint(office.connection) == before
    denied = (await office.events())[-1]
    assert (denied["outcome"], denied["action"], denied["record_id"]) == ("DENIED", "bulk", other.id)
    payload = await do(office, UPDATE, "MANAGER", ids=[typed_id(mine)], input={"city": "Kiel"})
    assert payload["count"] == 1


async def test_a_field_that_may_not_be_written_refuses_the_whole(office: Office) -> None:
    await office.connection.execute(
        "INSERT INTO grants (id, role_id, entity, action, rows)"
        " SELECT gen_random_uuid(), id, 'Customer', 'bulk', 'ALL' FROM roles WHERE name = 'SUPPORT'"
    )
    given, other = office.label("probe_3"), office.label("probe_4")
    before = await fingerprint(office.connection)
    answer = await do(office, UPDATE, "SUPPORT", ids=[typed_id(given)], input={"city": "Kiel"})
    assert answer["errors"][0]["extensions"]["field"] == "city"
    ids = [typed_id(given), typed_id(other)]
    answer = await do(office, UPDATE, "SUPPORT", ids=ids, input={"notes": "called"}, policy="REJECT_FAILED_ROWS")
    assert answer["errors"][0]["extensions"]["field"] == "notes"
    assert answer["errors"][0]["extensions"]["id"] == typed_id(other)
    assert await fingerprint(office.connection) == before
    payload = await do(office, UPDATE, "SUPPORT", ids=[typed_id(given)], input={"notes": "called"})
    assert payload["count"] == 1


async def test_new_records_lie_within_the_right_to_make_them(office: Office) -> None:
    """A manager whose team is its world makes customers for the team; nobody's customers are outside."""
    far, near = office.label("sales_south"), office.label("sales_north")
    rows = [{"name": "One"}, {"name": "Two", "ownerId": typed_id(far)}, {"name": "Three", "ownerId": typed_id(near)}]
    payload = await nothing_is_done(office, CREATE, "MANAGER", rows=rows)
    assert by_row(payload) == {1: [("rows.1.ownerId", "INVALID")]}
    payload = await do(office, CREATE, "MANAGER", rows=rows, policy="REJECT_FAILED_ROWS")
    assert payload["count"] == 2
    now = {typed_id(row): row for row in (await office.look()).all("Customer")}
    owners = [now[row["id"]].owner_id for row in payload["results"] if row["id"]]
    assert owners == [office.user("MANAGER"), near.id]


async def test_a_right_withdrawn_is_gone(office: Office) -> None:
    ids = [typed_id(row) for row in await live(office, 2)]
    assert (await do(office, UPDATE, ids=ids, input={"city": "Kiel"}))["count"] == 2
    await office.connection.execute(
        "DELETE FROM grants USING roles r WHERE r.id = role_id AND r.name = 'ADMIN' AND entity = 'Customer'"
        " AND action = 'bulk'"
    )
    answer = await do(office, UPDATE, ids=ids, input={"city": "Bonn"})
    assert answer["errors"][0]["extensions"]["action"] == "bulk"


async def test_assigning(office: Office) -> None:
    rights, near, far = office.rights("MANAGER"), office.label("sales_north_2"), office.label("sales_south")
    rows = [row for row in await live(office, 200) if rights.visible(row) and row.owner_id != near.id][:3]
    ids = [typed_id(row) for row in rows]
    payload = await nothing_is_done(office, ASSIGN, "MANAGER", ids=ids, ownerId=typed_id(far))
    assert problems(payload) == [("ownerId", "INVALID")]
    assert list(by_row(payload)) == [0, 1, 2]
    payload = await nothing_is_done(office, ASSIGN, "MANAGER", ids=ids, ownerId=f"usr_{new_id().hex}")
    assert problems(payload) == [("ownerId", "NOT_FOUND")]
    known = len(await office.events())
    payload = await do(office, ASSIGN, "MANAGER", ids=ids, ownerId=typed_id(near))
    assert (payload["count"], payload["errors"]) == (3, [])
    now = await office.look()
    assert {now.find("Customer", row.id).owner_id for row in rows} == {near.id}
    assert [event["action"] for event in (await office.events())[known:]] == ["assign"] * 3


# Unique values


async def test_a_value_that_is_taken_is_told_at_its_row(office: Office) -> None:
    one, two, *_ = await live(office, 2)
    await office.connection.execute(
        "INSERT INTO external_refs (entity, system, external_id, record_id) VALUES ('Customer', 'pos', '7', $1)", one.id
    )
    rows = [
        {"name": "a", "code": one.code},
        {"name": "b", "code": "NEW-1"},
        {"name": "c", "code": "NEW-1"},
        {"name": "d", "externalRefs": [{"system": "pos", "id": "7"}]},
        {"name": "e", "externalRefs": [{"system": "pos", "id": "8"}]},
        {"name": "f", "externalRefs": [{"system": "web", "id": "8"}, {"system": "pos", "id": "8"}]},
        {"name": "g", "externalRefs": [{"system": "web", "id": "8"}]},
    ]
    payload = await nothing_is_done(office, CREATE, rows=rows)
    assert by_row(payload) == {
        0: [("rows.0.code", "UNIQUE")],
        2: [("rows.2.code", "UNIQUE")],
        3: [("rows.3.externalRefs", "UNIQUE")],
        5: [("rows.5.externalRefs", "UNIQUE")],
    }
    assert payload["results"][2]["errors"][0]["params"] == {"index": 1}
    payload = await do(office, CREATE, rows=rows, policy="REJECT_FAILED_ROWS")
    assert payload["count"] == 3, "What a refused row wanted is free for the next one."
    ids = [typed_id(one), typed_id(two)]
    payload = await nothing_is_done(office, UPDATE, ids=ids, input={"code": "SAME"})
    assert by_row(payload) == {1: [("input.code", "UNIQUE")]}
    assert (await do(office, UPDATE, ids=ids[:1], input={"code": one.code}))["count"] == 1


async def test_a_race_for_a_value_has_one_winner_and_a_clear_loser(office: Office) -> None:
    rows = [{"name": f"Row {number}", "code": f"RACE-{number}"} for number in range(30)]

    async def one() -> Any:
        return await do(office, CREATE, rows=rows)

    payloads = await asyncio.gather(*(one() for _ in range(6)))
    assert sorted(payload["count"] for payload in payloads) == [0] * 5 + [30]
    for payload in payloads:
        if not payload["count"]:
            assert set(problems(payload)) == {(f"rows.{number}.code", "UNIQUE") for number in range(30)}


async def test_changes_of_the_same_records_take_turns(office: Office) -> None:
    rows = await live(office, 20)
    ids = [typed_id(row) for row in rows]

    async def one(number: int) -> Any:
        # Not in the same order: the locks are taken in one order all the same.
        return await do(office, UPDATE, ids=ids if number % 2 else ids[::-1], input={"city": f"Town {number}"})

    payloads = await asyncio.gather(*(one(number) for number in range(12)))
    assert [payload["count"] for payload in payloads] == [20] * 12
    now = await office.look()
    assert len({now.find("Customer", row.id).city for row in rows}) == 1
    assert {now.find("Customer", row.id).version - row.version for row in rows} == {12}


# Duplicates


async def test_a_probable_duplicate_is_told_at_its_row(office: Office) -> None:
    """As for a single one: by email or phone however they are written, as far as the caller may READ them."""
    probe = office.label("probe_1")
    assert probe.email == "anna@example.com"
    rows = [
        {"name": "a", "email": "Anna@Example.com"},
        {"name": "b", "email": "new@example.com", "phone": "+49 30 55 66"},
        {"name": "c", "phone": "+49 (30) 5566"},
        {"name": "d", "email": "NEW@example.com"},
        {"name": "e", "email": "anna@example.com", "phone": "+49305566"},
        {"name": " ", "email": "other@example.com"},
        {"name": "g", "email": "other@example.com"},
    ]
    payload = await nothing_is_done(office, CREATE, rows=rows)
    assert by_row(payload) == {
        0: [("rows.0.email", "DUPLICATE")],
        2: [("rows.2.phone", "DUPLICATE")],
        3: [("rows.3.email", "DUPLICATE")],
        4: [("rows.4.email", "DUPLICATE"), ("rows.4.phone", "DUPLICATE")],
        5: [("rows.5.name", "REQUIRED")],
    }
    (problem,) = payload["results"][3]["errors"]
    assert problem["params"] == {"index": 1}
    assert problem["message"] == (
        "The row with the index 1 has this email. If you want one more all the same, send allowDuplicate: true."
    )
    document = CREATE.replace("errors {", "errors { ids", 1)
    payload = await do(office, document, rows=rows, policy="REJECT_FAILED_ROWS")
    assert payload["count"] == 2
    assert typed_id(probe) in payload["results"][0]["errors"][0]["ids"]
    document = CREATE.replace("dryRun: $dry", "dryRun: $dry, allowDuplicate: true")
    assert (await do(office, document, rows=[row for row in rows if row["name"] != " "]))["count"] == 6


async def test_who_may_not_read_an_email_is_not_told_of_it(office: Office) -> None:
    await office.connection.execute(
        "INSERT INTO grants (id, role_id, entity, action, rows)"
        " SELECT gen_random_uuid(), id, 'Customer', 'bulk', 'ALL' FROM roles WHERE name = 'SUPPORT'"
    )
    email = "seldom@example.com"
    probe = office.label("probe_4")
    await office.connection.execute("UPDATE customers SET email = $1 WHERE id = $2", email, probe.id)
    assert (await do(office, CREATE, "SUPPORT", rows=[{"name": "a", "email": email}], dry=True))["count"] == 1
    assert (await do(office, CREATE, "ADMIN", rows=[{"name": "a", "email": email}], dry=True))["count"] == 0


# Keys


async def test_a_repeat_under_a_key_is_answered_from_what_was_done(office: Office) -> None:
    rows = [{"name": "One"}, {"name": " "}]
    known = len(await office.events())
    first = await do(office, CREATE, key="k", rows=rows, policy="REJECT_FAILED_ROWS")
    assert first["count"] == 1
    assert await do(office, CREATE, key="k", rows=rows, policy="REJECT_FAILED_ROWS") == first
    assert len(await office.events()) == known + 1
    refused = await do(office, CREATE, key="other", rows=rows)
    assert by_row(refused) == {1: [("rows.1.name", "REQUIRED")]}
    assert await do(office, CREATE, key="other", rows=rows) == refused
    answer = await do(office, CREATE, key="k", rows=[{"name": "Else"}])
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"


async def test_a_dry_run_does_not_use_its_key_up(office: Office) -> None:
    rows = [{"name": "One"}]
    assert (await do(office, CREATE, key="k", rows=rows, dry=True))["count"] == 1
    assert (await do(office, CREATE, key="k", rows=rows))["count"] == 1


# Cost


async def test_two_thousand_rows_take_few_trips(office: Office) -> None:
    """One more a row would make a thousand rows wait a second."""
    async with tapped(office.url) as tap, open_api(tap.url, write_pool=1, max_body_bytes=10**6, max_cost=10**7) as api:
        office.api = api
        rows = [{"name": f"Row {number}", "ownerId": typed_id(office.label("sales_north"))} for number in range(2000)]
        payload = await do(office, CREATE, rows=rows)
        ids = [row["id"] for row in payload["results"]]
        tap.reset()
        payload = await do(office, CREATE, rows=rows)
        assert payload["count"] == 2000
        # BEGIN, owners, rights, forty statements of changes, COMMIT.
        assert (tap.executed, tap.trips) == (44, 44)
        assert (await do(office, UPDATE, ids=ids, input={"city": "Kiel"}))["count"] == 2000
        tap.reset()
        assert (await do(office, UPDATE, ids=ids, input={"city": "Bonn"}))["count"] == 2000
        # Ten statements of changes.
        assert (tap.executed, tap.trips) == (14, 14)


# Opportunities and tickets


def updating(entity: str, plural: str) -> str:
    """The mutation that changes records of another entity."""
    return UPDATE.replace("Customers", plural).replace("Customer", entity)


async def test_opportunities_follow_their_rules_row_by_row(office: Office) -> None:
    """What one deal may, another may not: of one that has ended, the amount stays."""
    kinds = {row.id: row.kind for row in office.rows.all("Stage")}
    rights = office.rights("ADMIN")
    rows = [row for row in office.rows.all("Opportunity") if rights.visible(row)]
    opened = [row for row in rows if kinds[row.stage_id] == "OPEN" and row.currency == "EUR"][:3]
    (ended,) = [row for row in rows if kinds[row.stage_id] != "OPEN" and row.currency == "EUR"][:1]
    document = updating("Opportunity", "Opportunities")
    ids = [typed_id(row) for row in (*opened, ended)]
    given = {"input": {"amount": {"amount": "77.00"}, "probability": None}, "ids": ids}
    payload = await nothing_is_done(office, document, **given)
    assert by_row(payload)[3][0] == ("input.amount", "INVALID_TRANSITION")
    assert list(by_row(payload)) == [3]
    payload = await do(office, document, **given, policy="REJECT_FAILED_ROWS")
    assert payload["count"] == 3
    now, stages = await office.look(), {row.id: row for row in office.rows.all("Stage")}
    for row in opened:
        changed = now.find("Opportunity", row.id)
        assert (str(changed.amount), changed.probability) == ("77.00", stages[row.stage_id].probability)


async def test_tickets_have_new_times_with_another_priority(office: Office) -> None:
    rights = office.rights("ADMIN")
    rows = [row for row in office.rows.all("Ticket") if rights.visible(row) and row.status == "OPEN"]
    rows = [row for row in rows if row.priority != "URGENT"][:3]
    document = updating("Ticket", "Tickets")
    payload = await do(office, document, ids=[typed_id(row) for row in rows], input={"priority": "URGENT"})
    assert (payload["count"], payload["errors"]) == (len(rows), [])
    now = await office.look()
    assert all(now.find("Ticket", row.id).resolution_due_at is not None for row in rows)
    contact = next(row for row in office.rows.all("Contact") if rights.visible(row))
    theirs = {row.customer_id for row in rows} - {contact.customer_id}
    payload = await nothing_is_done(
        office, document, ids=[typed_id(row) for row in rows], input={"contactId": typed_id(contact)}
    )
    assert len(by_row(payload)) == sum(row.customer_id in theirs for row in rows) > 0


async def test_a_stage_is_asked_for_once(office: Office) -> None:
    """A thousand deals in one stage ask for the same stage, which is the same row for all of them."""
    rights = office.rights("ADMIN")
    rows = [row for row in office.rows.all("Opportunity") if rights.visible(row)]
    stage = max({row.stage_id for row in rows}, key=lambda id: sum(row.stage_id == id for row in rows))
    ids = [typed_id(row) for row in rows if row.stage_id == stage]
    assert len(ids) > 3
    document = updating("Opportunity", "Opportunities")
    async with tapped(office.url) as tap, open_api(tap.url, write_pool=1, max_cost=10**7) as api:
        office.api = api
        await do(office, document, ids=ids, input={"probability": None}, dry=True)
        tap.reset()
        payload = await do(office, document, ids=ids, input={"probability": None}, dry=True)
        assert payload["count"] == len(ids)
        # BEGIN, deals, rights, their stage, changes if there are any, ROLLBACK.
        assert tap.trips <= 6
