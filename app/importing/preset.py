"""Presets: known data sets as lists of steps, each a file (or rows of the preset's own) and a map.

A preset is a folder of ``app/importing/presets`` with its maps and a ``preset.toml``::

    description = "Accounts, products and deals of a hardware maker"

    [[steps]]
    name = "opportunities"
    file = "crm_sales_pipeline.csv" # In the folder that the command names; one file may feed several steps.
    map = "opportunities.toml"

    [[steps]]
    name = "stages"
    rows = [{ name = "Won", kind = "WON" }]  # Instead of a file.
    map = "stages.toml"
"""

import tomllib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from pydantic import BaseModel, ConfigDict, Field

from app.importing.errors import ImportRefusedError
from app.importing.importer import import_source, undone
from app.importing.maps import Map, load_map
from app.importing.progress import Watcher, unwatched
from app.importing.rejects import rejects_file
from app.importing.report import Note, Report, unnoted
from app.importing.rows import RowMaker
from app.importing.source import CsvSource, InlineSource, Source

FOLDER = Path(__file__).parent / "presets"


class Step(BaseModel):
    """One import of a preset."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    map: str
    file: str | None = None
    rows: list[dict[str, str]] = Field(default_factory=list)


class Preset(BaseModel):
    """A data set that Rapport knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: str
    steps: list[Step]


@dataclass(frozen=True)
class _Ready:
    name: str
    source: Source
    read: Map


def preset_names() -> list[str]:
    """The presets that there are."""
    return sorted(path.parent.name for path in FOLDER.glob("*/preset.toml"))


def load_preset(name: str) -> Preset:
    """The preset called ``name``; ImportRefusedError names the ones that there are."""
    if name not in preset_names():
        raise ImportRefusedError(f"There is no preset {name!r}: choose one of {', '.join(preset_names())}.")
    return Preset.model_validate(tomllib.loads((FOLDER / name / "preset.toml").read_text("utf-8")))


async def import_preset(
    connection: asyncpg.Connection,
    name: str,
    directory: Path,
    *,
    dry_run: bool = False,
    rejects: Path | None = None,
    progress: Watcher = unwatched,
    note: Note = unnoted,
) -> list[Report]:
    """Import the data set ``name`` from the files in ``directory``; each step is a transaction of its own.

    Every file and map is looked at before anything is written. Refused rows of all steps go to the file ``rejects``;
    a dry run undoes all steps together, because later ones need what earlier ones wrote. ImportRefusedError: a file is
    missing or does not fit.
    """
    steps = [_ready(name, step, directory) for step in load_preset(name).steps]
    reports = []
    async with AsyncExitStack() as stack:
        sink = stack.enter_context(rejects_file(rejects))
        if dry_run:
            await stack.enter_async_context(undone(connection))
        for step in steps:
            report = await import_source(
                connection,
                step.source,
                step.read,
                name=step.name,
                dry_run=False,
                rejects=sink,
                progress=progress,
                note=note,
            )
            reports.append(report.undone() if dry_run else report)
    return reports


def _ready(preset: str, step: Step, directory: Path) -> _Ready:
    read = load_map(FOLDER / preset / step.map)
    source: Source = (
        InlineSource(step.name, step.rows)
        if step.file is None
        else CsvSource(directory / step.file, encoding=read.encoding, delimiter=read.delimiter)
    )
    RowMaker(read, source)  # Refuses a file whose columns are not those of the map.
    return _Ready(step.name, source, read)


def describe(names: Sequence[str] | None = None) -> dict[str, str]:
    """What each preset is, by name."""
    return {name: load_preset(name).description for name in (names or preset_names())}
