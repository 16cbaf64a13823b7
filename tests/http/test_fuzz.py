"""Hostile operations by anybody, never a fault of ours, never a row that the caller may not see.

``RAPPORT_FUZZ_EXAMPLES`` says how many; thousands take minutes.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest
from graphql import build_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api import Api, open_api
from tests.conftest import Server
from tests.http.hostile import Hostile
from tests.nasty_shop import Shop
from tests.oracle.rights import Rights
from tests.oracle.rows import PREFIXES, TABLES, Row, Rows, load, typed_id

EXAMPLES = int(os.environ.get("RAPPORT_FUZZ_EXAMPLES", "300"))
SCHEMA = build_schema((Path(__file__).parents[2] / "schema" / "schema.graphql").read_text())
_ID = re.compile(rb"\b([a-z]{2,3}_[0-9a-f]{32})\b")


class House:
    """An application on a shop of its own, and what stands in it at this moment."""

    def __init__(self, runner: asyncio.Runner, api: Api, url: str) -> None:
        self.runner, self.api, self.url = runner, api, url
        self.rows: Rows = Rows({})
        self.known: dict[str, Row] = {}
        self.ids: dict[str, list[str]] = {}
        self.look()

    def look(self) -> None:
        """See what stands there now."""
        self.rows = self.runner.run(load(self.url, self.rows))
        found = [row for entity in TABLES if entity in PREFIXES for row in self.rows.all(entity)]
        self.known = {typed_id(row): row for row in found}
        self.ids = {}
        for id in self.known:
            self.ids.setdefault(id.partition("_")[0], []).append(id)

    def callers(self) -> list[UUID | None]:
        """Everybody who can call, the stranger first."""
        return [None, *sorted(user.id for user in self.rows.all("User") if user.active)]

    def sees(self, caller: UUID | None, id: str) -> bool:
        """Whether a row may be shown to the caller, by what the oracle knows; what it does not know, it cannot say."""
        row = self.known.get(id)
        if row is None:
            return True
        if caller is None:
            return False
        rights = Rights(self.rows, caller, datetime.now(UTC))
        if row.type == "AuditEvent":
            return rights.visible(row) or self._in_history(rights, row)
        # A product, a user or a stage is shown where a row that is seen refers to it, deleted or not.
        if rights.visible(row) or (getattr(row, "deleted_at", None) is not None and rights.has(row.type)):
            return True
        # An event that is seen names its record, as ever the caller stands to that now.
        named = [event for event in self.rows.all("AuditEvent") if event.entity_id == id]
        return any(rights.visible(event) or self._in_history(rights, event) for event in named)

    def reads(self, caller: UUID | None, id: str) -> bool:
        """Whether the id stands in a text of a row that may be shown to the caller: somebody has written it there."""
        if caller is None:
            return False
        rights = Rights(self.rows, caller, datetime.now(UTC))
        rows = (row for entity in TABLES if entity in PREFIXES for row in self.rows.all(entity))
        holding = (row for row in rows if any(isinstance(text, str) and id in text for text in vars(row).values()))
        return any(rights.visible(row) for row in holding)

    def _in_history(self, rights: Rights, event: Row) -> bool:
        """Whether the event stands in the history of its record, or of the customer into which that was merged."""
        record = self.known.get(event.entity_id or "")
        while record is not None:
            if event in rights.history(record):
                return True
            survivor = getattr(record, "merged_into_id", None)
            record = self.rows.find(record.type, survivor) if survivor else None
        return False


@pytest.fixture(scope="module", params=[True, False], ids=["shortcut", "executor"])
def house(server: Server, shop: Shop, request: pytest.FixtureRequest) -> Iterator[House]:
    with asyncio.Runner() as runner:
        url = runner.run(server.own(shop.url))
        context = open_api(url, shortcut=request.param, read_pool=2)
        yield House(runner, runner.run(context.__aenter__()), url)
        runner.run(context.__aexit__(None, None, None))
        runner.run(server.drop(url))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
    print_blob=True,
)
@given(seed=st.integers(0, 2**63), by=st.integers(0, 2**31))
def test_hostile_operations_find_no_fault_and_nothing_unseen(house: House, seed: int, by: int) -> None:
    hostile = Hostile(SCHEMA, Random(seed), house.ids)
    document = hostile.operation()
    callers = house.callers()
    caller = callers[by % len(callers)]
    response = house.runner.run(house.api.send(document, hostile.variables, user=caller))
    # 413 is for what is too long by itself.
    assert response.status_code in (200, 400, 413), f"{response.status_code} for {document} with {hostile.variables}"
    assert b"INTERNAL_SERVER_ERROR" not in response.content, f"{document} with {hostile.variables}: {response.text}"
    asked = set(_ID.findall(orjson.dumps([document, hostile.variables])))
    shown = {id.decode() for id in set(_ID.findall(response.content)) - asked}
    unseen = [id for id in shown if not house.sees(caller, id)]
    answer: Any = response.json()
    if unseen or (document.startswith("mutation") and answer.get("data")):
        house.look()
        unseen = [id for id in unseen if not house.sees(caller, id) and not house.reads(caller, id)]
    assert unseen == [], f"{document} with {hostile.variables} by {caller}: {unseen}"
