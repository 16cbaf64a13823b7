"""Importing files: CSV rows become records by a map file, through COPY and set-based statements."""

from app.importing.errors import ImportRefusedError
from app.importing.importer import import_file
from app.importing.preset import describe, import_preset, preset_names
from app.importing.progress import Watcher, progress_bar, unwatched
from app.importing.report import Report, print_report
from app.importing.targets import ENTITIES

__all__ = [
    "ENTITIES",
    "ImportRefusedError",
    "Report",
    "Watcher",
    "describe",
    "import_file",
    "import_preset",
    "preset_names",
    "print_report",
    "progress_bar",
    "unwatched",
]
