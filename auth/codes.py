"""One-time codes: what is mailed to somebody who has no password, or has forgotten it, and proves that it got there.

A code has 130 random bits, is kept as a SHA-256 hash only, and is good once and for a time. Each user has one of each
purpose: a new one takes the place of the old. After ``GUESSES`` wrong guesses it is dead.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from app.db.ids import new_id


class Purpose(StrEnum):
    """What a code is good for."""

    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105  # A purpose, no password.
    INVITATION = "INVITATION"


LIFE = {Purpose.PASSWORD_RESET: timedelta(hours=1), Purpose.INVITATION: timedelta(days=7)}
"""How long a code is good."""

GUESSES = 100
"""So many that nobody can end another one's code by a few wrong guesses, each of which slows the guesser's address
down; and far too few to find one."""

# Crockford's base 32 has no letters that are taken for digits, so that a code can be read out.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26
_LONGEST = 100

_ISSUE = """
    INSERT INTO one_time_codes (id, user_id, purpose, code_hash, created_at, expires_at, guesses)
    VALUES ($1, $2, $3, $4, $5, $6, 0)
    ON CONFLICT (user_id, purpose) DO UPDATE SET id = excluded.id, code_hash = excluded.code_hash,
        created_at = excluded.created_at, expires_at = excluded.expires_at, guesses = 0, used_at = NULL
"""
_GUESS = f"""
    UPDATE one_time_codes SET
        used_at = CASE WHEN code_hash = $3 AND $5::boolean THEN $4::timestamptz END,
        guesses = guesses + CASE WHEN code_hash = $3 THEN 0 ELSE 1 END
    WHERE user_id = $1 AND purpose = ANY($2::text[])
        AND used_at IS NULL AND expires_at > $4 AND guesses < {GUESSES}
    RETURNING code_hash = $3 AS right
"""  # noqa: S608  # A number of our own.


async def issue(connection: Any, user_id: UUID, purpose: Purpose, now: datetime) -> str:
    """A new code for a user. Only its hash is kept, so this is the only time that it is there to be sent."""
    code, hashed = fresh()
    await connection.execute(_ISSUE, new_id(), user_id, purpose.value, hashed, now, now + LIFE[purpose])
    return code


def fresh() -> tuple[str, bytes]:
    """A code that nobody had yet, and its hash."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return code, _hash(code)


async def redeem(
    connection: Any, user_id: UUID, code: str, purposes: Sequence[Purpose], now: datetime, *, use: bool = True
) -> bool:
    """Use a code up (or only look at it); False where it is not one of that user and one of the purposes, or no longer
    good. A wrong guess counts once the connection's transaction is committed: do not roll it back."""
    hashed = _hash(_plain(code))
    found = await connection.fetch(_GUESS, user_id, [each.value for each in purposes], hashed, now, use)
    return any(row["right"] for row in found)


async def forget(connection: Any, user_id: UUID) -> None:
    """End all codes of a user, as when it has set a password."""
    await connection.execute("DELETE FROM one_time_codes WHERE user_id = $1", user_id)


def link(page: str | None, email: str, code: str) -> str | None:
    """The link to the page where a password is set, if there is one. What follows # is not sent to any server, and
    stands in no log."""
    return None if page is None else f"{page}#{urlencode({'email': email, 'code': code})}"


def _plain(code: str) -> str:
    """The code as it was issued, from what a person made of it."""
    return "".join(c for c in code[:_LONGEST].lower() if c not in " -\t\r\n")


def _hash(code: str) -> bytes:
    return sha256(code.encode(errors="surrogatepass")).digest()
