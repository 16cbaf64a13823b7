"""What may happen to a ticket."""

from typing import Any

from app.db.ids import print_id
from app.domain import deletion, ticket_clock
from app.domain.assignees import check_assignee
from app.domain.checks import check_values, in_range, required_text
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.rows import new
from app.domain.sla_policy import Clock, clock_of
from app.domain.states import transition
from app.domain.ticket_states import SETTLED, TICKET_STATES
from app.domain.work import Work
from app.models import Customer, Ticket, TicketComment
from app.models.enums import TicketStatus

_ID = ("id",)


async def create(work: Work, _: None, given: Given) -> Ticket:
    """A new ticket of a customer. Whoever gives it to somebody else needs the right to assign it."""
    ticket = new(Ticket, created_at=work.now, updated_at=work.now)
    assignee_id = given.get("assignee_id")
    if assignee_id not in (None, work.actor.user_id):
        work.need("assign", ticket)
    check_values(work, Ticket, given)
    customer, assignee = given.rows.get("customer"), given.rows.get("assignee")
    if customer is not None:
        _check_relations(work, given, customer.id)
    if assignee is not None:
        await check_assignee(work, given.at("assignee_id"), assignee, work.actor.rows(Ticket, "assign"))
    work.problems.refuse()
    given.assign(ticket)
    # The customer of a merged id is the one that it was merged into.
    ticket.customer_id = given.rows["customer"].id
    if ticket.assignee_id is not None:
        ticket.assigned_by_id = work.actor.user_id
    ticket_clock.promise(_clock(work, given), ticket)
    await set_external_refs(work, ticket, given, made=True)
    return work.add(ticket)


async def update(work: Work, ticket: Ticket, given: Given) -> Ticket:
    """Change what was given. Another priority has other due times, as long as the ticket is not settled."""
    check_values(work, Ticket, given)
    _check_relations(work, given, ticket.customer_id)
    work.problems.refuse()
    before = ticket.priority
    given.assign(ticket)
    if ticket.priority != before and ticket.status not in SETTLED:
        ticket_clock.promise(_clock(work, given), ticket)
    await set_external_refs(work, ticket, given, made=False)
    return ticket


async def delete(work: Work, ticket: Ticket, _: Given) -> Ticket:
    """Mark it as deleted; its comments are out of sight with it, until it is restored."""
    return deletion.delete(work, ticket)


async def restore(work: Work, ticket: Ticket, _: Given) -> Ticket:
    """Bring it back."""
    return deletion.restore(work, ticket)


async def assign(work: Work, ticket: Ticket, given: Given) -> Ticket:
    """Give it to a user, or to nobody. Whoever has it already, and takes it, has it as before."""
    user = given.rows.get("user")
    if user is not None:
        await check_assignee(work, given.at("user_id"), user, work.actor.scope)
    work.problems.refuse()
    if user is None:
        ticket.assignee_id = ticket.assigned_by_id = None
    elif not user.id == ticket.assignee_id == work.actor.user_id:
        ticket.assignee_id, ticket.assigned_by_id = user.id, work.actor.user_id
    return ticket


async def comment(work: Work, ticket: Ticket, given: Given) -> Ticket:
    """Say something on it. Its state stays.

    Only colleagues, who are those that may write for one another, answer a customer: what another system puts down
    here is no first response. The event tells what was said, to those who may read the comment. The ticket's version
    stays, for nothing of it can be overwritten by a comment: whoever is changing the ticket need not look again.
    """
    internal = bool(given.get("internal"))
    said = new(TicketComment, ticket_id=ticket.id, author_id=work.actor.user_id, internal=internal, created_at=work.now)
    if internal:
        work.need("writeInternal", said)
    required_text(work, given, "body")
    work.problems.refuse()
    said.body = given.values["body"]
    work.add(said)
    if not internal and ticket.first_responded_at is None and work.actor.holds("writeInternal", TicketComment):
        ticket_clock.answer(_clock(work, given), ticket, work.now)
    shown = {"id": print_id(TicketComment.prefix, said.id), "internal": internal}
    work.tell("comments", None, {**shown, "body": said.body})
    work.show("comment", said)
    return ticket


async def set_pending(work: Work, ticket: Ticket, _: Given) -> Ticket:
    """It waits for its customer; its clock stands still."""
    _move(work, ticket, TicketStatus.PENDING)
    ticket_clock.pause(ticket, work.now)
    return ticket


async def resolve(work: Work, ticket: Ticket, given: Given) -> Ticket:
    """It is done."""
    _move(work, ticket, TicketStatus.RESOLVED)
    ticket_clock.end_pause(_clock(work, given), ticket, work.now)
    ticket.resolved_at = work.now
    return ticket


async def close(work: Work, ticket: Ticket, given: Given) -> Ticket:
    """It is done for good; one that was not resolved is so now."""
    settled = ticket.status in SETTLED
    _move(work, ticket, TicketStatus.CLOSED)
    ticket_clock.end_pause(_clock(work, given), ticket, work.now)
    ticket.closed_at = work.now
    if not settled or ticket.resolved_at is None:
        ticket.resolved_at = work.now
    return ticket


async def reopen(work: Work, ticket: Ticket, given: Given) -> Ticket:
    """It is worked on again, after it was settled or waited for its customer."""
    clock = _clock(work, given)
    if transition(work, _ID, TICKET_STATES, ticket.status, TicketStatus.OPEN, "ticket"):
        if ticket.status in SETTLED:
            ticket_clock.start_again(clock, ticket, work.now)
        else:
            ticket_clock.end_pause(clock, ticket, work.now)
    work.problems.refuse()
    ticket.status = TicketStatus.OPEN
    ticket.resolved_at = ticket.closed_at = None
    return ticket


async def rate(work: Work, ticket: Ticket, given: Given) -> Ticket:
    """How satisfied the customer is, from 1 to 5, once it is settled; the latest rating counts."""
    in_range(work, given, "satisfaction", 1, 5)
    if ticket.status not in SETTLED:
        said = f"This ticket is {ticket.status}: it can be rated once it is RESOLVED or CLOSED."
        work.problems.add(_ID, "INVALID_TRANSITION", said, params={"from": str(ticket.status)})
    work.problems.refuse()
    ticket.satisfaction = given.values["satisfaction"]
    return ticket


def _move(work: Work, ticket: Ticket, to: TicketStatus) -> None:
    transition(work, _ID, TICKET_STATES, ticket.status, to, "ticket")
    work.problems.refuse()
    ticket.status = to


def _clock(work: Work, given: Given) -> Clock:
    return clock_of(given.rows["sla_policy"], work.shop)


def _check_relations(work: Work, given: Given, customer_id: Any) -> None:
    """Note where the contact or the order is not one of the ticket's customer."""
    for name in ("contact", "order"):
        row = given.rows.get(name)
        if row is not None and row.customer_id != customer_id:
            whose = "the ticket's customer"
            if work.eyes.reads(Ticket, "customer"):
                whose += f", {print_id(Customer.prefix, customer_id)}"
            said = f"{name} {print_id(row.prefix, row.id)} is not one of {whose}."
            work.problems.add(given.at(f"{name}_id"), "INVALID", said)
