"""The schema as clients rely on it, and the program as it refuses to start: each refusal says what to put right."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from graphql import TypeDefinitionNode, parse

import auth.policy
from app.db.database import DatabaseRefusedError, ensure_database
from app.errors import ApiError
from app.models.enums import FieldAccess, RowScope
from app.secret import WeakSecretError, server_secret
from app.settings import Settings
from auth.policy import ENTITIES, POLICY, FieldRule
from schema import mapping
from schema.mapping import SchemaMismatchError
from schema.schema import build_schema
from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[1]
CHECK = ROOT.parent / "shared" / "contract_check.py"
SECRET = "a secret for these tests, which is long"


# The schema


def test_the_printed_schema_is_the_committed_one() -> None:
    committed = (ROOT / "schema" / "schema.graphql").read_text()
    assert build_schema().as_str().strip() == committed.strip(), "rapport schema print > schema/schema.graphql"


@pytest.mark.skipif(not CHECK.exists(), reason="the contract is not beside the repository")
def test_the_schema_keeps_the_contract() -> None:
    arguments = [CHECK.with_name("contract.graphql"), ROOT / "schema" / "schema.graphql", "--until", "read"]
    done = subprocess.run([sys.executable, CHECK, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_root_field_shows_the_right_that_it_needs() -> None:
    printed = build_schema().as_str()
    start = printed.index("type Query {")
    query = printed[start : printed.index("\n}", start)]
    fields = re.findall(r"^  (\w+)(?:\(.*?\))?: ([^\n]*)", query, re.M | re.S)
    assert len(fields) > 20
    for name, rest in fields:
        assert ("@can(" in rest) is (name not in {"viewer", "shop", "node", "nodes", "explainAccess", "analytics"}), (
            f"{name}: {rest}"
        )


def test_every_type_and_root_field_says_what_it_is() -> None:
    """Otherwise people who meet the API in GraphiQL have names alone to go by."""
    found = parse(build_schema().as_str())
    types = [node for node in found.definitions if isinstance(node, TypeDefinitionNode)]
    roots = [field for node in types if node.name.value in {"Query", "Mutation"} for field in node.fields]
    assert len(types) > 70
    assert len(roots) > 20
    assert [node.name.value for node in (*types, *roots) if not (node.description and node.description.value)] == []


# Types, tables and policy disagree


@contextmanager
def policy(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> Iterator[None]:
    for module in (auth.policy, mapping):
        for name, value in changed.items():
            monkeypatch.setattr(module, name, value)
    yield


def with_rule(role: str, entity: str, field: str, rule: FieldRule) -> Mapping[str, Any]:
    """The policy with one more rule for a field."""
    grants = POLICY[role].grants
    said = grants[entity]["read"]
    changed = {**grants, entity: {"read": replace(said, fields={**said.fields, field: rule})}}
    return MappingProxyType({**POLICY, role: replace(POLICY[role], grants=changed)})


def refusal() -> str:
    build_schema.cache_clear()
    with pytest.raises(SchemaMismatchError) as caught:
        build_schema()
    return str(caught.value)


def test_a_field_that_the_policy_does_not_list_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {**ENTITIES, "Customer": tuple(name for name in ENTITIES["Customer"] if name != "notes")}
    with policy(monkeypatch, ENTITIES=fewer):
        assert refusal() == "Customer.notes is not listed in auth/policy.py."


def test_a_field_that_only_the_policy_lists_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with policy(monkeypatch, ENTITIES={**ENTITIES, "Stage": (*ENTITIES["Stage"], "colour")}):
        assert refusal() == "Stage.colour is in auth/policy.py, not in schema/types."


def test_a_rule_for_no_field_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with policy(monkeypatch, POLICY=with_rule("SALES", "Customer", "nots", FieldRule())):
        said = refusal()
    assert "auth/policy.py" in said
    assert "SALES" in said
    assert "Customer.nots" in said


def test_a_mask_for_what_is_not_text_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = FieldRule(FieldAccess.MASKED, RowScope.ALL, FieldAccess.MASKED)
    for entity, field in (("Order", "total"), ("Customer", "createdAt"), ("Contact", "birthday"), ("User", "role")):
        with policy(monkeypatch, POLICY=with_rule("SALES", entity, field, rule)):
            said = refusal()
        assert said == f"auth/policy.py: SALES on {entity}.{field}: only text can be MASKED."


def test_a_field_that_is_null_on_some_rows_but_never_null_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = FieldRule(FieldAccess.READ, RowScope.OWN, FieldAccess.HIDDEN)
    with policy(monkeypatch, POLICY=with_rule("MANAGER", "Customer", "name", rule)):
        said = refusal()
    assert said.startswith("auth/policy.py: MANAGER on Customer.name: ")


def test_an_entity_without_a_type_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**mapping.ENTITY_OF_TYPE, "Campaign": mapping.ENTITY_OF_TYPE["Customer"]}
    monkeypatch.setattr(mapping, "ENTITY_OF_TYPE", known)
    said = refusal()
    assert "Campaign" in said
    assert "schema/types" in said


def test_a_field_without_a_column_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "ENTITY_OF_TYPE", {**mapping.ENTITY_OF_TYPE, "Stage": mapping.ENTITY_OF_TYPE["Team"]})
    said = refusal()
    assert "Stage." in said
    assert "schema/types" in said


# Secrets


def test_production_needs_a_secret() -> None:
    with pytest.raises(WeakSecretError, match="RAPPORT_SECRET is not set"):
        server_secret(Settings(environment="production"))


def test_a_short_secret_is_refused_wherever() -> None:
    for environment in ("development", "production"):
        with pytest.raises(WeakSecretError, match=r"RAPPORT_SECRET has 31 characters: use 32 or more"):
            server_secret(Settings(environment=environment, secret="x" * 31))
        assert server_secret(Settings(environment=environment, secret=SECRET)) == SECRET


def test_in_development_a_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    made = server_secret(settings)
    assert len(made) >= 32
    assert server_secret(settings) == made
    assert (tmp_path / "new" / "secret").stat().st_mode & 0o777 == 0o600
    assert server_secret(Settings(data_dir=tmp_path / "other")) != made


# Databases


async def _refused(server: Server, options: str) -> str:
    name = f"rapport_{server.run}_refused"
    await server.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    try:
        with pytest.raises(DatabaseRefusedError) as caught:
            await ensure_database(server.url(name))
        return str(caught.value)
    finally:
        await server.drop(server.url(name))


@pytest.mark.anyio
async def test_a_database_that_knows_no_letters_is_refused(server: Server) -> None:
    said = await _refused(server, "ENCODING 'UTF8' LOCALE 'C'")
    assert "character type is C" in said
    assert "C.UTF-8" in said


@pytest.mark.anyio
async def test_a_database_of_another_encoding_is_refused(server: Server) -> None:
    said = await _refused(server, "ENCODING 'SQL_ASCII' LOCALE 'C'")
    assert said == "The database's encoding is SQL_ASCII: create it with ENCODING 'UTF8'."


@pytest.mark.anyio
async def test_a_missing_database_is_made_to_order_by_code_point_and_to_know_letters(server: Server) -> None:
    url = server.url(f"rapport_{server.run}_to_be_made")
    await ensure_database(url)
    try:
        connection = await asyncpg.connect(url)
        row = await connection.fetchrow(
            "SELECT 'É' ILIKE 'é' AS letters, lower('ÀЁ') AS lower, 'B' < 'a' AS points, 'a' < 'Ä' AS after,"
            " current_setting('server_encoding') AS encoding"
        )
        assert tuple(row) == (True, "àё", True, True, "UTF8")
        await connection.close()
        await ensure_database(url)
    finally:
        await server.drop(url)
    assert urlsplit(url).path[1:] not in {"postgres", "rapport"}


@pytest.mark.anyio
async def test_an_old_postgresql_is_refused(migrated: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """No old server is at hand, so the oldest that will do is raised above the one that is."""
    monkeypatch.setattr("app.db.database.OLDEST", 990_000)
    with pytest.raises(DatabaseRefusedError, match=r"PostgreSQL \d+ is too old: Rapport needs 15 or later"):
        await ensure_database(server.url(migrated))


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["postgresql://it@127.0.0.1:1/gone", "postgresql://it@/gone?host=127.0.0.1&port=1"])
async def test_a_server_that_cannot_be_reached_is_named(form: str) -> None:
    with pytest.raises(DatabaseRefusedError, match=r" at 127\.0\.0\.1, port 1, database gone: "):
        await ensure_database(form)


# Layers


def test_imports_run_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_module_stands_in_a_layer() -> None:
    """A module that the layers do not name could import whatever it likes."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    layered = {name.strip(" ()") for layer in contract["layers"] for name in re.split("[|:]", layer)}
    found = {"schema"}
    for package in ("app", "auth"):
        for path in (ROOT / package).iterdir():
            if path.suffix == ".py" or (path / "__init__.py").exists():
                found.add(f"{package}.{path.stem}")
    assert found - layered == {"app.__init__", "auth.__init__"}
    assert all(importlib.util.find_spec(name) for name in layered - {"app.domain", "app.analytics"})


def test_every_error_of_the_closed_set_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in ApiError.__subclasses__()]
    assert len(codes) == len(set(codes)) > 5
