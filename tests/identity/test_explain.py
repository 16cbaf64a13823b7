"""Why somebody may do a thing: explanations say what really happens, and reveal nothing."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auth.policy import ACTIONS, ENTITIES, WRITABLE
from tests.api import Api, open_api
from tests.fingerprint import fingerprint
from tests.nasty_shop import Shop
from tests.oracle.rights import FROM_ORDERS, Rights
from tests.oracle.rows import TO_MANY, TO_ONE, Row, typed_id
from tests.wire import tapped

pytestmark = pytest.mark.anyio

EXPLAIN = """query($user: ID, $entity: String!, $action: String!, $id: ID, $field: String) {
  explainAccess(userId: $user, entity: $entity, action: $action, id: $id, field: $field) {
    allowed steps { rule holds detail }
  }
}"""
SUMMARIES = {("Role", "userCount"): "User", **{("Customer", field): "Order" for field in FROM_ORDERS}}
LISTS = {
    "Customer": "customers",
    "Contact": "contacts",
    "Opportunity": "opportunities",
    "Order": "orders",
    "Ticket": "tickets",
}


@pytest.fixture(scope="module")
async def api(shop: Shop) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=2, max_aliases=500, max_cost=10**6) as api:
        yield api


class Asking:
    """An application in a loop of its own, for tests that Hypothesis runs."""

    def __init__(self, runner: asyncio.Runner, api: Api) -> None:
        self._runner, self._api = runner, api

    def post(self, document: str, variables: Any, user: UUID) -> Any:
        return self._runner.run(self._api.post(document, variables, user=user))


@pytest.fixture(scope="module")
def asking(shop: Shop) -> Iterator[Asking]:
    with asyncio.Runner() as runner:
        context = open_api(shop.url, read_pool=2)
        yield Asking(runner, runner.run(context.__aenter__()))
        runner.run(context.__aexit__(None, None, None))


async def explain(api: Api, caller: UUID, entity: str, action: str, **more: Any) -> Any:
    """The explanation that the caller gets, or the whole answer where it is refused."""
    answer = await api.post(EXPLAIN, {"entity": entity, "action": action, **more}, user=caller)
    return answer if "errors" in answer else answer["data"]["explainAccess"]


def seen(rights: Rights, row: Row) -> bool:
    """Whether the caller sees the row, a deleted one where deleted ones are asked for."""
    return rights.visible(row) or rights.restorable(row)


def can(rights: Rights, row: Row, action: str) -> bool:
    """Whether the oracle lets the caller do that to the row."""
    return seen(rights, row) and rights.can(row, action)


def reads(rights: Rights, row: Row, field: str) -> bool:
    """Whether the oracle shows the caller the value itself."""
    target = SUMMARIES.get((row.type, field)) or TO_ONE.get(row.type, {}).get(field)
    target = target or TO_MANY.get(row.type, {}).get(field, (None,))[0]
    if target not in (None, "Grant") and not rights.has(target or ""):
        return False
    if row.type == "Customer" and field in FROM_ORDERS and not rights.knows_orders(row, field):
        return False
    return seen(rights, row) and rights.access(row, field) == "READ"


def writes(rights: Rights, row: Row, action: str, field: str) -> bool:
    """Whether the oracle lets the caller write the field of the row."""
    grant = rights._grants.get((row.type, action))
    if grant is None or not can(rights, row, action):
        return False
    rule = next((each for each in rights.rows.many(grant, "fields") if each.field == field), None)
    if rule is None:
        return False
    return (rule.access if rights._in_scope(row, rule.on_rows) else rule.otherwise) == "READ"


# It says what happens


@st.composite
def questions(draw: st.DrawFn, shop: Shop) -> tuple[UUID, str, str, Row | None, str | None]:
    """Somebody, an action, perhaps a row, perhaps a field."""
    rows = shop.oracle.rows
    user = draw(st.sampled_from(sorted((user for user in rows.all("User") if user.active), key=lambda user: user.id)))
    entity = draw(st.sampled_from(tuple(ENTITIES)))
    action = draw(st.sampled_from(ACTIONS[entity]))
    known = sorted(rows.all(entity), key=lambda row: row.id)
    row = draw(st.sampled_from(known)) if known and draw(st.integers(0, 9)) else None
    if getattr(row, "merged_into_id", None):
        row = None
    fields = {"read": ENTITIES[entity], "create": WRITABLE.get(entity), "update": WRITABLE.get(entity)}.get(action)
    field = draw(st.sampled_from(fields)) if fields and draw(st.booleans()) else None
    return user.id, entity, action, row, field


def expected(rights: Rights, entity: str, action: str, row: Row | None, field: str | None) -> bool | None:
    """What the oracle says; None where it says nothing of it."""
    if row is None:
        if field is None:
            parents = {"StageChange": "Opportunity", "OrderLine": "Order", "OrderStatusChange": "Order"}
            parent = parents.get(entity, "Ticket" if entity == "TicketComment" else "Customer")
            follows = entity in {*parents, "TicketComment", "Contact", "Opportunity", "Order", "Ticket"}
            return rights.has(entity) and rights.has(entity, action) and (not follows or rights.has(parent))
        return None
    if field is None:
        return can(rights, row, action)
    return reads(rights, row, field) if action == "read" else writes(rights, row, action, field)


@settings(
    max_examples=int(os.environ.get("RAPPORT_ORACLE_EXAMPLES", "300")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
    print_blob=True,
)
@given(data=st.data())
def test_an_explanation_is_what_the_oracle_says(shop: Shop, asking: Asking, data: st.DataObject) -> None:
    user, entity, action, row, field = data.draw(questions(shop))
    said = expected(shop.oracle.rights(user), entity, action, row, field)
    asked = {"entity": entity, "action": action, "field": field, "id": typed_id(row) if row else None}
    answer = asking.post(EXPLAIN, asked, user)
    assert "errors" not in answer, answer
    found = answer["data"]["explainAccess"]
    assert found["allowed"] is all(step["holds"] for step in found["steps"])
    if said is not None:
        assert found["allowed"] is said, (asked, found)


async def test_every_role_and_action_is_explained_on_every_row_as_viewer_can_says(api: Api, shop: Shop) -> None:
    """Two ways through the program to one answer, over all rows that somebody sees."""
    tried = 0
    for label in ("manager_north", "support_north", "partner"):
        user = shop.ids[label]
        for entity, listed in LISTS.items():
            if not shop.oracle.rights(user).has(entity):
                continue
            actions = " ".join(f'{action}: viewerCan(action: "{action}")' for action in ACTIONS[entity])
            answer = await api.post(f"{{ list: {listed}(first: 2) {{ nodes {{ id {actions} }} }} }}", user=user)
            for node in answer["data"]["list"]["nodes"]:
                parts = " ".join(
                    f'{action}: explainAccess(entity: "{entity}", action: "{action}", id: "{node["id"]}") {{ allowed }}'
                    for action in ACTIONS[entity]
                )
                said = (await api.post(f"{{ {parts} }}", user=user))["data"]
                for action in ACTIONS[entity]:
                    assert said[action]["allowed"] is node[action], (label, node["id"], action)
                    tried += 1
    assert tried > 200


async def test_every_field_of_every_role_is_explained_as_the_rules_say(api: Api, shop: Shop) -> None:
    """Of the roles whose fields depend on the row, every field, on a row of each entity."""
    for role in ("SUPPORT", "PARTNER"):
        user = next(u for u in shop.oracle.rows.all("User") if u.active and u.role_id == shop.ids[f"role_{role}"])
        rights = shop.oracle.rights(user.id)
        for entity, fields in ENTITIES.items():
            rows = [row for row in shop.oracle.rows.all(entity) if seen(rights, row)]
            if not rows:
                continue
            row = rows[len(rows) // 2]
            parts = " ".join(
                f'{name}: explainAccess(entity: "{entity}", action: "read", id: "{typed_id(row)}", field: "{name}")'
                " { allowed }"
                for name in fields
            )
            found = (await api.post(f"{{ {parts} }}", user=user.id))["data"]
            for name in fields:
                assert found[name]["allowed"] is reads(rights, row, name), (role, entity, name)


# In words


async def test_the_way_to_a_row_is_told(api: Api, shop: Shop) -> None:
    probe = f"cus_{shop.ids['probe_1'].hex}"
    found = await explain(api, shop.ids["sales_north"], "Customer", "update", id=probe, field="city")
    assert found == {
        "allowed": True,
        "steps": [
            {"rule": "account", "holds": True, "detail": "The account is active."},
            {"rule": "role", "holds": True, "detail": "The role is SALES; the user is in the team Équipe Nord."},
            {"rule": "grant", "holds": True, "detail": "SALES has the grant to read Customer on own rows."},
            {"rule": "grant", "holds": True, "detail": "SALES has the grant to update Customer on own rows."},
            {"rule": "record", "holds": True, "detail": "read covers own rows: the user owns it."},
            {"rule": "rows", "holds": True, "detail": "update covers own rows: the user owns it."},
            {"rule": "field", "holds": True, "detail": "Customer.city is written."},
        ],
    }
    deal = await explain(api, shop.ids["sales_north"], "Customer", "read", id=f"cus_{shop.ids['probe_2'].hex}")
    assert deal["steps"][-1]["detail"] == "read covers own rows: the user owns an opportunity of it."
    line = next(row for row in shop.oracle.rows.all("OrderLine") if row.order_id == shop.ids["order_1"])
    found = await explain(api, shop.ids["manager_north"], "OrderLine", "read", id=typed_id(line))
    assert [step["detail"] for step in found["steps"][-2:]] == [
        "read covers team rows: somebody of the team owns the customer of its order.",
        "The user sees its order.",
    ]


async def test_the_rule_of_a_field_is_told_with_what_holds_here(api: Api, shop: Shop) -> None:
    care = shop.ids["support_north"]
    given_, taken = (f"cus_{shop.ids[label].hex}" for label in ("probe_3", "probe_4"))
    found = await explain(api, care, "Customer", "read", id=given_, field="email")
    assert found["allowed"]
    assert found["steps"][-1]["detail"] == (
        "Customer.email is read on assigned rows, else masked; here the user was given an unclosed ticket of it by"
        " somebody else."
    )
    found = await explain(api, care, "Customer", "read", id=taken, field="email")
    assert not found["allowed"]
    assert found["steps"][-1]["detail"] == (
        "Customer.email is read on assigned rows, else masked; here it is not so that the user was given an"
        " unclosed ticket of it by somebody else: it is shown masked."
    )
    found = await explain(api, shop.ids["marketing"], "Customer", "read", field="notes")
    assert (found["allowed"], found["steps"][-1]["detail"]) == (False, "Customer.notes is hidden.")


async def test_what_is_missing_altogether_is_told(api: Api, shop: Shop) -> None:
    found = await explain(api, shop.ids["sales_north"], "Order", "refund")
    assert not found["allowed"]
    assert found["steps"][-1] == {"rule": "grant", "holds": False, "detail": "SALES has no grant to refund Order."}
    found = await explain(api, shop.ids["manager_alone"], "Customer", "merge")
    assert found["steps"][1]["detail"] == "The role is MANAGER; the user is in no team, so that team means own."
    assert found["steps"][-1]["detail"] == "MANAGER has the grant to merge Customer on own rows."


async def test_a_deleted_record_is_explained_to_who_may_restore_it(api: Api, shop: Shop) -> None:
    gone = f"cus_{shop.ids['probe_gone'].hex}"
    for action, allowed in (("restore", True), ("read", True), ("update", False)):
        found = await explain(api, shop.ids["admin"], "Customer", action, id=gone)
        assert found["allowed"] is allowed
        (step,) = [step for step in found["steps"] if step["rule"] == "deleted"]
        assert step["holds"] is allowed


# For others


async def test_an_admin_and_an_auditor_are_told_of_others(api: Api, shop: Shop) -> None:
    probe, user = f"cus_{shop.ids['probe_3'].hex}", f"usr_{shop.ids['sales_north'].hex}"
    for label in ("admin", "auditor"):
        found = await explain(api, shop.ids[label], "Customer", "read", id=probe, user=user)
        assert not found["allowed"]
        assert found["steps"][-1]["rule"] == "record"
    retired = f"usr_{shop.ids['retired'].hex}"
    found = await explain(api, shop.ids["admin"], "Customer", "read", user=retired)
    assert found["steps"][0] == {"rule": "account", "holds": False, "detail": "The account is not active."}
    assert not found["allowed"]


async def test_nobody_else_is_told_of_others_but_everybody_of_itself(api: Api, shop: Shop) -> None:
    admin, before = f"usr_{shop.ids['admin'].hex}", await fingerprint(shop.url)
    for user in shop.oracle.rows.all("User"):
        if not user.active or user.role_id in (shop.ids["role_ADMIN"], shop.ids["role_AUDITOR"]):
            continue
        answer = await explain(api, user.id, "Customer", "read", user=admin)
        (error,) = answer["errors"]
        said = {name: error["extensions"][name] for name in ("code", "entity", "action")}
        assert said == {"code": "FORBIDDEN", "entity": "User", "action": "explain"}
        assert "errors" not in await explain(api, user.id, "Customer", "read", user=typed_id(user))
    answer = await api.post(EXPLAIN, {"entity": "Customer", "action": "read"})
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await fingerprint(shop.url) == before


# It reveals nothing


async def test_what_the_caller_does_not_see_is_as_if_it_were_not_there(api: Api, shop: Shop) -> None:
    """For every entity and every kind of invisible row: the answers differ in nothing."""
    for label in ("sales_north", "manager_south", "partner", "nobody"):
        user = shop.ids[label]
        rights = shop.oracle.rights(user)
        for entity in ENTITIES:
            hidden = [row for row in shop.oracle.rows.all(entity) if not seen(rights, row)]
            merged = [row for row in hidden if getattr(row, "merged_into_id", None)]
            ids = [typed_id(row) for row in [*hidden[:3], *hidden[-3:]] if row not in merged]
            prefix = ids[0].partition("_")[0] if ids else None
            if prefix is None:
                continue
            for action in ACTIONS[entity][:2]:
                nothing = await explain(api, user, entity, action, id=f"{prefix}_{'0' * 32}")
                for id in ids:
                    assert await explain(api, user, entity, action, id=id) == nothing, (label, entity, action)


async def test_an_explainer_learns_nothing_of_what_it_does_not_see(server: Any, shop: Shop) -> None:
    url = await server.own(shop.url)
    try:
        import asyncpg

        connection = await asyncpg.connect(url)
        await connection.execute(
            "INSERT INTO grants (id, role_id, entity, action, rows) VALUES (gen_random_uuid(), $1, 'User', 'explain',"
            " 'TEAM')",
            shop.ids["role_PARTNER"],
        )
        await connection.close()
        async with open_api(url) as api:
            partner, mate = shop.ids["partner"], f"usr_{shop.ids['sales_north'].hex}"
            found = await explain(api, partner, "Customer", "read", id=f"cus_{shop.ids['probe_1'].hex}", user=mate)
            assert found["allowed"]
            hidden = next(
                row
                for row in shop.oracle.rows.all("Customer")
                if not seen(shop.oracle.rights(partner), row) and row.merged_into_id is None
            )
            answers = [
                await explain(api, partner, "Customer", "read", id=id, user=mate)
                for id in (typed_id(hidden), f"cus_{'0' * 32}")
            ]
            errors = [
                {**answer["errors"][0]["extensions"], "requestId": "", "message": answer["errors"][0]["message"]}
                for answer in answers
            ]
            assert errors[0] == errors[1]
            assert errors[0]["code"] == "BAD_USER_INPUT"
            for other, code in (("sales_south", "BAD_USER_INPUT"), ("admin", "BAD_USER_INPUT")):
                answer = await explain(api, partner, "Customer", "read", user=f"usr_{shop.ids[other].hex}")
                assert answer["errors"][0]["extensions"]["code"] == code
    finally:
        await server.drop(url)


@pytest.mark.parametrize(
    ("given_", "argument", "said"),
    [
        ({"entity": "Custmer"}, "entity", "did you mean Customer?"),
        ({"entity": "Xyz"}, "entity", "there are Customer, Contact"),
        ({"action": "udpate"}, "action", "did you mean update?"),
        ({"field": "emial"}, "field", "did you mean email?"),
        ({"action": "merge", "field": "name"}, "field", "does not go by fields"),
        ({"action": "update", "field": "createdAt"}, "field", "is not a field of Customer that goes by update"),
        ({"id": "cus_1"}, "id", "32 hexadecimal digits"),
        ({"id": ""}, "id", "32 hexadecimal digits"),
        ({"id": f"ord_{'0' * 32}"}, "id", "is not the id of a Customer"),
        ({"user": "nobody"}, "userId", "is not the id of a User"),
        ({"user": f"usr_{'0' * 32}"}, "userId", "no User with this id"),
    ],
)
async def test_what_is_misspelt_is_told(api: Api, shop: Shop, given_: dict[str, str], argument: str, said: str) -> None:
    asked: dict[str, Any] = {"entity": "Customer", "action": "read", **given_}
    answer = await explain(api, shop.ids["admin"], asked.pop("entity"), asked.pop("action"), **asked)
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", argument)
    assert said in error["message"]


async def test_an_explanation_takes_three_statements(shop: Shop) -> None:
    """The caller's present rights, the rights that are explained, and one for all there is to say of the record."""
    async with tapped(shop.url) as tap, open_api(tap.url) as api:
        user, probe = shop.ids["sales_north"], f"cus_{shop.ids['probe_1'].hex}"
        await explain(api, user, "Customer", "update", id=probe)
        tap.reset()
        assert (await explain(api, user, "Customer", "update", id=probe, field="name"))["allowed"]
        assert tap.trips <= 4


async def test_a_second_factor_that_the_role_needs_is_a_rule(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=2, second_factor_roles=["SALES"]) as api:
        about = {"user": f"usr_{shop.ids['sales_north'].hex}"}
        said = await explain(api, shop.ids["admin"], "Customer", "read", **about)
        assert not said["allowed"]
        (step,) = [step for step in said["steps"] if not step["holds"]]
        assert step == {
            "rule": "secondFactor",
            "holds": False,
            "detail": "SALES needs a second factor, which the user does not have.",
        }
        answer = await api.post("{ customers { totalCount } }", user=shop.ids["sales_north"])
        assert answer["errors"][0]["extensions"]["reason"] == "secondFactor"
        assert (await explain(api, shop.ids["admin"], "Customer", "read"))["allowed"]
