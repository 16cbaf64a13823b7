"""viewerCan: what the caller may do to each row of a list, in the statement that lists them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from auth.policy import ACTIONS
from tests.api import Api, open_api
from tests.nasty_shop import Shop
from tests.oracle.checks import ACTIONS as KNOWN
from tests.oracle.rows import typed_id
from tests.wire import tapped
from tests.writing.calls import call
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

LISTS = {
    "Customer": "customers",
    "Contact": "contacts",
    "Opportunity": "opportunities",
    "Order": "orders",
    "Ticket": "tickets",
}


@pytest.fixture(scope="module")
async def api(shop: Shop) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=2, max_aliases=100, max_cost=10**6) as api:
        yield api


def test_the_oracle_knows_all_actions() -> None:
    assert {entity: " ".join(ACTIONS[entity]) for entity in LISTS} == KNOWN


async def test_every_action_on_every_row_by_everybody(api: Api, shop: Shop) -> None:
    for user in shop.oracle.rows.all("User"):
        if not user.active:
            continue
        rights = shop.oracle.rights(user.id)
        for entity, name in LISTS.items():
            if not rights.has(entity):
                continue
            asked = " ".join(f'{action}: viewerCan(action: "{action}")' for action in ACTIONS[entity])
            deleted = ", includeDeleted: true" if rights.has(entity, "restore") else ""
            document = f"{{ list: {name}(first: 200{deleted}) {{ nodes {{ id {asked} }} }} }}"
            answer = await api.post(document, user=user.id)
            rows = {typed_id(row): row for row in shop.oracle.rows.all(entity)}
            for node in answer["data"]["list"]["nodes"]:
                for action in ACTIONS[entity]:
                    assert node[action] is rights.can(rows[node["id"]], action), (user.email, node["id"], action)


async def test_the_action_may_be_a_variable_and_each_value_has_its_own_answer(api: Api, shop: Shop) -> None:
    """A statement that is kept for one action must not answer for another."""
    document = "query($can: String!) { list: customers(first: 200) { nodes { id can: viewerCan(action: $can) } } }"
    user = shop.ids["partner"]
    rights, rows = shop.oracle.rights(user), {typed_id(row): row for row in shop.oracle.rows.all("Customer")}
    for action in ("read", "restore", "update", "read", "restore"):
        nodes = (await api.post(document, {"can": action}, user=user))["data"]["list"]["nodes"]
        assert nodes
        assert [node["can"] for node in nodes] == [rights.can(rows[node["id"]], action) for node in nodes], action


@pytest.mark.parametrize("literal", [True, False])
async def test_an_action_that_there_is_not_is_told_with_those_that_there_are(
    api: Api, shop: Shop, literal: bool
) -> None:
    if literal:
        answer = await api.post('{ tickets { nodes { viewerCan(action: "pay") } } }', user=shop.ids["admin"])
    else:
        document = "query($a: String!) { tickets { nodes { viewerCan(action: $a) } } }"
        answer = await api.post(document, {"a": "pay"}, user=shop.ids["admin"])
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["argument"] == "action"
    assert error["message"] == f"Ticket has no action 'pay': there are {', '.join(ACTIONS['Ticket'])}."


@pytest.mark.parametrize("shortcut", [True, False])
async def test_it_is_one_statement(shop: Shop, shortcut: bool) -> None:
    """Otherwise a page of fifty rows with three buttons each would ask the database 150 times."""
    document = (
        '{ customers(first: 50) { nodes { id update: viewerCan(action: "update") merge: viewerCan(action: "merge")'
        ' orders(first: 5) { nodes { id pay: viewerCan(action: "pay") } } } } }'
    )
    async with tapped(shop.url) as tap, open_api(tap.url, shortcut=shortcut) as api:
        for label in ("admin", "manager_north", "sales_north", "support_north"):
            await api.post(document, user=shop.ids[label])
            tap.reset()
            assert "errors" not in await api.post(document, user=shop.ids[label])
            assert (tap.executed, tap.trips) == (1, 1), label


async def test_it_counts_towards_the_cost(api: Api, shop: Shop) -> None:
    plain = await api.post("{ customers(first: 10) { nodes { id } } }", user=shop.ids["admin"])
    asked = await api.post(
        '{ customers(first: 10) { nodes { id viewerCan(action: "update") } } }', user=shop.ids["admin"]
    )
    assert asked["extensions"]["cost"]["requested"] == plain["extensions"]["cost"]["requested"] + 10


async def test_it_is_there_in_payloads_and_says_what_holds_afterwards(office: Office) -> None:
    probe: Any = office.label("probe_1")
    show = 'id deletedAt update: viewerCan(action: "update") restore: viewerCan(action: "restore")'
    done = await call(office, "deleteCustomer", "MANAGER", show=show, id=typed_id(probe), version=probe.version)
    assert done["errors"] == []
    assert (done["customer"]["update"], done["customer"]["restore"]) == (False, True)
