"""A stage into which an import brings opportunities is not deleted meanwhile."""

from pathlib import Path

import asyncpg
import pytest

from app.importing import import_file
from tests.conftest import Server

pytestmark = pytest.mark.anyio

MAP = 'entity = "opportunity"\nsystem = "crm"\nexternal_id = "{id}"\n[fields]\nname = "{id}"\ncustomer = "C"\n'


async def test_whoever_deletes_a_stage_waits_for_a_running_import(
    server: Server, migrated: str, tmp_path: Path
) -> None:
    """From before the import looks for the stage until its opportunities are there to be counted."""
    url = await server.copy(migrated)
    importer, other = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        await importer.execute(
            "INSERT INTO stages (id, name, kind, position, probability)"
            " VALUES (gen_random_uuid(), 'Talk', 'OPEN', 1, 20)"
        )
        path, map_path = tmp_path / "file.csv", tmp_path / "map.toml"
        path.write_text("id,opened\n")
        map_path.write_text(MAP + 'stage = "Talk"\namount = "1"\nopened_at = "{opened}"\n')
        async with importer.transaction():
            await import_file(importer, "opportunity", path, map_path)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.execute("SELECT FROM stages FOR UPDATE NOWAIT")
        await other.execute("SELECT FROM stages FOR UPDATE NOWAIT")
    finally:
        await importer.close()
        await other.close()
        await server.drop(url)
