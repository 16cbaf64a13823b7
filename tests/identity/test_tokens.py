"""API tokens: by every role, the stranger first; never more than their owner, and dead at once when ended."""

import asyncio
import json
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.models.enums import RowScope
from auth.access import Granted
from auth.policy import ENTITIES, POLICY
from auth.token_scopes import covers, narrowed, problem_of, scope_of
from auth.token_secrets import checksum, is_secret, new_secret, secret_hash
from tests.api import Api, open_api
from tests.fingerprint import fingerprint
from tests.identity.accounts import CHANGE, PASSWORD, ask, codes_of, give_passwords, problems
from tests.matrix import CALLERS
from tests.oracle.rows import typed_id
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

FIELDS = "id name prefix scopes allowedIps expiresAt revokedAt lastUsedAt requestsToday requestsTotal createdAt"
CREATE = f"""mutation($input: CreateApiTokenInput!) {{
  createApiToken(input: $input) {{ apiToken {{ {FIELDS} }} secret errors {{ field code message }} }}
}}"""
ROTATE = f"""mutation($id: ID!, $overlapSeconds: Int! = 3600) {{
  rotateApiToken(id: $id, overlapSeconds: $overlapSeconds) {{
    apiToken {{ {FIELDS} }} secret errors {{ field code message }}
  }}
}}"""
REVOKE = f"""mutation($id: ID!) {{
  revokeApiToken(id: $id) {{ apiToken {{ {FIELDS} }} secret errors {{ field code message }} }}
}}"""
LIST = "{ apiTokens { nodes { id name owner { id } } totalCount } }"
CUSTOMERS = "{ customers(first: 1) { nodes { id } } }"


async def make(office: Office, role: str, *scopes: str, **more: Any) -> tuple[str, str]:
    """The id and the secret of a new token of that role's user."""
    given = {"name": "Test", "scopes": list(scopes) or ["customer:read"], **more}
    answer = await office.do(CREATE, role, input=given)
    assert "errors" not in answer, answer
    payload = answer["data"]["createApiToken"]
    assert payload["errors"] == [], payload
    return payload["apiToken"]["id"], payload["secret"]


async def reason(office: Office, secret: str, document: str = CUSTOMERS, ip: str | None = None) -> str | None:
    """Why an operation is refused; None where it is answered."""
    answer = await through(office.api, secret, document, ip=ip)
    if "errors" not in answer:
        return None
    extensions = answer["errors"][0]["extensions"]
    found: str = extensions.get("reason", extensions["code"])
    return found


async def through(api: Api, secret: str, document: str, ip: str | None = None, **variables: Any) -> Any:
    """The answer to an operation with a token, from an address."""
    transport = httpx.ASGITransport(api.client._transport.app, client=(ip or "127.0.0.1", 1))  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=transport, base_url="http://rapport.test") as client:
        headers = {"authorization": f"Bearer {secret}"}
        return (await client.post("/graphql", json={"query": document, "variables": variables}, headers=headers)).json()


@pytest.fixture
async def office(office: Office) -> Office:
    """The shop without the tokens that it has."""
    await office.connection.execute("DELETE FROM api_tokens")
    return office


# Secrets and scopes


@given(st.text(max_size=50))
@example("rpt_")
@example("rpt_" + "0" * 36)
@settings(max_examples=200, deadline=None)
def test_a_secret_is_recognised_by_its_checksum(other: str) -> None:
    secret = new_secret()
    assert re.fullmatch(r"rpt_[0-9A-Za-z]{36}", secret)
    assert is_secret(secret)
    assert not is_secret(other)
    assert not is_secret(secret + "0")
    changed = secret[:10] + ("a" if secret[10] != "a" else "b") + secret[11:]
    assert not is_secret(changed)


def test_the_checksum_is_crc32_in_base_62() -> None:
    """As GitHub's tokens have it, so that whoever scans for them can tell."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for text in ("", "a", "0" * 30, "Zz9" * 10):
        number = 0
        for digit in checksum(text):
            number = number * 62 + digits.index(digit)
        assert number == zlib.crc32(text.encode())
        assert len(checksum(text)) == 6


@pytest.mark.parametrize("scope", ["customer:read", "order:*", "ticket:comment", "apiToken:create", "orderLine:read"])
def test_scopes_that_there_are(scope: str) -> None:
    assert problem_of(scope) is None


@pytest.mark.parametrize(
    "scope",
    [
        *("", "*", "customer", "customer:", ":read", "Customer:read", "customer:READ", "customers:read"),
        *("customer:read:write", "customer:fly", "*:read", "customer:read ", "user:impersonate", "order:comment"),
        *("\0", "customer:\0", "x" * 10_000, "ｃustomer:read"),
    ],
)
def test_scopes_that_there_are_not(scope: str) -> None:
    said = problem_of(scope)
    assert said is not None
    assert len(said) < 600


GRANTS = {
    entity: {action: Granted(RowScope(rule.rows), dict(rule.fields)) for action, rule in actions.items()}
    for entity, actions in POLICY["ADMIN"].grants.items()
}
SCOPES = sorted(
    {scope_of(entity, action) for entity, actions in GRANTS.items() for action in actions}
    | {scope_of(entity, "*") for entity in ENTITIES}
)


@given(st.sets(st.sampled_from(SCOPES), max_size=8), st.sampled_from(sorted(POLICY)))
@settings(max_examples=300, deadline=None)
def test_scopes_only_narrow(scopes: set[str], role: str) -> None:
    grants = {
        entity: {action: Granted(RowScope(rule.rows), dict(rule.fields)) for action, rule in actions.items()}
        for entity, actions in POLICY[role].grants.items()
    }
    found = narrowed(grants, scopes)
    for entity, actions in grants.items():
        for action, granted in actions.items():
            named = {scope_of(entity, action), scope_of(entity, "*")} & scopes
            kept = found.get(entity, {}).get(action)
            assert kept == (granted if named and (entity, action) != ("User", "impersonate") else None)
    assert all(entity in grants and action in grants[entity] for entity, kept in found.items() for action in kept)
    assert all(covers(scopes, scope) for scope in scopes)


# Making


async def test_by_a_stranger(office: Office) -> None:
    before = await fingerprint(office.url)
    for document, variables in (
        (CREATE, {"input": {"name": "X", "scopes": ["customer:read"]}}),
        (ROTATE, {"id": f"tok_{'0' * 32}"}),
        (REVOKE, {"id": f"tok_{'0' * 32}"}),
        (LIST, {}),
    ):
        assert codes_of(await office.do(document, None, **variables)) == ["UNAUTHENTICATED"]
    assert await fingerprint(office.url) == before


@pytest.mark.parametrize("role", CALLERS)
async def test_by_every_role(office: Office, role: str) -> None:
    """Everybody keeps its own tokens; ADMIN and AUDITOR see all; ADMIN may end all; nobody gets another's secret."""
    id, secret = await make(office, role, "customer:read", "stage:read")
    event = (await office.events())[-1]
    assert (event["action"], event["entity"], event["actor_id"]) == ("create", "ApiToken", office.user(role))
    assert secret not in json.dumps([dict(each) for each in await office.events()], default=str)
    assert await reason(office, secret, "{ stages { id } }") is None
    others = {}
    for other in CALLERS:
        if other != role:
            others[other] = await make(office, other, "stage:read")
    seen = (await office.do(LIST, role))["data"]["apiTokens"]
    everything = role in ("ADMIN", "AUDITOR")
    assert seen["totalCount"] == (8 if everything else 1)
    assert all(everything or node["owner"]["id"] == f"usr_{office.user(role).hex}" for node in seen["nodes"])
    for other, (theirs, their_secret) in others.items():
        before = await fingerprint(office.url)
        for document in (ROTATE, REVOKE):
            if document is REVOKE and role == "ADMIN":
                continue
            answer = await office.do(document, role, id=theirs)
            if everything:
                assert codes_of(answer) == ["FORBIDDEN"], (other, answer)
            else:
                (payload,) = answer["data"].values()
                assert problems(payload) == [(["id"], "NOT_FOUND")]
                assert payload["secret"] is None
        assert await fingerprint(office.url) == before
        assert await reason(office, their_secret, "{ stages { id } }") is None
        if role == "ADMIN":
            assert (await office.do(REVOKE, role, id=theirs))["data"]["revokeApiToken"]["errors"] == []
            assert await reason(office, their_secret, "{ stages { id } }") == "revoked"
    rotated = (await office.do(ROTATE, role, id=id))["data"]["rotateApiToken"]
    assert rotated["errors"] == []
    for good in (secret, rotated["secret"]):
        assert await reason(office, good, "{ stages { id } }") is None
    ended = (await office.do(REVOKE, role, id=id))["data"]["revokeApiToken"]
    assert ended["apiToken"]["revokedAt"] is not None
    assert ended["secret"] is None
    for dead in (secret, rotated["secret"]):
        assert await reason(office, dead, "{ stages { id } }") == "revoked"


async def test_what_is_made_is_shown_and_its_secret_is_not_kept(office: Office) -> None:
    expires = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    given = {
        "name": " Warehouse ",
        "scopes": ["order:read", "order:ship", "order:read"],
        "expiresAt": expires.isoformat(),
        "allowedIps": ["10.0.0.7", "10.1.0.0/16", "2001:db8::/32", "10.0.0.7/32"],
    }
    payload = (await office.do(CREATE, "INTEGRATION", input=given))["data"]["createApiToken"]
    token, secret = payload["apiToken"], payload["secret"]
    assert token["name"] == "Warehouse"
    assert secret.startswith(token["prefix"])
    assert len(token["prefix"]) == 12
    assert token["scopes"] == ["order:read", "order:ship"]
    assert token["allowedIps"] == ["10.0.0.7", "10.1.0.0/16", "2001:db8::/32"]
    assert datetime.fromisoformat(token["expiresAt"]) == expires
    assert (token["revokedAt"], token["lastUsedAt"], token["requestsTotal"]) == (None, None, 0)
    row = await office.connection.fetchrow("SELECT * FROM api_tokens")
    assert row["secret_hash"] == secret_hash(secret)
    for table in ("api_tokens", "audit_events", "outbox", "idempotency_keys"):
        text = await office.connection.fetchval(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} t")
        assert secret[12:] not in text
    posted = (await office.posted())[-1]
    assert (posted["action"], posted["entity"]) == ("create", "ApiToken")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": ""}, [(["input", "name"], "REQUIRED")]),
        ({"name": " "}, [(["input", "name"], "REQUIRED")]),
        ({"name": "x" * 101}, [(["input", "name"], "TOO_LONG")]),
        ({"scopes": []}, [(["input", "scopes"], "REQUIRED")]),
        ({"scopes": ["customer:read", "customer:fly"]}, [(["input", "scopes", "1"], "INVALID")]),
        ({"scopes": ["*"]}, [(["input", "scopes", "0"], "INVALID")]),
        ({"scopes": ["user:impersonate"]}, [(["input", "scopes", "0"], "INVALID")]),
        ({"scopes": [f"customer:a{n}" for n in range(201)]}, [(["input", "scopes"], "TOO_LONG")]),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, [(["input", "expiresAt"], "OUT_OF_RANGE")]),
        ({"expiresAt": "9999-01-01T00:00:00Z"}, [(["input", "expiresAt"], "OUT_OF_RANGE")]),
        ({"allowedIps": ["10.0.0.1", "10.0.0.1/8"]}, [(["input", "allowedIps", "1"], "INVALID")]),
        ({"allowedIps": ["localhost"]}, [(["input", "allowedIps", "0"], "INVALID")]),
        ({"allowedIps": ["fe80::1%eth0"]}, [(["input", "allowedIps", "0"], "INVALID")]),
        ({"allowedIps": ["１0.0.0.1"]}, [(["input", "allowedIps", "0"], "INVALID")]),
        ({"allowedIps": ["10.0.0.1"] * 101}, [(["input", "allowedIps"], "TOO_LONG")]),
        (
            {"name": "", "scopes": ["x"], "allowedIps": ["y"]},
            [
                (["input", "name"], "REQUIRED"),
                (["input", "scopes", "0"], "INVALID"),
                (["input", "allowedIps", "0"], "INVALID"),
            ],
        ),
    ],
)
async def test_what_is_wrong_is_told_at_its_place(office: Office, given: Any, expected: Any) -> None:
    before = await fingerprint(office.url)
    answer = await office.do(CREATE, "SALES", input={"name": "X", "scopes": ["customer:read"], **given})
    payload = answer["data"]["createApiToken"]
    assert problems(payload) == expected
    assert (payload["secret"], payload["apiToken"]) == (None, None)
    assert await fingerprint(office.url) == before


async def test_a_repeat_shows_no_secret(office: Office) -> None:
    given = {"name": "X", "scopes": ["customer:read"]}
    first = (await office.do(CREATE, "SALES", key="k", input=given))["data"]["createApiToken"]
    again = (await office.do(CREATE, "SALES", key="k", input=given))["data"]["createApiToken"]
    assert first["secret"]
    assert again == {**first, "secret": None}
    rotated = (await office.do(ROTATE, "SALES", key="r", id=first["apiToken"]["id"]))["data"]["rotateApiToken"]
    repeated = (await office.do(ROTATE, "SALES", key="r", id=first["apiToken"]["id"]))["data"]["rotateApiToken"]
    assert rotated["secret"]
    assert repeated["secret"] is None
    assert await reason(office, rotated["secret"]) is None
    kept = await office.connection.fetchval("SELECT string_agg(outcome::text, '') FROM idempotency_keys")
    assert first["secret"][4:] not in kept
    assert rotated["secret"][4:] not in kept


# What a token may do


async def test_a_scope_opens_what_it_names_and_nothing_else(office: Office) -> None:
    _, secret = await make(office, "ADMIN", "customer:read", "customer:create")
    assert await reason(office, secret) is None
    before = await fingerprint(office.url)
    for document in (
        "{ orders(first: 1) { nodes { id } } }",
        "{ roles { id } }",
        "{ auditEvents { nodes { id } } }",
        'mutation { createProduct(input: { sku: "X", name: "X", price: { amount: "1" } }) { errors { code } } }',
        "mutation { setSlaPolicy(version: 1, input: {}) { errors { code } } }",
    ):
        assert await reason(office, secret, document) == "FORBIDDEN", document
    assert await fingerprint(office.url) == before
    owners = await ask(office, secret, "{ customers(first: 9) { nodes { owner { id } } } }")
    assert {node["owner"] is None for node in owners["data"]["customers"]["nodes"]} == {True}
    made = await ask(office, secret, 'mutation { createCustomer(input: { name: "T" }) { customer { name } } }')
    assert made["data"]["createCustomer"]["customer"] == {"name": "T"}
    event = (await office.events())[-1]
    assert event["token_id"] is not None
    assert event["actor_id"] == office.user("ADMIN")


async def test_a_scope_gives_nothing_that_the_role_does_not(office: Office) -> None:
    for role, document, expected in (
        ("ANALYST", 'mutation { createCustomer(input: { name: "T" }) { errors { code } } }', "FORBIDDEN"),
        ("MARKETING", "{ tickets(first: 1) { nodes { id } } }", "FORBIDDEN"),
    ):
        _, secret = await make(office, role, "customer:*", "ticket:*", "user:*")
        assert await reason(office, secret, document) == expected
    _, secret = await make(office, "SALES", "customer:*")
    mine = await office.do("{ customers { totalCount } }", "SALES")
    assert await ask(office, secret, "{ customers { totalCount } }") | {"extensions": 0} == mine | {"extensions": 0}
    _, masked = await make(office, "MARKETING", "customer:read")
    answer = await ask(office, masked, "{ customers { nodes { email } } }")
    assert all("***" in node["email"] for node in answer["data"]["customers"]["nodes"] if node["email"])


async def test_permissions_are_those_of_the_token(office: Office) -> None:
    id, secret = await make(office, "SALES", "customer:read", "order:*", "user:read")
    answer = await ask(
        office, secret, "{ viewer { user { id } token { id prefix scopes } permissions { entity action } } }"
    )
    viewer = answer["data"]["viewer"]
    assert viewer["user"]["id"] == f"usr_{office.user('SALES').hex}"
    assert viewer["token"]["id"] == id
    assert {(each["entity"], each["action"]) for each in viewer["permissions"]} == {
        ("Customer", "read"),
        ("User", "read"),
        *(("Order", action) for action in POLICY["SALES"].grants["Order"]),
    }
    session = await office.do("{ viewer { token { id } } }", "SALES")
    assert session["data"]["viewer"]["token"] is None


async def test_the_log_says_which_token(office: Office) -> None:
    id, secret = await make(office, "SALES", "contact:*", "customer:read")
    customer = next(row for row in office.rows.all("Customer") if office.rights("SALES").visible(row))
    document = """mutation($id: ID!) {
      createContact(input: { customerId: $id, firstName: "A", lastName: "B" }) { errors { code } }
    }"""
    assert "errors" not in await ask(office, secret, document, id=typed_id(customer))
    log = "{ auditEvents(first: 1) { nodes { action token { id name } actor { id } } } }"
    (node,) = (await office.do(log, "AUDITOR"))["data"]["auditEvents"]["nodes"]
    assert node["token"] == {"id": id, "name": "Test"}
    assert node["actor"]["id"] == f"usr_{office.user('SALES').hex}"


async def test_no_password_is_changed_through_a_token(office: Office) -> None:
    await give_passwords(office)
    _, secret = await make(office, "ADMIN", "user:*", "apiToken:*")
    before = await fingerprint(office.url)
    answer = await ask(office, secret, CHANGE, current=PASSWORD, new="another good one to have")
    assert codes_of(answer) == ["FORBIDDEN"]
    assert await fingerprint(office.url) == before


# Escalation


async def test_a_token_without_the_scope_makes_none(office: Office) -> None:
    id, secret = await make(office, "ADMIN", "customer:*", "user:*", "role:*")
    before = await fingerprint(office.url)
    for document, variables in (
        (CREATE, {"input": {"name": "X", "scopes": ["customer:read"]}}),
        (ROTATE, {"id": id}),
        (REVOKE, {"id": id}),
        (LIST, {}),
    ):
        assert codes_of(await ask(office, secret, document, **variables)) == ["FORBIDDEN"]
    assert await fingerprint(office.url) == before


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"scopes": ["customer:read", "order:read"]}, "scopes"),
        ({"scopes": ["customer:*"]}, "scopes"),
        ({"scopes": ["apiToken:*"]}, "scopes"),
        ({"expiresAt": None}, "expiresAt"),
        ({"expiresAt": "LATER"}, "expiresAt"),
        ({"allowedIps": None}, "allowedIps"),
        ({"allowedIps": []}, "allowedIps"),
        ({"allowedIps": ["127.0.0.0/8"]}, "allowedIps"),
        ({"allowedIps": ["127.0.0.1", "10.0.0.1"]}, "allowedIps"),
        ({"allowedIps": ["::/0"]}, "allowedIps"),
    ],
)
async def test_a_token_makes_none_that_is_wider(office: Office, given: dict[str, Any], field: str) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    _, secret = await make(
        office,
        "ADMIN",
        *("apiToken:create", "apiToken:read", "customer:read"),
        expiresAt=soon.isoformat(),
        allowedIps=["127.0.0.0/30"],
    )
    within = {"name": "X", "scopes": ["customer:read"], "expiresAt": soon.isoformat(), "allowedIps": ["127.0.0.1"]}
    if given.get("expiresAt") == "LATER":
        given = {"expiresAt": (soon + timedelta(seconds=1)).isoformat()}
    before = await fingerprint(office.url)
    payload = (await ask(office, secret, CREATE, input={**within, **given}))["data"]["createApiToken"]
    assert [error["field"] for error in payload["errors"]] == [["input", field]]
    assert payload["secret"] is None
    assert await fingerprint(office.url) == before
    payload = (await ask(office, secret, CREATE, input=within))["data"]["createApiToken"]
    assert payload["errors"] == []
    assert await reason(office, payload["secret"]) is None


async def test_a_token_gets_no_secret_of_a_wider_one(office: Office) -> None:
    wide, wide_secret = await make(office, "ADMIN", "customer:*", "user:*")
    same, _ = await make(office, "ADMIN", "customer:read")
    mine, secret = await make(office, "ADMIN", "apiToken:rotate", "apiToken:read", "customer:read")
    before = await fingerprint(office.url)
    payload = (await ask(office, secret, ROTATE, id=wide))["data"]["rotateApiToken"]
    assert {tuple(error["field"]) for error in payload["errors"]} == {("id",)}
    assert payload["secret"] is None
    assert await fingerprint(office.url) == before
    assert await reason(office, wide_secret) is None
    for id in (same, mine):
        assert (await ask(office, secret, ROTATE, id=id))["data"]["rotateApiToken"]["errors"] == []


# Ends


async def test_a_token_of_somebody_who_has_left_is_dead(office: Office) -> None:
    _, secret = await make(office, "SALES")
    assert await reason(office, secret) is None
    await office.connection.execute("UPDATE users SET active = false WHERE id = $1", office.user("SALES"))
    assert await reason(office, secret) == "disabled"
    await office.connection.execute("UPDATE users SET active = true WHERE id = $1", office.user("SALES"))
    assert await reason(office, secret) is None


async def test_a_token_follows_its_owners_role(office: Office) -> None:
    _, secret = await make(office, "ADMIN", "customer:read", "ticket:read")
    everything = (await ask(office, secret, "{ customers { totalCount } }"))["data"]["customers"]["totalCount"]
    await office.connection.execute(
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'MARKETING') WHERE id = $1", office.user("ADMIN")
    )
    assert await reason(office, secret, "{ tickets(first: 1) { nodes { id } } }") == "FORBIDDEN"
    answer = await ask(office, secret, "{ customers { totalCount nodes { email } } }")
    assert answer["data"]["customers"]["totalCount"] == everything
    assert all("***" in node["email"] for node in answer["data"]["customers"]["nodes"] if node["email"])


@asynccontextmanager
async def another_worker(office: Office) -> AsyncIterator[Api]:
    async with open_api(office.url, **LIMITS) as api:
        yield api


@pytest.mark.parametrize("shortcut", [True, False])
async def test_an_end_holds_for_the_next_statement_of_every_worker(office: Office, shortcut: bool) -> None:
    id, secret = await make(office, "SALES")
    async with open_api(office.url, **LIMITS, shortcut=shortcut) as other:
        for api in (office.api, other):
            assert "errors" not in await through(api, secret, CUSTOMERS)
        await office.do(REVOKE, "SALES", id=id)
        for api in (other, office.api):
            answer = await through(api, secret, CUSTOMERS)
            assert answer["errors"][0]["extensions"]["reason"] == "revoked"
            assert not (answer["data"] or {}).get("customers")


async def test_a_rotated_secret_ends_at_once_or_after_its_overlap(office: Office) -> None:
    id, first = await make(office, "SALES")
    async with another_worker(office) as other:
        for api in (office.api, other):
            assert "errors" not in await through(api, first, CUSTOMERS)
        second = (await office.do(ROTATE, "SALES", id=id, overlapSeconds=60))["data"]["rotateApiToken"]["secret"]
        assert second != first
        for api in (other, office.api):
            for secret in (first, second):
                assert "errors" not in await through(api, secret, CUSTOMERS), "Both are good."
        # The end of the overlap comes without a statement that would tell anybody.
        await office.connection.execute("UPDATE api_tokens SET former_until = now() + interval '0.2 seconds'")
        for api in (other, office.api):
            await through(api, first, CUSTOMERS)
        await asyncio.sleep(0.3)
        for api in (other, office.api):
            answer = await through(api, first, CUSTOMERS)
            assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert "errors" not in await through(api, second, CUSTOMERS)
        third = (await office.do(ROTATE, "SALES", id=id, overlapSeconds=0))["data"]["rotateApiToken"]["secret"]
        for api in (other, office.api):
            for secret in (first, second):
                answer = await through(api, secret, CUSTOMERS)
                assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert "errors" not in await through(api, third, CUSTOMERS)


@pytest.mark.parametrize("seconds", [-1, 2_592_001, 2**31 - 1])
async def test_an_overlap_has_its_bounds(office: Office, seconds: int) -> None:
    id, secret = await make(office, "SALES")
    payload = (await office.do(ROTATE, "SALES", id=id, overlapSeconds=seconds))["data"]["rotateApiToken"]
    assert problems(payload) == [(["overlapSeconds"], "OUT_OF_RANGE")]
    assert await reason(office, secret) is None


async def test_a_token_expires(office: Office) -> None:
    id, secret = await make(office, "SALES", expiresAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert await reason(office, secret) is None
    await office.connection.execute("UPDATE api_tokens SET expires_at = now() + interval '0.2 seconds'")
    await reason(office, secret)
    await asyncio.sleep(0.3)
    assert await reason(office, secret) == "expired"
    payload = (await office.do(ROTATE, "SALES", id=id))["data"]["rotateApiToken"]
    assert problems(payload) == [(["id"], "INVALID_TRANSITION")]


async def test_what_is_revoked_stays_so(office: Office) -> None:
    id, secret = await make(office, "SALES")
    first = (await office.do(REVOKE, "SALES", id=id))["data"]["revokeApiToken"]["apiToken"]["revokedAt"]
    again = (await office.do(REVOKE, "SALES", id=id))["data"]["revokeApiToken"]
    assert (again["errors"], again["apiToken"]["revokedAt"]) == ([], first)
    assert problems((await office.do(ROTATE, "SALES", id=id))["data"]["rotateApiToken"]) == [
        (["id"], "INVALID_TRANSITION")
    ]
    assert await reason(office, secret) == "revoked"


async def test_a_token_can_end_itself(office: Office) -> None:
    id, secret = await make(office, "SALES", "apiToken:revoke", "apiToken:read", "customer:read")
    assert (await ask(office, secret, REVOKE, id=id))["data"]["revokeApiToken"]["errors"] == []
    assert await reason(office, secret) == "revoked"


@pytest.mark.parametrize(
    ("allowed", "good", "bad"),
    [
        (["10.0.0.7"], ["10.0.0.7", "::ffff:10.0.0.7"], ["10.0.0.8", "127.0.0.1", "::1", "testclient"]),
        (["10.1.0.0/16", "192.168.1.1"], ["10.1.255.255", "192.168.1.1"], ["10.2.0.0", "192.168.1.2"]),
        (["2001:db8::/32"], ["2001:db8:ffff::1"], ["2001:db9::1", "10.0.0.1"]),
        (["0.0.0.0/0"], ["10.0.0.1"], ["2001:db8::1"]),
    ],
)
async def test_a_token_is_good_from_its_addresses(
    office: Office, allowed: list[str], good: list[str], bad: list[str]
) -> None:
    _, secret = await make(office, "SALES", allowedIps=allowed)
    for _ in range(2):
        for ip in good:
            assert await reason(office, secret, ip=ip) is None, ip
        for ip in bad:
            assert await reason(office, secret, ip=ip) == "invalid", ip


async def test_what_only_looks_like_a_token_is_none(office: Office) -> None:
    _, secret = await make(office, "SALES")
    for other in (new_secret(), secret[:-1], f"{secret}0", secret.upper(), secret.replace("rpt_", "rpx_"), "rpt_"):
        assert await reason(office, other) == "invalid"
    assert await reason(office, f" {secret} ") is None


# Figures


async def test_how_a_token_is_used_is_written_now_and_then_by_one_statement(office: Office) -> None:
    id, secret = await make(office, "SALES")
    _, other = await make(office, "ADMIN")
    version = "SELECT access_version FROM users WHERE id = $1"
    before = await office.connection.fetchval(version, office.user("SALES"))
    for _ in range(3):
        await reason(office, secret)
    await reason(office, other)
    shown = "{ apiTokens { nodes { id lastUsedAt requestsToday requestsTotal } } }"
    (node,) = (await office.do(shown, "SALES"))["data"]["apiTokens"]["nodes"]
    assert (node["lastUsedAt"], node["requestsTotal"]) == (None, 0)
    await office.api.server.api_tokens.flush()
    (node,) = (await office.do(shown, "SALES"))["data"]["apiTokens"]["nodes"]
    assert (node["requestsToday"], node["requestsTotal"]) == (3, 3)
    assert datetime.fromisoformat(node["lastUsedAt"]) > datetime.now(UTC) - timedelta(minutes=1)
    await office.connection.execute("UPDATE api_tokens SET counted_on = counted_on - 1")
    (node,) = (await office.do(shown, "SALES"))["data"]["apiTokens"]["nodes"]
    assert (node["requestsToday"], node["requestsTotal"]) == (0, 3)
    await reason(office, secret)
    await office.api.server.api_tokens.flush()
    (node,) = (await office.do(shown, "SALES"))["data"]["apiTokens"]["nodes"]
    assert (node["requestsToday"], node["requestsTotal"]) == (1, 4)
    assert await office.connection.fetchval(version, office.user("SALES")) == before
    await office.do(REVOKE, "SALES", id=id)
    await reason(office, secret)
    await office.api.server.api_tokens.flush()
    assert await office.connection.fetchval("SELECT requests_total FROM api_tokens WHERE name = 'Test' LIMIT 1") in (
        4,
        1,
    )
    counts = await office.connection.fetch("SELECT requests_total FROM api_tokens ORDER BY created_at")
    assert [row["requests_total"] for row in counts] == [4, 1]


async def test_figures_are_written_when_a_server_ends(office: Office) -> None:
    _, secret = await make(office, "SALES")
    async with another_worker(office) as other:
        await through(other, secret, CUSTOMERS)
    assert await office.connection.fetchval("SELECT requests_total FROM api_tokens") == 1
