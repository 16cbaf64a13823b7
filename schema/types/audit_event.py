"""The audit log in the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from schema.types.common import Node, PageInfo
from schema.types.enums import AuditOutcome
from schema.types.filters import DateTimeFilter, IDFilter, StringFilter

if TYPE_CHECKING:
    from schema.types.api_token import ApiToken
    from schema.types.user import User, UserFilter

ApiTokenRef = Annotated["ApiToken", strawberry.lazy("schema.types.api_token")]
UserRef = Annotated["User", strawberry.lazy("schema.types.user")]
UserFilterRef = Annotated["UserFilter", strawberry.lazy("schema.types.user")]


@strawberry.type
class AuditEvent(Node):
    """Who did what, when, and from where; ``changes`` holds before and after of each field that the caller may read.
    ``impersonator`` is who acted as the actor."""

    at: datetime
    actor: UserRef | None
    token: ApiTokenRef | None
    impersonator: UserRef | None
    action: str
    entity: str | None
    entity_id: strawberry.ID | None
    outcome: AuditOutcome
    changes: JSON | None
    ip: str | None
    user_agent: str | None
    request_id: str | None


@strawberry.type
class AuditEventEdge:
    """A row and its place in the order."""

    cursor: str
    node: AuditEvent


@strawberry.type
class AuditEventConnection:
    """A page of rows. totalCount is counted only when it is asked for."""

    edges: list[AuditEventEdge]
    nodes: list[AuditEvent]
    page_info: PageInfo
    total_count: int


@strawberry.input
class AuditOutcomeFilter:
    """All members must hold."""

    eq: AuditOutcome | None = UNSET
    ne: AuditOutcome | None = UNSET
    in_: list[AuditOutcome] | None = strawberry.field(name="in", default=UNSET)
    not_in: list[AuditOutcome] | None = UNSET


@strawberry.input
class AuditEventFilter:
    """All members must hold."""

    and_: list[AuditEventFilter] | None = strawberry.field(name="and", default=UNSET)
    or_: list[AuditEventFilter] | None = strawberry.field(name="or", default=UNSET)
    not_: AuditEventFilter | None = strawberry.field(name="not", default=UNSET)
    at: DateTimeFilter | None = UNSET
    actor: UserFilterRef | None = UNSET
    action: StringFilter | None = UNSET
    entity: StringFilter | None = UNSET
    entity_id: IDFilter | None = UNSET
    outcome: AuditOutcomeFilter | None = UNSET
    request_id: StringFilter | None = UNSET
