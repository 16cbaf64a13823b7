"""What a shop of 300 customers must show, as SQL that counts it."""

import asyncpg
import pytest

from app.domain.rows import columns, loaded
from app.domain.sla import add_business
from app.domain.sla_policy import clock_of
from app.domain.work import Shop
from app.models import SlaPolicy
from app.models.enums import TicketPriority

pytestmark = pytest.mark.anyio

CHINESE, ARABIC = "[\u4e00-\u9fff]", "[\u0600-\u06ff]"

SHOWN = {
    "ties of creation": (
        "customers",
        "(created_at) IN (SELECT created_at FROM customers GROUP BY 1 HAVING count(*) > 5)",
    ),
    "ties of change": (
        "customers",
        "(updated_at) IN (SELECT updated_at FROM customers GROUP BY 1 HAVING count(*) > 3)",
    ),
    "ties of names": ("customers", "name IN (SELECT name FROM customers GROUP BY 1 HAVING count(*) > 1)"),
    "orders placed together": (
        "orders",
        "(customer_id, placed_at) IN (SELECT customer_id, placed_at FROM orders GROUP BY 1, 2 HAVING count(*) > 1)",
    ),
    "ties of amounts": ("opportunities", "amount IN (SELECT amount FROM opportunities GROUP BY 1 HAVING count(*) > 2)"),
    "same addresses": (
        "customers",
        "lower(email) IN (SELECT lower(email) FROM customers GROUP BY 1 HAVING count(*) > 1)",
    ),
    "long names": ("customers", "char_length(name) > 110"),
    "Chinese names": ("customers", f"name ~ '{CHINESE}'"),
    "Chinese names of two characters": ("customers", "name ~ '^[\u4e00-\u9fff]{2}$'"),
    "Arabic names": ("customers", f"name ~ '{ARABIC}'"),
    "accents": ("customers", "name ~ '[À-ÿ]'"),
    "combining accents": ("customers", "name ~ U&'\\0301'"),
    "emoji": ("customers", "name ~ '[🌷☕🚲👩❤🇪✨]'"),
    "wildcards in names": ("customers", "name LIKE '%!%%' ESCAPE '!'"),
    "backslashes or quotes": ("customers", "name ~ '[\\\\''\"]'"),
    "deleted customers": ("customers", "deleted_at IS NOT NULL"),
    "deleted contacts": ("contacts", "deleted_at IS NOT NULL"),
    "deleted products": ("products", "deleted_at IS NOT NULL"),
    "deleted stages": ("stages", "deleted_at IS NOT NULL"),
    "deleted opportunities": ("opportunities", "deleted_at IS NOT NULL"),
    "deleted tickets": ("tickets", "deleted_at IS NOT NULL"),
    "orders of deleted customers": ("orders", "customer_id IN (SELECT id FROM customers WHERE deleted_at IS NOT NULL)"),
    "contacts of deleted customers": (
        "contacts",
        "customer_id IN (SELECT id FROM customers WHERE deleted_at IS NOT NULL)",
    ),
    "lines of deleted products": (
        "order_lines",
        "product_id IN (SELECT id FROM products WHERE deleted_at IS NOT NULL)",
    ),
    "lines of no product": ("order_lines", "product_id IS NULL"),
    "references to deleted contacts": (
        "(SELECT contact_id FROM tickets UNION ALL SELECT contact_id FROM opportunities)",
        "contact_id IN (SELECT id FROM contacts WHERE deleted_at IS NOT NULL)",
    ),
    "merged customers": ("customers", "merged_into_id IS NOT NULL"),
    "codes used again": ("customers", "code IN (SELECT code FROM customers GROUP BY 1 HAVING count(*) > 1)"),
    "skus used again": ("products", "sku IN (SELECT sku FROM products GROUP BY 1 HAVING count(*) > 1)"),
    "customers with hundreds of orders": (
        "customers c",
        "(SELECT count(*) FROM orders WHERE customer_id = c.id) > 110",
    ),
    "customers with no orders": ("customers c", "NOT EXISTS (SELECT FROM orders WHERE customer_id = c.id)"),
    "customers with eight contacts": ("customers c", "(SELECT count(*) FROM contacts WHERE customer_id = c.id) > 7"),
    "customers with five open tickets": (
        "customers c",
        "(SELECT count(*) FROM tickets WHERE customer_id = c.id AND status = 'OPEN' AND deleted_at IS NULL) >= 5",
    ),
    "orders with many lines": ("order_lines", "position > 11"),
    "orders from deals": ("orders", "opportunity_id IS NOT NULL"),
    "open deals": ("opportunities", "closed_at IS NULL"),
    "inactive users that own customers": ("customers", "owner_id IN (SELECT id FROM users WHERE NOT active)"),
    "customers of the demo seller": (
        "customers",
        "owner_id IN (SELECT id FROM users WHERE email = 'sales@rapport.example')",
    ),
    "deals of the demo seller": (
        "opportunities",
        "owner_id IN (SELECT id FROM users WHERE email = 'sales@rapport.example')",
    ),
    "tickets of the demo agent": (
        "tickets",
        "assignee_id IN (SELECT id FROM users WHERE email = 'support@rapport.example')",
    ),
    "tickets given by somebody else": ("tickets", "assigned_by_id <> assignee_id"),
    "tickets taken by the assignee": ("tickets", "assigned_by_id = assignee_id"),
    "tickets given by nobody known": ("tickets", "assignee_id IS NOT NULL AND assigned_by_id IS NULL"),
    "internal comments": ("ticket_comments", "internal"),
    "comments by customers": ("ticket_comments", "author_id IS NULL"),
    "discounts": ("orders", "discount > 0"),
    "EUR": ("orders", "currency = 'EUR' AND scale(total) = 2"),
    "USD": ("orders", "currency = 'USD' AND scale(total) = 2"),
    "JPY": ("orders", "currency = 'JPY' AND scale(total) = 0"),
    "KWD": ("orders", "currency = 'KWD' AND scale(total) = 3"),
    "references to a shop": ("external_refs", "entity = 'Order' AND system = 'shop'"),
}
NULLABLE = {
    "customers": "email phone source industry city region country notes owner_id",
    "contacts": "title email phone birthday notes",
    "products": "category",
    "stages": "rotting_after_days",
    "opportunities": "contact_id owner_id product_id expected_close_on closed_at loss_reason loss_notes",
    "stage_changes": "from_stage_id changed_by_id",
    "orders": "opportunity_id channel paid_at shipped_at delivered_at completed_at cancelled_at refunded_at",
    "order_status_changes": "from_status changed_by_id reason",
    "tickets": "contact_id order_id description category assignee_id assigned_by_id first_response_due_at "
    "resolution_due_at pending_since first_responded_at resolved_at closed_at satisfaction",
    "users": "team_id password_hash last_login_at",
    "teams": "region",
}
CHOICES = (
    *("customers.kind", "customers.tier", "customers.status", "stages.kind", "orders.status", "tickets.status"),
    *("tickets.kind", "tickets.priority", "tickets.channel"),
)
SETS = {
    "kind": {"customers": 2, "stages": 3, "tickets": 5},
    "tier": {"customers": 4},
    "status": {"customers": 4, "orders": 7, "tickets": 4},
    "priority": {"tickets": 4},
    "channel": {"tickets": 5},
}


@pytest.mark.parametrize("what", SHOWN)
async def test_there_are(what: str, db: asyncpg.Connection) -> None:
    table, condition = SHOWN[what]
    assert await db.fetchval(f"SELECT count(*) FROM {table}{' AS t' if table[0] == '(' else ''} WHERE {condition}") > 0


@pytest.mark.parametrize("table", NULLABLE)
async def test_what_may_be_absent_is_there_and_absent(table: str, db: asyncpg.Connection) -> None:
    for column in NULLABLE[table].split():
        row = await db.fetchrow(f"SELECT count({column}) AS there, count(*) - count({column}) AS absent FROM {table}")
        assert row["there"] > 0, column
        assert row["absent"] > 0, column


@pytest.mark.parametrize("column", CHOICES)
async def test_every_member_of_a_set_occurs(column: str, db: asyncpg.Connection) -> None:
    table, name = column.split(".")
    assert await db.fetchval(f"SELECT count(DISTINCT {name}) FROM {table}") == SETS[name][table]


async def test_most_money_is_euro(db: asyncpg.Connection) -> None:
    assert await db.fetchval("SELECT avg((currency = 'EUR')::int) FROM orders") > 0.6


async def test_there_is_more_business_before_christmas_than_after(db: asyncpg.Connection) -> None:
    months = dict(await db.fetch("SELECT extract(month FROM placed_at)::int, count(*) FROM orders GROUP BY 1"))
    assert months[12] > months[2]
    years = await db.fetchval("SELECT max(placed_at) - min(placed_at) FROM orders")
    assert years.days > 800


async def test_numbers_rise_with_time(db: asyncpg.Connection) -> None:
    for table in ("orders", "tickets"):
        assert (
            await db.fetchval(
                "SELECT count(*) FROM (SELECT created_at, lag(created_at) OVER (ORDER BY number) AS before"
                f" FROM {table}) AS t"
                " WHERE created_at < before - interval '3 hours'"
            )
            == 0
        )


async def test_tickets_are_due_as_the_policy_promises(db: asyncpg.Connection) -> None:
    policy = loaded(SlaPolicy, tuple(await db.fetchrow(f"SELECT {', '.join(columns(SlaPolicy))} FROM sla_policies")))
    clock = clock_of(policy, Shop(currency="EUR", timezone="Europe/Berlin"))
    rows = await db.fetch("SELECT priority, created_at, first_response_due_at, resolution_due_at FROM tickets")
    assert any(row["resolution_due_at"] for row in rows)
    for priority, created, *due in rows:
        promised = clock.promises[TicketPriority(priority)]
        assert promised.first_response is not None
        assert promised.resolution is not None
        right = [add_business(clock.calendar, created, each) for each in (promised.first_response, promised.resolution)]
        assert due in ([None, None], right)
