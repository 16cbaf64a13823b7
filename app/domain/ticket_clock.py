"""The clock of a ticket: when its first response and its resolution are due, and what stops it.

Both are due a target after the ticket was made, in business time, and as much later as the clock stood still. It stands
still while the ticket is PENDING, and while it is RESOLVED or CLOSED, until it is reopened. What has been answered
keeps the time at which the answer was due.
"""

from datetime import datetime, timedelta

from app.domain.sla import add_business, business_between
from app.domain.sla_policy import Clock
from app.domain.ticket_states import SETTLED
from app.models import Ticket


def promise(clock: Clock, ticket: Ticket) -> None:
    """Work out both due times anew. Of a pending ticket they are as they were when its pause began."""
    promised = clock.promises[ticket.priority]
    if ticket.first_responded_at is None:
        ticket.first_response_due_at = _due(clock, ticket, promised.first_response)
    ticket.resolution_due_at = _due(clock, ticket, promised.resolution)


def pause(ticket: Ticket, now: datetime) -> None:
    """The ticket waits for its customer from ``now`` on."""
    ticket.pending_since = now


def end_pause(clock: Clock, ticket: Ticket, now: datetime) -> None:
    """The ticket, if it was waiting, waits no more: what is still due is due as much later."""
    if ticket.pending_since is None:
        return
    stood = business_between(clock.calendar, ticket.pending_since, now)
    ticket.pending_since = None
    ticket.paused += stood
    if ticket.first_responded_at is None:
        ticket.first_response_due_at = _later(clock, ticket.first_response_due_at, stood)
    ticket.resolution_due_at = _later(clock, ticket.resolution_due_at, stood)


def answer(clock: Clock, ticket: Ticket, now: datetime) -> None:
    """The customer has the first answer: ``now`` is compared with a due time that holds the present pause as well."""
    since = stopped_since(ticket)
    if since is not None:
        stood = business_between(clock.calendar, since, now)
        ticket.first_response_due_at = _later(clock, ticket.first_response_due_at, stood)
    ticket.first_responded_at = now


def start_again(clock: Clock, ticket: Ticket, now: datetime) -> None:
    """The ticket was settled, and is worked on again: the time in between was a pause."""
    since = stopped_since(ticket)
    if since is not None:
        ticket.paused += business_between(clock.calendar, since, now)
    promise(clock, ticket)


def stopped_since(ticket: Ticket) -> datetime | None:
    """Since when the clock stands still; None where it goes on, or where that is not known."""
    return (ticket.resolved_at or ticket.closed_at) if ticket.status in SETTLED else ticket.pending_since


def _due(clock: Clock, ticket: Ticket, target: timedelta | None) -> datetime | None:
    return None if target is None else add_business(clock.calendar, ticket.created_at, target + ticket.paused)


def _later(clock: Clock, due: datetime | None, by: timedelta) -> datetime | None:
    return None if due is None else add_business(clock.calendar, due, by)
