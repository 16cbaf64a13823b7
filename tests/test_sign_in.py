"""Signing in, and what a token is worth afterwards."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import jwt
import pytest

from app.db.ids import new_id
from auth.passwords import hash_now
from auth.tokens import AccessTokens
from tests.api import SECRET, Api, open_api
from tests.conftest import Server

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery staple"
SIGN_IN = """mutation($email: String!, $password: String!) {
  signIn(email: $email, password: $password) {
    accessToken refreshToken expiresAt user { id name email role { name } } errors { field code message ids params }
  }
}"""
NOTHING = {"accessToken": None, "refreshToken": None, "expiresAt": None, "user": None}
WHO = "{ viewer { user { id } } }"


@dataclass
class Office:
    """A database with some people, and an application on it."""

    api: Api
    db: asyncpg.Connection
    url: str
    people: dict[str, UUID]

    async def sign_in(self, email: str, password: str = PASSWORD, **headers: str) -> Any:
        """The answer to a sign-in."""
        body = {"query": SIGN_IN, "variables": {"email": email, "password": password}}
        return (await self.api.client.post("/graphql", json=body, headers=headers)).json()

    async def ask(self, authorization: str, document: str = WHO) -> Any:
        """The answer to an operation with that header."""
        headers = {"authorization": authorization}
        return (await self.api.client.post("/graphql", json={"query": document}, headers=headers)).json()

    async def sessions(self) -> int:
        count: int = await self.db.fetchval("SELECT count(*) FROM sessions")
        return count


@pytest.fixture(scope="module")
async def office(server: Server, migrated: str, slow_hashes: None) -> AsyncIterator[Office]:
    url = await server.copy(migrated)
    db = await asyncpg.connect(url)
    people = {}
    hashed = hash_now(PASSWORD)
    for name, email, active, password in (
        ("ada", "Ada@Shop.example", True, hashed),
        ("bob", "bob@shop.example", True, hashed),
        ("gone", "gone@shop.example", False, hashed),
        ("new", "new@shop.example", True, None),
        ("zoë", "zoë@schön.example", True, hashed),
    ):
        people[name] = new_id()
        await db.execute(
            "INSERT INTO users (id, name, email, active, role_id, password_hash)"
            " VALUES ($1, $2, $3, $4, (SELECT id FROM roles WHERE name = 'SALES'), $5)",
            people[name],
            name,
            email,
            active,
            password,
        )
    async with open_api(url, access_token_seconds=600) as api:
        yield Office(api, db, url, people)
    await db.close()
    await server.drop(url)


@pytest.fixture(autouse=True)
async def unhurried(office: Office) -> None:
    """The failures of one test make nobody wait in the next."""
    await office.db.execute("DELETE FROM slowed_down")


# Signing in


async def test_the_right_pair_opens_a_session(office: Office) -> None:
    before = datetime.now(UTC)
    answer = await office.sign_in("Ada@Shop.example", **{"user-agent": "Tester/1.0"})
    said = answer["data"]["signIn"]
    assert said["errors"] == []
    assert said["user"]["id"] == f"usr_{office.people['ada'].hex}"
    assert (said["user"]["email"], said["user"]["role"]) == ("Ada@Shop.example", {"name": "SALES"})
    expires = datetime.fromisoformat(said["expiresAt"])
    assert timedelta(seconds=590) < expires - before < timedelta(seconds=611)
    who = await office.ask(f"Bearer {said['accessToken']}")
    assert who["data"]["viewer"]["user"]["id"] == said["user"]["id"]
    seen = await office.db.fetchval("SELECT last_login_at FROM users WHERE id = $1", office.people["ada"])
    assert before - timedelta(seconds=1) < seen <= datetime.now(UTC)
    session = await office.db.fetchrow("SELECT * FROM sessions ORDER BY created_at DESC LIMIT 1")
    assert session["user_id"] == office.people["ada"]
    refresh = office.api.server.refresh_tokens.read(said["refreshToken"])
    assert refresh is not None
    assert (refresh.session_id, refresh.generation) == (session["id"], session["generation"])
    assert (session["ip"], session["user_agent"]) == ("127.0.0.1", "Tester/1.0")
    assert session["revoked_at"] is None
    assert session["expires_at"] > before + timedelta(days=29)


async def test_no_token_is_stored_anywhere(office: Office) -> None:
    said = (await office.sign_in("bob@shop.example"))["data"]["signIn"]
    for table in ("users", "sessions"):
        text = await office.db.fetchval(f"SELECT string_agg(t::text, '') FROM {table} t")
        for secret in (said["refreshToken"], said["accessToken"], PASSWORD):
            assert secret not in text
            assert secret.encode().hex() not in text
        assert office.api.server.refresh_tokens.read(said["refreshToken"]).proof.hex() not in text


async def test_the_case_of_an_email_does_not_count(office: Office) -> None:
    for email in ("ADA@SHOP.EXAMPLE", "ada@shop.example", "ZOË@SCHÖN.EXAMPLE"):
        assert (await office.sign_in(email))["data"]["signIn"]["accessToken"], email


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@shop.example", "wrong"),
        ("ada@shop.example", ""),
        ("ada@shop.example", PASSWORD.upper()),
        ("ada@shop.example", PASSWORD + " "),
        ("nobody@shop.example", PASSWORD),
        ("gone@shop.example", PASSWORD),
        ("new@shop.example", PASSWORD),
        ("new@shop.example", ""),
        ("", ""),
        ("%", PASSWORD),
        ("ada@shop.example\0", PASSWORD),
        ("ada@shop.example", PASSWORD + "\0"),
        ("x" * 10_000, PASSWORD),
        ("ada@shop.example", "x" * 10_000),
        ("ada@shop.example", "ﷺ" * 1_000),  # Of 18,000 characters in the form that is hashed.
    ],
)
async def test_every_wrong_pair_is_one_error_that_does_not_say_which(office: Office, email: str, password: str) -> None:
    before = await office.sessions()
    answer = await office.sign_in(email, password)
    assert "errors" not in answer, answer
    said = answer["data"]["signIn"]
    wrong = {"code": "INVALID", "field": None, "ids": None, "params": None}
    assert said == {**NOTHING, "errors": [{**wrong, "message": "Email and password do not belong together."}]}
    assert await office.sessions() == before


async def test_unknown_wrong_and_disabled_take_the_same_time(office: Office) -> None:
    """Otherwise a clock tells which addresses have accounts."""
    pairs = {"right": "bob@shop.example", "wrong": "bob@shop.example", "unknown": "x@y.example"}
    pairs |= {"disabled": "gone@shop.example", "without": "new@shop.example"}
    took: dict[str, list[float]] = {name: [] for name in pairs}
    for _ in range(3):
        for name, email in pairs.items():
            started = time.perf_counter()
            await office.sign_in(email, PASSWORD if name in ("right", "disabled") else "not the password")
            took[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in took.items()}
    assert max(medians.values()) < 4 * min(medians.values()), medians


# Tokens


def code_and_reason(answer: Any) -> list[tuple[str, str]]:
    assert not any((answer.get("data") or {}).values()), answer
    return [(error["extensions"]["code"], error["extensions"]["reason"]) for error in answer["errors"]]


@pytest.mark.parametrize("document", [WHO, "{ stages { id } }", "{ shop { name } }", "{ stages { id } teams { id } }"])
async def test_every_way_to_be_nobody_has_its_reason(office: Office, document: str) -> None:
    tokens, ada = office.api.server.tokens, office.people["ada"]
    good = tokens.sign(ada, ada)[0]
    head, body, signature = good.split(".")
    other = AccessTokens("another secret that is long enough", 600).sign(ada, ada)[0]
    none = jwt.encode({"sub": str(ada), "sid": str(new_id()), "exp": 2**31}, None, "none")
    key = tokens._key
    cases = {
        f"Bearer {AccessTokens(SECRET, -5).sign(ada, ada)[0]}": "expired",
        "Bearer": "invalid",
        "Bearer ": "invalid",
        "Bearer garbage": "invalid",
        "Bearer a.b.c": "invalid",
        f"Bearer {head}.{body}.{signature[:-2]}": "invalid",
        f"Bearer {head}.{body}": "invalid",
        f"Bearer {good}x": "invalid",
        f"Bearer {other}": "invalid",
        f"Bearer {none}": "invalid",
        f"Bearer {jwt.encode({'sub': str(ada), 'exp': 2**31}, key)}": "invalid",
        f"Bearer {jwt.encode({'sub': 'ada', 'sid': str(new_id()), 'exp': 2**31}, key)}": "invalid",
        f"Bearer {jwt.encode({'sub': str(ada), 'sid': str(new_id())}, key)}": "invalid",
        f"Basic {good}": "invalid",
        good: "invalid",
        f"Bearer {tokens.sign(office.people['gone'], office.people['gone'])[0]}": "disabled",
        f"Bearer {tokens.sign(uuid4(), new_id())[0]}": "invalid",
        f"Bearer {tokens.sign(ada, new_id())[0]}": "invalid",
        f"Bearer {tokens.sign(ada, office.people['bob'])[0]}": "invalid",
        f"Bearer {tokens.sign(ada, ada, office.people['bob'])[0]}": "invalid",
    }
    for header, reason in cases.items():
        found = code_and_reason(await office.ask(header, document))
        assert set(found) == {("UNAUTHENTICATED", reason)}, header
    assert "errors" not in await office.ask(f"Bearer {good}", document)
    assert "errors" not in await office.ask(f"bearer   {good}", document)


async def test_a_token_that_was_good_expires(office: Office) -> None:
    """A token is remembered once it is verified; that must not make it live longer."""
    async with open_api(office.url, access_token_seconds=1) as api:
        # Seconds of a JWT are whole: sign at the beginning of one.
        token, expires = api.server.tokens.sign(office.people["ada"], office.people["ada"])
        headers = {"authorization": f"Bearer {token}"}
        first = await api.client.post("/graphql", json={"query": WHO}, headers=headers)
        await asyncio.sleep(max(0.0, expires - time.time()) + 0.01)
        later = await api.client.post("/graphql", json={"query": WHO}, headers=headers)
    assert "errors" not in first.json()
    assert code_and_reason(later.json()) == [("UNAUTHENTICATED", "expired")]


async def test_a_token_serves_on_every_server_with_the_same_secret_and_on_no_other(office: Office) -> None:
    token = (await office.sign_in("bob@shop.example"))["data"]["signIn"]["accessToken"]
    headers = {"authorization": f"Bearer {token}"}
    async with open_api(office.url) as same, open_api(office.url, secret="y" * 40) as other:
        assert "errors" not in (await same.client.post("/graphql", json={"query": WHO}, headers=headers)).json()
        refused = (await other.client.post("/graphql", json={"query": WHO}, headers=headers)).json()
    assert code_and_reason(refused) == [("UNAUTHENTICATED", "invalid")]


async def test_signing_in_works_with_an_expired_token_in_the_header(office: Office) -> None:
    expired = AccessTokens(SECRET, -5).sign(office.people["bob"], office.people["bob"])[0]
    said = await office.sign_in("bob@shop.example", authorization=f"Bearer {expired}")
    assert said["data"]["signIn"]["accessToken"]


# Many at once


async def test_hashing_is_bounded_and_reads_go_on_meanwhile(office: Office) -> None:
    """Otherwise a flood of sign-ins would stop the shop."""
    async with open_api(office.url, password_queue=2, password_workers=1) as api:

        async def one(number: int) -> Any:
            variables = {"email": f"{number}@x.example", "password": PASSWORD}
            return (await api.client.post("/graphql", json={"query": SIGN_IN, "variables": variables})).json()

        token = {"authorization": f"Bearer {api.token(office.people['ada'])}"}
        await api.client.post("/graphql", json={"query": "{ stages { id } }"}, headers=token)
        flood = [asyncio.create_task(one(number)) for number in range(12)]
        reads, slowest = 0, 0.0
        while not all(task.done() for task in flood):
            started = time.perf_counter()
            answer = await api.client.post("/graphql", json={"query": "{ stages { id } }"}, headers=token)
            slowest = max(slowest, time.perf_counter() - started)
            assert "errors" not in answer.json()
            reads += 1
        answers = [task.result() for task in flood]
        refused = [answer for answer in answers if "errors" in answer]
        assert len(refused) == 10
        for answer in refused:
            (error,) = answer["errors"]
            assert error["extensions"]["code"] == "RATE_LIMITED"
            assert error["extensions"]["retryAfter"] > 0
        assert [len(a["data"]["signIn"]["errors"]) for a in answers if "errors" not in a] == [1, 1]
        assert reads > 5
        assert slowest < 1
        assert (await one(99))["data"]["signIn"]["errors"], "The places are free again."
