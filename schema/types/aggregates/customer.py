"""Customers by groups, in the API."""

from datetime import datetime
from enum import Enum

import strawberry
from strawberry import UNSET

from schema.types.common import Money, OrderDirection
from schema.types.enums import ChurnState, CustomerKind, CustomerStatus, CustomerTier, RfmSegment, TimeBucket
from schema.types.filters import DateTimeFilter, DecimalFilter, IntFilter
from schema.types.team import Team
from schema.types.user import User


@strawberry.enum
class CustomerGroupField(Enum):
    """What customers can be grouped by."""

    KIND = "kind"
    TIER = "tier"
    STATUS = "status"
    SOURCE = "source"
    INDUSTRY = "industry"
    CITY = "city"
    REGION = "region"
    COUNTRY = "country"
    OWNER = "owner"
    OWNER_TEAM = "owner_team"
    RFM_SEGMENT = "rfm_segment"
    CHURN_STATE = "churn_state"
    ORDER_COUNT = "order_count"
    LAST_ORDER_AT = "last_order_at"
    EXPECTED_NEXT_ORDER_AT = "expected_next_order_at"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"


@strawberry.input
class CustomerGroupBy:
    """One thing that groups are by. Moments need a bucket, days may have one."""

    field: CustomerGroupField
    bucket: TimeBucket | None = UNSET


@strawberry.type
class CustomerGroupKey:
    """What the customers of a group have in common: null where that is nothing, where the caller may not see it, and
    where the groups are not by it. Times are the beginnings of their buckets."""

    kind: CustomerKind | None
    tier: CustomerTier | None
    status: CustomerStatus | None
    source: str | None
    industry: str | None
    city: str | None
    region: str | None
    country: str | None
    owner: User | None
    owner_team: Team | None
    rfm_segment: RfmSegment | None
    churn_state: ChurnState | None
    order_count: int | None
    last_order_at: datetime | None
    expected_next_order_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


@strawberry.type
class CustomerSum:
    """The sums of a group, 0 where there is nothing to add. Amounts are in the shop's currency."""

    revenue: Money
    order_count: float


@strawberry.type
class CustomerAverage:
    """The averages of a group, of the values that are there; null where none is."""

    revenue: Money | None
    order_count: float | None
    days_between_orders: float | None


@strawberry.type
class CustomerExtremes:
    """The least or the greatest values of a group; null where none is there."""

    revenue: Money | None
    order_count: int | None
    days_between_orders: float | None
    last_order_at: datetime | None
    expected_next_order_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


@strawberry.type
class CustomerCountDistinct:
    """How many different values there are in a group."""

    owner: int
    owner_team: int
    source: int
    industry: int
    city: int
    region: int
    country: int


@strawberry.type
class CustomerGroup:
    """The customers that have the key in common: how many, and what is worked out of them."""

    key: CustomerGroupKey
    count: int
    sum: CustomerSum
    average: CustomerAverage
    min: CustomerExtremes
    max: CustomerExtremes
    count_distinct: CustomerCountDistinct


@strawberry.type
class CustomerAggregate:
    """Customers by groups. totalGroups counts those too that are not listed, and only when it is asked for."""

    groups: list[CustomerGroup]
    total_groups: int


@strawberry.input
class CustomerSumHaving:
    """Conditions on sums, before they are rounded."""

    revenue: DecimalFilter | None = UNSET
    order_count: DecimalFilter | None = UNSET


@strawberry.input
class CustomerAverageHaving:
    """Conditions on averages, before they are rounded."""

    revenue: DecimalFilter | None = UNSET
    order_count: DecimalFilter | None = UNSET
    days_between_orders: DecimalFilter | None = UNSET


@strawberry.input
class CustomerExtremesHaving:
    """Conditions on least or greatest values."""

    revenue: DecimalFilter | None = UNSET
    order_count: IntFilter | None = UNSET
    days_between_orders: DecimalFilter | None = UNSET
    last_order_at: DateTimeFilter | None = UNSET
    expected_next_order_at: DateTimeFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET


@strawberry.input
class CustomerCountDistinctHaving:
    """Conditions on how many different values there are."""

    owner: IntFilter | None = UNSET
    owner_team: IntFilter | None = UNSET
    source: IntFilter | None = UNSET
    industry: IntFilter | None = UNSET
    city: IntFilter | None = UNSET
    region: IntFilter | None = UNSET
    country: IntFilter | None = UNSET


@strawberry.input
class CustomerHaving:
    """Which groups are answered: all members must hold."""

    and_: list["CustomerHaving"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["CustomerHaving"] | None = strawberry.field(name="or", default=UNSET)
    not_: "CustomerHaving | None" = strawberry.field(name="not", default=UNSET)
    count: IntFilter | None = UNSET
    sum: CustomerSumHaving | None = UNSET
    average: CustomerAverageHaving | None = UNSET
    min: CustomerExtremesHaving | None = UNSET
    max: CustomerExtremesHaving | None = UNSET
    count_distinct: CustomerCountDistinctHaving | None = UNSET


@strawberry.input
class CustomerKeyOrder:
    """An order by one thing that the groups are by."""

    kind: OrderDirection | None = UNSET
    tier: OrderDirection | None = UNSET
    status: OrderDirection | None = UNSET
    source: OrderDirection | None = UNSET
    industry: OrderDirection | None = UNSET
    city: OrderDirection | None = UNSET
    region: OrderDirection | None = UNSET
    country: OrderDirection | None = UNSET
    owner: OrderDirection | None = UNSET
    owner_team: OrderDirection | None = UNSET
    rfm_segment: OrderDirection | None = UNSET
    churn_state: OrderDirection | None = UNSET
    order_count: OrderDirection | None = UNSET
    last_order_at: OrderDirection | None = UNSET
    expected_next_order_at: OrderDirection | None = UNSET
    created_at: OrderDirection | None = UNSET
    updated_at: OrderDirection | None = UNSET


@strawberry.input
class CustomerSumOrder:
    """An order by one sum."""

    revenue: OrderDirection | None = UNSET
    order_count: OrderDirection | None = UNSET


@strawberry.input
class CustomerAverageOrder:
    """An order by one average."""

    revenue: OrderDirection | None = UNSET
    order_count: OrderDirection | None = UNSET
    days_between_orders: OrderDirection | None = UNSET


@strawberry.input
class CustomerExtremesOrder:
    """An order by one least or greatest value."""

    revenue: OrderDirection | None = UNSET
    order_count: OrderDirection | None = UNSET
    days_between_orders: OrderDirection | None = UNSET
    last_order_at: OrderDirection | None = UNSET
    expected_next_order_at: OrderDirection | None = UNSET
    created_at: OrderDirection | None = UNSET
    updated_at: OrderDirection | None = UNSET


@strawberry.input
class CustomerCountDistinctOrder:
    """An order by how many different values there are."""

    owner: OrderDirection | None = UNSET
    owner_team: OrderDirection | None = UNSET
    source: OrderDirection | None = UNSET
    industry: OrderDirection | None = UNSET
    city: OrderDirection | None = UNSET
    region: OrderDirection | None = UNSET
    country: OrderDirection | None = UNSET


@strawberry.input
class CustomerGroupOrder:
    """One term of an order, with one member alone; NULLs come last in either direction."""

    key: CustomerKeyOrder | None = UNSET
    count: OrderDirection | None = UNSET
    sum: CustomerSumOrder | None = UNSET
    average: CustomerAverageOrder | None = UNSET
    min: CustomerExtremesOrder | None = UNSET
    max: CustomerExtremesOrder | None = UNSET
    count_distinct: CustomerCountDistinctOrder | None = UNSET
