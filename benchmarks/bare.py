"""The changes of single mutations as bare statements over asyncpg: the row, its audit event, its outbox event.

This is what no server can do without: one transaction, one statement after the other, nothing checked.
"""

import secrets
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from app.db.ids import new_id

_AUDIT = """
    INSERT INTO audit_events (id, at, actor_id, action, entity, record_id, record_version, outcome, changes, salts,
        hashes, ip, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'OK', $8, $9, $10, '127.0.0.1', 'bare')
"""
_OUTBOX = """
    INSERT INTO outbox (event_id, at, action, entity, record_id, record_version, fields)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_ACTOR = new_id()


async def _noted(
    connection: Any, action: str, entity: str, record: UUID, version: int, changes: dict[str, Any]
) -> None:
    id, now = new_id(), datetime.now(UTC)
    salts = {field: secrets.token_hex(16) for field in changes}
    hashes = {field: sha256(salts[field].encode() + orjson.dumps(changes[field])).hexdigest() for field in changes}
    told = [orjson.dumps(each).decode() for each in (changes, salts, hashes)]
    await connection.execute(_AUDIT, id, now, _ACTOR, action, entity, record, version, *told)
    await connection.execute(_OUTBOX, id, now, action, entity, record, version, sorted(changes))


async def create_ticket(connection: Any, customer: Any) -> None:
    """A ticket of a customer."""
    id, now = new_id(), datetime.now(UTC)
    subject = "Where is my order?"
    async with connection.transaction():
        await connection.fetchrow("SELECT id FROM customers WHERE id = $1 FOR KEY SHARE", customer["id"])
        await connection.execute(
            "INSERT INTO tickets (id, version, created_at, updated_at, customer_id, subject, kind, priority, status,"
            " channel) VALUES ($1, 1, $2, $2, $3, $4, 'INQUIRY', 'NORMAL', 'OPEN', 'WEB')",
            id,
            now,
            customer["id"],
            subject,
        )
        changes = {"subject": {"before": None, "after": subject}, "status": {"before": None, "after": "OPEN"}}
        await _noted(connection, "create", "Ticket", id, 1, changes)


async def update_customer(connection: Any, customer: Any) -> None:
    """Another city and other tags."""
    id, version = customer["id"], customer["version"] + 1
    async with connection.transaction():
        await connection.fetchrow("SELECT * FROM customers WHERE id = $1 FOR NO KEY UPDATE", id)
        await connection.execute(
            "UPDATE customers SET city = $2, tags = $3, version = $4, updated_at = $5 WHERE id = $1",
            id,
            "Bonn",
            ["bare"],
            version,
            datetime.now(UTC),
        )
        changes = {"city": {"before": "Kiel", "after": "Bonn"}, "tags": {"before": [], "after": ["bare"]}}
        await _noted(connection, "update", "Customer", id, version, changes)


async def pay_order(connection: Any, order: Any) -> None:
    """A pending order is paid."""
    id, version, now = order["id"], order["version"] + 1, datetime.now(UTC)
    async with connection.transaction():
        await connection.fetchrow("SELECT * FROM orders WHERE id = $1 FOR NO KEY UPDATE", id)
        await connection.execute(
            "UPDATE orders SET status = 'PAID', paid_at = $2, version = $3, updated_at = $2 WHERE id = $1",
            id,
            now,
            version,
        )
        await connection.execute(
            "INSERT INTO order_status_changes (id, order_id, from_status, to_status, changed_at)"
            " VALUES ($1, $2, 'PENDING_PAYMENT', 'PAID', $3)",
            new_id(),
            id,
            now,
        )
        changes = {"status": {"before": "PENDING_PAYMENT", "after": "PAID"}, "paidAt": {"before": None, "after": "now"}}
        await _noted(connection, "pay", "Order", id, version, changes)
