"""Lists by what is kept of customers seek in its indexes: they touch few rows, on the first page and on a deep one."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from typing import Any

import asyncpg
import pytest

from app.models import Customer
from app.reading.compile import compile_read
from app.reading.cursors import CursorKeys
from app.reading.filters import literal_value
from app.reading.read import (
    EVERYTHING,
    Compare,
    Filter,
    Leaf,
    MoneyField,
    Nodes,
    Operand,
    Page,
    PageInfo,
    Read,
    Term,
)
from app.reading.shop import ShopFacts
from auth.authorize import authorize
from auth.exporting import operator_access
from tests.conftest import Server

pytestmark = pytest.mark.anyio

CUSTOMERS = 20_000
KEYS = CursorKeys("of no server")
FILL = f"""
    INSERT INTO customers (id, code, name, kind, tier, status, created_at, updated_at)
    SELECT gen_random_uuid(), 'C' || n, 'Customer ' || n, 'PERSON', 'GOLD', 'LEAD', t, t
    FROM generate_series(1, {CUSTOMERS}) n, LATERAL (SELECT timestamptz '2024-01-01Z' + n * interval '1 minute' AS t) m;
    UPDATE customer_metrics m SET
        order_count = n.number % 40, sold_orders = n.number % 40, revenue = (n.number * 7919 % 1000) / 4.0,
        last_order_at = CASE WHEN n.number % 3 > 0
            THEN timestamptz '2025-01-01Z' + n.number % 5000 * interval '1 hour' END,
        segment = CASE WHEN n.number % 20 = 0 THEN 'AT_RISK' WHEN n.number % 2000 = 1 THEN 'CHAMPIONS'
            ELSE 'DORMANT' END
    FROM (SELECT customer_id, row_number() OVER (ORDER BY md5(customer_id::text)) AS number FROM customer_metrics) n
    WHERE n.customer_id = m.customer_id
"""


@pytest.fixture(scope="module")
async def db(server: Server, migrated: str) -> AsyncIterator[asyncpg.Connection]:
    url = await server.copy(migrated)
    connection = await asyncpg.connect(url)
    await connection.execute(FILL)
    await connection.execute("VACUUM (ANALYZE) customers, customer_metrics")
    await connection.execute("SET jit = off; SET max_parallel_workers_per_gather = 0; SET random_page_cost = 1.1")
    yield connection
    await connection.close()
    await server.drop(url)


def _itself(value: Any) -> Any:
    return value


def cursor(order: tuple[Term, ...], values: list[Any]) -> Operand:
    """The cursor of a place in an order."""
    terms = (*order, Term("id", order[-1].descending))
    key = KEYS.key("Customer:" + ",".join(f"{t.attribute} {'desc' if t.descending else 'asc'}" for t in terms))
    content = json.dumps(values).encode()
    signature = sha256(key + sha256(key + content).digest()).digest()[:12]
    return Operand(_itself, None, base64.urlsafe_b64encode(signature + content).decode().rstrip("="))


def page(order: tuple[Term, ...], page: Page, where: Filter = EVERYTHING) -> Read:
    fields = (Leaf("id", "id"), MoneyField("revenue", "revenue", (("amount", "amount"),)), Leaf("s", "rfm_segment"))
    return Read(
        Customer,
        parts=(Nodes("nodes", fields), PageInfo("info", (("hasNextPage", "hasNextPage"), ("endCursor", "endCursor")))),
        where=where,
        order=order,
        page=page,
    )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


async def touched(db: asyncpg.Connection, read: Read, *, generic: bool = False) -> tuple[int, int]:
    """The most rows that one scan of the statement looks at, and the buffers it touches."""
    access = operator_access()
    statement = compile_read(authorize(read, access), KEYS, ShopFacts("EUR", "Europe/Berlin"))
    arguments = statement.arguments({}, access.arguments)
    async with db.transaction():
        if generic:
            await db.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        text = await db.fetchval("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.sql, *arguments)
    plan = json.loads(text)[0]["Plan"]
    scans = [node for node in _nodes(plan) if node["Node Type"].endswith("Scan") and "Relation Name" in node]
    big = [node for node in scans if node["Relation Name"] in ("customers", "customer_metrics")]
    assert big
    rows = max((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in big)
    return int(rows), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.mark.parametrize("generic", [False, True], ids=["planned for its values", "planned once"])
@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("attribute", ["revenue", "order_count", "last_order_at"])
async def test_a_page_in_order_touches_few_rows_wherever_it_lies(
    db: asyncpg.Connection, attribute: str, descending: bool, generic: bool
) -> None:
    order = (Term(attribute, descending),)
    direction = "DESC" if descending else "ASC"
    for backward in (False, True):
        rows, buffers = await touched(db, page(order, Page(25, backward)), generic=generic)
        assert rows <= 60, rows
        assert buffers <= 1_200, buffers
        for offset in (3, 9_000, CUSTOMERS - 100):
            row = await db.fetchrow(
                f"SELECT {attribute}, customer_id FROM customer_metrics"
                f" ORDER BY {attribute} {direction} NULLS LAST, customer_id {direction} OFFSET $1 LIMIT 1",
                offset,
            )
            value = row[0].isoformat() if hasattr(row[0], "isoformat") else None if row[0] is None else str(row[0])
            value = int(value) if attribute == "order_count" and value is not None else value
            place = cursor(order, [value, str(row[1])])
            given = {"before": place} if backward else {"after": place}
            rows, buffers = await touched(db, page(order, Page(25, backward, **given)), generic=generic)
            assert rows <= 60, (offset, rows)
            assert buffers <= 1_200, (offset, buffers)


@pytest.mark.parametrize("generic", [False, True], ids=["planned for its values", "planned once"])
@pytest.mark.parametrize("segment", ["AT_RISK", "CHAMPIONS"])
async def test_a_segment_is_found_by_its_index(db: asyncpg.Connection, segment: str, generic: bool) -> None:
    where = Compare("rfm_segment", "eq", Operand(literal_value, None, segment))
    for order in ((), (Term("name"),), (Term("revenue", True),)):
        rows, buffers = await touched(db, page(order, Page(25), where), generic=generic)
        assert rows <= 1_100, rows
        assert buffers <= 3_000, buffers
