"""Customers by groups, in the API."""

from datetime import datetime
from enum import Enum

import strawberry
from strawberry import UNSET

from schema.types.common import OrderDirection
from schema.types.enums import CustomerKind, CustomerStatus, CustomerTier, TimeBucket
from schema.types.filters import DateTimeFilter, IntFilter
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
    created_at: datetime | None
    updated_at: datetime | None


@strawberry.type
class CustomerExtremes:
    """The least or the greatest values of a group; null where none is there."""

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
    min: CustomerExtremes
    max: CustomerExtremes
    count_distinct: CustomerCountDistinct


@strawberry.type
class CustomerAggregate:
    """Customers by groups. totalGroups counts those too that are not listed, and only when it is asked for."""

    groups: list[CustomerGroup]
    total_groups: int


@strawberry.input
class CustomerExtremesHaving:
    """Conditions on least or greatest values."""

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
    created_at: OrderDirection | None = UNSET
    updated_at: OrderDirection | None = UNSET


@strawberry.input
class CustomerExtremesOrder:
    """An order by one least or greatest value."""

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
    min: CustomerExtremesOrder | None = UNSET
    max: CustomerExtremesOrder | None = UNSET
    count_distinct: CustomerCountDistinctOrder | None = UNSET
