"""What the analytics cost as the shop grows: ``python -m benchmarks.analytics 10000 100000``.

For each size: everything counted for the first time and once more, what is kept brought up to date after 1,000 changed
orders and as many opportunities, and every figure for callers of all rows, of a tenth and of a fiftieth. The shops are
made where they are missing (``benchmarks.analytics_shop``), and stay. Some rows change between two runs of a figure.
"""

import argparse
import asyncio
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import follow
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.snapshots import snapshot
from app.analytics.keeping.state import turn
from app.db.embedded import EmbeddedPostgres
from app.main import create_app
from app.models.base import utcnow
from app.settings import Settings
from auth.tokens import AccessTokens
from benchmarks import machine
from benchmarks.analytics_shop import ADMIN, FOLDER, MANAGER, SELLER, open_shop

CHANGED = 1_000
_SECRET = "only for measuring, on a made shop"
_SHOP = ShopFacts("EUR", "Europe/Berlin")
_HOURS = 72
_MONTHS = date(2026, 1, 1), date(2026, 7, 1)
"""The months between which segments are compared."""

_POINT = "start end orders customers revenue { amount currency } averageOrderValue { amount }"
_PRODUCT = "product { id sku name } quantity orders revenue { amount }"
FIGURES: Mapping[str, str] = {
    "revenue by month": f"revenue {{ {_POINT} }}",
    "revenue by day": f"revenue(bucket: DAY) {{ {_POINT} }}",
    "revenue in another zone": f'revenue(timezone: "Asia/Tokyo") {{ {_POINT} }}',
    "revenue of one channel": f'revenue(where: {{channel: {{eq: "WEB"}}}}) {{ {_POINT} }}',
    "pipeline": "pipeline { stage { name } count amount { amount } weightedAmount { amount } averageDaysInStage"
    " rotting }",
    "funnel": "funnel { stage { name } entered conversion }",
    "win rates by owner": "winRates { key label won lost rate wonAmount { amount } averageDaysToClose }",
    "win rates by month": "winRates(by: MONTH) { key label won lost rate wonAmount { amount } averageDaysToClose }",
    "win rates by product": "winRates(by: PRODUCT) { key label won lost rate wonAmount { amount } averageDaysToClose }",
    "forecast": "forecast { month won { amount } weighted { amount } bestCase { amount } }",
    "rfm": "rfm { segment customers revenue { amount } share }",
    "retention": "retention { month size retained }",
    "churn": "churn { state customers revenue { amount } }",
    "segment moves": 'segmentMoves(from: "2026-01-01", to: "2026-07-01") { from to customers }',
    "top products": f"topProducts {{ {_PRODUCT} }}",
    "top products of a year": f'topProducts(from: "2025-01-01T00:00:00+01:00", to: "2026-01-01T00:00:00+01:00")'
    f" {{ {_PRODUCT} }}",
    "categories": "categories { category quantity revenue { amount } share }",
    "tickets": "tickets { opened { start count } resolved { start count } backlog medianFirstResponseMinutes"
    " p90FirstResponseMinutes medianResolutionMinutes firstResponseSlaMet resolutionSlaMet averageSatisfaction"
    " satisfaction byChannel { label count } byKind { label count } byPriority { label count } }",
}
ALL = " ".join(
    f"f{number}: {FIGURES[name]}"
    for number, name in enumerate(FIGURES)
    if name not in ("revenue in another zone", "revenue of one channel")
)
"""All that callers of all rows get from what is kept, in one request."""

_CHANGE = """
    WITH these AS (SELECT id FROM ({some}) s ORDER BY random() LIMIT $1), changed AS (
        UPDATE orders o SET status = CASE o.status WHEN 'REFUNDED' THEN 'COMPLETED' ELSE 'REFUNDED' END
        FROM these WHERE o.id = these.id RETURNING o.id
    )
    INSERT INTO outbox (event_id, at, action, entity, record_id, fields)
    SELECT gen_random_uuid(), now(), 'refund', 'Order', id, '{{}}' FROM changed
"""
# As before the first start.
_FORGET = """
    TRUNCATE order_facts, sales_buckets, product_buckets, cohort_buckets, metric_counts, opportunity_facts,
        pipeline_ways, funnel_buckets, pipeline_buckets, closing_buckets, ticket_facts, ticket_buckets;
    UPDATE analytics_state SET built = false, whole = false;
    UPDATE customer_metrics SET sold_orders = 0, exact_revenue = 0, revenue = 0, unvalued_orders = 0,
        first_sold_at = NULL, last_sold_at = NULL, order_days = 0, rhythm = NULL, due_at = NULL, churned_at = NULL,
        recency_score = NULL, frequency_score = NULL, monetary_score = NULL, segment = 'PROSPECTS',
        churn_state = 'NEVER_BOUGHT'
    WHERE sold_orders > 0
"""
_PLACE = """
    WITH these AS (SELECT id FROM ({some}) s ORDER BY random() LIMIT $1), made AS (
        INSERT INTO orders (id, customer_id, status, currency, subtotal, discount, shipping_fee, placed_at)
        SELECT gen_random_uuid(), id, 'PAID', 'EUR', 0.00, 0.00, 19.90, now() FROM these RETURNING id
    )
    INSERT INTO outbox (event_id, at, action, entity, record_id, fields)
    SELECT gen_random_uuid(), now(), 'pay', 'Order', id, '{{}}' FROM made
"""
_EDIT = """
    WITH these AS (SELECT id FROM ({some}) s ORDER BY random() LIMIT $1), changed AS (
        UPDATE opportunities o SET amount = amount + 1 FROM these WHERE o.id = these.id RETURNING o.id
    )
    INSERT INTO outbox (event_id, at, action, entity, record_id, fields)
    SELECT gen_random_uuid(), now(), 'update', 'Opportunity', id, '{{}}' FROM changed
"""
# Some rows of some pages: to shuffle all of them would take longer than what is measured.
_SOME = "SELECT id FROM {table} TABLESAMPLE SYSTEM ({percent})"


_ORDERS = (("orders", _CHANGE), ("customers", _PLACE))
_DEALS = (("opportunities", _EDIT),)


async def _change(connection: asyncpg.Connection, count: int, changes: Sequence[tuple[str, str]] = _ORDERS) -> None:
    """Of orders, half are refunded or no longer so, half are new ones; opportunities are edited."""
    async with connection.transaction():
        for table, statement in changes:
            rows = await connection.fetchval("SELECT reltuples FROM pg_class WHERE oid = $1::text::regclass", table)
            some = _SOME.format(table=table, percent=min(100, 2_000 * count / max(rows, 1)))
            await connection.execute(statement.format(some=some), count // len(changes))


async def _timed(work: Any) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = await work
    return time.perf_counter() - begun, found


async def measure_keeping(url: str, rounds: int, console: Console) -> dict[str, float]:
    """Seconds that it takes to count everything, and to follow."""
    connection = await asyncpg.connect(url, server_settings={"jit": "off", "TimeZone": "UTC"})
    found: dict[str, float] = {}
    try:
        await connection.execute(_FORGET)
        await connection.execute("VACUUM (ANALYZE) customer_metrics")
        for name in ("everything for the first time", "everything once more"):
            async with turn(connection):
                found[name], _ = await _timed(refresh(connection, _SHOP, utcnow()))
            console.print(f"{name}: {found[name]:.1f} s", highlight=False)
            await connection.execute("VACUUM (ANALYZE) customer_metrics")
        times = []
        for _ in range(rounds):
            await _change(connection, CHANGED)
            seconds, done = await _timed(follow(connection, _SHOP, outbox_hours=_HOURS))
            console.print(f"{CHANGED:,} changed orders: {seconds:.2f} s ({done})", highlight=False)
            times.append(seconds)
        found[f"{CHANGED:,} changed orders"] = statistics.median(times)
        await _change(connection, CHANGED, _DEALS)
        found[f"{CHANGED:,} changed opportunities"], _ = await _timed(follow(connection, _SHOP, outbox_hours=_HOURS))
        found["nothing changed"], _ = await _timed(follow(connection, _SHOP, outbox_hours=_HOURS))
    finally:
        await connection.close()
    return found


async def measure_figures(url: str, rounds: int) -> dict[str, dict[str, float | str]]:
    """Milliseconds that each figure takes each caller, or what it says where it is refused."""
    connection = await asyncpg.connect(url, server_settings={"jit": "off", "TimeZone": "UTC"})
    users = dict(await connection.fetch("SELECT email, id FROM users WHERE email LIKE '%@shop.example'"))
    for month in _MONTHS:
        await snapshot(connection, _SHOP, month)
    signer = AccessTokens(_SECRET, 3600)
    app = create_app(Settings(secret=_SECRET, keeper=False, access_log=False, max_cost=10**9, budget_points=0), url)
    found: dict[str, dict[str, float | str]] = {}
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop", timeout=300) as client:
            for name, figure in (*FIGURES.items(), ("all of these at once", ALL)):
                body = {"query": f"{{ analytics {{ {figure} }} }}"}
                found[name] = {}
                for who in (ADMIN, MANAGER, SELLER):
                    headers = {"Authorization": f"Bearer {signer.sign(users[who], users[who])[0]}"}
                    times = []
                    # The first one also finds out how to ask.
                    await client.post("/graphql", json=body, headers=headers)
                    for _ in range(rounds):
                        await _change(connection, 20)
                        await _change(connection, 20, _DEALS)
                        await follow(connection, _SHOP, outbox_hours=_HOURS)
                        seconds, answer = await _timed(client.post("/graphql", json=body, headers=headers))
                        said = answer.json()
                        if "errors" in said:
                            found[name][who] = str(said["errors"][0]["message"])
                            break
                        times.append(seconds * 1000)
                    if times:
                        found[name][who] = statistics.median(times)
    await connection.close()
    return found


def print_keeping(console: Console, found: Mapping[int, Mapping[str, float]]) -> None:
    """A row for each piece of work, a column for each size, and by how much the cost grows with the size."""
    table = Table(title="Keeping, seconds")
    table.add_column("what")
    for size in found:
        table.add_column(f"{size:,}", justify="right")
    table.add_column("growth", justify="right")
    for name in next(iter(found.values())):
        values = [found[size][name] for size in found]
        table.add_row(name, *(f"{value:.3f}" for value in values), _growth(list(found), values))
    console.print(table)


def print_figures(console: Console, found: Mapping[int, Mapping[str, Mapping[str, float | str]]]) -> None:
    """A row for each figure and caller, a column for each size, and by how much the cost grows with the size."""
    table = Table(title="Figures, milliseconds")
    for column in ("figure", "caller"):
        table.add_column(column)
    for size in found:
        table.add_column(f"{size:,}", justify="right")
    table.add_column("growth", justify="right")
    for name, callers in next(iter(found.values())).items():
        for who in callers:
            values = [found[size][name].get(who, "") for size in found]
            shown = [f"{value:.1f}" if isinstance(value, float) else str(value)[:60] for value in values]
            numbers = [value for value in values if isinstance(value, float)]
            table.add_row(
                name, who.split("@")[0], *shown, _growth(list(found), numbers) if len(numbers) == len(values) else ""
            )
    console.print(table)


def _growth(sizes: list[int], values: list[float]) -> str:
    """The exponent of the cost between the smallest and the largest size: 1 is as fast as the shop."""
    if len(sizes) < 2 or min(values) <= 0:
        return ""
    return f"{math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0]):.2f}"


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("customers", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("keeping", "figures"))
    given = parser.parse_args()
    console, load = Console(soft_wrap=True), machine.load_average()
    keeping: dict[int, Mapping[str, float]] = {}
    figures: dict[int, Mapping[str, Mapping[str, float | str]]] = {}
    with EmbeddedPostgres(given.folder) as server:
        for size in given.customers:
            url = asyncio.run(open_shop(server, size, console))
            if given.only != "figures":
                keeping[size] = asyncio.run(measure_keeping(url, given.rounds, console))
            if given.only != "keeping":
                figures[size] = asyncio.run(measure_figures(url, given.rounds))
    console.print(f"Load average before the start {load:.2f}, now {machine.load_average():.2f}.", highlight=False)
    if keeping:
        print_keeping(console, keeping)
    if figures:
        print_figures(console, figures)


if __name__ == "__main__":
    main()
