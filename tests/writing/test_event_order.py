"""The events of one record: which came after which."""

import asyncio

import asyncpg
import pytest

from tests.activity import until
from tests.oracle.rows import typed_id
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

MOVE = "mutation($id: ID!, $to: ID!) { moveOpportunity(id: $id, stageId: $to) { errors { code } } }"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


async def test_of_one_record_the_sequence_rises_with_the_version_whichever_transaction_began_first(
    office: Office,
) -> None:
    """A key is claimed before the record is locked: so its transaction has a number already while it waits."""
    deal = office.label("deal_north")
    quick, keyed = (typed_id(office.label(f"stage_{name}")) for name in ("Proposal", "商谈"))
    known = len(await office.posted())
    other = await asyncpg.connect(office.url)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM opportunities WHERE id = $1 FOR UPDATE", deal.id)
            first = asyncio.ensure_future(office.do(MOVE, "ADMIN", id=typed_id(deal), to=quick))
            await until(office.connection, WAITING, 1)
            second = asyncio.ensure_future(office.do(MOVE, "ADMIN", key="keyed", id=typed_id(deal), to=keyed))
            await until(office.connection, WAITING, 2)
        for answer in await asyncio.gather(first, second):
            assert answer["data"]["moveOpportunity"]["errors"] == []
    finally:
        await other.close()
    events = (await office.posted())[known:]
    assert [event["record_version"] - deal.version for event in events] == [2, 1], "This is how they are followed."
    by_sequence = sorted(events, key=lambda event: event["position"])
    assert [event["record_version"] - deal.version for event in by_sequence] == [1, 2]
    assert [event["event_id"] for event in by_sequence] == [
        event["id"] for event in sorted(await office.events(), key=lambda event: event["position"])[-2:]
    ]
