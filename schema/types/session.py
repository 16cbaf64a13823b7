"""Sessions in the API."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import Info

from app.db.ids import print_id
from auth.models import Session as Table
from auth.sessions import Listed
from schema.types.common import Node
from schema.types.user import User


@strawberry.type
class Session(Node):
    """A sign-in that lasts. Only viewer shows them: node answers null for their ids."""

    ip: str | None
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    current: bool
    users: strawberry.Private[dict[str, Any]]

    @classmethod
    def of(cls, listed: Listed, users: dict[str, Any], *, current: bool) -> "Session":
        """A session of the caller, who is shown as ``users`` has it for each response key."""
        return cls(
            id=strawberry.ID(print_id(Table.prefix, listed.id)),
            ip=listed.ip,
            user_agent=listed.user_agent,
            created_at=listed.created_at,
            last_used_at=listed.last_used_at,
            current=current,
            users=users,
        )

    @strawberry.field
    def user(self, info: Info[Any, None]) -> User:
        """Who has signed in."""
        found: User = self.users[str(info.path.key)]
        return found
