"""Sessions: renewing them, ending them, and what an old token is worth."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.db.ids import new_id
from auth.policy import POLICY
from auth.refresh_tokens import RefreshTokens
from tests.conftest import Server
from tests.fingerprint import fingerprint
from tests.sessions.office import (
    EVERYWHERE,
    MAKE_STAGE,
    PASSWORD,
    REFRESH,
    SIGN_IN,
    SIGN_OUT,
    STAGES,
    WHO,
    Office,
    open_office,
    refused,
    signed_in,
)

IMPERSONATE = "mutation($id: ID!, $reason: String!) { impersonateUser(id: $id, reason: $reason) { accessToken } }"
pytestmark = pytest.mark.anyio

ENDED = [("UNAUTHENTICATED", "revoked")]
LATER = "UPDATE sessions SET last_used_at = last_used_at - interval '1 minute' WHERE id = $1"


def not_renewed(payload: Any) -> bool:
    """Whether a renewal was refused with the one answer that says nothing more."""
    told = {key: payload[key] for key in ("accessToken", "refreshToken", "expiresAt", "user")}
    assert told == dict.fromkeys(told), payload
    (error,) = payload["errors"]
    said = "This refresh token is not good, or not any more: sign in again."
    return bool(error == {"field": ["refreshToken"], "code": "INVALID", "message": said})


# Renewing


async def test_a_refresh_token_gives_the_next_tokens_of_the_same_session(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    before = await office.db.fetchrow("SELECT * FROM sessions WHERE id = $1", await office.id(tokens.access))
    said = await office.refresh(tokens.refresh)
    assert said["errors"] == []
    assert said["user"] == {"id": office.typed("SALES"), "name": "SALES"}
    assert said["refreshToken"] not in (None, tokens.refresh)
    assert await office.id(said["accessToken"]) == before["id"]
    assert signed_in(await office.ask(WHO, said["accessToken"]), "SALES")
    assert signed_in(await office.ask(WHO, tokens.access), "SALES"), "Until it expires: it is the same session."
    after = await office.db.fetchrow("SELECT * FROM sessions WHERE id = $1", before["id"])
    assert (after["generation"], after["created_at"]) == (1, before["created_at"])
    assert after["last_used_at"] > before["last_used_at"]
    (event,) = await office.events("refreshSession")
    assert (event["actor_id"], event["record_id"], event["outcome"]) == (*[office.people["SALES"]] * 2, "OK")
    assert said["refreshToken"] not in event["told"]


async def test_a_chain_of_renewals_goes_on(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    token, seen = tokens.refresh, {tokens.refresh}
    for _ in range(5):
        said = await office.refresh(token, api=len(seen) % 2)
        token = said["refreshToken"]
        assert token not in seen
        seen.add(token)
    assert signed_in(await office.ask(WHO, said["accessToken"]), "SALES")


async def test_a_token_that_comes_again_ends_the_session_for_both(office: Office) -> None:
    """Whoever stole it and whoever owns it look alike, so neither goes on."""
    tokens = await office.sign_in("SALES")
    other = await office.sign_in("SALES")
    for api in (0, 1):
        assert signed_in(await office.ask(WHO, tokens.access, api=api), "SALES")
    said = await office.refresh(tokens.refresh)
    await office.db.execute(LATER, await office.id(tokens.access))
    assert not_renewed(await office.refresh(tokens.refresh))
    for api in (0, 1):
        for access in (tokens.access, said["accessToken"]):
            for document in (WHO, STAGES):
                assert set(refused(await office.ask(document, access, api=api))) == set(ENDED)
    assert not_renewed(await office.refresh(said["refreshToken"])), "The rightful one has to sign in again as well."
    assert signed_in(await office.ask(WHO, other.access), "SALES"), "Another session is another family."
    first, reuse, last = await office.events("refreshSession")
    assert [first["outcome"], reuse["outcome"], last["outcome"]] == ["OK", "FAILED", "FAILED"]
    assert (reuse["actor_id"], reuse["record_id"]) == (None, office.people["SALES"])
    assert "used refresh token: the session is ended" in reuse["told"]


async def test_a_token_from_before_the_last_ends_the_session_at_once(office: Office) -> None:
    """The few seconds are for an answer that got lost, and only the last one can have got lost."""
    tokens = await office.sign_in("SALES")
    second = await office.refresh(tokens.refresh)
    third = await office.refresh(second["refreshToken"])
    assert not_renewed(await office.refresh(tokens.refresh))
    assert refused(await office.ask(WHO, third["accessToken"])) == ENDED


async def test_a_request_that_is_sent_twice_gets_the_same_successor(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    answers = await asyncio.gather(*(office.refresh(tokens.refresh, api=n % 2) for n in range(6)))
    assert {len(answer["errors"]) for answer in answers} == {0}
    (successor,) = {answer["refreshToken"] for answer in answers}
    id = await office.id(tokens.access)
    assert await office.db.fetchval("SELECT generation FROM sessions WHERE id = $1", id) == 1
    assert (await office.refresh(successor))["errors"] == []


async def test_without_grace_a_second_time_is_one_too_many(server: Server, migrated: str) -> None:
    async with open_office(server, migrated, refresh_grace_seconds=0) as office:
        tokens = await office.sign_in("SALES")
        said = await office.refresh(tokens.refresh)
        assert not_renewed(await office.refresh(tokens.refresh))
        assert refused(await office.ask(WHO, said["accessToken"])) == ENDED


async def test_what_was_never_given_out_renews_nothing_and_ends_nothing(office: Office) -> None:
    """Otherwise whoever knows the id of a session could end it."""
    tokens, other = await office.sign_in("SALES"), await office.sign_in("SUPPORT")
    id, seed = await office.id(tokens.access), bytes(32)
    mine = base64.urlsafe_b64decode(tokens.refresh + "==")
    theirs = base64.urlsafe_b64decode(other.refresh + "==")

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    before = await fingerprint(office.url)
    for forged in (
        None,
        "",
        "x",
        "ü" * 70,
        tokens.access,
        tokens.refresh[:-1],
        tokens.refresh + "A",
        "\0" * 70,
        encoded(mine[:20] + bytes(32)),
        encoded(mine[:20] + theirs[20:]),
        encoded(mine[:16] + b"\0\0\0\1" + mine[20:]),
        encoded(mine[:16] + b"\xff\xff\xff\xff" + mine[20:]),
        encoded(new_id().bytes + mine[16:]),
        encoded(theirs[:16] + mine[16:]),
        RefreshTokens("another secret, which is as long as ours").make(id, 0, seed),
    ):
        assert not_renewed(await office.refresh(forged)), forged
    assert await fingerprint(office.url) == before
    assert (await office.refresh(tokens.refresh))["errors"] == []
    assert [event["outcome"] for event in await office.events("refreshSession")] == ["OK"], (
        "Nor is the log filled by it."
    )


async def test_old_tokens_sent_again_and_again_do_not_fill_the_log(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    await office.ask(SIGN_OUT, tokens.access)
    for _ in range(21):
        assert not_renewed(await office.refresh(tokens.refresh))
    await office.db.execute("UPDATE slowed_down SET until = until + interval '1 hour' WHERE until > failed_at")
    for api in (0, 1):
        answer = await office.ask(REFRESH, variables={"token": tokens.refresh}, api=api)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["RATE_LIMITED"]
    outcomes = [event["outcome"] for event in await office.events("refreshSession")]
    assert outcomes == ["FAILED"] * 21 + ["DENIED"] * 2, "What strangers are refused is on record, five times a minute."


@pytest.mark.parametrize(
    "over",
    [
        "UPDATE sessions SET expires_at = now() WHERE id = $1",
        "UPDATE sessions SET revoked_at = now() WHERE id = $1",
        "UPDATE users SET active = false FROM sessions WHERE user_id = users.id AND sessions.id = $1",
        "DELETE FROM sessions WHERE id = $1",
    ],
)
async def test_a_session_that_is_over_is_not_renewed(office: Office, over: str) -> None:
    tokens = await office.sign_in("SALES")
    await office.db.execute(over, await office.id(tokens.access))
    before = await fingerprint(office.url)
    assert not_renewed(await office.refresh(tokens.refresh))
    after = await fingerprint(office.url)
    assert {table for table in after if after[table] != before[table]} <= {"slowed_down"}


async def test_no_session_outlives_its_longest_life(server: Server, migrated: str) -> None:
    async with open_office(server, migrated, session_seconds=3_600, refresh_token_seconds=3_000) as office:
        tokens = await office.sign_in("SALES")
        id = await office.id(tokens.access)
        await office.db.execute(
            "UPDATE sessions SET created_at = now() - interval '58 minutes', last_used_at = now() WHERE id = $1", id
        )
        said = await office.refresh(tokens.refresh)
        row = await office.db.fetchrow("SELECT created_at, expires_at FROM sessions WHERE id = $1", id)
        assert row["expires_at"] == row["created_at"] + timedelta(hours=1)
        expires = datetime.fromisoformat(said["expiresAt"])
        assert expires <= row["expires_at"] < datetime.now(UTC) + timedelta(minutes=3), "The token ends with it."


# Signing out


async def test_a_sign_out_is_in_force_for_the_next_statement_of_every_worker(office: Office) -> None:
    """Rights are remembered by each worker, tokens are verified once: neither may let an ended session through."""
    for _ in range(3):
        tokens, other = await office.sign_in("ADMIN"), await office.sign_in("ADMIN", api=1)
        for api in (0, 1):
            for token in (tokens.access, other.access):
                assert "errors" not in await office.ask(STAGES, token, api=api)
        answer = await office.ask(SIGN_OUT, tokens.access)
        assert answer["data"]["signOut"] == {"done": True, "errors": []}
        export = "mutation { exportProducts { url } }"
        for api in (1, 0):
            for document in (STAGES, WHO, MAKE_STAGE, export, SIGN_OUT, "{ shop { name } }"):
                assert refused(await office.ask(document, tokens.access, api=api)) == ENDED, document
            assert "errors" not in await office.ask(STAGES, other.access, api=api)
        assert not_renewed(await office.refresh(tokens.refresh))
    assert await office.db.fetchval("SELECT count(*) FROM stages") == 0
    done = [event["actor_id"] for event in await office.events("signOut") if event["outcome"] == "OK"]
    assert done == [office.people["ADMIN"]] * 3


async def test_a_link_to_an_export_ends_with_the_session_that_asked_for_it(office: Office) -> None:
    tokens = await office.sign_in("ADMIN")
    link = (await office.ask("mutation { exportProducts { url } }", tokens.access))["data"]["exportProducts"]["url"]
    parts = urlsplit(link)
    for api in office.apis:
        assert (await api.client.get(f"{parts.path}?{parts.query}")).status_code == 200
    await office.ask(SIGN_OUT, tokens.access)
    for api in office.apis:
        assert (await api.client.get(f"{parts.path}?{parts.query}")).status_code == 401


async def test_a_session_that_is_deleted_or_expires_is_no_more(office: Office) -> None:
    tokens, other = await office.sign_in("SALES"), await office.sign_in("SALES")
    for token in (tokens.access, other.access):
        assert "errors" not in await office.ask(STAGES, token)
    await office.db.execute("DELETE FROM sessions WHERE id = $1", await office.id(tokens.access))
    assert refused(await office.ask(STAGES, tokens.access)) == [("UNAUTHENTICATED", "invalid")]
    assert "errors" not in await office.ask(STAGES, other.access)
    await office.db.execute("UPDATE sessions SET expires_at = now() WHERE id = $1", await office.id(other.access))
    assert refused(await office.ask(STAGES, other.access, api=1)) == [("UNAUTHENTICATED", "expired")]


async def test_a_stranger_signs_nobody_out(office: Office) -> None:
    before = await fingerprint(office.url)
    for document in (SIGN_OUT, EVERYWHERE):
        assert refused(await office.ask(document)) == [("UNAUTHENTICATED", "missing")]
    variables = {"id": office.typed("SALES")}
    assert refused(await office.ask(EVERYWHERE, variables=variables)) == [("UNAUTHENTICATED", "missing")]
    assert await fingerprint(office.url) == before


@pytest.mark.parametrize("role", POLICY)
async def test_everybody_signs_themselves_out_everywhere(office: Office, role: str) -> None:
    sessions = [await office.sign_in(role) for _ in range(3)]
    other = await office.sign_in("SALES2")
    for session in sessions:
        assert signed_in(await office.ask(WHO, session.access, api=1), role)
    variables = {"id": office.typed(role)} if role in ("ADMIN", "SUPPORT") else None
    answer = await office.ask(EVERYWHERE, sessions[0].access, variables)
    assert answer["data"]["signOutEverywhere"] == {"done": True, "errors": []}
    for session in sessions:
        for api in (0, 1):
            assert refused(await office.ask(WHO, session.access, api=api)) == ENDED
        assert not_renewed(await office.refresh(session.refresh))
    assert signed_in(await office.ask(WHO, other.access), "SALES2")
    (event,) = await office.events("signOutEverywhere")
    assert (event["actor_id"], event["record_id"]) == (office.people[role], office.people[role])


@pytest.mark.parametrize("role", POLICY)
async def test_only_who_may_sign_others_out_does(office: Office, role: str) -> None:
    victim, caller = await office.sign_in("SALES2"), await office.sign_in(role)
    assert signed_in(await office.ask(WHO, victim.access, api=1), "SALES2")
    before = await fingerprint(office.url)
    answer = await office.ask(EVERYWHERE, caller.access, {"id": office.typed("SALES2")})
    if "signOut" in POLICY[role].grants.get("User", {}):
        assert answer["data"]["signOutEverywhere"] == {"done": True, "errors": []}
        for api in (0, 1):
            assert refused(await office.ask(WHO, victim.access, api=api)) == ENDED
        (event,) = await office.events("signOut")
        assert (event["actor_id"], event["record_id"]) == (office.people[role], office.people["SALES2"])
    else:
        assert refused(answer) == [("FORBIDDEN", None)]
        assert await fingerprint(office.url) == before
        assert signed_in(await office.ask(WHO, victim.access, api=1), "SALES2")
        (event,) = await office.events("signOut")
        assert (event["actor_id"], event["outcome"]) == (office.people[role], "DENIED")


async def test_signing_out_nobody_is_told_at_the_argument(office: Office) -> None:
    admin = await office.sign_in("ADMIN")
    answer = await office.ask(EVERYWHERE, admin.access, {"id": f"usr_{new_id().hex}"})
    errors = [{"field": ["userId"], "code": "NOT_FOUND"}]
    assert answer["data"]["signOutEverywhere"] == {"done": False, "errors": errors}
    answer = await office.ask(EVERYWHERE, admin.access, {"id": "cus_1"})
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


# Seeing them


async def test_everybody_sees_their_own_sessions_and_which_one_this_is(office: Office) -> None:
    await office.db.execute("DELETE FROM sessions WHERE user_id = $1", office.people["SALES"])
    first = await office.sign_in("SALES")
    second = (
        await office.send(
            SIGN_IN,
            {"email": "SALES@shop.example", "password": PASSWORD},
            **{"user-agent": "Phone/2"},
        )
    ).json()["data"]["signIn"]["accessToken"]
    await office.sign_in("SUPPORT")
    shown = "id user { name } mine: user { id } ip userAgent createdAt lastUsedAt current"
    document = f"{{ viewer {{ all: sessions {{ {shown} }} }} }}"
    found = (await office.ask(document, first.access))["data"]["viewer"]["all"]
    assert [(each["current"], each["user"]["name"]) for each in found] == [(True, "SALES"), (False, "SALES")]
    assert found[0]["id"] == f"ses_{(await office.id(first.access)).hex}"
    assert (found[1]["ip"], found[1]["userAgent"]) == ("127.0.0.1", "Phone/2")
    assert {each["mine"]["id"] for each in found} == {office.typed("SALES")}
    await office.ask(SIGN_OUT, second)
    assert len((await office.ask(document, first.access))["data"]["viewer"]["all"]) == 1
    assert (await office.ask(f'{{ node(id: "{found[0]["id"]}") {{ id }} }}', first.access))["data"] == {"node": None}


async def test_two_objects_of_one_name_do_not_share_what_they_show(office: Office) -> None:
    tokens = await office.sign_in("ADMIN")
    document = "{ sessions: viewer { user { id } sessions { user { name } } } viewer { sessions { user { email } } } }"
    data = (await office.ask(document, tokens.access))["data"]
    assert set(data["sessions"]["user"]) == {"id"}
    assert set(data["sessions"]["sessions"][0]["user"]) == {"name"}
    assert set(data["viewer"]["sessions"][0]["user"]) == {"email"}


# What an old token is worth


async def test_who_is_made_inactive_signs_in_again_afterwards(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    for api in (0, 1):
        assert signed_in(await office.ask(WHO, tokens.access, api=api), "SALES")
    await office.db.execute("UPDATE users SET active = false WHERE name = 'SALES'")
    for api in (0, 1):
        assert refused(await office.ask(STAGES, tokens.access, api=api)) == [("UNAUTHENTICATED", "disabled")]
    await office.db.execute("UPDATE users SET active = true WHERE name = 'SALES'")
    for api in (0, 1):
        assert refused(await office.ask(STAGES, tokens.access, api=api)) == ENDED
    assert not_renewed(await office.refresh(tokens.refresh))
    assert signed_in(await office.ask(WHO, (await office.sign_in("SALES")).access), "SALES")


async def test_a_token_from_before_a_demotion_has_the_rights_of_after(office: Office) -> None:
    tokens = await office.sign_in("ADMIN2")
    document = "{ auditEvents(first: 1) { nodes { id } } }"
    for api in (0, 1):
        assert "errors" not in await office.ask(document, tokens.access, api=api)
    await office.db.execute(
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'ANALYST') WHERE id = $1",
        office.people["ADMIN2"],
    )
    before = await fingerprint(office.url)
    for api in (1, 0):
        answer = await office.ask(EVERYWHERE, tokens.access, {"id": office.typed("SALES")}, api=api)
        assert refused(answer) == [("FORBIDDEN", None)]
        variables = {"id": office.typed("SALES"), "reason": "to see what happens"}
        assert refused(await office.ask(IMPERSONATE, tokens.access, variables, api=api)) == [("FORBIDDEN", None)]
    assert await fingerprint(office.url) == before


async def test_secrets_of_sessions_are_nowhere_in_the_log(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    said = await office.refresh(tokens.refresh)
    await office.ask(SIGN_OUT, said["accessToken"])
    text = await office.db.fetchval("SELECT string_agg(e::text, '') FROM audit_events e")
    text += await office.db.fetchval("SELECT coalesce(string_agg(o::text, ''), '') FROM outbox o")
    for secret in (*tokens, said["accessToken"], said["refreshToken"]):
        assert secret not in text


async def test_a_renewal_says_who_went_on_also_to_a_document_of_two(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    document = REFRESH.replace("refreshSession(", "one: refreshSession(")
    answer = await office.ask(document, tokens.access, {"token": tokens.refresh})
    assert answer["data"]["one"]["user"]["name"] == "SALES"
