"""Keeping roles and teams: what grants may say, who may give them, and when they count."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from app.domain.grants import nearest
from auth.policy import ACTIONS, ENTITIES, POLICY
from tests.api import open_api
from tests.identity.denials import denied, refused
from tests.identity.test_users import grant, id_of
from tests.oracle.rows import typed_id
from tests.writing.calls import call, codes
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

ADMIN = POLICY["ADMIN"]
GRANTS = "grants { entity action rows fields { field access onRows otherwise } }"
SHOW = f"id name description builtIn version {GRANTS}"
ALL_ROLES = f"{{ roles {{ id name builtIn {GRANTS} }} }}"


def read(entity: str, rows: str = "ALL", *fields: dict[str, Any], action: str = "read") -> dict[str, Any]:
    """A grant as it is sent; with fields, these alone."""
    return {"entity": entity, "action": action, "rows": rows} | ({"fields": list(fields)} if fields else {})


def field(name: str, access: str = "READ", **more: str) -> dict[str, Any]:
    return {"field": name, "access": access, **more}


async def set_grants(office: Office, role: str, *grants: dict[str, Any], by: str = "ADMIN", **more: Any) -> Any:
    """The payload of setting the grants of a role of the shop."""
    await office.look()
    found = office.label(f"role_{role}")
    given = {"roleId": typed_id(found), "version": found.version, "grants": list(grants)} | more
    return await call(office, "setGrants", by, show=SHOW, **given)


async def wrong(office: Office, *grants: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Path, code and message of each problem of grants that are refused."""
    found = office.label("role_SPARE")
    payload = await refused(
        office, "setGrants", roleId=typed_id(found), version=found.version, grants=list(grants), show=SHOW
    )
    return [(".".join(error["field"]), error["code"], error["message"]) for error in payload["errors"]]


async def give(office: Office, label: str, role: str) -> None:
    """Let somebody have a role, behind the API's back."""
    await office.connection.execute("UPDATE users SET role_id = $2 WHERE id = $1", office.ids[label], office.ids[role])
    await office.look()


async def by_user(office: Office, user: UUID, role: str, *grants: dict[str, Any]) -> Any:
    """The answer to setting the grants of a role, by that user."""
    await office.look()
    found = office.label(f"role_{role}")
    document = (
        "mutation($id: ID!, $version: Int!, $grants: [GrantInput!]!) {"
        " setGrants(roleId: $id, version: $version, grants: $grants) { role { id } errors { field code message } } }"
    )
    given = {"id": typed_id(found), "version": found.version, "grants": list(grants)}
    return await office.api.post(document, given, user=user)


# Making roles


async def test_a_role_can_be_made_of_nothing(office: Office) -> None:
    made = await call(office, "createRole", show=SHOW, name="  Night\tshift ", description="By night.")
    assert made["errors"] == []
    role = made["role"]
    assert (role["name"], role["description"], role["builtIn"], role["grants"]) == (
        "Night shift",
        "By night.",
        False,
        [],
    )
    assert codes(await refused(office, "createRole", name="NIGHT SHIFT")) == [("name", "UNIQUE")]
    assert codes(await refused(office, "createRole", name=" ")) == [("name", "REQUIRED")]


@pytest.mark.parametrize("role", POLICY)
async def test_every_built_in_role_can_be_copied_and_its_grants_set_as_they_are(office: Office, role: str) -> None:
    made = await call(office, "createRole", show=SHOW, name="Copy", copyFromId=id_of(office, f"role_{role}"))
    assert made["errors"] == []
    answer = await office.do(ALL_ROLES, "ADMIN")
    (source,) = [each for each in answer["data"]["roles"] if each["name"] == role]
    assert made["role"]["grants"] == source["grants"]
    assert made["role"]["builtIn"] is False
    office.ids["role_Copy"] = UUID(made["role"]["id"][4:])
    sent = [
        {key: value for key, value in each.items() if key != "fields"}
        | ({"fields": each["fields"]} if each["fields"] else {})
        for each in source["grants"]
    ]
    again = await set_grants(office, "Copy", *sent)
    assert again["errors"] == []
    assert again["role"]["grants"] == source["grants"]
    assert again["role"]["version"] == 1, "Nothing has changed, so nothing is written."


async def test_built_in_roles_stay_as_they_are(office: Office) -> None:
    for role in POLICY:
        found = office.label(f"role_{role}")
        given = {"version": found.version}
        payload = await refused(office, "setGrants", roleId=typed_id(found), grants=[], **given)
        assert codes(payload) == [("roleId", "INVALID")]
        assert codes(await refused(office, "deleteRole", id=typed_id(found), **given)) == [("id", "INVALID")]


async def test_a_role_that_somebody_has_is_not_deleted(office: Office) -> None:
    found = office.label("role_PARTNER")
    payload = await refused(office, "deleteRole", id=typed_id(found), version=found.version)
    (error,) = payload["errors"]
    assert (error["field"], error["code"], error["params"]) == (["id"], "IN_USE", {"count": 2})
    assert sorted(error["ids"]) == sorted(id_of(office, label) for label in ("partner", "partner_alone"))


async def test_a_deleted_role_is_gone_with_its_grants_and_its_event_tells_them(office: Office) -> None:
    await set_grants(office, "SPARE", read("Stage"))
    await office.look()
    found = office.label("role_SPARE")
    done = await call(office, "deleteRole", id=typed_id(found), version=found.version)
    assert done == {"role": None, "errors": []}
    assert await office.connection.fetchval("SELECT count(*) FROM roles WHERE id = $1", found.id) == 0
    assert await office.connection.fetchval("SELECT count(*) FROM grants WHERE role_id = $1", found.id) == 0
    event = (await office.events())[-1]
    assert (event["entity"], event["action"], event["record_id"]) == ("Role", "delete", found.id)
    assert json.loads(event["changes"]) == {
        "name": {"before": "SPARE", "after": None},
        "grants": {"before": ["read Stage on all rows"], "after": None},
    }


async def test_of_giving_a_role_and_deleting_it_at_once_one_is_done(office: Office) -> None:
    for number in range(4):
        made = await call(office, "createRole", name=f"Fleeting {number}")
        role = made["role"]
        given = {"name": "N", "email": f"n{number}@new.example", "roleId": role["id"]}
        created, deleted = await asyncio.gather(
            call(office, "createUser", input=given),
            call(office, "deleteRole", id=role["id"], version=1),
        )
        if created["errors"]:
            assert codes(created) == [("input.roleId", "NOT_FOUND")]
            assert deleted["errors"] == []
        else:
            assert codes(deleted) == [("id", "IN_USE")]


# What grants may say


async def test_grants_are_as_they_were_said(office: Office) -> None:
    done = await set_grants(
        office,
        "SPARE",
        read(
            "Customer",
            "TEAM",
            field("name"),
            field("email", onRows="OWN", otherwise="MASKED"),
            field("notes", onRows="OWN"),
        ),
        read("Customer", "OWN", field("tags"), action="update"),
        read("Order", "OWN"),
        read("Order", "OWN", action="pay"),
    )
    assert done["errors"] == []
    grants = {(each["entity"], each["action"]): each for each in done["role"]["grants"]}
    assert list(grants) == [("Customer", "read"), ("Customer", "update"), ("Order", "pay"), ("Order", "read")]
    fields = {each["field"]: each for each in grants["Customer", "read"]["fields"]}
    assert tuple(fields) == ENTITIES["Customer"]
    assert fields["email"] == field("email", onRows="OWN", otherwise="MASKED")
    assert fields["notes"] == field("notes", onRows="OWN", otherwise="HIDDEN")
    assert fields["phone"] == field("phone", "HIDDEN", onRows="ALL", otherwise="HIDDEN")
    assert {each["access"] for each in grants["Order", "read"]["fields"]} == {"READ"}
    assert grants["Order", "pay"]["fields"] == []


async def test_what_is_misspelt_is_told_with_the_nearest_right_name(office: Office) -> None:
    found = await wrong(
        office,
        read("Custmer"),
        read("Customer", action="raed"),
        read("Customer", "ALL", field("emial"), field("name"), field("name")),
        read("Spaceship"),
        read("Customer", "ALL", field("owner"), field("createdAt"), action="update"),
    )
    assert found == [
        ("grants.0.entity", "INVALID", "There is no entity 'Custmer': did you mean Customer?"),
        ("grants.1.action", "INVALID", "There is no action on Customer 'raed': did you mean read?"),
        ("grants.2.fields.0.field", "INVALID", "There is no field of Customer 'emial': did you mean email?"),
        ("grants.2.fields.2.field", "INVALID", "name is named twice: say it once."),
        (
            "grants.3.entity",
            "INVALID",
            f"There is no entity 'Spaceship': there are {', '.join(ENTITIES)}.",
        ),
        found[5],
    ]
    assert found[5][0] == "grants.4.fields.1.field"
    assert "There is no field of Customer that update writes 'createdAt'" in found[5][2]


@pytest.mark.parametrize(
    ("grants", "path", "said"),
    [
        ([read("Contact", "OWN")], "grants.0.entity", "needs the grant to read Customer"),
        ([read("Customer", "OWN"), read("Contact", "TEAM")], "grants.1.rows", "cannot be wider than read Customer"),
        ([read("Customer"), read("TicketComment")], "grants.1.entity", "needs the grant to read Ticket"),
        ([read("Customer", action="update")], "grants.0.action", "needs the grant to read Customer"),
        ([read("Customer", "OWN"), read("Customer", "ALL", action="delete")], "grants.1.rows", "cannot be wider"),
        ([read("Customer", "ASSIGNED")], "grants.0.rows", "choose OWN or TEAM or ALL"),
        ([read("Customer", "NONE")], "grants.0.rows", "choose OWN or TEAM or ALL"),
        ([read("Stage", "OWN")], "grants.0.rows", "choose ALL"),
        ([read("Role", "TEAM")], "grants.0.rows", "choose OWN or ALL"),
        ([read("Stage"), read("Stage")], "grants.1.action", "granted twice"),
        ([read("Customer", "ALL", field("tier", "MASKED"))], "grants.0.fields.0.access", "no text"),
        ([read("Customer", "ALL", field("name", onRows="OWN"))], "grants.0.fields.0.otherwise", "never null"),
        ([read("Order", "ALL", field("channel", onRows="ASSIGNED"))], "grants.0.fields.0.onRows", "choose"),
        (
            [read("Customer"), read("Customer", "ALL", field("tags", "MASKED"), action="update")],
            "grants.1.fields.0.access",
            "READ or HIDDEN",
        ),
        (
            [read("Customer"), read("Customer", "ALL", field("tags", onRows="OWN"), action="create")],
            "grants.1.fields.0.onRows",
            "leave onRows out",
        ),
        ([read("Order"), read("Order", "ALL", field("total"), action="pay")], "grants.1.fields", "leave fields out"),
    ],
)
async def test_grants_that_make_no_sense_are_refused(
    office: Office, grants: list[dict[str, Any]], path: str, said: str
) -> None:
    found = await wrong(office, *grants)
    assert any(at == path and code == "INVALID" and said in message for at, code, message in found), found


async def test_a_list_of_grants_has_an_end(office: Office) -> None:
    found = await wrong(office, *([read("Stage")] * 501))
    assert [(path, code) for path, code, _ in found] == [("grants", "TOO_LONG")]


def test_every_action_of_the_built_in_roles_can_be_granted() -> None:
    for role in POLICY.values():
        for entity, actions in role.grants.items():
            assert set(actions) <= set(ACTIONS[entity])
    assert ACTIONS["Customer"][0] == "read"
    assert nearest("CUSTOMER", tuple(ENTITIES)) == "Customer"


# Nobody gives what it does not have


async def keeper(office: Office) -> None:
    """Make ``nobody`` one who keeps roles, and has some rights of its own."""
    await office.connection.execute(
        "UPDATE users SET team_id = $2 WHERE id = $1", office.ids["nobody"], office.ids["team_north"]
    )
    for action in ("read", "create", "update", "delete"):
        await grant(office, "EMPTY", "Role", action)
    await grant(office, "EMPTY", "Customer", "read", "TEAM")
    await grant(office, "EMPTY", "Stage", "read")
    await office.connection.execute(
        "UPDATE field_grants SET access = 'MASKED', otherwise = 'MASKED' FROM grants g WHERE g.id = grant_id"
        " AND g.role_id = $1 AND g.entity = 'Customer' AND field = 'email'",
        office.ids["role_EMPTY"],
    )


@pytest.mark.parametrize(
    ("grants", "missing"),
    [
        ([read("Customer")], "read Customer on all rows"),
        ([read("Customer", "TEAM")], "read Customer.email on team rows"),
        ([read("Customer", "OWN", field("email"))], "read Customer.email on own rows"),
        ([read("Stage"), read("Stage", action="update")], "update Stage on all rows"),
        ([read("Stage"), read("User", "OWN")], "read User on own rows"),
    ],
)
async def test_nobody_gives_more_than_it_has(office: Office, grants: list[dict[str, Any]], missing: str) -> None:
    await keeper(office)
    answer = await by_user(office, office.ids["nobody"], "SPARE", *grants)
    said = answer["errors"][0]
    assert said["extensions"]["code"] == "FORBIDDEN"
    assert (said["extensions"]["entity"], said["extensions"]["field"]) == ("Role", "grants")
    assert said["extensions"]["missing"] == [missing]
    assert missing in said["message"]
    assert (
        await office.connection.fetchval("SELECT count(*) FROM grants WHERE role_id = $1", office.ids["role_SPARE"])
        == 0
    )


async def test_what_somebody_has_can_be_given(office: Office) -> None:
    await keeper(office)
    grants = [read("Customer", "OWN", field("name"), field("email", "MASKED")), read("Stage")]
    answer = await by_user(office, office.ids["nobody"], "SPARE", *grants)
    assert answer["data"]["setGrants"]["errors"] == [], answer


async def test_nobody_takes_from_a_role_that_has_more(office: Office) -> None:
    await keeper(office)
    before = await office.connection.fetch("SELECT * FROM grants ORDER BY id")
    answer = await by_user(office, office.ids["nobody"], "PARTNER", read("Stage"))
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    found = office.label("role_PARTNER")
    document = "mutation($id: ID!, $version: Int!) { deleteRole(id: $id, version: $version) { errors { code } } }"
    given = {"id": typed_id(found), "version": found.version}
    answer = await office.api.post(document, given, user=office.ids["nobody"])
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await office.connection.fetch("SELECT * FROM grants ORDER BY id") == before


async def test_nobody_copies_a_role_that_has_more(office: Office) -> None:
    await keeper(office)
    document = 'mutation($id: ID!) { createRole(name: "Copy", copyFromId: $id) { role { id } errors { code } } }'
    for role in ("ADMIN", "SALES"):
        answer = await office.api.post(document, {"id": id_of(office, f"role_{role}")}, user=office.ids["nobody"])
        said = answer["errors"][0]["extensions"]
        assert (said["code"], said["entity"], said["action"], said["field"]) == (
            "FORBIDDEN",
            "Role",
            "create",
            "grants",
        )
    assert await office.connection.fetchval("SELECT count(*) FROM roles WHERE name = 'Copy'") == 0
    made = await office.api.post(document, {"id": id_of(office, "role_EMPTY")}, user=office.ids["nobody"])
    assert made["data"]["createRole"]["errors"] == []


async def test_the_own_role_can_be_neither_widened_nor_stripped_of_keeping(office: Office) -> None:
    await keeper(office)
    nobody = office.ids["nobody"]
    keeping = [read("Role", action=action) for action in ("read", "create", "update", "delete")]
    mine = [read("Customer", "OWN", field("name")), read("Stage")]
    answer = await by_user(office, nobody, "EMPTY", *keeping, *mine, read("Customer", "OWN", action="delete"))
    assert answer["errors"][0]["extensions"]["missing"] == ["delete Customer on own rows"]
    answer = await by_user(office, nobody, "EMPTY", *keeping[:2], *mine)
    errors = answer["data"]["setGrants"]["errors"]
    assert [(error["field"], error["code"]) for error in errors] == [(["grants"], "INVALID")] * 2
    assert all("lock yourself out" in error["message"] for error in errors)
    closed = read("Role", "ALL", field("name"), action="update")
    answer = await by_user(office, nobody, "EMPTY", keeping[0], keeping[1], closed, keeping[3], *mine)
    assert len(answer["data"]["setGrants"]["errors"]) == 1
    answer = await by_user(office, nobody, "EMPTY", *keeping, *mine)
    assert answer["data"]["setGrants"]["errors"] == []


async def test_others_than_admins_keep_no_roles(office: Office) -> None:
    for field_, given in (
        ("createRole", {"name": "Mine", "copyFromId": id_of(office, "role_ADMIN")}),
        ("setGrants", {"roleId": id_of(office, "role_SPARE"), "version": 3, "grants": [read("Stage")]}),
        ("deleteRole", {"id": id_of(office, "role_SPARE"), "version": 3}),
    ):
        for role in POLICY:
            if role != "ADMIN":
                assert (await denied(office, field_, role, **given))["entity"] == "Role"


# On record, and in force


async def test_the_log_tells_what_changed_of_the_grants(office: Office) -> None:
    await set_grants(office, "SPARE", read("Customer", "OWN"), read("Stage"), read("Team"))
    known = len(await office.events())
    email = field("email", onRows="OWN", otherwise="MASKED")
    named = [field(name) for name in ENTITIES["Customer"] if name not in ("email", "notes")]
    done = await set_grants(office, "SPARE", read("Customer", "TEAM", *named, email), read("Stage"), read("Product"))
    assert done["errors"] == []
    (event,) = (await office.events())[known:]
    assert (event["entity"], event["action"], event["record_version"]) == ("Role", "update", done["role"]["version"])
    assert json.loads(event["changes"]) == {
        "grants": {
            "before": ["read Customer on own rows", "read Team on all rows"],
            "after": [
                "read Customer on team rows; email read on own rows, else masked; notes hidden",
                "read Product on all rows",
            ],
        }
    }
    (posted,) = [each for each in await office.posted() if each["event_id"] == event["id"]]
    assert posted["fields"] == ["grants"]
    document = "{ auditEvents(first: 1) { nodes { changes } } }"
    shown = (await office.do(document, "AUDITOR"))["data"]["auditEvents"]["nodes"][0]["changes"]
    assert shown == json.loads(event["changes"])


async def test_a_stale_change_of_grants_is_a_conflict(office: Office) -> None:
    done = await set_grants(office, "SPARE", read("Stage"))
    stale = await set_grants(office, "SPARE", read("Team"), version=done["role"]["version"] - 1)
    assert [error["code"] for error in stale["errors"]] == ["CONFLICT"]


async def test_changed_grants_count_for_the_next_statement_of_every_worker(office: Office) -> None:
    """Each worker has its own rights and statements in memory; none may use them once they are stale."""
    await give(office, "analyst", "role_SPARE")
    user, document = office.ids["analyst"], "{ customers(first: 1) { nodes { code name } } }"
    code, name = field("code"), field("name")
    steps: list[tuple[list[dict[str, Any]], str]] = [
        ([read("Customer")], "plain"),
        ([read("Customer", "ALL", code, field("name", "MASKED"))], "masked"),
        ([read("Customer", "ALL", code)], "FORBIDDEN"),
        ([read("Customer", "ALL", code, name)], "plain"),
        ([], "FORBIDDEN"),
        ([read("Customer", "ALL", code, field("name", "MASKED"))], "masked"),
        ([read("Stage")], "FORBIDDEN"),
    ]
    async with open_api(office.url, **LIMITS) as other:
        for grants, expected in steps:
            done = await set_grants(office, "SPARE", *grants)
            assert done["errors"] == []
            for api in (other, office.api, other):
                answer = await api.post(document, user=user)
                assert _kind(answer) == expected, answer


def _kind(answer: Any) -> str:
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    name = answer["data"]["customers"]["nodes"][0]["name"]
    return "masked" if name.endswith("***") else "plain"


async def test_every_kind_of_change_of_grants_raises_the_access_version(office: Office) -> None:
    """The statements of all workers compare it: a change that did not raise it would be seen by nobody."""
    role = office.ids["role_SPARE"]

    async def version() -> int:
        found: int = await office.connection.fetchval("SELECT access_version FROM roles WHERE id = $1", role)
        return found

    async def raised(statement: str, *arguments: Any) -> None:
        before = await version()
        await office.connection.execute(statement, *arguments)
        assert await version() > before, statement

    grant_id, field_id, other = (UUID(int=number) for number in (1, 2, 3))
    insert = "INSERT INTO grants (id, role_id, entity, action, rows) VALUES ($1, $2, 'Customer', $3, 'ALL')"
    await raised(insert, grant_id, role, "read")
    await raised(insert, other, role, "update")
    await raised(
        "INSERT INTO field_grants (id, grant_id, position, field, access, on_rows, otherwise)"
        " VALUES ($1, $2, 0, 'name', 'READ', 'ALL', 'READ')",
        field_id,
        grant_id,
    )
    for column, value in (("rows", "OWN"), ("action", "delete"), ("entity", "Order")):
        await raised(f"UPDATE grants SET {column} = '{value}' WHERE id = $1", grant_id)
    for column, value in (("access", "HIDDEN"), ("on_rows", "OWN"), ("otherwise", "MASKED"), ("field", "total")):
        await raised(f"UPDATE field_grants SET {column} = '{value}' WHERE id = $1", field_id)
    await raised("UPDATE field_grants SET grant_id = $2 WHERE id = $1", field_id, other)
    await raised("DELETE FROM field_grants WHERE id = $1", field_id)
    await raised("UPDATE grants SET role_id = $2 WHERE id = $1", other, office.ids["role_SPARE 2"])
    await raised("DELETE FROM grants WHERE id = $1", grant_id)


# What a caller may do


async def test_permissions_are_complete_and_never_cut(office: Office) -> None:
    """A role of every action on every entity with every field, more than any page would hold."""
    own = {entity: {action: str(rule.rows) for action, rule in each.items()} for entity, each in ADMIN.grants.items()}
    grants = [
        read(
            entity, own[entity][action], *(field(name) for name in ENTITIES[entity] if action == "read"), action=action
        )
        for entity, actions in ACTIONS.items()
        for action in actions
    ]
    done = await set_grants(office, "SPARE", *grants)
    assert done["errors"] == []
    await give(office, "analyst", "role_SPARE")
    answer = await office.api.post(f"{{ viewer {{ permissions {{ {GRANTS[9:-2]} }} }} }}", user=office.ids["analyst"])
    permissions = answer["data"]["viewer"]["permissions"]
    assert {(each["entity"], each["action"]) for each in permissions} == {
        (entity, action) for entity, actions in ACTIONS.items() for action in actions
    }
    assert len(permissions) == sum(map(len, ACTIONS.values())) > 90
    for each in permissions:
        if each["action"] == "read":
            assert tuple(field_["field"] for field_ in each["fields"]) == ENTITIES[each["entity"]]
    for each in (*permissions, *done["role"]["grants"]):
        each["fields"].sort(key=lambda field_: field_["field"])
    assert permissions == done["role"]["grants"]


# Teams


async def test_a_team_is_kept(office: Office) -> None:
    made = await call(
        office, "createTeam", show="id name region version", input={"name": " Équipe  Est", "region": "EU"}
    )
    team = made["team"]
    assert (team["name"], team["region"], made["errors"]) == ("Équipe Est", "EU", [])
    done = await call(office, "updateTeam", show="name region", id=team["id"], version=1, input={"region": None})
    assert done["team"] == {"name": "Équipe Est", "region": None}
    for name, code in (("équipe est", "UNIQUE"), ("équipe nord", "UNIQUE"), ("", "REQUIRED"), ("x" * 501, "TOO_LONG")):
        assert codes(await refused(office, "createTeam", input={"name": name})) == [("input.name", code)]
    gone = await call(office, "deleteTeam", id=team["id"], version=2)
    assert gone == {"team": None, "errors": []}
    assert (await office.events())[-1]["action"] == "delete"


async def test_a_team_that_somebody_is_in_is_not_deleted(office: Office) -> None:
    team = office.label("team_south")
    payload = await refused(office, "deleteTeam", id=typed_id(team), version=team.version)
    (error,) = payload["errors"]
    count = sum(user.team_id == team.id for user in office.rows.all("User"))
    assert (error["code"], error["params"]) == ("IN_USE", {"count": count})
