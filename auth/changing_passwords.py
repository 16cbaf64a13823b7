"""Changing a password: by whoever knows it, or with a code that was mailed.

Nothing here says whether there is an account: what is unknown is answered as what is wrong, after the same work, and
mail is sent after the answer.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db.lanes import Lanes
from app.domain.problems import Problem
from app.errors import ForbiddenError, RateLimitedError
from app.mistakes import UserMistakeError
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from auth import codes
from auth.audit import Event, Origin, event
from auth.audit_log import write_events
from auth.codes import Purpose
from auth.letters import Letters
from auth.password_rules import length_problem, problem_of, weakness
from auth.passwords import Passwords, hash_now
from auth.principal import Principal
from auth.throttling import Throttle, account_of, address_of, succeeded

LONGEST_EMAIL = 500
_BY_CODE = (Purpose.PASSWORD_RESET, Purpose.INVITATION)
_NOBODY = UUID(int=0)
_ME = "SELECT id, name, email, password_hash FROM users WHERE id = $1"
_NAMED = """
    SELECT u.id, u.name, u.email, said.email AS said
    FROM (SELECT lower($1) AS email) AS said LEFT JOIN users u ON lower(u.email) = said.email AND u.active
"""
_SET = """
    UPDATE users SET password_hash = $2, updated_at = $3, version = version + 1
    WHERE id = $1 AND active AND ($4::text IS NULL OR password_hash = $4)
"""
_SET_ANY = "UPDATE users SET password_hash = $2, updated_at = $3, version = version + 1 WHERE id = $1"
_END = "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL AND id IS DISTINCT FROM $3"

Problems = tuple[Problem, ...]


class PasswordChanges:
    """Changes passwords."""

    def __init__(self, writers: Lanes, passwords: Passwords, throttle: Throttle, letters: Letters, shop: str) -> None:
        self._writers = writers
        self._passwords = passwords
        self._throttle = throttle
        self._letters = letters
        self._shop = shop

    async def change(self, principal: Principal, current: str, new: str, origin: Origin) -> Problems:
        """Change the caller's own, and end its other sessions; what stands in the way comes back.

        ForbiddenError for a token, which is not its owner, and for whoever acts as somebody else.
        """
        principal.refuse_impersonation("changePassword")
        if principal.token_id is not None:
            said = "A password is changed in a session, not through an API token."
            raise ForbiddenError(said, entity="User", action="changePassword")
        length = length_problem(new, ("new",))
        account = account_of("changePassword", str(principal.user_id))
        address = address_of("password", origin.ip)
        await self._throttle.take(account, address)
        user = await self._writers.fetchrow(_ME, principal.user_id)
        long = len(current) > 1_000
        if user is None or long or not await self._passwords.verify(current, user["password_hash"]):
            await write_events(self._writers, _failed(origin, "changePassword", principal.user_id, "wrong password"))
            wrong = Problem(("current",), "INVALID", "This is not your password.")
            return (wrong, *([length] if length else ()))
        await succeeded(self._writers, account, address)
        problem = length or await self._weakness(new, user)
        if problem is None and await self._passwords.verify(new, user["password_hash"]):
            problem = Problem(("new",), "INVALID", "This is your password already: choose another one.")
        if problem is not None:
            return (problem,)
        hashed, now = await self._passwords.hash(new), utcnow()
        async with self._writers.transaction() as connection:
            done = await self._set(connection, user["id"], hashed, now, principal.session_id, user["password_hash"])
            if done:
                await write_events(connection, _about(origin, "changePassword", user["id"], now))
        if not done:
            return (Problem(("current",), "INVALID", "Your password was changed meanwhile."),)
        self._tell_changed(user["email"])
        return ()

    async def request(self, email: str, origin: Origin) -> Problems:
        """Send a code with which a new password can be set, if there is somebody to send it to."""
        if self._letters.refusal is not None:
            return (Problem(None, "INVALID", self._letters.refusal),)
        await self._throttle.take(address_of("requestPasswordReset", origin.ip))
        self._letters.soon(self._send_code(email, origin))
        return ()

    async def reset(self, email: str, code: str, new: str, origin: Origin) -> Problems:
        """Set a password with a code, and end all sessions; what stands in the way comes back."""
        address = address_of("password", origin.ip)
        await self._throttle.take(address)
        length = length_problem(new, ("new",))
        async with self._writers.transaction() as connection:
            user = await _find(connection, email)
            # It is used up only once the new password is known to be good.
            right = await codes.redeem(connection, user["id"] or _NOBODY, code, _BY_CODE, utcnow(), use=False)
            if not right:
                await write_events(connection, _failed(origin, "resetPassword", user["id"], "wrong code"))
        if not right:
            return (_wrong_code(), *([length] if length else ()))
        await succeeded(self._writers, None, address)
        problem = length or await self._weakness(new, user)
        if problem is not None:
            return (problem,)
        hashed, now = await self._passwords.hash(new), utcnow()
        async with self._writers.transaction() as connection:
            right = await codes.redeem(connection, user["id"], code, _BY_CODE, now)
            if right and await self._set(connection, user["id"], hashed, now):
                mine = replace(origin, actor_id=user["id"], token_id=None, impersonator_id=None)
                await write_events(connection, _about(mine, "resetPassword", user["id"], now))
                for kind in ("signIn", "requestPasswordReset"):
                    await succeeded(connection, account_of(kind, user["said"]), None)
        if not right:
            return (_wrong_code(),)
        self._tell_changed(user["email"])
        return ()

    async def _weakness(self, new: str, user: Any) -> Problem | None:
        known = (user["name"], user["email"], self._shop)
        return await self._passwords.run(weakness, new, known, ("new",))

    async def _set(
        self,
        connection: Any,
        user_id: UUID,
        hashed: str,
        now: datetime,
        session_id: UUID | None = None,
        before: str | None = None,
    ) -> bool:
        """Set the password of an active user; its sessions end, but for the one given, and so do its codes."""
        if await connection.execute(_SET, user_id, hashed, now, before) == "UPDATE 0":
            return False
        await connection.execute(_END, user_id, now, session_id)
        await codes.forget(connection, user_id)
        return True

    def _tell_changed(self, email: str) -> None:
        if self._letters.refusal is None:
            with suppress(RateLimitedError):
                self._letters.soon(self._letters.changed(email))

    async def _send_code(self, email: str, origin: Origin) -> None:
        origin = replace(origin, actor_id=None, token_id=None, impersonator_id=None)
        user = await _find(self._writers, email)
        if user["id"] is None:
            await write_events(self._writers, _failed(origin, "requestPasswordReset", None, "unknown email"))
            return
        try:
            await self._throttle.take(account_of("requestPasswordReset", user["said"]))
        except RateLimitedError:
            # There is a letter already whose code is good for longer than this wait.
            await write_events(self._writers, _failed(origin, "requestPasswordReset", user["id"], "too often"))
            return
        now = utcnow()
        async with self._writers.transaction() as connection:
            code = await codes.issue(connection, user["id"], Purpose.PASSWORD_RESET, now)
            await write_events(connection, _about(origin, "requestPasswordReset", user["id"], now))
        # To the address of the account, not to the one that was typed: the two may look alike and be two.
        await self._letters.reset(user["email"], code)


class PasswordRefusedError(UserMistakeError):
    """The password will not do, or there is nobody to have it; the message says why."""


async def set_password(connection: Any, origin: Origin, email: str, password: str, shop: str) -> None:
    """Set somebody's password from the command line, under the same rules, and end all its sessions."""
    user = await connection.fetchrow("SELECT id, name, email FROM users WHERE lower(email) = lower($1)", email)
    if user is None:
        raise PasswordRefusedError(f"There is no user with the email {email}.")
    problem = problem_of(password, (user["name"], user["email"], shop), ())
    if problem is not None:
        raise PasswordRefusedError(problem.message)
    now = utcnow()
    async with connection.transaction():
        await connection.execute(_SET_ANY, user["id"], hash_now(password), now)
        await connection.execute(_END, user["id"], now, None)
        await codes.forget(connection, user["id"])
        await write_events(connection, _about(origin, "setPassword", user["id"], now))


async def _find(connection: Any, email: str) -> Any:
    """The active user of an email; with an ``id`` of None where there is none."""
    return await connection.fetchrow(_NAMED, "" if "\0" in email or len(email) > LONGEST_EMAIL else email)


def _wrong_code() -> Problem:
    said = "This code is not the one that was sent last to this email, was used, or is too old: ask for a new one."
    return Problem(("code",), "INVALID", said)


def _about(origin: Origin, action: str, user_id: UUID, now: datetime) -> Event:
    return event(origin, now, action, entity="User", record_id=user_id)


def _failed(origin: Origin, action: str, user_id: UUID | None, cause: str) -> Event:
    changes = {"cause": {"before": None, "after": cause}}
    return event(
        origin, utcnow(), action, entity="User", record_id=user_id, changes=changes, outcome=AuditOutcome.FAILED
    )
