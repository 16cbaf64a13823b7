from uuid import UUID

import asyncpg
import pytest

from tests.api import open_api
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio

DOCUMENT = "query($first: Int!) { customers(first: $first) { nodes { name } } }"


async def somebody(url: str, role: str) -> UUID:
    connection = await asyncpg.connect(url)
    try:
        found: UUID = await connection.fetchval(
            "SELECT u.id FROM users u JOIN roles r ON r.id = u.role_id WHERE r.name = $1 AND u.active ORDER BY u.id",
            role,
        )
    finally:
        await connection.close()
    return found


async def test_debug_shows_an_admin_the_plan_of_each_read(shop: Shop) -> None:
    admin = await somebody(shop.url, "ADMIN")
    async with open_api(shop.url, debug=True) as api:
        first = (await api.post(DOCUMENT, {"first": 3}, None, admin))["extensions"]["plan"]
        again = (await api.post(DOCUMENT, {"first": 3}, None, admin))["extensions"]["plan"]
    assert [plan["path"] for plan in first] == [["customers"]]
    assert first[0]["statement"].startswith("SELECT")
    assert first[0]["milliseconds"] > 0
    assert (first[0]["cacheHit"], again[0]["cacheHit"]) == (False, True)


async def test_debug_shows_nobody_else_anything(shop: Shop) -> None:
    manager = await somebody(shop.url, "MANAGER")
    async with open_api(shop.url, debug=True) as api:
        assert "plan" not in (await api.post(DOCUMENT, {"first": 3}, None, manager))["extensions"]


async def test_debug_shows_nothing_in_production(shop: Shop) -> None:
    admin = await somebody(shop.url, "ADMIN")
    async with open_api(shop.url, debug=True, environment="production") as api:
        assert "plan" not in (await api.post(DOCUMENT, {"first": 3}, None, admin))["extensions"]
