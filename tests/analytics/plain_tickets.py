"""What is kept of tickets, worked out a second time in plain Python."""

from bisect import bisect_right
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from app.analytics.keeping.tickets import COLUMNS
from app.analytics.ticket_minutes import LIMITS
from tests.analytics.plain_metrics import kept

LABELS = {
    **{"CHANNEL": "channel", "KIND": "kind", "PRIORITY": "priority", "SATISFACTION": "satisfaction"},
    **{"RESPONSE_KEPT": "response_kept", "RESOLUTION_KEPT": "resolution_kept"},
    **{"ANSWERED_IN": "response_minutes", "RESOLVED_IN": "resolution_minutes"},
}


async def assert_tickets_right(connection: asyncpg.Connection, zone: str = "Europe/Berlin") -> None:
    """Fail unless the facts are what the rows say, and the roll-ups what the facts say."""
    rows = await connection.fetch(
        "SELECT t.* FROM tickets t JOIN customers c ON c.id = t.customer_id"
        " WHERE t.deleted_at IS NULL AND c.deleted_at IS NULL"
    )
    found = {row["ticket_id"]: dict(row) for row in await connection.fetch("SELECT * FROM ticket_facts")}
    expected = {row["id"]: _fact(row, ZoneInfo(zone)) for row in rows}
    assert found.keys() == expected.keys()
    for id, fact in expected.items():
        assert tuple(fact) == COLUMNS
        assert {**found[id], **_exact(found[id])} == fact
    assert await kept(connection, "ticket_buckets", "what, bucket, start, label, tickets") == _buckets(found.values())


def _exact(fact: Any) -> dict[str, timedelta | None]:
    """A float of minutes is enough to know the microseconds."""
    minutes = {name: fact[name] for name in ("response_minutes", "resolution_minutes")}
    return {name: None if value is None else timedelta(minutes=value) for name, value in minutes.items()}


def _fact(row: Any, zone: ZoneInfo) -> dict[str, Any]:
    def day(moment: datetime | None) -> date | None:
        return None if moment is None else moment.astimezone(zone).date()

    created, responded, resolved = row["created_at"], row["first_responded_at"], row["resolved_at"]
    settled, stopped = None, None
    if row["status"] in ("RESOLVED", "CLOSED"):
        stopped = resolved or row["closed_at"]
        settled = max(created, stopped or created)
    elif row["status"] == "PENDING":
        stopped = row["pending_since"]
    goes_on = settled is None and stopped is None

    def in_time(due: datetime | None, done: datetime | None) -> bool | None:
        if due is None:
            return None
        if done is not None:
            return done <= due
        return False if stopped is not None and stopped > due else None

    return {
        "ticket_id": row["id"],
        "created_at": created,
        "day": day(created),
        **{name: row[name] for name in ("channel", "kind", "priority", "satisfaction")},
        "resolved_on": day(resolved),
        "settled_at": settled,
        "settled_on": day(settled),
        "response_minutes": None if responded is None else responded - created,
        "resolution_minutes": None if resolved is None else resolved - created,
        "response_kept": in_time(row["first_response_due_at"], responded),
        "resolution_kept": in_time(row["resolution_due_at"], resolved),
        "response_due_at": row["first_response_due_at"] if goes_on and responded is None else None,
        "resolution_due_at": row["resolution_due_at"] if goes_on and resolved is None else None,
    }


def _buckets(facts: Any) -> set[tuple[Any, ...]]:
    found: Counter[tuple[str, str, date, str]] = Counter()

    def count(what: str, day: date, label: str = "") -> None:
        found[what, "DAY", day, label] += 1
        found[what, "MONTH", day.replace(day=1), label] += 1

    for fact in facts:
        for what, name in (("OPENED", "day"), ("RESOLVED", "resolved_on"), ("SETTLED", "settled_on")):
            if fact[name] is not None:
                count(what, fact[name])
        for what, name in LABELS.items():
            value = fact[name]
            if value is None:
                continue
            if isinstance(value, float):
                value = bisect_right(LIMITS, value)
            count(what, fact["day"], str(value).lower() if isinstance(value, bool) else str(value))
    return {(*key, tickets) for key, tickets in found.items()}
