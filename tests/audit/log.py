"""Events of their own, and a superuser's hand in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from app.db.ids import new_id
from auth.audit import Origin, event
from auth.audit_log import write_events
from auth.sealing import AuditKeys, seal_all
from auth.verifying import Verification, verify
from tests.settling import settled

KEYS = AuditKeys(["a key for the seals of tests, long enough"])
LONG_AGO = datetime(2020, 5, 1, 12, 0, tzinfo=UTC)


async def write(connection: asyncpg.Connection, count: int, at: datetime = LONG_AGO) -> None:
    """Events one minute apart, each in a transaction of its own."""
    for number in range(count):
        changes: dict[str, Any] = {
            "name": {"before": None, "after": f"name {number}"},
            "tags": {"before": ["a"], "after": ["ä", "b"]},
        }
        origin = Origin(new_id(), f"request {number}", ip="192.0.2.1", user_agent="tests")
        moment = at + timedelta(minutes=number)
        await write_events(
            connection,
            event(origin, moment, "update", entity="Customer", record_id=new_id(), version=number + 1, changes=changes),
        )


async def sealed(connection: asyncpg.Connection, count: int = 20) -> list[asyncpg.Record]:
    """A log of so many sealed events, in their order."""
    await write(connection, count)
    await settled(connection)
    await seal_all(connection, KEYS)
    return await connection.fetch("SELECT * FROM audit_events ORDER BY transaction_id, position")


async def by_force(connection: asyncpg.Connection, statement: str, *arguments: Any) -> str:
    """What somebody can do who has the database: no trigger stands in the way."""
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        done: str = await connection.execute(statement, *arguments)
    return done


async def check(connection: asyncpg.Connection, **options: Any) -> Verification:
    return await verify(connection, KEYS, **options)
