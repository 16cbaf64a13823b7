from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.api import Api, open_api
from tests.nasty_shop import Shop


@pytest.fixture(scope="module", params=[True, False], ids=["shortcut", "executor"])
async def api(shop: Shop, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=1, shortcut=request.param) as api:
        yield api


@pytest.fixture
def signed(api: Api, shop: Shop) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.token(shop.ids['admin'])}"}


@pytest.fixture
async def full(shop: Shop) -> None:
    """All budgets of the shop are full, and nobody has to wait for having failed to sign in."""
    connection = await asyncpg.connect(shop.url)
    await connection.execute("TRUNCATE budgets, slowed_down")
    await connection.close()
