"""Tickets by groups, in the API."""

from datetime import datetime
from enum import Enum

import strawberry
from strawberry import UNSET

from schema.types.common import OrderDirection
from schema.types.contact import Contact
from schema.types.customer import Customer
from schema.types.enums import (
    ChurnState,
    CustomerKind,
    CustomerStatus,
    CustomerTier,
    OrderStatus,
    RfmSegment,
    TicketChannel,
    TicketKind,
    TicketPriority,
    TicketStatus,
    TimeBucket,
)
from schema.types.filters import DateTimeFilter, DecimalFilter, IntFilter
from schema.types.order import Order
from schema.types.team import Team
from schema.types.user import User


@strawberry.enum
class TicketGroupField(Enum):
    """What tickets can be grouped by."""

    KIND = "kind"
    CATEGORY = "category"
    PRIORITY = "priority"
    STATUS = "status"
    CHANNEL = "channel"
    IS_OVERDUE = "is_overdue"
    SATISFACTION = "satisfaction"
    ASSIGNEE = "assignee"
    ASSIGNEE_TEAM = "assignee_team"
    ASSIGNED_BY = "assigned_by"
    CONTACT = "contact"
    ORDER = "order"
    ORDER_STATUS = "order_status"
    ORDER_CHANNEL = "order_channel"
    FIRST_RESPONSE_DUE_AT = "first_response_due_at"
    RESOLUTION_DUE_AT = "resolution_due_at"
    FIRST_RESPONDED_AT = "first_responded_at"
    RESOLVED_AT = "resolved_at"
    CLOSED_AT = "closed_at"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    CUSTOMER = "customer"
    CUSTOMER_KIND = "customer_kind"
    CUSTOMER_TIER = "customer_tier"
    CUSTOMER_STATUS = "customer_status"
    CUSTOMER_SOURCE = "customer_source"
    CUSTOMER_INDUSTRY = "customer_industry"
    CUSTOMER_CITY = "customer_city"
    CUSTOMER_REGION = "customer_region"
    CUSTOMER_COUNTRY = "customer_country"
    CUSTOMER_RFM_SEGMENT = "customer_rfm_segment"
    CUSTOMER_CHURN_STATE = "customer_churn_state"
    CUSTOMER_OWNER = "customer_owner"
    CUSTOMER_OWNER_TEAM = "customer_owner_team"


@strawberry.input
class TicketGroupBy:
    """One thing that groups are by. Moments need a bucket, days may have one."""

    field: TicketGroupField
    bucket: TimeBucket | None = UNSET


@strawberry.type
class TicketGroupKey:
    """What the tickets of a group have in common: null where that is nothing, where the caller may not see it, and
    where the groups are not by it. Times are the beginnings of their buckets."""

    kind: TicketKind | None
    category: str | None
    priority: TicketPriority | None
    status: TicketStatus | None
    channel: TicketChannel | None
    is_overdue: bool | None
    satisfaction: int | None
    assignee: User | None
    assignee_team: Team | None
    assigned_by: User | None
    contact: Contact | None
    order: Order | None
    order_status: OrderStatus | None
    order_channel: str | None
    first_response_due_at: datetime | None
    resolution_due_at: datetime | None
    first_responded_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    customer: Customer | None
    customer_kind: CustomerKind | None
    customer_tier: CustomerTier | None
    customer_status: CustomerStatus | None
    customer_source: str | None
    customer_industry: str | None
    customer_city: str | None
    customer_region: str | None
    customer_country: str | None
    customer_rfm_segment: RfmSegment | None
    customer_churn_state: ChurnState | None
    customer_owner: User | None
    customer_owner_team: Team | None


@strawberry.type
class TicketSum:
    """The sums of a group, 0 where there is nothing to add."""

    satisfaction: float


@strawberry.type
class TicketAverage:
    """The averages of a group, of the values that are there; null where none is."""

    satisfaction: float | None


@strawberry.type
class TicketExtremes:
    """The least or the greatest values of a group; null where none is there."""

    satisfaction: int | None
    first_response_due_at: datetime | None
    resolution_due_at: datetime | None
    first_responded_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


@strawberry.type
class TicketCountDistinct:
    """How many different values there are in a group."""

    customer: int
    contact: int
    order: int
    assignee: int
    assignee_team: int
    category: int
    customer_industry: int
    customer_city: int
    customer_region: int
    customer_country: int


@strawberry.type
class TicketGroup:
    """The tickets that have the key in common: how many, and what is worked out of them."""

    key: TicketGroupKey
    count: int
    sum: TicketSum
    average: TicketAverage
    min: TicketExtremes
    max: TicketExtremes
    count_distinct: TicketCountDistinct


@strawberry.type
class TicketAggregate:
    """Tickets by groups. totalGroups counts those too that are not listed, and only when it is asked for."""

    groups: list[TicketGroup]
    total_groups: int


@strawberry.input
class TicketNumbersHaving:
    """Conditions on sums or averages, before they are rounded."""

    satisfaction: DecimalFilter | None = UNSET


@strawberry.input
class TicketExtremesHaving:
    """Conditions on least or greatest values."""

    satisfaction: IntFilter | None = UNSET
    first_response_due_at: DateTimeFilter | None = UNSET
    resolution_due_at: DateTimeFilter | None = UNSET
    first_responded_at: DateTimeFilter | None = UNSET
    resolved_at: DateTimeFilter | None = UNSET
    closed_at: DateTimeFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET


@strawberry.input
class TicketCountDistinctHaving:
    """Conditions on how many different values there are."""

    customer: IntFilter | None = UNSET
    contact: IntFilter | None = UNSET
    order: IntFilter | None = UNSET
    assignee: IntFilter | None = UNSET
    assignee_team: IntFilter | None = UNSET
    category: IntFilter | None = UNSET
    customer_industry: IntFilter | None = UNSET
    customer_city: IntFilter | None = UNSET
    customer_region: IntFilter | None = UNSET
    customer_country: IntFilter | None = UNSET


@strawberry.input
class TicketHaving:
    """Which groups are answered: all members must hold."""

    and_: list["TicketHaving"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["TicketHaving"] | None = strawberry.field(name="or", default=UNSET)
    not_: "TicketHaving | None" = strawberry.field(name="not", default=UNSET)
    count: IntFilter | None = UNSET
    sum: TicketNumbersHaving | None = UNSET
    average: TicketNumbersHaving | None = UNSET
    min: TicketExtremesHaving | None = UNSET
    max: TicketExtremesHaving | None = UNSET
    count_distinct: TicketCountDistinctHaving | None = UNSET


@strawberry.input
class TicketKeyOrder:
    """An order by one thing that the groups are by."""

    kind: OrderDirection | None = UNSET
    category: OrderDirection | None = UNSET
    priority: OrderDirection | None = UNSET
    status: OrderDirection | None = UNSET
    channel: OrderDirection | None = UNSET
    is_overdue: OrderDirection | None = UNSET
    satisfaction: OrderDirection | None = UNSET
    assignee: OrderDirection | None = UNSET
    assignee_team: OrderDirection | None = UNSET
    assigned_by: OrderDirection | None = UNSET
    contact: OrderDirection | None = UNSET
    order: OrderDirection | None = UNSET
    order_status: OrderDirection | None = UNSET
    order_channel: OrderDirection | None = UNSET
    first_response_due_at: OrderDirection | None = UNSET
    resolution_due_at: OrderDirection | None = UNSET
    first_responded_at: OrderDirection | None = UNSET
    resolved_at: OrderDirection | None = UNSET
    closed_at: OrderDirection | None = UNSET
    created_at: OrderDirection | None = UNSET
    updated_at: OrderDirection | None = UNSET
    customer: OrderDirection | None = UNSET
    customer_kind: OrderDirection | None = UNSET
    customer_tier: OrderDirection | None = UNSET
    customer_status: OrderDirection | None = UNSET
    customer_source: OrderDirection | None = UNSET
    customer_industry: OrderDirection | None = UNSET
    customer_city: OrderDirection | None = UNSET
    customer_region: OrderDirection | None = UNSET
    customer_country: OrderDirection | None = UNSET
    customer_rfm_segment: OrderDirection | None = UNSET
    customer_churn_state: OrderDirection | None = UNSET
    customer_owner: OrderDirection | None = UNSET
    customer_owner_team: OrderDirection | None = UNSET


@strawberry.input
class TicketNumbersOrder:
    """An order by one sum or average."""

    satisfaction: OrderDirection | None = UNSET


@strawberry.input
class TicketExtremesOrder:
    """An order by one least or greatest value."""

    satisfaction: OrderDirection | None = UNSET
    first_response_due_at: OrderDirection | None = UNSET
    resolution_due_at: OrderDirection | None = UNSET
    first_responded_at: OrderDirection | None = UNSET
    resolved_at: OrderDirection | None = UNSET
    closed_at: OrderDirection | None = UNSET
    created_at: OrderDirection | None = UNSET
    updated_at: OrderDirection | None = UNSET


@strawberry.input
class TicketCountDistinctOrder:
    """An order by how many different values there are."""

    customer: OrderDirection | None = UNSET
    contact: OrderDirection | None = UNSET
    order: OrderDirection | None = UNSET
    assignee: OrderDirection | None = UNSET
    assignee_team: OrderDirection | None = UNSET
    category: OrderDirection | None = UNSET
    customer_industry: OrderDirection | None = UNSET
    customer_city: OrderDirection | None = UNSET
    customer_region: OrderDirection | None = UNSET
    customer_country: OrderDirection | None = UNSET


@strawberry.input
class TicketGroupOrder:
    """One term of an order, with one member alone; NULLs come last in either direction."""

    key: TicketKeyOrder | None = UNSET
    count: OrderDirection | None = UNSET
    sum: TicketNumbersOrder | None = UNSET
    average: TicketNumbersOrder | None = UNSET
    min: TicketExtremesOrder | None = UNSET
    max: TicketExtremesOrder | None = UNSET
    count_distinct: TicketCountDistinctOrder | None = UNSET
