"""Erasing a person: what tells who somebody is goes for good; figures, states and dates stay.

It goes from the customer and all that were merged into it, their contacts, what was written in tickets and deals, the
values in the audit log (its hashes stay, so that its chain still verifies) and what merges remember. The outbox holds
no values. Keys of repeated requests may hold some in their problems until they expire, within 24 hours.
"""

from uuid import UUID

from app.domain.given import Given
from app.domain.lookup import check_reason
from app.domain.work import Work
from app.models import Customer

_ALL = "SELECT id FROM customers WHERE id = $1 OR merged_into_id = $1 ORDER BY id FOR UPDATE"

# One statement after the other: each is small to read, and they are few however much there is to erase.
_STEPS = (
    """
    UPDATE contacts SET first_name = 'Erased', last_name = 'contact', title = NULL, email = NULL, phone = NULL,
        birthday = NULL, notes = NULL, version = version + 1, updated_at = $2
    WHERE customer_id = ANY($1) AND (first_name, last_name, title, email, phone, birthday, notes)
        IS DISTINCT FROM ('Erased', 'contact', NULL, NULL, NULL, NULL::date, NULL)
    """,
    """
    UPDATE tickets SET subject = 'Erased', description = NULL, version = version + 1, updated_at = $2
    WHERE customer_id = ANY($1) AND (subject, description) IS DISTINCT FROM ('Erased', NULL)
    """,
    """
    UPDATE opportunities SET name = 'Erased opportunity', loss_notes = NULL, version = version + 1, updated_at = $2
    WHERE customer_id = ANY($1) AND (name, loss_notes) IS DISTINCT FROM ('Erased opportunity', NULL)
    """,
)
_MORE_STEPS = (
    """
    UPDATE ticket_comments c SET body = 'Erased' FROM tickets t
    WHERE t.id = c.ticket_id AND t.customer_id = ANY($1) AND c.body <> 'Erased'
    """,
    """
    UPDATE order_status_changes c SET reason = NULL FROM orders o
    WHERE o.id = c.order_id AND o.customer_id = ANY($1) AND c.reason IS NOT NULL
    """,
    """
    DELETE FROM external_refs WHERE record_id = ANY($1) OR record_id IN (
        SELECT id FROM contacts WHERE customer_id = ANY($1)
        UNION ALL SELECT id FROM tickets WHERE customer_id = ANY($1)
    )
    """,
    """
    UPDATE customer_merges SET fields = '{}', external_refs = '[]'
    WHERE merged_id = ANY($1) OR kept_id = ANY($1)
    """,
    """
    UPDATE audit_events SET changes = NULL, salts = NULL WHERE action <> 'erase' AND record_id = ANY(ARRAY(
        SELECT unnest($1)
        UNION ALL SELECT id FROM contacts WHERE customer_id = ANY($1)
        UNION ALL SELECT id FROM opportunities WHERE customer_id = ANY($1)
        UNION ALL SELECT id FROM orders WHERE customer_id = ANY($1)
        UNION ALL SELECT id FROM tickets WHERE customer_id = ANY($1)
        UNION ALL SELECT c.id FROM ticket_comments c JOIN tickets t ON t.id = c.ticket_id WHERE t.customer_id = ANY($1)
    )) AND (changes IS NOT NULL OR salts IS NOT NULL)
    """,
)
_CUSTOMERS = """
    UPDATE customers SET name = 'Erased customer', email = NULL, phone = NULL, city = NULL, notes = NULL, tags = '{}',
        version = version + 1, updated_at = $2
    WHERE id = ANY($1) RETURNING id, version
"""


async def erase(work: Work, customer: Customer, given: Given) -> Customer:
    """Erase the person for good. There is one event of it, with the reason."""
    check_reason(work, given)
    work.problems.refuse()
    ids: list[UUID] = [row[0] for row in await work.fetch(_ALL, customer.id)]
    for step in _STEPS:
        await work.fetch(step.replace("$1", "$1::uuid[]"), ids, work.now)
    for step in _MORE_STEPS:
        await work.fetch(step.replace("$1", "$1::uuid[]"), ids)
    versions = dict(tuple(row) for row in await work.fetch(_CUSTOMERS, ids, work.now))
    # The event must not tell what was there before, so the change is written here and not found by comparison.
    work.release(customer)
    customer.version = versions[customer.id]
    work.tell("reason", None, given.values["reason"].strip())
    return customer
