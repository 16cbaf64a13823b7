"""Opportunities by groups, in the API."""

from datetime import date, datetime
from enum import Enum

import strawberry
from strawberry import UNSET

from schema.types.common import Money, OrderDirection
from schema.types.contact import Contact
from schema.types.customer import Customer
from schema.types.enums import ChurnState, CustomerKind, CustomerStatus, CustomerTier, RfmSegment, StageKind, TimeBucket
from schema.types.filters import DateFilter, DateTimeFilter, DecimalFilter, IntFilter
from schema.types.product import Product
from schema.types.stage import Stage
from schema.types.team import Team
from schema.types.user import User


@strawberry.enum
class OpportunityGroupField(Enum):
    """What opportunities can be grouped by."""

    STAGE = "stage"
    STAGE_KIND = "stage_kind"
    OWNER = "owner"
    OWNER_TEAM = "owner_team"
    PRODUCT = "product"
    PRODUCT_CATEGORY = "product_category"
    CONTACT = "contact"
    CURRENCY = "currency"
    PROBABILITY = "probability"
    IS_ROTTING = "is_rotting"
    LOSS_REASON = "loss_reason"
    EXPECTED_CLOSE_ON = "expected_close_on"
    OPENED_AT = "opened_at"
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
class OpportunityGroupBy:
    """One thing that groups are by. Moments need a bucket, days may have one."""

    field: OpportunityGroupField
    bucket: TimeBucket | None = UNSET


@strawberry.type
class OpportunityGroupKey:
    """What the opportunities of a group have in common: null where that is nothing, where the caller may not see it,
    and where the groups are not by it. Times are the beginnings of their buckets."""

    stage: Stage | None
    stage_kind: StageKind | None
    owner: User | None
    owner_team: Team | None
    product: Product | None
    product_category: str | None
    contact: Contact | None
    currency: str | None
    probability: int | None
    is_rotting: bool | None
    loss_reason: str | None
    expected_close_on: date | None
    opened_at: datetime | None
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
class OpportunitySum:
    """The sums of a group, 0 where there is nothing to add. Amounts are in the shop's currency."""

    amount: Money
    weighted_amount: Money
    probability: float


@strawberry.type
class OpportunityAverage:
    """The averages of a group, of the values that are there; null where none is."""

    amount: Money | None
    weighted_amount: Money | None
    probability: float | None


@strawberry.type
class OpportunityExtremes:
    """The least or the greatest values of a group; null where none is there."""

    amount: Money | None
    weighted_amount: Money | None
    probability: int | None
    expected_close_on: date | None
    opened_at: datetime | None
    closed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None


@strawberry.type
class OpportunityCountDistinct:
    """How many different values there are in a group."""

    customer: int
    contact: int
    owner: int
    owner_team: int
    product: int
    product_category: int
    stage: int
    currency: int
    loss_reason: int
    customer_industry: int
    customer_city: int
    customer_region: int
    customer_country: int


@strawberry.type
class OpportunityGroup:
    """The opportunities that have the key in common: how many, and what is worked out of them."""

    key: OpportunityGroupKey
    count: int
    sum: OpportunitySum
    average: OpportunityAverage
    min: OpportunityExtremes
    max: OpportunityExtremes
    count_distinct: OpportunityCountDistinct


@strawberry.type
class OpportunityAggregate:
    """Opportunities by groups. totalGroups counts those too that are not listed, and only when it is asked for."""

    groups: list[OpportunityGroup]
    total_groups: int


@strawberry.input
class OpportunityNumbersHaving:
    """Conditions on sums or averages, before they are rounded."""

    amount: DecimalFilter | None = UNSET
    weighted_amount: DecimalFilter | None = UNSET
    probability: DecimalFilter | None = UNSET


@strawberry.input
class OpportunityExtremesHaving:
    """Conditions on least or greatest values."""

    amount: DecimalFilter | None = UNSET
    weighted_amount: DecimalFilter | None = UNSET
    probability: IntFilter | None = UNSET
    expected_close_on: DateFilter | None = UNSET
    opened_at: DateTimeFilter | None = UNSET
    closed_at: DateTimeFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET


@strawberry.input
class OpportunityCountDistinctHaving:
    """Conditions on how many different values there are."""

    customer: IntFilter | None = UNSET
    contact: IntFilter | None = UNSET
    owner: IntFilter | None = UNSET
    owner_team: IntFilter | None = UNSET
    product: IntFilter | None = UNSET
    product_category: IntFilter | None = UNSET
    stage: IntFilter | None = UNSET
    currency: IntFilter | None = UNSET
    loss_reason: IntFilter | None = UNSET
    customer_industry: IntFilter | None = UNSET
    customer_city: IntFilter | None = UNSET
    customer_region: IntFilter | None = UNSET
    customer_country: IntFilter | None = UNSET


@strawberry.input
class OpportunityHaving:
    """Which groups are answered: all members must hold."""

    and_: list["OpportunityHaving"] | None = strawberry.field(name="and", default=UNSET)
    or_: list["OpportunityHaving"] | None = strawberry.field(name="or", default=UNSET)
    not_: "OpportunityHaving | None" = strawberry.field(name="not", default=UNSET)
    count: IntFilter | None = UNSET
    sum: OpportunityNumbersHaving | None = UNSET
    average: OpportunityNumbersHaving | None = UNSET
    min: OpportunityExtremesHaving | None = UNSET
    max: OpportunityExtremesHaving | None = UNSET
    count_distinct: OpportunityCountDistinctHaving | None = UNSET


@strawberry.input
class OpportunityKeyOrder:
    """An order by one thing that the groups are by."""

    stage: OrderDirection | None = UNSET
    stage_kind: OrderDirection | None = UNSET
    owner: OrderDirection | None = UNSET
    owner_team: OrderDirection | None = UNSET
    product: OrderDirection | None = UNSET
    product_category: OrderDirection | None = UNSET
    contact: OrderDirection | None = UNSET
    currency: OrderDirection | None = UNSET
    probability: OrderDirection | None = UNSET
    is_rotting: OrderDirection | None = UNSET
    loss_reason: OrderDirection | None = UNSET
    expected_close_on: OrderDirection | None = UNSET
    opened_at: OrderDirection | None = UNSET
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
class OpportunityNumbersOrder:
    """An order by one sum or average."""

    amount: OrderDirection | None = UNSET
    weighted_amount: OrderDirection | None = UNSET
    probability: OrderDirection | None = UNSET


@strawberry.input
class OpportunityExtremesOrder:
    """An order by one least or greatest value."""

    amount: OrderDirection | None = UNSET
    weighted_amount: OrderDirection | None = UNSET
    probability: OrderDirection | None = UNSET
    expected_close_on: OrderDirection | None = UNSET
    opened_at: OrderDirection | None = UNSET
    closed_at: OrderDirection | None = UNSET
    created_at: OrderDirection | None = UNSET
    updated_at: OrderDirection | None = UNSET


@strawberry.input
class OpportunityCountDistinctOrder:
    """An order by how many different values there are."""

    customer: OrderDirection | None = UNSET
    contact: OrderDirection | None = UNSET
    owner: OrderDirection | None = UNSET
    owner_team: OrderDirection | None = UNSET
    product: OrderDirection | None = UNSET
    product_category: OrderDirection | None = UNSET
    stage: OrderDirection | None = UNSET
    currency: OrderDirection | None = UNSET
    loss_reason: OrderDirection | None = UNSET
    customer_industry: OrderDirection | None = UNSET
    customer_city: OrderDirection | None = UNSET
    customer_region: OrderDirection | None = UNSET
    customer_country: OrderDirection | None = UNSET


@strawberry.input
class OpportunityGroupOrder:
    """One term of an order, with one member alone; NULLs come last in either direction."""

    key: OpportunityKeyOrder | None = UNSET
    count: OrderDirection | None = UNSET
    sum: OpportunityNumbersOrder | None = UNSET
    average: OpportunityNumbersOrder | None = UNSET
    min: OpportunityExtremesOrder | None = UNSET
    max: OpportunityExtremesOrder | None = UNSET
    count_distinct: OpportunityCountDistinctOrder | None = UNSET
