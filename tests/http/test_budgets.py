"""Budgets: what callers may spend, how they read what is left, and that all processes share it."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.budgets import Budgets, DatabaseStore, Limit, Spent, purge_budgets
from app.errors import RateLimitedError
from app.redis_budgets import RedisStore
from schema.proxies import budget_address
from tests.api import Api, open_api
from tests.conftest import Server
from tests.nasty_shop import Shop
from tests.wire import tapped

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("full")]

SLOW: dict[str, Any] = {"budget_restore": 0.001, "budget_stranger_restore": 0.001, "budget_token_restore": 0.001}
TEN = "{ customers(first: 10) { nodes { id } } }"


class Ledger:
    """A store in memory, which any number of ``Budgets`` share as processes share the database."""

    def __init__(self) -> None:
        self.left: dict[str, float] = {}
        self.asked = 0
        self.works = True

    async def settle(self, spent: Sequence[Spent]) -> dict[str, float]:
        self.asked += 1
        await asyncio.sleep(0)
        if not self.works:
            raise OSError("The store does not answer.")
        for each in spent:
            self.left[each.key] = self.left.get(each.key, float(each.limit.points)) - each.points
        return {each.key: self.left[each.key] for each in spent}

    async def close(self) -> None:
        """Nothing to let go."""


def cost_of(answer: Any) -> dict[str, float]:
    cost: dict[str, float] = answer["extensions"]["cost"]
    return cost


async def refused(api: Api, document: str, user: UUID | None) -> dict[str, Any]:
    answer = await api.post(document, user=user)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED", answer
    assert "data" not in answer
    said: dict[str, Any] = error["extensions"]
    return said


# What is read of it


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
async def test_an_answer_tells_what_was_asked_what_it_cost_and_what_is_left(shop: Shop, shortcut: bool) -> None:
    settings = {**SLOW, "budget_points": 100_000, "shortcut": shortcut}
    async with open_api(shop.url, read_pool=1, **settings) as api:
        admin = shop.ids["admin"]
        first = cost_of(await api.post("{ customers(first: 200) { nodes { id } } }", user=admin))
        customers = len([row for row in shop.oracle.rows.all("Customer") if row.deleted_at is None])
        assert first["requested"] == 200
        assert first["actual"] == min(200, customers + 2)  # The customers, their list, and the answer itself.
        assert first["remaining"] == 100_000 - first["actual"]
        assert first["restoreRate"] == 0.001
        second = cost_of(await api.post("{ stages { id } }", user=admin))
        assert second["remaining"] == first["remaining"] - second["actual"]
        assert second["actual"] <= second["requested"]


async def test_headers_tell_the_same(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, budget_points=1_000, budget_restore=10) as api:
        response = await api.send(TEN, user=shop.ids["admin"])
        left = int(cost_of(response.json())["remaining"])
        assert response.headers["ratelimit-policy"] == '"cost";q=1000;w=100'
        assert response.headers["ratelimit"].startswith(f'"cost";r={left};t=')
        assert response.headers["ratelimit-limit"] == "1000"
        assert int(response.headers["ratelimit-remaining"]) == left
        assert 1 <= int(response.headers["ratelimit-reset"]) <= 2


async def test_without_a_budget_nothing_is_told_of_one(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, budget_points=0) as api:
        response = await api.send(TEN, user=shop.ids["admin"])
        assert set(cost_of(response.json())) == {"requested", "actual"}
        assert not [name for name in response.headers if name.startswith("ratelimit")]


async def test_a_mutation_costs_ten_points_and_what_it_reads(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, budget_stranger_points=1_000, **SLOW) as api:
        one = 'signIn(email: "a@x.example", password: "b") { errors { code } }'
        assert cost_of(await api.post(f"mutation {{ {one} }}"))["requested"] == 10
        answer = await api.post(
            f"mutation {{ a: {one} ...F }} fragment F on Mutation {{ b: {one} ... {{ c: {one} }} }}"
        )
        assert cost_of(answer)["actual"] == 30
        assert cost_of(answer)["remaining"] == 1_000 - 40


# What is refused


async def test_what_is_not_there_cannot_be_spent(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, budget_points=25, max_cost=25, **SLOW) as api:
        admin, manager = shop.ids["admin"], shop.ids["manager_north"]
        await api.post(TEN, user=admin)
        await api.post(TEN, user=admin)
        before = api.server.reader.statements
        said = await refused(api, TEN, admin)
        assert said["limit"] == "budget"
        assert said["remaining"] < 10
        assert said["retryAfter"] >= 1
        assert api.server.reader.statements == before
        # Others have budgets of their own.
        assert "errors" not in await api.post(TEN, user=manager)


async def test_it_comes_back_with_time(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, budget_points=10, budget_restore=10_000) as api:
        for _ in range(5):
            assert "errors" not in await api.post(TEN, user=shop.ids["admin"])
            await asyncio.sleep(0.002)


async def test_documents_that_are_wrong_cost_too(shop: Shop) -> None:
    """A flood of them must end somewhere."""
    async with open_api(shop.url, read_pool=1, budget_stranger_points=5, **SLOW) as api:
        codes = [(await api.post("{ nothing }"))["errors"][0]["extensions"]["code"] for _ in range(8)]
        assert codes == ["GRAPHQL_VALIDATION_FAILED"] * 5 + ["RATE_LIMITED"] * 3


async def test_strangers_of_one_address_share_a_budget(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, budget_stranger_points=25, budget_points=1_000, **SLOW) as api:
        document = 'mutation { signIn(email: "a@x.example", password: "b") { errors { code } } }'
        for _ in range(2):
            assert "errors" not in await api.post(document)
        await refused(api, document, None)
        assert "errors" not in await api.post("{ stages { id } }", user=shop.ids["admin"])


async def test_an_address_of_ipv6_stands_for_its_network() -> None:
    assert budget_address("2001:db8:1:2:3::4") == budget_address("2001:db8:1:2:ffff::1") == "2001:db8:1:2::"
    assert budget_address("2001:db8:1:3::4") != budget_address("2001:db8:1:2::4")
    assert budget_address("192.0.2.1") == "192.0.2.1"
    assert budget_address(None) == "unknown"


async def test_an_operation_above_the_whole_budget_runs_when_it_is_full(shop: Shop) -> None:
    """A limit that nobody could ever meet would be a prohibition."""
    async with open_api(shop.url, read_pool=1, budget_points=5, **SLOW) as api:
        assert "errors" not in await api.post(TEN, user=shop.ids["admin"])
        await refused(api, "{ stages { id } }", shop.ids["admin"])


# Shared


async def test_no_round_trip_is_made_for_a_request(server: Server, shop: Shop) -> None:
    """Two hundred requests are a few messages to PostgreSQL beside the reads themselves."""
    url = await server.own(shop.url)
    try:
        async with tapped(url) as tap, open_api(tap.url, read_pool=1, budget_points=10**6) as api:
            for _ in range(5):
                await api.post(TEN, user=shop.ids["admin"])
            tap.reset()
            started = time.monotonic()
            for _ in range(200):
                await api.post(TEN, user=shop.ids["admin"])
            assert tap.trips <= 200 + 2 + 2 * (time.monotonic() - started)
    finally:
        await server.drop(url)


async def test_two_applications_on_one_database_share_budgets(server: Server, shop: Shop) -> None:
    """Together they overspend by less than a twentieth of the budget each, or one operation each."""
    url, points = await server.own(shop.url), 1_000
    try:
        async with (
            open_api(url, read_pool=1, budget_points=points, **SLOW) as one,
            open_api(url, read_pool=1, budget_points=points, **SLOW) as two,
        ):
            spent, refusals = 0.0, 0
            while refusals < 4:
                for api in (one, two):
                    answer = await api.post(TEN, user=shop.ids["admin"])
                    if "errors" in answer:
                        refusals += 1
                    else:
                        spent += cost_of(answer)["actual"]
            assert points - 20 <= spent <= points * 1.1
        # What is told at the end of a process is not forgotten: a new one knows it when it has told for the first time.
        async with open_api(url, read_pool=1, budget_points=points, **SLOW) as three:
            more = 0
            while "errors" not in await three.post(TEN, user=shop.ids["admin"]):
                more += 10
            assert more <= points * 0.05 + 10
    finally:
        await server.drop(url)


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("price", [1, 7, 49, 50, 51, 300])
async def test_how_much_is_overspent_is_bounded(processes: int, price: int) -> None:
    ledger, limit = Ledger(), Limit(1_000, 1e-9)
    shares = [Budgets(ledger, pace=3600) for _ in range(processes)]
    spent, stopped = 0, set[int]()
    while len(stopped) < processes:
        for number, budgets in enumerate(shares):
            try:
                await budgets.take(budgets.purse("k", limit), price)
                spent += price
                stopped.discard(number)
            except RateLimitedError:
                stopped.add(number)
    assert spent <= 1_000 + processes * max(50, price)
    assert spent > 1_000 - price
    for budgets in shares:
        await budgets.close()
    assert ledger.left["k"] == 1_000 - spent


async def test_many_at_once_wait_together() -> None:
    ledger, limit = Ledger(), Limit(1_000, 1e-9)
    budgets = Budgets(ledger, pace=3600)
    purse = budgets.purse("k", limit)
    results = await asyncio.gather(*(budgets.take(purse, 30) for _ in range(60)), return_exceptions=True)
    taken = 30 * sum(result is None for result in results)
    assert taken <= 1_000
    assert ledger.asked < 40
    await budgets.close()


async def test_a_store_that_does_not_answer_stops_nobody_and_is_told_later() -> None:
    ledger, limit = Ledger(), Limit(100, 1e-9)
    budgets = Budgets(ledger, pace=3600)
    purse = budgets.purse("k", limit)
    ledger.works = False
    for _ in range(9):
        await budgets.take(purse, 10)
    ledger.works = True
    await budgets.take(purse, 10)
    with pytest.raises(RateLimitedError):
        await budgets.take(purse, 10)
    await budgets.close()
    assert ledger.left["k"] == 0


async def test_the_table_adds_up_what_was_spent_and_what_came_back(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    try:
        store = DatabaseStore(connection)  # type: ignore[arg-type]
        limit = Limit(100, 50)
        assert await store.settle([Spent("a", limit, 30), Spent("b", limit, 250)]) == {"a": 70, "b": -150}
        await connection.execute("UPDATE budgets SET at = at - interval '1 second'")
        found = await store.settle([Spent("a", limit, 0), Spent("b", limit, 10)])
        assert found["a"] == 100
        assert -110 <= found["b"] < -105
        await connection.execute("UPDATE budgets SET at = at + interval '1 hour' WHERE key = 'b'")
        assert (await store.settle([Spent("b", limit, 0)]))["b"] == found["b"]
        await purge_budgets(connection)
        assert [row["key"] for row in await connection.fetch("SELECT key FROM budgets")] == ["b"]
    finally:
        await connection.close()


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a Redis of the test's own."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("There is no Redis here.")
    path = tmp_path / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while not path.exists() and time.monotonic() < end:  # noqa: ASYNC110  # It is another process.
            await asyncio.sleep(0.02)
        yield f"unix://{path}"
    finally:
        process.terminate()
        await process.wait()


async def test_redis_adds_up_what_was_spent_and_what_came_back(redis: str) -> None:
    store, limit = RedisStore.open(redis), Limit(100, 1_000)
    slow = Limit(100, 1e-6)
    try:
        assert await store.settle([Spent("a", slow, 30), Spent("b", limit, 250)]) == {"a": 70, "b": -150}
        assert await store.settle([Spent("a", slow, 30)]) == {"a": pytest.approx(40, abs=0.001)}
        assert await store.settle([Spent("a", slow, -70)]) == {"a": 100}
        await asyncio.sleep(0.3)
        assert (await store.settle([Spent("b", limit, 0)]))["b"] == 100
    finally:
        await store.close()


async def test_two_applications_share_budgets_in_redis(shop: Shop, redis: str) -> None:
    settings = {"redis_url": redis, "budget_points": 1_000, **SLOW}
    async with open_api(shop.url, read_pool=1, **settings) as one, open_api(shop.url, read_pool=1, **settings) as two:
        spent, refusals = 0.0, 0
        while refusals < 4:
            for api in (one, two):
                answer = await api.post(TEN, user=shop.ids["admin"])
                refusals += "errors" in answer
                spent += 0 if "errors" in answer else cost_of(answer)["actual"]
        assert 980 <= spent <= 1_100
