"""Statements that take too long, or that nobody waits for any more, stop in PostgreSQL too."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from app.main import create_app
from app.settings import Settings
from tests.activity import READING, until
from tests.api import SECRET, Api, open_api
from tests.conftest import Server
from tests.oracle.shop import build_shop

pytestmark = pytest.mark.anyio

READ = "{ customers { nodes { name } } }"
SEVERAL = "{ a: customers { nodes { name } } b: contacts(where: {customer: {tier: {ne: GOLD}}}) { totalCount } }"
WAITING = READING + " AND wait_event_type = 'Lock'"


@dataclass
class Own:
    """A database of the module's own, a connection that locks it, and another one that looks on."""

    url: str
    ids: dict[str, UUID]
    locking: asyncpg.Connection
    looking: asyncpg.Connection


@pytest.fixture(scope="module")
async def own(server: Server, migrated: str) -> AsyncIterator[Own]:
    url = await server.copy(migrated)
    ids = await build_shop(url)
    locking, looking = await asyncpg.connect(url), await asyncpg.connect(url)
    yield Own(url, ids, locking, looking)
    await locking.close()
    await looking.close()
    await server.drop(url)


@pytest.fixture
async def locked(own: Own) -> AsyncIterator[None]:
    """No customer can be read meanwhile."""
    transaction = own.locking.transaction()
    await transaction.start()
    await own.locking.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
    yield
    await transaction.rollback()


# Too long


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
async def test_a_statement_that_takes_too_long_is_a_timeout_and_has_ended_in_postgresql(
    own: Own, locked: None, shortcut: bool
) -> None:
    async with open_api(own.url, shortcut=shortcut, statement_timeout_ms=150, read_pool=2) as api:
        started = time.monotonic()
        response = await api.send(READ, user=own.ids["admin"])
        took = time.monotonic() - started
        answer = response.json()
        assert response.status_code == 200
        assert answer["data"] is None
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "TIMEOUT"
        assert error["path"] == ["customers"]
        assert 0.1 < took < 5
        assert await own.looking.fetchval(READING) == 0
        after = await api.post("{ stages { name } }", user=own.ids["admin"])
        assert after["data"]["stages"], "The connection serves on."


async def test_a_timeout_of_one_root_field_leaves_the_others_their_answers(own: Own, locked: None) -> None:
    async with open_api(own.url, statement_timeout_ms=150) as api:
        document = f'{{ customer(id: "cus_{own.ids["probe_1"].hex}") {{ name }} stages {{ name }} }}'
        answer = await api.post(document, user=own.ids["admin"])
    assert answer["data"]["customer"] is None
    assert answer["data"]["stages"]
    assert [(e["path"], e["extensions"]["code"]) for e in answer["errors"]] == [(["customer"], "TIMEOUT")]


async def test_a_timeout_says_nothing_of_the_statement(own: Own, locked: None) -> None:
    async with open_api(own.url, statement_timeout_ms=150) as api:
        text = (await api.send(READ, user=own.ids["admin"])).text
    assert not [word for word in ("SELECT", "asyncpg", "canceling", "Traceback", "statement_timeout") if word in text]


# Nobody waits any more


@dataclass
class HungUp:
    """One request to the application itself, whose client may hang up."""

    app: Any
    token: str
    document: str
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[Any] = field(default_factory=list)
    asked: bool = False

    async def receive(self) -> dict[str, Any]:
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": orjson.dumps({"query": self.document}), "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def run(self) -> None:
        headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {self.token}".encode())]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/graphql",
            "raw_path": b"/graphql",
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("192.0.2.7", 4711),
            "server": ("rapport.test", 80),
        }
        await self.app(scope, self.receive, self.send)


@dataclass
class Running:
    """An application, and a client of it."""

    app: Any
    api: Api

    def request(self, own: Own, document: str) -> HungUp:
        return HungUp(self.app, self.api.token(own.ids["admin"]), document)


@pytest.fixture(params=[True, False], ids=["shortcut", "executor"])
async def running(own: Own, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    settings = Settings(secret=SECRET, database_url=own.url, shortcut=request.param, read_pool=2)
    app = create_app(settings, own.url)
    async with app.router.lifespan_context(app), open_api(own.url) as api:
        yield Running(app, api)


@pytest.mark.parametrize(("document", "statements"), [(READ, 1), (SEVERAL, 2)], ids=["one", "several"])
async def test_a_client_that_hangs_up_cancels_its_statements(
    own: Own, running: Running, locked: None, document: str, statements: int
) -> None:
    request = running.request(own, document)
    answering = asyncio.create_task(request.run())
    await until(own.looking, WAITING, statements)
    request.gone.set()
    started = time.monotonic()
    await until(own.looking, READING, 0)
    assert time.monotonic() - started < 5
    await asyncio.wait_for(answering, 5)
    assert request.sent == [], "There is nobody to answer."


async def test_hanging_up_uses_up_no_connections(own: Own, running: Running) -> None:
    """Otherwise impatient clients would stop the server for everybody."""
    transaction = own.locking.transaction()
    await transaction.start()
    await own.locking.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
    for _ in range(3):
        requests = [running.request(own, READ) for _ in range(3)]
        answering = [asyncio.create_task(request.run()) for request in requests]
        # Two run, the third one waits for a connection.
        await until(own.looking, WAITING, 2)
        for request in requests:
            request.gone.set()
        await asyncio.wait_for(asyncio.gather(*answering), 5)
        await until(own.looking, READING, 0)
    await transaction.rollback()
    request = running.request(own, READ)
    await asyncio.wait_for(request.run(), 5)
    assert request.sent[0]["status"] == 200
    assert orjson.loads(request.sent[1]["body"])["data"]["customers"]["nodes"]


async def test_a_client_that_waits_gets_its_answer_when_the_lock_goes(own: Own, running: Running) -> None:
    transaction = own.locking.transaction()
    await transaction.start()
    await own.locking.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
    request = running.request(own, READ)
    answering = asyncio.create_task(request.run())
    await until(own.looking, WAITING, 1)
    await transaction.rollback()
    await asyncio.wait_for(answering, 5)
    assert orjson.loads(request.sent[1]["body"])["data"]["customers"]["nodes"]


async def test_a_client_that_hangs_up_between_two_parts_of_the_body_is_no_error(own: Own, running: Running) -> None:
    request = running.request(own, READ)

    async def half() -> dict[str, Any]:
        if request.asked:
            return {"type": "http.disconnect"}
        request.asked = True
        return {"type": "http.request", "body": b'{"query": "', "more_body": True}

    request.receive = half  # type: ignore[method-assign]
    await asyncio.wait_for(request.run(), 5)
    assert await own.looking.fetchval(READING) == 0
