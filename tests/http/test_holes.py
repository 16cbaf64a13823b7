"""Holes that others had, each with the test that would find it here. CSRF by multipart is in ``test_csrf.py``, aliases
in fragments are in ``tests/test_limits.py``, statements for each row in ``tests/test_statements.py``."""

from typing import Any

import pytest

from app.main import Application
from tests.api import Api
from tests.matrix import CALLERS
from tests.nasty_shop import Shop
from tests.oracle.rows import NODES, PREFIXES, typed_id

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("protocol", ["graphql-ws", "graphql-transport-ws", ""])
async def test_no_websocket_gets_past_the_checks_of_http(api: Api, protocol: str) -> None:
    """CVE-2026-35523: a legacy protocol of subscriptions skipped the check of the connection. There is none at all."""
    app: Application = api.client._transport.app  # type: ignore[attr-defined]
    sent: list[Any] = []
    asked: list[Any] = [{"type": "websocket.connect"}]

    async def receive() -> Any:
        return asked.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": [(b"sec-websocket-protocol", protocol.encode())],
        "subprotocols": [protocol] if protocol else [],
    }
    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_an_id_is_of_one_entity_and_of_no_other(api: Api, shop: Shop) -> None:
    """Two types on one table could be taken for one another. Here each row answers to its own prefix alone."""
    user = shop.ids[CALLERS["ADMIN"]]
    for entity in NODES:
        row = shop.oracle.rows.all(entity)[0]
        digits = typed_id(row).partition("_")[2]
        ids = [
            f"{prefix}_{digits}" for other, prefix in PREFIXES.items() if prefix != PREFIXES[entity] and other in NODES
        ]
        answer = await api.post("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", {"ids": ids}, user=user)
        assert answer["data"]["nodes"] == [None] * len(ids), entity


@pytest.mark.parametrize(
    "headers",
    [
        {"x-request-id": "a\tb: c"},
        {"idempotency-key": "a\tb"},
        {"user-agent": "x" * 5_000 + "\u00e9"},
        {"authorization": "Bearer \u00e9\u00ff"},
        {"authorization": "Bearer " + "a." * 2_000},
        {"accept": ",;q=,*/*;;q=1;charset", "accept-encoding": ";q=a,,gzip;q"},
        {"traceparent": "00-\u00ff"},
        {"origin": "\u00ff"},
        {"content-type": "application/json;;charset=;=;utf-8"},
        {"x-forwarded-for": "\u00ff,,,", "forwarded": 'for="[', "cookie": "=;;\u00ff"},
    ],
)
async def test_odd_headers_are_no_fault_and_come_back_in_no_header(api: Api, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    kind = [] if "content-type" in headers else [(b"content-type", b"application/json")]
    response = await api.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=[*raw, *kind])
    assert response.status_code in (200, 400, 415), response.text
    for value in response.headers.values():
        assert "\u00ff" not in value
        assert "b: c" not in value
