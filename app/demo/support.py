"""Tickets and what was said on them."""

from datetime import timedelta

from app.demo import words
from app.demo.cells import NULL, Cell, flag, row, text, time, whole
from app.demo.chance import DAY, HOUR, MINUTE, Chance, at, moment_of, weighted
from app.demo.people import Staff
from app.demo.rows import RECORD_COLUMNS, Batch, Buyer, Frame, references
from app.domain.sla import add_business
from app.models.enums import TicketChannel, TicketKind, TicketPriority, TicketStatus

_TICKET_COLUMNS = (
    *RECORD_COLUMNS,
    *("number", "customer_id", "contact_id", "order_id", "subject", "description", "kind", "category", "priority"),
    *("status", "channel", "assignee_id", "assigned_by_id", "first_response_due_at", "resolution_due_at"),
    *("pending_since", "first_responded_at", "resolved_at", "closed_at", "satisfaction", "deleted_at"),
)
_COMMENT_COLUMNS = ("id", "ticket_id", "author_id", "body", "internal", "created_at")
_OPEN, _PENDING, _RESOLVED, _CLOSED = (text(status.value) for status in TicketStatus)
_PRIORITIES = weighted(
    {TicketPriority.LOW: 2, TicketPriority.NORMAL: 11, TicketPriority.HIGH: 5, TicketPriority.URGENT: 2}
)
_PROMISES = {
    TicketPriority.LOW: (24 * HOUR, 7 * DAY),
    TicketPriority.NORMAL: (8 * HOUR, 3 * DAY),
    TicketPriority.HIGH: (4 * HOUR, DAY),
    TicketPriority.URGENT: (HOUR, 8 * HOUR),
}
_CHANNELS = tuple(text(channel.value) for channel in TicketChannel)
_RATINGS = weighted({1: 2, 2: 1, 3: 2, 4: 6, 5: 9})
_SILENT, _ANSWERED, _WAITING, _SOLVED, _DONE = range(5)


def make_tickets(frame: Frame, buyers: list[Buyer], staff: Staff) -> list[Batch]:
    """The tickets in the order in which they came, with their comments. Contacts and orders must be made already."""
    chance, calendar = frame.chance("tickets"), frame.calendar
    planned: list[tuple[int, int, bool]] = []
    for number, buyer in enumerate(buyers):
        for _ in range(buyer.tickets):
            recent = max(buyer.created, buyer.until - 45 * DAY)
            # Whoever asks much is asking still.
            lately = chance.random() < (0.7 if buyer.tickets > 6 else 0.2)
            moment = calendar.between(chance, recent if lately else buyer.created, buyer.until)
            planned.append((moment, number, lately))
    planned.sort()
    maker = _Maker(frame, chance, staff)
    for number, (moment, buyer_number, lately) in enumerate(planned, 1):
        maker.ticket(number, moment, buyers[buyer_number], lately=lately)
    return [
        Batch("tickets", _TICKET_COLUMNS, maker.tickets, len(maker.tickets)),
        Batch("ticket_comments", _COMMENT_COLUMNS, maker.comments, len(maker.comments)),
        references("Ticket", "helpdesk", maker.elsewhere),
    ]


class _Maker:
    """Makes one ticket after the other."""

    def __init__(self, frame: Frame, chance: Chance, staff: Staff) -> None:
        self.frame, self.chance, self.staff = frame, chance, staff
        self.tickets: list[bytes] = []
        self.comments: list[bytes] = []
        self.elsewhere: list[tuple[str, Cell]] = []
        self.kinds = weighted(
            {
                TicketKind.INQUIRY: 8,
                TicketKind.COMPLAINT: 4,
                TicketKind.AFTER_SALES: 5,
                TicketKind.TECHNICAL: 2,
                TicketKind.OTHER: 1,
            }
        )

    def ticket(self, number: int, created: int, buyer: Buyer, *, lately: bool) -> None:
        """Add one ticket of a customer."""
        chance, now = self.chance, self.frame.now
        kind, priority = chance.pick(self.kinds), chance.pick(_PRIORITIES)
        respond, resolve = _PROMISES[priority]
        state = self._state(lately=lately)
        responded = self._after(created, respond // 2) if state >= _ANSWERED else None
        resolved = self._after(responded, resolve // 2) if responded and state >= _SOLVED else None
        closed = self._after(resolved, 3 * DAY) if resolved and state == _DONE else None
        waiting = state == _WAITING and responded is not None
        status = _CLOSED if closed else _RESOLVED if resolved else _PENDING if waiting else _OPEN
        assignee, by = self._assigned(silent=responded is None)
        found = chance.id_at(created)
        last = self._comments(found, created, responded, closed or resolved, assignee)
        changed = max(moment for moment in (created, responded, resolved, closed, last) if moment is not None)
        deleted = None
        if chance.random() < 0.015:
            deleted = changed = chance.within(changed, now)
        promised = chance.random() > 0.1
        first_due, last_due = self._due(priority, created) if promised else (None, None)
        self.tickets.append(
            row(
                found,
                whole(1 if changed == created else chance.within(2, 7)),
                time(created),
                time(changed),
                text(f"T{number:09d}"),
                buyer.id,
                chance.pick(buyer.contacts) if buyer.contacts and chance.random() < 0.75 else NULL,
                self._order(buyer, created),
                text(self._subject(kind)),
                text(chance.pick(words.DESCRIPTIONS)),
                text(kind.value),
                text(chance.pick(words.TICKET_CATEGORIES)),
                text(priority.value),
                status,
                chance.pick(_CHANNELS),
                assignee,
                by,
                time(first_due),
                time(last_due),
                time(responded if waiting else None),
                time(responded),
                time(resolved),
                time(closed),
                whole(chance.pick(_RATINGS) if resolved and chance.random() < 0.4 else None),
                time(deleted),
            )
        )
        if number % 8 == 3:
            self.elsewhere.append((str(number), found))

    def _due(self, priority: TicketPriority, created: int) -> tuple[int | None, int | None]:
        """When the first response and the resolution are due, as the shop's policy promises."""
        clock = self.frame.clock
        if clock is None:
            return None, None
        promised, start = clock.promises[priority], at(created)

        def due(target: timedelta | None) -> int | None:
            return None if target is None else moment_of(add_business(clock.calendar, start, target))

        return due(promised.first_response), due(promised.resolution)

    def _state(self, *, lately: bool) -> int:
        draw = self.chance.random()
        if lately:
            return _SILENT if draw < 0.3 else _ANSWERED if draw < 0.7 else _WAITING if draw < 0.85 else _SOLVED
        if draw < 0.03:
            return _ANSWERED
        return _WAITING if draw < 0.05 else _SOLVED if draw < 0.15 else _DONE

    def _after(self, moment: int, typical: int) -> int | None:
        found = moment + MINUTE + self.chance.delay(typical)
        return found if found <= self.frame.now else None

    def _assigned(self, *, silent: bool) -> tuple[Cell, Cell]:
        """Who has it and who gave it: mostly a lead, sometimes the agents themselves, sometimes it is not known."""
        chance, staff = self.chance, self.staff
        if silent and chance.random() < 0.4:
            return NULL, NULL
        draw = chance.random()
        agent = chance.pick(staff.agents)
        if draw < 0.05:
            agent = chance.pick(chance.pick(tuple(staff.sellers.values())))
        by = chance.pick(staff.leads if draw < 0.7 else staff.agents)
        if draw > 0.95:
            by = NULL
        elif draw > 0.8:
            by = agent
        return agent, by

    def _order(self, buyer: Buyer, created: int) -> Cell:
        if not buyer.placed or self.chance.random() < 0.25:
            return NULL
        placed, order = self.chance.pick(buyer.placed)
        return order if placed <= created else NULL

    def _subject(self, kind: TicketKind) -> str:
        chance = self.chance
        subject = chance.pick(words.SUBJECTS[kind])
        if chance.random() < 0.01:
            subject = f"{subject} ... {' '.join(words.ANSWERS * 4)}"[:200]
        return subject if chance.random() < 0.8 else f"Re: {subject}"

    def _comments(
        self, ticket: Cell, created: int, responded: int | None, end: int | None, assignee: Cell
    ) -> int | None:
        """Add what was said and return when the last of it was said; comments without author are the customer's."""
        chance, now = self.chance, self.frame.now
        last = None
        if chance.random() < 0.3:
            last = chance.within(created, responded or now)
            self._say(ticket, chance.pick(self.staff.leads), chance.pick(words.REMARKS), last, internal=True)
        if responded is None:
            return last
        self._say(ticket, assignee, chance.pick(words.REPLIES), responded, internal=False)
        moment, limit = responded, end or now
        while chance.random() < 0.6 and (moment := moment + chance.delay(8 * HOUR)) <= limit:
            draw = chance.random()
            if draw < 0.55:
                self._say(ticket, NULL, chance.pick(words.ANSWERS), moment, internal=False)
            else:
                text = chance.pick(words.REMARKS if draw > 0.85 else words.REPLIES)
                self._say(ticket, assignee, text, moment, internal=draw > 0.85)
            last = moment
        return last if last is not None and last > responded else responded

    def _say(self, ticket: Cell, author: Cell, body: str, moment: int, *, internal: bool) -> None:
        self.comments.append(row(self.chance.id_at(moment), ticket, author, text(body), flag(internal), time(moment)))
