"""Acting as somebody else: who may, as whom, how it shows, and how it ends."""

from typing import Any

import pytest

from app.db.ids import new_id
from auth.policy import POLICY
from tests.conftest import Server
from tests.fingerprint import fingerprint
from tests.sessions.office import EVERYWHERE, MAKE_STAGE, SIGN_OUT, STAGES, WHO, Office, open_office, refused, signed_in
from tests.sessions.test_cookies import MODE, Browser

pytestmark = pytest.mark.anyio

IMPERSONATE = """mutation($id: ID!, $reason: String!) { impersonateUser(id: $id, reason: $reason) {
    accessToken refreshToken expiresAt user { id name } errors { field code } } }"""
REASON = "The customer says that the list is empty"
SEEN = "{ viewer { user { name } impersonator { name } } }"
MAKE_TOKEN = """mutation($input: CreateApiTokenInput!) {
    createApiToken(input: $input) { apiToken { id } secret errors { code message } } }"""
ROTATE_TOKEN = "mutation($id: ID!) { rotateApiToken(id: $id) { secret errors { code } } }"
ENDED = [("UNAUTHENTICATED", "revoked")]


async def act_as(office: Office, token: str, who: str, reason: str = REASON, api: int = 0) -> Any:
    """The answer to an attempt."""
    return await office.ask(IMPERSONATE, token, {"id": office.typed(who), "reason": reason}, api=api)


async def acting(office: Office, token: str, who: str) -> str:
    """The token of a session as somebody else."""
    said = (await act_as(office, token, who))["data"]["impersonateUser"]
    assert said["errors"] == [], said
    assert said["user"] == {"id": office.typed(who), "name": who}
    assert said["refreshToken"] is None, "It is not renewed."
    return str(said["accessToken"])


async def test_a_stranger_acts_as_nobody(office: Office) -> None:
    before = await fingerprint(office.url)
    answer = await office.ask(IMPERSONATE, None, {"id": office.typed("SALES"), "reason": REASON})
    assert refused(answer) == [("UNAUTHENTICATED", "missing")]
    assert await fingerprint(office.url) == before


@pytest.mark.parametrize("role", POLICY)
async def test_by_every_role(office: Office, role: str) -> None:
    caller = await office.sign_in(role)
    before = await fingerprint(office.url)
    if role == "ADMIN":
        token = await acting(office, caller.access, "SALES")
        for api in (0, 1):
            answer = await office.ask(SEEN, token, api=api)
            assert answer["data"]["viewer"] == {"user": {"name": "SALES"}, "impersonator": {"name": "ADMIN"}}
        (event,) = await office.events("impersonate")
        assert (event["actor_id"], event["record_id"]) == (office.people["ADMIN"], office.people["SALES"])
        assert REASON in event["told"]
    else:
        assert refused(await act_as(office, caller.access, "SALES2")) == [("FORBIDDEN", None)]
        assert await fingerprint(office.url) == before
        (event,) = await office.events("impersonate")
        assert (event["actor_id"], event["outcome"]) == (office.people[role], "DENIED")


@pytest.mark.parametrize("role", [*(role for role in POLICY if role != "ADMIN"), "ADMIN2"])
async def test_an_admin_acts_as_every_role_with_its_rights_and_no_more(office: Office, role: str) -> None:
    admin = await office.sign_in("ADMIN")
    token = await acting(office, admin.access, role)
    document = "{ viewer { permissions { entity action rows } } }"
    mine = await office.ask(document, (await office.sign_in(role)).access)
    assert await office.ask(document, token, api=1) == mine
    assert signed_in(await office.ask(WHO, admin.access), "ADMIN"), "One's own session goes on beside it."


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            "INSERT INTO grants (id, role_id, entity, action, rows)"
            " VALUES (gen_random_uuid(), $1, 'Customer', 'odd', 'OWN')",
            "more",
        ),
        (
            "UPDATE grants SET rows = 'TEAM' WHERE entity = 'Customer' AND action = 'read'"
            " AND role_id = (SELECT id FROM roles WHERE name = 'ADMIN') AND $1::uuid IS NOT NULL",
            "wider rows",
        ),
        (
            "UPDATE field_grants SET access = 'MASKED', otherwise = 'MASKED' FROM grants"
            " WHERE grant_id = grants.id AND entity = 'Customer' AND action = 'read' AND field = 'phone'"
            " AND role_id = (SELECT id FROM roles WHERE name = 'ADMIN') AND $1::uuid IS NOT NULL",
            "more of a field",
        ),
    ],
)
async def test_nobody_acts_as_somebody_with_a_right_that_they_lack(office: Office, change: str, what: str) -> None:
    admin = await office.sign_in("ADMIN")
    role = await office.db.fetchval("SELECT role_id FROM users WHERE id = $1", office.people["SALES"])
    await office.db.execute(change, role)
    before = await fingerprint(office.url)
    assert refused(await act_as(office, admin.access, "SALES")) == [("FORBIDDEN", None)], what
    assert await fingerprint(office.url) == before


async def test_who_cannot_be_acted_as(office: Office) -> None:
    admin = await office.sign_in("ADMIN")
    await office.db.execute("UPDATE users SET active = false WHERE name = 'SUPPORT'")
    before = await fingerprint(office.url)
    for who, reason, errors in (
        ("ADMIN", REASON, [{"field": ["id"], "code": "INVALID"}]),
        ("SUPPORT", REASON, [{"field": ["id"], "code": "INVALID"}]),
        ("SALES", "", [{"field": ["reason"], "code": "REQUIRED"}]),
        ("SALES", "no", [{"field": ["reason"], "code": "INVALID"}]),
    ):
        said = (await act_as(office, admin.access, who, reason))["data"]["impersonateUser"]
        assert (said["accessToken"], said["errors"]) == (None, errors)
    variables = {"id": f"usr_{new_id().hex}", "reason": REASON}
    said = (await office.ask(IMPERSONATE, admin.access, variables))["data"]["impersonateUser"]
    assert (said["user"], said["errors"]) == (None, [{"field": ["id"], "code": "NOT_FOUND"}])
    assert await fingerprint(office.url) == before


async def test_every_event_says_who_acted(office: Office) -> None:
    admin = await office.sign_in("ADMIN")
    token = await acting(office, admin.access, "SALES")
    create = "mutation($name: String!) { createCustomer(input: {name: $name, kind: PERSON}) { errors { code } } }"
    answer = await office.ask(create, token, {"name": "Made by somebody else"})
    assert answer["data"]["createCustomer"]["errors"] == [], answer
    assert refused(await office.ask(MAKE_STAGE, token)) == [("FORBIDDEN", None)]
    for action in ("create",):
        for event in await office.events(action):
            assert event["actor_id"] == office.people["SALES"]
            assert event["impersonator_id"] == office.people["ADMIN"]
    await office.ask(SIGN_OUT, token)
    (out,) = await office.events("signOut")
    assert (out["actor_id"], out["impersonator_id"]) == (office.people["SALES"], office.people["ADMIN"])
    document = "{ auditEvents(first: 50) { nodes { action outcome actor { name } impersonator { name } } } }"
    nodes = (await office.ask(document, admin.access))["data"]["auditEvents"]["nodes"]
    by = {(n["action"], n["outcome"]): n["impersonator"] for n in nodes}
    assert by["create", "OK"] == by["create", "DENIED"] == by["signOut", "OK"] == {"name": "ADMIN"}
    assert by["signIn", "OK"] is by["impersonate", "OK"] is None
    mine = await office.sign_in("SALES")
    own = (await office.ask(document, mine.access))["data"]["auditEvents"]["nodes"]
    assert {"name": "ADMIN"} in [node["impersonator"] for node in own], "Who was acted as can see it."


async def test_an_impersonated_session_opens_no_other_and_changes_nothing_of_who_the_user_is(office: Office) -> None:
    admin = await office.sign_in("ADMIN")
    token = await acting(office, admin.access, "ADMIN2")
    before = await fingerprint(office.url)
    for who in ("SALES", "ADMIN"):
        assert refused(await act_as(office, token, who)) == [("FORBIDDEN", None)]
    assert refused(await office.ask(EVERYWHERE, token)) == [("FORBIDDEN", None)]
    assert await fingerprint(office.url) == before
    (denied,) = await office.events("signOut")
    assert (denied["actor_id"], denied["impersonator_id"]) == (office.people["ADMIN2"], office.people["ADMIN"])


async def test_an_impersonated_session_makes_no_secret_that_outlasts_it(office: Office) -> None:
    mine = await office.sign_in("ADMIN2")
    given = {"input": {"name": "Warehouse", "scopes": ["customer:read"]}}
    made = (await office.ask(MAKE_TOKEN, mine.access, given))["data"]["createApiToken"]
    assert made["errors"] == []
    admin = await office.sign_in("ADMIN")
    token = await acting(office, admin.access, "ADMIN2")
    before = await fingerprint(office.url)
    assert refused(await office.ask(MAKE_TOKEN, token, given)) == [("FORBIDDEN", None)]
    assert refused(await office.ask(ROTATE_TOKEN, token, {"id": made["apiToken"]["id"]})) == [("FORBIDDEN", None)]
    assert await fingerprint(office.url) == before


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE users SET active = false WHERE name = 'ADMIN'",
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'SALES') WHERE name = 'ADMIN'",
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'ADMIN') WHERE name = 'SALES'",
        "DELETE FROM grants WHERE entity = 'User' AND action = 'impersonate'",
        "INSERT INTO grants (id, role_id, entity, action, rows) SELECT gen_random_uuid(), id, 'Team', 'odd', 'ALL'"
        " FROM roles WHERE name = 'SALES'",
        "DELETE FROM users WHERE name = 'ADMIN'",
        "UPDATE sessions SET revoked_at = now() WHERE impersonator_id IS NULL AND created_at > '2021-01-01'",
    ],
)
async def test_it_ends_with_whatever_changes_for_either(office: Office, end: str) -> None:
    admin = await office.sign_in("ADMIN")
    token = await acting(office, admin.access, "SALES")
    for api in (0, 1):
        assert "errors" not in await office.ask(STAGES, token, api=api)
    await office.db.execute(end)
    for api in (1, 0):
        ((code, reason),) = refused(await office.ask(STAGES, token, api=api))
        assert (code, reason) in [("UNAUTHENTICATED", "revoked"), ("UNAUTHENTICATED", "invalid")]


async def test_it_ends_with_the_sign_out_of_who_began_it_and_of_who_it_is_about(office: Office) -> None:
    admin = await office.sign_in("ADMIN")
    token = await acting(office, admin.access, "SALES")
    await office.ask(SIGN_OUT, admin.access)
    for api in (0, 1):
        assert refused(await office.ask(STAGES, token, api=api)) == ENDED
    admin, sales = await office.sign_in("ADMIN"), await office.sign_in("SALES")
    token = await acting(office, admin.access, "SALES")
    assert "errors" not in await office.ask(STAGES, token)
    await office.ask(EVERYWHERE, sales.access)
    assert refused(await office.ask(STAGES, token)) == ENDED
    assert "errors" not in await office.ask(STAGES, admin.access)


async def test_signing_out_of_it_leaves_ones_own_session_alone(office: Office) -> None:
    admin = await office.sign_in("ADMIN")
    sales = await office.sign_in("SALES")
    token = await acting(office, admin.access, "SALES")
    assert (await office.ask(SIGN_OUT, token))["data"]["signOut"]["done"]
    assert refused(await office.ask(STAGES, token)) == ENDED
    for each in (admin, sales):
        assert "errors" not in await office.ask(STAGES, each.access)


async def test_it_is_over_when_its_time_is(server: Server, migrated: str) -> None:
    async with open_office(server, migrated, impersonation_seconds=3_600, access_token_seconds=60) as office:
        admin = await office.sign_in("ADMIN")
        token = await acting(office, admin.access, "SALES")
        claims = office.apis[0].server.tokens.verify(token)
        until = await office.db.fetchval("SELECT expires_at FROM sessions WHERE id = $1", claims.principal.session_id)
        assert claims.expires == int(until.timestamp()), "There is no refresh token: it lasts for the whole time."
        refresh = office.apis[0].server.refresh_tokens
        seed = await office.db.fetchval("SELECT refresh_seed FROM sessions WHERE id = $1", claims.principal.session_id)
        made = refresh.make(claims.principal.session_id, 0, seed)
        assert (await office.refresh(made))["errors"], "Nor would one renew it."


async def test_a_token_without_its_mark_is_nobodys(office: Office) -> None:
    """The mark of acting as somebody else cannot be left out, nor put on another session."""
    admin = await office.sign_in("ADMIN")
    token = await acting(office, admin.access, "SALES")
    tokens = office.apis[0].server.tokens
    who = tokens.verify(token).principal
    assert who.session_id is not None
    for forged in (
        tokens.sign(who.user_id, who.session_id)[0],
        tokens.sign(who.user_id, who.session_id, office.people["ADMIN2"])[0],
        tokens.sign(office.people["SALES2"], who.session_id, office.people["ADMIN"])[0],
    ):
        assert refused(await office.ask(STAGES, forged)) == [("UNAUTHENTICATED", "invalid")]


async def test_in_a_browser_ones_own_session_comes_back_by_its_refresh_token(office: Office) -> None:
    browser = Browser(office)
    await browser.sign_in("ADMIN")
    refresh = browser.jar["rapport-refresh"]
    variables = {"id": office.typed("SALES"), "reason": REASON}
    said = (await browser.post(IMPERSONATE, variables, **MODE))["data"]["impersonateUser"]
    assert (said["accessToken"], said["user"]["name"]) == (None, "SALES")
    assert browser.jar["rapport-refresh"] == refresh
    assert signed_in(await browser.post(WHO, **MODE), "SALES")
    await browser.post(SIGN_OUT, **MODE)
    assert set(browser.jar) == {"rapport-refresh"}
    assert (await browser.refresh())["user"]["name"] == "ADMIN"
    assert signed_in(await browser.post(WHO, **MODE), "ADMIN")


async def test_who_signs_in_while_acting_ends_both_sessions_of_before(office: Office) -> None:
    browser = Browser(office)
    await browser.sign_in("ADMIN")
    await browser.post(IMPERSONATE, {"id": office.typed("SALES"), "reason": REASON}, **MODE)
    await browser.sign_in("SUPPORT")
    sessions = await office.db.fetch(
        "SELECT user_id FROM sessions WHERE revoked_at IS NULL AND created_at > '2021-01-01'"
    )
    assert [row["user_id"] for row in sessions] == [office.people["SUPPORT"]]


async def test_a_repeated_request_opens_no_second_session(office: Office) -> None:
    admin = await office.sign_in("ADMIN")
    variables = {"id": office.typed("SALES"), "reason": REASON}
    answers = [
        (await office.send(IMPERSONATE, variables, admin.access, **{"idempotency-key": "once"})).json()
        for _ in range(2)
    ]
    sessions = {await office.id(answer["data"]["impersonateUser"]["accessToken"]) for answer in answers}
    assert len(sessions) == 1
    kept = await office.db.fetchval("SELECT outcome::text FROM idempotency_keys")
    assert all(answer["data"]["impersonateUser"]["accessToken"] not in kept for answer in answers)
