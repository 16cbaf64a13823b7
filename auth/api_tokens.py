"""API tokens as requests bring them: from a secret to who calls, without a statement of its own.

A secret that was found good is remembered by its hash, with whom it speaks for. Whether it still is good is asked with
the rights (see auth/loading.py): when the token is revoked or rotated, its owner's access version rises, so that the
next statement of every process finds out.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import structlog

from app.domain.api_tokens import Network
from app.errors import UnauthenticatedError
from auth.principal import Principal
from auth.token_secrets import is_secret, secret_hash

FLUSH_SECONDS = 60.0
_KEPT = 10_000
_FIND = "SELECT id, owner_id, allowed_ips FROM api_tokens WHERE secret_hash = $1 OR former_hash = $1"
_USED = """
    UPDATE api_tokens t SET
        last_used_at = greatest(t.last_used_at, u.at),
        requests_total = t.requests_total + u.count,
        requests_counted = CASE WHEN t.counted_on > $4 THEN t.requests_counted
                                WHEN t.counted_on = $4 THEN t.requests_counted + u.count ELSE u.count END,
        counted_on = greatest(t.counted_on, $4)
    FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) AS u (id, count, at)
    WHERE t.id = u.id AND coalesce(u.at < t.revoked_at, true) AND coalesce(u.at < t.expires_at, true)
"""
_log = structlog.get_logger("rapport.api_tokens")


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    networks: Sequence[Network]


@dataclass(slots=True)
class _Use:
    count: int = 0
    last: float = 0.0


class ApiTokens:
    """Finds out for whom the secrets of API tokens speak, and counts how they are used."""

    def __init__(self, readers: Any, writers: Any) -> None:
        self._readers = readers
        self._writers = writers
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._used: dict[UUID, _Use] = {}

    async def verify(self, secret: str, ip: str | None) -> Principal:
        """Who calls with ``secret`` from ``ip``. UnauthenticatedError where nobody does, or not from there."""
        if not is_secret(secret):
            raise _unknown()
        hashed = secret_hash(secret)
        known = self._known.get(hashed)
        if known is None:
            known = await self._find(hashed)
        if known.networks and not _is_among(ip, known.networks):
            raise UnauthenticatedError(f"This token is not good from the address {ip}.", reason="invalid")
        self._note(known.principal.token_id)
        return known.principal

    async def _find(self, hashed: bytes) -> _Known:
        found = await self._readers.fetchrow(_FIND, hashed)
        if found is None:
            raise _unknown()
        owner, token = (UUID(bytes=found[name].bytes) for name in ("owner_id", "id"))
        networks = tuple(ip_network(text) for text in found["allowed_ips"])
        known = self._known[hashed] = _Known(Principal(owner, token_id=token, secret_hash=hashed), networks)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return known

    def _note(self, token_id: UUID | None) -> None:
        assert token_id is not None
        use = self._used.get(token_id)
        if use is None:
            use = self._used[token_id] = _Use()
        use.count += 1
        use.last = time.time()

    async def flush(self) -> None:
        """Write how tokens were used since the last time."""
        used, self._used = self._used, {}
        if used:
            counts = [use.count for use in used.values()]
            moments = [datetime.fromtimestamp(use.last, UTC) for use in used.values()]
            await self._writers.fetch(_USED, list(used), counts, moments, datetime.now(UTC).date())

    async def run(self) -> None:
        """Write once a minute until cancelled. What could not be written is lost: these are figures, not records."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.close()

    async def close(self) -> None:
        """Write for the last time; whatever is wrong with the database, the rest of the server can end."""
        try:
            await self.flush()
        except Exception:
            _log.exception("the use of tokens was not written")


def _unknown() -> UnauthenticatedError:
    return UnauthenticatedError("The token is not one of this server.", reason="invalid")


def _is_among(ip: str | None, networks: Sequence[Network]) -> bool:
    try:
        address = ip_address(ip or "")
    except ValueError:
        return False
    # A server that listens on both families sees IPv4 addresses mapped into IPv6.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)
