"""Search and text filters seek in their indexes, and without the extension for them they still answer."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from app.db.lists import empty_lists
from app.demo.load import load_demo
from tests.api import Api, open_api
from tests.conftest import Server

pytestmark = pytest.mark.anyio

CUSTOMERS = 2_000
HASH = "not a hash that anybody can sign in with"
SEARCH = "query($s: String!) { list: customers(search: $s, first: 5) { nodes { id name } totalCount } }"


@dataclass
class Big:
    """A shop of some thousand customers, and an application on it that shows its plans."""

    api: Api
    db: asyncpg.Connection
    url: str
    twin: str
    admin: UUID

    async def found(self, document: str, **variables: Any) -> Any:
        answer = await self.api.post(document, variables, user=self.admin)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]["list"]

    async def explained(self, document: str, arguments: list[Any], **variables: Any) -> str:
        """How PostgreSQL runs the statement of an operation, for these arguments in the statement's order."""
        answer = await self.api.post(document, variables, user=self.admin)
        (plan,) = answer["extensions"]["plan"]
        statement = plan["statement"]
        places = max(int(place) for place in re.findall(r"\$(\d+)", statement))
        # The caller's id stands where the others leave room.
        given = [*arguments] + [self.admin] * (places - len(arguments))
        for order in _orders(given, self.admin):
            try:
                # A seek must not hang on how small the tables of a test are, nor on which disks a server is set for.
                async with self.db.transaction():
                    await self.db.execute(
                        "SET LOCAL enable_seqscan = off; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1"
                    )
                    rows = await self.db.fetch("EXPLAIN " + statement, *order)
                return "\n".join(row[0] for row in rows)
            except (asyncpg.DataError, asyncpg.IndeterminateDatatypeError):
                continue
        raise AssertionError(f"The arguments {arguments} fit nowhere: {statement}")


def _orders(given: list[Any], caller: UUID) -> list[list[Any]]:
    """The caller's id at each place, the others in their order."""
    others = [value for value in given if value != caller]
    return [others[:n] + [caller] * (len(given) - len(others)) + others[n:] for n in range(len(others) + 1)]


@pytest.fixture(scope="module")
async def big(server: Server, migrated: str) -> AsyncIterator[Big]:
    url = await server.copy(migrated)
    await load_demo(url, CUSTOMERS, password_hash=HASH)
    twin = await server.copy(urlsplit(url).path[1:])
    db = await asyncpg.connect(url)
    admin = await db.fetchval("SELECT id FROM users WHERE email = 'admin@rapport.example'")
    async with open_api(url, debug=True) as api:
        yield Big(api, db, url, twin, admin)
    await db.close()
    await server.drop(url)
    await server.drop(twin)


async def test_a_long_word_is_sought_in_the_trigram_index(big: Big) -> None:
    name = await big.db.fetchval("SELECT name FROM customers WHERE deleted_at IS NULL AND name ~ '^[A-Z][a-z]{6}'")
    word = name[1:6].upper()
    found = await big.found(SEARCH, s=word)
    assert found["totalCount"] == await big.db.fetchval(
        "SELECT count(*) FROM customers WHERE deleted_at IS NULL"
        " AND (name ILIKE $1 OR code ILIKE $1 OR email ILIKE $1 OR phone ILIKE $1)",
        f"%{word}%",
    )
    assert found["totalCount"] > 0
    plan = await big.explained(SEARCH, [f"%{word}%"], s=word)
    assert "ix_customers_text" in plan, plan
    assert "Seq Scan on customers" not in plan, plan


async def test_a_chinese_name_of_two_characters_is_sought_by_its_beginning(big: Big) -> None:
    names = await big.db.fetch(
        "SELECT DISTINCT left(name, 2) FROM customers WHERE deleted_at IS NULL AND name ~ '^[一-龥]'"
    )
    assert names
    word = names[0][0]
    found = await big.found(SEARCH, s=word)
    assert found["totalCount"] > 0
    assert all(node["name"].startswith(word) for node in found["nodes"])
    plan = await big.explained(SEARCH, [word], s=word)
    assert "ix_customers_name_lower" in plan, plan
    assert "Seq Scan on customers" not in plan, plan


async def test_a_part_of_a_longer_chinese_name_is_found_too(big: Big) -> None:
    name = await big.db.fetchval("SELECT name FROM customers WHERE deleted_at IS NULL AND name ~ '^[一-龥]{4}'")
    assert (await big.found(SEARCH, s=name[1:4]))["totalCount"] > 0


async def test_what_is_new_is_found_in_the_list_and_in_the_index(big: Big) -> None:
    row = await big.db.fetchrow("SELECT id, name FROM customers WHERE deleted_at IS NULL LIMIT 1")
    taken_up = "SELECT gin_clean_pending_list('ix_customers_text')"
    await big.db.execute("UPDATE customers SET name = 'Quietschente' WHERE id = $1", row["id"])
    try:
        assert (await big.found(SEARCH, s="tschent"))["totalCount"] == 1
        await empty_lists(big.db)
        assert await big.db.fetchval(taken_up) == 0
        assert (await big.found(SEARCH, s="tschent"))["totalCount"] == 1
    finally:
        await big.db.execute("UPDATE customers SET name = $2 WHERE id = $1", row["id"], row["name"])
    assert await big.db.fetchval(taken_up) > 0


async def test_a_text_filter_uses_the_trigram_index_too(big: Big) -> None:
    document = "query($s: String!) { list: customers(where: {name: {contains: $s}}, first: 5) { nodes { name } } }"
    plan = await big.explained(document, ["%erlin%"], s="erlin")
    assert "ix_customers_text" in plan, plan


async def test_duplicates_are_sought_in_an_index_each_for_email_phone_and_name(big: Big) -> None:
    id = await big.db.fetchval("SELECT id FROM customers WHERE deleted_at IS NULL AND email <> '' LIMIT 1")
    document = "query($id: ID!) { list: duplicateCustomers(id: $id) { id } }"
    plan = await big.explained(document, [id], id=f"cus_{id.hex}")
    for index in ("ix_customers_email_lower", "ix_customers_phone_digits", "ix_customers_text"):
        assert index in plan, plan
    assert "Seq Scan on customers" not in plan, plan


async def test_wildcards_of_sql_are_ordinary_characters(big: Big) -> None:
    for word in ("%%%", "___", "\\\\\\", "%", "_"):
        count = await big.db.fetchval(
            "SELECT count(*) FROM customers WHERE deleted_at IS NULL AND (strpos(name, $1) > 0 OR strpos(email, $1) > 0"
            " OR strpos(code, $1) > 0 OR strpos(phone, $1) > 0)",
            word,
        )
        found = await big.found(SEARCH, s=word)
        assert found["totalCount"] <= count, word


async def test_a_database_without_the_extension_still_answers_the_same(big: Big) -> None:
    words = ("gmbh", "an", "example", "c0", "王", "+49")
    connection = await asyncpg.connect(big.twin)
    await connection.execute("DROP EXTENSION pg_trgm CASCADE")
    indexes = await connection.fetch("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%trgm%'")
    assert indexes == []
    await connection.close()
    async with open_api(big.twin) as api:
        for word in words:
            answer = await api.post(SEARCH, {"s": word}, user=big.admin)
            assert "errors" not in answer, answer
            assert answer["data"]["list"] == await big.found(SEARCH, s=word), word
