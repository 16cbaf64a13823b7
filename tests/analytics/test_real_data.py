"""The figures over the imported data are those that plain Python finds. The data lie beside the repository."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from app.analytics.building import ShopFacts
from app.analytics.keeping.refresh import refresh
from app.importing import import_preset, preset_names
from tests.analytics.plain import differences, load_plain
from tests.analytics.plain_sales import EVER, Facts, Figures, metrics_of, read_facts
from tests.analytics.test_pipeline_figures import (
    Shop,
    same_forecast,
    same_funnel,
    same_pipeline,
    same_tickets,
    same_win_rates,
)
from tests.api import open_api
from tests.conftest import Server
from tests.importing.conftest import DATA

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not DATA.is_dir(), reason="The data lie beside the repository."),
]

ZONE = "America/Sao_Paulo"
RATES = [
    ("BRL", date(2016, 1, 1), Decimal("0.2531")),
    ("BRL", date(2017, 2, 1), Decimal("0.32")),
    ("BRL", date(2018, 6, 1), Decimal("0.267")),
]

PEOPLE = """
    SELECT r.name AS role, u.id FROM users u JOIN roles r ON r.id = u.role_id
    WHERE r.name IN ('MANAGER', 'SALES', 'SUPPORT')
    ORDER BY r.name, (SELECT count(*) FROM opportunities WHERE owner_id = u.id) DESC, u.email
"""
ADMIN = (
    "INSERT INTO users (id, name, email, role_id) SELECT $1, 'Admin', 'a@b.example', id FROM roles WHERE name = 'ADMIN'"
)
OWNERS = """
    UPDATE customers SET owner_id = (array[$1, $2, NULL]::uuid[])[1 + hashtext(code) % 3] WHERE owner_id IS NULL
"""


@pytest.fixture(scope="module")
async def shop(server: Server, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """All presets in one shop, whose customers without an owner have been given to sellers."""
    url, folder, admin = await server.copy(migrated), tmp_path_factory.mktemp("rejects"), UUID(int=1)
    connection = await asyncpg.connect(url)
    for name in preset_names():
        await import_preset(connection, name, DATA, rejects=folder / f"{name}.csv")
    await connection.execute(ADMIN, admin)
    await connection.executemany("INSERT INTO exchange_rates VALUES ($1, $2, $3)", RATES)
    people: dict[str, list[UUID]] = {}
    for row in await connection.fetch(PEOPLE):
        people.setdefault(row["role"], []).append(row["id"])
    await connection.execute(OWNERS, people["SALES"][0], people["SALES"][-1])
    await refresh(connection, ShopFacts("USD", ZONE), AS_OF, pinned=True)
    await connection.execute("ANALYZE")
    await connection.close()
    rows, rates = await load_plain(url)
    manager = next(
        user
        for user in people["MANAGER"]
        if rows.find("User", user).team_id == rows.find("User", people["SALES"][0]).team_id  # type: ignore[union-attr]
    )
    users = {"admin": admin, "manager": manager, "seller": people["SALES"][0], "support": people["SUPPORT"][0]}
    async with open_api(url, shop_currency="USD", shop_timezone=ZONE, read_pool=2) as api:
        found = Shop(api, users, rows, rates, ZONE, url)
        found.currency = "USD"
        yield found
    await server.drop(url)


SELLING = ("admin", "manager", "seller")
AS_OF = datetime(2018, 9, 1, 12, tzinfo=UTC)
YEAR = (datetime(2017, 1, 1, 3, tzinfo=UTC), datetime(2017, 7, 1, tzinfo=UTC))


@pytest.mark.parametrize("user", SELLING)
async def test_the_pipeline(shop: Shop, user: str) -> None:
    await same_pipeline(shop, user, None)
    await same_pipeline(shop, user, {"stage": {"kind": {"eq": "OPEN"}}})


@pytest.mark.parametrize("user", SELLING)
async def test_the_funnel(shop: Shop, user: str) -> None:
    await same_funnel(shop, user, None, None)
    await same_funnel(shop, user, *YEAR)


@pytest.mark.parametrize("user", SELLING)
async def test_win_rates(shop: Shop, user: str) -> None:
    for by in ("OWNER", "TEAM", "PRODUCT", "MONTH"):
        await same_win_rates(shop, user, by, *YEAR)
    await same_win_rates(shop, user, "MONTH", None, None)


@pytest.mark.parametrize("user", SELLING)
async def test_the_forecast(shop: Shop, user: str) -> None:
    await same_forecast(shop, user, 6)


@pytest.mark.parametrize("user", [*SELLING, "support"])
async def test_tickets(shop: Shop, user: str) -> None:
    await same_tickets(shop, user, "MONTH", None, None)
    await same_tickets(shop, user, "WEEK", datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 9, 1, tzinfo=UTC))


SALES = """query($from: DateTime, $to: DateTime) { analytics {
  revenue(from: $from, to: $to) {
    start end orders customers revenue { amount currency } averageOrderValue { amount currency } }
  days: revenue(from: $from, to: $to, bucket: DAY, timezone: "Europe/Berlin") {
    start end orders customers revenue { amount currency } averageOrderValue { amount currency } }
  topProducts(first: 50, from: $from, to: $to) { product { id } quantity orders revenue { amount currency } }
  most: topProducts(by: QUANTITY, from: $from, to: $to) {
    product { id } quantity orders revenue { amount currency } }
  categories(from: $from, to: $to) { category quantity revenue { amount currency } share }
  retention(months: 18, from: $from, to: $to) { month size retained }
  rfm { segment customers revenue { amount currency } share }
  churn { state customers revenue { amount currency } }
} }"""


@pytest.fixture(scope="module")
async def facts(shop: Shop) -> Facts:
    return await read_facts(shop.url, "USD", ZONE)


@pytest.mark.parametrize("user", SELLING)
async def test_sales(shop: Shop, facts: Facts, user: str) -> None:
    plain, metrics = Figures(facts, shop.users[user]), metrics_of(facts, AS_OF)
    for period in (EVER, (datetime(2017, 11, 1, 2, tzinfo=UTC), datetime(2018, 2, 10, tzinfo=UTC))):
        start, end = period
        given = {"from": start and start.isoformat(), "to": end and end.isoformat()}
        answer = await shop.api.post(SALES, given, user=shop.users[user])
        assert "errors" not in answer, answer
        found, expected = (
            answer["data"]["analytics"],
            {
                "revenue": plain.revenue("MONTH", period),
                "days": plain.revenue("DAY", period, "Europe/Berlin"),
                "topProducts": plain.top_products("REVENUE", 50, period),
                "most": plain.top_products("QUANTITY", 10, period),
                "categories": plain.categories(period),
                "retention": plain.retention(18, period),
                "rfm": plain.rfm(metrics),
                "churn": plain.churn(metrics),
            },
        )
        assert not list(differences(found, expected))
        assert found["rfm"][0]["customers"] > 0
        assert len(found["topProducts"]) == 50
