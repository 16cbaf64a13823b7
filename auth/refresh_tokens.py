"""Refresh tokens: what renews a session. Each is good once, and the next one is made of it.

A token holds the id of its session, its place in the session's row of tokens, and an HMAC over both and the session's
seed, under a key made of the server's secret. So an old token is known for one that was genuine, whoever has read the
database cannot make one, and the successor of a token can be made a second time for a client that never got it.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

_LENGTH = 52
SEED = 32
"""Bytes of a seed."""


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a token says, and the proof that it was given out."""

    session_id: UUID
    generation: int
    proof: bytes


class RefreshTokens:
    """Makes refresh tokens and reads them; those made under former secrets are genuine too."""

    def __init__(self, secret: str, former: Sequence[str] = ()) -> None:
        self._keys = [sha256(b"refresh token\0" + each.encode()).digest() for each in (secret, *former)]

    def make(self, session_id: UUID, generation: int, seed: bytes) -> str:
        """The token of that place."""
        said = _said(session_id, generation)
        return base64.urlsafe_b64encode(said + _proof(self._keys[0], said, seed)).decode().rstrip("=")

    def read(self, token: str) -> RefreshToken | None:
        """What a token says; None where it is not one of any server."""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        if len(data) != _LENGTH:
            return None
        return RefreshToken(UUID(bytes=data[:16]), int.from_bytes(data[16:20], "big"), data[20:])

    def genuine(self, token: RefreshToken, seed: bytes) -> bool:
        """Whether this token of a session with that seed was given out by this server."""
        said = _said(token.session_id, token.generation)
        return any(hmac.compare_digest(_proof(key, said, seed), token.proof) for key in self._keys)


def _said(session_id: UUID, generation: int) -> bytes:
    return session_id.bytes + generation.to_bytes(4, "big")


def _proof(key: bytes, said: bytes, seed: bytes) -> bytes:
    return hmac.digest(key, said + seed, "sha256")
