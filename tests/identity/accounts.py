"""Accounts as the tests of identity use them: passwords, mail that arrives, and waits that are over."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from functools import cache
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

import auth.passwords
from auth.passwords import hash_now
from tests.writing.deeds import Office

PASSWORD = "correct horse battery staple"
BETTER = "nine lizards on a tin roof"
SIGN_IN = """mutation($email: String!, $password: String!) {
  signIn(email: $email, password: $password) { accessToken refreshToken errors { field code message } }
}"""
CHANGE = """mutation($current: String!, $new: String!) {
  changePassword(current: $current, new: $new) { done errors { field code message params } }
}"""
REQUEST = "mutation($email: String!) { requestPasswordReset(email: $email) { done errors { field code message } } }"
RESET = """mutation($email: String!, $code: String!, $new: String!) {
  resetPassword(email: $email, code: $code, new: $new) { done errors { field code message params } }
}"""


def hashed(password: str = PASSWORD) -> str:
    """The hash of a password, made once by each hasher: a test may have put a quicker one in place."""
    return _hashed(password, auth.passwords._HASH)


@cache
def _hashed(password: str, _: Any) -> str:
    return hash_now(password)


async def give_passwords(office: Office) -> None:
    """Let everybody sign in with ``PASSWORD``."""
    await office.connection.execute("UPDATE users SET password_hash = $1", hashed())


async def wait_is_over(office: Office) -> None:
    """All waits end now; the counts stay."""
    await office.connection.execute("UPDATE slowed_down SET until = now() - interval '1 second'")


async def wait_goes_on(office: Office) -> list[int]:
    """Whoever has to wait does so for an hour more, so that no test depends on a clock. The seconds of the waits."""
    found = await office.connection.fetch(
        "SELECT key, extract(epoch FROM until - failed_at)::int AS seconds FROM slowed_down"
        " WHERE failures > 0 AND until > failed_at ORDER BY seconds"
    )
    longer = "UPDATE slowed_down SET until = now() + interval '1 hour' WHERE key = ANY($1)"
    await office.connection.execute(longer, [row["key"] for row in found])
    return [row["seconds"] for row in found]


async def sign_in(office: Office, email: str, password: str = PASSWORD) -> str | None:
    """The access token of a new session; None where the pair is wrong. Waits are errors."""
    answer = await office.do(SIGN_IN, None, email=email, password=password)
    assert "errors" not in answer, answer
    token: str | None = answer["data"]["signIn"]["accessToken"]
    return token


async def ask(office: Office, token: str, document: str, **variables: Any) -> Any:
    """The answer to an operation under a token."""
    headers = {"authorization": f"Bearer {token}"}
    body = {"query": document, "variables": variables}
    return (await office.api.client.post("/graphql", json=body, headers=headers)).json()


async def viewer(office: Office, token: str) -> Any:
    """Whom a token speaks for; the reason of the refusal where it does for nobody."""
    answer = await ask(office, token, "{ viewer { user { id } } }")
    return answer["errors"][0]["extensions"]["reason"] if "errors" in answer else answer["data"]["viewer"]["user"]["id"]


def codes_of(answer: Any) -> list[str]:
    """The codes of the top-level errors."""
    return [error["extensions"]["code"] for error in answer.get("errors", [])]


def problems(payload: Any) -> list[tuple[list[str] | None, str]]:
    """Field and code of the problems of a payload."""
    return [(error["field"], error["code"]) for error in payload["errors"]]


@dataclass
class Post:
    """A mail server on this machine, and what it took."""

    port: int = 0
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refuses: str | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(self, _: SMTP, session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's.
        if self.refuses is not None:
            return self.refuses
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, _class=EmailMessage, policy=SMTPUTF8)
        self.taken.append((list(envelope.rcpt_tos), message))
        self.arrived.set()
        return "250 Taken"

    async def next(self) -> tuple[list[str], EmailMessage]:
        """The next message, when it is there."""
        async with asyncio.timeout(20):
            while not self.taken:
                self.arrived.clear()
                await self.arrived.wait()
        return self.taken.pop(0)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings with which a server sends its mail here."""
        return {"smtp_host": "127.0.0.1", "smtp_port": self.port, "smtp_security": "none"}


def code_in(message: EmailMessage) -> str:
    """The code in a letter."""
    found = re.search(r"The code: (\S+)", message.get_content())
    assert found is not None, message.get_content()
    return found[1]


@asynccontextmanager
async def post_office() -> AsyncIterator[Post]:
    """A mail server on loopback."""
    post = Post()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(post, enable_SMTPUTF8=True, hostname="localhost", loop=loop), "127.0.0.1", 0
    )
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
