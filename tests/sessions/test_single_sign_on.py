"""Signing in by an OpenID provider: a real one, in a process of its own on this machine."""

import base64
import hashlib
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from auth.oidc_provider import Provider, ProviderError, is_safe
from auth.single_sign_on import is_path
from tests.conftest import Server
from tests.fingerprint import fingerprint
from tests.sessions.office import WHO, Office, open_office, signed_in
from tests.sessions.test_cookies import MODE, Browser
from tests.sessions.test_second_factors import enrolled
from tests.test_serve import free_port

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(importlib.util.find_spec("oidc_provider_mock") is None, reason="there is no provider to run"),
]

PUBLIC = "https://rapport.test"
CLAIMS: list[dict[str, Any]] = [
    {"sub": "sales", "email": "SALES@Shop.Example", "email_verified": True},
    {"sub": "thief", "email": "SALES@shop.example", "email_verified": True},
    {"sub": "unverified", "email": "ADMIN@shop.example", "email_verified": False},
    {"sub": "unsaid", "email": "ADMIN@shop.example"},
    {"sub": "said", "email": "ADMIN@shop.example", "email_verified": "true"},
    {"sub": "stranger", "email": "nobody@shop.example", "email_verified": True},
    {"sub": "without"},
    {"sub": "support", "email": "support@shop.example", "email_verified": True},
    {"sub": "strong", "email": "support@shop.example", "email_verified": True, "amr": ["pwd", "mfa"]},
]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer of a provider that is running."""
    port = free_port()
    users = [part for each in CLAIMS for part in ("--user-claims", json.dumps(each))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *users]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, "the provider has ended"
            try:
                httpx.get(f"{issuer}/.well-known/openid-configuration")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield issuer
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
async def office(server: Server, migrated: str, provider: str) -> AsyncIterator[Office]:
    given = {"oidc_issuer": provider, "oidc_client_secret": "a secret: of %&+ü", "public_url": PUBLIC}
    async with open_office(server, migrated, **given) as office:
        yield office


class Visitor(Browser):
    """A browser that goes to the provider and comes back."""

    def __init__(self, office: Office) -> None:
        super().__init__(office, PUBLIC)

    async def get(self, path: str) -> httpx.Response:
        sent = "; ".join(f"{name}={value}" for name, (value, at) in self.jar.items() if path.startswith(at))
        client = self.office.apis[0].client
        response = await client.get(f"{self.base}{path}", headers={"cookie": sent} if sent else {})
        client.cookies.clear()
        self.keep(response)
        return response

    async def to_provider(self, to: str = "/") -> str:
        """Where the browser is sent."""
        response = await self.get(f"/oidc/login?{urlencode({'to': to})}")
        assert response.status_code == 303, response.text
        return response.headers["location"]

    async def at_provider(self, url: str, sub: str) -> str:
        """The path by which the provider sends the browser back."""
        async with httpx.AsyncClient() as client:
            response = await client.post(url, data={"sub": sub})
        assert response.status_code == 302, response.text
        back = response.headers["location"]
        assert back.startswith(f"{PUBLIC}/oidc/callback?")
        return back.removeprefix(PUBLIC)

    async def sign_on(self, sub: str, to: str = "/") -> httpx.Response:
        return await self.get(await self.at_provider(await self.to_provider(to), sub))


def is_refused(response: httpx.Response, visitor: Visitor, status: int = 403) -> bool:
    """Whether nothing came of it, without a word on why."""
    (error,) = response.json()["errors"]
    said = "This sign-in did not work. Try again, or ask an administrator; the audit log has the reason."
    return (response.status_code, error["message"], visitor.jar) == (status, said, {})


async def causes(office: Office) -> list[str]:
    return [json.loads(e["told"])["cause"]["after"] for e in await office.events("signIn") if e["outcome"] == "FAILED"]


async def test_whoever_has_the_email_of_a_user_is_that_user(office: Office, provider: str) -> None:
    visitor = Visitor(office)
    response = await visitor.sign_on("sales", "/app?page=2")
    assert (response.status_code, response.headers["location"]) == (303, "/app?page=2")
    assert set(visitor.jar) == {"__Host-rapport-access", "__Secure-rapport-refresh"}
    assert signed_in(await visitor.post(WHO, **MODE), "SALES")
    assert (await visitor.refresh())["user"]["name"] == "SALES"
    row = await office.db.fetchrow("SELECT * FROM identities")
    assert (row["issuer"], row["subject"], row["user_id"]) == (provider, "sales", office.people["SALES"])
    (event,) = await office.events("signIn")
    assert (event["actor_id"], event["outcome"]) == (office.people["SALES"], "OK")
    assert provider in event["told"]


async def test_who_is_linked_stays_the_same_person(office: Office) -> None:
    """An email may change, or go to somebody else: neither takes an account along."""
    assert (await Visitor(office).sign_on("sales")).status_code == 303
    before = await fingerprint(office.url)
    visitor = Visitor(office)
    assert is_refused(await visitor.sign_on("thief"), visitor)
    assert await fingerprint(office.url) == before
    await office.db.execute("UPDATE users SET email = 'married@shop.example' WHERE name = 'SALES'")
    await office.db.execute("UPDATE users SET email = 'sales@shop.example' WHERE name = 'SALES2'")
    visitor = Visitor(office)
    assert (await visitor.sign_on("sales")).status_code == 303
    assert signed_in(await visitor.post(WHO, **MODE), "SALES")


@pytest.mark.parametrize(
    ("sub", "cause"),
    [
        ("unverified", "email not verified"),
        ("unsaid", "email not verified"),
        ("said", "email not verified"),
        ("without", "email not verified"),
        ("stranger", "unknown email"),
    ],
)
async def test_nobody_else_is_let_in(office: Office, sub: str, cause: str) -> None:
    before = await fingerprint(office.url)
    visitor = Visitor(office)
    assert is_refused(await visitor.sign_on(sub), visitor)
    assert await fingerprint(office.url) == before
    assert await causes(office) == [cause]


async def test_a_disabled_user_is_not_let_in(office: Office) -> None:
    assert (await Visitor(office).sign_on("sales")).status_code == 303
    await office.db.execute("UPDATE users SET active = false WHERE name IN ('SALES', 'SUPPORT')")
    before = await fingerprint(office.url)
    for sub in ("sales", "support"):
        visitor = Visitor(office)
        assert is_refused(await visitor.sign_on(sub), visitor)
    assert await fingerprint(office.url) == before
    assert await causes(office) == ["disabled account"] * 2


async def test_a_second_factor_is_not_gone_around(office: Office) -> None:
    await enrolled(office, (await office.sign_in("SUPPORT")).access)
    visitor = Visitor(office)
    assert is_refused(await visitor.sign_on("support"), visitor)
    assert await causes(office) == ["second factor not shown to the provider"]
    assert (await visitor.sign_on("strong")).status_code == 303
    assert signed_in(await visitor.post(WHO, **MODE), "SUPPORT")


async def test_an_answer_is_good_for_the_browser_that_asked_and_once(office: Office) -> None:
    """Otherwise somebody could sign a victim's browser in as themselves, or take the answer of another."""
    attacker, victim = Visitor(office), Visitor(office)
    back = await attacker.at_provider(await attacker.to_provider(), "sales")
    assert is_refused(await victim.get(back), victim)
    await victim.to_provider()
    assert is_refused(await victim.get(back), victim), "Its own request is another one."
    asked = dict(attacker.jar)
    assert (await attacker.get(back)).status_code == 303
    replayed = Visitor(office)
    replayed.jar = asked
    assert is_refused(await replayed.get(back), replayed, 502), "The provider takes a code once."
    causes_ = await causes(office)
    assert causes_[:2] == ["nothing was asked by this browser", "answer to another request"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"state": "x"}, "answer to another request"),
        ({"state": ""}, "answer to another request"),
        ({"iss": "https://evil.example"}, "answer of another provider"),
        ({"code": None, "error": "access_denied"}, "refused by the provider"),
        ({"code": "guessed"}, "provider: /oauth2/token answered 400"),
    ],
)
async def test_an_answer_that_was_meddled_with_is_none(office: Office, change: dict[str, Any], cause: str) -> None:
    visitor = Visitor(office)
    back = urlsplit(await visitor.at_provider(await visitor.to_provider(), "sales"))
    given = {name: values[0] for name, values in parse_qs(back.query).items()} | change
    before = await fingerprint(office.url)
    query = urlencode({name: value for name, value in given.items() if value is not None})
    status = 502 if cause.startswith("provider") else 403
    assert is_refused(await visitor.get(f"/oidc/callback?{query}"), visitor, status)
    assert await fingerprint(office.url) == before
    assert await causes(office) == [cause]


async def test_what_the_browser_keeps_cannot_be_made_up_and_does_not_last(office: Office) -> None:
    visitor = Visitor(office)
    back = await visitor.at_provider(await visitor.to_provider(), "sales")
    name, (kept, _) = next(iter(visitor.jar.items()))
    data, signature = kept.split(".")
    said = json.loads(base64.urlsafe_b64decode(data + "=="))
    other = base64.urlsafe_b64encode(json.dumps({**said, "to": "/x"}).encode()).decode().rstrip("=")
    for forged in ("", "x", f"{data}.", f"{other}.{signature}", f".{signature}", kept[:-1]):
        visitor.jar = {name: (forged, "/")}
        assert is_refused(await visitor.get(back), visitor), forged
    sign_on = office.apis[0].server.signing_on._single_sign_on
    assert sign_on is not None
    old = base64.urlsafe_b64encode(json.dumps({**said, "until": 1}).encode()).decode().rstrip("=")
    visitor.jar = {name: (f"{old}.{sign_on._sign(old)}", "/")}
    assert is_refused(await visitor.get(back), visitor)
    assert (await causes(office))[-1] == "asked too long ago"


async def test_the_request_has_state_nonce_and_a_challenge_that_the_token_request_meets(
    office: Office, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = Visitor(office)
    url = await visitor.to_provider()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{provider}/oauth2/authorize?")
    assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", "rapport", "S256")
    assert asked["redirect_uri"] == f"{PUBLIC}/oidc/callback"
    sent: list[dict[str, Any]] = []
    request = Provider._request

    async def noting(self: Provider, method: str, url: str, **more: Any) -> Any:
        sent.append(more)
        return await request(self, method, url, **more)

    monkeypatch.setattr(Provider, "_request", noting)
    await visitor.get(await visitor.at_provider(url, "sales"))
    (given,) = [each["data"] for each in sent if "data" in each]
    digest = hashlib.sha256(given["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    others = parse_qs(urlsplit(await visitor.to_provider()).query)
    for name in ("state", "nonce", "code_challenge"):
        assert others[name][0] != asked[name]
        assert len(asked[name]) >= 43


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/a\r\nx: y", ""])
async def test_nobody_is_sent_elsewhere(office: Office, to: str) -> None:
    assert not is_path(to)
    response = await Visitor(office).sign_on("sales", to)
    assert (response.status_code, response.headers["location"]) == (303, "/")


async def test_a_provider_that_is_not_there_is_told_as_such(server: Server, migrated: str) -> None:
    async with open_office(server, migrated, oidc_issuer=f"http://127.0.0.1:{free_port()}") as office:
        visitor = Visitor(office)
        assert is_refused(await visitor.get("/oidc/login"), visitor, 502)


async def test_without_a_provider_there_is_nothing(server: Server, migrated: str) -> None:
    async with open_office(server, migrated) as office:
        for path in ("/oidc/login", "/oidc/callback?code=x&state=y", "/oidc/else"):
            assert (await Visitor(office).get(path)).status_code == 404


# The id token (OpenID Connect Core, 3.1.3.7)

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER, NONCE = "https://provider.example", "the nonce that was asked with"


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": ISSUER, "sub": "1", "aud": "rapport", "exp": now + 86_400, "iat": now, "nonce": NONCE}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "token",
    [
        jwt.encode(claims(iss="https://evil.example"), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(aud="another"), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(aud=["rapport", "another"]), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(azp="another"), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(nonce="another"), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(nonce=None), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(exp=int(time.time()) - 120), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(exp=None), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(sub=None), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(iat=int(time.time()) + 80_000), KEY, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(), OTHER, "RS256", headers={"kid": "1"}),
        jwt.encode(claims(), OTHER, "RS256", headers={"kid": "2"}),
        jwt.encode(claims(), None, "none", headers={"kid": "1"}),
        jwt.encode(claims(), "the public key as if it were a secret, of more than 32", "HS256", headers={"kid": "1"}),
        "x",
        "",
    ],
)
async def test_an_id_token_that_is_not_good_is_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = _with_keys(monkeypatch)
    with pytest.raises(ProviderError):
        await provider._checked(token, NONCE)


async def test_a_good_id_token_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = _with_keys(monkeypatch)
    for algorithm in ("RS256", "PS512"):
        token = jwt.encode(claims(), KEY, algorithm, headers={"kid": "1"})
        assert (await provider._checked(token, NONCE))["sub"] == "1"
    token = jwt.encode(claims(aud=["rapport", "another"], azp="rapport"), KEY, "RS256")
    assert (await provider._checked(token, NONCE))["sub"] == "1"


async def test_the_documents_of_another_issuer_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = _with_keys(monkeypatch, issuer="https://evil.example")
    with pytest.raises(ProviderError, match="another issuer"):
        await provider.authorization_url("s", "n", "c")
    provider = _with_keys(monkeypatch, authorization_endpoint="http://evil.example/")
    with pytest.raises(ProviderError, match="authorization_endpoint"):
        await provider.authorization_url("s", "n", "c")
    assert [is_safe(each) for each in ("https://x", "http://localhost:1", "http://x", "ftp://x", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def _with_keys(monkeypatch: pytest.MonkeyPatch, **document: str) -> Provider:
    jwk = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "1", "use": "sig"}

    async def answered(_: Provider, __: str, url: str, **___: Any) -> Any:
        if url.endswith("/jwks"):
            return {"keys": [jwk, {"kty": "oct", "k": "AAAA", "kid": "3"}, {"kty": "RSA", "use": "enc", "kid": "4"}]}
        return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks", **document}

    monkeypatch.setattr(Provider, "_request", answered)
    return Provider(ISSUER, "rapport", None, f"{PUBLIC}/oidc/callback", "openid email")
