"""The nasty shop: one database for all tests that only read it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import anyio
import asyncpg
import pytest

from tests.oracle.execute import Oracle
from tests.oracle.rows import load
from tests.oracle.shop import build_shop


class Shop(NamedTuple):
    """A database, the ids of what has a label in it, and the oracle over its rows."""

    url: str
    ids: dict[str, UUID]
    oracle: Oracle


STILL = "shop_log_stands_still"


async def _stand_still(url: str) -> None:
    """Let the audit log take no more notes: refusals during a test would show in what the next one reads."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE FUNCTION {STILL}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    await connection.execute(
        f"CREATE TRIGGER {STILL} BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION {STILL}()"
    )
    await connection.close()


@pytest.fixture(scope="session")
def shop(server: Any, migrated: str) -> Iterator[Shop]:
    """The shop. Copy it to write to it."""
    url = anyio.run(server.copy, migrated)
    ids = anyio.run(build_shop, url)
    anyio.run(_stand_still, url)
    yield Shop(url, ids, Oracle(anyio.run(load, url), datetime.now(UTC)))
    anyio.run(server.drop, url)
