import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import app.models  # noqa: F401
from app.db.migrate import engine, migrate
from auth.builtin import sync_built_in_roles

pytestmark = pytest.mark.anyio


async def test_migrations_run_down_and_up_again(empty_database: str) -> None:
    await migrate(empty_database, "base", down=True)
    connection = await asyncpg.connect(empty_database)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert [t["tablename"] for t in tables] == ["alembic_version"]
    await migrate(empty_database)
    await sync_built_in_roles(connection)
    assert await connection.fetchval("SELECT count(*) FROM roles") == 8
    await connection.close()


async def test_built_in_roles_are_written_once(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    before = await connection.fetch("SELECT id, version, access_version FROM roles ORDER BY id")
    await sync_built_in_roles(connection)
    assert await connection.fetch("SELECT id, version, access_version FROM roles ORDER BY id") == before
    await connection.close()


@pytest.mark.filterwarnings("ignore:Expression #1.*operator clause")
async def test_the_models_and_the_migrations_agree(empty_database: str) -> None:
    async with engine(empty_database).connect() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), SQLModel.metadata)
        )
    # PostgreSQL prints expressions in indexes its own way; that an index of the name exists is compared.
    names = {kind: sorted(item.name for k, item in found if k == kind) for kind in ("add_index", "remove_index")}
    assert names["add_index"] == names["remove_index"]
    assert [change for change in found if change[0] not in names] == []


async def test_indexes_of_what_is_changed_by_the_thousand_have_room(empty_database: str) -> None:
    """Whoever adds an index to these tables has it made with fillfactor 70 (decision 27); a search index has a list."""
    connection = await asyncpg.connect(empty_database)
    options = await connection.fetch(
        """
        SELECT c.relname, a.amname, coalesce(c.reloptions, '{}') AS options
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE i.indrelid IN ('customers'::regclass, 'opportunities'::regclass, 'tickets'::regclass)
           OR c.relname LIKE 'ix\\_%\\_text'
        """
    )
    await connection.close()
    for name, kind, said in options:
        if kind == "btree":
            assert "fillfactor=70" in said, name
        elif name.endswith("_text"):
            assert {"fastupdate=on", "gin_pending_list_limit=16384"} == set(said), name


async def test_room_is_made_in_full_tables_and_references_are_found_again(empty_database: str) -> None:
    await migrate(empty_database, "0026-1", down=True)
    connection = await asyncpg.connect(empty_database)
    await connection.execute(
        """
        INSERT INTO customers (id, name, kind, tier, status)
            SELECT gen_random_uuid(), 'One of many', 'PERSON', 'GOLD', 'LEAD' FROM generate_series(1, 3000);
        UPDATE customers c SET merged_into_id = o.id, deleted_at = now()
            FROM (SELECT min(code) AS first, max(code) AS last FROM customers) e
            JOIN customers o ON o.code = e.last WHERE c.code = e.first;
        """
    )
    file = "SELECT pg_relation_filenode('ix_customers_tier_created_at_id')"
    before = await connection.fetchval(file)
    await migrate(empty_database)
    assert await connection.fetchval(file) != before
    valid = "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'customers'::regclass"
    assert await connection.fetchval(valid)
    await migrate(empty_database, "0026-1", down=True)
    assert await connection.fetchval(valid)
    definition = await connection.fetchval("SELECT pg_get_indexdef('ix_customers_merged_into_id'::regclass)")
    assert definition.endswith("(merged_into_id)")
    await migrate(empty_database)
    definition = await connection.fetchval("SELECT pg_get_indexdef('ix_customers_merged_into_id'::regclass)")
    assert "merged_into_id IS NOT NULL" in definition
    await connection.close()


async def test_references_of_deleted_records_are_found_when_the_tables_are_full(empty_database: str) -> None:
    """On the way back, whoever has the id now keeps it."""
    await migrate(empty_database, "0012-1", down=True)
    connection = await asyncpg.connect(empty_database)
    await connection.execute(
        """
        INSERT INTO customers (id, name, kind, tier, status, deleted_at) VALUES
            ('00000000-0000-7000-8000-000000000001', 'Gone', 'PERSON', 'GOLD', 'LEAD', now()),
            ('00000000-0000-7000-8000-000000000002', 'Here', 'PERSON', 'GOLD', 'LEAD', NULL);
        INSERT INTO external_refs (entity, system, external_id, record_id)
            SELECT 'Customer', 'till', name, id FROM customers;
        """
    )
    await migrate(empty_database)
    held = "SELECT external_id, name FROM external_refs JOIN customers c ON c.id = record_id{} ORDER BY 1"
    assert await connection.fetch(held.format(" WHERE live")) == [("Here", "Here")]
    await connection.execute(
        "INSERT INTO external_refs (entity, system, external_id, record_id)"
        " SELECT 'Customer', 'till', 'Gone', id FROM customers WHERE name = 'Here'"
    )
    await migrate(empty_database, "0012-1", down=True)
    assert await connection.fetch(held.format("")) == [("Gone", "Here"), ("Here", "Here")]
    await connection.close()
