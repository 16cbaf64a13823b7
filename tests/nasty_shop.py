"""The nasty shop: one database for all tests that only read it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import anyio
import pytest

from tests.oracle.execute import Oracle
from tests.oracle.rows import load
from tests.oracle.shop import build_shop


class Shop(NamedTuple):
    """A database, the ids of what has a label in it, and the oracle over its rows."""

    url: str
    ids: dict[str, UUID]
    oracle: Oracle


@pytest.fixture(scope="session")
def shop(server: Any, migrated: str) -> Iterator[Shop]:
    """The shop. Copy it to write to it."""
    url = anyio.run(server.copy, migrated)
    ids = anyio.run(build_shop, url)
    yield Shop(url, ids, Oracle(anyio.run(load, url), datetime.now(UTC)))
    anyio.run(server.drop, url)
