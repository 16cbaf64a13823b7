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
