"""Second factors: codes by the clock (TOTP, RFC 6238), and recovery codes for the day on which the clock is lost.

The secret is kept encrypted under a key made of the server's secret, recovery codes as hashes. A code is good once: the
step of the last one that was used is kept, and none of that step or before is taken again (RFC 6238, 5.2).
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import RateLimitedError

_STEP = 30
_DRIFT = 1
"""Steps by which a clock may be off, to either side."""
_NONCE = 12
RECOVERY_CODES = 10
_RECOVERY_LENGTH = 16
_FREE = 5
"""Wrong codes in a row after which each next one has to wait, a second at first, then twice as long each time."""
_LONGEST_WAIT = 3_600

_FACTOR = "SELECT secret, confirmed_at, last_step, failures, tried_at FROM second_factors WHERE user_id = $1 FOR UPDATE"
_ENROL = """
    INSERT INTO second_factors (user_id, secret, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (user_id) DO UPDATE SET secret = $2, created_at = $3, failures = 0, tried_at = NULL, last_step = NULL
    WHERE second_factors.confirmed_at IS NULL RETURNING true
"""
_CONFIRM = "UPDATE second_factors SET confirmed_at = $2 WHERE user_id = $1"
_USED = "UPDATE second_factors SET last_step = $2, failures = 0, tried_at = $3, secret = $4 WHERE user_id = $1"
_WRONG = "UPDATE second_factors SET failures = failures + 1, tried_at = $2 WHERE user_id = $1"
_RECOVER = """
    UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL RETURNING true
"""
_NEW_CODES = """
    WITH old AS (DELETE FROM recovery_codes WHERE user_id = $1)
    INSERT INTO recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])
"""
_STATE = """
    SELECT count(*) FILTER (WHERE f.confirmed_at IS NOT NULL) > 0 AS enabled,
           (SELECT count(*) FROM recovery_codes r WHERE r.user_id = $1 AND r.used_at IS NULL) AS left
    FROM second_factors f WHERE f.user_id = $1
"""
_REMOVE = "WITH codes AS (DELETE FROM recovery_codes WHERE user_id = $1) DELETE FROM second_factors WHERE user_id = $1"


@dataclass(frozen=True, slots=True)
class State:
    """Whether a user has a second factor, and how many recovery codes are unused."""

    enabled: bool
    recovery_codes_left: int


class SecondFactors:
    """The second factors of all users. Each method works in the connection's transaction."""

    def __init__(self, secret: str, former: Sequence[str], issuer: str) -> None:
        self._keys = [AESGCM(sha256(b"second factor\0" + each.encode()).digest()) for each in (secret, *former)]
        self._issuer = issuer

    async def enrol(self, connection: Any, user_id: UUID, email: str, now: datetime) -> tuple[str, str] | None:
        """A new secret, and the same as a URI for a QR code; None where there is a factor in force. It counts from its
        first code on."""
        secret = pyotp.random_base32()
        if await connection.fetchval(_ENROL, user_id, self._sealed(secret, user_id), now) is None:
            return None
        return secret, pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=self._issuer)

    async def confirm(self, connection: Any, user_id: UUID, code: str, now: datetime) -> list[str] | None:
        """Put the factor in force by its first code: its recovery codes, shown this once; None for a wrong code."""
        found = await connection.fetchrow(_FACTOR, user_id)
        if found is None or found["confirmed_at"] is not None:
            return None
        if not await self._checked(connection, user_id, found, code, now):
            return None
        await connection.execute(_CONFIRM, user_id, now)
        return await self.renew_codes(connection, user_id)

    async def renew_codes(self, connection: Any, user_id: UUID) -> list[str]:
        """New recovery codes in place of all old ones."""
        codes = [pyotp.random_base32(32)[:_RECOVERY_LENGTH].lower() for _ in range(RECOVERY_CODES)]
        await connection.execute(_NEW_CODES, user_id, [_hash(user_id, code) for code in codes])
        return ["-".join(code[place : place + 4] for place in range(0, _RECOVERY_LENGTH, 4)) for code in codes]

    async def remove(self, connection: Any, user_id: UUID) -> None:
        """Do without a factor."""
        await connection.execute(_REMOVE, user_id)

    async def needed(self, connection: Any, user_id: UUID) -> bool:
        """Whether a sign-in of the user needs a code."""
        found = await connection.fetchrow(_FACTOR, user_id)
        return found is not None and found["confirmed_at"] is not None

    async def check(self, connection: Any, user_id: UUID, code: str, now: datetime) -> bool:
        """Whether ``code`` is good for the user's factor in force, and then it is used. RateLimitedError where too many
        were wrong just now. What is noted of a wrong one is to be committed."""
        found = await connection.fetchrow(_FACTOR, user_id)
        if found is None or found["confirmed_at"] is None:
            return False
        said = code.replace("-", "").replace(" ", "").lower()
        if len(said) == _RECOVERY_LENGTH:
            # These cannot be guessed, so that nobody has to wait who has one.
            return bool(await connection.fetchval(_RECOVER, user_id, _hash(user_id, said), now))
        return await self._checked(connection, user_id, found, said, now)

    async def state(self, connection: Any, user_id: UUID) -> State:
        """What the user has."""
        found = await connection.fetchrow(_STATE, user_id)
        return State(found["enabled"], found["left"])

    async def _checked(self, connection: Any, user_id: UUID, found: Any, code: str, now: datetime) -> bool:
        if found["failures"] >= _FREE and found["tried_at"] is not None:
            wait = min(2 ** (found["failures"] - _FREE), _LONGEST_WAIT)
            left = (found["tried_at"] + timedelta(seconds=wait) - now).total_seconds()
            if left > 0:
                said = "Too many wrong codes: wait, or use a recovery code."
                raise RateLimitedError(said, retryAfter=max(1, round(left)))
        secret = self._opened(found["secret"], user_id)
        step = None if secret is None else _step(secret, code, now, found["last_step"])
        if secret is None or step is None:
            await connection.execute(_WRONG, user_id, now)
            return False
        # Under the present key, whichever it was under before.
        await connection.execute(_USED, user_id, step, now, self._sealed(secret, user_id))
        return True

    def _sealed(self, secret: str, user_id: UUID) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, secret.encode(), user_id.bytes)

    def _opened(self, sealed: bytes, user_id: UUID) -> str | None:
        for key in self._keys:
            try:
                return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], user_id.bytes).decode()
            except (InvalidTag, ValueError):
                continue
        return None


def _step(secret: str, code: str, now: datetime, last: int | None) -> int | None:
    """The step whose code this is, of those about now that come after ``last``."""
    present = int(now.timestamp()) // _STEP
    totp = pyotp.TOTP(secret)
    found = None
    for step in range(present - _DRIFT, present + _DRIFT + 1):
        same = hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())
        if same and (last is None or step > last):
            found = step
    return found


def _hash(user_id: UUID, code: str) -> bytes:
    return sha256(user_id.bytes + code.encode()).digest()
