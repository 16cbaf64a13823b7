"""The rejects file: every refused row with its line number, the column at fault and the reason."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.importing.errors import ImportRefusedError
from app.importing.source import Source

# Takes one refused row: its source, line, columns at fault, reason, and its cells.
RejectsSink = Callable[[Source, int, str, str, Sequence[str]], None]


@contextmanager
def rejects_file(path: Path | None, header: Sequence[str] | None = None) -> Iterator[RejectsSink | None]:
    """A sink that writes the CSV file ``path``; None where there is no path.

    With the ``header`` of the one file imported it has ``line``, ``column``, ``reason`` and then the columns of that
    file, so that it can be put right and imported as it is. Without (a preset imports many), ``file`` comes first and
    ``record`` holds the row as CSV.
    """
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise ImportRefusedError(f"The rejects file {path} cannot be written: {error.strerror}.") from error
    with file:
        writer = csv.writer(file)
        writer.writerow(
            ["file", "line", "column", "reason", "record"] if header is None else ["line", "column", "reason", *header]
        )

        def write(source: Source, line: int, column: str, reason: str, cells: Sequence[str]) -> None:
            if header is None:
                writer.writerow([source.name, line, column, reason, _record(cells)])
            else:
                writer.writerow([line, column, reason, *cells])

        yield write


def _record(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
