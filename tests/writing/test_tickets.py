"""Tickets: what may be made and changed, who may be given one, and what is said on it."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from tests.fingerprint import fingerprint
from tests.oracle.rows import Row, typed_id
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

SHOWN = """ticket {
  id number subject kind priority status channel category version satisfaction isOverdue deletedAt
  customer { id } contact { id } order { id } assignee { id } assignedBy { id }
  firstResponseDueAt resolutionDueAt firstRespondedAt resolvedAt closedAt createdAt
}"""
PROBLEMS = "errors { field code message ids params }"
KINDS = {
    "id": "ID!",
    "version": "Int!",
    "userId": "ID",
    "body": "String!",
    "internal": "Boolean!",
    "satisfaction": "Int!",
}
INPUTS = {"createTicket": "CreateTicketInput!", "updateTicket": "UpdateTicketInput!"}


async def do(office: Office, role: str, field: str, **variables: Any) -> Any:
    """The payload of a mutation, or the whole answer where it is refused."""
    kinds = KINDS | {"input": INPUTS.get(field, "")}
    head = ", ".join(f"${name}: {kinds[name]}" for name in variables)
    given = ", ".join(f"{name}: ${name}" for name in variables)
    more = "comment { id body internal author { id } createdAt }" if field == "commentOnTicket" else ""
    document = f"mutation({head}) {{ {field}({given}) {{ {SHOWN} {more} {PROBLEMS} }} }}"
    answer = await office.do(document, role, **variables)
    return answer if "errors" in answer else answer["data"][field]


def codes(payload: Any) -> list[tuple[str, str]]:
    """Field path and code of each problem."""
    return [(".".join(error["field"] or ()), error["code"]) for error in payload["errors"]]


def id_of(office: Office, label: str) -> str:
    return typed_id(office.label(label))


def denied(answer: Any) -> tuple[str, str, str]:
    (error,) = answer["errors"]
    found = error["extensions"]
    return found["code"], found["entity"], found["action"]


async def create(office: Office, role: str = "ADMIN", **values: Any) -> Any:
    given = {"customerId": id_of(office, "probe_1"), "subject": "Help"}
    return await do(office, role, "createTicket", input=given | values)


async def made(office: Office, **values: Any) -> str:
    """The id of a new ticket of nobody."""
    payload = await create(office, **values)
    assert payload["errors"] == [], payload
    found: str = payload["ticket"]["id"]
    return found


async def last_event(office: Office) -> asyncpg.Record:
    return (await office.events())[-1]


def changes(event: asyncpg.Record) -> Any:
    return json.loads(event["changes"])


# Making


async def test_a_new_ticket_has_the_next_number_and_what_was_given(office: Office) -> None:
    first = (await create(office))["ticket"]
    assert first["status"] == "OPEN"
    assert (first["kind"], first["priority"], first["channel"]) == ("INQUIRY", "NORMAL", "WEB")
    assert first["assignee"] is first["assignedBy"] is first["contact"] is first["order"] is None
    assert first["version"] == 1
    second = await create(
        office,
        subject="It hums",
        kind="COMPLAINT",
        priority="URGENT",
        channel="PHONE",
        category="noise",
        contactId=id_of(office, "contact_1"),
        orderId=id_of(office, "order_1"),
        externalRefs=[{"system": "helpdesk", "id": "1"}],
    )
    ticket = second["ticket"]
    assert second["errors"] == []
    assert (ticket["subject"], ticket["kind"], ticket["priority"]) == ("It hums", "COMPLAINT", "URGENT")
    assert ticket["contact"]["id"] == id_of(office, "contact_1")
    assert ticket["order"]["id"] == id_of(office, "order_1")
    assert ticket["number"].startswith("T")
    assert ticket["number"] > first["number"]


async def test_numbers_are_unique_and_rise_while_many_make_tickets(office: Office) -> None:
    payloads = await asyncio.gather(*(create(office, subject=f"Help {n}") for n in range(40)))
    numbers = [payload["ticket"]["number"] for payload in payloads]
    assert len(set(numbers)) == 40
    assert (await create(office))["ticket"]["number"] > max(numbers)


async def test_all_that_is_wrong_with_a_new_ticket_is_told_at_once(office: Office) -> None:
    before = await fingerprint(office.connection)
    payload = await create(
        office,
        subject=" ",
        description="x" * 20_001,
        contactId=next(typed_id(row) for row in office.rows.all("Contact") if alive_elsewhere(office, row)),
        orderId=next(typed_id(row) for row in office.rows.all("Order") if alive_elsewhere(office, row)),
        assigneeId=id_of(office, "retired"),
        externalRefs=[{"system": "", "id": "1"}],
    )
    assert codes(payload) == [
        ("input.subject", "REQUIRED"),
        ("input.description", "TOO_LONG"),
        ("input.externalRefs.0.system", "REQUIRED"),
        ("input.contactId", "INVALID"),
        ("input.orderId", "INVALID"),
        ("input.assigneeId", "INVALID"),
    ]
    assert payload["ticket"] is None
    assert await fingerprint(office.connection) == before


def alive_elsewhere(office: Office, row: Row) -> bool:
    """A live row of a live customer that is not the first probe."""
    customer = office.rows.one(row, "customer")
    assert customer is not None
    gone = getattr(row, "deleted_at", None) or customer.deleted_at
    return gone is None and customer.id != office.ids["probe_1"]


async def test_what_a_ticket_names_must_be_seen(office: Office) -> None:
    payload = await create(
        office,
        customerId=id_of(office, "probe_gone"),
        contactId=id_of(office, "contact_of_gone"),
        orderId="ord_1",
    )
    assert codes(payload) == [
        ("input.orderId", "INVALID"),
        ("input.customerId", "NOT_FOUND"),
        ("input.contactId", "NOT_FOUND"),
    ]


async def test_a_ticket_of_a_merged_customer_is_one_of_the_survivor(office: Office) -> None:
    payload = await create(office, customerId=id_of(office, "probe_merged"), contactId=id_of(office, "contact_1"))
    assert payload["errors"] == []
    assert payload["ticket"]["customer"]["id"] == id_of(office, "probe_1")


# Assigning


@pytest.mark.parametrize(
    ("role", "assignee", "expected"),
    [
        ("SALES", "sales_north", None),
        ("SALES", "sales_north_2", "FORBIDDEN"),
        ("INTEGRATION", "support_north", "FORBIDDEN"),
        ("INTEGRATION", "integration", None),
        ("SUPPORT", "sales_south", None),
        ("SUPPORT", "support_north", None),
        ("MANAGER", "sales_north", None),
        ("MANAGER", "manager_north", None),
        ("MANAGER", "sales_south", "is not in your team"),
        ("MANAGER", "support_alone", "is not in your team"),
        ("MANAGER", "retired", "is not active"),
        ("ADMIN", "admin", None),
        ("ADMIN", "retired", "is not active"),
        ("ADMIN", "marketing", "cannot work on tickets"),
        ("ADMIN", "auditor", "cannot work on tickets"),
        ("ADMIN", "nobody", "cannot work on tickets"),
    ],
)
async def test_who_may_give_a_ticket_to_whom(office: Office, role: str, assignee: str, expected: str | None) -> None:
    whom = id_of(office, assignee)
    answers = {"createTicket": await create(office, role, assigneeId=whom)}
    if role in ("SUPPORT", "MANAGER", "ADMIN"):
        ticket = await made(office)
        answers["assignTicket"] = await do(office, role, "assignTicket", id=ticket, userId=whom)
    for field, answer in answers.items():
        if expected == "FORBIDDEN":
            assert denied(answer) == ("FORBIDDEN", "Ticket", "assign")
            denial = await last_event(office)
            assert (denial["action"], denial["outcome"]) == ("assign", "DENIED")
        elif expected is None:
            assert answer["errors"] == [], answer
            assert answer["ticket"]["assignee"]["id"] == whom
            assert answer["ticket"]["assignedBy"]["id"] == typed_id_of(office, role)
        else:
            (problem,) = answer["errors"]
            path = ["input", "assigneeId"] if field == "createTicket" else ["userId"]
            assert (problem["field"], problem["code"]) == (path, "INVALID")
            assert problem["message"].startswith(f"assignee {whom} ")
            assert expected in problem["message"]


def typed_id_of(office: Office, role: str) -> str:
    return f"usr_{office.user(role).hex}"


async def test_a_refused_assignee_leaves_nothing_behind(office: Office) -> None:
    before = await fingerprint(office.connection)
    await create(office, "SALES", assigneeId=id_of(office, "sales_north_2"))
    assert await fingerprint(office.connection) == before


async def test_a_right_to_assign_has_to_cover_the_new_ticket(office: Office) -> None:
    await office.connection.execute(
        "UPDATE grants SET rows = 'OWN' FROM roles r WHERE r.id = role_id AND r.name = 'MANAGER'"
        " AND entity = 'Ticket' AND action = 'assign'"
    )
    before = await fingerprint(office.connection)
    answer = await create(office, "MANAGER", assigneeId=id_of(office, "sales_north"))
    assert denied(answer) == ("FORBIDDEN", "Ticket", "assign")
    assert await fingerprint(office.connection) == before


async def test_a_ticket_goes_from_hand_to_hand_and_to_nobody(office: Office) -> None:
    ticket, north, south = await made(office), id_of(office, "support_north"), id_of(office, "support_south")
    taken = await do(office, "SUPPORT", "assignTicket", id=ticket, userId=north)
    assert taken["ticket"]["assignedBy"]["id"] == north
    event = await last_event(office)
    assert (event["entity"], event["action"]) == ("Ticket", "assign")
    assert changes(event)["assignee"] == {"before": None, "after": north}
    given = await do(office, "ADMIN", "assignTicket", id=ticket, userId=north)
    assert given["ticket"]["assignedBy"]["id"] == id_of(office, "admin")
    known = len(await office.events())
    again = await do(office, "SUPPORT", "assignTicket", id=ticket, userId=north)
    assert again["ticket"]["assignedBy"]["id"] == id_of(office, "admin"), "what was given stays given"
    assert len(await office.events()) == known
    passed = await do(office, "SUPPORT", "assignTicket", id=ticket, userId=south)
    assert passed["ticket"]["assignee"]["id"] == south
    left = await do(office, "SUPPORT", "assignTicket", id=ticket, userId=None)
    assert left["errors"] == []
    assert left["ticket"]["assignee"] is left["ticket"]["assignedBy"] is None


async def test_an_assignee_has_to_be_there(office: Office) -> None:
    ticket = await made(office)
    for whom, code in (("usr_" + "0" * 32, "NOT_FOUND"), ("cus_1", "INVALID"), ("", "INVALID")):
        payload = await do(office, "ADMIN", "assignTicket", id=ticket, userId=whom)
        assert codes(payload) == [("userId", code)]


async def test_a_ticket_that_leaves_the_callers_sight_is_null_without_errors(office: Office) -> None:
    ticket = await made(office, customerId=id_of(office, "probe_2"), assigneeId=id_of(office, "sales_north"))
    await office.connection.execute("UPDATE opportunities SET deleted_at = now()")
    await office.connection.execute("UPDATE tickets SET deleted_at = now() WHERE id <> $1", ticket[4:])
    payload = await do(office, "MANAGER", "assignTicket", id=ticket, userId=None)
    assert payload == {"ticket": None, "errors": []}


# Changing


async def test_absent_stays_and_null_clears(office: Office) -> None:
    ticket = await made(office, contactId=id_of(office, "contact_1"), category="noise")
    kept = await do(office, "ADMIN", "updateTicket", id=ticket, version=1, input={"subject": "Hums"})
    assert (kept["ticket"]["subject"], kept["ticket"]["category"]) == ("Hums", "noise")
    assert kept["ticket"]["contact"]["id"] == id_of(office, "contact_1")
    cleared = await do(
        office, "ADMIN", "updateTicket", id=ticket, version=2, input={"contactId": None, "category": None}
    )
    assert cleared["ticket"]["contact"] is cleared["ticket"]["category"] is None
    stale = await do(office, "ADMIN", "updateTicket", id=ticket, version=2, input={"subject": "Late"})
    assert stale["errors"][0]["code"] == "CONFLICT"
    assert set(stale["errors"][0]["field"]) == {"contact", "category"}


async def test_all_that_is_wrong_with_a_change_is_told_at_once(office: Office) -> None:
    ticket = await made(office)
    other = next(typed_id(row) for row in office.rows.all("Order") if alive_elsewhere(office, row))
    wrong = {"subject": None, "kind": None, "priority": None, "channel": None, "category": "\0", "orderId": other}
    payload = await do(office, "ADMIN", "updateTicket", id=ticket, version=1, input=wrong)
    assert sorted(codes(payload)) == sorted(
        [
            *((f"input.{name}", "REQUIRED") for name in ("subject", "kind", "priority", "channel")),
            ("input.category", "INVALID"),
            ("input.orderId", "INVALID"),
        ]
    )
    assert id_of(office, "probe_1") in payload["errors"][-1]["message"]


# Saying something


async def test_the_first_public_comment_of_a_colleague_is_the_first_response(office: Office) -> None:
    ticket = await made(office)
    inside = await do(office, "SUPPORT", "commentOnTicket", id=ticket, body="He is loud.", internal=True)
    assert inside["comment"]["internal"] is True
    assert inside["ticket"]["firstRespondedAt"] is None
    system = await do(office, "INTEGRATION", "commentOnTicket", id=ticket, body="Hello?")
    assert system["ticket"]["firstRespondedAt"] is None, "another system put down what the customer said"
    first = await do(office, "SUPPORT", "commentOnTicket", id=ticket, body="We see to it.")
    assert first["errors"] == []
    assert first["ticket"]["firstRespondedAt"] == first["comment"]["createdAt"]
    assert first["comment"]["author"]["id"] == typed_id_of(office, "SUPPORT")
    second = await do(office, "ADMIN", "commentOnTicket", id=ticket, body="Done?")
    assert second["ticket"]["firstRespondedAt"] == first["ticket"]["firstRespondedAt"]


async def test_a_public_comment_leaves_the_state_as_it_is(office: Office) -> None:
    ticket = await made(office)
    await do(office, "SUPPORT", "setTicketPending", id=ticket)
    for state, move in (("PENDING", "resolveTicket"), ("RESOLVED", "closeTicket"), ("CLOSED", None)):
        said = await do(office, "SUPPORT", "commentOnTicket", id=ticket, body="Are you there?")
        assert said["ticket"]["status"] == state
        if move:
            await do(office, "SUPPORT", move, id=ticket)


async def test_a_comment_is_on_record_with_its_ticket(office: Office) -> None:
    ticket = await made(office)
    for internal in (False, False, True):
        known, posted = len(await office.events()), len(await office.posted())
        payload = await do(office, "SUPPORT", "commentOnTicket", id=ticket, body="A secret word", internal=internal)
        (event,) = (await office.events())[known:]
        assert (event["entity"], event["action"]) == ("Ticket", "comment")
        assert f"tkt_{event['record_id'].hex}" == ticket
        told = changes(event)["comments"]
        assert told["before"] is None
        shown = {"id": payload["comment"]["id"], "internal": internal, "body": "A secret word"}
        assert told["after"] == shown
        assert len(await office.posted()) == posted + 1


async def test_the_log_shows_comments_to_those_who_may_read_them(office: Office) -> None:
    ticket = await made(office)
    said = [
        (await do(office, "SUPPORT", "commentOnTicket", id=ticket, body=body, internal=internal))["comment"]
        for body, internal in (("For all", False), ("For us", True))
    ]
    document = "query($id: ID!) { ticket(id: $id) { history { nodes { action changes } } } }"

    async def told(role: str) -> list[Any]:
        answer = await office.do(document, role, id=ticket)
        nodes = answer["data"]["ticket"]["history"]["nodes"]
        found = [node["changes"].get("comments") for node in reversed(nodes) if node["action"] == "comment"]
        return [each and each["after"] for each in found]

    public, internal = ({name: each[name] for name in ("id", "internal", "body")} for each in said)
    for role in ("ADMIN", "AUDITOR", "SUPPORT"):
        assert await told(role) == [public, internal], role
    assert await told("INTEGRATION") == [public, None]
    await office.connection.execute(
        "UPDATE field_grants f SET access = 'MASKED', otherwise = 'MASKED' FROM grants g, roles r"
        " WHERE g.id = f.grant_id AND r.id = g.role_id AND r.name = 'INTEGRATION' AND g.entity = 'TicketComment'"
        " AND f.field = 'body'"
    )
    assert await told("INTEGRATION") == [public | {"body": "F***"}, None]
    await office.connection.execute(
        "DELETE FROM grants USING roles r WHERE r.id = role_id AND r.name = 'INTEGRATION' AND entity = 'TicketComment'"
    )
    assert await told("INTEGRATION") == [None, None]


async def test_internal_comments_are_for_colleagues(office: Office) -> None:
    ticket = await made(office, assigneeId=id_of(office, "sales_north"))
    before = await fingerprint(office.connection)
    answer = await do(office, "INTEGRATION", "commentOnTicket", id=ticket, body="", internal=True)
    assert denied(answer) == ("FORBIDDEN", "TicketComment", "writeInternal")
    denial = await last_event(office)
    assert (denial["entity"], denial["action"], denial["outcome"]) == ("TicketComment", "writeInternal", "DENIED")
    assert await fingerprint(office.connection) == before
    for role in ("ADMIN", "MANAGER", "SALES", "SUPPORT"):
        payload = await do(office, role, "commentOnTicket", id=ticket, body="Inside", internal=True)
        assert payload["errors"] == []
        assert payload["comment"]["body"] == "Inside"
    document = "query($id: ID!) { ticket(id: $id) { comments { totalCount nodes { internal } } } }"
    seen = await office.do(document, "INTEGRATION", id=ticket)
    assert seen["data"]["ticket"]["comments"] == {"totalCount": 0, "nodes": []}


async def test_the_right_to_write_internally_has_to_cover_the_ticket(office: Office) -> None:
    ticket = await made(office, customerId=id_of(office, "probe_3"))
    await office.connection.execute(
        "UPDATE grants SET rows = 'OWN' FROM roles r WHERE r.id = role_id AND r.name = 'SUPPORT'"
        " AND entity = 'TicketComment' AND action = 'writeInternal'"
    )
    await office.connection.execute("UPDATE tickets SET assignee_id = NULL")
    before = await fingerprint(office.connection)
    answer = await do(office, "SUPPORT", "commentOnTicket", id=ticket, body="Inside", internal=True)
    assert denied(answer) == ("FORBIDDEN", "TicketComment", "writeInternal")
    assert await fingerprint(office.connection) == before
    await do(office, "SUPPORT", "assignTicket", id=ticket, userId=id_of(office, "support_north"))
    payload = await do(office, "SUPPORT", "commentOnTicket", id=ticket, body="Inside", internal=True)
    assert payload["errors"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "REQUIRED"), (" \n\t", "REQUIRED"), ("a\0b", "INVALID"), ("x" * 20_001, "TOO_LONG"), ("x" * 20_000, None)],
)
async def test_what_a_comment_may_hold(office: Office, body: str, code: str | None) -> None:
    ticket = await made(office)
    payload = await do(office, "SUPPORT", "commentOnTicket", id=ticket, body=body)
    assert codes(payload) == ([("body", code)] if code else [])
    assert (payload["comment"] is None) == (code is not None)


async def test_of_many_first_comments_one_is_the_first_response(office: Office) -> None:
    ticket = await made(office)
    payloads = await asyncio.gather(
        *(do(office, "SUPPORT", "commentOnTicket", id=ticket, body=f"Hello {n}") for n in range(20))
    )
    assert len({payload["ticket"]["firstRespondedAt"] for payload in payloads}) == 1
    assert {payload["ticket"]["version"] for payload in payloads} == {2}
    assert (
        await office.connection.fetchval("SELECT count(*) FROM ticket_comments WHERE ticket_id = $1", ticket[4:]) == 20
    )


# Rating


@pytest.mark.parametrize("satisfaction", [-1, 0, 1, 5, 6, 2**31 - 1])
async def test_a_rating_is_from_1_to_5(office: Office, satisfaction: int) -> None:
    ticket = await made(office)
    right = 1 <= satisfaction <= 5
    early = await do(office, "SUPPORT", "rateTicket", id=ticket, satisfaction=satisfaction)
    assert codes(early) == [*([] if right else [("satisfaction", "OUT_OF_RANGE")]), ("id", "INVALID_TRANSITION")]
    for move in ("resolveTicket", "closeTicket"):
        await do(office, "SUPPORT", move, id=ticket)
        payload = await do(office, "SUPPORT", "rateTicket", id=ticket, satisfaction=satisfaction)
        assert codes(payload) == ([] if right else [("satisfaction", "OUT_OF_RANGE")])
        if right:
            assert payload["ticket"]["satisfaction"] == satisfaction
    await do(office, "SUPPORT", "reopenTicket", id=ticket)
    late = await do(office, "SUPPORT", "rateTicket", id=ticket, satisfaction=3)
    assert codes(late) == [("id", "INVALID_TRANSITION")]
    assert "RESOLVED or CLOSED" in late["errors"][0]["message"]


# Deleting


async def test_a_deleted_ticket_is_gone_until_it_is_restored(office: Office) -> None:
    ticket = await made(office)
    deleted = await do(office, "ADMIN", "deleteTicket", id=ticket, version=1)
    assert deleted["ticket"]["deletedAt"] is not None
    for field, more in (("commentOnTicket", {"body": "?"}), ("resolveTicket", {}), ("deleteTicket", {"version": 2})):
        assert codes(await do(office, "ADMIN", field, id=ticket, **more)) == [("id", "NOT_FOUND")]
    restored = await do(office, "ADMIN", "restoreTicket", id=ticket)
    assert (restored["ticket"]["deletedAt"], restored["ticket"]["version"]) == (None, 3)
    assert codes(await do(office, "ADMIN", "restoreTicket", id=ticket)) == [("id", "INVALID_TRANSITION")]
