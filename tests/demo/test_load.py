from uuid import UUID

import asyncpg
import pytest

from app.demo.chance import Calendar
from app.demo.load import AS_OF, DEMO_ACCOUNTS, DemoRefusedError, load_demo, make_shop
from app.demo.rows import Frame
from tests.demo.conftest import CUSTOMERS, HASH

pytestmark = pytest.mark.anyio

TABLES = (
    *("teams", "users", "stages", "products", "customers", "contacts", "opportunities", "stage_changes", "orders"),
    *("order_lines", "order_status_changes", "tickets", "ticket_comments", "external_refs", "exchange_rates"),
)
DEFINITIONS = """
    SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) || convalidated FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    ORDER BY 1
"""

COLLISIONS = {
    "DELETE FROM roles WHERE name = 'SALES'": "no role SALES",
    """INSERT INTO users (id, name, email, role_id)
       SELECT gen_random_uuid(), 'x', 'Ben.Klein@rapport.example', id FROM roles LIMIT 1""": "Ben.Klein@",
    """INSERT INTO teams (id, name) VALUES (gen_random_uuid(), 'Support 1')""": "already has teams",
    """INSERT INTO stages (id, name, kind, position, probability)
       VALUES (gen_random_uuid(), 'x', 'OPEN', 1, 1)""": "already has stages",
}


async def content(url: str) -> dict[str, str]:
    """A hash of all rows of each table. The ids of roles differ from database to database and are left out."""
    connection = await asyncpg.connect(url)
    found = {}
    for table in TABLES:
        row = "to_jsonb(t) - 'role_id'"
        found[table] = await connection.fetchval(
            f"SELECT md5(string_agg(({row})::text, '' ORDER BY ({row})::text)) FROM {table} t"
        )
    await connection.close()
    return found


async def test_the_same_number_gives_the_same_shop(shop: str, empty_database: str) -> None:
    report = await load_demo(empty_database, CUSTOMERS, password_hash=HASH)
    assert await content(empty_database) == await content(shop)
    connection = await asyncpg.connect(empty_database)
    for table in TABLES:
        assert report.counts[table] == await connection.fetchval(f"SELECT count(*) FROM {table}")
    await connection.close()
    assert report.counts["customers"] == CUSTOMERS
    assert report.counts["orders"] == CUSTOMERS * 5


async def test_every_order_and_deal_has_an_exchange_rate(shop: str) -> None:
    connection = await asyncpg.connect(shop)
    assert await connection.fetchval("SELECT count(*) FROM order_facts WHERE amount > 0") > 100
    assert await connection.fetchval("SELECT count(DISTINCT rate) FROM order_facts") > 100
    assert not await connection.fetchval("SELECT count(*) FROM order_facts WHERE rate IS NULL")
    lacking = "currency <> 'EUR' AND exchange_rate(currency, opened_at::date) IS NULL"
    assert not await connection.fetchval(f"SELECT count(*) FROM opportunities WHERE {lacking}")
    await connection.close()


def test_another_seed_gives_another_shop() -> None:
    roles = {role: UUID(int=number) for number, (_, role, _) in enumerate(DEMO_ACCOUNTS)}

    def rows(seed: int) -> list[set[bytes]]:
        batches = make_shop(Frame(seed, Calendar(AS_OF)), 20, roles, HASH)
        return [set(batch.rows) for batch in batches if batch.rows]

    assert rows(1) == rows(1)
    assert all(ours.isdisjoint(theirs) for ours, theirs in zip(rows(1), rows(2), strict=True))


async def test_the_database_is_ready_for_use_afterwards(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    before = await connection.fetch(DEFINITIONS)
    assert len(before) > 150
    told: list[tuple[str, int, int]] = []
    await load_demo(empty_database, 10, password_hash=HASH, progress=lambda *step: told.append(step))
    assert await connection.fetch(DEFINITIONS) == before
    assert await connection.fetchval("SELECT next_number('C', 'customer_codes')") == "C000000011"
    assert await connection.fetchval("SELECT next_number('O', 'order_numbers')") == "O000000051"
    assert await connection.fetchval("SELECT next_number('T', 'ticket_numbers')") == "T000000006"
    assert all(0 <= done <= total for _, done, total in told)
    assert [name for name, *_ in told if name in ("indexes", "analytics")][-3:] == ["indexes", "analytics", "analytics"]
    assert told[-1][1] == told[-1][2]
    content_before = await content(empty_database)
    with pytest.raises(DemoRefusedError, match="already has customers"):
        await load_demo(empty_database, 10, password_hash=HASH)
    assert await content(empty_database) == content_before
    await connection.close()


async def test_what_would_collide_is_refused(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    for statement, message in COLLISIONS.items():
        await connection.execute(statement)
        with pytest.raises(DemoRefusedError, match=message):
            await load_demo(empty_database, 5, password_hash=HASH)
    assert await connection.fetchval("SELECT count(*) FROM customers") == 0
    await connection.close()


@pytest.mark.parametrize("customers", [0, 1])
async def test_any_number_of_customers_will_do(empty_database: str, customers: int) -> None:
    report = await load_demo(empty_database, customers, password_hash=HASH)
    assert report.counts["customers"] == customers


async def test_there_is_an_account_for_each_built_in_role(db: asyncpg.Connection) -> None:
    rows = await db.fetch(
        "SELECT email, roles.name AS role, users.name FROM users JOIN roles ON roles.id = role_id"
        " WHERE password_hash = $1 AND active",
        HASH,
    )
    assert sorted(tuple(row) for row in rows) == sorted(DEMO_ACCOUNTS)
    assert await db.fetchval("SELECT count(*) FROM roles WHERE built_in") == len(DEMO_ACCOUNTS)
    assert await db.fetchval("SELECT count(*) FROM users WHERE password_hash <> $1", HASH) == 0


async def test_nothing_is_later_than_the_moment_up_to_which_the_data_goes(db: asyncpg.Connection) -> None:
    columns = await db.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'timestamp with time zone'"
        " AND table_schema = 'public' AND column_name NOT LIKE '%due_at'"
        " AND table_name NOT IN ('sessions', 'analytics_state', 'customer_metrics')"
    )
    assert len(columns) > 30
    for table, column in columns:
        assert await db.fetchval(f"SELECT count(*) FROM {table} WHERE {column} > $1", AS_OF) == 0, (table, column)
    assert await db.fetchval("SELECT count(*) FROM tickets WHERE resolution_due_at > $1", AS_OF) > 0


async def test_ids_are_uuid_7_and_sort_by_the_time_of_creation(db: asyncpg.Connection) -> None:
    for table in (
        "customers",
        "contacts",
        "opportunities",
        "orders",
        "tickets",
        "ticket_comments",
        "products",
        "users",
    ):
        wrong = await db.fetchval(
            f"SELECT count(*) FROM {table} WHERE left(replace(id::text, '-', ''), 12)"
            " <> lpad(to_hex(floor(extract(epoch FROM created_at) * 1000)::bigint), 12, '0')"
            " OR id::text !~ '^.{14}7.{4}[89ab]'"
        )
        assert wrong == 0, table
