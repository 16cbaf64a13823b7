"""Cookie mode: what browsers keep, what they send, and what other sites cannot do with it."""

from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from auth.audit import Origin
from auth.tokens import AccessTokens
from schema import cookies
from tests.api import SECRET
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

pytestmark = pytest.mark.anyio

MODE = {"rapport-session": "cookie"}
EVIL = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}


class Browser:
    """Keeps cookies by name and path, and sends them where they belong."""

    def __init__(self, office: Office, base: str = "http://rapport.test") -> None:
        self.office, self.base = office, base
        self.jar: dict[str, tuple[str, str]] = {}
        self.answered: httpx.Response | None = None

    async def post(
        self, document: str, variables: Any = None, path: str = "/graphql", api: int = 0, **headers: str
    ) -> Any:
        sent = [f"{name}={value}" for name, (value, at) in self.jar.items() if path.startswith(at)]
        given = {**({"cookie": "; ".join(sent)} if sent else {}), **headers}
        body = {"query": document, "variables": variables}
        client = self.office.apis[api].client
        self.answered = await client.post(f"{self.base}{path}", json=body, headers=given)
        client.cookies.clear()
        self.keep(self.answered)
        return self.answered.json()

    def keep(self, response: httpx.Response) -> None:
        """Do what a response says of cookies."""
        for header in response.headers.get_list("set-cookie"):
            ((name, morsel),) = SimpleCookie(header).items()
            if morsel["max-age"] == "0":
                self.jar.pop(name, None)
            else:
                self.jar[name] = (morsel.value, morsel["path"])

    async def sign_in(self, who: str, **headers: str) -> Any:
        variables = {"email": f"{who}@shop.example", "password": PASSWORD}
        return (await self.post(SIGN_IN, variables, **MODE, **headers))["data"]["signIn"]

    async def refresh(self, path: str = cookies.REFRESH_PATH, **headers: str) -> Any:
        return (await self.post(REFRESH, None, path, **(headers or MODE)))["data"]["refreshSession"]

    @property
    def attributes(self) -> list[set[str]]:
        assert self.answered is not None
        return [
            {part.strip().split("=")[0] if "Max-Age" in part else part.strip() for part in header.split(";")[1:]}
            for header in self.answered.headers.get_list("set-cookie")
        ]


async def test_a_browser_keeps_the_tokens_and_no_script_sees_them(office: Office) -> None:
    browser = Browser(office)
    said = await browser.sign_in("SALES")
    assert said["user"]["name"] == "SALES"
    assert said["expiresAt"]
    assert (said["accessToken"], said["refreshToken"]) == (None, None)
    shared = {"HttpOnly", "SameSite=Strict", "Max-Age"}
    assert browser.attributes == [shared | {"Path=/"}, shared | {"Path=/graphql/refresh"}]
    for value, _ in browser.jar.values():
        assert browser.answered is not None
        assert value not in browser.answered.text
    for api in (0, 1):
        assert signed_in(await browser.post(WHO, api=api, **MODE), "SALES")


@pytest.mark.parametrize(("production", "base"), [(False, "https://rapport.test"), (True, "http://rapport.test")])
async def test_over_https_and_in_production_cookies_are_for_https_alone(
    server: Server, migrated: str, production: bool, base: str
) -> None:
    environment = "production" if production else "development"
    async with open_office(server, migrated, environment=environment) as office:
        browser = Browser(office, base)
        await browser.sign_in("SALES")
        assert set(browser.jar) == {"__Host-rapport-access", "__Secure-rapport-refresh"}
        assert all("Secure" in each for each in browser.attributes)
        assert signed_in(await browser.post(WHO, **MODE), "SALES")
        assert (await browser.refresh())["user"]["name"] == "SALES"
        # A cookie without the prefix may have come from anywhere.
        plain = {"rapport-access": browser.jar["__Host-rapport-access"]}
        browser.jar = plain
        assert (await browser.post(WHO, **MODE))["data"] == {"viewer": None}


async def test_a_cookie_without_the_header_is_nobody(office: Office) -> None:
    """A form or an image of another site sends cookies; it cannot send the header."""
    browser = Browser(office)
    await browser.sign_in("ADMIN")
    before = await fingerprint(office.url)
    for document in (MAKE_STAGE, SIGN_OUT, EVERYWHERE, STAGES, WHO):
        for headers in ({}, EVIL, {"rapport-session": ""}, {"rapport-session": "bearer"}):
            answer = await browser.post(document, **headers)
            assert refused(answer) == [("UNAUTHENTICATED", "unguarded")], document
    jar = dict(browser.jar)
    answer = await browser.post(REFRESH, None, cookies.REFRESH_PATH, **EVIL)
    assert answer["data"]["refreshSession"]["errors"][0]["code"] == "INVALID"
    assert browser.jar == jar, "Nothing is set and nothing is taken."
    assert await fingerprint(office.url) == before
    get = await office.apis[0].client.get(
        "/graphql", params={"query": STAGES}, headers={"cookie": f"rapport-access={jar['rapport-access'][0]}"}
    )
    assert get.status_code == 400, "A GET that brings cookies and no header of its own is not read at all."
    assert "data" not in get.json()


async def test_the_refresh_token_is_sent_to_one_path_and_is_good_once(office: Office) -> None:
    browser = Browser(office)
    await browser.sign_in("SALES")
    first = dict(browser.jar)
    assert (await browser.refresh("/graphql"))["errors"], "The browser does not send it there."
    assert browser.jar == first
    said = await browser.refresh()
    assert (said["user"]["name"], said["accessToken"], said["refreshToken"]) == ("SALES", None, None)
    assert browser.jar["rapport-refresh"] != first["rapport-refresh"]
    await office.db.execute("UPDATE sessions SET last_used_at = last_used_at - interval '1 minute'")
    thief = Browser(office)
    thief.jar = first
    assert (await thief.refresh())["errors"]
    assert thief.jar == {}, "What is not good is forgotten."
    assert refused(await browser.post(STAGES, **MODE)) == [("UNAUTHENTICATED", "revoked")]


async def test_an_expired_access_token_is_renewed_by_the_cookie(server: Server, migrated: str) -> None:
    async with open_office(server, migrated, access_token_seconds=900) as office:
        browser = Browser(office)
        await browser.sign_in("SALES")
        session = await office.id(browser.jar["rapport-access"][0])
        old = AccessTokens(SECRET, -5).sign(office.people["SALES"], session)[0]
        browser.jar["rapport-access"] = (old, "/")
        assert refused(await browser.post(STAGES, **MODE)) == [("UNAUTHENTICATED", "expired")]
        assert (await browser.refresh())["user"]["name"] == "SALES"
        assert "errors" not in await browser.post(STAGES, **MODE)


async def test_signing_out_takes_the_cookies_away_and_ends_the_session(office: Office) -> None:
    browser = Browser(office)
    await browser.sign_in("SALES")
    kept = dict(browser.jar)
    assert (await browser.post(SIGN_OUT, **MODE))["data"]["signOut"]["done"]
    assert browser.jar == {}
    browser.jar = kept
    for api in (0, 1):
        assert refused(await browser.post(WHO, api=api, **MODE)) == [("UNAUTHENTICATED", "revoked")]
    assert (await browser.refresh())["errors"]


async def test_a_session_that_was_there_before_is_not_gone_on_with(office: Office) -> None:
    """Session fixation: whoever plants cookies in a browser must not hold the session of who signs in there."""
    attacker, victim = Browser(office), Browser(office)
    await attacker.sign_in("SUPPORT")
    planted = dict(attacker.jar)
    victim.jar = dict(planted)
    assert (await victim.sign_in("ADMIN"))["user"]["name"] == "ADMIN"
    assert not {value for value, _ in victim.jar.values()} & {value for value, _ in planted.values()}
    assert signed_in(await victim.post(WHO, **MODE), "ADMIN")
    for api in (0, 1):
        answer = await attacker.post(WHO, api=api, **MODE)
        assert refused(answer) == [("UNAUTHENTICATED", "revoked")], "What was planted is worth nothing any more."
    assert (await attacker.refresh())["errors"]
    sessions = await office.db.fetch(
        "SELECT user_id FROM sessions WHERE revoked_at IS NULL AND created_at > '2021-01-01'"
    )
    assert [row["user_id"] for row in sessions] == [office.people["ADMIN"]]


@pytest.mark.parametrize("planted", ["x", "a.b.c", "", "null"])
async def test_a_planted_value_becomes_nobodys_token(office: Office, planted: str) -> None:
    browser = Browser(office)
    browser.jar = {"rapport-access": (planted, "/"), "rapport-refresh": (planted, "/graphql/refresh")}
    assert refused(await browser.post(WHO, **MODE)) == [("UNAUTHENTICATED", "invalid")]
    assert (await browser.refresh())["errors"]
    browser.jar = {"rapport-access": (planted, "/"), "rapport-refresh": (planted, "/graphql/refresh")}
    assert (await browser.sign_in("SALES"))["user"]["name"] == "SALES"
    assert planted not in [value for value, _ in browser.jar.values()]


async def test_a_token_in_the_header_goes_before_a_cookie(office: Office) -> None:
    browser = Browser(office)
    await browser.sign_in("SALES")
    tokens = await office.sign_in("SUPPORT")
    answer = await browser.post(WHO, authorization=f"Bearer {tokens.access}")
    assert signed_in(answer, "SUPPORT")
    assert refused(await browser.post(WHO, authorization="Bearer x", **MODE)) == [("UNAUTHENTICATED", "invalid")]


async def test_a_cookie_that_comes_twice_is_not_read(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    for other in ("x", tokens.refresh):
        header = f"rapport-access={tokens.access}; rapport-access={other}"
        response = await office.send(STAGES, cookie=header, **MODE)
        assert refused(response.json()) == [("UNAUTHENTICATED", "missing")]


def test_cookies_are_read_as_they_come() -> None:
    assert cookies.read("a=1; b=2;c = 3; d; =e; f=g=h; b=2") == {"a": "1", "b": "2", "c ": " 3", "": "e", "f": "g=h"}
    assert cookies.read("") == {}
    assert Origin.of(None, "r").actor_id is None
