"""Customers in the API."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from schema.types.common import ExternalRef, Money, Node, OrderDirection, PageInfo, UnwalkedError
from schema.types.enums import ChurnState, CustomerKind, CustomerStatus, CustomerTier, RfmSegment
from schema.types.filters import (
    ChurnStateFilter,
    CustomerKindFilter,
    CustomerStatusFilter,
    CustomerTierFilter,
    DateTimeFilter,
    DecimalFilter,
    ExternalRefFilter,
    IDFilter,
    IntFilter,
    RfmSegmentFilter,
    StringFilter,
    StringListFilter,
)
from schema.types.history import HistoryRef, events
from schema.types.viewer_can import viewer_can

if TYPE_CHECKING:
    from schema.types.contact import ContactConnection, ContactFilter, ContactListFilter, ContactOrder
    from schema.types.opportunity import (
        OpportunityConnection,
        OpportunityFilter,
        OpportunityListFilter,
        OpportunityOrder,
    )
    from schema.types.order import OrderConnection, OrderFilter, OrderListFilter, OrderOrder
    from schema.types.ticket import TicketConnection, TicketFilter, TicketListFilter, TicketOrder
    from schema.types.user import User, UserFilter

# The types refer to one another in circles; Strawberry resolves these names when the schema is built.
ContactConnectionRef = Annotated["ContactConnection", strawberry.lazy("schema.types.contact")]
ContactFilterRef = Annotated["ContactFilter", strawberry.lazy("schema.types.contact")]
ContactListFilterRef = Annotated["ContactListFilter", strawberry.lazy("schema.types.contact")]
ContactOrderRef = Annotated["ContactOrder", strawberry.lazy("schema.types.contact")]
OpportunityConnectionRef = Annotated["OpportunityConnection", strawberry.lazy("schema.types.opportunity")]
OpportunityFilterRef = Annotated["OpportunityFilter", strawberry.lazy("schema.types.opportunity")]
OpportunityListFilterRef = Annotated["OpportunityListFilter", strawberry.lazy("schema.types.opportunity")]
OpportunityOrderRef = Annotated["OpportunityOrder", strawberry.lazy("schema.types.opportunity")]
OrderConnectionRef = Annotated["OrderConnection", strawberry.lazy("schema.types.order")]
OrderFilterRef = Annotated["OrderFilter", strawberry.lazy("schema.types.order")]
OrderListFilterRef = Annotated["OrderListFilter", strawberry.lazy("schema.types.order")]
OrderOrderRef = Annotated["OrderOrder", strawberry.lazy("schema.types.order")]
TicketConnectionRef = Annotated["TicketConnection", strawberry.lazy("schema.types.ticket")]
TicketFilterRef = Annotated["TicketFilter", strawberry.lazy("schema.types.ticket")]
TicketListFilterRef = Annotated["TicketListFilter", strawberry.lazy("schema.types.ticket")]
TicketOrderRef = Annotated["TicketOrder", strawberry.lazy("schema.types.ticket")]
UserRef = Annotated["User", strawberry.lazy("schema.types.user")]
UserFilterRef = Annotated["UserFilter", strawberry.lazy("schema.types.user")]


@strawberry.type
class RfmScores:
    """The place of a customer among all who have bought, from 1 to 5: how lately, how often, for how much."""

    recency: int
    frequency: int
    monetary: int


@strawberry.type
class Customer(Node):
    """A person or company that the shop serves.

    orderCount and lastOrderAt are of all its orders. What follows them is of its sold orders, as of the last refresh of
    the analytics; without the right to the orders of a customer, it is as if it had none.
    """

    code: str
    name: str
    kind: CustomerKind
    email: str | None
    phone: str | None
    tier: CustomerTier
    status: CustomerStatus
    source: str | None
    industry: str | None
    city: str | None
    region: str | None
    country: str | None
    tags: list[str]
    notes: str | None
    owner: UserRef | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int
    external_refs: list[ExternalRef]
    order_count: int
    last_order_at: datetime | None
    revenue: Money
    average_order_value: Money | None
    rfm_segment: RfmSegment
    rfm_scores: RfmScores | None
    churn_state: ChurnState
    days_between_orders: float | None
    expected_next_order_at: datetime | None
    history: HistoryRef = strawberry.field(resolver=events)
    viewer_can: bool = strawberry.field(resolver=viewer_can)

    @strawberry.field
    def contacts(
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: ContactFilterRef | None = UNSET,
        order_by: list[ContactOrderRef] | None = UNSET,
    ) -> ContactConnectionRef:
        """The contacts that the caller may see, page by page."""
        raise UnwalkedError

    @strawberry.field
    def opportunities(
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: OpportunityFilterRef | None = UNSET,
        order_by: list[OpportunityOrderRef] | None = UNSET,
    ) -> OpportunityConnectionRef:
        """The opportunities that the caller may see, page by page."""
        raise UnwalkedError

    @strawberry.field
    def orders(
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: OrderFilterRef | None = UNSET,
        order_by: list[OrderOrderRef] | None = UNSET,
    ) -> OrderConnectionRef:
        """The orders that the caller may see, page by page."""
        raise UnwalkedError

    @strawberry.field
    def tickets(
        self,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: TicketFilterRef | None = UNSET,
        order_by: list[TicketOrderRef] | None = UNSET,
    ) -> TicketConnectionRef:
        """The tickets that the caller may see, page by page."""
        raise UnwalkedError


@strawberry.type
class CustomerEdge:
    """A row and its place in the order."""

    cursor: str
    node: Customer


@strawberry.type
class CustomerConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[CustomerEdge]
    nodes: list[Customer]
    page_info: PageInfo
    total_count: int


@strawberry.enum
class CustomerOrderField(Enum):
    """What a list can be ordered by."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    NAME = "name"
    CODE = "code"
    REVENUE = "revenue"
    ORDER_COUNT = "order_count"
    LAST_ORDER_AT = "last_order_at"


@strawberry.input
class CustomerOrder:
    """One term of an order; NULLs come last in either direction."""

    field: CustomerOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.input
class CustomerFilter:
    """All members must hold."""

    and_: list[CustomerFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[CustomerFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: CustomerFilter | None = strawberry.field(name="not", default=UNSET)
    id: IDFilter | None = UNSET
    is_null: bool | None = UNSET
    code: StringFilter | None = UNSET
    name: StringFilter | None = UNSET
    kind: CustomerKindFilter | None = UNSET
    email: StringFilter | None = UNSET
    phone: StringFilter | None = UNSET
    tier: CustomerTierFilter | None = UNSET
    status: CustomerStatusFilter | None = UNSET
    source: StringFilter | None = UNSET
    industry: StringFilter | None = UNSET
    city: StringFilter | None = UNSET
    region: StringFilter | None = UNSET
    country: StringFilter | None = UNSET
    tags: StringListFilter | None = UNSET
    external_refs: ExternalRefFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET
    rfm_segment: RfmSegmentFilter | None = UNSET
    churn_state: ChurnStateFilter | None = UNSET
    revenue: DecimalFilter | None = UNSET
    order_count: IntFilter | None = UNSET
    last_order_at: DateTimeFilter | None = UNSET
    owner: UserFilterRef | None = UNSET
    contacts: ContactListFilterRef | None = UNSET
    opportunities: OpportunityListFilterRef | None = UNSET
    orders: OrderListFilterRef | None = UNSET
    tickets: TicketListFilterRef | None = UNSET
