"""Contacts in the API."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from schema.types.common import ExternalRef, Node, OrderDirection, PageInfo
from schema.types.filters import BooleanFilter, DateFilter, DateTimeFilter, IDFilter, StringFilter
from schema.types.history import HistoryRef, events
from schema.types.viewer_can import viewer_can

if TYPE_CHECKING:
    from schema.types.customer import Customer, CustomerFilter

# The types refer to one another in circles; Strawberry resolves these names when the schema is built.
CustomerRef = Annotated["Customer", strawberry.lazy("schema.types.customer")]
CustomerFilterRef = Annotated["CustomerFilter", strawberry.lazy("schema.types.customer")]


@strawberry.type
class Contact(Node):
    """A person at a customer."""

    customer: CustomerRef
    first_name: str
    last_name: str
    full_name: str
    title: str | None
    email: str | None
    phone: str | None
    is_primary: bool
    birthday: date | None
    notes: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int
    external_refs: list[ExternalRef]
    history: HistoryRef = strawberry.field(resolver=events)
    viewer_can: bool = strawberry.field(resolver=viewer_can)


@strawberry.type
class ContactEdge:
    """A row and its place in the order."""

    cursor: str
    node: Contact


@strawberry.type
class ContactConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[ContactEdge]
    nodes: list[Contact]
    page_info: PageInfo
    total_count: int


@strawberry.enum
class ContactOrderField(Enum):
    """What a list can be ordered by."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"


@strawberry.input
class ContactOrder:
    """One term of an order; NULLs come last in either direction."""

    field: ContactOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.input
class ContactFilter:
    """All members must hold."""

    and_: list[ContactFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[ContactFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: ContactFilter | None = strawberry.field(name="not", default=UNSET)
    id: IDFilter | None = UNSET
    is_null: bool | None = UNSET
    first_name: StringFilter | None = UNSET
    last_name: StringFilter | None = UNSET
    title: StringFilter | None = UNSET
    email: StringFilter | None = UNSET
    phone: StringFilter | None = UNSET
    is_primary: BooleanFilter | None = UNSET
    birthday: DateFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET
    customer: CustomerFilterRef | None = UNSET


@strawberry.input
class ContactListFilter:
    """Looks only at rows that the caller may see."""

    some: ContactFilter | None = UNSET
    none: ContactFilter | None = UNSET
