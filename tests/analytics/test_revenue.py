"""Revenue by time."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.analytics.plain_sales import EVER, Figures, read_facts
from tests.analytics.sales_shop import MOMENTS, WHO, SalesShop, printed

pytestmark = pytest.mark.anyio

ALL = "start end orders customers revenue { amount currency } averageOrderValue { amount currency }"
BY = f"revenue(bucket: $bucket, timezone: $zone, from: $from, to: $to) {{ {ALL} }}"
BUCKETS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
ZONES = (None, "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu")


@pytest.mark.parametrize("seed", range(6))
async def test_it_is_what_plain_python_makes_of_the_same_rows(sales: SalesShop, seed: int) -> None:
    await sales.fill(seed)
    facts = await read_facts(sales.url)
    periods = (EVER, (MOMENTS[2], MOMENTS[-2]), (MOMENTS[1], MOMENTS[11]), (None, MOMENTS[9]), (MOMENTS[4], None))
    for place, who in enumerate(WHO):
        plain = Figures(facts, sales.users[who])
        for number in (seed, seed + 2):
            bucket = BUCKETS[(place + number) % 5]
            start, end = period = periods[(2 * place + number) % 5]
            zone = ZONES[(3 * place + number) % 5]
            given = {"bucket": bucket, "zone": zone, "from": printed(start), "to": printed(end)}
            answer = await sales.post(BY, who, **given)
            assert answer["data"]["analytics"]["revenue"] == plain.revenue(bucket, period, zone), (who, given)
            note = plain.note(plain.orders(period))
            expected = [{"path": ["analytics", "revenue"], **note}] if note else None
            assert answer["extensions"].get("notes") == expected


async def test_a_filter_limits_the_orders(sales: SalesShop) -> None:
    await sales.fill(7)
    plain = Figures(await read_facts(sales.url), sales.users["manager"])
    found = await sales.ask(f"revenue(where: $where) {{ {ALL} }}", "manager", where={"status": {"eq": "PAID"}})
    assert found["revenue"] == plain.revenue(where=lambda order: order.status == "PAID")
    where = {"customer": {"tier": {"eq": "GOLD"}}, "total": {"amount": {"gt": "10"}}}
    found = await sales.ask(f"revenue(where: $where, bucket: YEAR) {{ {ALL} }}", "manager", where=where)
    gold = {each.id for each in plain.facts.rows.all("Customer") if each.tier == "GOLD"}
    assert found["revenue"] == plain.revenue("YEAR", where=lambda each: each.customer_id in gold and each.total > 10)


async def test_what_is_not_asked_for_makes_no_difference(sales: SalesShop) -> None:
    await sales.fill(8)
    plain = Figures(await read_facts(sales.url), sales.users["admin"]).revenue()
    for names in (("orders",), ("customers", "start"), ("revenue",), ("averageOrderValue", "customers")):
        fields = " ".join(f"{name} {{ amount currency }}" if name in MONEY else name for name in names)
        found = await sales.post(f"revenue {{ {fields} }}")
        assert found["data"]["analytics"]["revenue"] == [{name: point[name] for name in names} for point in plain]
        assert ("notes" in found["extensions"]) == bool(MONEY & set(names))


MONEY = {"revenue", "averageOrderValue"}


async def test_an_empty_shop_has_empty_buckets_where_the_period_says_which(sales: SalesShop) -> None:
    await sales.fill(0, customers=0)
    assert await sales.ask(f"revenue {{ {ALL} }}") == {"revenue": []}
    found = await sales.ask(
        "revenue(from: $from, to: $to) { start orders customers revenue { amount } averageOrderValue { amount } }",
        **{"from": "2024-02-10T00:00:00Z", "to": "2024-03-31T22:00:00Z"},
    )
    empty = {"orders": 0, "customers": 0, "revenue": {"amount": "0.00"}, "averageOrderValue": None}
    starts = ("2024-01-31T23:00:00.000000+00:00", "2024-02-29T23:00:00.000000+00:00")
    assert found == {"revenue": [{"start": start, **empty} for start in starts]}
    assert await sales.ask("revenue(from: $from) { start }", **{"from": "2024-02-10T00:00:00Z"}) == {"revenue": []}


async def test_days_have_23_and_25_hours_where_the_clocks_change(sales: SalesShop) -> None:
    await sales.fill(0, customers=0)
    for first, last, hours in (("2024-03-30", "2024-04-01", [24, 23, 24]), ("2024-10-26", "2024-10-28", [24, 25, 24])):
        found = await sales.ask(
            "revenue(from: $from, to: $to, bucket: DAY) { start end }",
            **{"from": f"{first}T12:00:00Z", "to": f"{last}T12:00:00Z"},
        )
        ends = [(datetime.fromisoformat(day["start"]), datetime.fromisoformat(day["end"])) for day in found["revenue"]]
        assert [(end - start).total_seconds() / 3600 for start, end in ends] == hours


# Refusals


async def test_a_stranger_and_who_may_not_analyse_orders_are_refused(sales: SalesShop) -> None:
    stranger = await sales.api.post("{ analytics { revenue { orders } } }")
    assert stranger["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await sales.connection.execute(
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'SUPPORT') WHERE name = 'stranger'"
    )
    support = await sales.post("revenue { orders }", "stranger")
    assert support["data"] is None
    assert support["errors"][0]["message"] == "The role SUPPORT has no right to analyse Order."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('timezone: "Asia/Nowhere"', "timezone is 'Asia/Nowhere': it must be an IANA name, such as Europe/Berlin."),
        ('timezone: "localtime"', "timezone is 'localtime': it must be an IANA name, such as Europe/Berlin."),
        ('timezone: "../../etc/passwd"', "timezone is '../../etc/passwd': it must be an IANA name"),
        (
            'from: "2024-01-01T00:00:00Z", to: "2024-01-01T00:00:00Z"',
            "from is 2024-01-01T00:00:00+00:00 and to is 2024-01-01T00:00:00+00:00: from must be the earlier one.",
        ),
        ('from: "0001-01-01T00:00:00Z"', "from is 0001-01-01T00:00:00+00:00: its year must be from 1900 to 2199."),
        ('to: "9999-12-31T23:59:59Z"', "to is 9999-12-31T23:59:59+00:00: its year must be from 1900 to 2199."),
        (
            'from: "1990-01-01T00:00:00Z", to: "2020-01-01T00:00:00Z", bucket: DAY',
            "The period has more than 10000 buckets of the length DAY: give a later from, an earlier to, or a longer",
        ),
    ],
)
async def test_arguments_that_cannot_be_used_are_refused(sales: SalesShop, given: str, message: str) -> None:
    answer = await sales.post(f"revenue({given}) {{ orders }}")
    assert answer["data"] is None
    assert answer["errors"][0]["message"].startswith(message)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_there_may_be_ten_thousand_buckets_and_no_more(sales: SalesShop) -> None:
    await sales.fill(0, customers=0)
    given = {"from": "2000-01-01T00:00:00Z", "zone": "UTC", "bucket": "DAY"}
    for end, right in (("2027-05-19T00:00:00Z", True), ("2027-05-19T00:00:00.000001Z", False)):
        found: Any = await sales.post(BY, **given, to=end)
        assert right == ("errors" not in found), found
        if right:
            assert len(found["data"]["analytics"]["revenue"]) == 10_000
    assert (datetime(2027, 5, 19, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)).days == 10_000


async def test_orders_too_far_apart_for_days_are_refused_without_a_period_too(sales: SalesShop) -> None:
    await sales.fill(3)
    await sales.connection.execute(
        "UPDATE orders SET placed_at = '1970-01-01Z' WHERE id = (SELECT id FROM orders WHERE status = 'PAID' LIMIT 1)"
    )
    await sales.connection.execute("UPDATE customers SET deleted_at = NULL")
    answer = await sales.post("revenue(bucket: DAY) { orders }")
    assert answer["errors"][0]["extensions"]["argument"] == "bucket"
    assert "errors" not in await sales.post("revenue(bucket: WEEK) { orders }")


async def test_tickets_are_bounded_alike(sales: SalesShop) -> None:
    fields = 'tickets(from: "1990-01-01T00:00:00Z", to: "2020-01-01T00:00:00Z", bucket: DAY)'
    for name in ("opened", "resolved"):
        answer = await sales.post(f"{fields} {{ {name} {{ count }} }}")
        assert answer["errors"][0]["extensions"]["argument"] == "bucket"
    assert "errors" not in await sales.post(f"{fields} {{ backlog }}")
