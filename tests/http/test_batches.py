"""Several operations in one request: off unless a setting allows so many."""

from collections.abc import AsyncIterator

import pytest

from tests.api import Api, open_api
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=[True, False], ids=["shortcut", "executor"])
async def batching(shop: Shop, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=1, max_batch=3, shortcut=request.param) as api:
        yield api


async def test_a_list_is_refused_unless_it_is_allowed(api: Api) -> None:
    for body in ([], [{"query": "{ __typename }"}]):
        response = await api.client.post("/graphql", json=body)
        assert response.status_code == 400
        assert "one at a time" in response.text


async def test_each_operation_has_its_answer_in_its_place(batching: Api, shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {batching.token(shop.ids['admin'])}"}
    body = [
        {"query": "{ stages { id } }"},
        {"query": "{ nothing }"},
        {"query": "query($n: Int) { customers(first: $n) { nodes { id } } }", "variables": {"n": 2}},
    ]
    response = await batching.client.post("/graphql", json=body, headers=headers)
    assert response.status_code == 200
    first, second, third = response.json()
    assert first["data"]["stages"]
    assert second["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert len(third["data"]["customers"]["nodes"]) == 2


@pytest.mark.parametrize("count", [0, 4, 1000])
async def test_more_than_allowed_are_refused_as_a_whole(batching: Api, count: int) -> None:
    before = batching.server.reader.statements
    response = await batching.client.post("/graphql", json=[{"query": "{ __typename }"}] * count)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COSTLY"
    assert "3" in error["message"]
    assert batching.server.reader.statements == before


async def test_a_batch_with_something_else_in_it_is_refused_as_a_whole(batching: Api) -> None:
    for odd in (1, None, {}, [{"query": "{ __typename }"}], {"query": 1}):
        response = await batching.client.post("/graphql", json=[{"query": "{ __typename }"}, odd])
        assert response.status_code == 400


async def test_a_key_of_idempotency_is_for_one_operation(batching: Api) -> None:
    body = [{"query": "{ __typename }"}] * 2
    response = await batching.client.post("/graphql", json=body, headers={"Idempotency-Key": "k"})
    assert response.status_code == 400


@pytest.mark.usefixtures("full")
async def test_each_operation_of_a_batch_is_paid_for(shop: Shop) -> None:
    async with open_api(
        shop.url, read_pool=1, max_batch=10, budget_points=60, budget_restore=0.001, max_cost=60
    ) as api:
        headers = {"Authorization": f"Bearer {api.token(shop.ids['admin'])}"}
        body = [{"query": "{ customers(first: 20) { nodes { id } } }"}] * 5
        answers = (await api.client.post("/graphql", json=body, headers=headers)).json()
        codes = [each["errors"][0]["extensions"]["code"] if "errors" in each else "" for each in answers]
        assert codes[0] == ""
        assert codes[-1] == "RATE_LIMITED"
