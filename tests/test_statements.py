"""How many statements an operation takes. Each test says in its docstring what breaks for whom otherwise."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.api import Api, open_api
from tests.conftest import Server
from tests.nasty_shop import Shop
from tests.wire import Tap, tapped

pytestmark = pytest.mark.anyio

DEEP = """query Deep($id: ID!, $first: Int = 5, $name: String = "a") {
  customer(id: $id) {
    name owner { name team { name members { name } } }
    contacts(first: $first) { nodes { fullName } pageInfo { hasNextPage } totalCount }
    orders(first: $first) { edges { cursor node { number total { amount currency }
      lines { name product { name } } statusChanges { changedBy { name } } } } totalCount }
    tickets(where: {subject: {contains: $name}}) { nodes { subject comments { nodes { body author { name } } } } }
    opportunities { nodes { name stage { name } stageChanges { toStage { name } } } }
    orderCount lastOrderAt externalRefs { system id }
  }
}"""
LIST = """query List($first: Int = 3, $after: String, $where: CustomerFilter, $search: String) {
  customers(first: $first, after: $after, where: $where, search: $search, orderBy: [{field: NAME}]) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id name } }
  }
}"""


@pytest.fixture(scope="module", params=[True, False], ids=["shortcut", "executor"])
async def tap_and_api(shop: Shop, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Tap, Api]]:
    async with tapped(shop.url) as tap, open_api(tap.url, shortcut=request.param) as api:
        yield tap, api


@pytest.fixture
def tap(tap_and_api: tuple[Tap, Api]) -> Tap:
    return tap_and_api[0]


@pytest.fixture
def api(tap_and_api: tuple[Tap, Api]) -> Api:
    return tap_and_api[1]


class Count:
    """Counts the statements of one operation: those that the reader says, and those on the wire."""

    def __init__(self, shop: Shop, api: Api, tap: Tap) -> None:
        self._shop, self._api, self._tap = shop, api, tap

    async def of(self, document: str, who: str = "admin", *, rights: int = 0, **variables: object) -> int:
        """The statements of a warm operation; ``rights`` of those on the wire look the caller's rights up."""
        caller = self._shop.ids[who]
        await self._api.post(document, variables, user=caller)
        self._tap.reset()
        before = self._api.server.reader.statements
        answer = await self._api.post(document, variables, user=caller)
        assert "errors" not in answer, answer["errors"]
        said = self._api.server.reader.statements - before
        assert self._tap.executed == said + rights
        assert self._tap.trips == said + rights, "A statement takes more than one round trip."
        return said


@pytest.fixture
def count(shop: Shop, api: Api, tap: Tap) -> Count:
    return Count(shop, api, tap)


def customer(shop: Shop, label: str = "probe_1") -> str:
    return f"cus_{shop.ids[label].hex}"


async def test_one_record_with_everything_below_it_is_one_statement(count: Count, shop: Shop) -> None:
    """Otherwise a page with 50 customers costs the frontend team hundreds of round trips."""
    assert await count.of(DEEP, id=customer(shop)) == 1


async def test_it_is_one_statement_for_roles_with_rows_and_masks_too(count: Count, shop: Shop) -> None:
    """Otherwise rights would be a second pass, which sees another moment than the first."""
    shallow = (
        "query($id: ID!) { customer(id: $id) { name email owner { name team { name } } orders { nodes { number } } } }"
    )
    for who in ("manager_north", "sales_north", "support_north", "marketing", "integration", "partner"):
        assert await count.of(shallow, who, id=customer(shop)) == 1, who


async def test_a_connection_with_total_count_and_page_info_is_one_statement(count: Count, shop: Shop) -> None:
    """Otherwise totalCount could contradict the page that it stands beside."""
    assert await count.of(LIST) == 1
    assert await count.of(LIST, search="probe", where={"owner": {"isNull": False}}) == 1


async def test_nodes_of_many_entities_are_one_statement(count: Count, shop: Shop) -> None:
    """Otherwise a client's cache that refreshes 200 ids at once floods the database."""
    ids = [customer(shop), f"usr_{shop.ids['admin'].hex}", f"ord_{shop.ids['order_1'].hex}", "nonsense"]
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Customer { name orders { nodes { number } } } } }"
    assert await count.of(document, ids=ids) == 1
    assert await count.of("query($id: ID!) { node(id: $id) { id ... on Order { lines { name } } } }", id=ids[2]) == 1


@pytest.mark.parametrize(
    "name", ["stages { name }", "teams { members { name } }", "roles { grants { fields { field } } }"]
)
async def test_a_plain_list_is_one_statement(count: Count, name: str) -> None:
    """Otherwise the settings page of an admin grows slower with every team."""
    assert await count.of(f"{{ {name} }}") == 1


@pytest.mark.parametrize(
    "figure",
    [
        "revenue { start orders customers revenue { amount } averageOrderValue { amount } }",
        'revenue(from: "2025-01-01T00:00:00Z", timezone: "Asia/Tokyo", where: {status: {eq: PAID}}) { orders }',
        "rfm { segment customers revenue { amount } share }",
        "churn { state customers revenue { amount } }",
        "retention { month size retained }",
        "topProducts { product { name category externalRefs { id } } quantity orders revenue { amount } }",
        "categories { category quantity revenue { amount } share }",
    ],
)
async def test_a_figure_is_one_statement_with_its_records_and_its_note(count: Count, figure: str) -> None:
    """Otherwise its parts could be of different moments, and what was left out of it of another one."""
    for who in ("admin", "manager_north", "sales_north"):
        assert await count.of(f"{{ analytics {{ {figure} }} }}", who) == 1, who


async def test_two_aliases_of_one_root_field_are_two_statements(count: Count, shop: Shop) -> None:
    """Each root field has a snapshot of its own, as the contract says; and neither costs more for the other."""
    document = "query($id: ID!) { a: customer(id: $id) { name } b: customer(id: $id) { name owner { name } } }"
    assert await count.of(document, id=customer(shop)) == 2


async def test_the_same_root_field_twice_is_merged_into_one_statement(count: Count, shop: Shop) -> None:
    """Otherwise fragments of independent components would each pay for the whole."""
    document = (
        "query($id: ID!) { customer(id: $id) { name } ...Also } fragment Also on Query { customer(id: $id) { email } }"
    )
    assert await count.of(document, id=customer(shop)) == 1


async def test_viewer_user_is_one_statement(count: Count) -> None:
    """Every page asks for it; the rights beside it are looked up anew, once."""
    assert await count.of("{ viewer { user { name email role { name } team { name } } } }", rights=1) == 1
    assert await count.of("{ viewer { permissions { entity } } }", rights=1) == 0


async def test_what_is_skipped_is_not_fetched(count: Count, shop: Shop) -> None:
    """Otherwise @skip would hide the answer and still pay for it."""
    document = (
        "query($id: ID!, $no: Boolean!) { customer(id: $id) { id } stages @include(if: $no) { id }"
        " teams @skip(if: true) { id } }"
    )
    assert await count.of(document, id=customer(shop), no=False) == 1
    assert await count.of(document, id=customer(shop), no=True) == 2


async def test_a_new_caller_costs_one_statement_more_and_only_once(api: Api, tap: Tap, shop: Shop) -> None:
    """Otherwise every request would load some hundred grants."""
    document = "query($id: ID!) { customer(id: $id) { name } }"
    tap.reset()
    for expected in (2, 3, 4):
        await api.post(document, {"id": customer(shop)}, user=shop.ids["auditor"])
        assert tap.executed == expected


async def test_a_stranger_and_a_forbidden_operation_touch_no_row(api: Api, tap: Tap, shop: Shop) -> None:
    """Otherwise those who may do nothing could still make the database work."""
    await api.post("{ opportunities { nodes { id } } }", user=shop.ids["support_north"])
    before = api.server.reader.statements
    await api.post("{ opportunities { nodes { id } } }", user=shop.ids["support_north"])
    await api.post(LIST)
    assert api.server.reader.statements == before
    tap.reset()
    await api.post(LIST)
    assert tap.executed == 0


async def test_a_statement_is_parsed_once_by_postgresql(api: Api, tap: Tap, shop: Shop) -> None:
    """Otherwise parsing and planning would cost more than the answer."""
    for label in ("probe_1", "probe_2"):
        await api.post(DEEP, {"id": customer(shop, label)}, user=shop.ids["admin"])
    tap.reset()
    for label in ("probe_3", "probe_4", "probe_5"):
        await api.post(DEEP, {"id": customer(shop, label)}, user=shop.ids["admin"])
    assert (tap.executed, tap.parsed) == (3, 0)


async def test_a_connection_that_has_seen_many_statements_is_replaced(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise PostgreSQL, which keeps the row type of each, would grow for as long as new documents come."""
    monkeypatch.setattr("app.db.lanes.MOST_STATEMENTS", 5)
    async with open_api(shop.url, read_pool=1) as api:

        async def backend() -> int:
            row = await api.server.reader.lanes.fetchrow("SELECT pg_backend_pid()")
            pid: int = row[0]
            return pid

        backends = set()
        for number in range(12):
            answer = await api.post(f"{{ stages {{ s{number}: name }} }}", user=shop.ids["admin"])
            assert "errors" not in answer
            backends.add(await backend())
        before = await backend()
        for _ in range(12):
            await api.post("{ again: stages { name } }", user=shop.ids["admin"])
        assert len(backends) >= 3
        assert before == await backend(), "The same statement again is not one more."


# Plans


async def test_the_same_document_with_other_values_makes_no_new_plan(api: Api, shop: Shop) -> None:
    """Otherwise the first request of every customer's page pays for compiling."""
    caller = shop.ids["admin"]
    await api.post(DEEP, {"id": customer(shop), "name": "x"}, user=caller)
    await api.post(LIST, {"search": "probe", "where": {"name": {"contains": "o"}}}, user=caller)
    page = await api.post(LIST, user=caller)
    cursor = page["data"]["customers"]["pageInfo"]["endCursor"]
    await api.post(LIST, {"after": cursor}, user=caller)
    made = api.server.planner.made
    for label in ("probe_2", "probe_3", "probe_gone"):
        await api.post(DEEP, {"id": customer(shop, label), "name": label}, user=caller)
    await api.post(LIST, {"search": "other", "where": {"name": {"contains": "%"}}}, user=caller)
    following = await api.post(LIST, {"after": cursor}, user=caller)
    await api.post(LIST, {"after": following["data"]["customers"]["pageInfo"]["endCursor"]}, user=caller)
    assert api.server.planner.made == made


async def test_what_stands_in_the_statement_makes_a_new_plan(api: Api, shop: Shop) -> None:
    """Otherwise an answer would have the page size, the order or the filter of somebody else's request."""
    caller = shop.ids["admin"]
    await api.post(LIST, {"first": 7}, user=caller)
    for variables in (
        {"first": 8},
        {"first": 7, "search": "ab"},
        {"first": 7, "search": "ab abc"},
        {"first": 7, "where": {"tier": {"eq": "GOLD"}}},
        {"first": 7, "where": {"tier": {"eq": "SILVER"}}},
        {"first": 7, "where": {"tier": {"ne": "SILVER"}}},
    ):
        made = api.server.planner.made
        await api.post(LIST, variables, user=caller)
        assert api.server.planner.made == made + 1, variables
        await api.post(LIST, variables, user=caller)
        assert api.server.planner.made == made + 1, variables


async def test_another_role_has_a_plan_of_its_own_and_colleagues_share_one(api: Api, shop: Shop) -> None:
    """Otherwise one role would be answered with the rights of another, or each of 500 sellers would compile anew."""
    document = "query($id: ID!) { customer(id: $id) { name notes tags } }"

    async def made_by(who: str) -> int:
        before = api.server.planner.made
        await api.post(document, {"id": customer(shop)}, user=shop.ids[who])
        return api.server.planner.made - before

    assert [await made_by(who) for who in ("admin", "sales_north", "sales_south", "sales_north_2")] == [1, 1, 0, 0]
    assert [await made_by(who) for who in ("manager_north", "manager_south", "manager_alone")] == [1, 0, 1]
    assert await made_by("support_north") == 1


async def test_roles_with_equal_rights_share_plans(server: Server, migrated: str) -> None:
    """Otherwise a company with a role for every department compiles everything once for each."""
    url = await server.copy(migrated)
    connection = await asyncpg.connect(url)
    await connection.execute("""
        INSERT INTO roles (id, name) SELECT gen_random_uuid(), 'TWIN';
        INSERT INTO grants (id, role_id, entity, action, rows)
          SELECT gen_random_uuid(), (SELECT id FROM roles WHERE name = 'TWIN'), entity, action, rows
          FROM grants WHERE role_id = (SELECT id FROM roles WHERE name = 'SALES');
        INSERT INTO field_grants (id, grant_id, position, field, access, on_rows, otherwise)
          SELECT gen_random_uuid(), t.id, f.position, f.field, f.access, f.on_rows, f.otherwise
          FROM field_grants f JOIN grants g ON g.id = f.grant_id JOIN roles r ON r.id = g.role_id AND r.name = 'SALES'
          JOIN grants t ON (t.entity, t.action) = (g.entity, g.action)
            AND t.role_id = (SELECT id FROM roles WHERE name = 'TWIN');
        INSERT INTO users (id, name, email, role_id)
          SELECT gen_random_uuid(), name, name || '@x.example', id FROM roles WHERE name IN ('SALES', 'TWIN', 'ADMIN')
    """)
    users = {row["name"]: row["id"] for row in await connection.fetch("SELECT id, name FROM users")}
    async with open_api(url) as api:
        made = []
        for name in ("SALES", "TWIN", "ADMIN"):
            assert "errors" not in await api.post("{ customers { nodes { name } } }", user=users[name])
            made.append(api.server.planner.made)
        assert made == [1, 1, 2]
        await connection.execute(
            "DELETE FROM field_grants WHERE field = 'notes' AND grant_id IN"
            " (SELECT g.id FROM grants g JOIN roles r ON r.id = g.role_id WHERE r.name = 'TWIN')"
        )
        await api.post("{ customers { nodes { name } } }", user=users["TWIN"])
        assert api.server.planner.made == 3
    await connection.close()
    await server.drop(url)
