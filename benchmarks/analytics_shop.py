"""A large shop made by SQL: five years of orders, deals and tickets of so many customers.

``python -m benchmarks.analytics_shop 100000`` makes it in a database of its own on the embedded server and prints the
URL. A quarter of the customers never bought; the others have from 1 to 60 orders, most of them few. Orders are in five
currencies with a rate for each day, and have three lines on the average.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from rich.console import Console

from app.commands import prepared
from app.db.embedded import EmbeddedPostgres
from app.demo.bulk import put_back, set_aside

FOLDER = Path(".data/analytics")
END = "timestamptz '2026-11-20 17:00+00'"
DAYS = 1826
ADMIN, MANAGER, SELLER = "admin@shop.example", "manager1@shop.example", "seller1@shop.example"
"""Who may see everything, a tenth of it, and a fiftieth."""

_TABLES = (
    *(
        "customers",
        "products",
        "orders",
        "order_lines",
        "opportunities",
        "stage_changes",
        "tickets",
        "customer_metrics",
    ),
    "exchange_rates",
)

_PEOPLE = """
    INSERT INTO teams (id, name, region) SELECT gen_random_uuid(), 'Team ' || n, 'R' || n FROM generate_series(1, 10) n;
    INSERT INTO users (id, name, email, role_id, team_id)
    SELECT gen_random_uuid(), role || ' ' || n, who || n || '@shop.example', r.id, t.id
    FROM (
        SELECT 'MANAGER' AS role, 'manager' AS who, n, n AS team FROM generate_series(1, 10) n
        UNION ALL SELECT 'SALES', 'seller', n, (n - 1) % 10 + 1 FROM generate_series(1, 50) n
    ) people JOIN roles r ON r.name = role JOIN teams t ON t.name = 'Team ' || team;
    INSERT INTO users (id, name, email, role_id)
    SELECT gen_random_uuid(), 'Admin', 'admin@shop.example', id FROM roles WHERE name = 'ADMIN';
    INSERT INTO sessions (id, user_id, refresh_seed, created_at, last_used_at, expires_at)
    SELECT id, id, '', now(), now(), now() + interval '1 year' FROM users WHERE email LIKE '%@shop.example';
    INSERT INTO stages (id, name, kind, position, probability, rotting_after_days)
    SELECT gen_random_uuid(), name, kind, n, probability, CASE kind WHEN 'OPEN' THEN 30 END
    FROM (VALUES (1, 'New', 'OPEN', 10), (2, 'Talking', 'OPEN', 30), (3, 'Offered', 'OPEN', 50),
        (4, 'Agreed', 'OPEN', 80), (5, 'Won', 'WON', 100), (6, 'Lost', 'LOST', 0)) s(n, name, kind, probability);
"""
_PRODUCTS = """
    INSERT INTO products (id, sku, name, category, price, currency)
    SELECT gen_random_uuid(), 'SKU-' || n, 'Product ' || n, CASE WHEN n % 20 > 0 THEN 'Category ' || n % 20 END,
        round((5 + 195 * power(random(), 3))::numeric, 2), 'EUR'
    FROM generate_series(1, 500) n
"""
_RATES = f"""
    INSERT INTO exchange_rates (currency, day, rate)
    SELECT currency, ({END} - interval '1 day' * n)::date, round((base * (1 + 0.1 * sin(n / 90.0)))::numeric, 6)
    FROM generate_series(0, {DAYS}) n,
        (VALUES ('USD', 0.92), ('GBP', 1.17), ('CHF', 1.04), ('JPY', 0.0062)) c(currency, base)
"""
# Customers whose orders are spread over a part of the time since they came.
_PLAN = f"""
    CREATE UNLOGGED TABLE bench_plan AS
    SELECT n, uuidv7({END} - interval '1 day' * age - now()) AS id, {END} - interval '1 day' * age AS came,
        age * CASE WHEN random() < 0.4 THEN 1 ELSE random() END AS active,
        CASE WHEN random() < 0.25 THEN 0 ELSE least(60, 1 + floor(-ln(1 - random()) * 6.2))::int END AS orders,
        CASE WHEN n % 10 < 7 THEN 'EUR' WHEN n % 10 = 7 THEN 'USD' WHEN n % 20 = 8 THEN 'GBP'
            WHEN n % 20 = 18 THEN 'CHF' WHEN n % 20 = 9 THEN 'JPY' ELSE 'USD' END AS currency
    FROM (SELECT n, {DAYS} * random() AS age FROM generate_series(1, {{customers}}) n ORDER BY 2 DESC) ages
"""
_CUSTOMERS = f"""
    INSERT INTO customers (id, created_at, updated_at, name, kind, tier, status, email, city, region, country, owner_id)
    SELECT p.id, came, {END}, 'Customer ' || p.n, (ARRAY['PERSON', 'PERSON', 'COMPANY'])[1 + p.n % 3],
        (ARRAY['STANDARD', 'STANDARD', 'SILVER', 'GOLD'])[1 + p.n % 4],
        CASE WHEN orders > 0 THEN 'ACTIVE' ELSE 'LEAD' END, 'c' || p.n || '@example.com', 'City ' || p.n % 300,
        'Region ' || p.n % 10, (ARRAY['DE', 'DE', 'FR', 'US', 'JP'])[1 + p.n % 5], u.id
    FROM bench_plan p JOIN (
        SELECT id, row_number() OVER (ORDER BY length(email), email) - 1 AS place FROM users WHERE email LIKE 'seller%'
    ) u ON u.place = p.n % 50
"""
# What the triggers would have made.
_METRICS = """
    INSERT INTO customer_metrics (customer_id, order_count, last_order_at)
    SELECT c.id, coalesce(o.count, 0), o.last FROM customers c LEFT JOIN (
        SELECT customer_id, count(*) AS count, max(placed_at) AS last FROM orders GROUP BY 1
    ) o ON o.customer_id = c.id;
    INSERT INTO customer_totals (segment, churn_state, customers, revenue, unvalued_orders)
    SELECT segment, churn_state, count(*), 0, 0 FROM customer_metrics GROUP BY 1, 2
"""
_SALES = """
    CREATE UNLOGGED TABLE bench_orders AS
    SELECT uuidv7(placed_at - now()) AS id, customer_id, placed_at, currency,
        1 + floor(power(random(), 1.4) * 6)::int AS lines
    FROM (
        SELECT p.id AS customer_id, p.currency, came + interval '1 day' * active * random() AS placed_at
        FROM bench_plan p CROSS JOIN generate_series(1, p.orders) o ORDER BY 3
    ) placed
"""
_LINES = """
    INSERT INTO order_lines (id, order_id, position, product_id, sku, name, quantity, unit_price, currency)
    SELECT uuidv7(o.placed_at - now()), o.id, position, p.id, p.sku, p.name, 1 + floor(power(random(), 3) * 5)::int,
        round(p.price * CASE o.currency WHEN 'JPY' THEN 160 ELSE 1 END, currency_scale(o.currency)), o.currency
    FROM (
        SELECT o.*, position, 1 + floor(500 * power(random(), 2))::int AS place
        FROM bench_orders o CROSS JOIN generate_series(1, o.lines) position
    ) o JOIN (SELECT *, row_number() OVER (ORDER BY sku) AS place FROM products) p ON p.place = o.place
"""
_ORDERS = """
    INSERT INTO orders (id, created_at, updated_at, customer_id, status, channel, currency, subtotal, discount,
        shipping_fee, placed_at, paid_at, completed_at)
    SELECT o.id, placed_at, placed_at, customer_id, status, 'WEB', currency, l.subtotal,
        round(0, currency_scale(currency)), round(4, currency_scale(currency)), placed_at,
        CASE WHEN status <> 'PENDING_PAYMENT' THEN placed_at END,
        CASE WHEN status = 'COMPLETED' THEN placed_at + interval '6 days' END
    FROM (
        SELECT *, CASE WHEN chance <= 5
            THEN (ARRAY['PENDING_PAYMENT', 'CANCELLED', 'CANCELLED', 'REFUNDED', 'SHIPPED'])[chance]
            ELSE 'COMPLETED' END AS status
        FROM (SELECT *, 1 + floor(random() * 60)::int AS chance FROM bench_orders) c
    ) o JOIN (SELECT order_id, sum(total) AS subtotal FROM order_lines GROUP BY 1) l ON l.order_id = o.id
"""
# A deal for each customer: it goes on stage by stage; half of those that are old enough have been closed.
_DEALS = f"""
    CREATE UNLOGGED TABLE bench_deals AS
    SELECT uuidv7(opened_at - now()) AS id, d.*, CASE WHEN {END} - opened_at > interval '60 days' AND random() < 0.9
        THEN CASE WHEN random() < 0.35 THEN 5 ELSE 6 END ELSE 1 + floor(random() * 4)::int END AS stage
    FROM (
        SELECT p.id AS customer_id, p.n, p.currency, came + ({END} - came) * random() AS opened_at,
            1 + floor(random() * 4)::int AS reached, round((200 + 20000 * power(random(), 4))::numeric, 0) AS amount
        FROM bench_plan p
    ) d
"""
_OPPORTUNITIES = f"""
    INSERT INTO opportunities (id, created_at, updated_at, name, customer_id, owner_id, product_id, stage_id, amount,
        currency, probability, expected_close_on, opened_at, stage_entered_at, closed_at)
    SELECT d.id, opened_at, opened_at, 'Deal ' || n, d.customer_id, c.owner_id, p.id, s.id,
        round(amount, currency_scale(d.currency)), d.currency, s.probability,
        (opened_at + interval '90 days')::date, opened_at,
        least(opened_at + interval '6 days' * least(stage, 5), {END}),
        CASE WHEN stage > 4 THEN opened_at + interval '30 days' END
    FROM bench_deals d JOIN customers c ON c.id = d.customer_id JOIN stages s ON s.position = d.stage
    JOIN (SELECT id, row_number() OVER (ORDER BY sku) AS place FROM products) p ON p.place = 1 + n % 500
"""
_CHANGES = """
    INSERT INTO stage_changes (id, opportunity_id, from_stage_id, to_stage_id, changed_at)
    SELECT uuidv7(opened_at - now()), d.id, f.id, t.id, opened_at + interval '6 days' * (step - 1)
    FROM bench_deals d
    CROSS JOIN LATERAL (
        SELECT n AS step, n - 1 AS before, n AS after
        FROM generate_series(1, CASE WHEN stage > 4 THEN reached ELSE stage END) n
        UNION ALL SELECT 6, reached, stage WHERE stage > 4
    ) s
    LEFT JOIN stages f ON f.position = s.before JOIN stages t ON t.position = s.after
"""
_TICKETS = f"""
    INSERT INTO tickets (id, created_at, updated_at, customer_id, subject, kind, category, priority, status, channel,
        first_response_due_at, resolution_due_at, first_responded_at, resolved_at, closed_at, satisfaction)
    SELECT uuidv7(at - now()), at, at, customer_id, 'Ticket ' || n,
        (ARRAY['INQUIRY', 'COMPLAINT', 'AFTER_SALES', 'TECHNICAL'])[1 + n % 4], 'Category ' || n % 12,
        (ARRAY['LOW', 'NORMAL', 'NORMAL', 'HIGH', 'URGENT'])[1 + n % 5], CASE WHEN done THEN 'CLOSED' ELSE 'OPEN' END,
        (ARRAY['WEB', 'EMAIL', 'PHONE', 'CHAT'])[1 + n % 4], at + interval '8 hours', at + interval '3 days',
        CASE WHEN done THEN at + interval '12 hours' * power(random(), 2) END,
        CASE WHEN done THEN at + interval '5 days' * random() END, CASE WHEN done THEN at + interval '6 days' END,
        CASE WHEN done AND n % 3 = 0 THEN 1 + n % 5 END
    FROM (
        SELECT p.id AS customer_id, p.n, came + ({END} - came) * random() AS at, random() < 0.97 AS done
        FROM bench_plan p
    ) t
"""


async def make_shop(connection: asyncpg.Connection, customers: int, console: Console) -> None:
    """Fill a prepared database, as a user of PostgreSQL who may turn triggers off."""
    async with connection.transaction():
        for setting in ("session_replication_role = replica", "work_mem = '256MB'", "synchronous_commit = off"):
            await connection.execute(f"SET LOCAL {setting}")
        definitions = await set_aside(connection, _TABLES)
        steps: Sequence[tuple[str, str]] = (
            *(("people", _PEOPLE), ("products", _PRODUCTS), ("rates", _RATES)),
            *(("plan", _PLAN.format(customers=customers)), ("customers", _CUSTOMERS)),
            *(("sales", _SALES), ("lines", _LINES), ("orders", _ORDERS), ("metrics", _METRICS)),
            *(("deals", _DEALS), ("opportunities", _OPPORTUNITIES), ("stage changes", _CHANGES), ("tickets", _TICKETS)),
        )
        for name, statement in steps:
            begun = time.perf_counter()
            await connection.execute(statement)
            console.print(f"{name}: {time.perf_counter() - begun:.1f} s", highlight=False)
        for table in ("bench_plan", "bench_orders", "bench_deals"):
            await connection.execute(f"DROP TABLE {table}")
        begun = time.perf_counter()
        async for _ in put_back(connection, definitions):
            pass
        console.print(f"indexes: {time.perf_counter() - begun:.1f} s", highlight=False)
    await connection.execute("VACUUM (ANALYZE)")


async def open_shop(server: EmbeddedPostgres, customers: int, console: Console) -> str:
    """The URL of the shop of so many customers, made where it is not there yet."""
    url = server.url(f"analytics_{customers}")
    await prepared(url)
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM customers)"):
            await make_shop(connection, customers, console)
    finally:
        await connection.close()
    return url


def main() -> None:
    """Make the shop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("customers", type=int, nargs="?", default=10_000)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    console = Console(soft_wrap=True)
    with EmbeddedPostgres(given.folder) as server:
        console.print(asyncio.run(open_shop(server, given.customers, console)))


if __name__ == "__main__":
    main()
