"""A database for the import tests; every test runs in a transaction of its own, which is rolled back."""

import csv
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

from app.importing import Report, import_file
from tests.conftest import Server

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


class Desk:
    """Writes files and maps, imports them, and looks at what came of it."""

    def __init__(self, connection: asyncpg.Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.rejects_path = folder / "rejects.csv"

    async def run(self, entity: str, map: str, text: str | bytes, *, dry_run: bool = False, **more: Any) -> Report:
        """Import ``text`` by the map ``map``, to which the line that names the entity is added."""
        path, map_path = self.folder / "file.csv", self.folder / "map.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        map_path.write_text(f'entity = "{entity}"\n{map}')
        return await import_file(
            self.connection, entity, path, map_path, dry_run=dry_run, rejects=self.rejects_path, **more
        )

    def rejects(self) -> list[tuple[int, str, str]]:
        """Line, column and reason of each refused row."""
        with self.rejects_path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return [(int(row["line"]), row["column"], row["reason"]) for row in csv.DictReader(file)]

    async def rows(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.connection.fetch(statement, *arguments)]

    async def value(self, statement: str, *arguments: Any) -> Any:
        return await self.connection.fetchval(statement, *arguments)


@pytest.fixture(scope="package")
def import_database(server: Server, migrated: str) -> Iterator[str]:
    url = anyio.run(server.copy, migrated)
    yield url
    anyio.run(server.drop, url)


@pytest.fixture
async def desk(import_database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    connection = await asyncpg.connect(import_database)
    transaction = connection.transaction()
    await transaction.start()
    yield Desk(connection, tmp_path)
    await transaction.rollback()
    await connection.close()


def figures(report: Report) -> tuple[int, int, int, int, int]:
    """Inserted, updated, unchanged, repeated, rejected."""
    return (report.inserted, report.updated, report.unchanged, report.repeated, report.rejected)
