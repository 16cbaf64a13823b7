from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sessions.office import Office, open_office


@pytest.fixture
async def office(server: Any, migrated: str) -> AsyncIterator[Office]:
    """An office of the test's own, and two applications: one takes the shortcut past the executor, one does not."""
    async with open_office(server, migrated) as office:
        yield office
