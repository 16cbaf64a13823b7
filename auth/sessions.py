"""Sessions: opening them."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.db.ids import new_id
from auth.audit import Origin
from auth.principal import Principal
from auth.refresh_tokens import SEED, RefreshTokens
from auth.tokens import AccessTokens

_OPEN = """
    INSERT INTO sessions (id, user_id, refresh_seed, created_at, last_used_at, expires_at, ip, user_agent)
    VALUES ($1, $2, $3, $4, $4, $5, $6, $7)
"""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An open session: who, the tokens, and when the access token expires."""

    principal: Principal
    access_token: str
    refresh_token: str | None
    expires_at: datetime


class Sessions:
    """Opens sessions."""

    def __init__(self, tokens: AccessTokens, refresh_tokens: RefreshTokens, refresh_seconds: int) -> None:
        self._tokens = tokens
        self._refresh_tokens = refresh_tokens
        self._life = timedelta(seconds=refresh_seconds)

    async def open(self, connection: Any, user_id: UUID, origin: Origin, now: datetime) -> SignedIn:
        """A new session of the user, in the connection's transaction."""
        id, seed, until = new_id(), secrets.token_bytes(SEED), now + self._life
        agent = (origin.user_agent or "")[:500].replace("\0", "") or None
        await connection.execute(_OPEN, id, user_id, seed, now, until, origin.ip, agent)
        token, expires = self._tokens.sign(user_id, id, until=until)
        refresh = self._refresh_tokens.make(id, 0, seed)
        return SignedIn(Principal(user_id, id), token, refresh, datetime.fromtimestamp(expires, UTC))
