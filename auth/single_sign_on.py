"""Signing in by an OpenID provider: whoever it says has the verified email of an active user is that user.

Between going there and coming back, the browser keeps what was asked in a signed cookie: who comes back with an answer
to what another browser has asked is nobody (login CSRF). State, nonce and PKCE bind the answer to the request.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from app.db.lanes import Lanes
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from auth.audit import Origin, event
from auth.audit_log import write_events
from auth.oidc_provider import Provider, ProviderError
from auth.second_factors import SecondFactors
from auth.sessions import Sessions, SignedIn

ASKED_SECONDS = 600
"""Life of what was asked: as long as one may take to sign in there."""
_ACTION = "signIn"
_STRONG = {"mfa", "otp", "hwk", "swk", "sms", "fpt", "face", "iris"}
"""Methods of RFC 8176 that are a second factor."""

# Whom the provider knows by this subject, else who has the email, unless the provider knows that user by another one:
# an email that went from one person to another takes no account with it.
_USER = """
    SELECT u.id, u.active, i.subject FROM users u LEFT JOIN identities i ON i.user_id = u.id AND i.issuer = $1
    WHERE i.subject = $2 OR (
        i.subject IS NULL AND lower(u.email) = lower($3)
        AND NOT EXISTS (SELECT FROM identities o WHERE o.issuer = $1 AND o.subject = $2)
    )
"""
_LINK = """
    INSERT INTO identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
    RETURNING true
"""


class RefusedSignInError(Exception):
    """Nobody is signed in. ``cause`` is for the log; people are told no more than that it did not work."""

    def __init__(self, cause: str, user_id: UUID | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.user_id = user_id


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it keeps meanwhile."""

    url: str
    kept: str


class SingleSignOn:
    """Signs people in by one provider."""

    def __init__(
        self, writers: Lanes, sessions: Sessions, factors: SecondFactors, provider: Provider, secret: str
    ) -> None:
        self._writers = writers
        self._sessions = sessions
        self._factors = factors
        self._provider = provider
        self._key = sha256(b"single sign-on\0" + secret.encode()).digest()

    async def begin(self, to: str) -> Begun:
        """Send a browser to the provider; it comes back to the path ``to`` of this server."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        until = int(utcnow().timestamp()) + ASKED_SECONDS
        said = {"state": state, "nonce": nonce, "verifier": verifier, "to": to if is_path(to) else "/", "until": until}
        data = base64.urlsafe_b64encode(orjson.dumps(said)).decode().rstrip("=")
        return Begun(await self._provider.authorization_url(state, nonce, challenge), f"{data}.{self._sign(data)}")

    async def finish(self, answer: Mapping[str, str], kept: str | None, origin: Origin) -> tuple[SignedIn, str]:
        """The session of whoever comes back, and the path that they wanted. Either way it is on record."""
        origin = replace(origin, actor_id=None, token_id=None, impersonator_id=None)
        try:
            return await self._finish(answer, kept, origin)
        except (RefusedSignInError, ProviderError) as error:
            cause = error.cause if isinstance(error, RefusedSignInError) else f"provider: {error}"
            user_id = error.user_id if isinstance(error, RefusedSignInError) else None
            told = {"by": self._provider.issuer, "cause": cause}
            await write_events(self._writers, _event(origin, user_id, utcnow(), told, AuditOutcome.FAILED))
            raise

    async def _finish(self, answer: Mapping[str, str], kept: str | None, origin: Origin) -> tuple[SignedIn, str]:
        asked = self._asked(kept)
        if not hmac.compare_digest(asked["state"].encode(), answer.get("state", "").encode()):
            raise RefusedSignInError("answer to another request")
        if answer.get("iss", self._provider.issuer) != self._provider.issuer:
            raise RefusedSignInError("answer of another provider")
        if "code" not in answer:
            raise RefusedSignInError("refused by the provider")
        claims = await self._provider.claims(answer["code"], asked["verifier"], asked["nonce"])
        now = utcnow()
        async with self._writers.transaction() as connection:
            user_id = await self._user(connection, claims, now)
            if await self._factors.needed(connection, user_id) and not _STRONG & set(claims.get("amr") or ()):
                raise RefusedSignInError("second factor not shown to the provider", user_id)
            session = await self._sessions.open(connection, user_id, origin, now)
            await connection.execute("UPDATE users SET last_login_at = $2 WHERE id = $1", user_id, now)
            mine = replace(origin, actor_id=user_id)
            await write_events(connection, _event(mine, user_id, now, {"by": self._provider.issuer}, AuditOutcome.OK))
        return session, asked["to"]

    def _asked(self, kept: str | None) -> dict[str, Any]:
        data, _, signature = (kept or "").partition(".")
        if not data or not hmac.compare_digest(self._sign(data).encode(), signature.encode()):
            raise RefusedSignInError("nothing was asked by this browser")
        asked: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)))
        if asked["until"] < utcnow().timestamp():
            raise RefusedSignInError("asked too long ago")
        return asked

    async def _user(self, connection: Any, claims: Mapping[str, Any], now: datetime) -> UUID:
        """The user of these claims, linked to them from the first time on."""
        issuer, subject, email = self._provider.issuer, str(claims["sub"]), claims.get("email")
        verified = claims.get("email_verified") is True and isinstance(email, str) and "\0" not in email
        if "\0" in subject or len(subject) > 255:
            raise RefusedSignInError("no good subject")
        found = await connection.fetchrow(_USER, issuer, subject, email if verified else "")
        if found is None:
            raise RefusedSignInError("unknown email" if verified else "email not verified")
        user_id = UUID(bytes=found["id"].bytes)
        if not found["active"]:
            raise RefusedSignInError("disabled account", user_id)
        if found["subject"] is None and await connection.fetchval(_LINK, issuer, subject, user_id, now) is None:
            raise RefusedSignInError("linked to another at this moment", user_id)
        return user_id

    def _sign(self, data: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, data.encode(), "sha256")).decode().rstrip("=")


def is_path(to: str) -> bool:
    """Whether ``to`` is a path of this server, and no way to another one."""
    return to.startswith("/") and not to.startswith("//") and not any(c < "!" or c > "~" or c == "\\" for c in to)


def _event(origin: Origin, user_id: UUID | None, now: datetime, told: Mapping[str, str], outcome: AuditOutcome) -> Any:
    changes = {name: {"before": None, "after": value} for name, value in told.items()}
    return event(origin, now, _ACTION, entity="User", record_id=user_id, changes=changes, outcome=outcome)
