"""Sign-ins on record: by whom, or how they failed, and never an address that is nobody's."""

import json
from typing import Any

import pytest

from auth.passwords import hash_now
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery staple"
SIGN_IN = "mutation($email: String!, $password: String!) { signIn(email: $email, password: $password) { accessToken } }"


async def attempt(office: Office, email: str, password: str = PASSWORD) -> Any:
    """The one event that a sign-in leaves."""
    known = len(await office.events())
    await office.do(SIGN_IN, None, email=email, password=password)
    (event,) = (await office.events())[known:]
    assert (event["action"], event["entity"], event["ip"]) == ("signIn", "User", "127.0.0.1")
    return event


@pytest.fixture
async def somebody(office: Office) -> str:
    await office.connection.execute("UPDATE users SET password_hash = $1", hash_now(PASSWORD))
    email: str = office.label("sales_north").email
    return email


async def test_a_sign_in_is_an_act_of_the_user(office: Office, somebody: str) -> None:
    event = await attempt(office, somebody)
    user = office.ids["sales_north"]
    assert (event["outcome"], event["actor_id"], event["record_id"], event["changes"]) == ("OK", user, user, None)
    answer = await office.do("{ auditEvents(first: 1) { nodes { action outcome entityId ip } } }", "SALES")
    (node,) = answer["data"]["auditEvents"]["nodes"]
    assert node == {"action": "signIn", "outcome": "OK", "entityId": f"usr_{user.hex}", "ip": "127.0.0.1"}


@pytest.mark.parametrize("label", ["sales_north", "retired"])
async def test_a_failed_sign_in_is_nobodys_act_about_somebody(office: Office, somebody: str, label: str) -> None:
    event = await attempt(office, office.label(label).email, PASSWORD if label == "retired" else "guess")
    assert (event["outcome"], event["actor_id"], event["record_id"]) == ("FAILED", None, office.ids[label])
    cause = "disabled account" if label == "retired" else "wrong password"
    assert json.loads(event["changes"]) == {"cause": {"before": None, "after": cause}}


@pytest.mark.parametrize(
    ("email", "tried"),
    [
        ("somebody.else@mail.example", "s***@mail.example"),
        ("my secret password", None),
        ("@", "***@"),
        ("a\0b@c\0.example", "a***@c.example"),
        ("x" * 600 + "@mail.example", "x***@mail.example"),
        ("x@" + "y" * 600, "x***@" + "y" * 100),
    ],
)
async def test_an_address_that_is_nobodys_is_not_kept(office: Office, email: str, tried: str | None) -> None:
    event = await attempt(office, email)
    assert (event["outcome"], event["actor_id"], event["record_id"]) == ("FAILED", None, None)
    found = {name: change["after"] for name, change in json.loads(event["changes"]).items()}
    assert found == {"cause": "unknown email"} | ({"tried": tried} if tried is not None else {})


async def test_why_a_sign_in_failed_is_for_the_auditor_alone(office: Office, somebody: str) -> None:
    document = "{ auditEvents(where: { outcome: { eq: FAILED } }, first: 1) { nodes { changes actor { id } } } }"
    own = await office.do(document, "SALES")
    await attempt(office, somebody, "guess")
    (node,) = (await office.do(document, "AUDITOR"))["data"]["auditEvents"]["nodes"]
    assert node == {"changes": {"cause": {"before": None, "after": "wrong password"}}, "actor": None}
    assert (await office.do(document, "SALES"))["data"] == own["data"]
