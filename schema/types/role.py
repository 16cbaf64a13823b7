"""Roles and grants in the API."""

from __future__ import annotations

import strawberry
from strawberry import UNSET

from schema.types.common import Node
from schema.types.enums import FieldAccess, RowScope
from schema.types.filters import IDFilter, StringFilter


@strawberry.type
class Role(Node):
    """A named set of grants."""

    name: str
    description: str | None
    built_in: bool
    grants: list[Grant]
    user_count: int
    version: int


@strawberry.type
class Grant:
    """What a role may do to an entity: fields lists all for read, and every writable one for create and update."""

    entity: str
    action: str
    rows: RowScope
    fields: list[FieldGrant]


@strawberry.type
class FieldGrant:
    """access on the rows of onRows, otherwise elsewhere: READ on ASSIGNED, MASKED otherwise."""

    field: str
    access: FieldAccess
    on_rows: RowScope
    otherwise: FieldAccess


@strawberry.input
class RoleFilter:
    """All members must hold."""

    id: IDFilter | None = UNSET
    name: StringFilter | None = UNSET
