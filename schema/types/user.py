"""Users in the API."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from schema.types.common import Node, OrderDirection, PageInfo
from schema.types.filters import BooleanFilter, DateTimeFilter, IDFilter, StringFilter

if TYPE_CHECKING:
    from schema.types.role import Role, RoleFilter
    from schema.types.team import Team, TeamFilter

# The types refer to one another in circles; Strawberry resolves these names when the schema is built.
RoleRef = Annotated["Role", strawberry.lazy("schema.types.role")]
RoleFilterRef = Annotated["RoleFilter", strawberry.lazy("schema.types.role")]
TeamRef = Annotated["Team", strawberry.lazy("schema.types.team")]
TeamFilterRef = Annotated["TeamFilter", strawberry.lazy("schema.types.team")]


@strawberry.type
class User(Node):
    """Somebody who may sign in."""

    name: str
    email: str | None
    active: bool
    role: RoleRef | None
    team: TeamRef | None
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


@strawberry.type
class UserEdge:
    """A row and its place in the order."""

    cursor: str
    node: User


@strawberry.type
class UserConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[UserEdge]
    nodes: list[User]
    page_info: PageInfo
    total_count: int


@strawberry.enum
class UserOrderField(Enum):
    """What a list can be ordered by."""

    CREATED_AT = "created_at"
    NAME = "name"
    EMAIL = "email"
    LAST_LOGIN_AT = "last_login_at"


@strawberry.input
class UserOrder:
    """One term of an order; NULLs come last in either direction."""

    field: UserOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.input
class UserFilter:
    """All members must hold."""

    and_: list[UserFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[UserFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: UserFilter | None = strawberry.field(name="not", default=UNSET)
    id: IDFilter | None = UNSET
    is_null: bool | None = UNSET
    name: StringFilter | None = UNSET
    email: StringFilter | None = UNSET
    active: BooleanFilter | None = UNSET
    created_at: DateTimeFilter | None = UNSET
    role: RoleFilterRef | None = UNSET
    team: TeamFilterRef | None = UNSET
