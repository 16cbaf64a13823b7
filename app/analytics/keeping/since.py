"""What has happened since: events of the outbox after a place, and the queue of what leaves none."""

from app.db.places import BELOW

AFTER = f"(e.transaction_id, e.position) > ($1, $2) AND e.transaction_id < {BELOW}"
"""The condition that an event ``e`` came after the place of the parameters 1 and 2, and nothing can come before it."""

CUSTOMER_ACTIONS = ("delete", "restore", "merge", "unmerge")
"""What can happen to a customer that says something about what belongs to it: the parameter 3."""

ANYTHING = f"""
    SELECT EXISTS (SELECT FROM analytics_changes) OR EXISTS (
        SELECT FROM outbox e WHERE {AFTER}
            AND (e.entity IN ('Order', 'Opportunity', 'Ticket') OR e.entity = 'Customer' AND e.action = ANY($3))
    )
"""  # noqa: S608  # A statement of names of our own.
"""Whether anything has happened that is counted."""


def valued_anew(column: str, table: str, moment: str, zone: str) -> str:
    """The ``column`` of the rows of ``table`` that the queued exchange rates are for, by their ``moment`` in ``zone``:
    each rate counts until a later one. A day to both sides: the rows found too many come to no difference."""
    return f"""
        SELECT o.{column} FROM (SELECT DISTINCT currency, day FROM analytics_changes WHERE currency IS NOT NULL) q
        CROSS JOIN LATERAL (
            SELECT min(day) AS day FROM exchange_rates r WHERE r.currency = q.currency AND r.day > q.day
        ) later
        JOIN {table} o ON o.currency = q.currency
            AND o.{moment} >= timezone({zone}, q.day::timestamp) - interval '1 day'
            AND o.{moment} < coalesce(timezone({zone}, later.day::timestamp) + interval '1 day', 'infinity')
    """  # noqa: S608  # A statement of names of our own.
