"""Invitations: the code with which a new user sets the first password."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.domain.rows import new
from app.domain.work import Work
from auth.models import OneTimeCode, User

PURPOSE = "INVITATION"
_OF_USER = "WHERE user_id = $1 FOR UPDATE"


@dataclass
class Invitation:
    """A code that is to be sent, as it is kept, and how long it is good; ``to`` is the address, once there is an
    account for it."""

    code_hash: bytes
    life: timedelta
    to: str | None = None


async def invite(work: Work, user: User, invitation: Invitation) -> None:
    """Make the invitation's code that of the user: one sent before is good no longer."""
    found = [each for each in await work.find(OneTimeCode, _OF_USER, user.id) if each.purpose == PURPOSE]
    code = found[0] if found else work.add(new(OneTimeCode, user_id=user.id, purpose=PURPOSE))
    code.code_hash, code.created_at, code.expires_at = invitation.code_hash, work.now, work.now + invitation.life
    code.used_at, code.guesses = None, 0
    invitation.to = user.email


async def forget_codes(work: Work, user_id: UUID) -> None:
    """End every code of a user: whoever got it is not who should use it now."""
    for code in await work.find(OneTimeCode, _OF_USER, user_id):
        work.remove(code)
