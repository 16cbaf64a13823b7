"""What an operation may ask. Each refusal names the limit and the figure, before the database hears of anything."""

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api import Api, open_api
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio

SMALL: dict[str, Any] = {
    "max_depth": 5,
    "max_aliases": 4,
    "max_fields": 20,
    "max_tokens": 200,
    "max_cost": 500,
    "max_body_bytes": 2_000,
    "max_filter_terms": 20,
    "max_relation_filters": 2,
}


@pytest.fixture(scope="module")
async def api(shop: Shop) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=2) as api:
        yield api


@pytest.fixture(scope="module", params=[True, False], ids=["shortcut", "executor"])
async def small(shop: Shop, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """An application with limits that short operations exceed."""
    async with open_api(shop.url, read_pool=2, shortcut=request.param, **SMALL) as api:
        yield api


@pytest.fixture
def admin(shop: Shop) -> UUID:
    return shop.ids["admin"]


async def refusal(api: Api, user: UUID | None, document: str, variables: Any = None) -> dict[str, Any]:
    """The one refusal of an operation that was not run."""
    before = api.server.reader.statements
    answer = await api.post(document, variables, user=user)
    assert not any((answer.get("data") or {}).values()), answer
    (error,) = answer["errors"]
    assert api.server.reader.statements == before
    said: dict[str, Any] = error["extensions"]
    for figure in (said.get("allowed"), said.get("actual")):
        assert figure is None or str(figure) in error["message"], error
    return {"code": said["code"], "message": error["message"], **said}


async def too_costly(
    api: Api, user: UUID | None, document: str, limit: str, actual: int, variables: Any = None
) -> None:
    said = await refusal(api, user, document, variables)
    allowed = SMALL[f"max_{limit.replace(' ', '_')}"]
    assert (said["code"], said["limit"], said["actual"], said["allowed"]) == (
        "QUERY_TOO_COSTLY",
        limit,
        actual,
        allowed,
    )


async def bad_input(api: Api, user: UUID, document: str, argument: str, *figures: str, variables: Any = None) -> None:
    said = await refusal(api, user, document, variables)
    assert (said["code"], said["argument"]) == ("BAD_USER_INPUT", argument), said
    for figure in figures:
        assert figure in said["message"], said


async def fine(api: Api, user: UUID, document: str, variables: Any = None) -> Any:
    answer = await api.post(document, variables, user=user)
    assert "errors" not in answer, answer
    return answer


# Depth, aliases, fields


async def test_depth(small: Api, admin: UUID) -> None:
    await fine(small, admin, "{ customers(first: 1) { nodes { owner { team { name } } } } }")
    await too_costly(
        small, admin, "{ customers(first: 1) { nodes { owner { team { members { id } } } } } }", "depth", 6
    )


async def test_depth_through_fragments(small: Api, admin: UUID) -> None:
    document = (
        "{ customers(first: 1) { nodes { ...A } } } fragment A on Customer { owner { ...B } }"
        " fragment B on User { team { ... { members { id } } } }"
    )
    await too_costly(small, admin, document, "depth", 6)


async def test_aliases(small: Api, admin: UUID) -> None:
    await fine(small, admin, "{ a: stages { x: id } b: stages { x: id } }")
    await too_costly(small, admin, "{ a: stages { x: id } b: stages { x: id } c: teams { id } }", "aliases", 5)


async def test_aliases_through_fragments_count_at_every_use(small: Api, admin: UUID) -> None:
    document = "{ a: stages { ...F } b: stages { ...F } } fragment F on Stage { x: id y: name }"
    await too_costly(small, admin, document, "aliases", 6)


async def test_fields_through_fragments_count_at_every_use(small: Api, admin: UUID) -> None:
    inner = "id name kind position probability rottingAfterDays version deletedAt"
    await fine(small, admin, f"{{ stages {{ ...F }} a: stages {{ ...F }} }} fragment F on Stage {{ {inner} }}")
    document = f"{{ stages {{ ...F }} a: stages {{ ...F }} b: stages {{ ...F }} }} fragment F on Stage {{ {inner} }}"
    await too_costly(small, admin, document, "fields", 27)


async def test_a_stranger_is_held_to_the_same_limits(small: Api) -> None:
    await too_costly(small, None, "{ customers { nodes { owner { team { members { id } } } } } }", "depth", 6)


async def test_a_mutation_is_held_to_the_same_limits(small: Api) -> None:
    one = 'signIn(email: "a", password: "b") { user { id } }'
    document = "mutation { " + " ".join(f"m{number}: {one}" for number in range(5)) + " }"
    await too_costly(small, None, document, "aliases", 5)


@pytest.mark.parametrize("shape", ["fields", "aliases", "depth"])
async def test_a_bomb_of_fragments_is_refused_at_once(api: Api, admin: UUID, shape: str) -> None:
    """Forty fragments that each use the next one twice are a million million fields in two kilobytes."""
    count = 40
    use = {
        "fields": "...F{n} ... on Customer {{ ...F{n} }}",
        "aliases": "a: owner {{ id }} ...F{n} ... {{ ...F{n} }}",
        "depth": "owner {{ team {{ members {{ ...G{n} }} }} }}",
    }[shape]
    if shape == "depth":
        chain = [f"fragment G{n} on User {{ team {{ members {{ id ...G{n + 1} }} }} }}" for n in range(count)]
        document = "{ users { nodes { ...G0 } } }" + " ".join(chain) + f" fragment G{count} on User {{ id }}"
    else:
        chain = [f"fragment F{n} on Customer {{ {use.format(n=n + 1)} }}" for n in range(count)]
        document = "{ customers { nodes { ...F0 } } }" + " ".join(chain) + f" fragment F{count} on Customer {{ id }}"
    started = time.perf_counter()
    said = await refusal(api, admin, document)
    assert time.perf_counter() - started < 2
    assert said["code"] == "QUERY_TOO_COSTLY"
    assert said["actual"] > said["allowed"]


async def test_fragments_in_a_circle_are_refused_at_once(api: Api, admin: UUID) -> None:
    document = (
        "{ customers { nodes { ...A } } } fragment A on Customer { owner { ...B } }"
        " fragment B on User { team { members { ...B } } }"
    )
    assert (await refusal(api, admin, document))["code"] == "GRAPHQL_VALIDATION_FAILED"


# Cost


async def test_cost_counts_every_row_of_every_page(small: Api, admin: UUID) -> None:
    answer = await fine(small, admin, "{ customers(first: 10) { nodes { id } } }")
    assert answer["extensions"]["cost"]["requested"] == 10
    answer = await fine(small, admin, "{ customers(first: 10) { nodes { orders(first: 4) { nodes { id } } } } }")
    assert answer["extensions"]["cost"]["requested"] == 10 * (1 + 4)
    document = "{ customers(first: 100) { nodes { orders(first: 5) { nodes { id } } } } }"
    await too_costly(small, admin, document, "cost", 600)


async def test_cost_counts_totals_summaries_and_filters_through_relations(small: Api, admin: UUID) -> None:
    plain = await fine(small, admin, "{ customers(first: 10) { nodes { id } } }")
    more = [
        "{ customers(first: 10) { nodes { id } totalCount } }",
        "{ customers(first: 10) { nodes { id orderCount } } }",
        "{ customers(first: 10) { nodes { id owner { id } } } }",
        "{ customers(first: 10, where: {owner: {isNull: false}}) { nodes { id } } }",
        "{ customers(first: 10) { nodes { id externalRefs { id } } } }",
    ]
    for document in more:
        answer = await fine(small, admin, document)
        assert answer["extensions"]["cost"]["requested"] > plain["extensions"]["cost"]["requested"], document


async def test_cost_is_that_of_all_root_fields_together(small: Api, admin: UUID) -> None:
    part = "customers(first: 200) { nodes { id } }"
    await fine(small, admin, f"{{ a: {part} b: {part} }}")
    await too_costly(small, admin, f"{{ a: {part} b: {part} c: {part} }}", "cost", 600)


async def test_cost_follows_the_variables(small: Api, admin: UUID) -> None:
    document = "query($n: Int!) { customers(first: $n) { nodes { contacts(first: $n) { nodes { id } } } } }"
    assert (await fine(small, admin, document, {"n": 2}))["extensions"]["cost"]["requested"] == 6
    await too_costly(small, admin, document, "cost", 30 * 31, {"n": 30})
    ids = [f"cus_{number:032x}" for number in range(40)]
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { orders(first: 20) { nodes { id } } } } }"
    await too_costly(small, admin, document, "cost", 40 * 21, {"ids": ids})


async def test_cost_stands_in_answers_with_errors_too(small: Api, admin: UUID) -> None:
    answer = await small.post('{ customer(id: "nonsense") { id } stages { id } }', user=admin)
    assert answer["errors"]
    assert "requested" in answer["extensions"]["cost"]


# Size


async def test_tokens(small: Api, admin: UUID) -> None:
    said = await refusal(small, admin, "{ stages { " + "id " * 200 + "} }")
    assert said["code"] in ("GRAPHQL_PARSE_FAILED", "QUERY_TOO_COSTLY")
    assert "200" in said["message"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_body_size(small: Api, chunked: bool) -> None:
    body = b'{"query": "{ stages { id } }"' + b" " * 2_000 + b"}"

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    response = await small.client.post(
        "/graphql", content=pieces() if chunked else body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 413
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COSTLY"
    assert "2000" in error["message"]


async def test_a_body_of_exactly_the_allowed_size_is_read(small: Api) -> None:
    body = b'{"query": "{ stages { id } }"}'
    body = body[:-1] + b" " * (2_000 - len(body)) + b"}"
    response = await small.client.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200


async def test_filter_terms(small: Api, admin: UUID) -> None:
    terms = ", ".join(f'{{name: {{contains: "{number}"}}}}' for number in range(10))
    said = await refusal(small, admin, f"{{ customers(first: 1, where: {{or: [{terms}]}}) {{ totalCount }} }}")
    assert (said["code"], said["limit"], said["allowed"]) == ("QUERY_TOO_COSTLY", "filter terms", 20)
    assert said["actual"] > 20


async def test_filter_terms_count_below_the_root_and_in_variables_too(small: Api, admin: UUID) -> None:
    where = {"or": [{"status": {"eq": "PAID"}} for _ in range(15)]}
    document = "query($w: OrderFilter) { customers(first: 1) { nodes { orders(first: 1, where: $w) { totalCount } } } }"
    said = await refusal(small, admin, document, {"w": where})
    assert (said["code"], said["limit"]) == ("QUERY_TOO_COSTLY", "filter terms")


async def test_filter_terms_count_below_nodes_too(small: Api, admin: UUID) -> None:
    terms = ", ".join("{status: {eq: PAID}}" for _ in range(15))
    part = f"... on Customer {{ orders(first: 1, where: {{or: [{terms}]}}) {{ totalCount }} }}"
    said = await refusal(small, admin, f'{{ node(id: "x") {{ {part} }} }}')
    assert (said["code"], said["limit"]) == ("QUERY_TOO_COSTLY", "filter terms")


async def test_filters_through_relations(small: Api, admin: UUID) -> None:
    """PostgreSQL tries the orders of all these joins: some 60 of them take it seconds before it reads a row."""
    document = "query($w: CustomerFilter) { customers(first: 1, where: $w) { totalCount } }"
    some: Any = {"orders": {"some": {}}}
    await fine(small, admin, document, {"w": {"and": [some] * 2}})
    await too_costly(small, admin, document, "relation filters", 3, {"w": {"and": [some] * 3}})
    within = {"orders": {"some": {"customer": {"tickets": {"none": {}}}}}}
    await too_costly(small, admin, document, "relation filters", 3, {"w": within})
    reference = {"externalRefs": {"system": "x"}, "owner": {}, **some}
    await too_costly(small, admin, document, "relation filters", 3, {"w": reference})


async def test_filters_through_relations_count_in_all_root_fields_together(small: Api, admin: UUID) -> None:
    part = "customers(first: 1, where: {owner: {}, orders: {some: {}}}) { totalCount }"
    await fine(small, admin, f"{{ a: {part} }}")
    await too_costly(small, admin, f"{{ a: {part} b: {part} }}", "relation filters", 4)


async def test_a_response_key_longer_than_a_name_of_postgresql(api: Api, admin: UUID) -> None:
    answer = await fine(api, admin, f"{{ stages {{ {'k' * 63}: id }} {'r' * 63}: teams {{ id }} }}")
    assert "r" * 63 in answer["data"]
    for document in (f"{{ stages {{ {'k' * 64}: id }} }}", f"{{ {'k' * 64}: stages {{ id }} }}"):
        said = await refusal(api, admin, document)
        assert (said["code"], said["limit"], said["allowed"], said["actual"]) == (
            "QUERY_TOO_COSTLY",
            "responseKeyLength",
            63,
            64,
        )


# Arguments


@pytest.mark.parametrize("name", ["first", "last"])
async def test_page_size(api: Api, admin: UUID, name: str) -> None:
    await fine(api, admin, f"{{ customers({name}: 200) {{ nodes {{ id }} }} }}")
    await fine(api, admin, f"query($n: Int) {{ customers({name}: $n) {{ nodes {{ id }} }} }}")
    for said in ("0", "-1", "201", "null"):
        await bad_input(api, admin, f"{{ customers({name}: {said}) {{ nodes {{ id }} }} }}", name, said, "200")
        given = {"n": None if said == "null" else int(said)}
        document = f"query($n: Int) {{ customers({name}: $n) {{ nodes {{ id }} }} }}"
        await bad_input(api, admin, document, name, said, "200", variables=given)
        nested = f"{{ customers {{ nodes {{ orders({name}: {said}) {{ nodes {{ id }} }} }} }} }}"
        await bad_input(api, admin, nested, name, "200")


async def test_first_and_last_at_once(api: Api, admin: UUID) -> None:
    await bad_input(api, admin, "{ customers(first: 1, last: 1) { nodes { id } } }", "last")


async def test_ids_of_nodes(api: Api, admin: UUID) -> None:
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    answer = await fine(api, admin, document, {"ids": ["x"] * 200})
    assert answer["data"]["nodes"] == [None] * 200
    await bad_input(api, admin, document, "ids", "201", "200", variables={"ids": ["x"] * 201})


async def test_search_words(api: Api, admin: UUID) -> None:
    document = "query($s: String) { customers(search: $s) { totalCount } }"
    await fine(api, admin, document, {"s": "  " + "a " * 8})
    await bad_input(api, admin, document, "search", "9", "8", variables={"s": "a " * 9})


async def test_a_refused_root_field_leaves_the_others_their_answers(api: Api, admin: UUID) -> None:
    answer = await api.post('{ customer(id: "x") { id } stages { id } }', user=admin)
    assert answer["data"]["customer"] is None
    assert answer["data"]["stages"]
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["argument"]) == (["customer"], "id")


# Introspection


@pytest.mark.parametrize("shortcut", [True, False])
async def test_introspection_is_on_or_off_by_setting(shop: Shop, admin: UUID, shortcut: bool) -> None:
    schema, kind = "{ __schema { queryType { name } } }", '{ __type(name: "Customer") { fields { name } } }'
    settings: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        ({"introspection": True, "environment": "production"}, True),
        ({"introspection": False}, False),
        ({"environment": "production"}, False),
    ]
    for given, shown in settings:
        async with open_api(shop.url, shortcut=shortcut, read_pool=1, **given) as api:
            for document in (schema, kind):
                answer = await api.post(document, user=admin)
                if shown:
                    assert "errors" not in answer, given
                else:
                    codes = {error["extensions"]["code"] for error in answer["errors"]}
                    assert codes == {"GRAPHQL_VALIDATION_FAILED"}, given
                    assert not answer.get("data")
            assert (await api.post("{ __typename stages { __typename } }", user=admin))["data"]["stages"]


async def test_suggestions_do_not_tell_the_schema_where_introspection_is_off(shop: Shop, admin: UUID) -> None:
    async with open_api(shop.url, introspection=False, read_pool=1) as api:
        response: httpx.Response = await api.send("{ customer(id: 1) { nam } customrs { id } }", user=admin)
    assert "Did you mean" not in response.text
    assert "customers" not in response.text
