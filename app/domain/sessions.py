"""What those who keep users may do about how others sign in: end their sessions, act as them, reset a second factor."""

import secrets
from datetime import timedelta
from typing import Any

from app.domain.given import Given
from app.domain.lookup import check_reason
from app.domain.problems import Problem, RefusedError
from app.domain.rows import new
from app.domain.work import Work
from app.errors import ForbiddenError, UnauthenticatedError
from app.models import Session, User

# Whoever changes what either may do, or ends the session from which this is done, waits, or has done so already.
_HOLD = """
    SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id JOIN roles r ON r.id = u.role_id
    WHERE s.id = $1 AND u.id = $2 AND s.revoked_at IS NULL AND u.active FOR SHARE OF s, u, r
"""
_HOLD_ROLE = "SELECT 1 FROM roles WHERE id = $1 FOR SHARE"
_END = "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL RETURNING id"
_REMOVE_FACTOR = "DELETE FROM second_factors WHERE user_id = $1 RETURNING 1"
_REMOVE_CODES = "DELETE FROM recovery_codes WHERE user_id = $1"


async def impersonate(work: Work, user: User, given: Given) -> User:
    """Open a session as ``user`` from the actor's own, for so many seconds. ForbiddenError where the user has a right
    that the actor lacks."""
    check_reason(work, given)
    if user.id == work.actor.user_id:
        work.problems.add(("id",), "INVALID", "Nobody acts as themselves: name another user.")
    elif not user.active:
        work.problems.add(("id",), "INVALID", "This user is not active, and nobody acts as them.")
    work.problems.refuse()
    if not await work.fetch(_HOLD, given.values["session_id"], work.actor.user_id):
        raise UnauthenticatedError("This session has been ended: sign in again.", reason="revoked")
    await _refuse_exceeding(work, user, "impersonate", "Nobody acts as somebody with further rights")
    until = work.now + timedelta(seconds=given.values["seconds"])
    session: Any = work.add(
        new(
            Session,
            user_id=user.id,
            refresh_seed=secrets.token_bytes(32),
            generation=0,
            created_at=work.now,
            last_used_at=work.now,
            expires_at=until,
            ip=given.values["ip"],
            user_agent=given.values["user_agent"],
            impersonator_id=work.actor.user_id,
            parent_id=given.values["session_id"],
        )
    )
    work.tell("reason", None, given.values["reason"].strip())
    work.facts["session"] = {"id": str(session.id), "user": str(user.id), "until": until.isoformat()}
    return user


async def sign_out(work: Work, user: User, _: Given) -> User:
    """End all sessions of ``user``."""
    ended = await work.fetch(_END, user.id, work.now)
    work.tell("sessions", None, len(ended))
    return user


async def reset_second_factor(work: Work, user: User, given: Given) -> User:
    """Take the second factor away, and end all sessions: whoever found it may be in one of them."""
    check_reason(work, given)
    if user.id == work.actor.user_id:
        work.problems.add(("id",), "INVALID", "This is for others: of your own, disableSecondFactor needs a code.")
    work.problems.refuse()
    action = "resetSecondFactor"
    await _refuse_exceeding(work, user, action, "Nobody resets how somebody with further rights signs in")
    if not await work.fetch(_REMOVE_FACTOR, user.id):
        raise RefusedError(Problem(("id",), "NOT_FOUND", "This user has no second factor."))
    await work.fetch(_REMOVE_CODES, user.id)
    ended = await work.fetch(_END, user.id, work.now)
    work.tell("reason", None, given.values["reason"].strip())
    work.tell("sessions", None, len(ended))
    return user


async def _refuse_exceeding(work: Work, user: User, action: str, rule: str) -> None:
    """ForbiddenError where the user has a right that the actor lacks."""
    await work.fetch(_HOLD_ROLE, user.role_id)
    lacking = await work.eyes.exceeding(user.role_id, in_team=user.team_id is not None)
    if lacking is not None:
        said = f"{rule}: this user may {lacking[1]} {lacking[0]}, where you may not."
        raise ForbiddenError(said, entity="User", action=action)
