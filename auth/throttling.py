"""Slowing down whoever guesses: after some failures 1 s, doubling to an hour, for an account and for an address.

An attempt counts before it is looked at, so that a hundred at once are a hundred. While there is a wait, nothing is
looked at and nothing counts: a right password is refused as well, and waiting is all that it takes. The counts are in
the database, one for all workers. An account is counted by what was typed, whether there is one or not.

From an address where somebody has signed in of late, that account has a count of its own: guesses from elsewhere make
whoever it belongs to wait nowhere but there.
"""

import math
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Any

from app.db.lanes import Lanes
from app.errors import RateLimitedError

ACCOUNT_FREE, ADDRESS_FREE = 5, 20
"""Failures that make nobody wait: people mistype, and share addresses."""

LONGEST = 3600
"""Seconds of the longest wait."""

FORGOTTEN_HOURS = 24
"""After so long without a failure, it begins anew."""

_WAITING = """
    SELECT extract(epoch FROM max(until) - clock_timestamp())::float8 FROM slowed_down
    WHERE key = ANY($1::bytea[]) AND until > clock_timestamp()
"""
_TAKE = f"""
    WITH held AS (
        SELECT until FROM slowed_down WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE
    ), waiting AS (
        SELECT extract(epoch FROM max(until) - clock_timestamp())::float8 AS seconds FROM held
    ), counted AS (
        INSERT INTO slowed_down AS s (key, failures, failed_at, until)
        SELECT key, 1 - free, clock_timestamp(), clock_timestamp()
        FROM unnest($1::bytea[], $2::int[]) AS wanted (key, free), waiting
        WHERE coalesce(waiting.seconds, 0) <= 0 ORDER BY key
        ON CONFLICT (key) DO UPDATE SET (failures, failed_at, until) = (
            SELECT n, excluded.failed_at,
                excluded.failed_at
                    + make_interval(secs => CASE WHEN n < 1 THEN 0 ELSE least(2 ^ (n - 1), {LONGEST}) END)
            FROM (SELECT CASE WHEN s.failed_at < excluded.failed_at - interval '{FORGOTTEN_HOURS} hours'
                              THEN excluded.failures ELSE least(s.failures + 1, 20) END AS n) AS next
        )
    )
    SELECT seconds FROM waiting
"""  # noqa: S608  # Numbers of our own.
_SUCCESS = """
    WITH held AS (
        SELECT key FROM slowed_down WHERE key IN ($1, $2) ORDER BY key FOR UPDATE
    ), account AS (
        DELETE FROM slowed_down s USING held WHERE s.key = held.key AND s.key = $1
    )
    UPDATE slowed_down s SET failures = greatest(s.failures - 2, - $3::int), until = clock_timestamp()
    FROM held WHERE s.key = held.key AND s.key = $2
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Something whose failures are counted: the hash under which they are, and how many are free."""

    key: bytes
    free: int


class Throttle:
    """The counts of failures, as all workers share them."""

    def __init__(self, writers: Lanes) -> None:
        self._writers = writers

    async def take(self, *counted: Counted | None) -> None:
        """Count an attempt as if it had failed; RateLimitedError, with the seconds to wait, where there is a wait."""
        found = [each for each in counted if each is not None]
        keys = [each.key for each in found]
        # Whoever hammers on while waiting costs one look, and no write.
        seconds = (await self._writers.fetchrow(_WAITING, keys))[0]
        if seconds is None:
            seconds = (await self._writers.fetchrow(_TAKE, keys, [each.free for each in found]))[0]
        if seconds is not None and seconds > 0:
            wait = max(1, math.ceil(seconds))
            raise RateLimitedError(f"Too many attempts have failed: wait {wait} s, then try again.", retryAfter=wait)


async def succeeded(connection: Any, account: Counted | None, address: Counted | None) -> None:
    """Take back an attempt that did not fail, in the transaction of what it did: the account begins anew, the address
    is given one failure more."""
    nothing = Counted(b"", 0)
    account, address = account or nothing, address or nothing
    await connection.fetch(_SUCCESS, account.key, address.key, address.free)


def account_of(kind: str, name: str, address: str | None = None) -> Counted:
    """The count of an account: of ``kind`` of guesses, by its name in lower case as the database has it. With an
    address, the count of guesses from there."""
    return Counted(_hash(kind, name, place_of(address) if address else ""), ACCOUNT_FREE)


def address_of(kind: str, ip: str | None) -> Counted | None:
    """The count of an address; None where it is not known."""
    return Counted(_hash(kind, "address", place_of(ip)), ADDRESS_FREE) if ip else None


def place_of(ip: str) -> str:
    """The address, or the network of an IPv6 address that is one customer's (/64)."""
    try:
        found = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(found)


def _hash(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode(errors="surrogatepass")).digest()
