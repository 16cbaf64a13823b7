"""Customers by segment and by churn state."""

from datetime import timedelta
from fractions import Fraction
from random import Random
from typing import Any
from uuid import UUID

import pytest

from tests.analytics.plain_sales import SEGMENTS, STATES, Figures, Metrics, read_facts
from tests.analytics.sales_shop import MOMENTS, WHO, SalesShop

pytestmark = pytest.mark.anyio

RFM = "rfm { segment customers revenue { amount currency } share }"
CHURN = "churn { state customers revenue { amount currency } }"


async def kept(sales: SalesShop, seed: int) -> dict[UUID, Metrics]:
    """Metrics of all customers, made up."""
    chance, found = Random(seed), {}
    bought = {each["customer_id"] for each in await sales.connection.fetch("SELECT customer_id FROM orders")}
    for id in bought:
        revenue = Fraction(chance.choice((0, 1, 12345)), chance.choice((1, 8, 1000)))
        found[id] = Metrics(chance.choice(SEGMENTS), chance.choice(STATES), revenue)
        await sales.connection.execute(
            "UPDATE customer_metrics SET segment = $2, churn_state = $3, exact_revenue = $4::bigint / $5::numeric"
            " WHERE customer_id = $1",
            *(id, found[id].segment, found[id].state, revenue.numerator, revenue.denominator),
        )
    ids = [each["id"] for each in await sales.connection.fetch("SELECT id FROM customers")]
    nothing = Metrics("PROSPECTS", "NEVER_BOUGHT", Fraction(0))
    return {id: found.get(id, nothing) for id in ids}


@pytest.mark.parametrize("seed", range(4))
async def test_they_are_the_metrics_of_the_customers_that_the_caller_sees(sales: SalesShop, seed: int) -> None:
    await sales.fill(seed)
    metrics, facts = await kept(sales, seed), await read_facts(sales.url)
    for who in WHO:
        plain = Figures(facts, sales.users[who])
        assert await sales.ask(f"{RFM} {CHURN}", who) == {"rfm": plain.rfm(metrics), "churn": plain.churn(metrics)}, who


async def test_a_filter_limits_the_customers(sales: SalesShop) -> None:
    await sales.fill(5)
    metrics, facts = await kept(sales, 5), await read_facts(sales.url)
    for who in WHO:
        plain = Figures(facts, sales.users[who])

        def gold(customer: Any) -> bool:
            return bool(customer.tier == "GOLD")

        found = await sales.ask(
            f"{RFM.replace('rfm', 'rfm(where: $customers)')} {CHURN.replace('churn', 'churn(where: $customers)')}",
            who,
            customers={"tier": {"eq": "GOLD"}},
        )
        assert found == {"rfm": plain.rfm(metrics, gold), "churn": plain.churn(metrics, gold)}, who


async def test_an_empty_shop_has_all_segments_and_states_with_nobody_in_them(sales: SalesShop) -> None:
    await sales.fill(0, customers=0)
    found = await sales.ask(f"{RFM} {CHURN}")
    nothing = {"customers": 0, "revenue": {"amount": "0.00", "currency": "EUR"}}
    assert found["rfm"] == [{"segment": name, **nothing, "share": 0} for name in SEGMENTS]
    assert found["churn"] == [{"state": name, **nothing} for name in STATES]


async def test_orders_that_have_no_rate_are_told(sales: SalesShop) -> None:
    await sales.fill(6)
    await sales.connection.execute("UPDATE orders SET status = 'CANCELLED' WHERE currency <> 'EUR'")
    await sales.count_anew(MOMENTS[-1] + timedelta(days=100))
    assert "notes" not in (await sales.post(f"{RFM} {CHURN}"))["extensions"]
    await sales.connection.execute("UPDATE orders SET status = 'PAID' WHERE currency <> 'EUR'")
    await sales.count_anew(MOMENTS[-1] + timedelta(days=100))
    facts = await read_facts(sales.url)
    for who in ("admin", "seller", "narrow"):
        plain = Figures(facts, sales.users[who])
        note = plain.note(plain.orders())
        assert note is not None
        answer = await sales.post(f"{RFM} {CHURN}", who)
        expected = [{"path": ["analytics", name], **note} for name in ("churn", "rfm")]
        assert answer["extensions"]["notes"] == expected
        assert "notes" not in (await sales.post("rfm { customers } churn { customers }", who))["extensions"]


async def test_who_sees_fewer_orders_than_customers_learns_nothing_of_the_others(sales: SalesShop) -> None:
    """The segment of a customer tells when and how often it buys, and for how much."""
    await sales.fill(7)
    await sales.connection.execute(
        "UPDATE customer_metrics SET segment = 'LOYAL', churn_state = 'DUE', exact_revenue = 5"
    )
    await sales.connection.execute("UPDATE customers SET deleted_at = NULL")
    own = await sales.connection.fetchval("SELECT count(*) FROM customers WHERE owner_id = $1", sales.users["narrow"])
    found = await sales.ask(f"{RFM} {CHURN}", "narrow")
    rfm = {each["segment"]: (each["customers"], each["revenue"]["amount"]) for each in found["rfm"]}
    assert 0 < own < 25
    assert (rfm["LOYAL"], rfm["PROSPECTS"]) == ((own, f"{own * 5}.00"), (25 - own, "0.00"))
    churn = {each["state"]: (each["customers"], each["revenue"]["amount"]) for each in found["churn"]}
    assert (churn["DUE"], churn["NEVER_BOUGHT"]) == ((own, f"{own * 5}.00"), (25 - own, "0.00"))


async def test_who_may_not_analyse_customers_or_orders_is_refused(sales: SalesShop) -> None:
    await sales.connection.execute(
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'SUPPORT') WHERE name = 'stranger'"
    )
    for fields in ("rfm { customers }", "churn { customers }"):
        stranger = await sales.api.post(f"{{ analytics {{ {fields} }} }}")
        assert stranger["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        answer = await sales.post(fields, "stranger")
        assert answer["errors"][0]["message"] == "The role SUPPORT has no right to analyse Customer."
    await sales.connection.execute(
        "DELETE FROM grants WHERE entity = 'Order' AND action = 'analyse'"
        " AND role_id = (SELECT id FROM roles WHERE name = 'NARROW')"
    )
    answer = await sales.post("rfm { customers }", "narrow")
    assert answer["errors"][0]["message"] == "The role NARROW has no right to analyse Order."
