"""Letters: the mail that accounts get. Each goes out after its answer, so that nobody learns from the time that an
answer takes whether there is somebody to write to."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from app.errors import RateLimitedError
from app.mail import Mailer, MailRefusedError
from app.settings import Settings
from auth import codes

_WAITING = 100
_LAST_SECONDS = 5
_log = structlog.get_logger("rapport.letters")


class Letters:
    """Writes and sends letters in the background, only so many at once."""

    def __init__(self, mailer: Mailer, settings: Settings) -> None:
        self.refusal = mailer.refusal
        """Why none can be sent; None where they can."""
        self._mailer = mailer
        self._shop = settings.shop_name
        self._page = settings.password_page
        self._tasks: set[asyncio.Task[Any]] = set()

    def soon(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something in the background. RateLimitedError where too much is waiting already."""
        if len(self._tasks) >= _WAITING:
            work.close()
            raise RateLimitedError("Too much mail is being sent just now: try again in a moment.", retryAfter=10)
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except MailRefusedError as error:
            _log.warning("a letter was not sent", reason=str(error))
        except Exception as error:
            # What went wrong may quote the letter, and so its code.
            _log.error("a letter was not sent", error=type(error).__name__)

    async def reset(self, to: str, code: str) -> None:
        """Tell somebody the code with which a new password is set."""
        await self._mailer.send(
            to,
            f"A new password for {self._shop}",
            f"Somebody, probably you, wants to set a new password for {to} at {self._shop}.\n\n"
            f"{self._how(to, code)}\n\nIt is good once, and for an hour. If it was not you, there is nothing to do:"
            " your password stays as it is.\n",
        )

    async def invitation(self, to: str, code: str) -> None:
        """Tell somebody that there is an account, and the code with which its first password is set."""
        await self._mailer.send(
            to,
            f"Your account at {self._shop}",
            f"There is an account for {to} at {self._shop}. To use it, set a password.\n\n"
            f"{self._how(to, code)}\n\nIt is good once, and for {codes.LIFE[codes.Purpose.INVITATION].days} days.\n",
        )

    async def changed(self, to: str) -> None:
        """Tell somebody that the password is another one now."""
        await self._mailer.send(
            to,
            f"Your password for {self._shop} was changed",
            f"The password of {to} at {self._shop} has just been changed, and other sessions were ended.\n\n"
            "If it was not you, ask for a new password at once, and tell an administrator.\n",
        )

    def _how(self, to: str, code: str) -> str:
        link = codes.link(self._page, to, code)
        return f"Open {link}" if link else f"The code: {code}"

    async def close(self) -> None:
        """Wait a little for what is under way, and let go of the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_SECONDS)
        for task in self._tasks:
            task.cancel()
