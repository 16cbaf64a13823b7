"""What a statement is planned for: once for ordinary values, anew for values that few rows have."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.db.lanes import Lanes
from app.demo.load import load_demo
from app.reading.binding import Statement, Weighed
from app.reading.spread import SMALL, Column, Spread
from tests.api import Api, open_api
from tests.conftest import Server

pytestmark = pytest.mark.anyio

CUSTOMERS = 3_000
RARE = "2001-02-03T00:00:00Z"
LIST = """query($where: CustomerFilter) {
  customers(first: 50, where: $where, orderBy: [{field: NAME}]) { nodes { name } }
}"""


@dataclass
class Planned:
    """A shop of some thousand customers, three of them older than all others, and an application with one connection of
    each kind."""

    api: Api
    users: dict[str, UUID]

    async def names(self, document: str, who: str = "ADMIN", **variables: Any) -> list[str]:
        answer = await self.api.post(document, variables, user=self.users[who])
        assert "errors" not in answer, answer["errors"]
        return [node["name"] for node in answer["data"]["customers"]["nodes"]]

    async def plans(self, *, anew: bool) -> tuple[int, int]:
        """How often the connection of that kind ran a statement about customers by a kept plan, and by a new one."""
        found = await self.api.server.reader.lanes.fetchrow(
            "SELECT coalesce(sum(generic_plans), 0)::int, coalesce(sum(custom_plans), 0)::int"
            " FROM pg_prepared_statements WHERE statement LIKE '%FROM customers%' AND statement NOT LIKE '%pg_prep%'",
            anew=anew,
        )
        return found[0], found[1]


@pytest.fixture(scope="module")
async def planned(server: Server, migrated: str) -> AsyncIterator[Planned]:
    url = await server.copy(migrated)
    await load_demo(url, CUSTOMERS, password_hash="not a hash that anybody can sign in with")
    db = await asyncpg.connect(url)
    await db.execute(
        "UPDATE customers SET created_at = '2001-01-01', name = 'Old ' || code"
        " WHERE id IN (SELECT id FROM customers WHERE deleted_at IS NULL ORDER BY id LIMIT 3)"
    )
    await db.execute("ANALYZE customers")
    users = await db.fetch("SELECT r.name, u.id FROM users u JOIN roles r ON r.id = u.role_id WHERE u.active")
    await db.close()
    async with open_api(url, read_pool=2) as api:
        api.server.reader.spread = await Spread.of(api.server.reader.lanes)
        yield Planned(api, dict(users))
    await server.drop(url)


async def test_values_that_few_rows_have_are_planned_for_each_time(planned: Planned) -> None:
    """A plan that is kept takes a bound for a third of the table, walks the order of names, and never comes to an
    end: PostgreSQL by itself falls for it from the sixth time on."""
    before = await planned.plans(anew=True)
    for _ in range(8):
        found = await planned.names(LIST, where={"createdAt": {"lt": RARE}})
        assert len(found) == 3
        assert all(name.startswith("Old ") for name in found)
    after = await planned.plans(anew=True)
    assert (after[0] - before[0], after[1] - before[1]) == (0, 8)


@pytest.mark.parametrize("who", ["ADMIN", "MANAGER", "SALES"])
async def test_for_ordinary_values_a_plan_is_kept(planned: Planned, who: str) -> None:
    """Planning costs as much as answering."""
    await planned.names(LIST, who, where={"createdAt": {"gte": "2002-01-01T00:00:00Z"}})
    before = await planned.plans(anew=False)
    for year in range(2002, 2010):
        found = await planned.names(LIST, who, where={"createdAt": {"gte": f"{year}-01-01T00:00:00Z"}})
        assert len(found) == 50 or who != "ADMIN"
    after = await planned.plans(anew=False)
    assert (after[0] - before[0], after[1] - before[1]) == (8, 0)


@pytest.mark.parametrize(
    "where",
    [
        {"name": {"contains": "Old"}},
        {"tags": {"has": "nobody"}},
        {"not": {"name": {"startsWith": "O"}}},
    ],
    ids=["pattern", "array", "negated"],
)
async def test_what_nobody_can_weigh_is_planned_for_each_time(planned: Planned, where: Any) -> None:
    before = await planned.plans(anew=True)
    await planned.names(LIST, where=where)
    after = await planned.plans(anew=True)
    assert after[1] - before[1] == 1


async def test_without_counts_every_value_is_planned_for(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first moments of a server, and of a shop."""
    monkeypatch.setattr(planned.api.server.reader, "spread", Spread())
    before = await planned.plans(anew=True)
    await planned.names(LIST, where={"createdAt": {"gte": "2002-01-01T00:00:00Z"}})
    assert (await planned.plans(anew=True))[1] - before[1] == 1


async def test_counts_are_looked_up_from_time_to_time(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = planned.api.server.reader
    monkeypatch.setattr(reader, "spread", Spread())
    looked: list[float] = []

    async def sleep(seconds: float) -> None:
        looked.append(seconds)
        if len(looked) == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr("app.reading.fetch.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await reader.run()
    assert looked[1] == 600
    assert not reader.spread.ordinary(_weighed(("customers", "created_at", "lt")), [None])
    assert reader.spread.ordinary(_weighed(("customers", "kind", "in")), [["PERSON", "COMPANY"]])


async def test_both_kinds_share_the_connections_that_there_are(server: Server, empty_database: str) -> None:
    """A server with one connection alternates; with two it keeps one for each kind."""
    opened: list[asyncpg.Connection] = []

    async def connect() -> asyncpg.Connection:
        opened.append(await asyncpg.connect(empty_database, server_settings={"plan_cache_mode": "force_generic_plan"}))
        return opened[-1]

    for most in (1, 2):
        lanes = Lanes(connect, most)
        for _ in range(3):
            for anew, mode in ((False, "force_generic_plan"), (True, "force_custom_plan")):
                shown = await lanes.fetchrow("SELECT current_setting('plan_cache_mode'), pg_backend_pid()", anew=anew)
                assert shown[0] == mode
        assert len(opened) == most
        await lanes.close()
        opened.clear()


def _weighed(*compared: tuple[str, str, str]) -> Statement:
    return Statement("", (), tuple(Weighed(place, *each) for place, each in enumerate(compared)))


def _spread(rows: float) -> Spread:
    days = list(range(101))
    return Spread(
        {
            ("t", "day"): Column(rows, 0.0, rows, {}, days),
            ("t", "country"): Column(rows, 0.1, 12, {"DE": 0.4, "FR": 0.2, "LI": 0.0001}),
            ("t", "owner"): Column(rows, 0.0, rows / 10, {}),
        }
    )


@pytest.mark.parametrize(
    ("compared", "ordinary"),
    [
        # A third of the rows is assumed.
        ([("day", "gte", 60)], True),
        ([("day", "gte", 2)], True),
        ([("day", "gte", 100)], False),
        ([("day", "gte", 1000)], False),
        ([("day", "lt", 0)], False),
        ([("day", "lt", 60)], True),
        # Of two bounds a two hundredth.
        ([("day", "gte", 10), ("day", "lt", 11)], True),
        ([("day", "gte", 10), ("day", "lt", 60)], False),
        ([("day", "gte", 60), ("day", "lt", 10)], False),
        # Of two on the same side the narrower one counts.
        ([("day", "gte", 60), ("day", "gt", 10)], True),
        ([("day", "gte", 60), ("day", "gt", 100)], False),
        # The average country has a twelfth.
        ([("country", "eq", "DE")], True),
        ([("country", "eq", "LI")], False),
        ([("country", "in", ["DE", "FR"])], True),
        ([("country", "in", ["LI"])], False),
        ([("country", "ne", "LI")], True),
        ([("country", "eq", "DE"), ("day", "gte", 100)], False),
        # Every owner has ten rows, and whoever has is found by an index.
        ([("owner", "eq", "somebody")], True),
        ([("unknown", "eq", 1)], False),
        ([("day", "contains", "x")], False),
    ],
)
def test_what_is_ordinary(compared: list[tuple[str, str, Any]], ordinary: bool) -> None:
    statement = _weighed(*(("t", column, how) for column, how, _ in compared))
    assert _spread(100_000).ordinary(statement, [value for *_, value in compared]) is ordinary


def test_a_small_table_needs_no_plan_of_its_own() -> None:
    statement = _weighed(("t", "day", "gte"))
    assert _spread(SMALL - 1).ordinary(statement, [1000])
    assert not _spread(SMALL).ordinary(statement, [1000])


def test_a_statement_that_weighs_nothing_is_ordinary() -> None:
    assert Spread().ordinary(Statement("", ()), [])
    assert not Spread().ordinary(Statement("", (), unweighed=True), [])
