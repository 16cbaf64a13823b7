"""Exchange rates: who may read and set them, what they have to be, and what is told of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tests.api import Api, open_api
from tests.conftest import Server
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio

SET = "mutation($r: [ExchangeRateInput!]!) { setExchangeRates(rates: $r) { done errors { field code message } } }"
GET = "query($c: String, $b: Date) { exchangeRates(currency: $c, before: $b) { currency day rate } }"


class Office:
    """An application on a copy of the shop, for one test."""

    def __init__(self, shop: Shop, url: str, api: Api, db: asyncpg.Connection) -> None:
        self.shop, self.url, self.api, self.db = shop, url, api, db

    async def set(self, who: str | None, *rates: tuple[str, str, str], key: str | None = None) -> Any:
        given = [{"currency": currency, "day": day, "rate": rate} for currency, day, rate in rates]
        user = self.shop.ids[who] if who else None
        return await self.api.post(SET, {"r": given}, user=user, key=key)

    async def problems(self, *rates: tuple[str, str, str]) -> list[tuple[str, str]]:
        """Path and code of each problem; then nothing is done."""
        before = await self.kept()
        answer = (await self.set("admin", *rates))["data"]["setExchangeRates"]
        assert answer["done"] is (not answer["errors"])
        assert await self.kept() == before
        return [(".".join(error["field"]), error["code"]) for error in answer["errors"]]

    async def kept(self) -> list[tuple[str, str, Decimal]]:
        rows = await self.db.fetch("SELECT currency, day::text, rate FROM exchange_rates ORDER BY 1, 2")
        return [tuple(row) for row in rows]

    async def get(self, who: str | None, currency: str | None = None, before: str | None = None) -> Any:
        user = self.shop.ids[who] if who else None
        answer = await self.api.post(GET, {"c": currency, "b": before}, user=user)
        if "errors" in answer:
            return answer["errors"][0]["extensions"]["code"]
        return [(each["currency"], each["day"], each["rate"]) for each in answer["data"]["exchangeRates"]]


@pytest.fixture
async def office(server: Server, shop: Shop) -> AsyncIterator[Office]:
    url = await server.own(shop.url)
    db = await asyncpg.connect(url)
    async with open_api(url, read_pool=1) as api:
        yield Office(shop, url, api, db)
    await db.close()
    await server.drop(url)


# Who may


async def test_strangers_neither_read_nor_set_them(office: Office) -> None:
    before = await office.kept()
    assert await office.get(None) == "UNAUTHENTICATED"
    refused = await office.set(None, ("USD", "2025-01-01", "0.9"))
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await office.kept() == before


async def test_all_built_in_roles_read_them_and_only_admins_set_them(office: Office) -> None:
    assert (await office.set("admin", ("USD", "2025-01-01", "0.9")))["data"]["setExchangeRates"]["done"] is True
    readers = ("auditor", "manager_north", "sales_north", "support_north", "marketing", "analyst", "integration")
    for who in readers:
        assert ("USD", "2025-01-01", "0.9") in await office.get(who), who
        refused = await office.set(who, ("USD", "2025-01-01", "0.8"))
        assert refused["errors"][0]["message"].endswith("has no right to update ExchangeRate."), who
        assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    for who in ("clerk", "scout", "nobody"):
        assert await office.get(who) == "FORBIDDEN"
    assert ("USD", "2025-01-01", Decimal("0.9")) in await office.kept()


# What they have to be


async def test_all_problems_are_told_at_once_and_nothing_is_done(office: Office) -> None:
    assert await office.problems(
        ("USD", "2025-01-01", "0.9"),
        ("usd", "2025-01-01", "1"),
        ("EUR", "2025-01-01", "1"),
        ("CHF", "2025-01-01", "0"),
        ("CHF", "2025-01-02", "-1"),
        ("CHF", "2025-01-03", "1000000000"),
        ("CHF", "2025-01-04", "0.00000000001"),
        ("USD", "2025-01-01", "0.9"),
        ("", "2025-01-01", "5"),
    ) == [
        ("rates.1.currency", "INVALID"),
        ("rates.2.currency", "INVALID"),
        ("rates.3.rate", "OUT_OF_RANGE"),
        ("rates.4.rate", "OUT_OF_RANGE"),
        ("rates.5.rate", "OUT_OF_RANGE"),
        ("rates.6.rate", "INVALID"),
        ("rates.7.day", "DUPLICATE"),
        ("rates.8.currency", "INVALID"),
    ]
    assert await office.problems() == [("rates", "OUT_OF_RANGE")]


async def test_the_messages_say_what_would_be_right(office: Office) -> None:
    answer = await office.set("admin", ("EUR", "2025-01-01", "0.00000000001"), ("us$", "2025-01-01", "-0.5"))
    assert [error["message"] for error in answer["data"]["setExchangeRates"]["errors"]] == [
        "EUR is the shop's own currency: its rate is always 1, and none is kept.",
        "rate is 0.00000000001: it can have 10 decimals at most.",
        "currency is 'us$': it must be a code of ISO 4217 such as USD.",
        "rate is -0.5: it must be more than 0 and less than 1,000,000,000.",
    ]


@pytest.mark.parametrize("rate", ["0.0000000001", "999999999.9999999999", "1", "1.50", "2.00000000000000"])
async def test_rates_at_the_edges_are_kept_exactly(office: Office, rate: str) -> None:
    assert (await office.set("admin", ("USD", "2025-01-01", rate)))["data"]["setExchangeRates"]["done"] is True
    (found,) = await office.get("admin", "USD", "2025-01-02")
    assert Decimal(found[2]) == Decimal(rate)
    assert "E" not in found[2]


async def test_a_rate_is_no_number_in_json(office: Office) -> None:
    answer = await office.api.post(
        SET, {"r": [{"currency": "USD", "day": "2025-01-01", "rate": 0.9}]}, user=office.shop.ids["admin"]
    )
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_more_than_ten_thousand_are_too_many(office: Office) -> None:
    day = date(1990, 1, 1)
    many = [("USD", (day + timedelta(days=n)).isoformat(), "1") for n in range(10_001)]
    async with open_api(office.url, max_body_bytes=10**6) as api:
        given = [{"currency": c, "day": d, "rate": r} for c, d, r in many]
        refused = await api.post(SET, {"r": given}, user=office.shop.ids["admin"])
        (error,) = refused["data"]["setExchangeRates"]["errors"]
        assert error["message"] == "rates has 10001 members: it must have from 1 to 10,000."
        done = await api.post(SET, {"r": given[:-1]}, user=office.shop.ids["admin"])
        assert done["data"]["setExchangeRates"] == {"done": True, "errors": []}
    assert len([each for each in await office.kept() if each[0] == "USD"]) == 10_000


# What comes of it


async def test_a_rate_that_is_there_is_replaced_and_the_log_tells_what_was_there(office: Office) -> None:
    await office.set("admin", ("USD", "2025-01-01", "0.9"), ("CHF", "2025-01-01", "1.05"))
    await office.set(
        "admin", ("USD", "2025-01-01", "0.80"), ("CHF", "2025-01-01", "1.0500"), ("USD", "2025-01-02", "1")
    )
    assert await office.get("admin", "USD") == [("USD", "2025-01-01", "0.8"), ("USD", "2025-01-02", "1")]
    document = '{ auditEvents(first: 2, where: {entity: {eq: "ExchangeRate"}}) { nodes { action entityId changes } } }'
    answer = await office.api.post(document, user=office.shop.ids["auditor"])
    latest, first = answer["data"]["auditEvents"]["nodes"]
    assert (latest["action"], latest["entityId"]) == ("update", None)
    assert latest["changes"] == {
        "rates": {
            "before": [{"currency": "USD", "day": "2025-01-01", "rate": "0.9"}],
            "after": [
                {"currency": "USD", "day": "2025-01-01", "rate": "0.8"},
                {"currency": "USD", "day": "2025-01-02", "rate": "1"},
            ],
        }
    }
    assert first["changes"]["rates"]["before"] is None
    assert len(first["changes"]["rates"]["after"]) == 2


async def test_what_changes_nothing_is_not_told_and_tells_no_follower(office: Office) -> None:
    await office.set("admin", ("USD", "2025-01-01", "0.9"))
    counts = "SELECT (SELECT count(*) FROM audit_events), (SELECT count(*) FROM analytics_changes)"
    before = await office.db.fetchrow(counts)
    assert (await office.set("admin", ("USD", "2025-01-01", "0.90")))["data"]["setExchangeRates"]["done"] is True
    assert await office.db.fetchrow(counts) == before


async def test_what_changes_is_queued_for_the_figures(office: Office) -> None:
    await office.db.execute("DELETE FROM analytics_changes")
    await office.set("admin", ("USD", "2025-01-01", "0.9"), ("CHF", "2025-02-01", "0.9"))
    queued = await office.db.fetch("SELECT currency, day::text FROM analytics_changes WHERE currency IS NOT NULL")
    assert {tuple(row) for row in queued} == {("USD", "2025-01-01"), ("CHF", "2025-02-01")}


async def test_the_same_key_does_it_once(office: Office) -> None:
    first = await office.set("admin", ("USD", "2025-01-01", "0.9"), key="rates-1")
    await office.set("admin", ("USD", "2025-01-01", "0.7"))
    assert await office.set("admin", ("USD", "2025-01-01", "0.9"), key="rates-1") == first
    assert await office.get("admin", "USD") == [("USD", "2025-01-01", "0.7")]


async def test_the_list_is_in_order_and_has_the_newest_of_each_currency(office: Office) -> None:
    await office.db.execute(
        "INSERT INTO exchange_rates SELECT c, date '2020-01-01' + n, 1 + n * 0.001 FROM generate_series(0, 1200) n,"
        " unnest(ARRAY['USD', 'CHF']) c"
    )
    listed = await office.get("analyst")
    mine = [each for each in listed if each[0] in ("CHF", "USD")]
    assert listed == sorted(listed)
    assert len(mine) == 2_000
    days = [each[1] for each in await office.get("analyst", "USD")]
    assert len(days) == 1_000
    assert days[-1] == "2023-04-15"
    earlier = [each[1] for each in await office.get("analyst", "USD", days[0])]
    assert len(earlier) == 201
    assert earlier[0] == "2020-01-01"
    assert await office.get("analyst", "XXX") == []
    assert await office.get("analyst", "usd") == "BAD_USER_INPUT"


async def test_two_who_set_the_same_rates_at_once_both_succeed(office: Office) -> None:
    days = [(date(2025, 1, 1) + timedelta(days=n)).isoformat() for n in range(50)]
    answers = await asyncio.gather(
        *(
            office.set("admin", *((currency, day, rate) for day in order))
            for currency, rate, order in (("USD", "0.5", days), ("USD", "0.6", days[::-1]), ("USD", "0.7", days))
        )
    )
    assert all(answer["data"]["setExchangeRates"]["done"] for answer in answers)
    assert len({rate for _, _, rate in await office.get("admin", "USD")}) == 1
