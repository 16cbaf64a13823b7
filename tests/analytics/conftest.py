"""What tests of figures share."""

from collections.abc import AsyncIterator

import pytest

from tests.analytics.sales_shop import SalesShop, open_sales_shop
from tests.conftest import Server


@pytest.fixture(scope="module")
async def sales(server: Server, migrated: str) -> AsyncIterator[SalesShop]:
    """A database to be filled with shops, and the API on it; one for each file."""
    async with open_sales_shop(server, migrated) as opened:
        yield opened
