"""Documents by hash: Apollo's automatic persisted queries, and a manifest beside which nothing else is run."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from schema.documents import Documents
from schema.persisted import TrustedDocumentsError, read_manifest
from schema.schema import build_schema
from tests.api import Api, open_api
from tests.nasty_shop import Shop

pytestmark = pytest.mark.anyio

STAGES = "query Stages { stages { name } }"


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def persisted(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": hash_of(text)}}


def code(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    assert "data" not in response.json()
    return str(error["extensions"]["code"])


@pytest.fixture(params=[True, False], ids=["shortcut", "executor"])
async def fresh(shop: Shop, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=1, persisted_queries=2, shortcut=request.param) as api:
        api.client.headers["Authorization"] = f"Bearer {api.token(shop.ids['admin'])}"
        yield api


async def test_a_hash_stands_for_the_document_once_it_is_known(fresh: Api) -> None:
    by_hash = {"extensions": persisted(STAGES)}
    unknown = await fresh.client.post("/graphql", json=by_hash)
    assert code(unknown) == "PERSISTED_QUERY_NOT_FOUND"
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"  # Apollo's clients look for this.
    assert unknown.status_code == 200
    told = await fresh.client.post("/graphql", json={"query": STAGES, **by_hash})
    assert told.json()["data"]["stages"]
    known = await fresh.client.post("/graphql", json=by_hash)
    assert known.json()["data"] == told.json()["data"]
    by_get = await fresh.client.get("/graphql", params={"extensions": orjson.dumps(by_hash["extensions"]).decode()})
    assert by_get.json()["data"] == told.json()["data"]
    by_id = await fresh.client.post("/graphql", json={"documentId": f"sha256:{hash_of(STAGES)}"})
    assert by_id.json()["data"] == told.json()["data"]
    accepted = {"accept": "application/graphql-response+json"}
    other = {"extensions": persisted("{ teams { id } }")}
    assert (await fresh.client.post("/graphql", json=other, headers=accepted)).status_code == 400


async def test_a_hash_of_something_else_is_not_kept(fresh: Api) -> None:
    wrong = {"query": "{ teams { id } }", "extensions": persisted(STAGES)}
    assert code(await fresh.client.post("/graphql", json=wrong)) == "BAD_USER_INPUT"
    assert (
        code(await fresh.client.post("/graphql", json={"extensions": persisted(STAGES)})) == "PERSISTED_QUERY_NOT_FOUND"
    )


@pytest.mark.parametrize("text", ["{", "{ nothing }"])
async def test_a_document_that_is_wrong_is_not_kept(fresh: Api, text: str) -> None:
    by_hash = {"extensions": persisted(text)}
    assert code(await fresh.client.post("/graphql", json={"query": text, **by_hash})).startswith("GRAPHQL_")
    assert code(await fresh.client.post("/graphql", json=by_hash)) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    "said",
    [
        *({}, [], "x", {"version": 2, "sha256Hash": "0" * 64}, {"version": 1}, {"version": 1, "sha256Hash": 1}),
        *({"version": 1, "sha256Hash": "A" * 64}, {"version": 1, "sha256Hash": "0" * 63}),
    ],
)
async def test_what_is_no_hash_is_refused(fresh: Api, said: Any) -> None:
    response = await fresh.client.post("/graphql", json={"extensions": {"persistedQuery": said}})
    assert response.status_code == 400
    assert "persistedQuery" in response.text
    response = await fresh.client.post("/graphql", json={"documentId": "0" * 64})
    assert response.status_code == 400


async def test_the_latest_are_kept_and_no_more_than_the_setting_says(fresh: Api) -> None:
    texts = [f"{{ stages {{ {alias}: id }} }}" for alias in "abc"]
    for text in texts:
        await fresh.client.post("/graphql", json={"query": text, "extensions": persisted(text)})
    found = [await fresh.client.post("/graphql", json={"extensions": persisted(text)}) for text in texts]
    assert ["data" in each.json() for each in found] == [False, True, True]


async def test_mutations_by_hash_are_not_run_with_get(fresh: Api) -> None:
    text = 'mutation { signIn(email: "a@x.example", password: "b") { accessToken } }'
    await fresh.client.post("/graphql", json={"query": text, "extensions": persisted(text)})
    response = await fresh.client.get("/graphql", params={"extensions": orjson.dumps(persisted(text)).decode()})
    assert response.status_code == 405


async def test_they_can_be_turned_off(shop: Shop) -> None:
    async with open_api(shop.url, read_pool=1, persisted_queries=0) as api:
        response = await api.client.post("/graphql", json={"query": STAGES, "extensions": persisted(STAGES)})
        assert code(response) == "PERSISTED_QUERY_NOT_FOUND"
        assert response.json()["errors"][0]["message"] == "PersistedQueryNotSupported"


# Trusted documents


@pytest.mark.parametrize("form", ["plain", "prefixed", "apollo"])
@pytest.mark.parametrize("shortcut", [True, False])
async def test_beside_a_manifest_nothing_else_is_run(shop: Shop, tmp_path: Path, form: str, shortcut: bool) -> None:
    manifest: Any = {hash_of(STAGES): STAGES}
    if form == "prefixed":
        manifest = {f"sha256:{id}": text for id, text in manifest.items()}
    if form == "apollo":
        operation = {"id": hash_of(STAGES), "name": "Stages", "type": "query", "body": STAGES}
        manifest = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation]}
    path = tmp_path / "manifest.json"
    path.write_bytes(orjson.dumps(manifest))
    async with open_api(shop.url, read_pool=1, trusted_documents=path, shortcut=shortcut) as api:
        headers = {"Authorization": f"Bearer {api.token(shop.ids['admin'])}"}
        for known in (
            {"documentId": f"sha256:{hash_of(STAGES)}"},
            {"extensions": persisted(STAGES)},
            {"query": STAGES},
            {"query": STAGES, "extensions": persisted(STAGES)},
        ):
            response = await api.client.post("/graphql", json=known, headers=headers)
            assert response.json()["data"]["stages"], known
        other = "{ stages { id } }"
        before = api.server.reader.statements
        for unknown in (
            {"query": other},
            {"query": other, "extensions": persisted(other)},
            {"extensions": persisted(other)},
            {"query": STAGES + " "},
            {"query": "{ __schema { types { name } } }"},
            {"query": "{"},
        ):
            assert code(await api.client.post("/graphql", json=unknown, headers=headers)) == "PERSISTED_QUERY_NOT_FOUND"
        assert api.server.reader.statements == before


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"{", "cannot be read"),
        (b"[]", "no manifest"),
        (b"{}", "no manifest"),
        (b'{"a": 1}', "no manifest"),
        (orjson.dumps({hash_of("{ teams { id } }"): STAGES}), "is not the SHA-256"),
        (orjson.dumps({hash_of("{ nothing }"): "{ nothing }"}), "does not fit the schema"),
        (orjson.dumps({hash_of("{"): "{"}), "does not fit the schema"),
    ],
)
def test_a_manifest_that_cannot_be_used_stops_the_start(tmp_path: Path, manifest: bytes, said: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(manifest)
    documents = Documents(build_schema().graphql, 10, 1_000, introspection=False)
    with pytest.raises(TrustedDocumentsError, match=said):
        read_manifest(path, documents)
    with pytest.raises(TrustedDocumentsError, match="cannot be read"):
        read_manifest(tmp_path / "missing.json", documents)
