"""Tickets in the API."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from schema.types.common import ExternalRef, Node, OrderDirection, PageInfo, UnwalkedError
from schema.types.enums import TicketChannel, TicketKind, TicketPriority, TicketStatus
from schema.types.filters import (
    BooleanFilter,
    DateTimeFilter,
    ExternalRefFilter,
    IDFilter,
    IntFilter,
    StringFilter,
    TicketChannelFilter,
    TicketKindFilter,
    TicketPriorityFilter,
    TicketStatusFilter,
)
from schema.types.history import HistoryRef, events
from schema.types.viewer_can import viewer_can

if TYPE_CHECKING:
    from schema.types.contact import Contact, ContactFilter
    from schema.types.customer import Customer, CustomerFilter
    from schema.types.order import Order, OrderFilter
    from schema.types.user import User, UserFilter

# The types refer to one another in circles; Strawberry resolves these names when the schema is built.
ContactRef = Annotated["Contact", strawberry.lazy("schema.types.contact")]
ContactFilterRef = Annotated["ContactFilter", strawberry.lazy("schema.types.contact")]
CustomerRef = Annotated["Customer", strawberry.lazy("schema.types.customer")]
CustomerFilterRef = Annotated["CustomerFilter", strawberry.lazy("schema.types.customer")]
OrderRef = Annotated["Order", strawberry.lazy("schema.types.order")]
OrderFilterRef = Annotated["OrderFilter", strawberry.lazy("schema.types.order")]
UserRef = Annotated["User", strawberry.lazy("schema.types.user")]
UserFilterRef = Annotated["UserFilter", strawberry.lazy("schema.types.user")]


@strawberry.type
class Ticket(Node):
    """A request of a customer."""

    number: str
    customer: CustomerRef
    contact: ContactRef | None
    order: OrderRef | None
    subject: str
    description: str | None
    kind: TicketKind
    category: str | None
    priority: TicketPriority
    status: TicketStatus
    channel: TicketChannel
    assignee: UserRef | None
    assigned_by: UserRef | None
    first_response_due_at: datetime | None
    resolution_due_at: datetime | None
    first_responded_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    is_overdue: bool
    satisfaction: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int
    external_refs: list[ExternalRef]
    history: HistoryRef = strawberry.field(resolver=events)
    viewer_can: bool = strawberry.field(resolver=viewer_can)

    @strawberry.field
    def comments(
        self, first: int | None = UNSET, after: str | None = UNSET, last: int | None = UNSET, before: str | None = UNSET
    ) -> TicketCommentConnection:
        """The comments that the caller may see, page by page."""
        raise UnwalkedError


@strawberry.type
class TicketEdge:
    """A row and its place in the order."""

    cursor: str
    node: Ticket


@strawberry.type
class TicketConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[TicketEdge]
    nodes: list[Ticket]
    page_info: PageInfo
    total_count: int


@strawberry.enum
class TicketOrderField(Enum):
    """What a list can be ordered by."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    NUMBER = "number"
    PRIORITY = "urgency"
    RESOLUTION_DUE_AT = "resolution_due_at"


@strawberry.input
class TicketOrder:
    """One term of an order; NULLs come last in either direction."""

    field: TicketOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type
class TicketComment(Node):
    """Something said on a ticket; internal ones are for colleagues only."""

    author: UserRef | None
    body: str
    internal: bool
    created_at: datetime


@strawberry.type
class TicketCommentEdge:
    """A row and its place in the order."""

    cursor: str
    node: TicketComment


@strawberry.type
class TicketCommentConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[TicketCommentEdge]
    nodes: list[TicketComment]
    page_info: PageInfo
    total_count: int


@strawberry.input
class TicketFilter:
    """All members must hold."""

    and_: list[TicketFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[TicketFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: TicketFilter | None = strawberry.field(name="not", default=UNSET)
    id: IDFilter | None = UNSET
    is_null: bool | None = UNSET
    number: StringFilter | None = UNSET
    subject: StringFilter | None = UNSET
    kind: TicketKindFilter | None = UNSET
    category: StringFilter | None = UNSET
    priority: TicketPriorityFilter | None = UNSET
    status: TicketStatusFilter | None = UNSET
    channel: TicketChannelFilter | None = UNSET
    satisfaction: IntFilter | None = UNSET
    is_overdue: BooleanFilter | None = UNSET
    resolution_due_at: DateTimeFilter | None = UNSET
    resolved_at: DateTimeFilter | None = UNSET
    external_refs: ExternalRefFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET
    customer: CustomerFilterRef | None = UNSET
    contact: ContactFilterRef | None = UNSET
    order: OrderFilterRef | None = UNSET
    assignee: UserFilterRef | None = UNSET


@strawberry.input
class TicketListFilter:
    """Looks only at rows that the caller may see."""

    some: TicketFilter | None = UNSET
    none: TicketFilter | None = UNSET
