"""What customers show of their orders: values, filters and orders, for everybody."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.api import Api, open_api
from tests.conftest import Server
from tests.nasty_shop import Shop
from tests.oracle.compare import check
from tests.oracle.operation import Operation
from tests.oracle.paging import Window, check_window
from tests.oracle.rights import FROM_ORDERS

FIELDS = """orderCount lastOrderAt revenue { amount currency } rfmSegment churnState expectedNextOrderAt
    rfmScores { r: recency __typename frequency monetary }"""
SHOWN = {field: field for field in FROM_ORDERS} | {
    "revenue": "revenue { amount currency }",
    "averageOrderValue": "averageOrderValue { amount __typename } a: averageOrderValue { currency } "
    "b: averageOrderValue { __typename }",
    "rfmScores": "rfmScores { r: recency __typename frequency monetary }",
}
ORDERED = ("REVENUE", "ORDER_COUNT", "LAST_ORDER_AT")
MOMENT = "2025-03-02T08:30:00Z"
FILTERS: list[dict[str, Any]] = [
    {"rfmSegment": {"eq": "AT_RISK"}},
    {"rfmSegment": {"ne": "PROSPECTS"}},
    {"rfmSegment": {"in": ["PROSPECTS", "LOYAL"]}},
    {"not": {"rfmSegment": {"in": ["PROSPECTS", "LOYAL"]}}},
    {"churnState": {"notIn": ["NEVER_BOUGHT"]}},
    {"churnState": {"eq": "NEVER_BOUGHT"}, "orderCount": {"gt": 0}},
    {"revenue": {"eq": "10"}},
    {"revenue": {"gt": "10.00"}},
    {"revenue": {"lte": "0"}},
    {"revenue": {"isNull": True}},
    {"or": [{"revenue": {"ne": "10.01"}}, {"orderCount": {"in": [1, 2]}}]},
    {"orderCount": {"eq": 0}},
    {"orderCount": {"gte": 2, "lt": 4}},
    {"lastOrderAt": {"isNull": True}},
    {"lastOrderAt": {"isNull": False}},
    {"lastOrderAt": {"gte": MOMENT}},
    {"not": {"lastOrderAt": {"gte": MOMENT}}},
    {"lastOrderAt": {"ne": MOMENT}},
]


class Asking:
    """An application in a loop of its own."""

    def __init__(self, runner: asyncio.Runner, api: Api) -> None:
        self.runner, self.api = runner, api

    def answer(self, document: str, user: UUID | None, **variables: Any) -> Any:
        return self.runner.run(self.api.post(document, variables or None, user=user))

    async def post(self, document: str, variables: Any, name: str | None, user: UUID | None) -> Any:
        return await self.api.post(document, variables, name, user)


@pytest.fixture(scope="module")
def asking(shop: Shop) -> Iterator[Asking]:
    with asyncio.Runner() as runner:
        context = open_api(shop.url, read_pool=2, max_aliases=500, max_cost=10**6)
        yield Asking(runner, runner.run(context.__aenter__()))
        runner.run(context.__aexit__(None, None, None))


CALLERS = ("admin", "manager_north", "sales_south", "partner", "clerk")
"""Of all rows, of a team's, of one's own; of fields that are read on some rows; of the orders of some customers."""


def callers(shop: Shop) -> list[UUID]:
    return [shop.ids[label] for label in CALLERS]


# Who may


def test_strangers_are_told_nothing(asking: Asking) -> None:
    answer = asking.answer(f"{{ customers {{ nodes {{ {FIELDS} }} }} }}", None)
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("field", FROM_ORDERS)
def test_who_sees_no_orders_is_refused(shop: Shop, asking: Asking, field: str) -> None:
    answer = asking.answer(f"{{ customers {{ nodes {{ {SHOWN[field]} }} }} }}", shop.ids["scout"])
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert answer["errors"][0]["message"] == "The role SCOUT has no right to read Order."


@pytest.mark.parametrize("where", FILTERS)
def test_who_sees_no_orders_cannot_find_by_them(shop: Shop, asking: Asking, where: dict[str, Any]) -> None:
    document = "query($w: CustomerFilter) { customers(where: $w) { totalCount } }"
    answer = asking.answer(document, shop.ids["scout"], w=where)
    assert answer["errors"][0]["message"] == "The role SCOUT has no right to read Order."


@pytest.mark.parametrize("term", ORDERED)
def test_who_sees_no_orders_cannot_order_by_them(shop: Shop, asking: Asking, term: str) -> None:
    document = f"{{ customers(orderBy: {{field: {term}}}) {{ nodes {{ id }} }} }}"
    answer = asking.answer(document, shop.ids["scout"])
    assert answer["errors"][0]["message"] == "The role SCOUT has no right to read Order."


def test_without_sight_of_its_orders_a_customer_has_none(shop: Shop, asking: Asking) -> None:
    """CLERK sees all customers, and of the orders those of the team's."""
    rights = shop.oracle.rights(shop.ids["clerk"])
    document = f"{{ customers(first: 200) {{ nodes {{ id {FIELDS} }} }} }}"
    seen = asking.answer(document, shop.ids["clerk"])["data"]["customers"]["nodes"]
    whole = {each["id"]: each for each in asking.answer(document, shop.ids["admin"])["data"]["customers"]["nodes"]}
    assert len(seen) == len(whole)
    hidden = 0
    for each in seen:
        row = shop.oracle.rows.find("Customer", UUID(each["id"][4:]))
        assert row is not None
        if rights.knows_orders(row, "revenue"):
            assert each == whole[each["id"]]
            continue
        hidden += whole[each["id"]]["orderCount"] > 0
        assert each == {
            "id": each["id"],
            "orderCount": 0,
            "lastOrderAt": None,
            "revenue": {"amount": "0.00", "currency": "EUR"},
            "rfmSegment": "PROSPECTS",
            "churnState": "NEVER_BOUGHT",
            "expectedNextOrderAt": None,
            "rfmScores": None,
        }
    assert hidden > 5


# All the same as field by field


def test_everybody_sees_what_is_due(shop: Shop, asking: Asking) -> None:
    for caller in callers(shop):
        rights = shop.oracle.rights(caller)
        shown = " ".join(SHOWN[field] for field in FROM_ORDERS if not rights.hidden("Customer", field)) or "id"
        deleted = str(rights.has("Customer", "restore")).lower()
        document = f"""{{
            all: customers(first: 200, includeDeleted: {deleted}) {{ nodes {{ id {shown} }} }}
            live: customers(first: 200) {{ edges {{ node {{ {shown} }} }} }}
            orders(first: 40) {{ nodes {{ customer {{ {shown} }} }} }}
        }}"""
        asking.runner.run(check(asking.post, shop.oracle, Operation(document), caller))


@pytest.mark.parametrize("part", range(3))
def test_everybody_finds_what_is_shown(shop: Shop, asking: Asking, part: int) -> None:
    few = FILTERS[part::3]
    given = ", ".join(f"$w{number}: CustomerFilter" for number in range(len(few)))
    roots = [
        f"f{number}: customers(where: $w{number}, includeDeleted: $deleted, first: 200) {{ totalCount nodes {{ id }} }}"
        f" o{number}: orders(where: {{customer: $w{number}}}) {{ totalCount }}"
        for number in range(len(few))
    ]
    variables: dict[str, Any] = {f"w{number}": where for number, where in enumerate(few)}
    for caller in callers(shop):
        variables["deleted"] = shop.oracle.rights(caller).has("Customer", "restore")
        asked = Operation(f"query W($deleted: Boolean!, {given}) {{ {' '.join(roots)} }}", variables, "W")
        asking.runner.run(check(asking.post, shop.oracle, asked, caller))


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("term", ORDERED)
def test_everybody_pages_through_what_is_shown(shop: Shop, asking: Asking, term: str, direction: str) -> None:
    first = {"field": term, "direction": direction}
    orders = ([first], [first, {"field": "NAME"}], [{"field": "CREATED_AT"}, first])
    for number, caller in enumerate(callers(shop)):
        deleted = {"includeDeleted": number % 2 == 0 and shop.oracle.rights(caller).has("Customer", "restore")}
        for last, order in enumerate((orders[0], orders[number % 3])):
            window = Window("Customer", "customers", None, order, deleted, 0.3, 0.8, 5, last == 0)
            asking.runner.run(check_window(asking.post, shop.oracle, window, caller))


# In a shop of its own


@pytest.mark.anyio
async def test_what_rests_on_a_field_of_orders_is_no_more_readable_than_that(shop: Shop, server: Server) -> None:
    url = await server.own(shop.url)
    connection = await asyncpg.connect(url)
    hide = """DELETE FROM field_grants f USING grants g, roles r WHERE f.grant_id = g.id AND g.role_id = r.id
        AND r.name = 'CLERK' AND (g.entity, g.action, f.field) = ('Order', 'read', $1)"""
    known = set(FROM_ORDERS)
    async with open_api(url, read_pool=1) as api:
        for hidden in ("total", "status", "placedAt"):
            await connection.execute(hide, hidden)
            known -= {field for field, (_, sources) in FROM_ORDERS.items() if hidden in sources}
            for field, shown in SHOWN.items():
                answer = await api.post(f"{{ customers {{ nodes {{ {shown} }} }} }}", user=shop.ids["clerk"])
                if field in known:
                    assert "errors" not in answer, field
                else:
                    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", field
                    assert answer["errors"][0]["message"].startswith("The role CLERK has no right to read Order.")
    assert known == {"orderCount"}
    await connection.close()
    await server.drop(url)


@pytest.mark.anyio
async def test_a_new_order_is_counted_in_the_answer_that_tells_of_it(shop: Shop, server: Server) -> None:
    url = await server.own(shop.url)
    document = """mutation($c: ID!, $p: ID!) {
        createOrder(input: {customerId: $c, lines: [{productId: $p, quantity: 1}], placedAt: "2026-01-01T00:00:00Z"}) {
            order { customer { orderCount lastOrderAt } } errors { message }
        }
    }"""
    connection = await asyncpg.connect(url)
    product = await connection.fetchval("SELECT id FROM products WHERE active AND deleted_at IS NULL LIMIT 1")
    async with open_api(url, read_pool=1) as api:
        ids = {"c": f"cus_{shop.ids['probe_1'].hex}", "p": f"prd_{product.hex}"}
        answer = await api.post(document, ids, user=shop.ids["admin"])
        created = answer["data"]["createOrder"]
        assert created["errors"] == []
        assert created["order"]["customer"] == {"orderCount": 3, "lastOrderAt": "2026-01-01T00:00:00.000000+00:00"}
    await connection.close()
    await server.drop(url)
