"""Every list in every order, page by page: each visible row exactly once, while other rows are inserted."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cmp_to_key
from typing import Literal
from uuid import UUID

import anyio
import asyncpg
import pytest
from graphql import GraphQLEnumType

from tests.api import open_api
from tests.conftest import Server
from tests.nasty_shop import Shop
from tests.oracle.checks import PLURAL
from tests.oracle.execute import Oracle
from tests.oracle.pages import comparison, field_of, position
from tests.oracle.paging import Term, walk
from tests.oracle.rights import Rights
from tests.oracle.rows import TABLES, load, typed_id
from tests.oracle.shop import build_shop

pytestmark = pytest.mark.anyio

CALLERS = ("admin", "manager_north", "support_north", "partner")
DIRECTIONS: tuple[Literal["first", "last"], ...] = ("first", "last")
SIZE = 9


def orders(oracle: Oracle, rights: Rights, entity: str) -> list[list[Term]]:
    """Every order by one term that the caller may ask for."""
    every = oracle.schema.type_map.get(f"{entity}OrderField")
    if every is None:
        return []
    assert isinstance(every, GraphQLEnumType)
    readable = [term for term in every.values if not rights.never_read(entity, field_of(term))]
    return [[{"field": field, "direction": direction}] for field in readable for direction in ("ASC", "DESC")]


def sampled(every: list[list[Term]]) -> list[list[Term]]:
    """Each field once: up, down, up, down."""
    return [order for number, order in enumerate(every) if number % 4 in (0, 3)]


PAIRS: dict[str, list[list[Term]]] = {
    "opportunities": [
        [{"field": "EXPECTED_CLOSE_ON", "direction": "DESC"}, {"field": "PROBABILITY", "direction": "ASC"}],
        [{"field": "PROBABILITY", "direction": "ASC"}, {"field": "CLOSED_AT", "direction": "ASC"}],
    ],
    "tickets": [
        [{"field": "PRIORITY", "direction": "DESC"}, {"field": "RESOLUTION_DUE_AT", "direction": "ASC"}],
        [{"field": "RESOLUTION_DUE_AT", "direction": "DESC"}, {"field": "PRIORITY", "direction": "DESC"}],
    ],
    "users": [[{"field": "NAME", "direction": "ASC"}, {"field": "LAST_LOGIN_AT", "direction": "DESC"}]],
    "customers": [[]],
}
"""Orders by several terms, in one direction and in both, with ties and NULLs; and none at all."""


def expected(oracle: Oracle, rights: Rights, entity: str, order: list[Term]) -> list[str]:
    """All visible rows in their order, from the oracle."""
    terms = tuple((term["field"], term["direction"]) for term in order) or (("CREATED_AT", "DESC"),)
    compare = comparison(terms)
    places = {row.id: position(rights, row, terms) for row in oracle.rows.all(entity) if rights.visible(row)}
    ids = sorted(places, key=cmp_to_key(lambda a, b: compare(places[a], places[b])))
    return [typed_id(oracle.rows.by_id[entity][id]) for id in ids]


@pytest.mark.parametrize("caller", CALLERS)
async def test_paging_either_way_over_any_order_visits_every_visible_row_once_and_in_order(
    shop: Shop, caller: str
) -> None:
    oracle, user = shop.oracle, shop.ids[caller]
    rights = oracle.rights(user)
    async with open_api(shop.url, read_pool=1) as api:
        walks = 0
        for root, entity in PLURAL.items():
            if not rights.has(entity):
                continue
            asked = orders(oracle, rights, entity)
            # An admin sees the most, and goes every way; for others orders and ways take turns.
            asked = asked if caller == "admin" else sampled(asked)
            for number, order in enumerate([*asked, *PAIRS.get(root, [])]):
                every = expected(oracle, rights, entity, order)
                for direction in DIRECTIONS if caller == "admin" else (DIRECTIONS[(number // 2) % 2],):
                    found = await walk(api.post, user, root, order, SIZE, direction=direction)
                    assert found == (every if direction == "first" else every[::-1]), (
                        f"{caller} / {root} / {direction} / {order}"
                    )
                    walks += 1
    assert walks > 5


# While other rows come and go


class Moving:
    """A shop of the module's own, in which copies of rows appear between two pages, tied with what stands there."""

    def __init__(self, url: str, ids: dict[str, UUID]) -> None:
        self.url, self.ids = url, ids
        self.count = 0

    async def insert(self, connection: asyncpg.Connection, entity: str) -> None:
        """Two live rows more: twins of two others, but for id and number."""
        self.count += 1
        # Twins of orders tie with them in their totals, and come without lines.
        await connection.execute("SET rapport.order_subtotals = 'checked at the end'")
        table = TABLES[entity]
        unique = {
            "Customer": ("code",),
            "Product": ("sku",),
            "Order": ("number",),
            "Ticket": ("number",),
            "User": ("email",),
        }.get(entity, ())
        changed = "".join(f", '{column}', (twin->>'{column}') || '~{self.count}-' || n" for column in unique)
        alive = "WHERE deleted_at IS NULL" if entity not in ("Order", "User") else ""
        columns = await connection.fetchval(
            "SELECT string_agg(attname, ', ') FROM pg_attribute"
            " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            table,
        )
        done = await connection.execute(
            f"INSERT INTO {table} ({columns})"
            f" SELECT {columns} FROM (SELECT (jsonb_populate_record(NULL::{table}, twin || changed)).* FROM ("
            f" SELECT twin, jsonb_build_object('id', gen_random_uuid(){changed}) AS changed FROM ("
            f" SELECT to_jsonb(t) AS twin, row_number() OVER () AS n FROM (SELECT * FROM {table} {alive}"
            " ORDER BY random() LIMIT 2) t) picked) made) twins"
        )
        assert done == "INSERT 0 2"


@pytest.fixture(scope="module")
def moving(server: Server, migrated: str) -> Iterator[Moving]:
    url = anyio.run(server.copy, migrated)
    yield Moving(url, anyio.run(build_shop, url))
    anyio.run(server.drop, url)


@pytest.mark.parametrize("caller", ["admin", "partner"])
async def test_rows_that_are_there_throughout_are_seen_once_while_others_are_inserted(
    moving: Moving, caller: str
) -> None:
    user = moving.ids[caller]
    connection = await asyncpg.connect(moving.url)
    oracle = Oracle(await load(moving.url), datetime.now(UTC))
    rights = oracle.rights(user)
    inserted = moving.count
    async with open_api(moving.url, read_pool=1) as api:
        for root, entity in PLURAL.items():
            if caller == "partner" and entity not in ("Customer", "Opportunity", "Ticket"):
                continue

            async def between(_: int, entity: str = entity) -> None:
                await moving.insert(connection, entity)

            for number, order in enumerate([*sampled(orders(oracle, rights, entity)), *PAIRS.get(root, [])]):
                direction = DIRECTIONS[(number // 2) % 2]
                before = expected(oracle, rights, entity, order)
                found = await walk(api.post, user, root, order, SIZE, direction=direction, between=between)
                place = f"{caller} / {root} / {direction} / {order}"
                assert len(found) == len(set(found)), f"{place}: rows twice"
                there = set(before)
                seen = [id for id in found if id in there]
                assert seen == (before if direction == "first" else before[::-1]), f"{place}: missing or out of order"
                # What was inserted goes again, so that lists do not grow from order to order.
                await connection.execute(
                    f"DELETE FROM {TABLES[entity]} WHERE NOT id = ANY($1::uuid[])", list(oracle.rows.by_id[entity])
                )
    assert moving.count - inserted > 50
    await connection.close()


async def test_walks_at_once_do_not_disturb_one_another(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=4) as api:
        who = [shop.ids[name] for name in ("admin", "manager_north", "sales_north", "support_north")]
        order: list[Term] = [{"field": "NAME", "direction": "DESC"}]
        alone = [await walk(api.post, user, "customers", order, 5) for user in who]
        together = await asyncio.gather(*(walk(api.post, user, "customers", order, 5) for user in who))
    assert alone == list(together)
    assert len({len(found) for found in alone}) > 1
