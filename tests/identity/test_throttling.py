"""Guessing takes ever longer, for accounts and for addresses; nobody is locked out for ever; a clock tells nothing."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from auth.strangers import ACTION, EACH
from auth.throttling import ACCOUNT_FREE, ADDRESS_FREE, LONGEST, place_of
from tests.api import open_api
from tests.fingerprint import fingerprint
from tests.hashing import real_hashes
from tests.identity.accounts import (
    PASSWORD,
    REQUEST,
    RESET,
    SIGN_IN,
    codes_of,
    give_passwords,
    sign_in,
    wait_goes_on,
    wait_is_over,
)
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio


async def attempt(office: Office, email: str, password: str, ip: str = "127.0.0.1") -> Any:
    """OPEN, WRONG, or WAIT."""
    transport = httpx.ASGITransport(office.api.client._transport.app, client=(ip, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://rapport.test") as client:
        body = {"query": SIGN_IN, "variables": {"email": email, "password": password}}
        answer = (await client.post("/graphql", json=body)).json()
    if "errors" in answer:
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert 0 < error["extensions"]["retryAfter"] <= LONGEST
        return "WAIT"
    return "OPEN" if answer["data"]["signIn"]["accessToken"] else "WRONG"


async def guesses(office: Office, email: str, count: int = ACCOUNT_FREE + 1) -> list[list[int]]:
    """So many wrong passwords, each after the wait of the one before and from another address; the waits."""
    found = []
    for number in range(count):
        await wait_is_over(office)
        assert await attempt(office, email, "guess", f"10.{number}.0.1") == "WRONG"
        found.append(await wait_goes_on(office))
    return found


@pytest.fixture
async def email(office: Office) -> str:
    """Somebody's who has a password."""
    await give_passwords(office)
    found: str = office.label("sales_north").email
    return found


# Accounts


@pytest.mark.parametrize("known", [True, False])
async def test_waits_double_to_an_hour_for_accounts_that_are_there_and_that_are_not(
    office: Office, email: str, known: bool
) -> None:
    tried = email if known else "no.such@person.example"
    waits = await guesses(office, tried, ACCOUNT_FREE + 15)
    assert waits[:ACCOUNT_FREE] == [[]] * ACCOUNT_FREE
    assert waits[ACCOUNT_FREE:] == [[min(2**n, LONGEST)] for n in range(15)]


async def test_the_right_password_is_refused_while_there_is_a_wait_and_good_after_it(
    office: Office, email: str
) -> None:
    await guesses(office, email)
    before = await fingerprint(office.url)
    for password in (PASSWORD, "guess"):
        assert await attempt(office, email, password) == "WAIT"
    assert await fingerprint(office.url) == before, "Nothing counts, and nothing is done."
    await wait_is_over(office)
    assert await attempt(office, email, PASSWORD) == "OPEN"


async def test_success_clears_the_account(office: Office, email: str) -> None:
    await guesses(office, email, ACCOUNT_FREE + 4)
    await wait_is_over(office)
    assert await attempt(office, email, PASSWORD) == "OPEN"
    await office.connection.execute("DELETE FROM sessions WHERE ip IS NOT NULL")
    assert await guesses(office, email) == [*[[]] * ACCOUNT_FREE, [1]]


async def test_the_email_as_the_database_compares_it_is_one_account(office: Office, email: str) -> None:
    for number in range(ACCOUNT_FREE + 1):
        assert await attempt(office, email.upper() if number % 2 else email, "guess") == "WRONG"
    await wait_goes_on(office)
    assert await attempt(office, email.title(), "guess") == "WAIT"


async def test_a_hundred_at_once_are_a_hundred(office: Office, email: str) -> None:
    answers = await asyncio.gather(*(attempt(office, email, "guess", f"10.0.{n}.1") for n in range(100)))
    # Each second that all of it takes lets one more through.
    assert ACCOUNT_FREE + 1 <= answers.count("WRONG") <= ACCOUNT_FREE + 6


async def test_guesses_from_elsewhere_make_nobody_wait_where_it_has_signed_in(office: Office, email: str) -> None:
    """Whoever hammers on an account for ever would otherwise keep its owner out for ever."""
    assert await attempt(office, email, PASSWORD, "10.0.0.77") == "OPEN"
    await guesses(office, email)
    assert await attempt(office, email, PASSWORD, "10.9.9.9") == "WAIT"
    assert await attempt(office, email, PASSWORD, "10.0.0.77") == "OPEN"
    for _ in range(ACCOUNT_FREE + 1):
        assert await attempt(office, email, "guess", "10.0.0.77") == "WRONG"
    await wait_goes_on(office)
    assert await attempt(office, email, PASSWORD, "10.0.0.77") == "WAIT", "There it has a count of its own."


async def test_all_workers_count_together(office: Office, email: str) -> None:
    async with open_api(office.url, **LIMITS) as other:
        for number in range(ACCOUNT_FREE + 1):
            api = other if number % 2 else office.api
            answer = await api.post(SIGN_IN, {"email": email, "password": "guess"})
            assert "errors" not in answer
        await wait_goes_on(office)
        for api in (other, office.api):
            assert codes_of(await api.post(SIGN_IN, {"email": email, "password": PASSWORD})) == ["RATE_LIMITED"]


async def test_after_a_day_it_begins_anew(office: Office, email: str) -> None:
    await guesses(office, email, ACCOUNT_FREE + 5)
    await office.connection.execute("UPDATE slowed_down SET until = now(), failed_at = now() - interval '25 hours'")
    assert await guesses(office, email) == [*[[]] * ACCOUNT_FREE, [1]]


async def test_aliases_are_attempts(office: Office, email: str) -> None:
    fields = " ".join(f'a{n}: signIn(email: "{email}", password: "guess{n}") {{ accessToken }}' for n in range(40))
    answer = await office.do(f"mutation {{ {fields} }}", None)
    assert answer["data"] is None
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"RATE_LIMITED"}
    failed = "SELECT count(*) FROM audit_events WHERE action = 'signIn' AND outcome = 'FAILED' AND at > $1"
    tried = await office.connection.fetchval(failed, datetime.now(UTC) - timedelta(minutes=5))
    assert tried <= ACCOUNT_FREE + 6


# Addresses


async def test_an_address_that_tries_many_accounts_waits(office: Office, email: str) -> None:
    for number in range(ADDRESS_FREE + 1):
        assert await attempt(office, f"{number}@shop.example", "guess") == "WRONG"
    assert await wait_goes_on(office) == [1]
    assert await attempt(office, "another@shop.example", "guess") == "WAIT"
    assert await attempt(office, email, PASSWORD) == "WAIT"
    assert await attempt(office, email, PASSWORD, "10.0.0.1") == "OPEN", "Others do not."
    await wait_is_over(office)
    assert await attempt(office, email, PASSWORD) == "OPEN"
    assert await attempt(office, "another@shop.example", "guess") == "WRONG"
    assert await wait_goes_on(office) == [1], "A success gives one failure back, and not all."


def test_a_network_of_ipv6_is_one_place() -> None:
    assert place_of("2001:db8:1:2:aaaa::1") == place_of("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert place_of("2001:db8:1:3::1") != place_of("2001:db8:1:2::1")
    assert place_of("::ffff:10.0.0.1") == place_of("10.0.0.1") == "10.0.0.1"
    assert place_of("a socket") == "a socket"


async def test_emails_that_are_none_count_as_well(office: Office, email: str) -> None:
    for number in range(ADDRESS_FREE + 1):
        assert await attempt(office, ("\0", "x" * 600)[number % 2], "guess") == "WRONG"
    assert await wait_goes_on(office) == [1]
    assert await attempt(office, "\0", "guess") == "WAIT"


# What strangers are refused


CREATE = 'mutation { createCustomer(input: { name: "X" }) { errors { code } } }'


async def denials(office: Office) -> list[Any]:
    return [event for event in await office.events() if event["outcome"] == "DENIED"]


async def test_a_flood_of_refused_changes_is_a_few_events_and_a_count(office: Office) -> None:
    known = len(await denials(office))
    before = await fingerprint(office.url)
    for _ in range(EACH + 30):
        assert codes_of(await office.do(CREATE, None)) == ["UNAUTHENTICATED"]
    for _ in range(3):
        await office.do('mutation { deleteCustomer(id: "cus_1", version: 1) { errors { code } } }', None)
    assert len(await denials(office)) == known + EACH
    await office.api.server.audit.close()
    told = (await denials(office))[known + EACH :]
    (event,) = told
    assert (event["action"], event["actor_id"], event["entity"], event["ip"]) == (ACTION, None, None, "127.0.0.1")
    changes = {name: change["after"] for name, change in json.loads(event["changes"]).items()}
    assert changes == {"count": 33, "fields": {"createCustomer": 30, "deleteCustomer": 3}}
    assert await fingerprint(office.url) == before
    await office.do(CREATE, None)
    assert len(await denials(office)) == known + EACH + 2, "The next minute begins anew."


async def test_others_are_noted_meanwhile(office: Office) -> None:
    for _ in range(EACH + 5):
        await office.do(CREATE, None)
    known = len(await denials(office))
    assert codes_of(await office.do(CREATE, "ANALYST")) == ["FORBIDDEN"]
    assert len(await denials(office)) == known + 1
    transport = httpx.ASGITransport(office.api.client._transport.app, client=("10.0.0.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://rapport.test") as client:
        await client.post("/graphql", json={"query": CREATE})
    assert [event["ip"] for event in (await denials(office))[known + 1 :]] == ["10.0.0.9"]


async def test_refused_sign_ins_are_counted_too(office: Office, email: str) -> None:
    await guesses(office, email)
    known = len(await denials(office))
    for _ in range(EACH + 10):
        assert await attempt(office, email, "guess") == "WAIT"
    assert [event["action"] for event in (await denials(office))[known:]] == ["signIn"] * EACH


# Clocks


Work = Callable[[], Awaitable[Any]]


async def told_apart(office: Office, ways: Mapping[str, Work], rounds: int) -> float:
    """How well two ways are told apart by their time: 0 not at all, 1 without fail.

    It is the area under the ROC curve of a guess by time alone, away from one half. Both are timed in turn, so that
    whatever else the machine does slows both.
    """
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            await office.connection.execute("DELETE FROM slowed_down")
            await office.api.server.letters.close()
            started = time.perf_counter()
            await work()
            took[name].append(time.perf_counter() - started)
    one, other = took.values()
    above = sum((a > b) + (a == b) / 2 for a in one for b in other) / (len(one) * len(other))
    return abs(2 * above - 1)


async def never_told_apart(office: Office, ways: Mapping[str, Work], rounds: int) -> None:
    """Fails only where four series of timings in a row tell the two ways apart (chance alone: below one in 10⁹)."""
    found = []
    for _ in range(4):
        found.append(await told_apart(office, ways, rounds))
        if found[-1] < 0.7:
            return
    raise AssertionError(f"The time tells {' from '.join(ways)}: {found}")


async def test_a_clock_does_not_tell_who_has_an_account_from_signing_in(office: Office) -> None:
    """With hashes as they are, of about 0.1 s each."""
    email, gone = office.label("sales_north").email, office.label("retired").email

    async def one(tried: str, password: str = "guess") -> None:
        await office.do(SIGN_IN, None, email=tried, password=password)

    known = {"known": lambda: one(email), "unknown": lambda: one("no.such@person.example")}
    disabled = {"disabled": lambda: one(gone, PASSWORD), "unknown": lambda: one("no.such@person.example")}
    with real_hashes():
        await give_passwords(office)
        await never_told_apart(office, known, 10)
        await never_told_apart(office, disabled, 10)


async def test_a_clock_does_not_tell_who_has_an_account_from_asking_for_mail(office: Office, email: str) -> None:
    async def one(tried: str) -> None:
        await office.do(REQUEST, None, email=tried)

    ways = {"known": lambda: one(email), "unknown": lambda: one("no.such@person.example")}
    await never_told_apart(office, ways, 15)


async def test_a_clock_does_not_tell_who_has_a_code(office: Office, email: str) -> None:
    await office.do(REQUEST, None, email=email)

    async def one(tried: str) -> None:
        await office.do(RESET, None, email=tried, code="0" * 26, new="a password of good length")

    ways = {"known": lambda: one(email), "unknown": lambda: one("no.such@person.example")}
    await never_told_apart(office, ways, 15)


async def test_signing_in_often_is_no_failure(office: Office, email: str) -> None:
    for _ in range(ADDRESS_FREE + 10):
        assert await sign_in(office, email)
