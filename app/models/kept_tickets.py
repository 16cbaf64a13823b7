"""What is kept of tickets for the figures: facts of each of them, and how many there are of which sort by time.

``app.analytics.keeping`` alone writes these tables.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Float, Index, text
from sqlmodel import Field

from app.models.base import Row, choice, moment, words
from app.models.enums import TicketChannel, TicketCount, TicketKind, TicketPriority, TimeBucket


def _minutes() -> float | None:
    return Field(default=None, sa_type=Float(53))  # type: ignore[no-any-return]


class TicketFact(Row, table=True):
    """A ticket that is not deleted, of a customer that is not, as it has been counted.

    ``day`` is that of ``created_at`` in the shop's time zone, ``resolved_on`` that of its resolution, ``settled_on``
    that of ``settled_at``: when it was both made and settled, NULL while it is not. ``response_kept`` and
    ``resolution_kept`` say whether it kept these times, NULL where that does not count or may still change; the due
    times are there while the clock goes on for them. Minutes are the numbers that percentiles are taken of.
    """

    __tablename__ = "ticket_facts"
    __table_args__ = (
        Index("ix_ticket_facts_response_minutes", "response_minutes", postgresql_include=("day",)),
        Index("ix_ticket_facts_resolution_minutes", "resolution_minutes", postgresql_include=("day",)),
        Index("ix_ticket_facts_settled_on", "settled_on"),
        Index(
            "ix_ticket_facts_unsettled",
            "day",
            postgresql_include=("created_at", "response_due_at", "resolution_due_at"),
            postgresql_where=text("settled_on IS NULL"),
        ),
    )

    ticket_id: UUID = Field(primary_key=True)
    created_at: datetime = moment(required=True)
    day: date
    channel: TicketChannel = choice(TicketChannel)
    kind: TicketKind = choice(TicketKind)
    priority: TicketPriority = choice(TicketPriority)
    satisfaction: int | None = Field(default=None)
    resolved_on: date | None = Field(default=None)
    settled_at: datetime | None = moment()
    settled_on: date | None = Field(default=None)
    response_minutes: float | None = _minutes()
    resolution_minutes: float | None = _minutes()
    response_kept: bool | None = Field(default=None)
    resolution_kept: bool | None = Field(default=None)
    response_due_at: datetime | None = moment()
    resolution_due_at: datetime | None = moment()


class TicketBucket(Row, table=True):
    """How many of the counted tickets are of the sort ``what`` with a ``label``, by DAY and by MONTH of the shop's time
    zone. There is no row for none."""

    __tablename__ = "ticket_buckets"

    what: TicketCount = choice(TicketCount, primary_key=True)
    bucket: TimeBucket = choice(TimeBucket, primary_key=True)
    start: date = Field(primary_key=True)
    label: str = words(required=True, primary_key=True)
    tickets: int
