"""Signing in: from email and password to a session with its tokens."""

from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from app.db.lanes import Lanes
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from auth.audit import Origin, event
from auth.audit_log import write_events
from auth.passwords import Passwords
from auth.second_factors import SecondFactors
from auth.sessions import Sessions, SignedIn
from auth.throttling import Throttle, account_of, address_of, succeeded

_ACTION = "signIn"
_USER = """
    SELECT said.email AS said, u.id, u.active, u.password_hash, EXISTS (
        SELECT FROM sessions s WHERE s.user_id = u.id AND s.ip = $2 AND s.created_at > now() - interval '30 days'
    ) AS familiar
    FROM (SELECT lower($1) AS email) AS said LEFT JOIN users u ON lower(u.email) = said.email
"""
_REHASH = "UPDATE users SET password_hash = $2 WHERE id = $1 AND password_hash = $3"


class Unfinished(Enum):
    """What is left to do for whoever has shown the password."""

    CODE_WANTED = "second factor wanted"
    CODE_WRONG = "wrong code"


class SignIn:
    """Opens sessions for those who know their password."""

    def __init__(
        self,
        writers: Lanes,
        passwords: Passwords,
        throttle: Throttle,
        sessions: Sessions,
        factors: SecondFactors,
    ) -> None:
        self._writers = writers
        self._throttle = throttle
        self._passwords = passwords
        self._sessions = sessions
        self._factors = factors

    async def sign_in(
        self, email: str, password: str, origin: Origin, code: str | None = None
    ) -> SignedIn | Unfinished | None:
        """A new session; None where email and password do not belong together, without a word on which is wrong. Where
        they do and the user has a second factor, its code is asked for.

        Either way it is on record, and for the auditor alone why there is none. RateLimitedError while there is a wait.
        """
        address = address_of("password", origin.ip)
        if "\0" in email or len(email) > 500 or len(password) > 1_000:
            await self._throttle.take(address)
            await self._failed(origin, email, None, "unknown email" if len(password) <= 1_000 else "wrong password")
            return None
        user = await self._writers.fetchrow(_USER, email, origin.ip)
        account = account_of(_ACTION, user["said"], origin.ip if user["familiar"] else None)
        await self._throttle.take(account, address)
        hashed = user["password_hash"]
        right = await self._passwords.verify(password, hashed)
        if not right or not user["active"]:
            cause = "unknown email" if user["id"] is None else "disabled account" if right else "wrong password"
            await self._failed(origin, email, user["id"], cause)
            return None
        better = await self._passwords.hash(password) if self._passwords.outdated(hashed) else None
        now = datetime.now(UTC)
        async with self._writers.transaction() as connection:
            unfinished = await self._unfinished(connection, user["id"], code, now)
            if unfinished is not None:
                await self._failed(origin, email, user["id"], unfinished.value, connection)
                return unfinished
            await succeeded(connection, account, address)
            if better is not None:
                await connection.execute(_REHASH, user["id"], better, hashed)
            session = await self._sessions.open(connection, user["id"], origin, now)
            await connection.execute("UPDATE users SET last_login_at = $2 WHERE id = $1", user["id"], now)
            mine = replace(origin, actor_id=user["id"], token_id=None, impersonator_id=None)
            await write_events(connection, event(mine, now, _ACTION, entity="User", record_id=user["id"]))
        return session

    async def _unfinished(self, connection: Any, user_id: UUID, code: str | None, now: datetime) -> Unfinished | None:
        if not await self._factors.needed(connection, user_id):
            return None
        if not code:
            return Unfinished.CODE_WANTED
        return None if await self._factors.check(connection, user_id, code, now) else Unfinished.CODE_WRONG

    async def _failed(
        self, origin: Origin, email: str, user_id: UUID | None, cause: str, connection: Any = None
    ) -> None:
        """Note a sign-in that failed, by nobody: who tried is not known.

        An email that is nobody's is noted by its first character and domain only: it may be a password in the wrong
        place, or that of somebody who has no part in this.
        """
        told = {"cause": cause}
        local, at, domain = email.replace("\0", "").rpartition("@")
        if user_id is None and at:
            told["tried"] = f"{local[:1]}***@{domain[:100]}"
        await write_events(
            connection or self._writers,
            event(
                replace(origin, actor_id=None, token_id=None, impersonator_id=None),
                utcnow(),
                _ACTION,
                entity="User",
                record_id=user_id,
                changes={name: {"before": None, "after": value} for name, value in told.items()},
                outcome=AuditOutcome.FAILED,
            ),
        )
