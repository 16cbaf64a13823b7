"""How many rows a second imports take: ``python -m benchmarks.importing``.

Every entity gets a made file of so many rows, which is imported into an empty database and then once more. With
``--data`` the presets are measured too, on their real files in that folder and in a database of their own. PostgreSQL
is an embedded one that lasts as long as the run. On a busy machine, rows for a second of CPU, of this program and
PostgreSQL together, say more than rows a second.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from app.db.database import ensure_database
from app.db.embedded import EmbeddedPostgres
from app.db.migrate import migrate
from app.importing import Report, import_file, import_preset, preset_names
from auth.builtin import sync_built_in_roles
from benchmarks import machine
from benchmarks.cpu import postmaster_of, tree_seconds
from benchmarks.files import made_files

_WANTED = 10_000


@asynccontextmanager
async def _empty(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a new database with all tables and roles."""
    await ensure_database(url)
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await sync_built_in_roles(connection)
        yield connection
    finally:
        await connection.close()


@dataclass(frozen=True)
class _Measured:
    """The first and the second import of a file, and the CPU time of the first where it was looked at."""

    first: Report
    again: Report
    cpu: float | None = None


async def _made(connection: asyncpg.Connection, url: str, folder: Path, rows: int) -> list[_Measured]:
    """The imports of the made file of every entity."""
    found = []
    postmaster = await postmaster_of(url)
    for made in made_files(folder, rows):
        before = _cpu(postmaster)
        first = await import_file(connection, made.entity, made.path, made.map)
        cpu = _cpu(postmaster) - before
        found.append(_Measured(first, await import_file(connection, made.entity, made.path, made.map), cpu))
    return found


def _cpu(postmaster: int | None) -> float:
    return time.process_time() + (tree_seconds(postmaster) if postmaster else 0)


async def _presets(connection: asyncpg.Connection, data: Path) -> list[_Measured]:
    """The imports of the longer steps of the presets."""
    found = []
    for name in preset_names():
        first, again = [await import_preset(connection, name, data) for _ in range(2)]
        found += [_Measured(*pair) for pair in zip(first, again, strict=True) if pair[0].read >= 1_000]
    return found


def _report(title: str, found: list[_Measured]) -> Table:
    table = Table(title=title)
    for column in (
        "file",
        "rows",
        "refused",
        "first s",
        "first rows/s",
        "rows/CPU s",
        "again s",
        "again rows/s",
        "again changed",
    ):
        table.add_column(column, justify="left" if column == "file" else "right")
    for measured in found:
        first, again = measured.first, measured.again
        slow = "" if first.rows_per_second >= _WANTED else "[yellow]"
        table.add_row(
            first.name,
            f"{first.read:,}",
            f"{first.rejected:,}",
            f"{first.seconds:.2f}",
            f"{slow}{first.rows_per_second:,.0f}",
            f"{first.read / measured.cpu:,.0f}" if measured.cpu else "",
            f"{again.seconds:.2f}",
            f"{again.rows_per_second:,.0f}",
            f"{again.inserted + again.updated:,}",
        )
    return table


async def _measure(server: EmbeddedPostgres, folder: Path, given: argparse.Namespace, console: Console) -> None:
    url = server.url("made")
    async with _empty(url) as connection:
        console.print(_report("Made files", await _made(connection, url, folder, given.rows)))
    if given.data:
        async with _empty(server.url("presets")) as connection:
            found = await _presets(connection, given.data)
        console.print(_report("Presets, steps of 1,000 rows or more", found))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="how long each made file is")
    parser.add_argument("--data", type=Path, help="the folder with the files of the presets")
    given = parser.parse_args()
    console = Console(width=120)
    console.print(f"Load average before the start {machine.load_average():.2f}.")
    with tempfile.TemporaryDirectory(prefix="rapport-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # PostgreSQL runs as a user of its own where this program is root's.
        with EmbeddedPostgres(Path(folder) / "data") as server:
            asyncio.run(_measure(server, Path(folder), given, console))
    console.print(f"Load average now {machine.load_average():.2f}.")


if __name__ == "__main__":
    main()
