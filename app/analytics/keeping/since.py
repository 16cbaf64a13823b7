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
