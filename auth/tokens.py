"""Access tokens: short-lived JWTs, verified once and remembered until they expire."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt

from app.errors import UnauthenticatedError
from auth.principal import Principal

_ALGORITHM = "HS256"
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    principal: Principal
    expires: float


class AccessTokens:
    """Signs access tokens under a key derived from the server's secret, and verifies them by the key that they name: of
    that secret, or of a former one."""

    def __init__(self, secret: str, seconds: int, former: Sequence[str] = ()) -> None:
        keys = [sha256(b"access token\0" + each.encode()).digest() for each in (secret, *former)]
        self._keys = {sha256(key).hexdigest()[:8]: key for key in reversed(keys)}
        self._key, self._kid = keys[0], sha256(keys[0]).hexdigest()[:8]
        self._seconds = seconds
        self._verified: OrderedDict[str, Claims] = OrderedDict()

    def sign(
        self,
        user_id: UUID,
        session_id: UUID,
        impersonator_id: UUID | None = None,
        until: datetime | None = None,
        *,
        whole: bool = False,
    ) -> tuple[str, int]:
        """A token, and when it expires in seconds since 1970: never after ``until``, the end of the session, and just
        then if it is to last for the ``whole`` of it."""
        now = int(time.time())
        expires = now + self._seconds
        if until is not None:
            end = int(until.timestamp())
            expires = end if whole else min(expires, end)
        claims: dict[str, Any] = {"sub": str(user_id), "sid": str(session_id), "iat": now, "exp": expires}
        if impersonator_id is not None:
            claims["imp"] = str(impersonator_id)
        return jwt.encode(claims, self._key, _ALGORITHM, headers={"kid": self._kid}), expires

    def verify(self, token: str) -> Claims:
        """The claims of a token. UnauthenticatedError says whether it is expired or invalid."""
        found = self._verified.get(token)
        if found is None:
            found = self._decode(token)
            self._verified[token] = found
            if len(self._verified) > _KEPT:
                self._verified.popitem(last=False)
        if found.expires <= time.time():
            raise UnauthenticatedError("The token has expired: sign in again.", reason="expired")
        return found

    def _decode(self, token: str) -> Claims:
        try:
            key = self._keys.get(jwt.get_unverified_header(token).get("kid", self._kid), self._key)
            said = jwt.decode(token, key, [_ALGORITHM], options={"require": ["sub", "sid", "exp"], "verify_exp": False})
            impersonator = UUID(said["imp"]) if "imp" in said else None
            principal = Principal(UUID(said["sub"]), UUID(said["sid"]), impersonator_id=impersonator)
            return Claims(principal, float(said["exp"]))
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise UnauthenticatedError("The token is not one of this server.", reason="invalid") from None
