"""Places of events: rising with the transactions that wrote them, on this server and after a move to another one.

The place of an event is (``transaction_id``, ``position``): the id of its transaction plus ``transaction_offset()``,
and a sequence. A follower reads below ``BELOW``: what commits later can then never lie before what it has read.
"""

import asyncpg

BELOW = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint + transaction_offset())"
"""The first place that a transaction still under way may write to; of the whole server, so another database's too."""

_LOCK = 7_240_524
_BEHIND = """
    SELECT transaction_offset() AS present,
        coalesce(greatest(
            (SELECT max(transaction_id) FROM audit_events),
            (SELECT max(transaction_id) FROM outbox),
            (SELECT transaction_id FROM audit_seals ORDER BY number DESC LIMIT 1),
            (SELECT transaction_id FROM audit_checkpoints ORDER BY number DESC LIMIT 1)
        ) - (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + transaction_offset()) + 1, 0) AS behind
"""


async def settle_places(connection: asyncpg.Connection) -> int:
    """See that events to come have later places than those that are there, and return by how much that took raising.

    A dump restored on another server brings places from the transactions of the old one.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        found = await connection.fetchrow(_BEHIND)
        behind = max(int(found["behind"]), 0)
        if behind:
            offset = int(found["present"]) + behind
            await connection.execute(
                "CREATE OR REPLACE FUNCTION transaction_offset() RETURNS bigint LANGUAGE sql IMMUTABLE"
                f" AS 'SELECT {offset}::bigint'"
            )
    return behind
