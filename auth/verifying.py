"""Verifying the audit log: all seals, all values that were not erased, and that nothing was taken out or put in."""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from auth.audit import value_hash
from auth.sealing import SEALED, AuditKeys, Head, as_object, link, next_mac, plain

Pause = Callable[[], Awaitable[None]]
"""Called between two batches, by whoever has other things to do as well."""

_BATCH = 1_000
_CHECKPOINTS = "SELECT * FROM audit_checkpoints ORDER BY number"
_SEALS = f"SELECT * FROM audit_seals WHERE number > $1 ORDER BY number LIMIT {_BATCH}"  # noqa: S608
# One more than there are seals: if they are all between the same two places, one of them has none.
_EVENTS = f"""
    SELECT {", ".join(SEALED)}, changes, salts FROM audit_events
    WHERE (transaction_id, position) > ($1, $2) AND (transaction_id, position) <= ($3, $4)
    ORDER BY transaction_id, position LIMIT $5
"""  # noqa: S608  # Names of our own.
_FIRST_BEFORE = """
    SELECT id FROM audit_events WHERE (transaction_id, position) <= ($1, $2) ORDER BY transaction_id, position LIMIT 1
"""
_AFTER = "SELECT count(*) FROM audit_events WHERE (transaction_id, position) > ($1, $2)"


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check has found. ``problem`` says what is wrong with the event ``broken``, the first that is."""

    ok: bool
    checked: int
    head: Head
    broken: UUID | None = None
    problem: str | None = None
    erased: int = 0
    """Values that were taken out on a person's request, whose hashes still stand."""
    unsealed: int = 0
    """Events after the last seal."""


class BrokenError(Exception):
    """The first event that is not as it was sealed, if it can be named, and what is wrong."""

    def __init__(self, problem: str, event: UUID | None = None) -> None:
        super().__init__(problem)
        self.event = event


class Chain:
    """Walks links from a head on, and raises BrokenError at the first that does not hold.

    A key that has been replaced by a newer one counts for no later link.
    """

    def __init__(self, keys: AuditKeys, head: Head) -> None:
        self._keys = keys.keys
        self._oldest = len(self._keys) - 1
        self.head = head
        self.checked = self.erased = 0

    def follow(self, seal: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Check the next link."""
        number, id = seal["number"], event["id"]
        place = (event["transaction_id"], event["position"])
        if number != self.head.number + 1:
            raise BrokenError(f"The seal number {self.head.number + 1} is missing.", id)
        if place <= self.head.place:
            raise BrokenError("The event stands before one that was sealed earlier.", id)
        content = link(number, seal["sealed_at"], event)
        for age in range(self._oldest, -1, -1):
            if hmac.compare_digest(next_mac(self._keys[age], self.head.mac, content), seal["mac"]):
                self._oldest = age
                break
        else:
            hint = "" if self.checked else " If all events are broken, the key is not the one that sealed them."
            raise BrokenError(f"The event is not as it was sealed, or its seal is not the server's.{hint}", id)
        self._values(id, event)
        self.head = Head(number, seal["mac"], place)
        self.checked += 1

    def _values(self, id: UUID, event: Mapping[str, Any]) -> None:
        changes, salts, hashes = (_object(event[name]) for name in ("changes", "salts", "hashes"))
        for field, change in changes.items():
            try:
                right = value_hash(salts[field], field, change) == hashes[field]
            except (KeyError, ValueError, TypeError, AttributeError):
                right = False
            if not right:
                raise BrokenError(f"The value of {field} is not the one that was sealed.", id)
        self.erased += len(hashes.keys() - changes.keys())


def _object(value: Any) -> dict[str, Any]:
    found = as_object(value)
    return found if isinstance(found, dict) else {}


def signature(key: bytes, checkpoint: Mapping[str, Any]) -> bytes:
    """What only the holder of the key can put on a checkpoint."""
    names = ("number", "event_id", "transaction_id", "position", "archived_at")
    said = orjson.dumps([*(plain(checkpoint[name]) for name in names), checkpoint["mac"].hex()])
    return hmac.digest(key, b"checkpoint" + said, "sha256")


async def verify(
    connection: asyncpg.Connection,
    keys: AuditKeys,
    *,
    saved: tuple[int, bytes] | None = None,
    pause: Pause | None = None,
) -> Verification:
    """Check the whole log, against a head that was saved earlier (its number and MAC) if one is given.

    It reads as of one moment, so that it can go on for long while others write.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        walk = _Walk(connection, keys, saved)
        try:
            await walk.whole(pause)
        except BrokenError as error:
            chain = walk.chain
            return Verification(False, chain.checked, chain.head, error.event, str(error), chain.erased)
        unsealed = await connection.fetchval(_AFTER, *walk.chain.head.place)
        return Verification(True, walk.chain.checked, walk.chain.head, erased=walk.chain.erased, unsealed=unsealed)


async def beginning(connection: asyncpg.Connection, keys: AuditKeys) -> Head:
    """Where the chain begins: after all that was archived. BrokenError where a checkpoint is not the server's."""
    head = Head()
    for checkpoint in await connection.fetch(_CHECKPOINTS):
        signed = (hmac.compare_digest(signature(key, checkpoint), checkpoint["signature"]) for key in keys.keys)
        if not any(signed):
            raise BrokenError(
                f"The checkpoint at number {checkpoint['number']} is not the server's: what came before it was not"
                " archived, but taken out.",
                checkpoint["event_id"],
            )
        head = Head(checkpoint["number"], checkpoint["mac"], (checkpoint["transaction_id"], checkpoint["position"]))
    return head


class _Walk:
    def __init__(self, connection: asyncpg.Connection, keys: AuditKeys, saved: tuple[int, bytes] | None) -> None:
        self._connection = connection
        self._keys = keys
        self._saved = saved
        self.chain = Chain(keys, Head())

    async def whole(self, pause: Pause | None) -> None:
        self.chain.head = await beginning(self._connection, self._keys)
        early = await self._connection.fetchval(_FIRST_BEFORE, *self.chain.head.place)
        if early is not None:
            raise BrokenError("The event was put in before the beginning of the chain.", early)
        if self._saved is not None and self._saved[0] < self.chain.head.number:
            await self._archived(self._saved)
        while seals := await self._connection.fetch(_SEALS, self.chain.head.number):
            await self._batch(seals)
            if pause is not None:
                await pause()
        if self._saved is not None and self._saved[0] > self.chain.head.number:
            raise BrokenError(
                f"The chain ends at number {self.chain.head.number}, but it had reached {self._saved[0]} when its head"
                " was saved: its end has been cut off."
            )

    async def _archived(self, saved: tuple[int, bytes]) -> None:
        mac = await self._connection.fetchval("SELECT mac FROM audit_checkpoints WHERE number = $1", saved[0])
        if mac is not None and mac != saved[1]:
            raise BrokenError(f"Number {saved[0]} is archived with another MAC than the saved head has.")

    async def _batch(self, seals: Sequence[asyncpg.Record]) -> None:
        last = seals[-1]
        place = (last["transaction_id"], last["position"])
        events = iter(await self._connection.fetch(_EVENTS, *self.chain.head.place, *place, len(seals) + 1))
        event = next(events, None)
        for seal in seals:
            if seal["number"] != self.chain.head.number + 1:
                raise BrokenError(f"The seal number {self.chain.head.number + 1} is missing.", event and event["id"])
            here = (seal["transaction_id"], seal["position"])
            if event is not None and (event["transaction_id"], event["position"]) < here:
                raise BrokenError("The event was put in later: it has no seal.", event["id"])
            if event is None or event["id"] != seal["event_id"]:
                raise BrokenError("The event is gone from its place.", seal["event_id"])
            self.chain.follow(seal, event)
            if self._saved == (seal["number"], seal["mac"]):
                self._saved = None
            elif self._saved is not None and self._saved[0] == seal["number"]:
                raise BrokenError("Up to here, the chain is not the one whose head was saved.", event["id"])
            event = next(events, None)
