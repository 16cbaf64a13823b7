"""Sessions: signing in."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import Info

import app.models as models
from auth.principal import Principal
from schema.context import Context
from schema.resolving import record
from schema.types.errors import ErrorCode, UserError
from schema.types.user import User


@strawberry.type
class SignInPayload:
    """The tokens of a new session, or why there is none."""

    access_token: str | None
    refresh_token: str | None
    expires_at: datetime | None
    errors: list[UserError]
    principal: strawberry.Private[Principal | None] = None

    @strawberry.field
    async def user(self, info: Info[Context, None]) -> User | None:
        """Who signed in."""
        if self.principal is None:
            return None
        access = await info.context.services.accesses.reload(self.principal)
        found: Any = await record(info, models.User, access.user_id, access)
        return found


@strawberry.type
class SessionMutations:
    """How sessions begin."""

    @strawberry.mutation
    async def sign_in(self, info: Info[Context, None], email: str, password: str) -> SignInPayload:
        """Open a session. Send its access token as "Authorization: Bearer …"."""
        session = await info.context.services.sign_in.sign_in(email, password, info.context.origin())
        if session is None:
            wrong = UserError(field=None, code=ErrorCode.INVALID, message="Email and password do not belong together.")
            return SignInPayload(access_token=None, refresh_token=None, expires_at=None, errors=[wrong])
        return SignInPayload(
            access_token=session.access_token,
            refresh_token=session.refresh_token,
            expires_at=session.expires_at,
            errors=[],
            principal=session.principal,
        )
