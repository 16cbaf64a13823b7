"""Retention: who buys again in the months after the first order."""

from datetime import UTC, datetime

import pytest

from tests.analytics.plain_sales import EVER, Figures, read_facts
from tests.analytics.sales_shop import MOMENTS, WHO, SalesShop, printed

pytestmark = pytest.mark.anyio

ALL = "month size retained"
BY = f"retention(from: $from, to: $to) {{ {ALL} }}"


@pytest.mark.parametrize("seed", range(5))
async def test_it_is_what_plain_python_makes_of_the_same_rows(sales: SalesShop, seed: int) -> None:
    await sales.fill(seed)
    facts = await read_facts(sales.url)
    for place, who in enumerate(WHO):
        period = (EVER, (MOMENTS[1], MOMENTS[5]), (MOMENTS[8], None), (None, MOMENTS[3]))[(place + seed) % 4]
        found = await sales.ask(BY, who, **{"from": printed(period[0]), "to": printed(period[1])})
        assert found["retention"] == Figures(facts, sales.users[who]).retention(period=period), (who, period)


async def test_as_many_months_are_told_as_are_asked_for(sales: SalesShop) -> None:
    await sales.fill(5)
    plain = Figures(await read_facts(sales.url), sales.users["admin"])
    for months in (1, 2, 24, 120):
        found = await sales.ask(f"retention(months: {months}) {{ {ALL} }}")
        assert found["retention"] == plain.retention(months)


async def test_months_that_have_not_begun_are_not_told(sales: SalesShop) -> None:
    await sales.fill(0, customers=1, orders=3)
    await sales.connection.execute("UPDATE customers SET deleted_at = NULL")
    await sales.connection.execute("UPDATE orders SET status = 'PAID', placed_at = now()")
    this = datetime.now(UTC)
    (cohort,) = (await sales.ask(f"retention {{ {ALL} }}"))["retention"]
    assert (cohort["size"], cohort["retained"]) == (1, [1])
    await sales.connection.execute("UPDATE orders SET placed_at = $1", this.replace(year=this.year + 2))
    (cohort,) = (await sales.ask(f"retention {{ {ALL} }}"))["retention"]
    assert (cohort["size"], cohort["retained"]) == (1, [1])


async def test_an_empty_shop_has_no_cohorts(sales: SalesShop) -> None:
    await sales.fill(0, customers=0)
    assert await sales.ask(f"retention {{ {ALL} }}") == {"retention": []}


async def test_a_month_is_one_of_the_shops_clock(sales: SalesShop) -> None:
    await sales.fill(0, customers=1, orders=2)
    await sales.connection.execute("UPDATE customers SET deleted_at = NULL")
    for number, moment in enumerate(("2024-01-31T22:59:59.999999Z", "2024-01-31T23:00:00Z")):
        await sales.connection.execute(
            "UPDATE orders SET status = 'PAID', placed_at = $1 WHERE id = (SELECT id FROM orders ORDER BY id"
            f" OFFSET {number} LIMIT 1)",
            datetime.fromisoformat(moment),
        )
    found = await sales.ask(f"retention(months: 1) {{ {ALL} }}")
    assert found["retention"] == [{"month": "2024-01-01", "size": 1, "retained": [1, 1]}]


@pytest.mark.parametrize("months", [0, -1, 121])
async def test_a_number_of_months_that_makes_no_sense_is_refused(sales: SalesShop, months: int) -> None:
    answer = await sales.post(f"retention(months: {months}) {{ size }}")
    assert answer["errors"][0]["message"] == f"months is {months}: it must be from 1 to 120."
    assert answer["errors"][0]["extensions"]["argument"] == "months"
