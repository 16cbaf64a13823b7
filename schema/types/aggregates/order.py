"""Orders by groups, in the API."""

from datetime import datetime
from enum import Enum

import strawberry
from strawberry import UNSET

from schema.types.common import Money, OrderDirection
from schema.types.customer import Customer
from schema.types.enums import (
    ChurnState,
    CustomerKind,
    CustomerStatus,
    CustomerTier,
    OrderStatus,
    RfmSegment,
    TimeBucket,
)
from schema.types.filters import DateTimeFilter, DecimalFilter, IntFilter
from schema.types.opportunity import Opportunity
from schema.types.product import Product
from schema.types.stage import Stage
from schema.types.team import Team
from schema.types.user import User


@strawberry.enum
class OrderGroupField(Enum):
    """What orders can be grouped by."""

    STATUS = "status"
    CHANNEL = "channel"
    CURRENCY = "currency"
    PLACED_AT = "placed_at"
    PAID_AT = "paid_at"
    SHIPPED_AT = "shipped_at"
    DELIVERED_AT = "delivered_at"
    COMPLETED_AT = "completed_at"
    CANCELLED_AT = "cancelled_at"
    REFUNDED_AT = "refunded_at"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    OPPORTUNITY = "opportunity"
    OPPORTUNITY_OWNER = "opportunity_owner"
    OPPORTUNITY_STAGE = "opportunity_stage"
    OPPORTUNITY_PRODUCT = "opportunity_product"
    OPPORTUNITY_PRODUCT_CATEGORY = "opportunity_product_category"
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
class OrderGroupBy:
    """One thing that groups are by. Moments need a bucket, days may have one."""

    field: OrderGroupField
    bucket: TimeBucket | None = UNSET


@strawberry.type
class OrderGroupKey:
    """What the orders of a group have in common: null where that is nothing, where the caller may not see it, and
    where the groups are not by it. Times are the beginnings of their buckets."""

    status: OrderStatus | None
    channel: str | None
    currency: str | None
    placed_at: datetime | None
    paid_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    refunded_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    opportunity: Opportunity | None
    opportunity_owner: User | None
    opportunity_stage: Stage | None
    opportunity_product: Product | None
    opportunity_product_category: str | None
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
class OrderSum:
    """The sums of a group, 0 where there is nothing to add. Amounts are in the shop's currency."""

    subtotal: Money
    discount: Money
    shipping_fee: Money
    total: Money


@strawberry.type
class OrderAverage:
    """The averages of a group, of the values that are there; null where none is."""

    subtotal: Money | None
    discount: Money | None
    shipping_fee: Money | None
    total: Money | None


@strawberry.type
class OrderExtremes:
    """The least or the greatest values of a group; null where none is there."""

    subtotal: Money | None
    discount: Money | None
    shipping_fee: Money | None
    total: Money | None
    placed_at: datetime | None
    paid_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    refunded_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


@strawberry.type
class OrderCountDistinct:
    """How many different values there are in a group."""

    customer: int
    opportunity: int
    channel: int
    currency: int
    customer_owner: int
    customer_owner_team: int
    customer_industry: int
    customer_city: int
    customer_region: int
    customer_country: int


@strawberry.type
class OrderGroup:
    """The orders that have the key in common: how many, and what is worked out of them."""

    key: OrderGroupKey
    count: int
    sum: OrderSum
    average: OrderAverage
    min: OrderExtremes
    max: OrderExtremes
    count_distinct: OrderCountDistinct


@strawberry.type
class OrderAggregate:
    """Orders by groups. totalGroups counts those too that are not listed, and only when it is asked for."""

    groups: list[OrderGroup]
    total_groups: int


@strawberry.input
class OrderNumbersHaving:
    """Conditions on sums or averages, before they are rounded."""

    subtotal: DecimalFilter | None = UNSET
    discount: DecimalFilter | None = UNSET
    shipping_fee: DecimalFilter | None = UNSET
    total: DecimalFilter | None = UNSET


@strawberry.input
class OrderExtremesHaving:
    """Conditions on least or greatest values."""

    subtotal: DecimalFilter | None = UNSET
    discount: DecimalFilter | None = UNSET
    shipping_fee: DecimalFilter | None = UNSET
    total: DecimalFilter | None = UNSET
    placed_at: DateTimeFilter | None = UNSET
    paid_at: DateTimeFilter | None = UNSET
    shipped_at: DateTimeFilter | None = UNSET
    delivered_at: DateTimeFilter | None = UNSET
    completed_at: DateTimeFilter | None = UNSET
    cancelled_at: DateTimeFilter | None = UNSET
    refunded_at: DateTimeFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET


@strawberry.input
class OrderCountDistinctHaving:
    """Conditions on how many different values there are."""

    customer: IntFilter | None = UNSET
    opportunity: IntFilter | None = UNSET
    channel: IntFilter | None = UNSET
    currency: IntFilter | None = UNSET
    customer_owner: IntFilter | None = UNSET
    customer_owner_team: IntFilter | None = UNSET
    customer_industry: IntFilter | None = UNSET
    customer_city: IntFilter | None = UNSET
    customer_region: IntFilter | None = UNSET
    customer_country: IntFilter | None = UNSET


@strawberry.input
class OrderHaving:
    """Which groups are answered: all members must hold."""

    and_: list["OrderHaving"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["OrderHaving"] | None = strawberry.field(name="or", default=UNSET)
    not_: "OrderHaving | None" = strawberry.field(name="not", default=UNSET)
    count: IntFilter | None = UNSET
    sum: OrderNumbersHaving | None = UNSET
    average: OrderNumbersHaving | None = UNSET
    min: OrderExtremesHaving | None = UNSET
    max: OrderExtremesHaving | None = UNSET
    count_distinct: OrderCountDistinctHaving | None = UNSET


@strawberry.input
class OrderKeyOrder:
    """An order by one thing that the groups are by."""

    status: OrderDirection | None = UNSET
    channel: OrderDirection | None = UNSET
    currency: OrderDirection | None = UNSET
    placed_at: OrderDirection | None = UNSET
    paid_at: OrderDirection | None = UNSET
    shipped_at: OrderDirection | None = UNSET
    delivered_at: OrderDirection | None = UNSET
    completed_at: OrderDirection | None = UNSET
    cancelled_at: OrderDirection | None = UNSET
    refunded_at: OrderDirection | None = UNSET
    created_at: OrderDirection | None = UNSET
    updated_at: OrderDirection | None = UNSET
    opportunity: OrderDirection | None = UNSET
    opportunity_owner: OrderDirection | None = UNSET
    opportunity_stage: OrderDirection | None = UNSET
    opportunity_product: OrderDirection | None = UNSET
    opportunity_product_category: OrderDirection | None = UNSET
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
class OrderNumbersOrder:
    """An order by one sum or average."""

    subtotal: OrderDirection | None = UNSET
    discount: OrderDirection | None = UNSET
    shipping_fee: OrderDirection | None = UNSET
    total: OrderDirection | None = UNSET


@strawberry.input
class OrderExtremesOrder:
    """An order by one least or greatest value."""

    subtotal: OrderDirection | None = UNSET
    discount: OrderDirection | None = UNSET
    shipping_fee: OrderDirection | None = UNSET
    total: OrderDirection | None = UNSET
    placed_at: OrderDirection | None = UNSET
    paid_at: OrderDirection | None = UNSET
    shipped_at: OrderDirection | None = UNSET
    delivered_at: OrderDirection | None = UNSET
    completed_at: OrderDirection | None = UNSET
    cancelled_at: OrderDirection | None = UNSET
    refunded_at: OrderDirection | None = UNSET
    created_at: OrderDirection | None = UNSET
    updated_at: OrderDirection | None = UNSET


@strawberry.input
class OrderCountDistinctOrder:
    """An order by how many different values there are."""

    customer: OrderDirection | None = UNSET
    opportunity: OrderDirection | None = UNSET
    channel: OrderDirection | None = UNSET
    currency: OrderDirection | None = UNSET
    customer_owner: OrderDirection | None = UNSET
    customer_owner_team: OrderDirection | None = UNSET
    customer_industry: OrderDirection | None = UNSET
    customer_city: OrderDirection | None = UNSET
    customer_region: OrderDirection | None = UNSET
    customer_country: OrderDirection | None = UNSET


@strawberry.input
class OrderGroupOrder:
    """One term of an order, with one member alone; NULLs come last in either direction."""

    key: OrderKeyOrder | None = UNSET
    count: OrderDirection | None = UNSET
    sum: OrderNumbersOrder | None = UNSET
    average: OrderNumbersOrder | None = UNSET
    min: OrderExtremesOrder | None = UNSET
    max: OrderExtremesOrder | None = UNSET
    count_distinct: OrderCountDistinctOrder | None = UNSET
