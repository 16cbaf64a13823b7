"""Rights that change while operations run: no answer that starts after a change shows what the change took away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.activity import READING, until
from tests.api import Api, open_api
from tests.conftest import Server
from tests.oracle.shop import build_shop

pytestmark = pytest.mark.anyio

TURNS, READERS = 8, 3


@dataclass
class Change:
    """A right that is taken away and given back, and a read that shows whether it is there."""

    name: str
    who: str
    take: str
    give: str
    document: str
    shows: Callable[[Any], bool | None]
    """Whether an answer shows what the right opens; None for an answer that is neither of the two."""
    several: bool = False
    """Whether there are several root fields: each has a snapshot of its own, so a change may fall between them."""


def refused(answer: Any, code: str) -> bool:
    return {error["extensions"]["code"] for error in answer.get("errors", ())} == {code}


def listed(answer: Any) -> bool | None:
    """A list that is answered with rows, or FORBIDDEN as a whole."""
    if "errors" not in answer:
        return True if answer["data"]["list"]["nodes"] else None
    return False if refused(answer, "FORBIDDEN") and not answer["data"] else None


def value(answer: Any) -> bool | None:
    """A field of a record that is READ, or FORBIDDEN."""
    if "errors" not in answer:
        return True if answer["data"]["customer"]["notes"] == "first" else None
    return False if refused(answer, "FORBIDDEN") and answer["data"] == {"customer": None} else None


def plain_or_masked(answer: Any) -> bool | None:
    shown = answer["data"]["customer"]["email"]
    return {"anna@example.com": True, "a***@example.com": False}.get(shown)


def found_by_email(answer: Any) -> bool | None:
    if refused(answer, "FORBIDDEN"):
        return False
    return True if answer["data"]["list"]["totalCount"] == 1 else None


def there(answer: Any) -> bool | None:
    if "errors" in answer:
        return None
    return answer["data"]["customer"] is not None


def signed_in(answer: Any) -> bool | None:
    if "errors" not in answer:
        return True
    if not refused(answer, "UNAUTHENTICATED"):
        return None
    # Each root field has a snapshot of its own: the account may go between two of them.
    return None if any((answer.get("data") or {}).values()) else False


def permitted(answer: Any) -> bool | None:
    said = {(p["entity"], p["action"]) for p in answer["data"]["viewer"]["permissions"]}
    return ("Order", "read") in said


_GRANT = "(SELECT id FROM roles WHERE name = 'SALES')"
_FIELD = (
    "UPDATE field_grants SET access = '{0}', otherwise = '{0}' WHERE field = '{1}' AND grant_id ="
    " (SELECT id FROM grants WHERE role_id = " + _GRANT + " AND entity = 'Customer' AND action = 'read')"
)
_USER = "UPDATE users SET {} WHERE id = $1"


def changes(ids: dict[str, UUID]) -> list[Change]:
    probe = f'customer(id: "cus_{ids["probe_1"].hex}")'
    north, south, void = (ids[f"team_{name}"] for name in ("north", "south", "void"))
    roles = {name: ids[f"role_{name}"] for name in ("SALES", "EMPTY", "MANAGER")}
    return [
        Change(
            "the grant on an entity",
            "sales_north",
            f"UPDATE grants SET rows = 'NONE' WHERE role_id = {_GRANT} AND entity = 'Order' AND action = 'read'",
            f"UPDATE grants SET rows = 'OWN' WHERE role_id = {_GRANT} AND entity = 'Order' AND action = 'read'",
            "{ list: orders { nodes { number } } }",
            listed,
        ),
        Change(
            "the caller's own permissions",
            "sales_north",
            f"UPDATE grants SET rows = 'NONE' WHERE role_id = {_GRANT} AND entity = 'Order' AND action = 'read'",
            f"UPDATE grants SET rows = 'OWN' WHERE role_id = {_GRANT} AND entity = 'Order' AND action = 'read'",
            "{ viewer { permissions { entity action } } }",
            permitted,
        ),
        Change(
            "a field, hidden",
            "sales_north",
            _FIELD.format("HIDDEN", "notes"),
            _FIELD.format("READ", "notes"),
            f"{{ {probe} {{ id notes }} }}",
            value,
        ),
        Change(
            "a field, masked",
            "sales_north",
            _FIELD.format("MASKED", "email"),
            _FIELD.format("READ", "email"),
            f"{{ {probe} {{ id email }} }}",
            plain_or_masked,
        ),
        Change(
            "a field that a filter compares",
            "sales_north",
            _FIELD.format("MASKED", "email"),
            _FIELD.format("READ", "email"),
            f'{{ list: customers(where: {{ id: {{ eq: "cus_{ids["probe_1"].hex}" }}'
            ' email: { eq: "anna@example.com" } }) { totalCount } }',
            found_by_email,
        ),
        Change(
            "the account",
            "sales_north",
            _USER.format("active = false"),
            _USER.format("active = true"),
            f"{{ {probe} {{ name }} }}",
            signed_in,
        ),
        Change(
            "the account, where no row is read",
            "sales_north",
            _USER.format("active = false"),
            _USER.format("active = true"),
            "{ shop { name } }",
            signed_in,
        ),
        Change(
            "the account, among several root fields",
            "sales_north",
            _USER.format("active = false"),
            _USER.format("active = true"),
            f"{{ stages {{ name }} a: {probe} {{ name }} teams {{ name }} shop {{ name }} }}",
            signed_in,
            several=True,
        ),
        Change(
            "the role",
            "sales_north",
            _USER.format(f"role_id = '{roles['EMPTY']}'"),
            _USER.format(f"role_id = '{roles['SALES']}'"),
            "{ list: orders { nodes { number } } }",
            listed,
        ),
        Change(
            "the caller's team",
            "manager_north",
            _USER.format(f"team_id = '{south}'"),
            _USER.format(f"team_id = '{north}'"),
            f"{{ {probe} {{ name }} }}",
            there,
        ),
        Change(
            "any team at all",
            "manager_north",
            _USER.format("team_id = NULL"),
            _USER.format(f"team_id = '{north}'"),
            f"{{ {probe} {{ name }} }}",
            there,
        ),
        Change(
            "an owner from the team",
            "manager_north",
            f"UPDATE users SET team_id = '{void}' WHERE id = '{ids['sales_north']}' AND $1::uuid IS NOT NULL",
            f"UPDATE users SET team_id = '{north}' WHERE id = '{ids['sales_north']}' AND $1::uuid IS NOT NULL",
            f"{{ {probe} {{ name }} }}",
            there,
        ),
        Change(
            "the customer's owner",
            "sales_north",
            f"UPDATE customers SET owner_id = NULL WHERE id = '{ids['probe_1']}'",
            f"UPDATE customers SET owner_id = '{ids['sales_north']}' WHERE id = '{ids['probe_1']}'",
            f"{{ {probe} {{ name }} }}",
            there,
        ),
    ]


class Turning:
    """Takes one right and gives it back, again and again, while readers read."""

    def __init__(self, api: Api, connection: asyncpg.Connection, change: Change, ids: dict[str, UUID]) -> None:
        self.api, self.connection, self.change = api, connection, change
        self.caller = ids[change.who]
        self.token = api.token(self.caller)
        self.moved = 0
        """Rises before each change, and again after its commit: odd while one is under way."""
        self.given = True
        self.answers = asyncio.Condition()
        self.count = 0
        self.settled = {True: 0, False: 0}

    async def read(self) -> None:
        """Read until cancelled; each answer must fit what held when it started, unless rights moved meanwhile."""
        headers = {"Authorization": f"Bearer {self.token}"}
        while True:
            moved, given = self.moved, self.given
            response = await self.api.client.post("/graphql", json={"query": self.change.document}, headers=headers)
            shown = self.change.shows(response.json())
            settled = moved == self.moved and moved % 2 == 0
            whole = settled or not self.change.several
            assert shown is not None or not whole, f"{self.change.name}: an answer that no rights give: {response.text}"
            if settled:
                said = "withdrawn and still shown" if shown else "given and refused"
                assert shown is given, f"{self.change.name}: {said}: {response.text}"
                self.settled[given] += 1
            async with self.answers:
                self.count += 1
                self.answers.notify_all()

    async def turn(self) -> None:
        """Change the right, then let some answers pass."""
        self.moved += 1
        await self._execute(self.change.take if self.given else self.change.give)
        self.given = not self.given
        self.moved += 1
        async with self.answers:
            until = self.count + 2 * READERS
            await self.answers.wait_for(lambda: self.count >= until)

    async def _execute(self, statement: str) -> None:
        arguments = [self.caller] if "$1" in statement else []
        assert await self.connection.execute(statement, *arguments) != "UPDATE 0", self.change.name

    async def run(self) -> None:
        readers = [asyncio.create_task(self.read()) for _ in range(READERS)]
        turning = asyncio.create_task(self._turns())
        done, pending = await asyncio.wait([turning, *readers], return_when=asyncio.FIRST_COMPLETED, timeout=30)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if not self.given:
            await self._execute(self.change.give)
        for task in done:
            task.result()
        assert done, f"{self.change.name}: no end"
        assert min(self.settled.values()) >= TURNS // 2, self.settled

    async def _turns(self) -> None:
        for _ in range(TURNS):
            await self.turn()


@dataclass
class Copy:
    """A shop of the test's own, its database connection and the applications on it."""

    ids: dict[str, UUID]
    connection: asyncpg.Connection
    apis: dict[bool, Api]


@pytest.fixture(scope="module")
async def own(server: Server, migrated: str) -> AsyncIterator[Copy]:
    url = await server.copy(migrated)
    ids = await build_shop(url)
    connection = await asyncpg.connect(url)
    ids |= {row["key"]: row["id"] for row in await connection.fetch("SELECT 'role_' || name AS key, id FROM roles")}
    async with open_api(url, read_pool=4) as fast, open_api(url, read_pool=4, shortcut=False) as plain:
        yield Copy(ids, connection, {True: fast, False: plain})
    await connection.close()
    await server.drop(url)


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
@pytest.mark.parametrize("number", range(13))
async def test_no_answer_that_starts_after_a_withdrawal_shows_what_it_took(
    own: Copy, number: int, shortcut: bool
) -> None:
    change = changes(own.ids)[number]
    await Turning(own.apis[shortcut], own.connection, change, own.ids).run()


def test_every_change_is_tried() -> None:
    ids: Any = _Anything()
    assert len(changes(ids)) == 13


class _Anything(dict[str, UUID]):
    def __missing__(self, key: str) -> UUID:
        return UUID(int=0)


@asynccontextmanager
async def granted(own: Copy, role: str, entity: str) -> AsyncIterator[UUID]:
    """A grant to read all rows of an entity, as yet without any field."""
    grant: UUID = await own.connection.fetchval(
        "INSERT INTO grants (id, role_id, entity, action, rows)"
        " VALUES (gen_random_uuid(), $1, $2, 'read', 'ALL') RETURNING id",
        own.ids[f"role_{role}"],
        entity,
    )
    try:
        yield grant
    finally:
        await own.connection.execute("DELETE FROM grants WHERE id = $1", grant)


async def open_fields(own: Copy, grant: UUID, *fields: str) -> None:
    """Let fields be READ."""
    await own.connection.execute(
        "INSERT INTO field_grants (id, grant_id, position, field, access, on_rows, otherwise)"
        " SELECT gen_random_uuid(), $1, 0, field, 'READ', 'ALL', 'READ' FROM unnest($2::text[]) field",
        grant,
        list(fields),
    )


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
async def test_widened_rights_are_seen_by_the_very_next_answer(own: Copy, shortcut: bool) -> None:
    """A refusal must not rest on rights that were remembered from before."""
    api, caller = own.apis[shortcut], own.ids["support_north"]
    document, named = "{ opportunities { totalCount } }", "{ opportunities { nodes { name } } }"
    for _ in range(3):
        assert refused(await api.post(document, user=caller), "FORBIDDEN")
        async with granted(own, "SUPPORT", "Opportunity") as grant:
            await open_fields(own, grant, "createdAt")
            assert (await api.post(document, user=caller))["data"]["opportunities"]["totalCount"] > 10
            assert refused(await api.post(named, user=caller), "FORBIDDEN"), "A field without a rule is closed."
            await open_fields(own, grant, "name")
            assert (await api.post(named, user=caller))["data"]["opportunities"]["nodes"]


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
async def test_a_list_is_there_for_a_role_that_may_not_read_what_it_is_ordered_by(own: Copy, shortcut: bool) -> None:
    """The default order is that of creation: to whom createdAt is closed, it is NULL on every row, and id decides."""
    api, caller = own.apis[shortcut], own.ids["marketing"]
    document = (
        "query($after: String) { list: opportunities(first: 20, after: $after) {"
        " nodes { id } pageInfo { hasNextPage endCursor } } }"
    )
    async with granted(own, "MARKETING", "Opportunity") as grant:
        await open_fields(own, grant, "name")
        found: list[str] = []
        after = None
        for _ in range(10):
            answer = await api.post(document, {"after": after}, user=caller)
            assert "errors" not in answer, answer["errors"]
            found += [node["id"] for node in answer["data"]["list"]["nodes"]]
            after = answer["data"]["list"]["pageInfo"]["endCursor"]
            if not answer["data"]["list"]["pageInfo"]["hasNextPage"]:
                break
    assert len(found) > 20
    assert found == sorted(set(found), reverse=True)


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
async def test_a_statement_that_began_before_the_withdrawal_still_shows_one_moment(own: Copy, shortcut: bool) -> None:
    """A read that waits in the database for a lock is answered as of one snapshot, or anew; never half and half."""
    api, caller = own.apis[shortcut], own.ids["sales_north_2"]
    document = "{ customers { totalCount } }"
    before = await api.post(document, user=caller)
    async with own.connection.transaction():
        await own.connection.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.create_task(api.post(document, user=caller))
        await until(own.connection, READING + " AND wait_event_type = 'Lock'", 1)
        await own.connection.execute("UPDATE users SET active = false WHERE id = $1", caller)
    answer = await waiting
    assert answer.get("data") == before["data"] or refused(answer, "UNAUTHENTICATED")
    assert refused(await api.post(document, user=caller), "UNAUTHENTICATED")
    await own.connection.execute("UPDATE users SET active = true WHERE id = $1", caller)
    assert (await api.post(document, user=caller))["data"] == before["data"]
