"""Whoever follows the outbox sees every event once, in one order, whenever its transaction ends."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.ids import new_id
from app.outbox import Position, event_name, follow, purge_outbox
from auth.policy import POLICY
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

_INSERT = """
    INSERT INTO outbox (event_id, at, action, entity, record_id, fields) VALUES ($1, $2, 'update', 'Customer', $3, '{}')
"""


async def post(connection: asyncpg.Connection, at: datetime | None = None) -> Any:
    id = new_id()
    await connection.execute(_INSERT, id, at or datetime.now(UTC), new_id())
    return id


@pytest.fixture
async def writers(empty_database: str) -> AsyncIterator[list[asyncpg.Connection]]:
    found = [await asyncpg.connect(empty_database) for _ in range(4)]
    yield found
    for each in found:
        await each.close()


class Follower:
    """Goes on from where it was, a few events at a time."""

    def __init__(self, connection: asyncpg.Connection, limit: int = 2) -> None:
        self.connection, self.limit = connection, limit
        self.at = Position()
        self.seen: list[Any] = []

    async def look(self) -> list[Any]:
        new: list[Any] = []
        while events := await follow(self.connection, self.at, self.limit):
            assert [event.position for event in events] == sorted(event.position for event in events)
            assert events[0].position > self.at
            self.at = events[-1].position
            new += [event.id for event in events]
        self.seen += new
        return new


async def test_a_transaction_that_ends_late_is_not_lost(
    connection: asyncpg.Connection, writers: list[asyncpg.Connection]
) -> None:
    follower = Follower(connection)
    slow, quick = writers[0].transaction(), writers[1].transaction()
    await slow.start()
    first = await post(writers[0])
    await quick.start()
    second = await post(writers[1])
    third = await post(writers[0])
    await quick.commit()
    assert await follower.look() == [], "the one that began before it may still write"
    await slow.commit()
    assert await follower.look() == [first, third, second]
    assert await follower.look() == []


async def test_a_transaction_that_is_undone_holds_nobody_up(
    connection: asyncpg.Connection, writers: list[asyncpg.Connection]
) -> None:
    follower = Follower(connection)
    failed = writers[0].transaction()
    await failed.start()
    await post(writers[0])
    second = await post(writers[1])
    await failed.rollback()
    assert await follower.look() == [second]


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["begin", "post", "post", "end", "undo", "look"])), max_size=40
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
@pytest.mark.anyio
async def test_any_overlap_of_transactions_loses_nothing_and_repeats_nothing(
    connection: asyncpg.Connection, writers: list[asyncpg.Connection], steps: list[tuple[int, str]]
) -> None:
    await connection.execute("DELETE FROM outbox")
    follower = Follower(connection)
    open_: dict[int, tuple[Any, list[Any]]] = {}
    kept: set[Any] = set()
    for number, step in [*steps, *((n, "end") for n in range(4))]:
        if step == "look":
            await follower.look()
        elif step == "begin" and number not in open_:
            transaction = writers[number].transaction()
            await transaction.start()
            open_[number] = (transaction, [])
        elif step == "post":
            id = await post(writers[number])
            if number in open_:
                open_[number][1].append(id)
            else:
                kept.add(id)
        elif step in ("end", "undo") and number in open_:
            transaction, posted = open_.pop(number)
            await (transaction.commit() if step == "end" else transaction.rollback())
            kept |= set(posted) if step == "end" else set()
    await follower.look()
    assert len(follower.seen) == len(set(follower.seen))
    assert set(follower.seen) == kept


async def test_what_a_mutation_does_is_followed(office: Office) -> None:
    follower = Follower(office.connection)
    await follower.look()
    at = follower.at
    answer = await office.do(
        'mutation { createCustomer(input: { name: "Followed" }, allowDuplicate: true) { customer { id version } } }',
        "ADMIN",
    )
    made = answer["data"]["createCustomer"]["customer"]
    (event,) = await follow(office.connection, at, 10)
    assert (event.name, event.entity, event.version) == ("customer.created", "Customer", made["version"])
    assert f"cus_{event.record_id.hex}" == made["id"]
    assert "name" in event.fields


def test_names_of_events() -> None:
    actions = {action for role in POLICY.values() for grants in role.grants.values() for action in grants}
    names = {action: event_name("Ticket", action).removeprefix("ticket.") for action in actions}
    assert (
        names
        | {
            "create": "created",
            "update": "updated",
            "delete": "deleted",
            "pay": "paid",
            "ship": "shipped",
            "cancel": "cancelled",
            "refund": "refunded",
            "win": "won",
            "lose": "lost",
            "close": "closed",
            "pending": "pending",
            "merge": "merged",
            "deliver": "delivered",
        }
        == names
    )
    assert event_name("TicketComment", "create") == "ticketComment.created"


def test_positions_are_printed_and_read() -> None:
    assert Position.parse(str(Position(12, 34))) == Position(12, 34)
    assert Position(2, 1) > Position(1, 9)


async def test_old_events_are_cleared_away(connection: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    await post(connection, now - timedelta(hours=25))
    kept = await post(connection, now - timedelta(hours=23))
    assert await purge_outbox(connection, 24) == 1
    assert [event.id for event in await follow(connection, Position(), 10)] == [kept]
