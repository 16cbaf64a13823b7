"""Teams in the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from schema.types.common import Node
from schema.types.filters import IDFilter, StringFilter

if TYPE_CHECKING:
    from schema.types.user import User

# The types refer to one another in circles; Strawberry resolves these names when the schema is built.
UserRef = Annotated["User", strawberry.lazy("schema.types.user")]


@strawberry.type
class Team(Node):
    """A group of users who share what a grant covers with TEAM."""

    name: str
    region: str | None
    members: list[UserRef]
    version: int


@strawberry.input
class TeamFilter:
    """All members must hold."""

    id: IDFilter | None = UNSET
    name: StringFilter | None = UNSET
    region: StringFilter | None = UNSET
    is_null: bool | None = UNSET
