"""Keeping users."""

from contextlib import suppress
from typing import Any, ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import users
from app.domain.invitations import Invitation
from app.domain.problems import Problem
from app.errors import RateLimitedError
from auth import codes
from schema.acting import Act
from schema.context import Context
from schema.types.errors import user_error
from schema.types.inputs import Version
from schema.types.payload import Payload
from schema.types.user import User

Asked = Info[Context, None]


@strawberry.input
class CreateUserInput:
    """A new user. Whoever may create users of a team only, creates them in the own one, with the role SALES or
    SUPPORT; everybody else needs all that the role has."""

    name: str
    email: str
    role_id: strawberry.ID
    team_id: strawberry.ID | None = UNSET


@strawberry.input
class UpdateUserInput:
    """Changes of a user: an absent field stays, null clears. Nobody changes the own role or team."""

    name: str | None = UNSET
    email: str | None = UNSET
    role_id: strawberry.ID | None = UNSET
    team_id: strawberry.ID | None = UNSET


@strawberry.type
class UserPayload(Payload):
    """The user as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"user": ""}

    @strawberry.field
    def user(self, info: Asked) -> User | None:
        """The user; null when nothing was done, or when it is out of your sight now."""
        found: User | None = self.record(info)
        return found

    @strawberry.field
    def invited(self) -> bool:
        """Whether a letter has just been sent, with a code that sets the first password."""
        return bool(self.facts.get("invited"))


_CREATE = Act("create", models.User, users.create)
_UPDATE = Act("update", models.User, users.update)
_INVITE = Act("create", models.User, users.invite_again, options=("invitation",))
_DEACTIVATE = Act("deactivate", models.User, users.deactivate)
_ACTIVATE = Act("activate", models.User, users.activate)


@strawberry.type
class UserMutations:
    """What can be done to users."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_user(self, info: Asked, input: CreateUserInput, invite: bool = True) -> UserPayload:
        """Make an account, without a password, and send its owner a code that sets one (with resetPassword). Without
        invite, nothing is sent."""
        if not invite:
            return await _CREATE.do(info, UserPayload, input=input)
        return await _invited(info, _CREATE, input=input)

    @strawberry.mutation(extensions=_INVITE.guard)
    async def invite_user(self, info: Asked, id: strawberry.ID) -> UserPayload:
        """Send somebody who has no password yet a new code that sets one. Codes sent before are good no longer."""
        return await _invited(info, _INVITE, id=id)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_user(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateUserInput
    ) -> UserPayload:
        """Change an account: an absent field stays, null clears. You need all that its role has, before and after."""
        return await _UPDATE.do(info, UserPayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_DEACTIVATE.guard)
    async def deactivate_user(self, info: Asked, id: strawberry.ID) -> UserPayload:
        """Let somebody in no longer: sessions end, and what is under way is refused with its next statement. Records
        stay whose they are."""
        return await _DEACTIVATE.do(info, UserPayload, id=id)

    @strawberry.mutation(extensions=_ACTIVATE.guard)
    async def activate_user(self, info: Asked, id: strawberry.ID) -> UserPayload:
        """Let somebody in again, with the role and team of before."""
        return await _ACTIVATE.do(info, UserPayload, id=id)


async def _invited(info: Asked, act: Act, **arguments: Any) -> UserPayload:
    """Do what makes an invitation, and send it once that is done. What was done under a key before sends nothing."""
    letters = info.context.services.letters
    if letters.refusal is not None:
        return UserPayload(errors=[user_error(Problem(None, "INVALID", letters.refusal))])
    code, hashed = codes.fresh()
    invitation = Invitation(hashed, codes.LIFE[codes.Purpose.INVITATION])
    payload = await act.do(info, UserPayload, invitation=invitation, **arguments)
    if invitation.to is not None and not payload.errors:
        with suppress(RateLimitedError):
            letters.soon(letters.invitation(invitation.to, code))
            payload.facts = {**payload.facts, "invited": True}
    return payload
