"""Keeping users: who may be made, changed and put out by whom, and what an address is."""

import asyncio
import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.names import email_problem, normal_email, normal_name
from tests.activity import until
from tests.api import open_api
from tests.identity.denials import denied, refused
from tests.oracle.rows import typed_id
from tests.writing.calls import call, codes, message
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

SHOW = "id name email active role { name } team { id } version"


def id_of(office: Office, label: str) -> str:
    return typed_id(office.label(label))


def new(office: Office, role: str = "SALES", team: str | None = "north", **more: Any) -> dict[str, Any]:
    """The input of a new user."""
    given = {"name": "Nora New", "email": "nora@new.example", "roleId": id_of(office, f"role_{role}")}
    return given | ({"teamId": id_of(office, f"team_{team}")} if team else {}) | more


async def grant(office: Office, role: str, entity: str, action: str, rows: str = "ALL") -> None:
    """Give a role a right behind the API's back, on every field that it goes by."""
    id = await office.connection.fetchval(
        "INSERT INTO grants (id, role_id, entity, action, rows) VALUES (gen_random_uuid(), $1, $2, $3, $4)"
        " ON CONFLICT (role_id, entity, action) DO UPDATE SET rows = EXCLUDED.rows RETURNING id",
        office.ids[f"role_{role}"],
        entity,
        action,
        rows,
    )
    await office.connection.execute(
        "INSERT INTO field_grants (id, grant_id, position, field, access, on_rows, otherwise)"
        " SELECT gen_random_uuid(), $1, f.position, f.field, f.access, f.on_rows, f.otherwise FROM field_grants f"
        " JOIN grants g ON g.id = f.grant_id JOIN roles r ON r.id = g.role_id"
        " WHERE r.name = 'ADMIN' AND g.entity = $2 AND g.action = $3 ON CONFLICT DO NOTHING",
        id,
        entity,
        action,
    )


async def keeper(office: Office, *actions: str) -> None:
    """Make ``nobody`` one who keeps users and may read roles and teams, and has no other right."""
    for entity, action in (("User", "read"), ("Role", "read"), ("Team", "read"), *(("User", a) for a in actions)):
        await grant(office, "EMPTY", entity, action)


async def as_user(office: Office, user: UUID, field: str, **arguments: Any) -> Any:
    """The answer to a mutation by that user."""
    kinds = {"id": "ID!", "version": "Int!", "input": f"{field[0].upper()}{field[1:]}Input!"}
    declared = ", ".join(f"${name}: {kinds[name]}" for name in arguments)
    passed = ", ".join(f"{name}: ${name}" for name in arguments)
    document = f"mutation({declared}) {{ {field}({passed}) {{ user {{ id }} errors {{ field code message }} }} }}"
    return await office.api.post(document, arguments, user=user)


# Making them


async def test_a_new_user_is_active_and_cannot_sign_in_yet(office: Office) -> None:
    made = await call(office, "createUser", show=SHOW, input=new(office))
    assert made["errors"] == []
    user = made["user"]
    assert (user["name"], user["email"], user["active"], user["version"]) == ("Nora New", "nora@new.example", True, 1)
    assert (user["role"]["name"], user["team"]["id"]) == ("SALES", id_of(office, "team_north"))
    row = await office.connection.fetchrow("SELECT password_hash FROM users WHERE email = 'nora@new.example'")
    assert row["password_hash"] is None
    event = (await office.events())[-1]
    changes = json.loads(event["changes"])
    assert {name: change["after"] for name, change in changes.items()} == {
        "name": "Nora New",
        "email": "nora@new.example",
        "active": True,
        "role": id_of(office, "role_SALES"),
        "team": id_of(office, "team_north"),
    }


async def test_what_is_missing_or_wrong_is_told_at_once(office: Office) -> None:
    found = await refused(
        office, "createUser", input={"name": " ", "email": "x@@y", "roleId": "rol_1", "teamId": f"tm_{'0' * 32}"}
    )
    assert codes(found) == [
        ("input.email", "INVALID"),
        ("input.name", "REQUIRED"),
        ("input.roleId", "INVALID"),
        ("input.teamId", "NOT_FOUND"),
    ]


@pytest.mark.parametrize(
    "email",
    ["Admin@Shop.example", "ADMIN@SHOP.EXAMPLE", "ａdmin@shop.example", "admin@ｓhop.example", " admin@shop.example "],
)
async def test_an_email_is_unique_however_it_is_written(office: Office, email: str) -> None:
    found = await refused(office, "createUser", input=new(office, email=email))
    assert codes(found) == [("input.email", "UNIQUE")]
    found = await refused(
        office,
        "updateUser",
        id=id_of(office, "analyst"),
        version=office.label("analyst").version,
        input={"email": email},
    )
    assert codes(found) == [("input.email", "UNIQUE")]


async def test_of_many_who_ask_for_one_email_at_once_one_gets_it(office: Office) -> None:
    found = await asyncio.gather(*(call(office, "createUser", input=new(office)) for _ in range(5)))
    assert sorted(codes(payload) for payload in found) == [[], *[[("input.email", "UNIQUE")]] * 4]


async def test_what_was_kept_before_addresses_were_made_normal_counts(office: Office) -> None:
    await office.connection.execute("UPDATE users SET email = 'Ｎora@new.example' WHERE id = $1", office.ids["nobody"])
    found = await refused(office, "createUser", input=new(office))
    assert codes(found) == [("input.email", "UNIQUE")]


# The manager


async def test_a_manager_invites_sales_and_support_of_its_own_team(office: Office) -> None:
    for number, role in enumerate(("SALES", "SUPPORT")):
        given = new(office, role, email=f"nora.{number}@new.example")
        made = await call(office, "createUser", "MANAGER", show=SHOW, input=given)
        assert (made["errors"], made["user"]["role"]["name"]) == ([], role)
    made = await call(office, "createUser", "MANAGER", show=SHOW, input=new(office, team=None))
    assert made["user"]["team"]["id"] == id_of(office, "team_north")


@pytest.mark.parametrize(
    "role", ["ADMIN", "MANAGER", "AUDITOR", "ANALYST", "MARKETING", "INTEGRATION", "EMPTY", "SPARE"]
)
async def test_a_manager_invites_nobody_else(office: Office, role: str) -> None:
    found = await denied(office, "createUser", "MANAGER", input=new(office, role))
    assert (found["entity"], found["action"], found["field"]) == ("User", "create", "role")
    assert "SALES and SUPPORT" in found["message"]


async def test_a_role_with_the_name_of_another_is_not_that_one(office: Office) -> None:
    """Were names enough, a copy called SALES would do; there is one of each name, whatever its case."""
    found = await refused(office, "createRole", name="sales")
    assert codes(found) == [("name", "UNIQUE")]
    await office.connection.execute("UPDATE roles SET built_in = false WHERE name = 'SALES'")
    await denied(office, "createUser", "MANAGER", input=new(office))


async def test_a_manager_invites_into_no_other_team_and_no_team(office: Office) -> None:
    for more in ({"teamId": id_of(office, "team_south")}, {"teamId": None}):
        found = await denied(office, "createUser", "MANAGER", input=new(office, **more))
        assert (found["entity"], found["action"]) == ("User", "create")


async def test_a_manager_without_a_team_invites_nobody(office: Office) -> None:
    manager = office.ids["manager_alone"]
    for team in ("north", None):
        answer = await as_user(office, manager, "createUser", input=new(office, team=team))
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await office.connection.fetchval("SELECT count(*) FROM users WHERE email = 'nora@new.example'") == 0


async def test_a_manager_puts_out_and_brings_back_staff_of_its_own_team(office: Office) -> None:
    for label in ("sales_north_2", "support_north"):
        for field, active in (("deactivateUser", False), ("activateUser", True)):
            done = await call(office, field, "MANAGER", show=SHOW, id=id_of(office, label))
            assert (done["errors"], done["user"]["active"]) == ([], active)
    for label in ("sales_south", "support_alone"):
        found = await denied(office, "deactivateUser", "MANAGER", id=id_of(office, label))
        assert found["id"] == id_of(office, label)
    for label in ("auditor", "partner", "scout"):
        found = await denied(office, "deactivateUser", "MANAGER", id=id_of(office, label))
        assert found["field"] == "role"


async def test_a_manager_changes_nobody(office: Office) -> None:
    user = office.label("sales_north_2")
    found = await denied(office, "updateUser", "MANAGER", id=typed_id(user), version=user.version, input={"name": "X"})
    assert (found["entity"], found["action"]) == ("User", "update")


# Nobody gives what it does not have


async def test_nobody_gives_a_role_that_has_more(office: Office) -> None:
    await keeper(office, "create", "update")
    nobody = office.ids["nobody"]
    for role in ("SALES", "ADMIN", "SCOUT"):
        answer = await as_user(office, nobody, "createUser", input=new(office, role))
        said = answer["errors"][0]["extensions"]
        assert (said["code"], said["field"]) == ("FORBIDDEN", "role")
        assert said["missing"]
    assert (await as_user(office, nobody, "createUser", input=new(office, "SPARE")))["data"]["createUser"]["user"]
    made = await office.connection.fetchrow("SELECT id, version FROM users WHERE email = 'nora@new.example'")
    id = f"usr_{made['id'].hex}"
    for role in ("SALES", "ADMIN"):
        given = {"roleId": id_of(office, f"role_{role}")}
        answer = await as_user(office, nobody, "updateUser", id=id, version=made["version"], input=given)
        assert answer["errors"][0]["extensions"]["field"] == "role"
    assert await office.connection.fetchval("SELECT version FROM users WHERE id = $1", made["id"]) == made["version"]


async def test_nobody_touches_an_account_that_has_more(office: Office) -> None:
    """Whoever could set an admin's email would be sent the admin's new password."""
    await keeper(office, "update", "deactivate", "activate")
    nobody, admin, retired = office.ids["nobody"], office.label("admin"), office.label("retired")
    for field, arguments in (
        ("updateUser", {"id": typed_id(admin), "version": admin.version, "input": {"email": "mine@new.example"}}),
        ("deactivateUser", {"id": typed_id(admin)}),
        ("activateUser", {"id": typed_id(retired)}),
    ):
        answer = await as_user(office, nobody, field, **arguments)
        said = answer["errors"][0]["extensions"]
        assert (said["code"], said["entity"], said["field"]) == ("FORBIDDEN", "User", "role"), field
    rows = await office.look()
    assert rows.find("User", admin.id).email == admin.email
    assert rows.find("User", admin.id).active
    assert not rows.find("User", retired.id).active


async def test_a_right_withdrawn_while_somebody_gives_it_is_not_given(office: Office) -> None:
    """The one who gives waits for the one who withdraws, and then has it no longer."""
    await keeper(office, "create")
    nobody = office.ids["nobody"]
    withdrawing = await asyncpg.connect(office.url)
    try:
        transaction = withdrawing.transaction()
        await transaction.start()
        await withdrawing.execute("SELECT pg_advisory_xact_lock(7240524)")
        await withdrawing.execute("UPDATE users SET role_id = $2 WHERE id = $1", nobody, office.ids["role_SPARE"])
        giving = asyncio.create_task(as_user(office, nobody, "createUser", input=new(office, "SPARE")))
        await until(office.connection, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'", 1)
        await transaction.commit()
        answer = await giving
    finally:
        await withdrawing.close()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await office.connection.fetchval("SELECT count(*) FROM users WHERE email = 'nora@new.example'") == 0


# Nobody locks itself out


async def test_nobody_changes_the_own_role_or_team_or_puts_itself_out(office: Office) -> None:
    admin = office.label("admin")
    given = {"roleId": id_of(office, "role_AUDITOR"), "teamId": id_of(office, "team_north")}
    found = await refused(office, "updateUser", id=typed_id(admin), version=admin.version, input=given)
    assert codes(found) == [("input.roleId", "INVALID"), ("input.teamId", "INVALID")]
    found = await refused(office, "deactivateUser", id=typed_id(admin))
    assert message(found) == "Nobody deactivates itself: ask another admin."


async def test_the_own_name_and_email_can_be_changed(office: Office) -> None:
    admin = office.label("admin")
    given = {"name": " Ada\n Admin ", "email": "Ada@NEW.example", "roleId": id_of(office, "role_ADMIN")}
    done = await call(office, "updateUser", show=SHOW, id=typed_id(admin), version=admin.version, input=given)
    assert (done["user"]["name"], done["user"]["email"]) == ("Ada Admin", "Ada@new.example")


async def test_the_last_admin_stays(office: Office) -> None:
    """Somebody with all rights of an admin, by a copy, can put out every admin but the last."""
    copied = await call(office, "createRole", name="Copy", copyFromId=id_of(office, "role_ADMIN"))
    copy = copied["role"]["id"]
    nobody = office.label("nobody")
    done = await call(
        office, "updateUser", id=typed_id(nobody), version=nobody.version, input={"roleId": copy, "teamId": None}
    )
    assert done["errors"] == []
    first, second = office.label("admin"), office.label("admin_2")
    put_out = await as_user(office, nobody.id, "deactivateUser", id=typed_id(first))
    assert put_out["data"]["deactivateUser"]["errors"] == []
    for field, arguments in (
        ("deactivateUser", {"id": typed_id(second)}),
        ("updateUser", {"id": typed_id(second), "version": second.version, "input": {"roleId": copy}}),
    ):
        answer = await as_user(office, nobody.id, field, **arguments)
        (problem,) = answer["data"][field]["errors"]
        assert problem["code"] == "INVALID"
        assert "last active ADMIN" in problem["message"]
    assert (await office.look()).find("User", second.id).active


async def test_of_two_admins_who_put_each_other_out_at_once_one_stays(office: Office) -> None:
    first, second = office.ids["admin"], office.ids["admin_2"]
    ids = {first: id_of(office, "admin"), second: id_of(office, "admin_2")}
    async with open_api(office.url, **LIMITS) as other:
        for _ in range(5):
            document = "mutation($id: ID!) { deactivateUser(id: $id) { user { active } errors { code message } } }"
            answers = await asyncio.gather(
                office.api.post(document, {"id": ids[second]}, user=first),
                other.post(document, {"id": ids[first]}, user=second),
            )
            done = [a for a in answers if "errors" not in a and a["data"]["deactivateUser"]["errors"] == []]
            assert len(done) == 1, answers
            (failed,) = [answer for answer in answers if answer not in done]
            assert failed["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", failed
            active = await office.connection.fetch(
                "SELECT u.id FROM users u JOIN roles r ON r.id = u.role_id WHERE r.name = 'ADMIN' AND u.active"
            )
            assert len(active) == 1
            await office.connection.execute("UPDATE users SET active = true WHERE id = ANY($1)", [first, second])


async def test_the_database_itself_keeps_the_last_admin(office: Office) -> None:
    """An import, a command, and whoever writes SQL go by no gate."""
    first, second = office.ids["admin"], office.ids["admin_2"]
    await office.connection.execute("UPDATE users SET active = false WHERE id = $1", first)
    for statement in (
        "UPDATE users SET active = false WHERE id = $1",
        f"UPDATE users SET role_id = '{office.ids['role_SALES']}' WHERE id = $1",
        "DELETE FROM users WHERE id = $1",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="has to have the role ADMIN"):
            await office.connection.execute(statement, second)
    async with office.connection.transaction():
        await office.connection.execute("UPDATE users SET active = false WHERE id = $1", second)
        await office.connection.execute("UPDATE users SET active = true WHERE id = $1", first)


async def test_of_two_transactions_that_each_put_out_one_of_two_admins_the_second_fails(office: Office) -> None:
    connections = [await asyncpg.connect(office.url) for _ in range(2)]
    try:
        transactions = [connection.transaction() for connection in connections]
        for connection, transaction, label in zip(connections, transactions, ("admin", "admin_2"), strict=True):
            await transaction.start()
            await connection.execute("UPDATE users SET active = false WHERE id = $1", office.ids[label])
        ends = await asyncio.gather(*(each.commit() for each in transactions), return_exceptions=True)
        assert sorted(type(end).__name__ for end in ends) == ["CheckViolationError", "NoneType"]
    finally:
        for connection in connections:
            await connection.close()


# In and out


async def test_whoever_is_put_out_is_refused_by_every_worker_at_once(office: Office) -> None:
    user = office.ids["sales_north"]
    document = "{ customers(first: 1) { totalCount } }"
    async with open_api(office.url, **LIMITS) as other:
        for api in (office.api, other):
            assert "errors" not in await api.post(document, user=user)
        assert (await call(office, "deactivateUser", id=id_of(office, "sales_north")))["errors"] == []
        for api in (office.api, other):
            answer = await api.post(document, user=user)
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
        assert (await call(office, "activateUser", id=id_of(office, "sales_north")))["errors"] == []


async def test_sessions_end_with_the_account_and_stay_ended(office: Office) -> None:
    user = office.ids["sales_north"]
    await office.connection.execute(
        "INSERT INTO sessions (id, user_id, refresh_seed, created_at, last_used_at, expires_at)"
        " VALUES (gen_random_uuid(), $1, 'x', now(), now(), now() + interval '1 day')",
        user,
    )
    for field in ("deactivateUser", "activateUser"):
        assert (await call(office, field, id=id_of(office, "sales_north")))["errors"] == []
        ended = "SELECT bool_and(revoked_at IS NOT NULL) FROM sessions WHERE user_id = $1 AND id <> user_id"
        assert await office.connection.fetchval(ended, user)


async def test_what_is_so_already_is_told(office: Office) -> None:
    assert codes(await refused(office, "activateUser", id=id_of(office, "auditor"))) == [("id", "INVALID_TRANSITION")]
    assert codes(await refused(office, "deactivateUser", id=id_of(office, "retired"))) == [("id", "INVALID_TRANSITION")]


async def test_a_stale_change_is_told_with_what_changed(office: Office) -> None:
    user = office.label("analyst")
    given: dict[str, Any] = {"id": typed_id(user), "version": user.version}
    assert (await call(office, "updateUser", input={"name": "Changed"}, **given))["errors"] == []
    found = await refused(office, "updateUser", input={"name": "Late"}, **given)
    (error,) = found["errors"]
    assert (error["code"], error["field"], error["current"]) == ("CONFLICT", ["name"], {"name": "Changed"})


async def test_a_new_role_or_team_counts_for_the_next_statement_of_every_worker(office: Office) -> None:
    user, document = office.label("analyst"), "{ customers(first: 1) { nodes { name } } }"
    async with open_api(office.url, **LIMITS) as other:
        for api in (office.api, other):
            assert "***" in (await api.post(document, user=user.id))["data"]["customers"]["nodes"][0]["name"]
        given = {"roleId": id_of(office, "role_EMPTY"), "teamId": None}
        done = await call(office, "updateUser", id=typed_id(user), version=user.version, input=given)
        assert done["errors"] == []
        for api in (office.api, other):
            answer = await api.post(document, user=user.id)
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


# Addresses and names


@pytest.mark.parametrize(
    ("email", "normal"),
    [
        ("Anna@Example.COM", "Anna@example.com"),
        (" anna@example.com\n", "anna@example.com"),
        ("ａｎｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "anna@example.com"),
        ("zoë@exämple.example", "zoë@exämple.example"),
        ("zoe\u0308@example.com", "zoë@example.com"),
        ("ﬁona@example.com", "fiona@example.com"),
        ("王芳@例子.example", "王芳@例子.example"),
        ("o'brien_100%+x@example.org", "o'brien_100%+x@example.org"),
        ("иван@пример.example", "иван@пример.example"),
    ],
)
def test_addresses_are_kept_in_one_way(email: str, normal: str) -> None:
    assert normal_email(email) == normal
    assert email_problem(normal) is None


@pytest.mark.parametrize(
    "email",
    [
        *(
            "",
            "a",
            "a@",
            "@a.example",
            "a@b@c.example",
            "a b@c.example",
            "a@b..example",
            "a@-b.example",
            "a@b-.example",
        ),
        *(".a@b.example", "a.@b.example", "a..b@c.example", "a@b.example.", "a@b_c.example", "a@[127.0.0.1]"),
        *("a\n@b.example", "a\r\nBcc: x@b.example", "a\0@b.example", "a\u200b@b.example", "a\u202e@b.example"),
        *("<a@b.example>", '"a"@b.example', "a,b@c.example", "a;b@c.example", "a@b.example\u3002com"),
        *("\u0430dmin@shop.example", "admin@sh\u043ep.example", "\u03bfscar@shop.example", "\ue000@b.example"),
        *(f"{'a' * 65}@b.example", f"a@{'b' * 64}.example", f"a@{'b.' * 130}example"),
    ],
)
def test_addresses_that_are_none_or_would_look_like_others_are_refused(email: str) -> None:
    assert email_problem(normal_email(email)) is not None


@given(st.text())
def test_any_text_is_an_address_or_not_and_stays_what_it_has_become(text: str) -> None:
    normal = normal_email(text)
    assert normal_email(normal) == normal or email_problem(normal) is not None
    if email_problem(normal) is None:
        assert normal.count("@") == 1
        assert normal == normal.strip()
        assert not any(c.isspace() or ord(c) < 32 for c in normal)


@given(st.text())
def test_a_name_has_single_spaces_and_stays_as_it_is(text: str) -> None:
    assert normal_name(normal_name(text)) == normal_name(text)
    assert "  " not in normal_name(text)
    assert "\n" not in normal_name(text)


async def test_names_hold_nothing_that_cannot_be_seen(office: Office) -> None:
    for name in ("Adm\u200bin", "\u202enimdA", "A\x07"):
        assert codes(await refused(office, "createUser", input=new(office, name=name))) == [("input.name", "INVALID")]
        assert codes(await refused(office, "createRole", name=name)) == [("name", "INVALID")]
        assert codes(await refused(office, "createTeam", input={"name": name})) == [("input.name", "INVALID")]
