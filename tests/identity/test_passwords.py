"""Passwords: what they must be, and changing one's own."""

import logging
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auth import passwords as hashing
from auth.password_rules import LONGEST, length_problem, problem_of
from auth.passwords import LONGEST_FORM, Passwords, hash_now, normal
from tests.fingerprint import fingerprint
from tests.hashing import real_hashes
from tests.identity.accounts import (
    BETTER,
    CHANGE,
    PASSWORD,
    SIGN_IN,
    ask,
    codes_of,
    give_passwords,
    problems,
    sign_in,
    viewer,
    wait_goes_on,
    wait_is_over,
)
from tests.matrix import CALLERS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

KNOWN = ("Ada Lovelace", "ada.lovelace@shop.example", "Rapport Demo Shop")


def why(password: str, *known: str) -> str | None:
    found = problem_of(password, known or KNOWN, ("new",))
    assert found is None or found.field == ("new",)
    return None if found is None else found.message


# What a password must be


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        BETTER,
        "ünïcödé straße 東京 🐎",
        "aB3$aB3$xYz9",
        "            spaces count too",
        "ada lovelace eats purple bicycles",
        "x9fK" * 3 + "!7qLm2",
        "correct horse battery staple " * 30,
    ],
)
def test_what_is_long_and_not_common_will_do(password: str) -> None:
    assert why(password) is None


@pytest.mark.parametrize("password", ["", "short", "eleven char", "🐎" * 11, "ﷺ", "ﷺ" * 11, "e\u0301" * 6])
def test_what_is_typed_counts_not_what_unicode_makes_of_it(password: str) -> None:
    """One character is eighteen in the form that is hashed, and two that are typed may be one in it."""
    assert "use 12 or more" in str(why(password))


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password1234!",
        "P@ssw0rd1234",
        "123456789012",
        "qwertyuiop12",
        "passwordpassword",
        "iloveyou2023",
        "abcdefghijkl",
        "abcabcabcabc",
        "aaaaaaaaaaaa",
        "abababababab",
        "ＰＡＳＳＷＯＲＤ１２３４",  # As a full-width keyboard has it.
        "administrator",
        "letmeinletmein",
        "1q2w3e4r5t6y",
    ],
)
def test_what_is_tried_first_will_not_do(password: str) -> None:
    assert why(password) is not None


@pytest.mark.parametrize(
    "password",
    [
        "Ada Lovelace",
        "adalovelace!",
        "ada.lovelace@shop.example",
        "ADA.LOVELACE@SHOP.EXAMPLE",
        "lovelace-ada-2026",
        "ＡＤＡ lovelace1",  # As a full-width keyboard has it.
        "LovelaceAdaLovelace",
        "rapport demo shop",
        "rapport demo 2026",
    ],
)
def test_a_name_is_no_password(password: str) -> None:
    assert "little more than" in str(why(password))


@given(st.text(max_size=LONGEST + 20))
@example("x" * (LONGEST + 1))
@example("\0" * 20)
@example("\ud800" * 20)
@example("ﷺ" * LONGEST)
@example("ﷺ" * 227)
@example("ﷺ" * 228)
@settings(max_examples=200, deadline=None)
def test_every_text_has_an_answer(password: str) -> None:
    found = length_problem(password, ("new",))
    if found is None:
        assert 12 <= len(password) <= LONGEST
        assert 12 <= len(normal(password)) <= LONGEST_FORM
        assert normal(password) not in hash_now(password)
    elif len(password) > LONGEST:
        assert (found.code, found.params) == ("TOO_LONG", {"max": LONGEST, "actual": len(password)})
    elif len(normal(password)) > LONGEST_FORM:
        written = {"max": LONGEST_FORM, "actual": len(normal(password))}
        assert (found.code, found.params) == ("TOO_LONG", written)


async def test_the_same_characters_are_the_same_password() -> None:
    """Keyboards differ in how they make an é, and in width."""
    passwords = Passwords(1, 10)
    hashed = await passwords.hash("café ℌorse battery")
    for same in ("café ℌorse battery", "cafe\u0301 Horse battery", "ｃａｆé Horse battery"):
        assert await passwords.verify(same, hashed), same
    assert not await passwords.verify("cafe Horse battery", hashed)
    passwords.close()


async def test_for_nobody_it_takes_as_long() -> None:
    with real_hashes():
        passwords = Passwords(1, 10)
        assert not passwords.outdated(hashing._NOBODYS)
        assert not await passwords.verify("the password of nobody", None)
        passwords.close()


async def test_a_hash_with_other_parameters_is_made_anew_at_sign_in(office: Office) -> None:
    from passlib.hash import argon2

    weak = argon2.using(type="ID", memory_cost=8_192, time_cost=1, parallelism=1).hash(PASSWORD)
    with real_hashes():
        await made_anew(office, weak)


async def made_anew(office: Office, weak: str) -> None:
    """A sign-in with the right password replaces the hash, once."""
    user, email = office.ids["sales_north"], office.label("sales_north").email
    await office.connection.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user, weak)
    assert await sign_in(office, email, "not the password") is None
    assert await office.connection.fetchval("SELECT password_hash FROM users WHERE id = $1", user) == weak
    for _ in range(2):
        assert await sign_in(office, email)
        stored = await office.connection.fetchval("SELECT password_hash FROM users WHERE id = $1", user)
        assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert office.api.server.passwords.outdated(weak)
    assert not office.api.server.passwords.outdated(stored)


# Changing one's own


async def test_by_a_stranger(office: Office) -> None:
    await give_passwords(office)
    before = await fingerprint(office.url)
    answer = await office.do(CHANGE, None, current=PASSWORD, new=BETTER)
    assert codes_of(answer) == ["UNAUTHENTICATED"]
    assert await fingerprint(office.url) == before


@pytest.mark.parametrize("role", CALLERS)
async def test_by_every_role(office: Office, role: str) -> None:
    await give_passwords(office)
    email = office.label(CALLERS[role]).email
    first, second = await sign_in(office, email), await sign_in(office, email)
    assert first is not None
    assert second is not None
    other = await sign_in(office, office.label("retired" if role == "x" else "manager_south").email)
    assert other is not None
    answer = await ask(office, first, CHANGE, current=PASSWORD, new=BETTER)
    assert answer["data"]["changePassword"] == {"done": True, "errors": []}
    assert await viewer(office, first) == f"usr_{office.user(role).hex}", "Whoever changes it stays."
    assert await viewer(office, second) == "revoked"
    assert await viewer(office, other) == f"usr_{office.ids['manager_south'].hex}"
    assert await sign_in(office, email) is None
    assert await sign_in(office, email, BETTER)
    event = (await office.events())[-3]
    assert (event["action"], event["entity"], event["outcome"]) == ("changePassword", "User", "OK")
    assert (event["actor_id"], event["record_id"], event["changes"]) == (office.user(role), office.user(role), None)


@pytest.mark.parametrize(
    ("current", "new", "expected"),
    [
        ("wrong", BETTER, [(["current"], "INVALID")]),
        ("", BETTER, [(["current"], "INVALID")]),
        ("x" * 100_000, BETTER, [(["current"], "INVALID")]),
        ("wrong", "short", [(["current"], "INVALID"), (["new"], "INVALID")]),
        (PASSWORD, "short", [(["new"], "INVALID")]),
        (PASSWORD, "x" * 1_001, [(["new"], "TOO_LONG")]),
        (PASSWORD, "password1234", [(["new"], "INVALID")]),
        (PASSWORD, PASSWORD, [(["new"], "INVALID")]),
        (PASSWORD, "good enough\tbut tabbed", [(["new"], "INVALID")]),
    ],
)
async def test_what_is_wrong_is_told_at_its_place(office: Office, current: str, new: str, expected: Any) -> None:
    await give_passwords(office)
    hashes = await office.connection.fetch("SELECT id, password_hash, version FROM users ORDER BY id")
    token = await sign_in(office, office.label("sales_north").email)
    assert token is not None
    answer = await ask(office, token, CHANGE, current=current, new=new)
    assert problems(answer["data"]["changePassword"]) == expected
    assert answer["data"]["changePassword"]["done"] is False
    assert await office.connection.fetch("SELECT id, password_hash, version FROM users ORDER BY id") == hashes
    assert await viewer(office, token) == f"usr_{office.ids['sales_north'].hex}"


async def test_ones_own_name_is_no_password(office: Office) -> None:
    await give_passwords(office)
    row = office.label("sales_north")
    token = await sign_in(office, row.email)
    assert token is not None
    answer = await ask(office, token, CHANGE, current=PASSWORD, new=row.email)
    (error,) = answer["data"]["changePassword"]["errors"]
    assert error["field"] == ["new"]


async def test_whoever_has_the_session_cannot_guess_the_password(office: Office) -> None:
    await give_passwords(office)
    token = await sign_in(office, office.label("sales_north").email)
    assert token is not None
    for _ in range(6):
        assert "errors" not in await ask(office, token, CHANGE, current="guess", new=BETTER)
    await wait_goes_on(office)
    answer = await ask(office, token, CHANGE, current=PASSWORD, new=BETTER)
    assert codes_of(answer) == ["RATE_LIMITED"]
    assert await sign_in(office, office.label("sales_north").email), "Signing in has a count of its own."
    await wait_is_over(office)
    answer = await ask(office, token, CHANGE, current=PASSWORD, new=BETTER)
    assert answer["data"]["changePassword"]["done"] is True


async def test_no_password_is_written_anywhere(capfd: Any, caplog: Any, office: Office) -> None:
    caplog.set_level(logging.DEBUG)
    await give_passwords(office)
    token = await sign_in(office, office.label("sales_north").email)
    assert token is not None
    await ask(office, token, CHANGE, current="a wrong one of mine", new=BETTER)
    await ask(office, token, CHANGE, current=PASSWORD, new="password1234")
    await ask(office, token, CHANGE, current=PASSWORD, new=BETTER)
    said = caplog.text + "".join(capfd.readouterr())
    for table in ("users", "audit_events", "outbox", "idempotency_keys", "sessions", "slowed_down"):
        said += await office.connection.fetchval(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} t")
    for secret in (PASSWORD, BETTER, "a wrong one of mine", "password1234"):
        assert secret not in said
        assert secret.encode().hex() not in said


async def test_signing_in_does_not_say_more_than_before(office: Office) -> None:
    await give_passwords(office)
    answers = [
        (await office.do(SIGN_IN, None, email=email, password=password))["data"]["signIn"]["errors"]
        for email, password in (
            (office.label("sales_north").email, "guess"),
            ("no.such@person.example", PASSWORD),
            (office.label("retired").email, PASSWORD),
        )
    ]
    assert answers[0] == answers[1] == answers[2] != []
