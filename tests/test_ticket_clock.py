"""The clock of a ticket against a stop watch that counts business time only while the ticket is OPEN."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import ticket_clock
from app.domain.rows import new
from app.domain.sla import add_business, business_between
from app.domain.sla_policy import Clock, clock_of
from app.domain.ticket_states import SETTLED, TICKET_STATES
from app.domain.work import Shop
from app.models import SlaPolicy, Ticket
from app.models.enums import TicketPriority, TicketStatus

HOURS = [f"{day} {hours}" for day in ("MONDAY", "TUESDAY", "SUNDAY") for hours in ("08:00-12:00", "13:30-17:30")]
POLICY = new(
    SlaPolicy,
    hours=HOURS,
    holidays=[],
    low_first_response_minutes=None,
    low_resolution_minutes=4_800,
    normal_first_response_minutes=480,
    normal_resolution_minutes=2_400,
    high_first_response_minutes=240,
    high_resolution_minutes=None,
    urgent_first_response_minutes=60,
    urgent_resolution_minutes=480,
)
CLOCK: Clock = clock_of(POLICY, Shop("EUR", "Europe/Berlin"))
MADE = datetime(2026, 3, 27, 11, 17, 3, 141_592, UTC)  # Two days before the clocks are put forward.
UNTIMED = settings(deadline=None)
OPEN, PENDING = TicketStatus.OPEN, TicketStatus.PENDING


@dataclass
class Watch:
    """What a person with a stop watch would say: business time that ran, and when the first answer came on it."""

    status: TicketStatus = OPEN
    ran: timedelta = timedelta(0)
    answered: timedelta | None = None

    def go(self, start: datetime, end: datetime) -> None:
        if self.status is OPEN:
            self.ran += business_between(CLOCK.calendar, start, end)


def move(ticket: Ticket, to: TicketStatus, now: datetime) -> None:
    """As the rules of tickets do it."""
    if to is OPEN and ticket.status in SETTLED:
        ticket_clock.start_again(CLOCK, ticket, now)
        ticket.resolved_at = ticket.closed_at = None
    elif to is PENDING:
        ticket_clock.pause(ticket, now)
    else:
        ticket_clock.end_pause(CLOCK, ticket, now)
    if to in SETTLED and ticket.resolved_at is None:
        ticket.resolved_at = now
    ticket.status = to


def is_fair(due: datetime, now: datetime, target: timedelta, ran: timedelta) -> bool:
    """Whether it is late just when more than was promised has run. What is due when the shop closes is late once it has
    closed, though no business time goes by until it opens again."""
    return ran == target if due < now and ran <= target else (due < now) == (target < ran)


steps = st.lists(
    st.tuples(
        st.timedeltas(timedelta(0), timedelta(days=5)),
        st.sampled_from((*TicketStatus, *TicketPriority, "answer")),
    ),
    max_size=14,
)


@UNTIMED
@given(steps)
def test_the_clock_runs_only_while_the_ticket_is_open(steps: list[tuple[timedelta, object]]) -> None:
    ticket = new(Ticket, created_at=MADE, updated_at=MADE)
    ticket_clock.promise(CLOCK, ticket)
    watch, now = Watch(), MADE
    for wait, step in steps:
        watch.go(now, now + wait)
        now += wait
        if isinstance(step, TicketStatus) and step in TICKET_STATES[ticket.status]:
            move(ticket, step, now)
            watch.status = step
        elif isinstance(step, TicketPriority) and ticket.status not in SETTLED:
            ticket.priority = step
            ticket_clock.promise(CLOCK, ticket)
        elif step == "answer" and ticket.first_responded_at is None:
            ticket_clock.answer(CLOCK, ticket, now)
            watch.answered = watch.ran
            due, asked = ticket.first_response_due_at, CLOCK.promises[ticket.priority].first_response
            assert (due is None) == (asked is None)
            if due is not None and asked is not None:
                assert is_fair(due, now, asked, watch.ran)
        promised = CLOCK.promises[ticket.priority]
        if ticket.resolution_due_at is not None and ticket.status not in SETTLED:
            assert promised.resolution is not None
            seen = ticket.pending_since or now
            assert is_fair(ticket.resolution_due_at, seen, promised.resolution, watch.ran)
            left = business_between(CLOCK.calendar, seen, ticket.resolution_due_at)
            assert left == max(promised.resolution - watch.ran, timedelta(0))
            assert ticket.resolution_due_at == add_business(CLOCK.calendar, MADE, promised.resolution + ticket.paused)
        assert (ticket.pending_since is not None) == (ticket.status is PENDING)


def test_what_was_answered_keeps_its_due_time() -> None:
    ticket = new(Ticket, created_at=MADE, updated_at=MADE, priority=TicketPriority.URGENT)
    ticket_clock.promise(CLOCK, ticket)
    due = ticket.first_response_due_at
    ticket_clock.answer(CLOCK, ticket, MADE + timedelta(days=9))
    ticket.priority = TicketPriority.NORMAL
    ticket_clock.promise(CLOCK, ticket)
    move(ticket, PENDING, MADE + timedelta(days=9))
    move(ticket, OPEN, MADE + timedelta(days=20))
    assert ticket.first_response_due_at == due


def test_an_import_that_says_when_it_is_due_is_believed_after_a_pause() -> None:
    """Due times of another system are moved on by the pause; that system's targets are not known."""
    due = MADE + timedelta(days=3)
    ticket = new(Ticket, created_at=MADE, updated_at=MADE, resolution_due_at=due)
    move(ticket, PENDING, MADE + timedelta(days=1))
    move(ticket, OPEN, MADE + timedelta(days=8))
    paused = business_between(CLOCK.calendar, MADE + timedelta(days=1), MADE + timedelta(days=8))
    assert paused > timedelta(0)
    assert ticket.resolution_due_at == add_business(CLOCK.calendar, due, paused)
    assert ticket.first_response_due_at is None
