"""What was sold of which products, and of which categories."""

from typing import Any

import pytest

from tests.analytics.plain_sales import EVER, Figures, read_facts
from tests.analytics.sales_shop import MOMENTS, WHO, SalesShop, printed

pytestmark = pytest.mark.anyio

PRODUCTS = "product { id } quantity orders revenue { amount currency }"
CATEGORIES = "category quantity revenue { amount currency } share"
PERIODS = (EVER, (MOMENTS[2], MOMENTS[-2]), (MOMENTS[1], None), (None, MOMENTS[9]))


@pytest.mark.parametrize("seed", range(5))
async def test_products_are_what_plain_python_makes_of_the_same_rows(sales: SalesShop, seed: int) -> None:
    await sales.fill(seed)
    facts = await read_facts(sales.url)
    for place, who in enumerate(WHO):
        plain = Figures(facts, sales.users[who])
        by, period = ("REVENUE", "QUANTITY", "ORDERS")[(place + seed) % 3], PERIODS[(place + seed) % 4]
        first = (10, 3, 200)[(place + seed // 2) % 3]
        given = {"by": by, "from": printed(period[0]), "to": printed(period[1])}
        answer = await sales.post(
            f"topProducts(by: $by, first: {first}, from: $from, to: $to) {{ {PRODUCTS} }}", who, **given
        )
        assert answer["data"]["analytics"]["topProducts"] == plain.top_products(by, first, period), (who, given)
        _agree(answer, "topProducts", plain.note(plain.orders(period), readable=False))


@pytest.mark.parametrize("seed", range(5))
async def test_categories_are_what_plain_python_makes_of_the_same_rows(sales: SalesShop, seed: int) -> None:
    await sales.fill(seed)
    facts = await read_facts(sales.url)
    for place, who in enumerate(WHO):
        plain, period = Figures(facts, sales.users[who]), PERIODS[(place + seed) % 4]
        given = {"from": printed(period[0]), "to": printed(period[1])}
        answer = await sales.post(f"categories(from: $from, to: $to) {{ {CATEGORIES} }}", who, **given)
        assert answer["data"]["analytics"]["categories"] == near(plain.categories(period)), (who, given)
        _agree(answer, "categories", plain.note(plain.orders(period), readable=False))


def near(categories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each | {"share": pytest.approx(each["share"], rel=1e-12)} for each in categories]


def _agree(answer: Any, name: str, note: Any) -> None:
    expected = [{"path": ["analytics", name], **note}] if note else None
    assert answer["extensions"].get("notes") == expected


async def test_products_that_sell_alike_come_by_their_ids(sales: SalesShop) -> None:
    await sales.fill(1)
    await sales.connection.execute("SET session_replication_role = replica")  # Subtotals do not matter here.
    await sales.connection.execute("UPDATE order_lines SET quantity = 1, unit_price = 0.00 WHERE currency = 'EUR'")
    await sales.connection.execute("RESET session_replication_role")
    await sales.connection.execute("UPDATE orders SET status = 'CANCELLED' WHERE currency <> 'EUR'")
    plain = Figures(await read_facts(sales.url), sales.users["admin"])
    found = (await sales.ask(f"topProducts {{ {PRODUCTS} }}"))["topProducts"]
    assert found == plain.top_products()
    ids = [each["product"]["id"] for each in found]
    assert len(ids) > 3
    assert ids == sorted(ids)


async def test_what_is_not_asked_for_makes_no_difference(sales: SalesShop) -> None:
    await sales.fill(2)
    plain = Figures(await read_facts(sales.url), sales.users["admin"])
    for by, names in (("REVENUE", ("quantity",)), ("QUANTITY", ("orders",)), ("ORDERS", ("product", "quantity"))):
        fields = " ".join("product { id }" if name == "product" else name for name in names)
        found = (await sales.ask(f"topProducts(by: {by}) {{ {fields} }}"))["topProducts"]
        assert found == [{name: each[name] for name in names} for each in plain.top_products(by)]
    found = (await sales.ask("categories { category }"))["categories"]
    assert [each["category"] for each in found] == [each["category"] for each in plain.categories()]


async def test_a_product_is_shown_as_everywhere_else(sales: SalesShop) -> None:
    await sales.fill(3)
    fields = "product { name: sku category orderCount: version price { amount } __typename } n: quantity"
    found = (await sales.ask(f"topProducts(first: 1) {{ {fields} }}"))["topProducts"]
    assert found[0]["product"]["__typename"] == "Product"
    assert found[0]["product"]["price"] == {"amount": "1.00"}


async def test_an_empty_shop_has_sold_nothing(sales: SalesShop) -> None:
    await sales.fill(0, customers=0)
    found = await sales.ask(f"topProducts {{ {PRODUCTS} }} categories {{ {CATEGORIES} }}")
    assert found == {"topProducts": [], "categories": []}


@pytest.mark.parametrize("first", [0, -1, 201])
async def test_a_number_of_products_that_makes_no_sense_is_refused(sales: SalesShop, first: int) -> None:
    answer = await sales.post(f"topProducts(first: {first}) {{ quantity }}")
    assert answer["errors"][0]["message"] == f"first is {first}: it must be from 1 to 200."


async def test_who_reads_no_totals_of_lines_has_no_order_by_them(sales: SalesShop) -> None:
    """The order of products by revenue would tell what the caller may not read."""
    await sales.connection.execute(
        "UPDATE field_grants SET access = 'HIDDEN', otherwise = 'HIDDEN', on_rows = 'ALL' WHERE field = 'total'"
        " AND grant_id IN (SELECT g.id FROM grants g JOIN roles r ON r.id = g.role_id"
        " WHERE r.name = 'BLIND' AND g.entity = 'OrderLine')"
    )
    await sales.fill(4)
    for fields in (
        "topProducts { quantity }",
        "topProducts(by: QUANTITY) { revenue { amount } }",
        "categories { share }",
    ):
        answer = await sales.post(fields, "blind")
        assert answer["errors"][0]["message"] == "The role BLIND has no right to read OrderLine.total."
    plain = Figures(await read_facts(sales.url), sales.users["blind"])
    found = (await sales.ask("topProducts(by: QUANTITY) { product { id } quantity }", "blind"))["topProducts"]
    assert found == [{name: each[name] for name in ("product", "quantity")} for each in plain.top_products("QUANTITY")]
