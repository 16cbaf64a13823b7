"""What every response has, and what is told of every request: headers, ids, traces, addresses, the access log."""

import gzip
import json
from typing import Any

import httpx
import pytest

from app.main import Application
from app.secret import WeakSecretError, server_secret
from app.settings import Settings
from schema.access_log import AccessLog, Lines
from tests.api import Api, open_api
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio

STAGES = {"query": "query Stages { stages { name } }"}
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def client_from(api: Api, address: str) -> httpx.AsyncClient:
    """A client whose connection comes from ``address``."""
    transport = httpx.ASGITransport(api.client._transport.app, client=(address, 1234))  # type: ignore[attr-defined]
    return httpx.AsyncClient(transport=transport, base_url="http://rapport.test")


def log_of(api: Api, settings: Settings) -> list[dict[str, Any]]:
    """The lines of the access log from now on."""
    found: list[dict[str, Any]] = []

    class Kept(Lines):
        def info(self, line: str) -> None:
            found.append(json.loads(line))

    app: Application = api.client._transport.app  # type: ignore[attr-defined]
    app.front.log = AccessLog(settings, Kept())
    return found


# Headers


@pytest.mark.parametrize("path", ["/graphql", "/health/live", "/nowhere", "/exports/x", "/"])
async def test_every_response_has_the_headers_that_protect(api: Api, path: str) -> None:
    for response in (await api.client.get(path), await api.client.post(path, json=STAGES)):
        for name, value in {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "x-frame-options": "DENY",
            "cross-origin-resource-policy": "same-origin",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        }.items():
            assert response.headers.get_list(name) == [value], (path, name)
        assert len(response.headers.get_list("x-request-id")) == 1
        assert "server" not in response.headers


async def test_graphiql_may_run_its_own_scripts_and_ask_us_alone(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1) as api:
        page = await api.client.get("/graphql", headers={"accept": "text/html"})
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "default-src 'none'" in policy


async def test_production_shows_browsers_no_page(shop: Shop) -> None:
    """GraphiQL's examples name the accounts of the demo."""
    async with open_api(shop.url, read_pool=1, environment="production") as api:
        assert (await api.client.get("/graphql", headers={"accept": "text/html,*/*"})).status_code == 400
    async with open_api(shop.url, read_pool=1, environment="production", graphiql=True) as api:
        assert (await api.client.get("/graphql", headers={"accept": "text/html,*/*"})).status_code == 200


# Request ids and traces


async def test_a_trace_goes_on_and_the_request_id_is_our_span_in_it(api: Api) -> None:
    response = await api.client.post("/graphql", json=STAGES, headers={"traceparent": PARENT})
    assert response.headers["traceresponse"] == f"00-{TRACE}-{response.headers['x-request-id']}-01"


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        PARENT.upper(),
        PARENT + "-more",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-01\tx: y",
        f"00-{TRACE[:-1]}g-b7ad6b7169203331-01",
    ],
)
async def test_what_is_no_traceparent_leaves_no_trace(api: Api, parent: str) -> None:
    response = await api.client.post("/graphql", json=STAGES, headers={"traceparent": parent})
    assert "traceresponse" not in response.headers
    assert response.status_code == 200


async def test_a_later_version_of_traceparent_is_read_as_far_as_it_is_known(api: Api) -> None:
    parent = f"01-{TRACE}-b7ad6b7169203331-01-more"
    response = await api.client.post("/graphql", json=STAGES, headers={"traceparent": parent})
    assert TRACE in response.headers["traceresponse"]


async def test_only_a_trusted_proxy_gives_requests_their_ids(shop: Shop) -> None:
    """The audit log knows requests by their ids: a caller must not make two look like one."""
    named = {"x-request-id": "from-the-proxy-1"}
    async with (
        open_api(shop.url, read_pool=1, trusted_proxies=["10.0.0.1"]) as api,
        client_from(api, "10.0.0.1") as proxy,
        client_from(api, "203.0.113.9") as other,
    ):
        response = await proxy.post("/graphql", json=STAGES, headers=named)
        assert response.headers["x-request-id"] == "from-the-proxy-1"
        for client, id in ((other, "from-the-proxy-1"), (proxy, "a b"), (proxy, "x" * 65), (proxy, "<script>x")):
            response = await client.post("/graphql", json=STAGES, headers={"x-request-id": id})
            assert response.headers["x-request-id"] != id


# Proxies


@pytest.mark.parametrize(
    ("peer", "header", "headers", "client"),
    [
        ("203.0.113.9", "X-Forwarded-For", [("x-forwarded-for", "1.2.3.4")], "203.0.113.9"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "1.2.3.4")], "1.2.3.4"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "6.6.6.6, 1.2.3.4")], "1.2.3.4"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")], "1.2.3.4"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "1.2.3.4, 10.0.0.2")], "1.2.3.4"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "nonsense")], "10.0.0.1"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "1.2.3.4, nonsense")], "10.0.0.1"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "1.2.3.4:5678")], "1.2.3.4"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "2001:db8::1")], "2001:db8::1"),
        ("10.0.0.1", "X-Forwarded-For", [("x-forwarded-for", "::ffff:1.2.3.4")], "1.2.3.4"),
        ("10.0.0.1", "X-Forwarded-For", [("forwarded", "for=1.2.3.4")], "10.0.0.1"),
        ("10.0.0.1", "X-Forwarded-For", [], "10.0.0.1"),
        ("10.0.0.1", "Forwarded", [("forwarded", "for=6.6.6.6, for=1.2.3.4;proto=https")], "1.2.3.4"),
        ("10.0.0.1", "Forwarded", [("forwarded", 'proto=https;For="[2001:db8::1]:4711"')], "2001:db8::1"),
        ("10.0.0.1", "Forwarded", [("forwarded", "for=unknown")], "10.0.0.1"),
        ("10.0.0.1", "Forwarded", [("x-forwarded-for", "1.2.3.4")], "10.0.0.1"),
    ],
)
async def test_proxies_are_believed_as_far_as_they_are_trusted(
    shop: Shop, peer: str, header: str, headers: list[tuple[str, str]], client: str
) -> None:
    settings = {"trusted_proxies": ["10.0.0.0/24"], "proxy_header": header, "access_log": True}
    async with open_api(shop.url, read_pool=1, **settings) as api, client_from(api, peer) as caller:
        log = log_of(api, Settings(environment="production"))
        await caller.post("/graphql", json=STAGES, headers=headers)
    assert log[0]["ip"] == client


# The access log


async def test_a_request_is_one_line_that_tells_no_secret(shop: Shop) -> None:
    document = "query Find($email: String!) { customers(where: {email: {eq: $email}}) { nodes { id } } }"
    async with open_api(shop.url, read_pool=1) as api:
        log = log_of(api, Settings(environment="production"))
        token = api.token(shop.ids["admin"])
        headers = {"Authorization": f"Bearer {token}", "traceparent": PARENT, "cookie": "session=cookie-secret"}
        body = {"query": document, "variables": {"email": "very@secret.example"}, "operationName": "Find"}
        response = await api.client.post("/graphql", json=body, headers=headers)
        await api.client.get("/graphql", params={"query": "{ __typename }", "variables": '{"a": "very-secret"}'})
        await api.client.get("/exports/x?signature=secret-signature")
        await api.client.get("/health/live")
    first, second, third, fourth = log
    assert first == first | {
        "event": "request",
        "method": "POST",
        "path": "/graphql",
        "status": 200,
        "request_id": response.headers["x-request-id"],
        "operation": "Find",
        "user": str(shop.ids["admin"]),
        "trace": TRACE,
        "cost": response.json()["extensions"]["cost"]["actual"],
    }
    assert len(first["document"]) == 16
    assert first["ms"] > 0
    assert (second["path"], third["path"], third["status"], fourth["status"]) == ("/graphql", "/exports/x", 404, 200)
    text = json.dumps(log)
    for secret in (token, "secret", "Bearer", "signature"):
        assert secret not in text


async def test_a_path_cannot_forge_a_line(shop: Shop) -> None:
    lines: list[str] = []

    class Kept(Lines):
        def info(self, line: str) -> None:
            lines.append(line)

    for environment in ("production", "development"):
        async with open_api(shop.url, read_pool=1) as api:
            app: Application = api.client._transport.app  # type: ignore[attr-defined]
            app.front.log = AccessLog(Settings(environment=environment), Kept())
            await api.client.get("/x%0A%0Devent=request%1b[2J")
    assert len(lines) == 2
    assert not any(ord(letter) < 32 for line in lines for letter in line)


async def test_the_access_log_can_be_turned_off(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, access_log=False) as api:
        assert api.client._transport.app.front.log is None  # type: ignore[attr-defined]
        assert (await api.client.post("/graphql", json=STAGES)).status_code == 200


# CORS


async def test_no_origin_is_allowed_unless_it_is_set(api: Api) -> None:
    asked = {"origin": "https://crm.example", "access-control-request-method": "POST"}
    preflight = await api.client.options("/graphql", headers=asked)
    response = await api.client.post("/graphql", json=STAGES, headers={"origin": "https://crm.example"})
    for each in (preflight, response):
        assert not [name for name in each.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("credentials", [False, True])
async def test_origins_of_the_setting_are_allowed_and_no_others(shop: Shop, credentials: bool) -> None:
    settings = {"cors_origins": ["https://crm.example"], "cors_credentials": credentials}
    async with open_api(shop.url, read_pool=1, **settings) as api:
        asked = {
            "origin": "https://crm.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type, idempotency-key, apollo-require-preflight",
        }
        preflight = await api.client.options("/graphql", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://crm.example"
        assert ("access-control-allow-credentials" in preflight.headers) == credentials
        response = await api.client.post("/graphql", json=STAGES, headers={"origin": "https://crm.example"})
        assert response.headers["access-control-allow-origin"] == "https://crm.example"
        assert "origin" in response.headers["vary"].lower()
        assert "RateLimit" in response.headers["access-control-expose-headers"]
        for wrong in (
            {"origin": "https://evil.example"},
            {"origin": "https://crm.example.evil.example"},
            {"origin": "http://crm.example"},
            {"origin": "null"},
            {"access-control-request-headers": "x-evil"},
            {"access-control-request-method": "DELETE"},
        ):
            assert (await api.client.options("/graphql", headers={**asked, **wrong})).status_code == 400, wrong
        other = await api.client.post("/graphql", json=STAGES, headers={"origin": "https://evil.example"})
        assert other.headers.get("access-control-allow-origin") != "https://evil.example"


@pytest.mark.parametrize(
    "origin", ["*", "null", "crm.example", "https://crm.example/", "https://", "ftp://crm.example"]
)
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="origins such as"):
        Settings(cors_origins=(origin,))


# Compression


async def test_long_answers_to_queries_are_compressed_for_those_who_take_it(shop: Shop) -> None:
    body = {"query": "{ customers(first: 100) { nodes { id name email city country createdAt } } }"}
    async with open_api(shop.url, read_pool=1, compress_bytes=1_000) as api:
        api.client.headers["Authorization"] = f"Bearer {api.token(shop.ids['admin'])}"

        async def ask(encoding: str, body: Any = body) -> tuple[str | None, bytes]:
            headers = {"accept-encoding": encoding}
            async with api.client.stream("POST", "/graphql", json=body, headers=headers) as response:
                raw = b"".join([part async for part in response.aiter_raw()])
                assert int(response.headers["content-length"]) == len(raw)
                assert "accept-encoding" in response.headers["vary"]
                return response.headers.get("content-encoding"), raw

        kind, plain = await ask("identity")
        assert kind is None
        for encoding in ("gzip", "gzip, br", "*", "identity;q=0.5, gzip;q=0.8", "x-gzip"):
            kind, packed = await ask(encoding)
            assert kind == "gzip", encoding
            assert gzip.decompress(packed) == plain
            assert len(packed) < len(plain) / 2
        for encoding in ("", "br", "gzip;q=0", "gzip;q=0.2, identity;q=0.7", "*;q=0"):
            assert (await ask(encoding))[0] is None, encoding
        assert (await ask("gzip", STAGES))[0] is None


async def test_answers_that_may_hold_a_secret_are_never_compressed(shop: Shop) -> None:
    """What BREACH needs: a secret and the attacker's text in one compressed answer."""
    fields = " ".join(f"a{number}: __typename" for number in range(50))
    document = f'mutation {{ signIn(email: "a@x.example", password: "b") {{ accessToken {fields} }} }}'
    async with open_api(shop.url, read_pool=1, compress_bytes=10) as api:
        response = await api.client.post("/graphql", json={"query": document}, headers={"accept-encoding": "gzip"})
        assert len(response.content) > 500
        assert "content-encoding" not in response.headers


# The start


@pytest.mark.parametrize(
    "secret", ["a" * 40, "abcd1234" * 5, "0123456789abcdef" * 2, "changeme-changeme-for-production-1"]
)
def test_production_does_not_start_with_a_secret_that_can_be_guessed(secret: str) -> None:
    with pytest.raises(WeakSecretError, match="guessed"):
        server_secret(Settings(environment="production", secret=secret))
    with pytest.raises(WeakSecretError, match="not set"):
        server_secret(Settings(environment="production"))
    assert server_secret(Settings(secret=secret)) == secret


# Strangers


@pytest.mark.parametrize("introspection", [None, True])
async def test_production_tells_strangers_nothing_of_the_schema(shop: Shop, introspection: bool | None) -> None:
    documents = [
        ("{ __schema { types { name } } }", None),
        ('{ __type(name: "Customer") { name } }', None),
        ("{ customrs { id } }", None),
        ('mutation { signIn(emai: "x") { user { id } } }', None),
        ("query($k: [OrderBy!]) { stages { id } }", None),
        ("query($w: CustomerFilter) { customers(where: $w) { totalCount } }", {"w": {"nam": 1}}),
    ]
    async with open_api(shop.url, read_pool=1, environment="production", introspection=introspection) as api:
        for document, variables in documents:
            answer = await api.post(document, variables)
            assert answer["errors"], document
            assert "Did you mean" not in str(answer)
            assert not answer.get("data")
        shown = await api.post("{ __schema { types { name } } }", user=shop.ids["admin"])
        assert ("data" in shown) == bool(introspection)
