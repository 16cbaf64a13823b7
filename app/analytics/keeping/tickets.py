"""Tickets: facts of all that are not deleted, and how many there are of which sort by day and month.

Of each ticket with a change, what had been counted is taken away and what is there now is added.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import rollups
from app.analytics.keeping.facts import day_of
from app.analytics.keeping.moving import collect, compare, replace
from app.analytics.keeping.since import AFTER, CUSTOMER_ACTIONS
from app.analytics.keeping.state import State
from app.analytics.ticket_minutes import STEPS
from app.models.enums import TicketCount, TicketStatus

MOST = 10_000
"""With more tickets changed than this, and more than a tenth of all, everything is counted anew."""

TABLES = ("ticket_facts", "ticket_buckets")

COLUMNS = (
    *("ticket_id", "created_at", "day", "channel", "kind", "priority", "satisfaction", "resolved_on"),
    *("settled_at", "settled_on", "response_minutes", "resolution_minutes", "response_kept", "resolution_kept"),
    *("response_due_at", "resolution_due_at"),
)

_SETTLED = f"t.status IN ('{TicketStatus.RESOLVED}', '{TicketStatus.CLOSED}')"
_STANDS = f"(t.status = '{TicketStatus.PENDING}' AND t.pending_since IS NOT NULL)"
_DONE = "coalesce(t.resolved_at, t.closed_at)"
_CLOCK = f"CASE WHEN {_SETTLED} THEN {_DONE} WHEN {_STANDS} THEN t.pending_since END"
"""When the clock of a ticket stopped; NULL where it goes on, and where that is not known."""

_COUNTED: dict[TicketCount, tuple[str, str, str]] = {
    TicketCount.OPENED: ("day", "''", "true"),
    TicketCount.RESOLVED: ("resolved_on", "''", "resolved_on IS NOT NULL"),
    TicketCount.SETTLED: ("settled_on", "''", "settled_on IS NOT NULL"),
    TicketCount.CHANNEL: ("day", "channel", "true"),
    TicketCount.KIND: ("day", "kind", "true"),
    TicketCount.PRIORITY: ("day", "priority", "true"),
    TicketCount.SATISFACTION: ("day", "satisfaction", "satisfaction IS NOT NULL"),
    TicketCount.RESPONSE_KEPT: ("day", "response_kept", "response_kept IS NOT NULL"),
    TicketCount.RESOLUTION_KEPT: ("day", "resolution_kept", "resolution_kept IS NOT NULL"),
    TicketCount.ANSWERED_IN: ("day", f"width_bucket(response_minutes, {STEPS})", "response_minutes IS NOT NULL"),
    TicketCount.RESOLVED_IN: ("day", f"width_bucket(resolution_minutes, {STEPS})", "resolution_minutes IS NOT NULL"),
}
"""The day by which each is counted, the label, and which facts."""

_CHANGED = f"""
    SELECT e.record_id FROM outbox e WHERE {AFTER} AND e.entity = 'Ticket'
    UNION
    SELECT t.id FROM outbox e JOIN tickets t ON t.customer_id = e.record_id
    WHERE {AFTER} AND e.entity = 'Customer' AND e.action = ANY($3)
    UNION
    SELECT q.ticket_id FROM analytics_changes q WHERE q.ticket_id IS NOT NULL
"""


def facts(shop: ShopFacts, *, tickets: str = "true") -> str:
    """The facts as of now; the condition ``tickets`` limits ``t``."""

    def kept(due: str, done: str) -> str:
        return f"CASE WHEN t.{done} IS NOT NULL THEN t.{done} <= t.{due} WHEN t.{due} < {_CLOCK} THEN false END"

    def still_due(due: str, done: str) -> str:
        return f"CASE WHEN t.{done} IS NULL AND NOT {_SETTLED} AND NOT {_STANDS} THEN t.{due} END"

    def minutes(done: str) -> str:
        return f"date_part('epoch', t.{done} - t.created_at) / 60"

    return f"""
        SELECT t.id AS ticket_id, t.created_at, {day_of(shop, "t.created_at")} AS day, t.channel, t.kind, t.priority,
            t.satisfaction, {day_of(shop, "t.resolved_at")} AS resolved_on, s.settled_at,
            {day_of(shop, "s.settled_at")} AS settled_on,
            {minutes("first_responded_at")} AS response_minutes, {minutes("resolved_at")} AS resolution_minutes,
            {kept("first_response_due_at", "first_responded_at")} AS response_kept,
            {kept("resolution_due_at", "resolved_at")} AS resolution_kept,
            {still_due("first_response_due_at", "first_responded_at")} AS response_due_at,
            {still_due("resolution_due_at", "resolved_at")} AS resolution_due_at
        FROM tickets t JOIN customers c ON c.id = t.customer_id CROSS JOIN LATERAL (
            SELECT CASE WHEN {_SETTLED} THEN greatest(t.created_at, {_DONE}) END AS settled_at
        ) s
        WHERE t.deleted_at IS NULL AND c.deleted_at IS NULL AND {tickets}
    """


def by_day(source: str, *, sign: str = "1") -> str:
    """The rows of ``ticket_buckets`` by DAY that the facts of ``source`` make; or add or take away, as their column
    ``sign`` says."""
    return " UNION ALL ".join(
        f"SELECT '{what}' AS what, 'DAY' AS bucket, {day} AS start, ({label})::text AS label,"
        f" sum({sign})::int AS tickets FROM {source} WHERE {some} GROUP BY 3, 4"
        for what, (day, label, some) in _COUNTED.items()
    )


def by_month(source: str) -> str:
    """The rows of ``ticket_buckets`` by MONTH that rows by DAY make."""
    return f"""
        SELECT what, 'MONTH' AS bucket, date_trunc('month', start::timestamp)::date AS start, label,
            sum(tickets)::int AS tickets
        FROM {source} GROUP BY what, 3, label
    """


async def count_all(connection: asyncpg.Connection, shop: ShopFacts) -> None:
    """Count everything anew, in the caller's transaction."""
    await rollups.make(connection, "kept_tickets", facts(shop))
    await rollups.bring(connection, "ticket_facts", "kept_tickets", COLUMNS[:1], COLUMNS[1:])
    await rollups.make(connection, "kept_ticket_counts", by_day("kept_tickets"))
    await connection.execute(f"INSERT INTO kept_ticket_counts {by_month('kept_ticket_counts')}")
    await rollups.replace(connection, "ticket_buckets", "kept_ticket_counts")
    for table in ("kept_tickets", "kept_ticket_counts"):
        await connection.execute(f"DROP TABLE {table}")
    for table in TABLES:
        await connection.execute(f"ANALYZE {table}")


async def count_changed(connection: asyncpg.Connection, shop: ShopFacts, state: State) -> int | None:
    """Count what changed since ``state``, in the caller's transaction; how many tickets that were. None: too much to go
    one by one."""
    place = state.position
    given = place.transaction_id, place.position, list(CUSTOMER_ACTIONS)
    changed = await collect(connection, "kept_tickets", "ticket_id", _CHANGED, *given)
    if changed > MOST and changed > await connection.fetchval("SELECT count(*) / 10 FROM ticket_facts"):
        return None
    if changed:
        await _move(connection, shop)
    return changed


async def _move(connection: asyncpg.Connection, shop: ShopFacts) -> None:
    """Take away what was counted of ``kept_tickets``, and add what is there now."""
    names = ", ".join(COLUMNS)
    these = "(SELECT ticket_id FROM kept_tickets)"
    for table, select in (
        ("before", f"SELECT {names} FROM ticket_facts WHERE ticket_id IN {these}"),
        ("after", facts(shop, tickets=f"t.id IN {these}")),
    ):
        await connection.execute(f"CREATE TEMP TABLE kept_tickets_{table} ON COMMIT DROP AS {select}")
    if not await compare(connection, "kept_tickets", COLUMNS):
        return
    await connection.execute(
        f"CREATE TEMP TABLE kept_ticket_counts ON COMMIT DROP AS {by_day('kept_tickets_moved', sign='sign')}"
    )
    await rollups.add(
        connection, "ticket_buckets", f"SELECT * FROM kept_ticket_counts UNION ALL {by_month('kept_ticket_counts')}"
    )
    await replace(connection, "ticket_facts", "kept_tickets", COLUMNS[:1], COLUMNS)
