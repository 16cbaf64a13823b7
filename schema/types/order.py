"""Orders in the API."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from schema.types.common import ExternalRef, Money, Node, OrderDirection, PageInfo
from schema.types.enums import OrderStatus
from schema.types.filters import (
    DateTimeFilter,
    ExternalRefFilter,
    IDFilter,
    IntFilter,
    MoneyFilter,
    OrderStatusFilter,
    StringFilter,
)
from schema.types.history import HistoryRef, events
from schema.types.viewer_can import viewer_can

if TYPE_CHECKING:
    from schema.types.customer import Customer, CustomerFilter
    from schema.types.opportunity import Opportunity, OpportunityFilter
    from schema.types.product import Product, ProductFilter
    from schema.types.user import User

# The types refer to one another in circles; Strawberry resolves these names when the schema is built.
CustomerRef = Annotated["Customer", strawberry.lazy("schema.types.customer")]
CustomerFilterRef = Annotated["CustomerFilter", strawberry.lazy("schema.types.customer")]
OpportunityRef = Annotated["Opportunity", strawberry.lazy("schema.types.opportunity")]
OpportunityFilterRef = Annotated["OpportunityFilter", strawberry.lazy("schema.types.opportunity")]
ProductRef = Annotated["Product", strawberry.lazy("schema.types.product")]
ProductFilterRef = Annotated["ProductFilter", strawberry.lazy("schema.types.product")]
UserRef = Annotated["User", strawberry.lazy("schema.types.user")]


@strawberry.type
class Order(Node):
    """A sale."""

    number: str
    customer: CustomerRef
    opportunity: OpportunityRef | None
    status: OrderStatus
    channel: str | None
    subtotal: Money
    discount: Money
    shipping_fee: Money
    total: Money
    placed_at: datetime
    paid_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    refunded_at: datetime | None
    lines: list[OrderLine]
    status_changes: list[OrderStatusChange]
    created_at: datetime
    updated_at: datetime
    version: int
    external_refs: list[ExternalRef]
    history: HistoryRef = strawberry.field(resolver=events)
    viewer_can: bool = strawberry.field(resolver=viewer_can)


@strawberry.type
class OrderEdge:
    """A row and its place in the order."""

    cursor: str
    node: Order


@strawberry.type
class OrderConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[OrderEdge]
    nodes: list[Order]
    page_info: PageInfo
    total_count: int


@strawberry.enum
class OrderOrderField(Enum):
    """What a list can be ordered by."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    PLACED_AT = "placed_at"
    NUMBER = "number"
    TOTAL = "total"


@strawberry.input
class OrderOrder:
    """One term of an order; NULLs come last in either direction."""

    field: OrderOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type
class OrderLine:
    """So many of one thing at one price, as it was when ordered."""

    id: strawberry.ID
    product: ProductRef | None
    sku: str
    name: str
    quantity: int
    unit_price: Money
    total: Money


@strawberry.type
class OrderStatusChange:
    """One step of an order from state to state."""

    id: strawberry.ID
    from_status: OrderStatus | None
    to_status: OrderStatus
    changed_at: datetime
    changed_by: UserRef | None
    reason: str | None


@strawberry.input
class OrderFilter:
    """All members must hold."""

    and_: list[OrderFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[OrderFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: OrderFilter | None = strawberry.field(name="not", default=UNSET)
    id: IDFilter | None = UNSET
    is_null: bool | None = UNSET
    number: StringFilter | None = UNSET
    status: OrderStatusFilter | None = UNSET
    channel: StringFilter | None = UNSET
    total: MoneyFilter | None = UNSET
    placed_at: DateTimeFilter | None = UNSET
    paid_at: DateTimeFilter | None = UNSET
    shipped_at: DateTimeFilter | None = UNSET
    delivered_at: DateTimeFilter | None = UNSET
    external_refs: ExternalRefFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET
    customer: CustomerFilterRef | None = UNSET
    opportunity: OpportunityFilterRef | None = UNSET
    lines: OrderLineListFilter | None = UNSET


@strawberry.input
class OrderListFilter:
    """Looks only at rows that the caller may see."""

    some: OrderFilter | None = UNSET
    none: OrderFilter | None = UNSET


@strawberry.input
class OrderLineFilter:
    """All members must hold."""

    and_: list[OrderLineFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[OrderLineFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: OrderLineFilter | None = strawberry.field(name="not", default=UNSET)
    sku: StringFilter | None = UNSET
    name: StringFilter | None = UNSET
    quantity: IntFilter | None = UNSET
    unit_price: MoneyFilter | None = UNSET
    product: ProductFilterRef | None = UNSET


@strawberry.input
class OrderLineListFilter:
    """Looks only at rows that the caller may see."""

    some: OrderLineFilter | None = UNSET
    none: OrderLineFilter | None = UNSET
