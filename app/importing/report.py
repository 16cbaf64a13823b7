"""What an import did, for programs and for people."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Report:
    """The figures of one import. ``repeated`` rows spoke of a record that an earlier row of the file had made.

    ``read`` is the sum of the others, ``seconds`` the time that all of it took.
    """

    name: str
    entity: str
    read: int
    inserted: int
    updated: int
    unchanged: int
    repeated: int
    rejected: int
    seconds: float
    dry_run: bool = False

    @property
    def rows_per_second(self) -> float:
        """Rows read in a second."""
        return self.read / self.seconds if self.seconds else 0.0

    def undone(self) -> "Report":
        """The same of an import that was rolled back."""
        return replace(self, dry_run=True)


Note = Callable[[Any, Report], Awaitable[None]]
"""Takes note of an import on its connection, in its transaction."""


async def unnoted(connection: Any, report: Report) -> None:
    """Take no note."""


def print_report(reports: Sequence[Report], console: Console | None = None) -> None:
    """Print a table of ``reports``, and a line that tells a dry run."""
    console = console or Console()
    table = Table(box=None, pad_edge=False)
    table.add_column("Import")
    for heading in ("Read", "Inserted", "Updated", "Unchanged", "Repeated", "Rejected", "Seconds", "Rows/s"):
        table.add_column(heading, justify="right")
    for report in reports:
        figures = (report.read, report.inserted, report.updated, report.unchanged, report.repeated, report.rejected)
        table.add_row(
            report.name,
            *(f"{figure:,}" for figure in figures),
            f"{report.seconds:.2f}",
            f"{report.rows_per_second:,.0f}",
        )
    console.print(table)
    if any(report.dry_run for report in reports):
        console.print("Dry run: nothing was written.")
