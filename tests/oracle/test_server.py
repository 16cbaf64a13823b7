"""The server gives the answers of the oracle: for every role, through the executor and past it."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api import Api, open_api
from tests.nasty_shop import Shop
from tests.oracle.compare import check
from tests.oracle.operation import Operation
from tests.oracle.operations import operations
from tests.oracle.paging import check_window, windows

EXAMPLES = int(os.environ.get("RAPPORT_ORACLE_EXAMPLES", "300"))


class Both:
    """Two applications on one database: with the shortcut past the executor, and without."""

    def __init__(self, runner: asyncio.Runner, apis: tuple[Api, Api]) -> None:
        self.runner = runner
        self.fast, self.plain = apis

    async def post(self, document: str, variables: Any, name: str | None, user: UUID | None) -> Any:
        """The answer of both, which must be the same to the byte."""
        fast = await self.fast.send(document, variables, name, user)
        plain = await self.plain.send(document, variables, name, user)
        assert fast.status_code == plain.status_code
        assert _comparable(fast) == _comparable(plain)
        return fast.json()


def _comparable(response: Any) -> tuple[bytes, dict[str, str]]:
    request_id = response.headers["x-request-id"]
    # How long a compressed answer is depends on its request id.
    passing = {"x-request-id", "content-length"} if "content-encoding" in response.headers else {"x-request-id"}
    headers = {name: value for name, value in response.headers.items() if name not in passing}
    return response.content.replace(request_id.encode(), b"-"), headers


@pytest.fixture(scope="module")
def both(shop: Shop) -> Iterator[Both]:
    with asyncio.Runner() as runner:
        contexts = [open_api(shop.url, shortcut=shortcut, read_pool=2) for shortcut in (True, False)]
        apis = [runner.run(context.__aenter__()) for context in contexts]
        # One of them seeks every page by testing rows in their order, the other among what the caller owns.
        apis[0].server.accesses.wide_from, apis[1].server.accesses.wide_from = 10**6, -1
        yield Both(runner, (apis[0], apis[1]))
        for context in contexts:
            runner.run(context.__aexit__(None, None, None))


_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
    "print_blob": True,
}


def callers(shop: Shop) -> list[UUID | None]:
    return [None, *sorted(user.id for user in shop.oracle.rows.all("User") if user.active)]


@settings(max_examples=EXAMPLES, **_SETTINGS)
@given(data=st.data())
def test_any_operation_by_anybody_is_answered_as_by_the_oracle(shop: Shop, both: Both, data: st.DataObject) -> None:
    caller = data.draw(st.sampled_from(callers(shop)))
    operation = data.draw(operations(shop.oracle, caller))
    both.runner.run(check(both.post, shop.oracle, operation, caller, key_order=True))


@settings(max_examples=EXAMPLES // 5, **_SETTINGS)
@given(data=st.data())
def test_any_window_of_any_connection_is_that_of_the_oracle(shop: Shop, both: Both, data: st.DataObject) -> None:
    caller = data.draw(st.sampled_from([caller for caller in callers(shop) if caller]))
    window = data.draw(windows(shop.oracle, caller))
    both.runner.run(check_window(both.post, shop.oracle, window, caller))


@pytest.mark.parametrize("condition", ["some", "none"])
@pytest.mark.parametrize("relation", ["contacts", "opportunities", "orders", "tickets"])
def test_what_followed_a_deleted_row_does_not_answer_for_it(
    shop: Shop, both: Both, relation: str, condition: str
) -> None:
    document = f"{{ customers(where: {{{relation}: {{{condition}: {{}}}}}}, includeDeleted: true) {{ totalCount }} }}"
    for caller in callers(shop):
        both.runner.run(check(both.post, shop.oracle, Operation(document), caller))
