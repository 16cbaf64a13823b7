"""Importing one file: read, stage by COPY, resolve, write; all in one transaction."""

# ruff: noqa: S608  # Statements are made of names of our own; values travel by COPY and as parameters.

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import perf_counter

import asyncpg

from app.importing.changes import changing, queue_changes
from app.importing.errors import ImportRefusedError
from app.importing.lines import OrderSums
from app.importing.maps import Map, load_map
from app.importing.progress import Watcher, unwatched
from app.importing.rejects import RejectsSink, rejects_file
from app.importing.report import Note, Report, unnoted
from app.importing.resolving import FOUND, ROWS, Resolution
from app.importing.rows import RowMaker
from app.importing.source import CsvSource, Source
from app.importing.writing import Written, write

_BATCH = 200  # More would leave the processor's cache before they are done.
_LOCK = 7_240_523
# For the transaction alone: big hashes and sorts stay in memory, and indexes are built in memory.
_SETTINGS = (
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL maintenance_work_mem = '256MB'",
    "SET LOCAL gin_pending_list_limit = '64MB'",
    "SET LOCAL jit = off",
    # Order by order that takes longer than all together, when the lines have been written.
    "SET LOCAL rapport.order_subtotals = 'checked at the end'",
    "SET LOCAL statement_timeout = 0",
)


async def import_file(
    connection: asyncpg.Connection,
    entity: str,
    path: Path,
    map: Path,
    *,
    dry_run: bool = False,
    rejects: Path | None = None,
    progress: Watcher = unwatched,
    note: Note = unnoted,
    shop_currency: str | None = None,
) -> Report:
    """Import the CSV file ``path`` as ``entity`` by the map file ``map``.

    Refused rows go to the file ``rejects``, all others in; with ``dry_run`` everything is done and then undone.
    ``note`` is called at the end of the transaction. Exchange rates of the ``shop_currency`` are refused.
    ImportRefusedError: the map or the file cannot be used, and nothing was written.
    """
    read = load_map(map, entity)
    source = CsvSource(path, encoding=read.encoding, delimiter=read.delimiter)
    with rejects_file(rejects, source.header) as sink:
        return await import_source(
            connection,
            source,
            read,
            name=source.name,
            dry_run=dry_run,
            rejects=sink,
            progress=progress,
            note=note,
            shop_currency=shop_currency,
        )


async def import_source(
    connection: asyncpg.Connection,
    source: Source,
    read: Map,
    *,
    name: str,
    dry_run: bool,
    rejects: RejectsSink | None,
    progress: Watcher,
    note: Note = unnoted,
    shop_currency: str | None = None,
) -> Report:
    """Import ``source`` by the map ``read``; ``rejects`` takes the refused rows."""
    begun = perf_counter()
    rows = RowMaker(read, source)
    try:
        async with _transaction(connection, undo=dry_run):
            count = await _stage(connection, source, rows, name, progress)
            resolution = Resolution(read, shop_currency)
            progress(f"{name}: writing", 0, 3)
            written, good, repeated = await _resolve_and_write(connection, resolution, name, progress)
            if rejects is not None:
                await _pass_on_refusals(connection, source, rows, rejects)
            for table in (ROWS, FOUND):
                await connection.execute(f"DROP TABLE {table}")
            report = Report(
                name=name,
                entity=read.entity,
                read=count,
                inserted=written.inserted,
                updated=written.updated,
                unchanged=good - repeated - written.inserted - written.updated,
                repeated=repeated,
                rejected=count - good,
                seconds=perf_counter() - begun,
                dry_run=dry_run,
            )
            await note(connection, report)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise ImportRefusedError(
            f"{name}: the database refused what was to be written, and nothing was imported:"
            f" {str(error).splitlines()[0]}. If somebody changed the same records meanwhile, try again."
        ) from error
    progress(f"{name}: writing", 3, 3)
    return replace(report, seconds=perf_counter() - begun)


class _Undone(Exception):  # noqa: N818  # It is no error: it ends a dry run.
    """Rolls a transaction back."""


@asynccontextmanager
async def undone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A transaction of which nothing stays."""
    try:
        async with connection.transaction():
            yield
            raise _Undone
    except _Undone:
        pass


@asynccontextmanager
async def _transaction(connection: asyncpg.Connection, *, undo: bool) -> AsyncIterator[None]:
    async with undone(connection) if undo else connection.transaction():
        for setting in _SETTINGS:
            await connection.execute(setting)
        # Two imports at once would both find a record missing, and both insert it.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        yield


async def _stage(connection: asyncpg.Connection, source: Source, rows: RowMaker, name: str, progress: Watcher) -> int:
    """COPY every row into the staging table, those that are refused with the reason; returns the rows read."""
    columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in rows.columns)
    await connection.execute(
        f"CREATE TEMP TABLE {ROWS} (_line bigint, _refused_columns text, _refused text, {columns}) ON COMMIT DROP"
    )
    count = 0

    async def text() -> AsyncIterator[bytes]:
        nonlocal count
        records = source.records()
        while batch := list(islice(records, _BATCH)):
            count += len(batch)
            yield rows.text(batch).encode()
            progress(f"{name}: reading", source.position(), source.size)

    # PostgreSQL takes one batch in while the next one is being made.
    await connection.copy_to_table(ROWS, source=text(), format="text")
    progress(f"{name}: reading", source.size, source.size)
    # The planner needs to know how many rows there are to resolve; statistics of all columns would take it longer.
    await connection.execute(f"ANALYZE {ROWS} (_refused)")
    return count


async def _resolve_and_write(
    connection: asyncpg.Connection, resolution: Resolution, name: str, progress: Watcher
) -> tuple[Written, int, int]:
    """Write the good rows; returns what was written, how many rows were good, and how many of them repeated others."""
    await connection.execute(resolution.create())
    if resolution.target.name == "opportunity":
        # A stage into which deals come stays until they are there; whoever deletes it waits, and counts them.
        await connection.execute("SELECT FROM stages ORDER BY id FOR KEY SHARE")
    fill = resolution.fill()
    await connection.execute(fill, *resolution.parameters)
    # Nor may the planner take this table for a small one, and look through others once for each of its rows.
    await connection.execute(f"ANALYZE {FOUND} (_problem)")
    progress(f"{name}: writing", 1, 3)
    before = await changing(connection, resolution)
    if resolution.target.name == "order-line":
        sums = OrderSums(resolution)
        await sums.work_out(connection)
        async with sums.written(connection):
            written = await write(connection, resolution)
    else:
        written = await write(connection, resolution)
    if written.inserted or written.updated:
        await queue_changes(connection, resolution, before)
    progress(f"{name}: writing", 2, 3)
    good, repeated = await connection.fetchrow(
        f"SELECT count(*), count(*) FILTER (WHERE NOT _head) FROM {FOUND} WHERE _problem IS NULL"
    )
    return written, good, repeated


async def _pass_on_refusals(
    connection: asyncpg.Connection, source: Source, rows: RowMaker, rejects: RejectsSink
) -> None:
    """Give every refusal to ``rejects`` in the order of the file.

    The source is read a second time for the rows themselves, so that they need not be kept until now.
    """
    records = source.records()
    async for line, columns, field, reason in connection.cursor(
        f"SELECT _line, _refused_columns, NULL, _refused FROM {ROWS} WHERE _refused IS NOT NULL UNION ALL"
        f" SELECT _line, NULL, _problem[1], _problem[2] FROM {FOUND} WHERE _problem IS NOT NULL ORDER BY 1",
        prefetch=1_000,
    ):
        record = next(record for record in records if record.line == line)
        rejects(source, line, columns if field is None else rows.columns_of(field), reason, record.cells)
