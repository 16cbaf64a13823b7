"""Aliases of tables serve one statement after another, and no two places of one."""

from typing import Any

import pytest

from app.models import Customer, User
from app.reading import aliases
from app.reading.aliases import alias, one_statement
from tests.api import open_api
from tests.nasty_shop import Shop
from tests.test_statements import DEEP, LIST


@one_statement
def several(*wanted: tuple[Any, str | None]) -> list[Any]:
    return [alias(entity, name) for entity, name in wanted]


@one_statement
def nested() -> list[Any]:
    return [alias(User), *several((User, None), (User, None)), alias(User)]


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """No alias is kept yet."""
    monkeypatch.setattr(aliases, "_kept", aliases._Kept())


def test_in_one_statement_all_are_different_and_the_next_has_the_same(cold: None) -> None:
    asked = ((User, None), (User, "#1"), (User, None), (Customer, None), (Customer, "#1"))
    first, second = several(*asked), several(*asked)
    assert len(set(map(id, first))) == len(first)
    assert list(map(id, first)) == list(map(id, second))
    assert len(set(map(id, nested()))) == 4


def test_what_is_beyond_the_most_that_are_kept_is_new_each_time(cold: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliases, "MOST", 2)
    first, second = several(*[(User, None)] * 5), several(*[(User, None)] * 5)
    assert len(set(map(id, first))) == len(set(map(id, second))) == 5
    assert len(set(map(id, [*first, *second]))) == 8


def test_outside_of_a_statement_all_are_new_and_a_mistake_in_one_ends_it(cold: None) -> None:
    @one_statement
    def mistaken() -> None:
        alias(User)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # It has nothing to say.
        mistaken()
    assert alias(User) is not alias(User)


@pytest.mark.anyio
async def test_a_statement_is_the_same_with_kept_aliases_as_with_new_ones(shop: Shop, cold: None) -> None:
    async def statements() -> list[str]:
        async with open_api(shop.url, cold=True) as api:
            for caller in ("admin", "sales_north", "support_north", "partner"):
                for document in (LIST, DEEP):
                    await api.post(document, {"id": f"cus_{shop.ids['probe_1'].hex}"}, user=shop.ids[caller])
            return [plan.statement.sql for plan in api.server.planner._kept.values()]

    first = await statements()
    assert len(first) >= 6
    assert aliases._kept.count > 20
    assert await statements() == first
