"""Second factors: enrolling one, and doing without it again."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import strawberry
from strawberry import Info

import app.models as models
from app.domain import sessions
from app.errors import ForbiddenError
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from auth.audit import event
from auth.audit_log import write_events
from auth.principal import Principal
from auth.throttling import account_of, address_of, succeeded
from schema.acting import Act
from schema.context import Context
from schema.types.errors import ErrorCode, UserError
from schema.types.payload import DonePayload, Payload

Asked = Info[Context, None]
_USER = "SELECT email, password_hash FROM users WHERE id = $1"


@strawberry.type
class SecondFactorPayload:
    """What to put into an authenticator: the secret, and the same as a URI for a QR code. Both are shown once."""

    secret: str | None = None
    uri: str | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class RecoveryCodesPayload:
    """Codes for the day on which the authenticator is lost, each good once. They are shown once."""

    recovery_codes: list[str] | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


_REMOVE = Act("resetSecondFactor", models.User, sessions.reset_second_factor)


def _wrong(field: str, message: str, code: ErrorCode = ErrorCode.INVALID) -> list[UserError]:
    return [UserError(field=[field], code=code, message=message)]


_CODE = "This code is not right, or it was used before: take the next one."


async def _own(info: Asked, action: str) -> Principal:
    """The caller, whose own session this is; it need not have the second factor yet that its role asks for."""
    principal = (await info.context.identify()).principal
    principal.refuse_impersonation(action)
    if principal.session_id is None:
        raise ForbiddenError("A token has no second factor.", entity="User", action=action)
    return principal


async def _note(info: Asked, connection: Any, now: datetime, action: str, cause: str | None = None) -> None:
    origin = info.context.origin()
    changes = None if cause is None else {"cause": {"before": None, "after": cause}}
    outcome = AuditOutcome.OK if cause is None else AuditOutcome.FAILED
    told = event(origin, now, action, entity="User", record_id=origin.actor_id, changes=changes, outcome=outcome)
    await write_events(connection, told)


@strawberry.type
class SecondFactorMutations:
    """What can be done about one's second factor."""

    @strawberry.mutation
    async def enrol_second_factor(self, info: Asked, password: str) -> SecondFactorPayload:
        """Begin to use a second factor: put the secret into an authenticator, and confirm it by its first code."""
        context, action = info.context, "enrolSecondFactor"
        principal, services = await _own(info, action), context.services
        user = await services.writers.fetchrow(_USER, principal.user_id)
        # Whoever guesses here guesses at the same as in changePassword.
        account = account_of("changePassword", str(principal.user_id))
        address = address_of("password", context.caller.ip)
        await services.throttle.take(account, address)
        known = user["password_hash"]
        if len(password) > 1_000 or not await services.passwords.verify(password, known):
            async with services.writers.transaction() as connection:
                await _note(info, connection, utcnow(), action, "wrong password")
            return SecondFactorPayload(errors=_wrong("password", "This is not your password."))
        async with services.writers.transaction() as connection:
            now = utcnow()
            await succeeded(connection, account, address)
            made = await services.second_factors.enrol(connection, principal.user_id, user["email"], now)
            if made is not None:
                await _note(info, connection, now, action)
        if made is None:
            said = "You have a second factor already: disable it first."
            return SecondFactorPayload(errors=_wrong("password", said, ErrorCode.IN_USE))
        return SecondFactorPayload(secret=made[0], uri=made[1])

    @strawberry.mutation
    async def confirm_second_factor(self, info: Asked, code: str) -> RecoveryCodesPayload:
        """Put the second factor in force by a code of the authenticator. Keep the recovery codes where you find them
        without it."""

        async def confirm(connection: Any, principal: Principal, now: datetime) -> list[str] | None:
            return await info.context.services.second_factors.confirm(connection, principal.user_id, code, now)

        return await _recovery_codes(info, "confirmSecondFactor", confirm)

    @strawberry.mutation
    async def renew_recovery_codes(self, info: Asked, code: str) -> RecoveryCodesPayload:
        """New recovery codes in place of all old ones, for a code of the authenticator."""

        async def renew(connection: Any, principal: Principal, now: datetime) -> list[str] | None:
            factors = info.context.services.second_factors
            if not await factors.check(connection, principal.user_id, code, now):
                return None
            return await factors.renew_codes(connection, principal.user_id)

        return await _recovery_codes(info, "renewRecoveryCodes", renew)

    @strawberry.mutation
    async def disable_second_factor(self, info: Asked, code: str) -> DonePayload:
        """Do without the second factor, by a last code of it. Where the role asks for one, the session goes on when
        another is enrolled."""
        context, action = info.context, "disableSecondFactor"
        principal = await _own(info, action)
        async with context.services.writers.transaction() as connection:
            now = utcnow()
            good = await context.services.second_factors.check(connection, principal.user_id, code, now)
            if good:
                await context.services.second_factors.remove(connection, principal.user_id)
            await _note(info, connection, now, action, None if good else "wrong code")
        return DonePayload(done=good, errors=[] if good else _wrong("code", _CODE))

    @strawberry.mutation(extensions=_REMOVE.guard)
    async def reset_second_factor(self, info: Asked, id: strawberry.ID, reason: str) -> DonePayload:
        """Take the second factor of somebody away who has lost it, and end their sessions. The reason, 3 to 500
        characters, is kept in the audit log."""
        (await info.context.present_access()).principal.refuse_impersonation("resetSecondFactor")
        payload = await _REMOVE.do(info, Payload, id=id, reason=reason)
        return DonePayload(done=not payload.errors, errors=payload.errors)


async def _recovery_codes(
    info: Asked, action: str, work: Callable[[Any, Principal, datetime], Awaitable[list[str] | None]]
) -> RecoveryCodesPayload:
    principal = await _own(info, action)
    async with info.context.services.writers.transaction() as connection:
        now = utcnow()
        codes = await work(connection, principal, now)
        await _note(info, connection, now, action, "wrong code" if codes is None else None)
    if codes is None:
        return RecoveryCodesPayload(errors=_wrong("code", _CODE))
    return RecoveryCodesPayload(recovery_codes=codes)
