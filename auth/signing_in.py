"""Signing in: from email and password to a session with its tokens."""

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from app.db.ids import new_id
from app.db.lanes import Lanes
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from auth.audit import Origin, event
from auth.audit_log import write_events
from auth.passwords import Passwords
from auth.tokens import AccessTokens

_ACTION = "signIn"
_USER = "SELECT id, active, password_hash FROM users WHERE lower(email) = lower($1)"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: who, the tokens, and when the access token expires."""

    user_id: UUID
    access_token: str
    refresh_token: str
    expires_at: datetime


class SignIn:
    """Opens sessions."""

    def __init__(self, writers: Lanes, passwords: Passwords, tokens: AccessTokens, refresh_seconds: int) -> None:
        self._writers = writers
        self._passwords = passwords
        self._tokens = tokens
        self._life = timedelta(seconds=refresh_seconds)

    async def sign_in(self, email: str, password: str, origin: Origin) -> SignedIn | None:
        """A new session; None where email and password do not belong together, without a word on which is wrong.

        Either way it is on record, and for the auditor alone why there is none.
        """
        if "\0" in email or len(email) > 500 or len(password) > 1_000:
            await self._failed(origin, email, None, "unknown email" if len(password) <= 1_000 else "wrong password")
            return None
        user = await self._writers.fetchrow(_USER, email)
        right = await self._passwords.verify(password, user["password_hash"] if user else None)
        if user is None or not right or not user["active"]:
            cause = "unknown email" if user is None else "disabled account" if right else "wrong password"
            await self._failed(origin, email, user["id"] if user else None, cause)
            return None
        session_id, refresh = new_id(), secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        async with self._writers.transaction() as connection:
            await connection.execute(
                "INSERT INTO sessions (id, user_id, refresh_hash, created_at, last_used_at, expires_at, ip, user_agent)"
                " VALUES ($1, $2, $3, $4, $4, $5, $6, $7)",
                session_id,
                user["id"],
                sha256(refresh.encode()).digest(),
                now,
                now + self._life,
                origin.ip,
                (origin.user_agent or "")[:500] or None,
            )
            await connection.execute("UPDATE users SET last_login_at = $2 WHERE id = $1", user["id"], now)
            mine = replace(origin, actor_id=user["id"])
            await write_events(connection, event(mine, now, _ACTION, entity="User", record_id=user["id"]))
        token, expires = self._tokens.sign(user["id"], session_id)
        return SignedIn(user["id"], token, refresh, datetime.fromtimestamp(expires, UTC))

    async def _failed(self, origin: Origin, email: str, user_id: UUID | None, cause: str) -> None:
        """Note a sign-in that failed, by nobody: who tried is not known.

        An email that is nobody's is noted by its first character and domain only: it may be a password in the wrong
        place, or that of somebody who has no part in this.
        """
        told = {"cause": cause}
        local, at, domain = email.replace("\0", "").rpartition("@")
        if user_id is None and at:
            told["tried"] = f"{local[:1]}***@{domain[:100]}"
        await write_events(
            self._writers,
            event(
                replace(origin, actor_id=None),
                utcnow(),
                _ACTION,
                entity="User",
                record_id=user_id,
                changes={name: {"before": None, "after": value} for name, value in told.items()},
                outcome=AuditOutcome.FAILED,
            ),
        )
