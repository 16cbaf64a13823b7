"""Signing in: from email and password to a session with its tokens."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from app.db.ids import new_id
from app.db.lanes import Lanes
from auth.passwords import Passwords
from auth.tokens import AccessTokens

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

    async def sign_in(
        self, email: str, password: str, ip: str | None = None, user_agent: str | None = None
    ) -> SignedIn | None:
        """A new session; None where email and password do not belong together, without a word on which is wrong."""
        if "\0" in email or len(email) > 500 or len(password) > 1_000:
            return None
        user = await self._writers.fetchrow(_USER, email)
        right = await self._passwords.verify(password, user["password_hash"] if user else None)
        if user is None or not right or not user["active"]:
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
                ip,
                (user_agent or "")[:500] or None,
            )
            await connection.execute("UPDATE users SET last_login_at = $2 WHERE id = $1", user["id"], now)
        token, expires = self._tokens.sign(user["id"], session_id)
        return SignedIn(user["id"], token, refresh, datetime.fromtimestamp(expires, UTC))
