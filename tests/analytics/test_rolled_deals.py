"""What is kept of all opportunities gives the same figures as the opportunities themselves, and is used where that is
so."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from tests.analytics import deal_shop
from tests.analytics.following import followed
from tests.analytics.kept_deal_shop import KeptDeals
from tests.analytics.plain import load_plain
from tests.analytics.test_pipeline_figures import (
    FORECAST,
    FUNNEL,
    PIPELINE,
    WIN_RATES,
    Shop,
    same_forecast,
    same_funnel,
    same_pipeline,
    same_win_rates,
)
from tests.api import Api, open_api

pytestmark = pytest.mark.anyio

ZONE = "Europe/Berlin"
KEYS = ("OWNER", "TEAM", "PRODUCT", "MONTH")


def local(year: int, month: int, day: int = 1, zone: str = ZONE) -> datetime:
    """The beginning of a day in the shop."""
    return datetime(year, month, day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


MONTHS = (
    (None, None),
    (local(2024, 2), local(2024, 3)),
    (local(2024, 3), local(2026, 4)),
    (local(2026, 3), None),
    (None, local(2026, 1)),
    (local(2026, 10), local(2026, 11)),
)
WHOLE, ODD = (local(2024, 2), local(2026, 11)), (local(2024, 2), local(2026, 11) + timedelta(microseconds=1))


class KeptFigures:
    """A shop of which everything is kept, and the API on it."""

    def __init__(self, url: str, connection: asyncpg.Connection, api: Api, users: dict[str, UUID]) -> None:
        self.url, self.connection, self.api, self.users = url, connection, api, users

    async def count_anew(self, zone: str = ZONE) -> None:
        async with turn(self.connection):
            await refresh(self.connection, ShopFacts("EUR", zone), datetime.now(UTC))

    async def ask(self, document: str, user: str = "admin", **variables: Any) -> Any:
        given = {name: each.isoformat() if isinstance(each, datetime) else each for name, each in variables.items()}
        answer = await self.api.post(document, given, user=self.users[user])
        assert "errors" not in answer, answer
        return answer["data"]["analytics"]

    async def statement(self, document: str, user: str = "admin", **variables: Any) -> tuple[str, Any]:
        """The statement of a figure, and its arguments."""
        reader = self.api.server.reader
        fetch, asked = reader.fetch, []

        async def noting(statement: Any, arguments: Any) -> Any:
            asked.append((statement.sql, arguments))
            return await fetch(statement, arguments)

        reader.fetch = noting  # type: ignore[method-assign]
        try:
            await self.ask(document, user, **variables)
        finally:
            reader.fetch = fetch  # type: ignore[method-assign]
        (found,) = [each for each in asked if "#note" in each[0]]
        return found

    async def both_ways(self, document: str, user: str = "admin", *, before: str = "", **variables: Any) -> list[Any]:
        """What the statement of a figure answers at one moment: from what is kept, and from the opportunities."""
        sql, arguments = await self.statement(document, user, **variables)
        found = []
        async with self.connection.transaction():
            for built in (True, False):
                await self.connection.execute("UPDATE analytics_state SET built = $1", built)
                found.append([tuple(row) for row in await self.connection.fetch(before + sql, *arguments)])
            await self.connection.execute("UPDATE analytics_state SET built = true")
        return found


@asynccontextmanager
async def kept(server: Any, migrated: str, seed: int, zone: str = ZONE, customers: int = 25) -> Any:
    url = await server.copy(migrated)
    users = await deal_shop.build(url, seed, zone, customers)
    connection = await asyncpg.connect(url, server_settings={"TimeZone": "UTC"})
    async with open_api(url, shop_timezone=zone, read_pool=1) as api:
        shop = KeptFigures(url, connection, api, users)
        await shop.count_anew(zone)
        yield shop
    await connection.close()
    await server.drop(url)


@pytest.fixture(scope="module")
async def figures(server: Any, migrated: str) -> AsyncIterator[KeptFigures]:
    """A shop that stays as it is."""
    async with kept(server, migrated, 7) as found:
        yield found


@pytest.fixture(scope="module")
async def spoiled(server: Any, migrated: str) -> AsyncIterator[KeptFigures]:
    """A shop with nonsense in what is kept of it, so that it shows where it is used."""
    async with kept(server, migrated, 8) as found:
        await found.connection.execute("UPDATE opportunities SET currency = 'EUR', amount = 1.00, deleted_at = NULL")
        await found.connection.execute(
            "UPDATE opportunities SET closed_at = now() FROM stages s WHERE s.id = stage_id AND s.kind = 'WON'"
        )
        await found.connection.execute("UPDATE customers SET deleted_at = NULL")
        await found.count_anew()
        for table in ("pipeline_buckets", "closing_buckets", "funnel_buckets"):
            await found.connection.execute(f"UPDATE {table} SET opportunities = opportunities + 1000000")
        for table in ("pipeline_buckets", "closing_buckets"):
            await found.connection.execute(f"UPDATE {table} SET amount = amount + 1000000")
        yield found


# The same answers


@pytest.mark.parametrize(("zone", "customers"), [(ZONE, 25), ("America/New_York", 30), ("Asia/Kathmandu", 0)])
async def test_the_figures_are_those_that_plain_python_finds(
    server: Any, migrated: str, zone: str, customers: int
) -> None:
    async with kept(server, migrated, customers, zone, customers) as figures:
        rows, rates = await load_plain(figures.url)
        shop = Shop(figures.api, figures.users, rows, rates, zone, figures.url)
        user, period = "analyst" if customers else "admin", (local(2024, 3, zone=zone), local(2026, 2, zone=zone))
        await same_pipeline(shop, user, None)
        await same_forecast(shop, user, 13)
        await same_funnel(shop, user, None, None)
        await same_funnel(shop, user, *period)
        for key in KEYS:
            await same_win_rates(shop, user, key, *(period if key == "OWNER" else (None, None)))


@pytest.mark.parametrize("seed", range(8))
async def test_both_ways_come_to_the_same_whatever_happens(server: Any, migrated: str, seed: int) -> None:
    async with kept(server, migrated, seed) as figures:
        shop = KeptDeals(figures.connection, figures.users, seed, ZONE)
        for _ in range(2):
            for _ in range(8):
                await shop.change()
            await shop.tell()
            await followed(figures.connection, ShopFacts("EUR", ZONE), outbox_hours=72)
            ways = [await figures.both_ways(PIPELINE), await figures.both_ways(FORECAST, months=13)]
            start, end = MONTHS[seed % len(MONTHS)]
            ways.append(await figures.both_ways(FUNNEL, **{"from": start, "to": end}))
            for key in KEYS:
                start, end = shop.chance.choice(MONTHS)
                ways.append(await figures.both_ways(WIN_RATES, by=key, **{"from": start, "to": end}))
            for rolled, raw in ways:
                assert rolled == raw


@pytest.mark.parametrize(
    ("figure", "fields"),
    [
        ("pipeline", ("count", "amount { amount }", "weightedAmount { amount }", "averageDaysInStage", "rotting")),
        ("funnel", ("entered", "conversion")),
        ("winRates", ("key", "won", "lost", "rate", "wonAmount { amount }", "averageDaysToClose")),
        ("forecast", ("month", "won { amount }", "weighted { amount }", "bestCase { amount }")),
    ],
)
async def test_each_field_alone_is_the_same(figures: KeptFigures, figure: str, fields: tuple[str, ...]) -> None:
    for field in fields:
        rolled, raw = await figures.both_ways(f"{{ analytics {{ {figure} {{ {field} }} }} }}")
        assert rolled == raw


# Which way is gone


async def uses_kept(spoiled: KeptFigures, field: str, user: str = "admin") -> bool:
    return re.search(r"\b\d{7,}\b", str(await spoiled.ask(f"{{ analytics {{ {field} }} }}", user))) is not None


def at(period: tuple[datetime, datetime]) -> str:
    return f'from: "{period[0].isoformat()}", to: "{period[1].isoformat()}"'


FIGURES = ("pipeline { count }", "funnel { entered }", "winRates { won lost }", "forecast { won { amount } }")


@pytest.mark.parametrize(
    ("field", "used"),
    [
        *((field, True) for field in FIGURES),
        ("pipeline(where: {probability: {gte: 0}}) { count }", False),
        (f"funnel({at(WHOLE)}) {{ entered }}", True),
        (f"funnel({at(ODD)}) {{ entered }}", False),
        (f'funnel(to: "{ODD[1].isoformat()}") {{ entered }}', False),
        (f"funnel({at(WHOLE)}, where: {{probability: {{gte: 0}}}}) {{ entered }}", False),
        *((f"winRates(by: {key}, {at(WHOLE)}) {{ won lost }}", True) for key in KEYS),
        (f"winRates({at(ODD)}) {{ won lost }}", False),
        ('winRates(from: "2024-03-01T00:00:00Z") { won lost }', False),
        ("forecast { weighted { amount } bestCase { amount } }", True),
    ],
)
async def test_what_is_kept_is_used_where_the_question_allows(spoiled: KeptFigures, field: str, used: bool) -> None:
    assert await uses_kept(spoiled, field) == used


async def test_who_does_not_see_all_is_never_answered_from_what_is_kept_of_all(spoiled: KeptFigures) -> None:
    for field in FIGURES:
        for user in ("manager", "seller", "veiled"):
            assert not await uses_kept(spoiled, field, user), (field, user)
        assert await uses_kept(spoiled, field, "analyst"), field


@pytest.mark.parametrize(
    ("user", "field", "used"),
    [
        ("narrow", "pipeline { count averageDaysInStage rotting }", True),
        ("narrow", "pipeline { count amount { amount } }", False),
        ("narrow", "pipeline { count weightedAmount { amount } }", False),
        ("narrow", "funnel { entered }", False),
        ("narrow", "winRates(by: MONTH) { won lost }", True),
        ("narrow", "winRates(by: PRODUCT) { won lost }", True),
        ("narrow", "winRates(by: OWNER) { won lost }", False),
        ("narrow", "winRates(by: TEAM) { won lost }", False),
        ("narrow", "winRates(by: MONTH) { won lost wonAmount { amount } }", False),
        ("narrow", "winRates(by: MONTH) { won lost averageDaysToClose }", False),
        ("narrow", "forecast { won { amount } }", False),
        ("narrow", "forecast { bestCase { amount } }", False),
        ("undated", "pipeline { count averageDaysInStage rotting }", True),
        ("undated", "pipeline { count amount { amount } }", False),
        ("undated", "funnel { entered }", False),
        ("undated", "winRates(by: MONTH) { won lost }", False),
        ("undated", "forecast { won { amount } }", False),
        ("undated", "forecast { bestCase { amount } }", False),
    ],
)
async def test_who_does_not_see_all_of_each_is_answered_from_what_it_sees(
    spoiled: KeptFigures, user: str, field: str, used: bool
) -> None:
    assert await uses_kept(spoiled, field, user) == used
    kept, raw = await spoiled.both_ways(f"{{ analytics {{ {field} }} }}", user)
    assert (kept == raw) == (not used)


async def test_rotting_is_told_by_the_facts(figures: KeptFigures) -> None:
    sql, arguments = await figures.statement("{ analytics { pipeline { count rotting } } }")
    async with figures.connection.transaction():
        before = json.loads(await figures.connection.fetchval(sql, *arguments, column=1))
        await figures.connection.execute("UPDATE opportunity_facts SET entered_at = now()")
        after = json.loads(await figures.connection.fetchval(sql, *arguments, column=1))
    assert sum(stage["rotting"] for stage in before)
    assert [stage | {"rotting": 0} for stage in before] == after
    await figures.count_anew()


async def test_a_deleted_stage_without_opportunities_is_not_there(figures: KeptFigures) -> None:
    asked = "{ analytics { pipeline { stage { name } count rotting } } }"
    names = [stage["stage"]["name"] for stage in (await figures.ask(asked))["pipeline"]]
    assert "Empty" in names
    assert "Never" not in names


async def test_what_is_kept_for_another_shop_is_not_used(spoiled: KeptFigures) -> None:
    for change, back in (("currency = 'USD'", "currency = 'EUR'"), ("timezone = 'UTC'", f"timezone = '{ZONE}'")):
        await spoiled.connection.execute(f"UPDATE analytics_state SET {change}")
        for field in FIGURES:
            assert not await uses_kept(spoiled, field)
        await spoiled.connection.execute(f"UPDATE analytics_state SET {back}")


async def test_the_way_that_is_not_gone_is_passed_over(figures: KeptFigures) -> None:
    """PostgreSQL plans both ways, and looks at nothing of the other one."""
    for document in (PIPELINE, FUNNEL, WIN_RATES, FORECAST):
        ways = await figures.both_ways(document, before="EXPLAIN (ANALYZE, FORMAT JSON) ")
        rolled, raw = (_looked_at(json.loads(rows[0][0])[0]["Plan"]) for rows in ways)
        assert rolled
        assert "opportunities" not in rolled
        assert "opportunities" in raw
        assert not rolled & raw


def _looked_at(plan: Any) -> set[str]:
    """The tables of what is counted that a plan has really looked at."""
    found = {plan.get("Relation Name", "")} if plan["Actual Loops"] else set()
    for part in plan.get("Plans", ()):
        found |= _looked_at(part)
    return {table for table in found if re.search("opportunit|_buckets|_ways", table)}
