"""Products in the API."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry
from strawberry import UNSET

from schema.types.common import ExternalRef, Money, Node, OrderDirection, PageInfo
from schema.types.filters import BooleanFilter, DateTimeFilter, ExternalRefFilter, IDFilter, MoneyFilter, StringFilter
from schema.types.history import HistoryRef, events


@strawberry.type
class Product(Node):
    """Something that the shop sells, at its present price."""

    sku: str
    name: str
    category: str | None
    price: Money
    active: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int
    external_refs: list[ExternalRef]
    history: HistoryRef = strawberry.field(resolver=events)


@strawberry.type
class ProductEdge:
    """A row and its place in the order."""

    cursor: str
    node: Product


@strawberry.type
class ProductConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[ProductEdge]
    nodes: list[Product]
    page_info: PageInfo
    total_count: int


@strawberry.enum
class ProductOrderField(Enum):
    """What a list can be ordered by."""

    CREATED_AT = "created_at"
    NAME = "name"
    SKU = "sku"
    PRICE = "price"


@strawberry.input
class ProductOrder:
    """One term of an order; NULLs come last in either direction."""

    field: ProductOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.input
class ProductFilter:
    """All members must hold."""

    and_: list[ProductFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[ProductFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: ProductFilter | None = strawberry.field(name="not", default=UNSET)
    id: IDFilter | None = UNSET
    is_null: bool | None = UNSET
    sku: StringFilter | None = UNSET
    name: StringFilter | None = UNSET
    category: StringFilter | None = UNSET
    price: MoneyFilter | None = UNSET
    active: BooleanFilter | None = UNSET
    external_refs: ExternalRefFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET
