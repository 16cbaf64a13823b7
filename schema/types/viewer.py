"""The caller in the API."""

from dataclasses import replace
from typing import Any

import strawberry
from strawberry import Info

import app.models as models
from auth.access import Access
from auth.policy import ENTITIES
from schema.context import Context
from schema.resolving import records
from schema.types.api_token import ApiToken
from schema.types.role import FieldGrant, Grant
from schema.types.user import User


@strawberry.type
class Viewer:
    """Who is calling, and what they may do."""

    access: strawberry.Private[Access]
    users: strawberry.Private[dict[str, Any]]
    tokens: strawberry.Private[dict[str, Any]]

    @classmethod
    async def of(cls, info: Info[Context, None], access: Access) -> "Viewer":
        """The caller with these rights. Its user is fetched here, so that a refusal is one of the whole root field."""
        users = await records(info, "Viewer", "user", models.User, access.user_id, access)
        tokens: dict[str, Any] = {}
        if access.principal.token_id is not None:
            itself = replace(access, rights=access.rights.with_tokens)
            tokens = await records(info, "Viewer", "token", models.ApiToken, access.principal.token_id, itself)
        return cls(access=access, users=users, tokens=tokens)

    @strawberry.field
    def user(self, info: Info[Context, None]) -> User:
        """The caller."""
        found: User = self.users[str(info.path.key)]
        return found

    @strawberry.field
    def token(self, info: Info[Context, None]) -> ApiToken | None:
        """The API token through which the caller calls, whatever its scopes are; null in a session."""
        found: ApiToken | None = self.tokens.get(str(info.path.key))
        return found

    @strawberry.field
    def permissions(self) -> list[Grant]:
        """All that the caller may do, complete."""
        return [
            Grant(
                entity=entity,
                action=action,
                rows=granted.rows,
                fields=[
                    FieldGrant(
                        field=name,
                        access=rule.access,
                        on_rows=rule.on_rows,
                        otherwise=rule.otherwise,
                    )
                    for name, rule in sorted(granted.fields.items(), key=lambda item: ENTITIES[entity].index(item[0]))
                ],
            )
            for entity, actions in sorted(self.access.rights.grants.items())
            for action, granted in sorted(actions.items())
        ]
