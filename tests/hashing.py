"""Password hashes that take no time. What a hash costs is what few tests ask about; those have the real ones back."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from auth import passwords

_REAL = (passwords._HASH, passwords._NOBODYS)
_HASH = passwords._HASH.using(memory_cost=64, time_cost=1)
_QUICK = (_HASH, _HASH.hash("the password of nobody"))


def quicken() -> None:
    """From now on, hashes take no time."""
    passwords._HASH, passwords._NOBODYS = _QUICK


@contextmanager
def real_hashes() -> Iterator[None]:
    """Hashes as the program makes them, of about 0.1 s each, for the time."""
    passwords._HASH, passwords._NOBODYS = _REAL
    try:
        yield
    finally:
        quicken()


@pytest.fixture(scope="module")
def slow_hashes() -> Iterator[None]:
    """Real hashes for all tests of a module that come after this."""
    with real_hashes():
        yield
