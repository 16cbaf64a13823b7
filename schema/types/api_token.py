"""API tokens in the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.types.common import Node, PageInfo

if TYPE_CHECKING:
    from schema.types.user import User

UserRef = Annotated["User", strawberry.lazy("schema.types.user")]


@strawberry.type
class ApiToken(Node):
    """What a program calls with, in its owner's place: it may do what both its scopes name and its owner's role allows.
    ``prefix`` is how its secret begins. How it is used is known to the minute; requestsToday are those since midnight
    UTC."""

    name: str
    prefix: str
    owner: UserRef
    scopes: list[str]
    allowed_ips: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    requests_today: int
    requests_total: int
    revoked_at: datetime | None
    created_at: datetime


@strawberry.type
class ApiTokenEdge:
    """A row and its place in the order."""

    cursor: str
    node: ApiToken


@strawberry.type
class ApiTokenConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[ApiTokenEdge]
    nodes: list[ApiToken]
    page_info: PageInfo
    total_count: int
