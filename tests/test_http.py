"""GraphQL over HTTP: what may be sent and how, and that no answer tells what only the log should hold."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest

from tests.api import Api, open_api
from tests.conftest import Server
from tests.nasty_shop import Shop
from tests.oracle.shop import build_shop

pytestmark = pytest.mark.anyio

JSON, GRAPHQL = "application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8"
STAGES = "{ stages { name } }"
INSIDE = re.compile(r"Traceback|SELECT |asyncpg|sqlalchemy|\.py\b|line \d+, in|relation \"|column \"|psycopg|Postgres")
"""What must stand in no answer."""


@pytest.fixture(scope="module", params=[True, False], ids=["shortcut", "executor"])
async def api(shop: Shop, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=1, shortcut=request.param) as api:
        yield api


@pytest.fixture
def signed(api: Api, shop: Shop) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.token(shop.ids['admin'])}"}


def only_error(response: httpx.Response, status: int, code: str) -> str:
    """The message of the one error; it has an id, which is that of the response, and shows nothing of the inside."""
    assert response.status_code == status, response.text
    assert not INSIDE.search(response.text), response.text
    answer = response.json()
    assert not answer.get("data")
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == code
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    message: str = error["message"]
    return message


# Requests


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_a_json_body_is_read_however_its_type_is_written(api: Api, signed: dict[str, str], kind: str) -> None:
    body = orjson.dumps({"query": STAGES})
    response = await api.client.post("/graphql", content=body, headers={**signed, "content-type": kind})
    assert response.status_code == 200
    assert response.headers["content-type"] == JSON
    assert response.headers["cache-control"] == "no-store"
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.json()["data"]["stages"]


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql"],
)
async def test_any_other_type_is_refused_so_that_no_form_of_another_site_can_ask(api: Api, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    response = await api.client.post("/graphql", content=orjson.dumps({"query": STAGES}), headers=headers)
    assert "application/json" in only_error(response, 415, "BAD_USER_INPUT")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(api: Api, method: str) -> None:
    response = await api.client.request(method, "/graphql", json={"query": STAGES})
    assert "POST" in only_error(response, 405, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"{'query': 1}", "JSON"),
        (b'{"query": "{ stages { id } }"', "JSON"),
        (b"\xff\xfe", "JSON"),
        (b'{"query": NaN}', "JSON"),
        (b"[" * 5_000 + b"]" * 5_000, "JSON"),
        (b"null", "object"),
        (b'"{ stages { id } }"', "object"),
        (b'[{"query": "{ stages { id } }"}]', "one at a time"),
        (b"{}", "query"),
        (b'{"query": null}', "query"),
        (b'{"query": ""}', "query"),
        (b'{"query": "  "}', "query"),
        (b'{"query": 1}', "query"),
        (b'{"query": "{ stages { id } }", "variables": []}', "variables"),
        (b'{"query": "{ stages { id } }", "variables": "{}"}', "variables"),
        (b'{"query": "{ stages { id } }", "operationName": 1}', "operationName"),
    ],
)
async def test_a_body_that_is_no_request_is_refused_with_what_is_wrong(api: Api, body: bytes, named: str) -> None:
    response = await api.client.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert named in only_error(response, 400, "BAD_USER_INPUT")


async def test_empty_variables_and_operation_names_are_as_if_absent(api: Api, signed: dict[str, str]) -> None:
    for extra in ({"variables": None}, {"variables": {}}, {"operationName": None}, {"operationName": ""}):
        response = await api.client.post("/graphql", json={"query": STAGES, **extra}, headers=signed)
        assert response.json()["data"]["stages"], extra


# Operations


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json", "*/*"])
async def test_the_media_type_of_the_answer_is_the_one_that_is_accepted(
    api: Api, signed: dict[str, str], accept: str
) -> None:
    response = await api.client.post("/graphql", json={"query": STAGES}, headers={**signed, "accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == (GRAPHQL if "graphql" in accept else JSON)


@pytest.mark.parametrize(
    ("document", "code", "named"),
    [
        ("{ stages { id }", "GRAPHQL_PARSE_FAILED", "Syntax Error"),
        ("nonsense", "GRAPHQL_PARSE_FAILED", "nonsense"),
        ("{ stages }", "GRAPHQL_VALIDATION_FAILED", "stages"),
        ("{ stages { colour } }", "GRAPHQL_VALIDATION_FAILED", "colour"),
        ("{ customers(first: true) { totalCount } }", "GRAPHQL_VALIDATION_FAILED", "true"),
        ("query($x: Nothing) { stages { id } }", "GRAPHQL_VALIDATION_FAILED", "Nothing"),
        ("fragment F on Stage { id }", "GRAPHQL_VALIDATION_FAILED", "F"),
        ("subscription { stages { id } }", "GRAPHQL_VALIDATION_FAILED", "subscription"),
    ],
)
async def test_a_document_that_is_wrong_has_a_code_by_where_it_is_wrong(
    api: Api, signed: dict[str, str], document: str, code: str, named: str
) -> None:
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        response = await api.client.post("/graphql", json={"query": document}, headers={**signed, "accept": accept})
        assert response.status_code == status
        assert not INSIDE.search(response.text), response.text
        answer = response.json()
        assert "data" not in answer
        assert {error["extensions"]["code"] for error in answer["errors"]} == {code}
        assert named in response.text
        assert {error["extensions"]["requestId"] for error in answer["errors"]} == {response.headers["x-request-id"]}


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("query($n: Int) { customers(first: $n) { totalCount } }", {"n": "many"}),
        ("query($n: Int) { customers(first: $n) { totalCount } }", {"n": 1.5}),
        ("query($n: Int) { customers(first: $n) { totalCount } }", {"n": 2**31}),
        ("query($id: ID!) { customer(id: $id) { id } }", {}),
        ("query($id: ID!) { customer(id: $id) { id } }", {"id": None}),
        ("query($w: CustomerFilter) { customers(where: $w) { totalCount } }", {"w": {"colour": {"eq": "red"}}}),
        ("query($w: CustomerFilter) { customers(where: $w) { totalCount } }", {"w": {"tier": {"eq": "TIN"}}}),
        (
            "query($w: OrderFilter) { orders(where: $w) { totalCount } }",
            {"w": {"placedAt": {"lt": "2026-01-01T00:00"}}},
        ),
    ],
)
async def test_variables_of_the_wrong_type_are_bad_input_by_name(
    api: Api, signed: dict[str, str], document: str, variables: dict[str, Any]
) -> None:
    response = await api.client.post("/graphql", json={"query": document, "variables": variables}, headers=signed)
    assert not INSIDE.search(response.text), response.text
    answer = response.json()
    assert not answer.get("data")
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}
    name = re.findall(r"\$(\w+)", document)[0]
    assert f"${name}" in answer["errors"][0]["message"]


async def test_an_operation_is_picked_by_its_name(api: Api, signed: dict[str, str]) -> None:
    document = "query A { stages { id } } query B { teams { id } }"

    async def ask(name: str | None) -> httpx.Response:
        return await api.client.post("/graphql", json={"query": document, "operationName": name}, headers=signed)

    assert list((await ask("A")).json()["data"]) == ["stages"]
    assert list((await ask("B")).json()["data"]) == ["teams"]
    for name in ("C", None, ""):
        assert "A, B" in only_error(await ask(name), 200, "BAD_USER_INPUT")
    unnamed = await api.client.post("/graphql", json={"query": STAGES, "operationName": "A"}, headers=signed)
    only_error(unnamed, 200, "BAD_USER_INPUT")


async def test_queries_can_be_asked_with_get(api: Api, signed: dict[str, str]) -> None:
    document = "query A($n: Int) { customers(first: $n) { nodes { id } } } query B { stages { id } }"
    parameters = {"query": document, "operationName": "A", "variables": '{"n": 3}'}
    response = await api.client.get("/graphql", params=parameters, headers=signed)
    assert len(response.json()["data"]["customers"]["nodes"]) == 3
    bad = await api.client.get("/graphql", params={**parameters, "variables": "{"}, headers=signed)
    assert "variables" in only_error(bad, 400, "BAD_USER_INPUT")
    missing = await api.client.get("/graphql", headers={**signed, "accept": "application/json"})
    assert "query" in only_error(missing, 400, "BAD_USER_INPUT")


async def test_mutations_cannot_be_asked_with_get(api: Api) -> None:
    """A link in a mail must not be able to do anything."""
    document = 'mutation M { signIn(email: "a@x.example", password: "b") { accessToken } } query Q { stages { id } }'
    response = await api.client.get("/graphql", params={"query": document, "operationName": "M"})
    assert "POST" in only_error(response, 405, "BAD_USER_INPUT")


# Pages and health


async def test_browsers_get_graphiql_and_programs_do_not(shop: Shop) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with open_api(shop.url, read_pool=1) as api:
        page = await api.client.get("/graphql", headers=browser)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "graphiql" in page.text.lower()
        assert "Authorization" in page.text
        assert (await api.client.get("/")).headers["location"] == "/graphql"
        asked = await api.client.get("/graphql", params={"query": STAGES}, headers=browser)
        assert asked.headers["content-type"] == JSON
    async with open_api(shop.url, read_pool=1, graphiql=False) as api:
        only_error(await api.client.get("/graphql", headers=browser), 400, "BAD_USER_INPUT")


async def test_unknown_paths_are_not_found(api: Api) -> None:
    for path in ("/graphql/", "/graphql/x", "/graph", "/health"):
        assert (await api.client.get(path)).status_code in (404, 307), path


async def test_ready_follows_the_database_and_live_does_not(server: Server, migrated: str) -> None:
    url = await server.copy(migrated)
    async with open_api(url) as api:
        assert (await api.client.get("/health/live")).json() == {"status": "live"}
        assert (await api.client.get("/health/ready")).json() == {"status": "ready"}
        await server.drop(url)
        for _ in range(2):
            gone = await api.client.get("/health/ready")
            assert gone.status_code == 503
            assert not INSIDE.search(gone.text)
        assert (await api.client.get("/health/live")).status_code == 200


async def test_a_server_whose_connections_were_cut_answers_again(shop: Shop) -> None:
    """PostgreSQL restarts now and then: at most what was under way is lost."""
    async with open_api(shop.url, read_pool=3) as api:
        assert (await api.post(STAGES, user=shop.ids["admin"]))["data"]["stages"]
        connection = await asyncpg.connect(shop.url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'rapport read'"
        )
        await connection.close()
        answers = [await api.post(STAGES, user=shop.ids["admin"]) for _ in range(3)]
        assert answers[-1]["data"]["stages"]
        assert (await api.client.get("/health/ready")).status_code == 200


# What is told of the inside


async def test_every_answer_has_a_request_id_of_its_own(api: Api, signed: dict[str, str]) -> None:
    ids = set()
    for body in ({"query": STAGES}, {"query": "{"}, {}, {"query": "{ customer(id: 1) { id } }"}):
        response = await api.client.post("/graphql", json=body, headers=signed)
        ids.add(response.headers["x-request-id"])
        for error in response.json().get("errors", ()):
            assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    assert len(ids) == 4


@pytest.fixture(scope="module")
async def broken(server: Server, migrated: str) -> AsyncIterator[tuple[str, dict[str, UUID]]]:
    """A shop whose customers have lost a column that every read of them needs."""
    url = await server.copy(migrated)
    ids = await build_shop(url)
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER TABLE customers RENAME COLUMN name TO gone")
    await connection.close()
    yield url, ids
    await server.drop(url)


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def error(self, _: str, **said: Any) -> None:
        self.entries.append(said)


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
async def test_a_fault_of_ours_is_told_by_its_request_id_and_nothing_else(
    broken: tuple[str, dict[str, UUID]], shortcut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, ids = broken
    log = Log()
    monkeypatch.setattr("schema.errors._log", log)
    async with open_api(url, shortcut=shortcut, read_pool=1) as api:
        response = await api.send("{ customers { nodes { name } } }", user=ids["admin"])
        message = only_error(response, 200, "INTERNAL_SERVER_ERROR")
        (error,) = response.json()["errors"]
        assert error.keys() == {"message", "locations", "path", "extensions"}
        assert error["extensions"].keys() == {"code", "requestId"}
        assert "name" not in message
        assert "gone" not in response.text
        (logged,) = log.entries
        assert logged["request_id"] == response.headers["x-request-id"]
        assert isinstance(logged["exc_info"], asyncpg.UndefinedColumnError)
        both = await api.post(f'{{ stages {{ name }} customer(id: "cus_{0:032x}") {{ name }} }}', user=ids["admin"])
        assert both["data"]["stages"]
        assert both["data"]["customer"] is None
        assert [error["extensions"]["code"] for error in both["errors"]] == ["INTERNAL_SERVER_ERROR"]


# Two ways to the same bytes


async def test_both_ways_give_the_same_status_headers_and_bytes(shop: Shop) -> None:
    """The shortcut past the executor must not be told from the executor."""
    one = f"cus_{shop.ids['probe_1'].hex}"
    bodies: list[Any] = [
        {"query": STAGES},
        {"query": "query Q($id: ID!) { customer(id: $id) { id name } }", "variables": {"id": one}},
        {"query": "query Q($id: ID!) { customer(id: $id) { id name } }", "variables": {"id": "bad"}},
        {"query": "query Q($id: ID!) { customer(id: $id) { id name } }", "variables": {}},
        {"query": "query Q($id: ID!) { customer(id: $id) { id name } }", "variables": {"id": one, "more": 1}},
        {"query": f'{{ b: customer(id: "{one}") {{ z: id a: name }} a: stages {{ id }} __typename }}'},
        {"query": f'{{ b: customer(id: "{one}") {{ z: id a: name }} a: stages {{ id }} }}'},
        {"query": f'{{ customer(id: "{one}") {{ id notes }} stages {{ id }} opportunities {{ totalCount }} }}'},
        {"query": "{ customers(first: 2) { edges { cursor node { name } } pageInfo { endCursor } totalCount } }"},
        {"query": "{ customers(first: 200) { nodes { orders(first: 200) { nodes { id lines { id } } } } } }"},
        {"query": "{ shop { name } viewer { user { name } } stages { id } }"},
        {"query": '{ nodes(ids: ["x"]) { id } node(id: "x") { id } }'},
        {"query": "query A { stages { id } } query B { teams { id } }", "operationName": "B"},
        {"query": "query A { stages { id } } query B { teams { id } }", "operationName": "C"},
        {"query": "{ stages { id } } # 王芳"},
        {"query": "{ __schema { queryType { name } } }"},
        {"query": "{"},
        {"query": "{ nothing }"},
        {"query": "query($no: Boolean!) { stages @skip(if: $no) { id } }", "variables": {"no": True}},
        [],
        {},
    ]
    tokens = ["", "Basic x", "Bearer nonsense"]
    async with open_api(shop.url, shortcut=True) as fast, open_api(shop.url, shortcut=False) as plain:
        signed = [f"Bearer {fast.token(shop.ids[who])}" for who in ("admin", "support_north", "marketing", "nobody")]
        for body in bodies:
            for token in (*tokens, *signed):
                for accept in ("application/json", "application/graphql-response+json"):
                    headers = {"accept": accept, **({"authorization": token} if token else {})}
                    responses = [await api.client.post("/graphql", json=body, headers=headers) for api in (fast, plain)]
                    told = [_told(response) for response in responses]
                    assert told[0] == told[1], f"{body} as {token}: {[response.text for response in responses]}"


def _told(response: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    request_id = response.headers["x-request-id"]
    headers = [(name, value) for name, value in response.headers.items() if name != "x-request-id"]
    return response.status_code, headers, response.content.replace(request_id.encode(), b"-")


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
async def test_each_refused_root_field_has_an_error_in_the_order_of_the_operation(shop: Shop, shortcut: bool) -> None:
    """Whether there are data or not; where there are none, no read is run for nothing."""
    document = """query($id: ID!) {
      c: opportunities { totalCount } shop { name } a: customers(first: 0) { totalCount } stages { name }
      d: customers(where: {id: {eq: $id}}) { totalCount } b: customer(id: $id) { name } e: opportunities { totalCount }
    }"""
    single = "query($id: ID!) { d: customer(id: $id) { name } stages { id } a: customer(id: $id) { email } }"

    def told(answer: Any) -> list[tuple[str, str]]:
        return [(*error["path"], error["extensions"]["code"]) for error in answer["errors"]]

    async with open_api(shop.url, read_pool=2, shortcut=shortcut) as api:
        support = shop.ids["support_north"]
        for _ in range(3):
            before = api.server.reader.statements
            answer = await api.post(document, {"id": "x"}, user=support)
            forbidden, bad = "FORBIDDEN", "BAD_USER_INPUT"
            assert told(answer) == [("c", forbidden), ("a", bad), ("d", bad), ("b", bad), ("e", forbidden)]
            assert answer["data"] is None
            assert api.server.reader.statements == before
            answer = await api.post(single, {"id": "x"}, user=support)
            assert told(answer) == [("d", bad), ("a", bad)]
            assert answer["data"]["stages"]
        answer = await api.post(document, {"id": "x"})
        assert [key for key, code in told(answer)] == ["c", "shop", "a", "stages", "d", "b", "e"]
