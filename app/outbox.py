"""Following what happens: the outbox read from a position on, without loss and without repetition.

What is read lies below the oldest transaction still under way, in the order of places. A transaction that commits later
has all its events above, so whoever goes on from the last event that it has read misses nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db.ids import print_id
from app.db.places import BELOW
from app.models.base import Row, utcnow

_FOLLOW = f"""
    SELECT transaction_id, position, event_id, at, action, entity, record_id, record_version, fields FROM outbox
    WHERE (transaction_id, position) > ($1, $2) AND transaction_id < {BELOW}
    ORDER BY transaction_id, position LIMIT $3
"""  # noqa: S608  # A constant of our own.
_PURGE = """
    DELETE FROM outbox WHERE (transaction_id, position) IN
        (SELECT transaction_id, position FROM outbox WHERE at < $1 ORDER BY at LIMIT $2)
"""
_BATCH = 5_000

_HAPPENED = {
    "lose": "lost",
    "pay": "paid",
    "ship": "shipped",
    "cancel": "cancelled",
    "lookup": "lookedUp",
    "win": "won",
    "pending": "pending",
}
"""Participles that are not the action with -d or -ed."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the outbox. The first one lies before everything."""

    transaction_id: int = 0
    position: int = 0

    def __str__(self) -> str:
        return f"{self.transaction_id}-{self.position}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """The position that prints as ``text``; ValueError where none does."""
        transaction_id, _, position = text.partition("-")
        return cls(int(transaction_id), int(position))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a record: ``customer.updated``. It holds no values: read the present ones."""

    position: Position
    id: UUID
    name: str
    at: datetime
    entity: str
    record_id: UUID
    version: int | None
    """The record's version since then; None for a record that has none."""
    fields: tuple[str, ...]
    """The fields that changed, as the API names them, and what else the audit event tells."""

    def typed_id(self, entity: type[Row]) -> str:
        """The record's id as the API prints it."""
        return print_id(entity.prefix, self.record_id)


def event_name(entity: str, action: str) -> str:
    """The name of an event: the entity's, its first letter small, and what has been done to it."""
    done = _HAPPENED.get(action) or (f"{action}d" if action.endswith("e") else f"{action}ed")
    return f"{entity[0].lower()}{entity[1:]}.{done}"


async def follow(connection: Any, after: Position, limit: int) -> list[Event]:
    """The next ``limit`` events after ``after``, in order. Fewer mean that there are no more yet."""
    rows = await connection.fetch(_FOLLOW, after.transaction_id, after.position, limit)
    return [
        Event(
            position=Position(row["transaction_id"], row["position"]),
            id=row["event_id"],
            name=event_name(row["entity"], row["action"]),
            at=row["at"],
            entity=row["entity"],
            record_id=row["record_id"],
            version=row["record_version"],
            fields=tuple(row["fields"]),
        )
        for row in rows
    ]


async def purge_outbox(connection: Any, hours: int) -> int:
    """Take out the events older than ``hours``, a batch in each transaction, and return how many."""
    before, gone = utcnow() - timedelta(hours=hours), 0
    while True:
        done = int((await connection.execute(_PURGE, before, _BATCH)).split()[-1])
        gone += done
        if done < _BATCH:
            return gone
