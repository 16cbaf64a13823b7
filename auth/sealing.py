"""Sealing: audit events are chained, each by a MAC over the MAC before it and everything of the event but its values.

MAC n = HMAC-SHA256(key, MAC n-1 ‖ link n). MAC 0 is 32 zero bytes. A link is a JSON list of the number, the moment of
sealing, and the columns of the event in the order of ``SEALED``, the salted hashes of values among them; the values
themselves and their salts are left out, so that they can be erased. The key is not in the database.

Events are read below the oldest transaction still under way, in the order of their places: whoever writes waits for
nothing, and no event can turn up before one that has its seal.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.db.places import BELOW
from app.models.base import utcnow
from app.secret import audit_secrets
from app.settings import Settings

SEALED = (
    "id",
    "transaction_id",
    "position",
    "at",
    "actor_id",
    "token_id",
    "impersonator_id",
    "action",
    "entity",
    "record_id",
    "record_version",
    "outcome",
    "hashes",
    "ip",
    "user_agent",
    "request_id",
)
"""The columns of an event that its seal covers, in their order."""

BATCH = 500
_FORMAT = 1
_NEXT = f"""
    SELECT {", ".join(SEALED)} FROM audit_events
    WHERE (transaction_id, position) > ($1, $2) AND transaction_id < {BELOW}
    ORDER BY transaction_id, position LIMIT {BATCH}
"""  # noqa: S608  # Names of our own.
_ADD = """
    INSERT INTO audit_seals (number, event_id, transaction_id, position, mac, sealed_at)
    SELECT n.*, $6::timestamptz
    FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bytea[]) n
"""
_LAST = """
    SELECT number, mac, transaction_id, position FROM (
        (SELECT number, mac, transaction_id, position FROM audit_seals ORDER BY number DESC LIMIT 1)
        UNION ALL
        (SELECT number, mac, transaction_id, position FROM audit_checkpoints ORDER BY number DESC LIMIT 1)
    ) AS ends ORDER BY number DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many events have been sealed, the MAC there, and the place of the last one."""

    number: int = 0
    mac: bytes = bytes(32)
    place: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        return f"{self.number}:{self.mac.hex()}"


class AuditKeys:
    """The keys of seals: the present one, and those from before, with which older seals were made."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self.keys = tuple(hmac.digest(secret.encode(), b"audit seals", "sha256") for secret in secrets)

    @classmethod
    def of(cls, settings: Settings) -> "AuditKeys":
        """The keys of these settings."""
        return cls(audit_secrets(settings))

    @property
    def present(self) -> bytes:
        """The key of new seals."""
        return self.keys[0]


def plain(value: Any) -> Any:
    """A column of an event as a seal and an export tell it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return value.hex
    return value


def as_object(value: Any) -> Any:
    """What a column of JSON holds, whether it comes as text or read already."""
    return orjson.loads(value) if isinstance(value, str) else value


def link(number: int, sealed_at: datetime, event: Mapping[str, Any]) -> bytes:
    """The bytes of an event that its seal covers."""
    said = [as_object(event[name]) if name == "hashes" else plain(event[name]) for name in SEALED]
    return orjson.dumps([_FORMAT, number, plain(sealed_at), *said], option=orjson.OPT_SORT_KEYS)


def next_mac(key: bytes, before: bytes, content: bytes) -> bytes:
    """The MAC of a link after the one before it."""
    return hmac.digest(key, before + content, "sha256")


async def head_of(connection: asyncpg.Connection) -> Head:
    """The end of the chain as the database has it."""
    found = await connection.fetchrow(_LAST)
    if found is None:
        return Head()
    return Head(found["number"], found["mac"], (found["transaction_id"], found["position"]))


async def seal(connection: asyncpg.Connection, keys: AuditKeys, head: Head) -> Head:
    """Seal the next batch of events after ``head``, and return the new end; the same where there are none.

    Only one at a time may do so. Two would make the same number twice, and the second one fails.
    """
    events = await connection.fetch(_NEXT, *head.place)
    if not events:
        return head
    now, key, mac = utcnow(), keys.present, head.mac
    numbers = range(head.number + 1, head.number + 1 + len(events))
    macs = []
    for number, event in zip(numbers, events, strict=True):
        mac = next_mac(key, mac, link(number, now, event))
        macs.append(mac)
    ids, transactions, positions = ([event[name] for event in events] for name in ("id", "transaction_id", "position"))
    await connection.execute(_ADD, list(numbers), ids, transactions, positions, macs, now)
    return Head(numbers[-1], mac, (transactions[-1], positions[-1]))


async def seal_all(connection: asyncpg.Connection, keys: AuditKeys, head: Head | None = None) -> Head:
    """Seal all that can be sealed by now."""
    here = head or await head_of(connection)
    while (reached := await seal(connection, keys, here)) != here:
        here = reached
    return here
