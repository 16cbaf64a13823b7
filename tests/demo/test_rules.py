"""What must hold of every row, as SQL that counts the rows where it does not."""

import asyncpg
import pytest

pytestmark = pytest.mark.anyio

NEVER = {
    "orders whose subtotal is not the sum of its lines": """
        SELECT FROM orders o WHERE subtotal <>
            (SELECT coalesce(sum(l.total), -1) FROM order_lines l WHERE l.order_id = o.id)""",
    "references of deleted records that are live, or of others that are not": """
        SELECT FROM external_refs r LEFT JOIN (
            SELECT id, deleted_at FROM customers UNION ALL SELECT id, deleted_at FROM contacts
            UNION ALL SELECT id, deleted_at FROM opportunities UNION ALL SELECT id, deleted_at FROM products
            UNION ALL SELECT id, deleted_at FROM tickets) d ON d.id = record_id
        WHERE live <> (d.deleted_at IS NULL)""",
    "discounts above the subtotal": "SELECT FROM orders WHERE discount > subtotal",
    "orders without a line at position 1": """
        SELECT FROM orders o WHERE NOT EXISTS (SELECT FROM order_lines l WHERE l.order_id = o.id AND position = 1)""",
    "orders in a state that their moments do not tell": """
        SELECT FROM orders WHERE status <> CASE
            WHEN refunded_at IS NOT NULL THEN 'REFUNDED' WHEN cancelled_at IS NOT NULL THEN 'CANCELLED'
            WHEN completed_at IS NOT NULL THEN 'COMPLETED' WHEN delivered_at IS NOT NULL THEN 'DELIVERED'
            WHEN shipped_at IS NOT NULL THEN 'SHIPPED' WHEN paid_at IS NOT NULL THEN 'PAID'
            ELSE 'PENDING_PAYMENT' END""",
    "orders whose moments are out of order": """
        SELECT FROM orders WHERE NOT (
            placed_at <= coalesce(paid_at, placed_at)
            AND (shipped_at IS NULL OR paid_at <= shipped_at) AND (delivered_at IS NULL OR shipped_at <= delivered_at)
            AND (completed_at IS NULL OR delivered_at <= completed_at)
            AND (cancelled_at IS NULL OR (shipped_at IS NULL AND coalesce(paid_at, placed_at) <= cancelled_at))
            AND (refunded_at IS NULL OR coalesce(completed_at, delivered_at, shipped_at, paid_at) <= refunded_at)
            AND (refunded_at IS NULL OR paid_at IS NOT NULL)
            AND placed_at <= created_at AND created_at <= updated_at
            AND updated_at >= greatest(paid_at, shipped_at, delivered_at, completed_at, cancelled_at, refunded_at))""",
    "orders whose last change is not their state": """
        SELECT FROM orders o WHERE status IS DISTINCT FROM (SELECT to_status FROM order_status_changes c
            WHERE c.order_id = o.id ORDER BY changed_at DESC, c.to_status = o.status DESC LIMIT 1)""",
    "changes of orders that do not follow one another": """
        SELECT FROM (SELECT from_status, lag(to_status) OVER w AS before, changed_at, lag(changed_at) OVER w AS earlier
            FROM order_status_changes WINDOW w AS (PARTITION BY order_id ORDER BY changed_at, id)) AS c
        WHERE from_status IS DISTINCT FROM before OR changed_at < earlier""",
    "changes of orders at another moment than the order tells": """
        SELECT FROM order_status_changes c JOIN orders o ON o.id = order_id WHERE changed_at <> CASE to_status
            WHEN 'PENDING_PAYMENT' THEN placed_at WHEN 'PAID' THEN paid_at WHEN 'SHIPPED' THEN shipped_at
            WHEN 'DELIVERED' THEN delivered_at WHEN 'COMPLETED' THEN completed_at WHEN 'CANCELLED' THEN cancelled_at
            WHEN 'REFUNDED' THEN refunded_at END""",
    "cancelled or refunded without a reason": """
        SELECT FROM order_status_changes WHERE to_status IN ('CANCELLED', 'REFUNDED') AND reason IS NULL""",
    "orders before their customer or after its deletion": """
        SELECT FROM orders o JOIN customers c ON c.id = customer_id
        WHERE placed_at < c.created_at OR placed_at > c.deleted_at""",
    "lines of products that did not exist yet": """
        SELECT FROM order_lines l JOIN orders o ON o.id = order_id JOIN products p ON p.id = product_id
        WHERE p.created_at > placed_at OR l.sku <> p.sku""",
    "orders from deals of others, or not won": """
        SELECT FROM orders o JOIN opportunities d ON d.id = opportunity_id JOIN stages s ON s.id = stage_id
        WHERE d.customer_id <> o.customer_id OR s.kind <> 'WON' OR d.closed_at > placed_at""",
    "deals whose stage is not their last change's": """
        SELECT FROM opportunities d WHERE (stage_id, stage_entered_at) IS DISTINCT FROM (
            SELECT (to_stage_id, changed_at) FROM stage_changes WHERE opportunity_id = d.id
            ORDER BY changed_at DESC LIMIT 1)""",
    "changes of deals that do not follow one another": """
        SELECT FROM (SELECT from_stage_id, to_stage_id, lag(to_stage_id) OVER w AS before
            FROM stage_changes WINDOW w AS (PARTITION BY opportunity_id ORDER BY changed_at)) AS c
        WHERE from_stage_id IS DISTINCT FROM before OR from_stage_id = to_stage_id""",
    "deals that did not begin in an open stage when they were opened": """
        SELECT FROM opportunities d WHERE NOT EXISTS (SELECT FROM stage_changes JOIN stages s ON s.id = to_stage_id
            WHERE opportunity_id = d.id AND from_stage_id IS NULL AND changed_at = opened_at AND s.kind = 'OPEN')""",
    "deals closed but open, or open but closed": """
        SELECT FROM opportunities d JOIN stages s ON s.id = stage_id
        WHERE (kind = 'OPEN') <> (closed_at IS NULL) OR closed_at <> stage_entered_at
           OR (kind <> 'LOST' AND coalesce(loss_reason, loss_notes) IS NOT NULL)
           OR (kind <> 'OPEN' AND d.probability <> s.probability)""",
    "deleted stages that something refers to": """
        SELECT FROM stages s WHERE deleted_at IS NOT NULL AND (
            EXISTS (SELECT FROM opportunities WHERE stage_id = s.id)
            OR EXISTS (SELECT FROM stage_changes WHERE s.id IN (from_stage_id, to_stage_id)))""",
    "deals with a contact of another customer": """
        SELECT FROM opportunities d JOIN contacts c ON c.id = contact_id WHERE c.customer_id <> d.customer_id""",
    "tickets with a contact or an order of another customer": """
        SELECT FROM tickets t LEFT JOIN contacts c ON c.id = contact_id LEFT JOIN orders o ON o.id = order_id
        WHERE c.customer_id <> t.customer_id OR o.customer_id <> t.customer_id OR o.placed_at > t.created_at""",
    "tickets in a state that their moments do not tell": """
        SELECT FROM tickets WHERE (status = 'CLOSED') <> (closed_at IS NOT NULL)
           OR (status IN ('RESOLVED', 'CLOSED')) <> (resolved_at IS NOT NULL)
           OR (status = 'PENDING' AND first_responded_at IS NULL)
           OR (resolved_at IS NULL AND satisfaction IS NOT NULL)
           OR NOT (created_at <= coalesce(first_responded_at, created_at)
               AND coalesce(first_responded_at, created_at) <= coalesce(resolved_at, updated_at)
               AND coalesce(resolved_at, updated_at) <= coalesce(closed_at, updated_at))""",
    "tickets given by somebody to nobody": """
        SELECT FROM tickets WHERE assignee_id IS NULL AND assigned_by_id IS NOT NULL""",
    "comments before their ticket": """
        SELECT FROM ticket_comments c JOIN tickets t ON t.id = ticket_id WHERE c.created_at < t.created_at""",
    "customers merged into deleted ones or not deleted": """
        SELECT FROM customers m JOIN customers s ON s.id = m.merged_into_id
        WHERE m.deleted_at IS NULL OR s.deleted_at IS NOT NULL OR s.merged_into_id IS NOT NULL""",
    "references to no record": """
        SELECT FROM external_refs r WHERE NOT CASE entity
            WHEN 'Customer' THEN EXISTS (SELECT FROM customers WHERE id = record_id)
            WHEN 'Contact' THEN EXISTS (SELECT FROM contacts WHERE id = record_id)
            WHEN 'Opportunity' THEN EXISTS (SELECT FROM opportunities WHERE id = record_id)
            WHEN 'Order' THEN EXISTS (SELECT FROM orders WHERE id = record_id)
            WHEN 'Product' THEN EXISTS (SELECT FROM products WHERE id = record_id)
            WHEN 'Ticket' THEN EXISTS (SELECT FROM tickets WHERE id = record_id) ELSE false END""",
    "users seen before they were there": "SELECT FROM users WHERE last_login_at < created_at",
}
RECORDS = ("users", "stages", "products", "customers", "contacts", "opportunities", "orders", "tickets")
DELETABLE = ("stages", "products", "customers", "contacts", "opportunities", "tickets")


@pytest.mark.parametrize("rule", NEVER)
async def test_there_are_no(rule: str, db: asyncpg.Connection) -> None:
    assert await db.fetchval(f"SELECT count(*) FROM ({NEVER[rule]}) AS found") == 0


@pytest.mark.parametrize("table", RECORDS)
async def test_records_change_after_they_are_made(table: str, db: asyncpg.Connection) -> None:
    assert await db.fetchval(f"SELECT count(*) FROM {table} WHERE updated_at < created_at OR version < 1") == 0


@pytest.mark.parametrize("table", DELETABLE)
async def test_deletion_is_a_change(table: str, db: asyncpg.Connection) -> None:
    wrong = "deleted_at NOT BETWEEN created_at AND updated_at"
    assert await db.fetchval(f"SELECT count(*) FROM {table} WHERE {wrong}") == 0
