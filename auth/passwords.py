"""Passwords: Argon2id, off the event loop, and only so many at once.

They are hashed in the Unicode form NFKC, as NIST SP 800-63B asks: the same characters, typed on another keyboard, are
the same password.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from passlib.hash import argon2

from app.errors import RateLimitedError

T = TypeVar("T")

# OWASP's Password Storage Cheat Sheet asks for at least 19 MiB, 2 passes, 1 lane; this takes about 0.1 s.
_HASH = argon2.using(type="ID", memory_cost=65_536, time_cost=3, parallelism=1)
# Of a password that nobody has. It is written down, for making it would take every command 0.1 s more to start.
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=1$29sbYwyBUIrxvvce4/x/Dw$nQRd3kG86EsDMeqct5IBJEij+gLbzj0z9xfdlxopanw"

LONGEST_FORM = 4_096
"""Characters of a normal form that can be hashed."""


class Passwords:
    """Hashes and verifies passwords in threads of its own, so that they never hold up reads."""

    def __init__(self, workers: int, queue: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="password")
        self._places = queue

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Whether ``password`` is the one of ``hashed``; for None it takes as long, and is not."""
        found = await self._run(_verify, password, hashed or _NOBODYS)
        return found and hashed is not None

    async def hash(self, password: str) -> str:
        """The Argon2id hash to store, with its parameters and salt."""
        return await self._run(hash_now, password)

    def outdated(self, hashed: str) -> bool:
        """Whether a hash was made with other parameters than those of today."""
        return bool(_HASH.needs_update(hashed))

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Do something else about passwords that takes its time, in a turn like theirs."""
        return await self._run(function, *arguments)

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        if self._places <= 0:
            raise RateLimitedError("Too many people are signing in just now: try again in a moment.", retryAfter=5)
        self._places -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        finally:
            self._places += 1

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def hash_now(password: str) -> str:
    """The hash of a password, for programs without an event loop."""
    found: str = _HASH.hash(normal(password))
    return found


def normal(password: str) -> str:
    """The form of a password that is hashed."""
    return unicodedata.normalize("NFKC", password)


def _verify(password: str, hashed: str) -> bool:
    form = normal(password)
    return bool(_HASH.verify(form[:LONGEST_FORM], hashed)) and len(form) <= LONGEST_FORM
