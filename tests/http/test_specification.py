"""The GraphQL-over-HTTP specification: media types, statuses, methods and parameters."""

from typing import Any

import httpx
import orjson
import pytest

from tests.api import Api, open_api
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio

JSON, GRAPHQL = "application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8"
STAGES = "{ stages { name } }"


def refusal(response: httpx.Response, status: int) -> str:
    """The message of the one error of a response."""
    assert response.status_code == status, response.text
    (error,) = response.json()["errors"]
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    return str(error["message"])


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/json; charset=utf-8", JSON),
        ("application/graphql-response+json", GRAPHQL),
        ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", GRAPHQL),
        ("application/json, application/graphql-response+json", GRAPHQL),
        ("application/json;q=0.9, application/graphql-response+json;q=0.8", JSON),
        ("application/graphql-response+json;q=0.8, application/json;q=0.2, */*;q=0.1", GRAPHQL),
        ("application/graphql-response+json;q=0.5, */*", JSON),
        ("application/json;q=0, */*", GRAPHQL),
        ("text/html, */*;q=0.1", JSON),
        ("application/json;q=nonsense, application/graphql-response+json;q=0.1", GRAPHQL),
    ],
)
async def test_the_answer_is_of_the_media_type_that_is_liked_best(
    api: Api, signed: dict[str, str], accept: str | None, media: str
) -> None:
    headers = {**signed, **({} if accept is None else {"accept": accept})}
    request = api.client.build_request("POST", "/graphql", json={"query": STAGES}, headers=headers)
    if accept is None:
        del request.headers["accept"]
    response = await api.client.send(request)
    assert response.status_code == 200
    assert response.headers["content-type"] == media
    assert "accept" in response.headers["vary"]


@pytest.mark.parametrize(
    "accept", ["text/plain", "application/json;q=0", "application/json;charset=iso-8859-1", "image/*", "*/*;q=0"]
)
async def test_no_media_type_that_we_have_is_406(api: Api, accept: str) -> None:
    response = await api.client.post("/graphql", json={"query": STAGES}, headers={"accept": accept})
    assert "application/json" in refusal(response, 406)


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "us-ascii", "nonsense"])
async def test_a_body_in_another_charset_than_utf_8_is_415(api: Api, charset: str) -> None:
    headers = {"content-type": f"application/json; charset={charset}"}
    response = await api.client.post("/graphql", content=orjson.dumps({"query": STAGES}), headers=headers)
    assert "UTF-8" in refusal(response, 415)


async def test_utf_8_may_be_said_in_any_way(api: Api, signed: dict[str, str]) -> None:
    for kind in ('application/json; charset="UTF-8"', "application/json;charset=utf-8", "application/json; v=1"):
        response = await api.client.post(
            "/graphql", content=orjson.dumps({"query": STAGES}), headers={**signed, "content-type": kind}
        )
        assert response.json()["data"]["stages"], kind


async def test_a_compressed_body_is_415(api: Api) -> None:
    """A bomb of a few kilobytes must not grow here."""
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    response = await api.client.post("/graphql", content=b"\x1f\x8b", headers=headers)
    assert "Content-Encoding" in refusal(response, 415)


@pytest.mark.parametrize("name", ["variables", "extensions"])
@pytest.mark.parametrize("value", ["string", 0, False, ["array"]])
async def test_a_parameter_of_the_wrong_type_is_400(api: Api, name: str, value: Any) -> None:
    for accept in (JSON, GRAPHQL):
        response = await api.client.post("/graphql", json={"query": STAGES, name: value}, headers={"accept": accept})
        assert name in refusal(response, 400)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_other_methods_are_405_and_told_which_there_are(api: Api, method: str) -> None:
    response = await api.client.request(method, "/graphql")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_a_mutation_with_get_is_405_whatever_is_accepted(api: Api, signed: dict[str, str], accept: str) -> None:
    document = 'mutation M { signIn(email: "a@x.example", password: "b") { accessToken } } query Q { stages { id } }'
    headers = {**signed, "accept": accept}
    response = await api.client.get("/graphql", params={"query": document, "operationName": "M"}, headers=headers)
    assert "POST" in refusal(response, 405)
    assert response.headers["allow"] == "POST"
    response = await api.client.get("/graphql", params={"query": document, "operationName": "Q"}, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("query_string", "named"),
    [
        ("query=%7Bstages%7Bid%7D%7D&query=%7Bteams%7Bid%7D%7D", "query is given 2 times"),
        ("query=%ff", "UTF-8"),
        ("&".join(f"a{number}=1" for number in range(30)), "query string"),
        ("query=%7Bstages%7Bid%7D%7D&variables=[]", "variables is not a JSON object"),
        ("query=%7Bstages%7Bid%7D%7D&extensions=%7B", "extensions is not JSON"),
    ],
)
async def test_a_query_string_that_is_wrong_is_400(api: Api, query_string: str, named: str) -> None:
    assert named in refusal(await api.client.get(f"/graphql?{query_string}"), 400)


async def test_a_query_string_above_the_limit_of_bodies_is_414(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, max_body_bytes=100) as api:
        response = await api.client.get("/graphql", params={"query": "{ stages { id } }" + " " * 100})
        assert "100" in refusal(response, 414)


@pytest.mark.usefixtures("full")
async def test_statuses_of_answers_without_data(shop: Shop) -> None:
    """By the words of the specification: 200 for the old media type, 4xx for that of GraphQL."""
    settings = {"budget_points": 1, "budget_restore": 0.001, "budget_stranger_points": 1}
    settings["budget_stranger_restore"] = 0.001
    async with open_api(shop.url, read_pool=1) as free, open_api(shop.url, read_pool=1, **settings) as poor:
        await poor.post("{ __typename }", user=shop.ids["admin"])
        for api, document, code, status in (
            (free, "{", "GRAPHQL_PARSE_FAILED", 400),
            (free, "{ nothing }", "GRAPHQL_VALIDATION_FAILED", 400),
            (poor, "{ __typename }", "RATE_LIMITED", 429),
        ):
            for accept, expected in ((JSON, 200), (GRAPHQL, status)):
                headers = {"accept": accept, "Authorization": f"Bearer {api.token(shop.ids['admin'])}"}
                response = await api.client.post("/graphql", json={"query": document}, headers=headers)
                assert response.status_code == expected, document
                assert "data" not in response.json()
                assert response.json()["errors"][0]["extensions"]["code"] == code
                assert ("retry-after" in response.headers) == (code == "RATE_LIMITED")


async def test_an_answer_with_data_is_200_even_if_they_are_null(api: Api) -> None:
    """The operation has run: what went wrong in it stands in the answer."""
    for accept in (JSON, GRAPHQL):
        response = await api.client.post("/graphql", json={"query": STAGES}, headers={"accept": accept})
        assert response.status_code == 200
        assert response.json()["data"] is None
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
