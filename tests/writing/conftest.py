from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.api import open_api
from tests.nasty_shop import Shop
from tests.writing.deeds import Office

LIMITS = {"max_depth": 50, "max_cost": 10**7, "read_pool": 2, "write_pool": 4}


@pytest.fixture
async def office(server: Any, shop: Shop) -> AsyncIterator[Office]:
    """The nasty shop, to write to."""
    url = await server.own(shop.url)
    connection = await asyncpg.connect(url)
    try:
        async with open_api(url, **LIMITS) as api:
            office = Office(url, shop.ids, api, connection)
            office.rows = shop.oracle.rows  # The copy holds the same rows.
            yield office
    finally:
        await connection.close()
        await server.drop(url)
