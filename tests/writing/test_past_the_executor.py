"""Mutations done past the executor answer to the byte what the executor answers."""

from typing import Any

import pytest

from schema.doing import Doing
from tests.api import open_api
from tests.nasty_shop import Shop
from tests.oracle.rows import typed_id
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

_UPDATE = (
    "mutation($id: ID!, $version: Int!, $input: UpdateCustomerInput!)"
    " { updateCustomer(id: $id, version: $version, input: $input)"
)
_PROBLEMS = "errors { __typename field code message ids current params }"
DOCUMENTS = {
    "plain": f"{_UPDATE} {{ customer {{ id name city version }} {_PROBLEMS} }} }}",
    "aliases": f"{_UPDATE} {{ a: customer {{ x: name }} b: customer {{ n: version }} e: errors {{ c: code }}"
    " __typename } }",
    "root alias": _UPDATE.replace("{ update", "{ mine: update") + " { customer { id } errors { code } } }",
    "fragments": f"{_UPDATE} {{ ...F ... {{ errors {{ ...E }} }} ... on CustomerPayload {{ customer {{ city }} }} }} }}"
    " fragment F on CustomerPayload { customer { name } } fragment E on UserError { code field }",
    "literals": 'mutation($id: ID!, $version: Int!) { updateCustomer(id: $id, version: $version, input: {city: "Kiel"})'
    f" {{ customer {{ city }} {_PROBLEMS} }} }}",
    "skipped": f"{_UPDATE} {{ customer @skip(if: true) {{ id }} errors @include(if: true) {{ code }} }} }}",
    "nothing of it": f"{_UPDATE} {{ __typename }} }}",
    "a refused field": f"{_UPDATE} {{ customer {{ id notes opportunities {{ totalCount }} }} errors {{ code }} }} }}",
    "too long a key": f"{_UPDATE} {{ {'k' * 64}: customer {{ id }} errors {{ code }} }} }}",
    "twice": f"{_UPDATE} {{ errors {{ code }} }} again: updateCustomer(id: $id, version: $version, input: $input)"
    " { errors { code } } }",
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_both_ways_answer_the_same(shop: Shop, office: Office, document: str) -> None:
    row, gone = office.label("probe_1"), office.label("probe_gone")
    cases: list[dict[str, Any]] = [
        {"id": typed_id(row), "version": row.version, "input": {"city": "Kiel", "tags": ["a", "b"]}},
        {"id": typed_id(row), "version": row.version + 7, "input": {"city": "Kiel"}},
        {"id": typed_id(row), "version": row.version, "input": {"name": "", "email": "no address", "country": "XXX"}},
        {"id": typed_id(row), "version": row.version, "input": {"ownerId": typed_id(row)}},
        {"id": typed_id(row), "version": row.version, "input": {"code": "\x00"}},
        {"id": typed_id(gone), "version": gone.version, "input": {}},
        {"id": "nonsense", "version": 1, "input": {}},
        {"id": typed_id(row), "version": "x", "input": {}},
        {"id": typed_id(row), "version": row.version, "input": {"nmae": "x"}},
    ]
    async with open_api(office.url, **LIMITS, shortcut=False) as plain:
        for role in (None, "ADMIN", "SALES", "SUPPORT", "ANALYST"):
            user = None if role is None else office.user(role)
            for variables in cases:
                told = []
                for api in (office.api, plain):
                    # Both find what was there before.
                    await office.connection.execute(
                        "UPDATE customers SET version = $2, city = $3, tags = '{}' WHERE id = $1",
                        row.id,
                        row.version,
                        row.city,
                    )
                    response = await api.send(document, variables, user=user)
                    request_id = response.headers["x-request-id"].encode()
                    told.append((response.status_code, response.content.replace(request_id, b"-")))
                assert told[0] == told[1], f"{role}: {variables}"


async def test_what_is_plain_is_done_past_the_executor(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else the test above would compare the executor with itself."""
    done: list[bool] = []
    result = Doing.result

    async def seen(self: Doing, context: Any) -> Any:
        found = await result(self, context)
        done.append(found is not None)
        return found

    monkeypatch.setattr(Doing, "result", seen)
    row = office.label("probe_1")
    variables = {"id": typed_id(row), "version": row.version, "input": {"city": "Kiel"}}
    for document in DOCUMENTS.values():
        await office.api.post(document, variables, user=office.user("ADMIN"))
    assert done == [True, True, True, True, False, True, True, True, False, False]
