"""Sessions: opening, renewing, listing and ending them. Each is on record, in the same transaction.

A session is a family of refresh tokens (RFC 9700, 4.14): each is good once. One that comes again after its successor
has been given out was stolen, or its successor was: the session ends for both. A client that never got the answer
sends the same token again at once, though; for a few seconds it is given the very successor that it missed, so that
there is one living token at any time, and whoever else has the old one gains nothing that would not be found out.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from app.db.ids import new_id, print_id
from app.db.lanes import Lanes
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from app.settings import Settings
from auth.audit import Event, Origin, event
from auth.audit_log import write_events
from auth.models import Session
from auth.principal import Principal
from auth.refresh_tokens import SEED, RefreshToken, RefreshTokens
from auth.throttling import Throttle, address_of
from auth.tokens import AccessTokens

T = TypeVar("T")
_ATTEMPTS = 5
_LISTED = 100

_OPEN = """
    INSERT INTO sessions (id, user_id, refresh_seed, created_at, last_used_at, expires_at, ip, user_agent)
    VALUES ($1, $2, $3, $4, $4, $5, $6, $7)
"""
_FOUND = """
    SELECT s.user_id, s.refresh_seed, s.generation, s.created_at, s.last_used_at, s.expires_at,
           s.revoked_at IS NOT NULL OR s.expires_at <= $2 OR s.impersonator_id IS NOT NULL OR NOT u.active AS over
    FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 FOR NO KEY UPDATE OF s
"""
_RENEW = """
    UPDATE sessions SET generation = $2, last_used_at = $3, expires_at = $4, ip = $5, user_agent = $6 WHERE id = $1
"""
_END = "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"
_END_WITH_PARENT = """
    UPDATE sessions SET revoked_at = $2
    WHERE id = (SELECT coalesce(parent_id, id) FROM sessions WHERE id = $1) AND revoked_at IS NULL
"""
_END_ALL = "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL"
# Sessions that an admin has opened as the user are shown to that admin only, and only the one in use.
_LIST = """
    SELECT id, ip, user_agent, created_at, last_used_at FROM sessions
    WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $3 AND (impersonator_id IS NULL OR id = $2)
    ORDER BY id = $2 DESC, last_used_at DESC, id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An open session: who, the tokens, and when they expire. A session as somebody else has no refresh token."""

    principal: Principal
    access_token: str
    expires_at: datetime
    refresh_token: str | None = None
    refresh_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its user sees it."""

    id: UUID
    ip: str | None
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime


class Sessions:
    """The sessions of all users."""

    def __init__(
        self,
        writers: Lanes,
        tokens: AccessTokens,
        refresh_tokens: RefreshTokens,
        throttle: Throttle,
        settings: Settings,
    ) -> None:
        self._writers = writers
        self._throttle = throttle
        self._tokens = tokens
        self._refresh_tokens = refresh_tokens
        self._life = timedelta(seconds=settings.refresh_token_seconds)
        self._longest = timedelta(seconds=settings.session_seconds)
        self._grace = timedelta(seconds=settings.refresh_grace_seconds)

    async def open(self, connection: Any, user_id: UUID, origin: Origin, now: datetime) -> SignedIn:
        """A new session of the user, in the connection's transaction. Nothing of an earlier one goes into it."""
        id, seed = new_id(), secrets.token_bytes(SEED)
        until = now + min(self._life, self._longest)
        await connection.execute(_OPEN, id, user_id, seed, now, until, origin.ip, _agent(origin))
        return self._signed(Principal(user_id, id), 0, seed, until)

    def _signed(self, principal: Principal, generation: int, seed: bytes, until: datetime) -> SignedIn:
        assert principal.session_id is not None
        token, expires = self._tokens.sign(principal.user_id, principal.session_id, until=until)
        refresh = self._refresh_tokens.make(principal.session_id, generation, seed)
        return SignedIn(principal, token, datetime.fromtimestamp(expires, UTC), refresh, until)

    def as_somebody(self, principal: Principal, until: datetime) -> SignedIn:
        """The token of a session that was opened as somebody else. It lasts as long as the session: there is no other
        after it."""
        assert principal.session_id is not None
        token, expires = self._tokens.sign(
            principal.user_id, principal.session_id, principal.impersonator_id, until, whole=True
        )
        return SignedIn(principal, token, datetime.fromtimestamp(expires, UTC))

    async def renew(self, token: str, origin: Origin) -> SignedIn | None:
        """The next tokens of a session; None where the token is not good, without a word on why. The log has it, where
        it was good once; whoever sends such ones again and again has to wait."""
        said = self._refresh_tokens.read(token)
        origin = replace(origin, actor_id=None, token_id=None, impersonator_id=None)
        found = None if said is None else await _repeated(lambda: self._renew(said, origin))
        if isinstance(found, UUID):
            await self._throttle.take(address_of("refreshSession", origin.ip))
            await write_events(self._writers, _failed(origin, found, "refresh token of an ended session"))
            return None
        return found

    async def _renew(self, said: RefreshToken, origin: Origin) -> SignedIn | UUID | None:
        """The next tokens; or whose the session is, where it is over already."""
        now = utcnow()
        async with self._writers.transaction() as connection:
            found = await connection.fetchrow(_FOUND, said.session_id, now)
            if found is None or not self._refresh_tokens.genuine(said, found["refresh_seed"]):
                return None
            user_id, generation = UUID(bytes=found["user_id"].bytes), found["generation"]
            if found["over"]:
                return user_id
            until = found["expires_at"]
            if said.generation == generation:
                generation += 1
                until = min(now + self._life, found["created_at"] + self._longest)
                session = (said.session_id, generation, now, until, origin.ip, _agent(origin))
                await connection.execute(_RENEW, *session)
            elif said.generation + 1 != generation or now > found["last_used_at"] + self._grace:
                await connection.execute(_END, said.session_id, now)
                await write_events(connection, _failed(origin, user_id, "used refresh token: the session is ended"))
                return None
            principal = Principal(user_id, said.session_id)
            told = _event(origin, principal, now, "refreshSession", session=said.session_id)
            await write_events(connection, told)
            return self._signed(principal, generation, found["refresh_seed"], until)

    async def end(self, principal: Principal, origin: Origin, *, wholly: bool = False) -> None:
        """Sign out: the session ends, for the next statement of every worker, and those opened from it with it;
        ``wholly`` where one that was opened as somebody else is to take the session with it from which it was."""
        assert principal.session_id is not None
        now, id = utcnow(), principal.session_id

        async def end() -> None:
            async with self._writers.transaction() as connection:
                if await connection.execute(_END_WITH_PARENT if wholly else _END, id, now) != "UPDATE 0":
                    await write_events(connection, _event(origin, principal, now, "signOut", session=id))

        await _repeated(end)

    async def end_all(self, principal: Principal, origin: Origin) -> None:
        """Sign the user out of all sessions."""
        now = utcnow()

        async def end() -> None:
            async with self._writers.transaction() as connection:
                ended = int((await connection.execute(_END_ALL, principal.user_id, now)).split()[-1])
                await write_events(connection, _event(origin, principal, now, "signOutEverywhere", sessions=ended))

        await _repeated(end)

    async def of(self, principal: Principal) -> Sequence[Listed]:
        """The open sessions of the user, the present one first, then those used last; 100 at most."""
        rows = await self._writers.fetch(_LIST, principal.user_id, principal.session_id, utcnow(), _LISTED)
        return [Listed(UUID(bytes=row["id"].bytes), *tuple(row)[1:]) for row in rows]


def _agent(origin: Origin) -> str | None:
    return (origin.user_agent or "")[:500].replace("\0", "") or None


def _event(origin: Origin, principal: Principal, now: datetime, action: str, **told: UUID | int) -> Event:
    """What a user has done to sessions. They are told of by their typed ids, which open nothing."""
    mine = replace(origin, actor_id=principal.user_id, impersonator_id=principal.impersonator_id)
    changes = {
        name: {"before": None, "after": value if isinstance(value, int) else print_id(Session.prefix, value)}
        for name, value in told.items()
    }
    return event(mine, now, action, entity="User", record_id=principal.user_id, changes=changes)


def _failed(origin: Origin, user_id: UUID, cause: str) -> Event:
    """A token that was refused; who sent it is not known."""
    changes = {"cause": {"before": None, "after": cause}}
    return event(
        origin,
        utcnow(),
        "refreshSession",
        entity="User",
        record_id=user_id,
        changes=changes,
        outcome=AuditOutcome.FAILED,
    )


async def _repeated(work: Callable[[], Awaitable[T]]) -> T:
    """Do it again where PostgreSQL has broken it off in favour of another who wanted the same rows."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await work()
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
            continue
    return await work()
