"""Every figure by every role, the stranger first; and by roles that lack a single field, column by column."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.analytics.figures import FIGURES
from auth.policy import ENTITIES, POLICY
from tests.analytics.every_figure import EVERY_FIGURE, Asked
from tests.api import Api, open_api
from tests.matrix import CALLERS
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def api(shop: Shop) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=2) as api:
        yield api


@pytest.mark.parametrize("figure", EVERY_FIGURE, ids=str)
async def test_by_every_role(api: Api, shop: Shop, figure: Asked) -> None:
    stranger = await api.post(figure.document())
    assert [error["extensions"]["code"] for error in stranger["errors"]] == ["UNAUTHENTICATED"]
    worked = 0
    for role, label in CALLERS.items():
        answer = await api.post(figure.document(), user=shop.ids[label])
        closed = figure.closed(role)
        if closed is None:
            assert "errors" not in answer, (role, answer)
            worked += 1
        else:
            (error,) = answer["errors"]
            assert answer["data"] is None
            assert error["extensions"]["code"] == "FORBIDDEN", (role, error)
            assert error["extensions"]["entity"] == closed[0], (role, error)
            assert error["extensions"].get("field", "") == closed[1], (role, error)
    assert worked >= 1


async def test_what_the_issue_grants() -> None:
    """SUPPORT has tickets only, MARKETING customers and orders, the others all."""
    may = {
        role: {figure.entity for figure in EVERY_FIGURE if "analyse" in POLICY[role].grants.get(figure.entity, {})}
        for role in CALLERS
    }
    every = {figure.entity for figure in EVERY_FIGURE}
    assert may.pop("SUPPORT") == {"Ticket"}
    assert may.pop("MARKETING") == every - {"Ticket", "Opportunity"}
    assert all(entities == every for entities in may.values()), may


def test_every_figure_is_tried() -> None:
    assert {figure.name for figure in EVERY_FIGURE} == set(FIGURES)


class Blind:
    """Roles that have every right but one: to one field, or one entity."""

    def __init__(self, api: Api, connection: asyncpg.Connection) -> None:
        self.api, self.connection = api, connection
        self.users: dict[tuple[str, str], UUID] = {}

    async def user(self, entity: str, field: str) -> UUID:
        """Somebody to whom ``field`` is hidden; to whom the entity is closed, where the field is ``id``."""
        if (entity, field) not in self.users:
            self.users[entity, field] = await self._make(entity, field)
        return self.users[entity, field]

    async def _make(self, hidden: str, field: str) -> UUID:
        role, user, execute = uuid4(), uuid4(), self.connection.execute
        name = f"All but {hidden}.{field}"
        await execute("INSERT INTO roles (id, name) VALUES ($1, $2)", role, name)
        for entity, actions in POLICY["ADMIN"].grants.items():
            for action in actions if (entity, field) != (hidden, "id") else ():
                await self._grant(role, entity, action, field if entity == hidden else None)
        statement = "INSERT INTO users (id, name, email, role_id) VALUES ($1, $2, $3, $4)"
        await execute(statement, user, name, f"{user}@shop.example", role)
        return user

    async def _grant(self, role: UUID, entity: str, action: str, hidden: str | None) -> None:
        grant = uuid4()
        statement = "INSERT INTO grants (id, role_id, entity, action, rows) VALUES ($1, $2, $3, $4, 'ALL')"
        await self.connection.execute(statement, grant, role, entity, action)
        names = ENTITIES[entity] if action == "read" else ()
        await self.connection.executemany(
            "INSERT INTO field_grants (id, grant_id, position, field, access, on_rows, otherwise)"
            " VALUES ($1, $2, $3, $4, $5, 'ALL', $5)",
            [(uuid4(), grant, place, name, "HIDDEN" if name == hidden else "READ") for place, name in enumerate(names)],
        )


@pytest.fixture(scope="module")
async def blind(server: Any, migrated: str) -> AsyncIterator[Blind]:
    url = await server.copy(migrated)
    connection = await asyncpg.connect(url)
    async with open_api(url, read_pool=2) as api:
        yield Blind(api, connection)
    await connection.close()
    await server.drop(url)


@pytest.mark.parametrize("figure", EVERY_FIGURE, ids=str)
async def test_nothing_rests_on_a_field_that_is_not_read(blind: Blind, figure: Asked) -> None:
    columns = figure.columns
    for lacking in sorted(figure.rests_on.union(*columns.values())):
        user = await blind.user(*lacking)
        closed = [column for column, rests_on in columns.items() if lacking in figure.rests_on | rests_on]
        for column in closed if lacking not in figure.rests_on else closed[-1:]:
            answer = await blind.api.post(figure.document(column), user=user)
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"], (lacking, column)
            assert answer["errors"][0]["extensions"]["entity"] == lacking[0], (lacking, answer)
        if len(closed) < len(columns):
            answer = await blind.api.post(figure.document(*(each for each in columns if each not in closed)), user=user)
            assert "errors" not in answer, (lacking, answer)
