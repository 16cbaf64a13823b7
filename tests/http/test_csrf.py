"""No page of another site can ask in the name of its visitor (CSRF), without a preflight."""

import httpx
import orjson
import pytest

from tests.api import Api

pytestmark = pytest.mark.anyio

STAGES = {"query": "{ stages { name } }"}
COOKIE = {"cookie": "rapport=anything"}


def refused(response: httpx.Response, status: int) -> None:
    assert response.status_code == status, response.text
    assert "data" not in response.json()


@pytest.mark.parametrize(
    "kind",
    [
        *("text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "application/graphql", ""),
        *("multipart/form-data; boundary=x", "MULTIPART/FORM-DATA; boundary=x", "multipart/mixed; boundary=x"),
        *("text/plain;charset=application/json", "application/jsonx", "application/json, text/plain"),
    ],
)
@pytest.mark.parametrize("preflighted", [False, True])
async def test_a_post_of_another_type_than_json_is_refused(
    api: Api, signed: dict[str, str], kind: str, preflighted: bool
) -> None:
    """A form can send three types, an empty request none. Multipart is not taken at all (CVE-2024-47082)."""
    headers = {**signed, **COOKIE, **({"content-type": kind} if kind else {})}
    if preflighted:
        headers["apollo-require-preflight"] = "true"
    refused(await api.client.post("/graphql", content=orjson.dumps(STAGES), headers=headers), 415)


async def test_a_form_with_files_as_of_the_multipart_specification_does_nothing(api: Api) -> None:
    parts = {"operations": (None, orjson.dumps({**STAGES, "variables": {"f": None}})), "map": (None, b'{"0": ["f"]}')}
    response = await api.client.post("/graphql", files={**parts, "0": ("a.txt", b"text")}, headers=COOKIE)
    refused(response, 415)


@pytest.mark.parametrize(
    "said",
    [
        COOKIE,
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {**COOKIE, "content-type": "text/plain"},
        {**COOKIE, "content-type": "application/x-www-form-urlencoded;charset=application/json"},
        {**COOKIE, "sec-fetch-site": "none"},
    ],
)
async def test_a_get_that_a_page_may_have_made_is_refused(api: Api, said: dict[str, str]) -> None:
    response = await api.client.get("/graphql", params=STAGES, headers=said)
    refused(response, 400)
    assert "Apollo-Require-Preflight" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "preflight",
    [
        {"apollo-require-preflight": "1"},
        {"x-apollo-operation-name": "Stages"},
        {"graphql-require-preflight": ""},
        {"content-type": "application/json"},
    ],
)
async def test_a_get_that_a_browser_asks_for_first_is_answered(api: Api, preflight: dict[str, str]) -> None:
    headers = {**COOKIE, "origin": "https://shop.example", "sec-fetch-site": "cross-site", **preflight}
    response = await api.client.get("/graphql", params=STAGES, headers=headers)
    assert response.status_code == 200
    assert "data" in response.json()


async def test_a_get_with_a_token_is_answered(api: Api, signed: dict[str, str]) -> None:
    """No browser adds it by itself."""
    response = await api.client.get("/graphql", params=STAGES, headers={**COOKIE, **signed})
    assert response.json()["data"]["stages"]


async def test_a_program_that_brings_nothing_is_answered(api: Api) -> None:
    """It asks as the stranger that it is."""
    response = await api.client.get("/graphql", params={"query": "{ __typename }"})
    assert response.json()["data"] == {"__typename": "Query"}
