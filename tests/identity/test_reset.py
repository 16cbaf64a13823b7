"""A new password by mail: the code arrives, is good once, cannot be guessed, and tells nobody who has an account."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import app.mail
import auth.letters
from app.mail import Mailer, MailRefusedError
from app.models.base import utcnow
from app.settings import Settings
from auth import codes
from auth.codes import GUESSES, Purpose
from auth.throttling import ADDRESS_FREE
from tests.api import open_api
from tests.fingerprint import fingerprint
from tests.identity.accounts import (
    BETTER,
    PASSWORD,
    REQUEST,
    RESET,
    Post,
    code_in,
    codes_of,
    give_passwords,
    post_office,
    problems,
    sign_in,
    viewer,
    wait_goes_on,
    wait_is_over,
)
from tests.matrix import CALLERS
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def mailing(office: Office, **more: Any) -> AsyncIterator[Post]:
    """The office's API with a mail server."""
    before = office.api
    async with post_office() as post, open_api(office.url, **{**LIMITS, **post.settings, **more}) as api:
        office.api = api
        yield post
        office.api = before


@pytest.fixture
async def post(office: Office) -> AsyncIterator[Post]:
    await give_passwords(office)
    async with mailing(office) as found:
        yield found


async def ask_for(office: Office, email: str) -> None:
    answer = await office.do(REQUEST, None, email=email)
    assert answer["data"]["requestPasswordReset"] == {"done": True, "errors": []}


async def set_anew(office: Office, email: str, code: str, new: str = BETTER) -> Any:
    answer = await office.do(RESET, None, email=email, code=code, new=new)
    assert "errors" not in answer, answer
    return answer["data"]["resetPassword"]


async def code_for(office: Office, post: Post, email: str) -> str:
    await ask_for(office, email)
    return code_in((await post.next())[1])


@pytest.mark.parametrize("role", CALLERS)
async def test_everybody_can_set_a_new_password(office: Office, post: Post, role: str) -> None:
    email, user = office.label(CALLERS[role]).email, office.user(role)
    held = await sign_in(office, email)
    assert held is not None
    await ask_for(office, email.upper())
    to, letter = await post.next()
    assert to == [email]
    assert letter["To"] == email
    assert PASSWORD not in letter.get_content()
    assert await viewer(office, held) == f"usr_{user.hex}", "Asking ends nothing."
    assert await set_anew(office, email, code_in(letter).upper()) == {"done": True, "errors": []}
    assert await viewer(office, held) == "revoked"
    assert await sign_in(office, email) is None
    assert await sign_in(office, email, BETTER)
    asked, done = [
        event for event in await office.events() if event["action"] in ("requestPasswordReset", "resetPassword")
    ]
    assert (asked["actor_id"], asked["record_id"], asked["outcome"]) == (None, user, "OK")
    assert (done["actor_id"], done["record_id"], done["outcome"]) == (user, user, "OK")
    assert "was changed" in (await post.next())[1]["Subject"]


@pytest.mark.parametrize("label", [None, "retired"])
async def test_for_nobody_and_for_who_has_left_nothing_is_sent(office: Office, post: Post, label: str | None) -> None:
    email = office.label(label).email if label else "no.such@person.example"
    await ask_for(office, email)
    await office.api.server.letters.close()
    assert post.taken == []
    assert await office.connection.fetchval("SELECT count(*) FROM one_time_codes") == 0
    event = (await office.events())[-1]
    assert (event["action"], event["record_id"], event["outcome"]) == ("requestPasswordReset", None, "FAILED")


@pytest.mark.parametrize(
    "trick",
    [
        "SALES_NORTH",
        "sales_north ",
        " sales_north",
        "ſales_north",
        "sales_north\u200b",
        "ｓales_north",
        "sales_n\u043erth",
    ],
)
async def test_look_alikes_are_other_addresses(office: Office, post: Post, trick: str) -> None:
    """What is sent goes to the address of the account, so that whoever owns its look-alike gets nothing."""
    user = office.ids["sales_north"]
    await office.connection.execute("UPDATE users SET email = 'sales_north@shop.example' WHERE id = $1", user)
    await ask_for(office, f"{trick}@shop.example")
    await office.api.server.letters.close()
    for to, _ in post.taken:
        assert to == ["sales_north@shop.example"]
    assert len(post.taken) == (trick == "SALES_NORTH")


async def test_a_letter_that_matches_in_another_script_goes_to_the_account(office: Office, post: Post) -> None:
    """PostgreSQL's lower() makes a k of the Kelvin sign."""
    await office.connection.execute(
        "UPDATE users SET email = 'kim@shop.example' WHERE id = $1", office.ids["sales_north"]
    )
    await ask_for(office, "\u212aim@shop.example")
    await office.api.server.letters.close()
    assert [to for to, _ in post.taken] in ([], [["kim@shop.example"]])


async def test_a_code_is_good_once_and_the_last_one_alone(office: Office, post: Post) -> None:
    email = office.label("sales_north").email
    first = await code_for(office, post, email)
    second = await code_for(office, post, email)
    assert first != second
    assert problems(await set_anew(office, email, first)) == [(["code"], "INVALID")]
    assert (await set_anew(office, email, second))["done"] is True
    assert problems(await set_anew(office, email, second, "another one of good length")) == [(["code"], "INVALID")]
    assert await sign_in(office, email, BETTER)


async def test_two_at_once_with_one_code_are_one(office: Office, post: Post) -> None:
    email = office.label("sales_north").email
    code = await code_for(office, post, email)
    news = [f"{BETTER} {n}" for n in range(4)]
    done = await asyncio.gather(*(set_anew(office, email, code, new) for new in news))
    assert sum(each["done"] for each in done) == 1
    (right,) = [new for new, each in zip(news, done, strict=True) if each["done"]]
    assert await sign_in(office, email, right)


async def test_a_code_is_somebodys(office: Office, post: Post) -> None:
    mine, theirs = office.label("sales_north").email, office.label("admin").email
    code = await code_for(office, post, mine)
    for email in (theirs, "no.such@person.example", "", "\0", "x" * 10_000):
        assert problems(await set_anew(office, email, code)) == [(["code"], "INVALID")]
    assert await sign_in(office, theirs)
    assert (await set_anew(office, mine, code))["done"] is True


async def test_a_code_grows_old(office: Office, post: Post) -> None:
    email = office.label("sales_north").email
    code = await code_for(office, post, email)
    await office.connection.execute("UPDATE one_time_codes SET expires_at = now()")
    assert problems(await set_anew(office, email, code)) == [(["code"], "INVALID")]
    assert await sign_in(office, email)


async def test_a_code_of_somebody_who_has_left_is_dead(office: Office, post: Post) -> None:
    email = office.label("sales_north").email
    code = await code_for(office, post, email)
    await office.connection.execute("UPDATE users SET active = false WHERE id = $1", office.ids["sales_north"])
    assert problems(await set_anew(office, email, code)) == [(["code"], "INVALID")]
    hashed = "SELECT password_hash FROM users WHERE id = $1"
    before = await office.connection.fetchval(hashed, office.ids["admin"])
    assert await office.connection.fetchval(hashed, office.ids["sales_north"]) == before


async def test_a_bad_password_does_not_use_the_code_up(office: Office, post: Post) -> None:
    row = office.label("sales_north")
    code = await code_for(office, post, row.email)
    for bad in ("short", "password1234", row.email, "x" * 1_001):
        (error,) = (await set_anew(office, row.email, code, bad))["errors"]
        assert error["field"] == ["new"]
    assert problems(await set_anew(office, row.email, "0" * 26, "short")) == [
        (["code"], "INVALID"),
        (["new"], "INVALID"),
    ]
    assert (await set_anew(office, row.email, code))["done"] is True


async def test_whoever_has_no_password_yet_sets_the_first(office: Office, post: Post) -> None:
    row = office.label("sales_north")
    await office.connection.execute("UPDATE users SET password_hash = NULL WHERE id = $1", row.id)
    async with office.connection.transaction():
        code = await codes.issue(office.connection, row.id, Purpose.INVITATION, utcnow())
    assert (await set_anew(office, row.email, code))["done"] is True
    assert await sign_in(office, row.email, BETTER)


async def test_guesses_are_slowed_down(office: Office, post: Post) -> None:
    email = office.label("sales_north").email
    code = await code_for(office, post, email)
    for number in range(ADDRESS_FREE + 3):
        await wait_is_over(office)
        assert problems(await set_anew(office, email, f"{number:026}")) == [(["code"], "INVALID")]
    assert await wait_goes_on(office) == [4]
    answer = await office.do(RESET, None, email=email, code=code, new=BETTER)
    assert codes_of(answer) == ["RATE_LIMITED"]
    await wait_is_over(office)
    assert (await set_anew(office, email, code))["done"] is True


async def test_after_a_hundred_guesses_a_code_is_dead(office: Office, post: Post) -> None:
    row = office.label("sales_north")
    code = await code_for(office, post, row.email)
    now = utcnow()
    for number in range(GUESSES):
        assert not await codes.redeem(
            office.connection, row.id, f"{number:026}", [Purpose.PASSWORD_RESET, Purpose.INVITATION], now
        )
    assert problems(await set_anew(office, row.email, code)) == [(["code"], "INVALID")]
    assert await sign_in(office, row.email)


async def test_codes_are_kept_as_hashes(office: Office, post: Post) -> None:
    code = await code_for(office, post, office.label("sales_north").email)
    for table in ("one_time_codes", "audit_events", "outbox"):
        text = await office.connection.fetchval(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} t")
        assert code not in text
        assert code.encode().hex() not in text


async def test_old_codes_are_cleared_away(office: Office, post: Post) -> None:
    from app.keeper import Keeper

    await code_for(office, post, office.label("sales_north").email)
    keeper = Keeper(office.url, Settings(secret="x" * 40))
    await keeper.purge(office.connection)
    assert await office.connection.fetchval("SELECT count(*) FROM one_time_codes") == 1
    await office.connection.execute("UPDATE one_time_codes SET expires_at = $1", utcnow() - timedelta(hours=25))
    await keeper.purge(office.connection)
    assert await office.connection.fetchval("SELECT count(*) FROM one_time_codes") == 0


async def test_letters_to_one_address_are_few(office: Office, post: Post) -> None:
    """Nobody's mailbox can be filled; and the last letter's code stays good, for the wait is never longer than that."""
    email = office.label("sales_north").email
    for _ in range(9):
        await ask_for(office, email)
    await office.api.server.letters.close()
    assert len(post.taken) == 6
    assert (await set_anew(office, email, code_in(post.taken[-1][1])))["done"] is True


async def test_asking_too_often_is_slowed_down(office: Office, post: Post) -> None:
    """By address, so that it says nothing about accounts."""
    answers = [await office.do(REQUEST, None, email=f"{number}@x.example") for number in range(22)]
    assert [codes_of(answer) for answer in answers[:21]] == [[]] * 21
    assert codes_of(answers[21]) in (["RATE_LIMITED"], [])
    await wait_goes_on(office)
    assert (await office.do(REQUEST, None, email=office.label("admin").email))["errors"]
    await wait_is_over(office)
    await ask_for(office, office.label("admin").email)


async def test_a_link_leads_to_the_page_that_is_set(office: Office) -> None:
    async with mailing(office, password_page="https://app.shop.example/password") as post:
        await ask_for(office, office.label("sales_north").email)
        text = (await post.next())[1].get_content()
    assert "Open https://app.shop.example/password#email=" in text.replace("\n", "")


# Mail


class Log:
    """What would have been logged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said = ""
        for module in (app.mail, auth.letters):
            monkeypatch.setattr(module, "_log", self)

    def info(self, event: str, **more: Any) -> None:
        self.said += f"{event} {more}"

    warning = error = info


async def test_without_a_mail_server_production_refuses_and_development_logs(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch)
    await give_passwords(office)
    email = office.label("sales_north").email
    before = await fingerprint(office.url)
    async with open_api(office.url, **LIMITS, environment="production") as api:
        for address in (email, "no.such@person.example"):
            answer = await api.post(REQUEST, {"email": address})
            said = answer["data"]["requestPasswordReset"]
            assert said["done"] is False
            assert "RAPPORT_SMTP_HOST" in said["errors"][0]["message"]
        assert await fingerprint(office.url) == before
    async with open_api(office.url, **LIMITS) as api:
        office.api = api
        await ask_for(office, email)
        await api.server.letters.close()
    assert email in log.said
    assert "The code: " in log.said


async def test_a_mail_server_that_refuses_changes_no_answer(
    office: Office, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch)
    post.refuses = "554 No, and here is what you sent: secret"
    await ask_for(office, office.label("sales_north").email)
    await office.api.server.letters.close()
    assert post.taken == []
    assert "was not sent" in log.said
    assert "secret" not in log.said
    assert office.label("sales_north").email not in log.said


INJECTIONS = (
    "a@b.example\r\nBcc: c@d.example",
    "a@b.example\nBcc: c@d.example",
    "a@b.example, c@d.example",
    "<a@b.example> c@d.example",
    "Name <a@b.example>",
    "a@b.example\u2028Bcc: c@d.example",
    "a@b.example\0",
    "a b@c.example",
    "a@b@c.example",
    "@b.example",
    "a@",
    "a",
    "",
    "a@b.example>\r\nDATA",
    '"a\r\nRCPT TO:<x@y.example>"@b.example',
)


def mailer(**more: Any) -> Mailer:
    return Mailer(Settings(smtp_host="127.0.0.1", **more))


@pytest.mark.parametrize("address", INJECTIONS)
def test_an_address_is_one_address(address: str) -> None:
    with pytest.raises(MailRefusedError):
        mailer().message(address, "Hello", "Text")


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=200))
@example("a@b.example", "Hello\r\nBcc: c@d.example", "Text")
@example("a@b.example", "Hello\u2028Bcc: c@d.example", "Text")
@example("zoë@schön.example", "Grüße 東京 🐎", "Text\r\n.\r\nQUIT")
@settings(max_examples=300, deadline=None)
def test_no_text_makes_another_header(to: str, subject: str, text: str) -> None:
    try:
        message = mailer().message(to, subject, text)
    except MailRefusedError:
        return
    assert [name for name, _ in message.items()] == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    ]
    assert message["To"] == to
    assert message["Subject"] == subject
    head = message.as_bytes().partition(b"\r\n\r\n")[0].decode(errors="replace")
    names = [line.partition(":")[0].lower() for line in head.splitlines() if line and line[0] not in " \t"]
    assert sorted(names) == sorted(name.lower() for name, _ in message.items())


async def test_what_is_written_arrives(office: Office) -> None:
    async with post_office() as post:
        found = Mailer(Settings(**post.settings))
        await found.send("zoë@shop.example", "Grüße 🐎", "Text\n.\nand a line that is a dot\n")
        to, message = await post.next()
    assert to == ["zoë@shop.example"]
    assert message["Subject"] == "Grüße 🐎"
    assert message.get_content().replace("\r\n", "\n") == "Text\n.\nand a line that is a dot\n"


@pytest.mark.parametrize("sender", ["", "rapport", "a@b\r\nBcc: c@d", "a@b.example, c@d.example\n"])
def test_a_sender_that_is_none_is_refused_at_start(sender: str) -> None:
    with pytest.raises(ValueError, match="It has to be an address"):
        Settings(smtp_from=sender)
