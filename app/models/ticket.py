"""Tickets: what customers ask and complain about, and what was said to it."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    Integer,
    Interval,
    UniqueConstraint,
    and_,
    case,
    func,
    literal_column,
    or_,
    text,
)
from sqlmodel import Field, Relationship

from app.models.base import Entity, Record, choice, moment, number, ordered, referring, searched, short, utcnow, words
from app.models.computed import computed
from app.models.enums import TicketChannel, TicketKind, TicketPriority, TicketStatus
from app.models.external_ref import ExternalRef, external_refs
from app.models.history import history

if TYPE_CHECKING:
    from app.models.contact import Contact
    from app.models.customer import Customer
    from app.models.order import Order
    from auth.models import AuditEvent, User

_URGENCY = "CASE " + " ".join(f"WHEN priority = '{p}' THEN {n}" for n, p in enumerate(TicketPriority)) + " END"
_COUNTED = (
    *("id", "customer_id", "status", "kind", "priority", "channel", "first_responded_at", "first_response_due_at"),
    *("resolved_at", "resolution_due_at", "closed_at", "pending_since", "satisfaction"),
)
"""What figures take of tickets: all but the texts, which are most of a ticket."""

_UNSETTLED = (TicketStatus.OPEN, TicketStatus.PENDING)


def _urgency(row: Any) -> Any:
    return case(
        *(
            (row.priority == literal_column(f"'{p}'"), literal_column(str(n), Integer))
            for n, p in enumerate(TicketPriority)
        )
    )


def _overdue(row: Any) -> Any:
    waiting = row.status == literal_column(f"'{TicketStatus.PENDING}'")
    clock = case((waiting, func.coalesce(row.pending_since, func.now())), else_=func.now())
    late = or_(
        row.resolution_due_at < clock,
        and_(row.first_responded_at.is_(None), row.first_response_due_at < clock),
    )
    return func.coalesce(and_(row.status.in_([literal_column(f"'{status}'") for status in _UNSETTLED]), late), False)


class Ticket(Record, table=True):
    """A request of a customer. ``assigned_by`` is whoever gave it to the assignee.

    Its clock stands still while it is PENDING, RESOLVED or CLOSED. ``paused`` is the business time of all pauses that
    are over; the due times hold it already. Of a ticket that was PENDING before there were pauses, ``pending_since`` is
    not known: its clock goes on.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("satisfaction BETWEEN 1 AND 5", name="satisfaction_is_1_to_5"),
        *short("number", "subject"),
        *ordered("tickets", "created_at"),
        *ordered("tickets", "updated_at"),
        *ordered("tickets", "number", text_column=True),
        *ordered("tickets", "resolution_due_at", nullable=True),
        Index("ix_tickets_urgency_id", literal_column(f"({_URGENCY})"), "id"),
        Index("ix_tickets_customer_id_created_at_id", "customer_id", "created_at", "id"),
        Index("ix_tickets_assignee_id_created_at_id", "assignee_id", "created_at", "id"),
        Index(
            "ix_tickets_assignee_id_customer_id_alive",
            "assignee_id",
            "customer_id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_tickets_assigned_by_id", "assigned_by_id"),
        referring("tickets", "contact_id"),
        referring("tickets", "order_id"),
        Index("ix_tickets_status_created_at_id", "status", "created_at", "id"),
        Index("ix_tickets_priority_created_at_id", "priority", "created_at", "id"),
        Index("ix_tickets_kind_created_at_id", "kind", "created_at", "id"),
        Index("ix_tickets_channel_created_at_id", "channel", "created_at", "id"),
        Index("ix_tickets_resolved_at", "resolved_at"),
        Index("ix_tickets_satisfaction", "satisfaction"),
        Index(
            "ix_tickets_figures", "created_at", postgresql_include=_COUNTED, postgresql_where=text("deleted_at IS NULL")
        ),
        Index("ix_tickets_number_lower", literal_column("lower(number) text_pattern_ops")),
        Index("ix_tickets_subject_lower", literal_column("lower(subject) text_pattern_ops")),
        searched("tickets", "number", "subject", "category"),
    )
    prefix: ClassVar[str] = "tkt"
    searched: ClassVar[tuple[str, ...]] = ("number", "subject")
    parent: ClassVar[str | None] = "customer"

    number: str = number("T", "ticket_numbers")
    customer_id: UUID = Field(foreign_key="customers.id")
    contact_id: UUID | None = Field(default=None, foreign_key="contacts.id")
    order_id: UUID | None = Field(default=None, foreign_key="orders.id")
    subject: str = words(required=True)
    description: str | None = words()
    kind: TicketKind = choice(TicketKind, default=TicketKind.INQUIRY)
    category: str | None = words()
    priority: TicketPriority = choice(TicketPriority, default=TicketPriority.NORMAL)
    status: TicketStatus = choice(TicketStatus, default=TicketStatus.OPEN)
    channel: TicketChannel = choice(TicketChannel, default=TicketChannel.WEB)
    assignee_id: UUID | None = Field(default=None, foreign_key="users.id")
    assigned_by_id: UUID | None = Field(default=None, foreign_key="users.id")
    first_response_due_at: datetime | None = moment()
    resolution_due_at: datetime | None = moment()
    pending_since: datetime | None = moment()
    paused: timedelta = Field(
        default=timedelta(0), sa_type=Interval, nullable=False, sa_column_kwargs={"server_default": text("'0'")}
    )
    first_responded_at: datetime | None = moment()
    resolved_at: datetime | None = moment()
    closed_at: datetime | None = moment()
    satisfaction: int | None = Field(default=None)
    deleted_at: datetime | None = moment()

    customer: "Customer" = Relationship(back_populates="tickets")
    contact: "Contact" = Relationship()
    order: "Order" = Relationship()
    assignee: "User" = Relationship(sa_relationship_kwargs={"foreign_keys": "Ticket.assignee_id"})
    assigned_by: "User" = Relationship(sa_relationship_kwargs={"foreign_keys": "Ticket.assigned_by_id"})
    comments: list["TicketComment"] = Relationship(
        back_populates="ticket", sa_relationship_kwargs={"info": {"told": ("internal", "body")}}
    )
    external_refs: list[ExternalRef] = external_refs("Ticket")
    history: list["AuditEvent"] = history("Ticket")

    @computed("priority", expression=_urgency)
    def urgency(self: Any) -> Any:
        """The rank of the priority, by which lists order: 0 for LOW to 3 for URGENT."""
        return list(TicketPriority).index(self.priority)

    @computed("status", "resolution_due_at", "first_responded_at", "first_response_due_at", expression=_overdue)
    def is_overdue(self: Any) -> Any:
        """Whether it is unsettled past its resolution time, or unanswered past its first response time; of a pending
        one, whether it was when its pause began."""
        now = (self.status == TicketStatus.PENDING and self.pending_since) or utcnow()
        late = self.resolution_due_at is not None and self.resolution_due_at < now
        unanswered = self.first_responded_at is None and self.first_response_due_at is not None
        return self.status in _UNSETTLED and (late or (unanswered and self.first_response_due_at < now))


class TicketComment(Entity, table=True):
    """Something said on a ticket; ``internal`` ones are for colleagues only."""

    __tablename__ = "ticket_comments"
    __table_args__ = (
        Index("ix_ticket_comments_ticket_id_created_at_id", "ticket_id", "created_at", "id"),
        Index("ix_ticket_comments_author_id", "author_id"),
    )
    prefix: ClassVar[str] = "cmt"
    parent: ClassVar[str | None] = "ticket"

    ticket_id: UUID = Field(foreign_key="tickets.id")
    author_id: UUID | None = Field(default=None, foreign_key="users.id")
    body: str = words(required=True)
    internal: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    created_at: datetime = moment(required=True)

    ticket: Ticket = Relationship(back_populates="comments")
    author: "User" = Relationship()
