"""Sessions: signing in, going on, signing out, and acting as somebody else."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import sessions
from app.errors import ForbiddenError, UnauthenticatedError
from auth.principal import Principal
from auth.sessions import SignedIn
from auth.signing_in import Unfinished
from schema import conversions as to
from schema import cookies
from schema.acting import Act
from schema.context import Context
from schema.resolving import record
from schema.types.errors import ErrorCode, UserError
from schema.types.payload import DonePayload, Payload
from schema.types.user import User

Asked = Info[Context, None]


@strawberry.type
class SignInPayload:
    """The tokens of a session, or why there is none. In cookie mode they are in cookies, and null here."""

    access_token: str | None = None
    refresh_token: str | None = None
    expires_at: datetime | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
    principal: strawberry.Private[Principal | None] = None

    @strawberry.field
    async def user(self, info: Asked) -> User | None:
        """Who is signed in."""
        if self.principal is None:
            return None
        try:
            access = await info.context.services.accesses.reload(self.principal)
        except UnauthenticatedError:
            # Without the second factor that the role asks for, nothing is shown yet.
            return None
        found: Any = await record(info, models.User, access.user_id, access)
        return found


async def _opened(info: Asked, session: SignedIn) -> SignInPayload:
    """The tokens, by the way in which the caller wants them."""
    context = info.context
    payload = SignInPayload(expires_at=session.expires_at, principal=session.principal)
    try:
        await context.services.accesses.reload(session.principal)
    except UnauthenticatedError as error:
        if error.details["reason"] != "secondFactor":
            return _refused(error.message)
        payload.errors.append(UserError(field=None, code=ErrorCode.SECOND_FACTOR_REQUIRED, message=error.message))
    if context.caller.wants_cookies:
        context.headers += cookies.signed_in(session, secure=context.caller.secure)
    else:
        payload.access_token, payload.refresh_token = session.access_token, session.refresh_token
    return payload


def _refused(message: str, *field: str) -> SignInPayload:
    return SignInPayload(errors=[UserError(field=list(field) or None, code=ErrorCode.INVALID, message=message)])


_IMPERSONATE = Act("impersonate", models.User, sessions.impersonate)
_SIGN_OUT = Act("signOut", models.User, sessions.sign_out)


@strawberry.type
class SessionMutations:
    """How sessions begin, go on and end."""

    @strawberry.mutation
    async def sign_in(self, info: Asked, email: str, password: str, code: str | None = UNSET) -> SignInPayload:
        """Open a session. Send its access token as "Authorization: Bearer …"; or send "Rapport-Session: cookie" with
        this and all that follows, and the browser keeps the tokens. Whoever has a second factor is told
        SECOND_FACTOR_REQUIRED, and sends all again with a code of it, or a recovery code."""
        context = info.context
        session = await context.services.sign_in.sign_in(email, password, context.origin(), code or None)
        match session:
            case None:
                return _refused("Email and password do not belong together.")
            case Unfinished.CODE_WANTED:
                said = "Send a code of the second factor as well."
                return SignInPayload(
                    errors=[UserError(field=["code"], code=ErrorCode.SECOND_FACTOR_REQUIRED, message=said)]
                )
            case Unfinished.CODE_WRONG:
                return _refused("This code is not right, or it was used before: take the next one.", "code")
        assert isinstance(session, SignedIn)
        if context.caller.by_cookie and context.caller.principal is not None:
            # The browser forgets the session that it had: nobody is to go on with it.
            await context.services.sessions.end(context.caller.principal, context.origin(), wholly=True)
        return await _opened(info, session)

    @strawberry.mutation
    async def refresh_session(self, info: Asked, refresh_token: str | None = UNSET) -> SignInPayload:
        """Go on with a session: new tokens for its refresh token, which is good once. One that was used before ends the
        session. In cookie mode, leave the argument out, and send this to /graphql/refresh."""
        context = info.context
        token = context.caller.refresh_token if refresh_token in (None, UNSET) else refresh_token
        session = None if not token else await context.services.sessions.renew(token, context.origin())
        if session is None:
            if context.caller.wants_cookies and token:
                context.headers += cookies.signed_out(secure=context.caller.secure, wholly=True)
            return _refused("This refresh token is not good, or not any more: sign in again.", "refreshToken")
        return await _opened(info, session)

    @strawberry.mutation
    async def sign_out(self, info: Asked) -> DonePayload:
        """End the present session, at once and everywhere. One that was opened as somebody else ends alone, and one's
        own goes on."""
        context = info.context
        principal = (await context.present_access()).principal
        if principal.session_id is None:
            raise ForbiddenError("A token is not signed out, but revoked.", entity="User", action="signOut")
        await context.services.sessions.end(principal, context.origin())
        _forget(info, wholly=principal.impersonator_id is None)
        return DonePayload(done=True)

    @strawberry.mutation
    async def sign_out_everywhere(self, info: Asked, user_id: strawberry.ID | None = UNSET) -> DonePayload:
        """End all sessions, the present one too; with userId those of somebody else, which needs the right to signOut
        users."""
        context = info.context
        principal = (await context.present_access()).principal
        other = to.record_id(models.User, "userId")(user_id) if user_id else None
        if other is not None and other != principal.user_id:
            payload = await _SIGN_OUT.do(info, Payload, id=user_id)
            return DonePayload(done=not payload.errors, errors=[_renamed(error) for error in payload.errors])
        principal.refuse_impersonation("signOut")
        if principal.session_id is None:
            raise ForbiddenError("A token signs nobody out.", entity="User", action="signOut")
        await context.services.sessions.end_all(principal, context.origin())
        _forget(info, wholly=True)
        return DonePayload(done=True)

    @strawberry.mutation(extensions=_IMPERSONATE.guard)
    async def impersonate_user(self, info: Asked, id: strawberry.ID, reason: str) -> SignInPayload:
        """Act as somebody else for a while, with a session that says so in viewer.impersonator and in every event of
        the audit log. Nobody can act as somebody who may do more than they. The reason has 3 to 500 characters."""
        context = info.context
        principal = (await context.present_access()).principal
        principal.refuse_impersonation("impersonate")
        if principal.session_id is None:
            raise ForbiddenError("A token acts as nobody else.", entity="User", action="impersonate")
        payload = await _IMPERSONATE.do(
            info,
            Payload,
            id=id,
            reason=reason,
            session_id=principal.session_id,
            seconds=context.services.settings.impersonation_seconds,
            ip=context.caller.ip,
            user_agent=(context.caller.user_agent or "")[:500].replace("\0", "") or None,
        )
        if payload.errors:
            return SignInPayload(errors=payload.errors)
        opened = payload.facts["session"]
        other = Principal(UUID(opened["user"]), UUID(opened["id"]), impersonator_id=principal.user_id)
        return await _opened(
            info, context.services.sessions.as_somebody(other, datetime.fromisoformat(opened["until"]))
        )


def _forget(info: Asked, *, wholly: bool) -> None:
    caller = info.context.caller
    if caller.wants_cookies:
        info.context.headers += cookies.signed_out(secure=caller.secure, wholly=wholly)


def _renamed(error: UserError) -> UserError:
    """The error at the argument's name here."""
    error.field = ["userId"] if error.field == ["id"] else error.field
    return error
