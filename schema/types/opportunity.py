"""Opportunities in the API."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from schema.types.common import ExternalRef, Money, Node, OrderDirection, PageInfo
from schema.types.filters import (
    BooleanFilter,
    DateFilter,
    DateTimeFilter,
    ExternalRefFilter,
    IDFilter,
    IntFilter,
    MoneyFilter,
    StringFilter,
)
from schema.types.history import HistoryRef, events
from schema.types.viewer_can import viewer_can

if TYPE_CHECKING:
    from schema.types.contact import Contact, ContactFilter
    from schema.types.customer import Customer, CustomerFilter
    from schema.types.product import Product, ProductFilter
    from schema.types.stage import Stage, StageFilter
    from schema.types.user import User, UserFilter

# The types refer to one another in circles; Strawberry resolves these names when the schema is built.
ContactRef = Annotated["Contact", strawberry.lazy("schema.types.contact")]
ContactFilterRef = Annotated["ContactFilter", strawberry.lazy("schema.types.contact")]
CustomerRef = Annotated["Customer", strawberry.lazy("schema.types.customer")]
CustomerFilterRef = Annotated["CustomerFilter", strawberry.lazy("schema.types.customer")]
ProductRef = Annotated["Product", strawberry.lazy("schema.types.product")]
ProductFilterRef = Annotated["ProductFilter", strawberry.lazy("schema.types.product")]
StageRef = Annotated["Stage", strawberry.lazy("schema.types.stage")]
StageFilterRef = Annotated["StageFilter", strawberry.lazy("schema.types.stage")]
UserRef = Annotated["User", strawberry.lazy("schema.types.user")]
UserFilterRef = Annotated["UserFilter", strawberry.lazy("schema.types.user")]


@strawberry.type
class Opportunity(Node):
    """A possible sale on its way through the pipeline."""

    name: str
    customer: CustomerRef
    contact: ContactRef | None
    owner: UserRef | None
    product: ProductRef | None
    stage: StageRef
    amount: Money
    probability: int
    weighted_amount: Money
    expected_close_on: date | None
    opened_at: datetime
    closed_at: datetime | None
    loss_reason: str | None
    loss_notes: str | None
    is_rotting: bool
    stage_changes: list[StageChange]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int
    external_refs: list[ExternalRef]
    history: HistoryRef = strawberry.field(resolver=events)
    viewer_can: bool = strawberry.field(resolver=viewer_can)


@strawberry.type
class OpportunityEdge:
    """A row and its place in the order."""

    cursor: str
    node: Opportunity


@strawberry.type
class OpportunityConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[OpportunityEdge]
    nodes: list[Opportunity]
    page_info: PageInfo
    total_count: int


@strawberry.enum
class OpportunityOrderField(Enum):
    """What a list can be ordered by."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    NAME = "name"
    AMOUNT = "amount"
    PROBABILITY = "probability"
    OPENED_AT = "opened_at"
    EXPECTED_CLOSE_ON = "expected_close_on"
    CLOSED_AT = "closed_at"


@strawberry.input
class OpportunityOrder:
    """One term of an order; NULLs come last in either direction."""

    field: OpportunityOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type
class StageChange:
    """One step of an opportunity from stage to stage."""

    id: strawberry.ID
    from_stage: StageRef | None
    to_stage: StageRef
    changed_at: datetime
    changed_by: UserRef | None


@strawberry.input
class OpportunityFilter:
    """All members must hold."""

    and_: list[OpportunityFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[OpportunityFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: OpportunityFilter | None = strawberry.field(name="not", default=UNSET)
    id: IDFilter | None = UNSET
    is_null: bool | None = UNSET
    name: StringFilter | None = UNSET
    amount: MoneyFilter | None = UNSET
    probability: IntFilter | None = UNSET
    expected_close_on: DateFilter | None = UNSET
    opened_at: DateTimeFilter | None = UNSET
    closed_at: DateTimeFilter | None = UNSET
    loss_reason: StringFilter | None = UNSET
    is_rotting: BooleanFilter | None = UNSET
    external_refs: ExternalRefFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    updated_at: DateTimeFilter | None = UNSET
    customer: CustomerFilterRef | None = UNSET
    contact: ContactFilterRef | None = UNSET
    owner: UserFilterRef | None = UNSET
    product: ProductFilterRef | None = UNSET
    stage: StageFilterRef | None = UNSET


@strawberry.input
class OpportunityListFilter:
    """Looks only at rows that the caller may see."""

    some: OpportunityFilter | None = UNSET
    none: OpportunityFilter | None = UNSET
