"""The states of tickets, and the times that they are due: what the policy promises, less what they had to wait."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.domain.sla import add_business, business_between, calendar, read_period
from app.domain.ticket_states import TICKET_STATES
from app.models.enums import TicketStatus
from tests.oracle.rows import Row
from tests.writing.deeds import Office
from tests.writing.test_tickets import codes, create, do, last_event, made

pytestmark = pytest.mark.anyio

MOVES = {
    "setTicketPending": "PENDING",
    "resolveTicket": "RESOLVED",
    "closeTicket": "CLOSED",
    "reopenTicket": "OPEN",
}
HOURS = [
    f"{day} {hours}"
    for day in ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
    for hours in ("09:00-12:30", "13:30-17:30")
]
SHOP = calendar(ZoneInfo("Europe/Berlin"), [period for text in HOURS if (period := read_period(text))])
TARGETS = {"LOW": (960, 4_800), "NORMAL": (480, 2_400), "HIGH": (240, 960), "URGENT": (60, 480)}


def moment(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)


def due(ticket: Any, priority: str, waited: timedelta = timedelta(0)) -> tuple[str, str]:
    """The times at which a ticket is due, as the API prints them."""
    first, whole = (
        add_business(SHOP, moment(ticket["createdAt"]), timedelta(minutes=minutes) + waited).isoformat(
            timespec="microseconds"
        )
        for minutes in TARGETS[priority]
    )
    return first, whole


def dues(ticket: Any) -> tuple[str, str]:
    return ticket["firstResponseDueAt"], ticket["resolutionDueAt"]


async def row_of(office: Office, ticket: str) -> Row:
    found = (await office.look()).find(
        "Ticket", next(r.id for r in office.rows.all("Ticket") if r.id.hex == ticket[4:])
    )
    assert found is not None
    return found


async def ago(office: Office, ticket: str, **columns: timedelta) -> None:
    """Put moments of a ticket into the past, as if time had gone by."""
    for column, back in columns.items():
        await office.connection.execute(
            f"UPDATE tickets SET {column} = {column} - $2::interval WHERE id = $1", ticket[4:], back
        )


# States


@pytest.mark.parametrize("state", list(TicketStatus))
@pytest.mark.parametrize("move", MOVES)
async def test_a_ticket_goes_where_the_table_lets_it(office: Office, state: TicketStatus, move: str) -> None:
    ticket = await made(office)
    await office.connection.execute("UPDATE tickets SET status = $2 WHERE id = $1", ticket[4:], state.value)
    known = len(await office.events())
    payload = await do(office, "SUPPORT", move, id=ticket)
    if MOVES[move] in TICKET_STATES[state]:
        assert payload["errors"] == []
        assert payload["ticket"]["status"] == MOVES[move]
        assert len(await office.events()) == known + 1
        return
    (problem,) = payload["errors"]
    assert (problem["field"], problem["code"]) == (["id"], "INVALID_TRANSITION")
    allowed = [each.value for each in TicketStatus if each in TICKET_STATES[state]]
    assert problem["params"] == {"from": state, "to": MOVES[move], "allowed": allowed}
    assert all(each in problem["message"] for each in (state, *allowed))
    assert payload["ticket"] is None
    assert (await row_of(office, ticket)).status == state
    assert len(await office.events()) == known


async def test_settling_and_reopening_leave_their_times(office: Office) -> None:
    ticket = await made(office)
    resolved = (await do(office, "SUPPORT", "resolveTicket", id=ticket))["ticket"]
    assert moment(resolved["resolvedAt"]) == (await last_event(office))["at"]
    assert resolved["closedAt"] is None
    closed = (await do(office, "SUPPORT", "closeTicket", id=ticket))["ticket"]
    assert closed["resolvedAt"] == resolved["resolvedAt"]
    assert moment(closed["closedAt"]) == (await last_event(office))["at"]
    opened = (await do(office, "SUPPORT", "reopenTicket", id=ticket))["ticket"]
    assert opened["resolvedAt"] is opened["closedAt"] is None
    at_once = (await do(office, "SUPPORT", "closeTicket", id=ticket))["ticket"]
    assert at_once["resolvedAt"] == at_once["closedAt"] is not None


async def test_of_many_who_settle_a_ticket_at_once_one_does(office: Office) -> None:
    ticket = await made(office)
    payloads = await asyncio.gather(*(do(office, "SUPPORT", "resolveTicket", id=ticket) for _ in range(20)))
    assert sorted(map(len, map(codes, payloads))) == [0] + [1] * 19
    moves = [do(office, "SUPPORT", move, id=ticket) for move in (*MOVES, *MOVES, *MOVES, *MOVES, *MOVES)]
    await asyncio.gather(*moves)
    events = [event for event in await office.events() if event["record_id"] == UUID(ticket[4:])]
    state = "OPEN"
    # A transaction may have its id before another one, and wait for the row until after it: versions are in order.
    for event in sorted(events, key=lambda event: event["record_version"])[1:]:
        told = json.loads(event["changes"])["status"]
        assert told["before"] == state
        state = told["after"]
        assert state in TICKET_STATES[TicketStatus(told["before"])]
    assert (await row_of(office, ticket)).status == state


# Due times


@pytest.mark.parametrize("priority", TARGETS)
async def test_a_new_ticket_is_due_as_the_policy_promises(office: Office, priority: str) -> None:
    ticket = (await create(office, priority=priority))["ticket"]
    assert dues(ticket) == due(ticket, priority)
    assert ticket["isOverdue"] is False


async def test_another_priority_has_other_due_times_while_the_ticket_is_not_settled(office: Office) -> None:
    ticket = (await create(office))["ticket"]

    async def become(priority: str, version: int) -> Any:
        payload = await do(
            office, "SUPPORT", "updateTicket", id=ticket["id"], version=version, input={"priority": priority}
        )
        assert payload["errors"] == []
        return payload["ticket"]

    assert dues(await become("HIGH", 1)) == due(ticket, "HIGH")
    answered = (await do(office, "SUPPORT", "commentOnTicket", id=ticket["id"], body="Yes?"))["ticket"]
    assert dues(await become("URGENT", 3)) == (answered["firstResponseDueAt"], due(ticket, "URGENT")[1])
    await do(office, "SUPPORT", "resolveTicket", id=ticket["id"])
    assert dues(await become("LOW", 5))[1] == due(ticket, "URGENT")[1]
    assert dues((await do(office, "SUPPORT", "reopenTicket", id=ticket["id"]))["ticket"])[1] >= due(ticket, "LOW")[1]


async def test_a_pending_ticket_stands_still_and_goes_on_where_it_stood(office: Office) -> None:
    ticket = await made(office, priority="URGENT")
    await ago(office, ticket, created_at=timedelta(days=20))
    before = (await do(office, "SUPPORT", "updateTicket", id=ticket, version=1, input={"priority": "LOW"}))["ticket"]
    waiting = (await do(office, "SUPPORT", "setTicketPending", id=ticket))["ticket"]
    assert dues(waiting) == dues(before) == due(before, "LOW")
    await ago(office, ticket, pending_since=timedelta(days=15))
    since = (await row_of(office, ticket)).pending_since
    changed = (await do(office, "SUPPORT", "updateTicket", id=ticket, version=3, input={"priority": "NORMAL"}))[
        "ticket"
    ]
    assert dues(changed) == due(before, "NORMAL"), "as they were when the pause began"
    opened = (await do(office, "SUPPORT", "reopenTicket", id=ticket))["ticket"]
    now = (await last_event(office))["at"]
    waited = business_between(SHOP, since, now)
    assert dues(opened) == due(before, "NORMAL", waited)
    row = await row_of(office, ticket)
    assert (row.pending_since, row.paused) == (None, waited)
    await do(office, "SUPPORT", "setTicketPending", id=ticket)
    await ago(office, ticket, pending_since=timedelta(days=3))
    since = (await row_of(office, ticket)).pending_since
    resolved = (await do(office, "SUPPORT", "resolveTicket", id=ticket))["ticket"]
    waited += business_between(SHOP, since, (await last_event(office))["at"])
    assert dues(resolved) == due(before, "NORMAL", waited)


async def test_what_was_settled_and_is_reopened_had_time_to_rest(office: Office) -> None:
    for move, column in (("resolveTicket", "resolved_at"), ("closeTicket", "resolved_at")):
        ticket = await made(office)
        await ago(office, ticket, created_at=timedelta(days=30))
        await do(office, "SUPPORT", move, id=ticket)
        await ago(office, ticket, **{column: timedelta(days=28)})
        since = (await row_of(office, ticket)).resolved_at
        opened = (await do(office, "SUPPORT", "reopenTicket", id=ticket))["ticket"]
        waited = business_between(SHOP, since, (await last_event(office))["at"])
        assert dues(opened) == due(opened, "NORMAL", waited)
        assert waited > timedelta(days=4)


async def test_an_answer_during_a_pause_is_held_against_a_due_time_with_the_pause(office: Office) -> None:
    ticket = await made(office, priority="URGENT")
    await do(office, "SUPPORT", "setTicketPending", id=ticket)
    await ago(office, ticket, created_at=timedelta(days=10), pending_since=timedelta(days=10))
    await office.connection.execute(
        "UPDATE tickets SET first_response_due_at = first_response_due_at - interval '9 days' WHERE id = $1", ticket[4:]
    )
    row = await row_of(office, ticket)
    answered = (await do(office, "SUPPORT", "commentOnTicket", id=ticket, body="Here we are."))["ticket"]
    now = (await last_event(office))["at"]
    later = add_business(SHOP, row.first_response_due_at, business_between(SHOP, row.pending_since, now))
    assert moment(answered["firstResponseDueAt"]) == later
    assert answered["status"] == "PENDING"
    again = (await do(office, "SUPPORT", "reopenTicket", id=ticket))["ticket"]
    assert again["firstResponseDueAt"] == answered["firstResponseDueAt"]


async def test_overdue_is_what_the_oracle_calls_overdue(office: Office) -> None:
    past, future = datetime.now(UTC) - timedelta(days=2), datetime.now(UTC) + timedelta(days=2)
    waiting = (past - timedelta(days=1), past + timedelta(days=1), None)
    expected = []
    for status in TicketStatus:
        for since in waiting if status is TicketStatus.PENDING else (None,):
            for first, whole, answered in (
                (past, future, None),
                (past, future, past),
                (future, past, None),
                (None, None, None),
            ):
                ticket = await made(office)
                await office.connection.execute(
                    "UPDATE tickets SET status = $2, pending_since = $3, first_response_due_at = $4,"
                    " resolution_due_at = $5, first_responded_at = $6 WHERE id = $1",
                    *(ticket[4:], status.value, since, first, whole, answered),
                )
                expected.append(ticket)
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Ticket { isOverdue } } }"
    answer = await office.do(document, "ADMIN", ids=expected)
    shown = [node["isOverdue"] for node in answer["data"]["nodes"]]
    await office.look()
    rights = office.rights("ADMIN")
    assert shown == [rights.computed(await row_of(office, ticket), "isOverdue") for ticket in expected]
    assert shown[:4] == [True, False, True, False], "open ones"
    assert shown[4:8] == [False] * 4, "their pause began before they were due"
    assert shown[8:16] == [True, False, True, False] * 2
    assert shown[16:] == [False] * 8, "settled ones"
