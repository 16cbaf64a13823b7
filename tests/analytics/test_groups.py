"""Rows by groups: what is answered to whom, held against plain Python."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from graphql import parse
from graphql.execution.values import get_variable_values
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.analytics.asking_groups import aggregates
from tests.analytics.group_shop import CALLERS, Grouped, make
from tests.analytics.plain_groups import Asked
from tests.api import Api, open_api
from tests.conftest import Server
from tests.nasty_shop import Shop

EXAMPLES = int(os.environ.get("RAPPORT_GROUP_EXAMPLES", "120"))


class Both:
    """Two applications on one database: with the shortcut past the executor, and without."""

    def __init__(self, runner: asyncio.Runner, shop: Grouped, apis: tuple[Api, Api]) -> None:
        self.runner, self.shop, self.apis = runner, shop, apis

    def post(self, who: str | None, document: str, variables: Any = None) -> Any:
        """The answer of both, which must be the same to the byte."""
        user = self.shop.ids[who] if who else None
        found = []
        for api in self.apis:
            response = self.runner.run(api.send(document, variables, None, user))
            assert response.status_code == 200, response.text
            found.append(response.content.replace(response.headers["x-request-id"].encode(), b"-"))
        assert found[0] == found[1]
        return response.json()


@pytest.fixture(scope="module")
def both(server: Server, shop: Shop) -> Iterator[Both]:
    made = anyio.run(make, server, shop)
    with asyncio.Runner() as runner:
        contexts = [open_api(made.url, shortcut=shortcut, read_pool=2, max_aliases=500) for shortcut in (True, False)]
        fast, plain = (runner.run(context.__aenter__()) for context in contexts)
        yield Both(runner, made, (fast, plain))
        for context in contexts:
            runner.run(context.__aexit__(None, None, None))
    anyio.run(server.drop, made.url)


def agrees(found: Any, expected: Any) -> bool:
    """Whether two answers are the same; ratios to twelve digits."""
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(agrees(found[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(agrees, found, expected))
    if isinstance(expected, float):
        return bool(found == pytest.approx(expected, rel=1e-12))
    return bool(found == expected) and type(found) is type(expected)


def check(both: Both, who: str, asked: Asked) -> None:
    """The answer must be that of plain Python."""
    schema = both.shop.oracle.schema
    document = asked.document(schema)
    answer = both.post(who, document, asked.variables)
    definition: Any = parse(document).definitions[0]
    coerced: Any = get_variable_values(schema, definition.variable_definitions, asked.variables)
    given = {name: coerced.coerced.get(name) for name in ("where", "having")}
    meant = Asked(**{**asked.__dict__, **given})
    plain = both.shop.plain(who)
    if plain.forbidden(meant):
        assert [error["extensions"]["code"] for error in answer.get("errors", ())] == ["FORBIDDEN"], answer
        return
    assert "errors" not in answer, (answer, document, asked.variables)
    expected, note = plain.answer(meant)
    assert agrees(answer["data"], {"found": expected}), (who, asked, answer["data"], expected)
    notes = answer["extensions"].get("notes", [])
    assert notes == ([{"path": ["found"], **note}] if note else []), (who, asked)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
    print_blob=True,
)
@given(data=st.data())
def test_any_aggregate_asked_by_anybody_is_answered_as_in_plain_python(both: Both, data: st.DataObject) -> None:
    who = data.draw(st.sampled_from(CALLERS))
    check(both, who, data.draw(aggregates(both.shop, who)))
