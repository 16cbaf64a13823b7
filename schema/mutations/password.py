"""Passwords: changed by whoever knows theirs, set anew with a code that was mailed."""

from collections.abc import Sequence

import strawberry
from strawberry import Info

from app.domain.problems import Problem
from schema.context import Context
from schema.types.errors import user_error
from schema.types.payload import DonePayload

Asked = Info[Context, None]


@strawberry.type
class PasswordMutations:
    """What can be done about passwords."""

    @strawberry.mutation
    async def change_password(self, info: Asked, current: str, new: str) -> DonePayload:
        """Change your password, and end your other sessions. A password has 12 to 1,000 characters, of whatever kind,
        and is not one of those that are tried first."""
        context = info.context
        access = await context.present_access()
        return _done(await context.services.password_changes.change(access.principal, current, new, context.origin()))

    @strawberry.mutation
    async def request_password_reset(self, info: Asked, email: str) -> DonePayload:
        """Have a code mailed to that email, if somebody signs in with it. It is good once, and for an hour. The answer
        is the same whether there is somebody or not."""
        context = info.context
        return _done(await context.services.password_changes.request(email, context.origin()))

    @strawberry.mutation
    async def reset_password(self, info: Asked, email: str, code: str, new: str) -> DonePayload:
        """Set a password with the code that was mailed, and end all sessions of that user."""
        context = info.context
        return _done(await context.services.password_changes.reset(email, code, new, context.origin()))


def _done(problems: Sequence[Problem]) -> DonePayload:
    return DonePayload(done=not problems, errors=[user_error(problem) for problem in problems])
