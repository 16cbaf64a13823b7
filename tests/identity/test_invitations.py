"""Invitations: a new account's owner sets the first password with a code that was mailed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.api import open_api
from tests.identity.accounts import BETTER, RESET, Post, code_in, hashed, post_office, sign_in
from tests.identity.denials import denied, refused
from tests.identity.test_users import id_of, new
from tests.writing.calls import call, codes, message
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

CREATE = """mutation($input: CreateUserInput!, $invite: Boolean) {
  createUser(input: $input, invite: $invite) { user { id email } invited errors { field code message } }
}"""
INVITE = "mutation($id: ID!) { inviteUser(id: $id) { user { id } invited errors { field code message } } }"


@asynccontextmanager
async def mailing(office: Office, **more: Any) -> AsyncIterator[Post]:
    """The office's API with a mail server."""
    before = office.api
    async with post_office() as post, open_api(office.url, **{**LIMITS, **post.settings, **more}) as api:
        office.api = api
        yield post
        office.api = before


@pytest.fixture
async def post(office: Office) -> AsyncIterator[Post]:
    async with mailing(office) as found:
        yield found


async def create(office: Office, role: str = "ADMIN", key: str | None = None, invite: bool = True, **given: Any) -> Any:
    answer = await office.do(CREATE, role, key=key, input=new(office, **given), invite=invite)
    assert "errors" not in answer, answer
    return answer["data"]["createUser"]


async def set_first(office: Office, email: str, code: str) -> Any:
    answer = await office.do(RESET, None, email=email, code=code, new=BETTER)
    return answer["data"]["resetPassword"]


async def test_who_is_invited_sets_a_password_and_signs_in(office: Office, post: Post) -> None:
    made = await create(office, "MANAGER", email="Nora@NEW.example")
    assert (made["invited"], made["errors"]) == (True, [])
    to, letter = await post.next()
    assert to == ["Nora@new.example"]
    assert await sign_in(office, "nora@new.example", BETTER) is None
    assert (await set_first(office, "nora@new.example", code_in(letter)))["errors"] == []
    assert await sign_in(office, "nora@new.example", BETTER) is not None
    assert (await set_first(office, "nora@new.example", code_in(letter)))["errors"], "It is good once."


async def test_the_code_is_nowhere_but_in_the_letter(office: Office, post: Post) -> None:
    made = await create(office, key="once")
    code = code_in((await post.next())[1])
    tables = await office.connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in tables:
        found = await office.connection.fetchval(f"SELECT count(*) FROM {table} t WHERE t::text LIKE $1", f"%{code}%")
        assert found == 0, table
    event = (await office.events())[-1]
    assert json.loads(event["changes"]).keys() == {"name", "email", "active", "role", "team"}
    assert code not in str(made)


async def test_a_repeat_under_the_same_key_sends_no_second_letter(office: Office, post: Post) -> None:
    first = await create(office, key="twice")
    code = code_in((await post.next())[1])
    again = await create(office, key="twice")
    assert (again["user"], again["invited"]) == (first["user"], False)
    assert (await set_first(office, "nora@new.example", code))["errors"] == []
    assert post.taken == [] or post.taken[0][1]["Subject"].startswith("Your password")


async def test_an_invitation_can_be_repeated_and_ends_the_one_before(office: Office, post: Post) -> None:
    made = await create(office, "MANAGER")
    first = code_in((await post.next())[1])
    answer = await office.do(INVITE, "MANAGER", id=made["user"]["id"])
    assert answer["data"]["inviteUser"] == {"user": {"id": made["user"]["id"]}, "invited": True, "errors": []}
    second = code_in((await post.next())[1])
    event = (await office.events())[-1]
    assert (event["entity"], event["action"], event["actor_id"]) == ("User", "invite", office.user("MANAGER"))
    assert (await set_first(office, "nora@new.example", first))["errors"]
    assert (await set_first(office, "nora@new.example", second))["errors"] == []
    found = await refused(office, "inviteUser", "MANAGER", id=made["user"]["id"])
    assert codes(found) == [("id", "INVALID_TRANSITION")]


async def test_nobody_is_invited_without_the_right_or_beyond_it(office: Office, post: Post) -> None:
    for label in ("auditor", "sales_south", "partner"):
        await denied(office, "inviteUser", "MANAGER", id=id_of(office, label))
    for role in ("AUDITOR", "SALES", "SUPPORT", "ANALYST"):
        await denied(office, "inviteUser", role, id=id_of(office, "sales_north_2"))
    found = await refused(office, "inviteUser", id=id_of(office, "retired"))
    assert codes(found) == [("id", "INVALID")]
    assert post.taken == []


async def test_without_an_invitation_nothing_is_sent(office: Office, post: Post) -> None:
    made = await create(office, invite=False)
    assert (made["invited"], made["errors"]) == (False, [])
    assert await office.connection.fetchval("SELECT count(*) FROM one_time_codes") == 0
    assert post.taken == []


async def test_a_refused_creation_sends_nothing(office: Office, post: Post) -> None:
    made = await create(office, email="admin@shop.example")
    assert (made["user"], made["invited"]) == (None, False)
    await denied(office, "createUser", "MANAGER", input=new(office, "ADMIN"))
    assert post.taken == []


async def test_a_code_does_not_outlive_the_address_or_the_account(office: Office, post: Post) -> None:
    """Whoever reads the old address must not set the password of whoever has the new one."""
    made = await create(office)
    code = code_in((await post.next())[1])
    id = made["user"]["id"]
    done = await call(office, "updateUser", show="version", id=id, version=1, input={"email": "other@new.example"})
    assert done["errors"] == []
    assert (await set_first(office, "other@new.example", code))["errors"]
    await office.do(INVITE, "ADMIN", id=id)
    code = code_in((await post.next())[1])
    for field in ("deactivateUser", "activateUser"):
        assert (await call(office, field, show="version", id=id))["errors"] == []
    assert (await set_first(office, "other@new.example", code))["errors"]


async def test_in_production_without_mail_nobody_is_made_who_could_not_be_told(office: Office) -> None:
    async with open_api(office.url, environment="production", **LIMITS) as api:
        before, office.api = office.api, api
        try:
            found = await refused(office, "createUser", input=new(office))
            assert "RAPPORT_SMTP_HOST" in message(found)
            assert (await create(office, invite=False))["errors"] == []
        finally:
            office.api = before


async def test_whoever_has_a_password_is_not_invited(office: Office, post: Post) -> None:
    await office.connection.execute("UPDATE users SET password_hash = $1", hashed())
    found = await refused(office, "inviteUser", id=id_of(office, "analyst"))
    assert "requestPasswordReset" in message(found)
