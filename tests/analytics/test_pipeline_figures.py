"""The figures about opportunities and tickets are those that plain Python finds over the same rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.analytics import deal_shop, plain_pipeline
from tests.analytics.plain import Plain, differences, load_plain
from tests.api import Api, open_api
from tests.oracle.rights import Rights

pytestmark = pytest.mark.anyio

PIPELINE = """query($where: OpportunityFilter) { analytics { pipeline(where: $where) {
  stage { id } count amount { amount currency } weightedAmount { amount currency } averageDaysInStage rotting } } }"""
FUNNEL = """query($from: DateTime, $to: DateTime, $where: OpportunityFilter) { analytics {
  funnel(from: $from, to: $to, where: $where) { stage { id } entered conversion } } }"""
WIN_RATES = """query($by: WinRateKey! = OWNER, $from: DateTime, $to: DateTime) { analytics {
  winRates(by: $by, from: $from, to: $to) {
    key label won lost rate wonAmount { amount currency } averageDaysToClose } } }"""
FORECAST = """query($months: Int! = 3) { analytics { forecast(months: $months) {
  month won { amount currency } weighted { amount currency } bestCase { amount currency } } } }"""
TICKETS = """query($from: DateTime, $to: DateTime, $bucket: TimeBucket! = MONTH) { analytics {
  tickets(from: $from, to: $to, bucket: $bucket) {
    opened { start count } resolved { start count } backlog medianFirstResponseMinutes p90FirstResponseMinutes
    medianResolutionMinutes firstResponseSlaMet resolutionSlaMet averageSatisfaction satisfaction
    byChannel { label count } byKind { label count } byPriority { label count } } } }"""

SELLING = ("admin", "manager", "lone_manager", "seller", "analyst", "veiled")
SERVING = ("admin", "manager", "seller", "support", "analyst", "veiled")

PERIODS = (
    (None, None),
    (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)),
    (datetime(2024, 2, 28, 23, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), None),
    (None, datetime(2025, 12, 31, 23, tzinfo=UTC)),
)
Where = dict[str, Any] | None
Moment = datetime | None

WHERES: tuple[Where, ...] = (
    None,
    {"amount": {"amount": {"gte": Decimal(10)}}},
    {"customer": {"tier": {"eq": "GOLD"}}, "not": {"stage": {"kind": {"eq": "LOST"}}}},
)


class Shop:
    """A generated shop, behind the API."""

    def __init__(self, api: Api, users: dict[str, UUID], rows: Any, rates: Any, zone: str, url: str) -> None:
        self.api, self.users, self.rows, self.rates, self.zone, self.url = api, users, rows, rates, zone, url
        self.currency = "EUR"
        self._known: dict[str, Plain] = {}

    def plain(self, user: str) -> Plain:
        """What plain Python knows for one user."""
        if user not in self._known:
            rights = Rights(self.rows, self.users[user], datetime.now(UTC))
            self._known[user] = Plain(rights, self.rates, self.currency, self.zone)
        return self._known[user]

    async def ask(self, user: str, document: str, **variables: Any) -> tuple[Any, Any]:
        """The figure, and the note about it without its path."""
        given = {name: _sent(value) for name, value in variables.items() if value is not None}
        answer = await self.api.post(document, given, user=self.users[user])
        assert "errors" not in answer, (user, answer)
        (note,) = answer.get("extensions", {}).get("notes") or [None]
        if note is not None:
            note.pop("path")
        ((_, found),) = answer["data"]["analytics"].items()
        return found, note


def _sent(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sent(member) for name, member in value.items()}
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, Decimal) else value


@asynccontextmanager
async def opened(
    server: Any, migrated: str, zone: str, customers: int = 25, change: str | None = None
) -> AsyncIterator[Shop]:
    url = await server.copy(migrated)
    users = await deal_shop.build(url, seed=customers, zone=zone, customers=customers)
    if change is not None:
        connection = await asyncpg.connect(url)
        await connection.execute(change)
        await connection.close()
    rows, rates = await load_plain(url)
    async with open_api(url, shop_timezone=zone, read_pool=2) as api:
        yield Shop(api, users, rows, rates, zone, url)
    await server.drop(url)


@pytest.fixture(scope="module")
async def shop(server: Any, migrated: str) -> AsyncIterator[Shop]:
    async with opened(server, migrated, "Europe/Berlin") as found:
        yield found


@pytest.fixture(scope="module", params=[("America/New_York", 25), ("Asia/Kathmandu", 0)], ids=["west", "empty"])
async def other_shop(request: Any, server: Any, migrated: str) -> AsyncIterator[Shop]:
    async with opened(server, migrated, *request.param) as found:
        yield found


async def same_pipeline(shop: Shop, user: str, where: Where) -> None:
    found = await shop.ask(user, PIPELINE, where=where)
    assert not list(differences(list(found), list(plain_pipeline.pipeline(shop.plain(user), where))))


async def same_funnel(shop: Shop, user: str, start: Moment, end: Moment, where: Where = None) -> None:
    found, note = await shop.ask(user, FUNNEL, where=where, **{"from": start, "to": end})
    assert not list(differences(found, plain_pipeline.funnel(shop.plain(user), start, end, where)))
    assert note is None


async def same_win_rates(shop: Shop, user: str, by: str, start: Moment, end: Moment) -> None:
    found = await shop.ask(user, WIN_RATES, by=by, **{"from": start, "to": end})
    assert not list(differences(list(found), list(plain_pipeline.win_rates(shop.plain(user), by, start, end))))


async def same_forecast(shop: Shop, user: str, months: int) -> None:
    found = await shop.ask(user, FORECAST, months=months)
    assert not list(differences(list(found), list(plain_pipeline.forecast(shop.plain(user), months))))


async def same_tickets(shop: Shop, user: str, bucket: str, start: Moment, end: Moment) -> None:
    found, note = await shop.ask(user, TICKETS, bucket=bucket, **{"from": start, "to": end})
    assert not list(differences(found, plain_pipeline.tickets(shop.plain(user), bucket, start, end)))
    assert note is None


@pytest.mark.parametrize("user", SELLING)
async def test_the_pipeline(shop: Shop, user: str) -> None:
    for where in WHERES if user != "veiled" else (None,):
        await same_pipeline(shop, user, where)


@pytest.mark.parametrize("user", SELLING)
async def test_the_funnel(shop: Shop, user: str) -> None:
    for start, end in PERIODS:
        await same_funnel(shop, user, start, end)
    if user != "veiled":
        await same_funnel(shop, user, *PERIODS[2], WHERES[1])
        await same_funnel(shop, user, *PERIODS[0], WHERES[2])


@pytest.mark.parametrize("by", ["OWNER", "TEAM", "PRODUCT", "MONTH"])
@pytest.mark.parametrize("user", SELLING)
async def test_win_rates(shop: Shop, user: str, by: str) -> None:
    for start, end in PERIODS if user == "admin" else PERIODS[:3]:
        await same_win_rates(shop, user, by, start, end)


@pytest.mark.parametrize("user", SELLING)
async def test_the_forecast(shop: Shop, user: str) -> None:
    for months in (1, 3, 13):
        await same_forecast(shop, user, months)


@pytest.mark.parametrize("bucket", ["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"])
async def test_tickets_by_time(shop: Shop, bucket: str) -> None:
    for start, end in PERIODS:
        await same_tickets(shop, "admin", bucket, start, end)


@pytest.mark.parametrize("user", SERVING)
async def test_tickets(shop: Shop, user: str) -> None:
    for start, end in PERIODS[::2]:
        await same_tickets(shop, user, "MONTH", start, end)


async def test_each_figure_of_tickets_alone_is_the_same(shop: Shop) -> None:
    whole, _ = await shop.ask("admin", TICKETS)
    for name, value in whole.items():
        inner = ""
        if isinstance(value, list) and isinstance(value[0], dict):
            inner = f"{{ {' '.join(value[0])} }}"
        found, _ = await shop.ask("admin", f"{{ analytics {{ tickets {{ {name} {inner} }} }} }}")
        assert found == {name: value}


@pytest.mark.parametrize("user", ["admin", "manager"])
async def test_another_zone_and_an_empty_shop(other_shop: Shop, user: str) -> None:
    await same_pipeline(other_shop, user, None)
    await same_forecast(other_shop, user, 3)
    for start, end in PERIODS[1:3]:
        await same_funnel(other_shop, user, start, end)
        await same_win_rates(other_shop, user, "MONTH", start, end)
        await same_tickets(other_shop, user, "WEEK", start, end)
    await same_win_rates(other_shop, user, "OWNER", None, None)
    await same_tickets(other_shop, user, "DAY", None, None)


async def test_a_period_after_everything_is_all_zero(shop: Shop) -> None:
    start = datetime.now(UTC) + timedelta(days=400)
    found, _ = await shop.ask("admin", TICKETS, bucket="DAY", **{"from": start, "to": start + timedelta(days=2)})
    assert [point["count"] for point in found["opened"]] == [0, 0, 0]
    assert found["medianFirstResponseMinutes"] is found["firstResponseSlaMet"] is found["averageSatisfaction"] is None
    assert found["satisfaction"] == [0, 0, 0, 0, 0]
    steps, _ = await shop.ask("admin", FUNNEL, **{"from": start})
    assert {(step["entered"], step["conversion"]) for step in steps} == {(0, None)}
    assert await shop.ask("admin", WIN_RATES, **{"from": start}) == ([], None)
