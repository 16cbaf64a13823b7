"""Second factors: enrolling one, signing in with it, and what a used code is worth."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pyotp
import pytest

from auth.policy import POLICY
from auth.second_factors import SecondFactors, _step
from tests.api import SECRET, open_api
from tests.conftest import Server
from tests.fingerprint import fingerprint
from tests.sessions.office import PASSWORD, STAGES, WHO, Office, open_office, refused, signed_in
from tests.sessions.test_impersonation import acting

pytestmark = pytest.mark.anyio

SIGN_IN = """mutation($email: String!, $password: String!, $code: String) {
  signIn(email: $email, password: $password, code: $code) {
    accessToken refreshToken user { name } errors { field code } } }"""
ENROL = "mutation($password: String!) { enrolSecondFactor(password: $password) { secret uri errors { field code } } }"
CONFIRM = "mutation($code: String!) { confirmSecondFactor(code: $code) { recoveryCodes errors { field code } } }"
RENEW = "mutation($code: String!) { renewRecoveryCodes(code: $code) { recoveryCodes errors { field code } } }"
DISABLE = "mutation($code: String!) { disableSecondFactor(code: $code) { done errors { field code } } }"
RESET = """mutation($id: ID!, $reason: String!) {
  resetSecondFactor(id: $id, reason: $reason) { done errors { field code } } }"""
STATE = "{ viewer { secondFactor { enabled recoveryCodesLeft } } }"
WRONG = [{"field": ["code"], "code": "INVALID"}]
BACK = "UPDATE second_factors SET last_step = last_step - 3"
"""As if the last code had been used a minute and a half ago, so that the present one can be tried again."""


class Factor(NamedTuple):
    """An authenticator, and the recovery codes that came with it."""

    totp: pyotp.TOTP
    recovery: list[str]

    @property
    def code(self) -> str:
        return str(self.totp.now())

    @property
    def wrong(self) -> str:
        now = datetime.now(UTC)
        near = {self.totp.at(now + timedelta(seconds=30 * step)) for step in range(-3, 4)}
        return next(f"{n:06}" for n in range(100) if f"{n:06}" not in near)


async def enrolled(office: Office, token: str) -> Factor:
    """A factor in force, whose present code can still be used."""
    said = (await office.ask(ENROL, token, {"password": PASSWORD}))["data"]["enrolSecondFactor"]
    assert said["errors"] == []
    totp = pyotp.parse_uri(said["uri"])
    assert isinstance(totp, pyotp.TOTP)
    assert totp.secret == said["secret"]
    confirmed = (await office.ask(CONFIRM, token, {"code": totp.now()}))["data"]["confirmSecondFactor"]
    assert confirmed["errors"] == []
    await office.db.execute(BACK)
    return Factor(totp, confirmed["recoveryCodes"])


async def sign_in(office: Office, who: str, code: str | None = None, password: str = PASSWORD, api: int = 0) -> Any:
    """The payload of a sign-in, or the error in its place."""
    variables = {"email": f"{who}@shop.example", "password": password, "code": code}
    answer = await office.ask(SIGN_IN, variables=variables, api=api)
    return answer["data"]["signIn"] if answer["data"] else answer["errors"][0]["extensions"]


async def test_a_stranger_has_none(office: Office) -> None:
    before = await fingerprint(office.url)
    variables = {"password": PASSWORD, "code": "123456", "id": office.typed("SALES"), "reason": "lost it"}
    for document in (ENROL, CONFIRM, RENEW, DISABLE, RESET):
        assert refused(await office.ask(document, None, variables)) == [("UNAUTHENTICATED", "missing")]
    assert await fingerprint(office.url) == before


@pytest.mark.parametrize("role", POLICY)
async def test_everybody_signs_in_in_two_steps_once_it_is_confirmed(office: Office, role: str) -> None:
    token = (await office.sign_in(role)).access
    said = (await office.ask(ENROL, token, {"password": PASSWORD}))["data"]["enrolSecondFactor"]
    assert (await sign_in(office, role))["user"]["name"] == role, "Until its first code it does not count."
    totp = pyotp.TOTP(said["secret"])
    wrong = Factor(totp, []).wrong
    assert (await office.ask(CONFIRM, token, {"code": wrong}))["data"]["confirmSecondFactor"]["errors"] == WRONG
    codes = (await office.ask(CONFIRM, token, {"code": totp.now()}))["data"]["confirmSecondFactor"]["recoveryCodes"]
    assert len(set(codes)) == 10
    await office.db.execute(BACK)
    asked = await sign_in(office, role)
    assert (asked["accessToken"], asked["user"]) == (None, None)
    assert asked["errors"] == [{"field": ["code"], "code": "SECOND_FACTOR_REQUIRED"}]
    assert (await sign_in(office, role, wrong))["errors"] == WRONG
    found = await sign_in(office, role, totp.now(), api=1)
    assert signed_in(await office.ask(WHO, found["accessToken"]), role)
    state = (await office.ask(STATE, found["accessToken"]))["data"]["viewer"]["secondFactor"]
    assert state == {"enabled": True, "recoveryCodesLeft": 10}
    outcomes = [(event["outcome"], event["told"] or "") for event in await office.events("signIn")]
    assert [outcome for outcome, _ in outcomes] == ["OK", "OK", "FAILED", "FAILED", "OK"]
    assert "second factor wanted" in outcomes[2][1]
    assert "wrong code" in outcomes[3][1]


async def test_the_right_code_with_a_wrong_password_says_nothing_of_either(office: Office) -> None:
    factor = await enrolled(office, (await office.sign_in("SALES")).access)
    for code in (None, factor.code, factor.wrong):
        errors = (await sign_in(office, "SALES", code, "not the password"))["errors"]
        assert errors == [{"field": None, "code": "INVALID"}]


async def test_a_used_code_is_not_taken_again(office: Office) -> None:
    """Whoever looks over a shoulder, or in between, has the code too (RFC 6238, 5.2)."""
    factor = await enrolled(office, (await office.sign_in("SALES")).access)
    code = factor.code
    assert (await sign_in(office, "SALES", code))["user"]["name"] == "SALES"
    sessions = await office.db.fetchval("SELECT count(*) FROM sessions")
    for api in (0, 1):
        assert (await sign_in(office, "SALES", code, api=api))["errors"] == WRONG
    assert await office.db.fetchval("SELECT count(*) FROM sessions") == sessions


async def test_of_many_who_send_one_code_at_once_one_gets_in(office: Office) -> None:
    factor = await enrolled(office, (await office.sign_in("SALES")).access)
    code = factor.code
    found = await asyncio.gather(*(sign_in(office, "SALES", code, api=n % 2) for n in range(4)))
    assert sum(each["accessToken"] is not None for each in found) == 1


async def test_a_recovery_code_stands_in_once(office: Office) -> None:
    factor = await enrolled(office, (await office.sign_in("SALES")).access)
    for code in (factor.recovery[0], factor.recovery[1].replace("-", "").upper()):
        assert (await sign_in(office, "SALES", code))["user"]["name"] == "SALES"
        assert (await sign_in(office, "SALES", code))["errors"] == WRONG
    token = (await sign_in(office, "SALES", factor.code))["accessToken"]
    assert (await office.ask(STATE, token))["data"]["viewer"]["secondFactor"]["recoveryCodesLeft"] == 8
    assert (await sign_in(office, "SUPPORT", factor.recovery[2]))["user"]["name"] == "SUPPORT"
    await enrolled(office, (await office.sign_in("SUPPORT")).access)
    assert (await sign_in(office, "SUPPORT", factor.recovery[2]))["errors"] == WRONG, "They are one user's own."
    await office.db.execute(BACK)
    newer = (await office.ask(RENEW, token, {"code": factor.code}))["data"]["renewRecoveryCodes"]["recoveryCodes"]
    assert (await sign_in(office, "SALES", factor.recovery[3]))["errors"] == WRONG
    assert (await sign_in(office, "SALES", newer[0]))["user"]["name"] == "SALES"


async def test_guessing_has_to_wait_and_locks_nobody_out(office: Office) -> None:
    factor = await enrolled(office, (await office.sign_in("SALES")).access)
    for _ in range(5):
        assert (await sign_in(office, "SALES", factor.wrong))["errors"] == WRONG
    waiting = await sign_in(office, "SALES", factor.code)
    assert (waiting["code"], waiting["retryAfter"]) == ("RATE_LIMITED", 1)
    # Signing in has waits of its own (see tests/identity); these are those of the codes.
    await office.db.execute("DELETE FROM slowed_down")
    await office.db.execute("UPDATE second_factors SET failures = 40")
    waiting = await sign_in(office, "SALES", factor.code)
    assert 3_500 < waiting["retryAfter"] <= 3_600
    assert (await sign_in(office, "SALES", factor.recovery[0]))["user"]["name"] == "SALES", "These cannot be guessed."
    await office.db.execute("UPDATE second_factors SET tried_at = now() - interval '2 hours'")
    assert (await sign_in(office, "SALES", factor.code))["user"]["name"] == "SALES"
    assert await office.db.fetchval("SELECT failures FROM second_factors") == 0


async def test_disabling_needs_a_code(office: Office) -> None:
    token = (await office.sign_in("SALES")).access
    factor = await enrolled(office, token)
    assert (await office.ask(DISABLE, token, {"code": factor.wrong}))["data"]["disableSecondFactor"]["errors"] == WRONG
    assert (await sign_in(office, "SALES"))["errors"][0]["code"] == "SECOND_FACTOR_REQUIRED"
    again = (await office.ask(ENROL, token, {"password": PASSWORD}))["data"]["enrolSecondFactor"]
    assert (again["secret"], again["errors"]) == (None, [{"field": ["password"], "code": "IN_USE"}])
    assert (await office.ask(DISABLE, token, {"code": factor.code}))["data"]["disableSecondFactor"]["done"]
    assert (await sign_in(office, "SALES"))["user"]["name"] == "SALES"
    assert await office.db.fetchval("SELECT count(*) FROM recovery_codes") == 0
    actions = ("enrolSecondFactor", "confirmSecondFactor", "disableSecondFactor")
    assert [[e["outcome"] for e in await office.events(a)] for a in actions] == [["OK"], ["OK"], ["FAILED", "OK"]]


async def test_enrolling_needs_the_password(office: Office) -> None:
    """A session that was left open is not enough to shut its user out."""
    token = (await office.sign_in("SALES")).access
    before = await fingerprint(office.url)
    said = (await office.ask(ENROL, token, {"password": "not the password"}))["data"]["enrolSecondFactor"]
    assert (said["secret"], said["errors"]) == (None, [{"field": ["password"], "code": "INVALID"}])
    after = await fingerprint(office.url)
    assert after.pop("slowed_down") != before.pop("slowed_down"), "Guessing is counted."
    assert after == before


async def test_nothing_of_it_is_changed_by_who_acts_as_the_user(office: Office) -> None:
    admin = await office.sign_in("ADMIN")
    token = await acting(office, admin.access, "SALES")
    before = await fingerprint(office.url)
    variables = {"password": PASSWORD, "code": "123456", "id": office.typed("SALES2"), "reason": "lost it"}
    for document in (ENROL, CONFIRM, RENEW, DISABLE, RESET):
        assert refused(await office.ask(document, token, variables)) == [("FORBIDDEN", None)]
    assert await fingerprint(office.url) == before


@pytest.mark.parametrize("role", POLICY)
async def test_only_who_may_takes_it_from_others(office: Office, role: str) -> None:
    victim = (await office.sign_in("SALES2")).access
    await enrolled(office, victim)
    caller = (await office.sign_in(role)).access
    before = await fingerprint(office.url)
    answer = await office.ask(RESET, caller, {"id": office.typed("SALES2"), "reason": "Their phone is lost"})
    if role == "ADMIN":
        assert answer["data"]["resetSecondFactor"] == {"done": True, "errors": []}
        assert refused(await office.ask(STAGES, victim, api=1)) == [("UNAUTHENTICATED", "revoked")]
        assert (await sign_in(office, "SALES2"))["user"]["name"] == "SALES2"
        again = await office.ask(RESET, caller, {"id": office.typed("SALES2"), "reason": "Once more"})
        assert again["data"]["resetSecondFactor"]["errors"] == [{"field": ["id"], "code": "NOT_FOUND"}]
        mine = await office.ask(RESET, caller, {"id": office.typed("ADMIN"), "reason": "Mine as well"})
        assert mine["data"]["resetSecondFactor"]["errors"] == [{"field": ["id"], "code": "INVALID"}]
        (event,) = await office.events("resetSecondFactor")
        assert "Their phone is lost" in event["told"]
    else:
        assert refused(answer) == [("FORBIDDEN", None)]
        assert await fingerprint(office.url) == before


async def test_a_role_that_needs_one_has_no_access_without(server: Server, migrated: str) -> None:
    async with open_office(server, migrated, second_factor_roles=["ADMIN"]) as office:
        said = await sign_in(office, "ADMIN")
        assert said["errors"] == [{"field": None, "code": "SECOND_FACTOR_REQUIRED"}]
        assert said["user"] is None
        token = said["accessToken"]
        for api in (0, 1):
            for document in (STAGES, WHO, "mutation { exportProducts { url } }"):
                assert refused(await office.ask(document, token, api=api)) == [("UNAUTHENTICATED", "secondFactor")]
        factor = await enrolled(office, token)
        for api in (0, 1):
            assert "errors" not in await office.ask(STAGES, token, api=api), "It goes on with the session that it has."
        assert (await sign_in(office, "ADMIN", factor.code))["errors"] == []
        assert signed_in(await office.ask(WHO, (await office.sign_in("SALES")).access), "SALES")
        acting_as = await acting(office, (await sign_in(office, "ADMIN", factor.recovery[0]))["accessToken"], "ADMIN2")
        assert signed_in(await office.ask(WHO, acting_as), "ADMIN2")
        await office.db.execute(BACK)
        assert (await office.ask(DISABLE, token, {"code": factor.code}))["data"]["disableSecondFactor"]["done"]
        for api in (1, 0):
            assert refused(await office.ask(STAGES, token, api=api)) == [("UNAUTHENTICATED", "secondFactor")]


async def test_the_secret_is_kept_encrypted_and_survives_another_key(office: Office) -> None:
    factor = await enrolled(office, (await office.sign_in("SALES")).access)
    kept = await office.db.fetchval("SELECT secret FROM second_factors")
    assert factor.totp.secret.encode() not in kept
    text = ""
    for table in ("recovery_codes", "second_factors", "audit_events", "outbox"):
        text += await office.db.fetchval(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} t")
    for secret in (factor.totp.secret, factor.code, *factor.recovery, factor.recovery[0].replace("-", "")):
        assert secret not in text
    new = "another secret, and as long as it has to be"
    variables = {"email": "SALES@shop.example", "password": PASSWORD, "code": factor.code}
    async with open_api(office.url, secret=new) as api:
        assert (await api.post(SIGN_IN, variables))["data"]["signIn"]["errors"] == WRONG
    async with open_api(office.url, secret=new, former_secrets=(SECRET,)) as api:
        assert (await api.post(SIGN_IN, variables))["data"]["signIn"]["errors"] == []
    await office.db.execute(BACK)
    async with open_api(office.url, secret=new) as api:
        variables["code"] = factor.code
        said = (await api.post(SIGN_IN, variables))["data"]["signIn"]
        assert said["errors"] == [], "It was encrypted anew when it was used."


async def test_a_secret_belongs_to_one_user(office: Office) -> None:
    """Whoever writes to the database cannot give one user the factor of another."""
    factor = await enrolled(office, (await office.sign_in("SALES")).access)
    await office.db.execute(
        "INSERT INTO second_factors (user_id, secret, created_at, confirmed_at)"
        " SELECT $1, secret, created_at, confirmed_at FROM second_factors",
        office.people["SUPPORT"],
    )
    assert (await sign_in(office, "SUPPORT", factor.code))["errors"] == WRONG


def test_the_clock_may_be_half_a_minute_off() -> None:
    totp = pyotp.TOTP(pyotp.random_base32())
    now = datetime.fromtimestamp(1_800_000_000, UTC)
    present = 1_800_000_000 // 30
    for step in range(-3, 4):
        code = str(totp.generate_otp(present + step))
        assert _step(totp.secret, code, now, None) == (present + step if abs(step) <= 1 else None)
        assert _step(totp.secret, code, now, present + step) is None
    for odd in ("", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "\0", "ü"):
        assert _step(totp.secret, odd, now, None) is None
    assert SecondFactors(SECRET, (), "Shop")._opened(b"", UUID(int=1)) is None
