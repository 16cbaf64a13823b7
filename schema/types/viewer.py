"""The caller in the API."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import strawberry
from strawberry import Info

import app.models as models
from auth.access import Access
from auth.policy import ENTITIES
from schema.context import Context
from schema.resolving import objects, records
from schema.types.api_token import ApiToken
from schema.types.role import FieldGrant, Grant
from schema.types.session import Session
from schema.types.user import User

_NOBODY = UUID(int=0)


@strawberry.type
class SecondFactor:
    """What proves who the caller is, besides the password."""

    enabled: bool
    recovery_codes_left: int


@strawberry.type
class Viewer:
    """Who is calling, and what they may do."""

    access: strawberry.Private[Access]
    users: strawberry.Private[dict[str, Any]]
    tokens: strawberry.Private[dict[str, Any]]
    listed: strawberry.Private[dict[str, list[Session]]]

    @classmethod
    async def of(cls, info: Info[Context, None], access: Access) -> "Viewer":
        """The caller with these rights. Users are fetched here, so that a refusal is one of the whole root field."""
        who = access.principal
        users = await records(info, "Viewer", "user", models.User, who.user_id, access)
        users |= await records(info, "Viewer", "impersonator", models.User, who.impersonator_id or _NOBODY, access)
        tokens: dict[str, Any] = {}
        if who.token_id is not None:
            itself = replace(access, rights=access.rights.with_tokens)
            tokens = await records(info, "Viewer", "token", models.ApiToken, who.token_id, itself)
        listed = {}
        for key, below in objects(info, "Viewer", "sessions").items():
            mine = await records(info, "Session", "user", models.User, who.user_id, access, below)
            found = await info.context.services.sessions.of(who)
            listed[key] = [Session.of(each, mine, current=each.id == who.session_id) for each in found]
        return cls(access=access, users=users, tokens=tokens, listed=listed)

    @strawberry.field
    def user(self, info: Info[Context, None]) -> User:
        """The caller."""
        found: User = self.users[str(info.path.key)]
        return found

    @strawberry.field
    def impersonator(self, info: Info[Context, None]) -> User | None:
        """Who acts as the caller, in a session that impersonateUser has opened."""
        found: User | None = self.users[str(info.path.key)]
        return found

    @strawberry.field
    def sessions(self, info: Info[Context, None]) -> list[Session]:
        """The caller's open sessions: the present one first, then those used last; 100 at most."""
        return self.listed[str(info.path.key)]

    @strawberry.field
    async def second_factor(self, info: Info[Context, None]) -> SecondFactor:
        """Whether the caller has a second factor, and how many recovery codes are left."""
        services = info.context.services
        found = await services.second_factors.state(services.writers, self.access.user_id)
        return SecondFactor(enabled=found.enabled, recovery_codes_left=found.recovery_codes_left)

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
