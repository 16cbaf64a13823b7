"""Filters on single values. Operators in one filter must all hold; with NULL only ne and notIn hold."""

from datetime import date, datetime
from decimal import Decimal

import strawberry
from strawberry import UNSET

from schema.types.enums import (
    ChurnState,
    CustomerKind,
    CustomerStatus,
    CustomerTier,
    OrderStatus,
    RfmSegment,
    StageKind,
    TicketChannel,
    TicketKind,
    TicketPriority,
    TicketStatus,
)


@strawberry.input
class IDFilter:
    """A filter on one value."""

    eq: strawberry.ID | None = UNSET
    ne: strawberry.ID | None = UNSET
    in_: list[strawberry.ID] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[strawberry.ID] | None = UNSET


@strawberry.input
class StringFilter:
    """A filter on one value."""

    eq: str | None = UNSET
    ne: str | None = UNSET
    in_: list[str] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[str] | None = UNSET
    contains: str | None = UNSET
    starts_with: str | None = UNSET
    ends_with: str | None = UNSET
    is_null: bool | None = UNSET


@strawberry.input
class StringListFilter:
    """A filter on one value."""

    has: str | None = UNSET
    has_any: list[str] | None = UNSET
    has_all: list[str] | None = UNSET
    is_empty: bool | None = UNSET


@strawberry.input
class BooleanFilter:
    """A filter on one value."""

    eq: bool | None = UNSET
    is_null: bool | None = UNSET


@strawberry.input
class IntFilter:
    """A filter on one value."""

    eq: int | None = UNSET
    ne: int | None = UNSET
    in_: list[int] | None = strawberry.field(name="in", default=UNSET)
    lt: int | None = UNSET
    lte: int | None = UNSET
    gt: int | None = UNSET
    gte: int | None = UNSET
    is_null: bool | None = UNSET


@strawberry.input
class DecimalFilter:
    """A filter on one value."""

    eq: Decimal | None = UNSET
    ne: Decimal | None = UNSET
    in_: list[Decimal] | None = strawberry.field(name="in", default=UNSET)
    lt: Decimal | None = UNSET
    lte: Decimal | None = UNSET
    gt: Decimal | None = UNSET
    gte: Decimal | None = UNSET
    is_null: bool | None = UNSET


@strawberry.input
class DateFilter:
    """A filter on one value."""

    eq: date | None = UNSET
    ne: date | None = UNSET
    in_: list[date] | None = strawberry.field(name="in", default=UNSET)
    lt: date | None = UNSET
    lte: date | None = UNSET
    gt: date | None = UNSET
    gte: date | None = UNSET
    is_null: bool | None = UNSET


@strawberry.input
class DateTimeFilter:
    """A filter on one value."""

    eq: datetime | None = UNSET
    ne: datetime | None = UNSET
    in_: list[datetime] | None = strawberry.field(name="in", default=UNSET)
    lt: datetime | None = UNSET
    lte: datetime | None = UNSET
    gt: datetime | None = UNSET
    gte: datetime | None = UNSET
    is_null: bool | None = UNSET


@strawberry.input
class CustomerKindFilter:
    """A filter on one value."""

    eq: CustomerKind | None = UNSET
    ne: CustomerKind | None = UNSET
    in_: list[CustomerKind] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[CustomerKind] | None = UNSET


@strawberry.input
class CustomerTierFilter:
    """A filter on one value."""

    eq: CustomerTier | None = UNSET
    ne: CustomerTier | None = UNSET
    in_: list[CustomerTier] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[CustomerTier] | None = UNSET


@strawberry.input
class CustomerStatusFilter:
    """A filter on one value."""

    eq: CustomerStatus | None = UNSET
    ne: CustomerStatus | None = UNSET
    in_: list[CustomerStatus] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[CustomerStatus] | None = UNSET


@strawberry.input
class StageKindFilter:
    """A filter on one value."""

    eq: StageKind | None = UNSET
    ne: StageKind | None = UNSET
    in_: list[StageKind] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[StageKind] | None = UNSET


@strawberry.input
class OrderStatusFilter:
    """A filter on one value."""

    eq: OrderStatus | None = UNSET
    ne: OrderStatus | None = UNSET
    in_: list[OrderStatus] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[OrderStatus] | None = UNSET


@strawberry.input
class TicketStatusFilter:
    """A filter on one value."""

    eq: TicketStatus | None = UNSET
    ne: TicketStatus | None = UNSET
    in_: list[TicketStatus] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[TicketStatus] | None = UNSET


@strawberry.input
class TicketPriorityFilter:
    """A filter on one value."""

    eq: TicketPriority | None = UNSET
    ne: TicketPriority | None = UNSET
    in_: list[TicketPriority] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[TicketPriority] | None = UNSET


@strawberry.input
class TicketKindFilter:
    """A filter on one value."""

    eq: TicketKind | None = UNSET
    ne: TicketKind | None = UNSET
    in_: list[TicketKind] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[TicketKind] | None = UNSET


@strawberry.input
class TicketChannelFilter:
    """A filter on one value."""

    eq: TicketChannel | None = UNSET
    ne: TicketChannel | None = UNSET
    in_: list[TicketChannel] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[TicketChannel] | None = UNSET


@strawberry.input
class RfmSegmentFilter:
    """A filter on one value."""

    eq: RfmSegment | None = UNSET
    ne: RfmSegment | None = UNSET
    in_: list[RfmSegment] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[RfmSegment] | None = UNSET


@strawberry.input
class ChurnStateFilter:
    """A filter on one value."""

    eq: ChurnState | None = UNSET
    ne: ChurnState | None = UNSET
    in_: list[ChurnState] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[ChurnState] | None = UNSET


@strawberry.input
class ExternalRefFilter:
    """A filter on one value."""

    system: str
    id: StringFilter | None = UNSET


@strawberry.input
class MoneyFilter:
    """A filter on one value."""

    amount: DecimalFilter | None = UNSET
    currency: StringFilter | None = UNSET
