"""Moving events out of the audit log: exporting them, and archiving old ones so that the rest still verifies.

A line of a file is an event as JSON: all its columns, and the number, moment and MAC of its seal. The MAC can be
checked from there on with the key, and the last number and MAC of an archive stand in its checkpoint in the database.
"""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID

import asyncpg
import orjson

from app.mistakes import UserMistakeError
from app.models.base import utcnow
from auth.sealing import SEALED, AuditKeys, Head, plain
from auth.verifying import BrokenError, Chain, beginning, signature

KEPT_DAYS = 30
"""Events younger than this never leave; a trigger sees to it."""

_LOCK = 7_240_525
_BATCH = 5_000
_COLUMNS = (*SEALED, "changes", "salts")
_LISTED = ", ".join(f"e.{name}" for name in _COLUMNS)
_OLDEST = f"""
    SELECT s.number, s.sealed_at, s.mac, {_LISTED} FROM audit_seals s JOIN audit_events e ON e.id = s.event_id
    ORDER BY s.number LIMIT {_BATCH}
"""  # noqa: S608  # Names of our own.
_BETWEEN = f"""
    SELECT s.number, s.sealed_at, s.mac, {_LISTED} FROM audit_events e LEFT JOIN audit_seals s ON s.event_id = e.id
    WHERE ($1::timestamptz IS NULL OR e.at >= $1) AND ($2::timestamptz IS NULL OR e.at < $2)
    ORDER BY e.transaction_id, e.position
"""  # noqa: S608
_CHECKPOINT = """
    INSERT INTO audit_checkpoints (number, event_id, transaction_id, position, mac, archived_at, signature)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


class ArchiveRefusedError(UserMistakeError):
    """The archive cannot be made or read; the message says why."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What was moved out: how many events, and the first and last number."""

    events: int
    first: int = 0
    last: int = 0


def line(row: Mapping[str, Any]) -> bytes:
    """An event with its seal as a line of a file."""
    told = {name: plain(row[name]) for name in ("number", "sealed_at", *_COLUMNS)}
    for name in ("hashes", "changes", "salts"):
        told[name] = orjson.Fragment(row[name]) if row[name] else None
    told["mac"] = row["mac"].hex() if row["mac"] else None
    return orjson.dumps(told) + b"\n"


async def export(
    connection: asyncpg.Connection, since: datetime | None, until: datetime | None
) -> AsyncIterator[bytes]:
    """The lines of the events from ``since`` on and before ``until``, sealed or not, as of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(_BETWEEN, since, until, prefetch=1_000):
            yield line(row)


async def archive(connection: asyncpg.Connection, keys: AuditKeys, before: datetime, file: BinaryIO) -> Archived:
    """Move the events at the beginning of the chain, up to the first that is not from before ``before``, to ``file``.

    Batch by batch: what is in the file and on the disk goes from the database in one transaction with its checkpoint.
    BrokenError where the chain does not hold: nothing that is broken is archived.
    """
    if before > utcnow() - timedelta(days=KEPT_DAYS):
        raise ArchiveRefusedError(f"The last {KEPT_DAYS} days stay: archive what is older.")
    done = Archived(0)
    while batch := await _batch(connection, keys, before, file):
        done = Archived(done.events + batch.events, done.first or batch.first, batch.last)
    return done


async def _batch(connection: asyncpg.Connection, keys: AuditKeys, before: datetime, file: BinaryIO) -> Archived | None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        chain = Chain(keys, await beginning(connection, keys))
        moved: list[asyncpg.Record] = []
        for row in await connection.fetch(_OLDEST):
            if row["at"] >= before:
                break
            chain.follow(row, row)
            file.write(line(row))
            moved.append(row)
        if not moved:
            return None
        file.flush()
        os.fsync(file.fileno())
        last = moved[-1]
        checkpoint = {**last, "event_id": last["id"], "archived_at": utcnow()}
        names = ("number", "event_id", "transaction_id", "position", "mac", "archived_at")
        await connection.execute(
            _CHECKPOINT, *(checkpoint[name] for name in names), signature(keys.present, checkpoint)
        )
        await connection.execute("DELETE FROM audit_events WHERE id = ANY($1::uuid[])", [row["id"] for row in moved])
        await connection.execute("DELETE FROM audit_seals WHERE number <= $1", last["number"])
        return Archived(len(moved), moved[0]["number"], last["number"])


async def verify_archive(connection: asyncpg.Connection, keys: AuditKeys, lines: Iterable[bytes]) -> Chain:
    """Check the events of an archive, from the checkpoint before it to its own. BrokenError names the first broken."""
    chain: Chain | None = None
    for number, text in enumerate(lines, 1):
        try:
            row = orjson.loads(text)
            row["mac"], row["id"] = bytes.fromhex(row["mac"]), UUID(row["id"])
            if chain is None:
                chain = Chain(keys, await _head_before(connection, row["number"]))
            chain.follow(row, row)
        except (ValueError, KeyError, TypeError) as error:
            raise ArchiveRefusedError(f"Line {number} of the file is not a sealed event.") from error
    if chain is None:
        raise ArchiveRefusedError("The file is empty.")
    mac = await connection.fetchval(
        "SELECT mac FROM audit_checkpoints WHERE number = $1 UNION SELECT mac FROM audit_seals WHERE number = $1",
        chain.head.number,
    )
    if mac != chain.head.mac:
        raise BrokenError("The end of the file is not where the database says that the archive ends.")
    return chain


async def _head_before(connection: asyncpg.Connection, number: int) -> Head:
    if number == 1:
        return Head()
    found = await connection.fetchrow("SELECT * FROM audit_checkpoints WHERE number = $1", number - 1)
    if found is None:
        raise ArchiveRefusedError(f"The file begins with number {number}, where no archive ends.")
    return Head(found["number"], found["mac"], (found["transaction_id"], found["position"]))
