"""Sources of rows: a CSV file, read as a stream, or rows that a preset brings along."""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol

from app.importing.errors import ImportRefusedError

LARGEST_CELL = 1_048_576
_LARGEST_LINE = 16 * LARGEST_CELL
# Bytes that the encoding does not know arrive as lone surrogates.
UNREADABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(slots=True)
class Record:
    """One row: its cells, the physical line on which it starts, and what is wrong with it as a whole."""

    line: int
    cells: list[str]
    problem: str | None = None
    suspect: bool = False


class Source(Protocol):
    """Rows under a header. It can be read again from the start."""

    name: str
    header: Sequence[str]
    size: int

    def records(self) -> Iterator[Record]:
        """The rows in order; those that cannot be read say why."""
        ...

    def position(self) -> int:
        """How much of ``size`` has been read."""
        ...


class InlineSource:
    """Rows written in a preset; their lines are counted from 1."""

    def __init__(self, name: str, rows: Sequence[Mapping[str, str]]) -> None:
        self.name = name
        self.header: Sequence[str] = list(dict.fromkeys(column for row in rows for column in row))
        self.size = len(rows)
        self._rows = rows
        self._done = 0

    def records(self) -> Iterator[Record]:
        """The rows in order."""
        for number, row in enumerate(self._rows, 1):
            self._done = number
            yield Record(number, [row.get(column, "") for column in self.header])

    def position(self) -> int:
        """How many rows have been read."""
        return self._done


class CsvSource:
    """A CSV file (RFC 4180), read as a stream: memory does not grow with it."""

    def __init__(self, path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> None:
        self.name = path.name
        self._path = path
        self._encoding = "utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding
        self._delimiter = delimiter
        self._position = 0
        self._suspect = False
        self.size = 0
        self.header: Sequence[str] = self._header()

    def position(self) -> int:
        """How many bytes have been read."""
        return self._position

    def records(self) -> Iterator[Record]:
        """The rows after the header; blank lines are no rows."""
        rows = self._rows()
        next(rows)
        width = len(self.header)
        for record in rows:
            if record.problem is None and len(record.cells) != width:
                record.problem = f"has {len(record.cells)} cells where the header has {width}"
            yield record

    def _header(self) -> list[str]:
        first = next(self._rows(), None)
        if first is None:
            raise ImportRefusedError(f"{self.name} is empty: its first line should name the columns.")
        if first.problem:
            raise ImportRefusedError(f"{self.name} has a header that cannot be read: {first.problem}.")
        return [cell.strip() for cell in first.cells]

    def _rows(self) -> Iterator[Record]:
        csv.field_size_limit(LARGEST_CELL)
        try:
            file = self._path.open(encoding=self._encoding, errors="surrogateescape", newline="")
        except OSError as error:
            raise ImportRefusedError(f"{self._path} cannot be read: {error.strerror}.") from error
        except LookupError as error:
            raise ImportRefusedError(
                f"{self._encoding!r} is no encoding: name one like 'utf-8' or 'cp1252'."
            ) from error
        with file:
            self.size = os.fstat(file.fileno()).st_size
            rows = csv.reader(self._lines(file), delimiter=self._delimiter, strict=True)
            start = 1
            while True:
                try:
                    cells = next(rows)
                except StopIteration:
                    break
                except UnicodeError as error:
                    raise ImportRefusedError(f"{self.name} is not {self._encoding}: {error}.") from error
                except csv.Error as error:
                    yield Record(start, [], self._told(error, start, rows.line_num))
                else:
                    if cells:
                        yield Record(start, cells, None, self._suspect)
                self._suspect = False
                start = rows.line_num + 1

    def _lines(self, file: TextIOWrapper) -> Iterator[str]:
        read, tell = file.readline, file.buffer.tell  # type: ignore[attr-defined]  # The stub forgets it.
        number = 0
        while line := read(_LARGEST_LINE):
            number += 1
            if len(line) >= _LARGEST_LINE:
                raise ImportRefusedError(f"{self.name}, line {number} is longer than 16 MiB: is this a CSV file?")
            if "\0" in line or not (line.isascii() or UNREADABLE.search(line) is None):
                self._suspect = True
            if number % 256 == 0:
                self._position = tell()
            yield line
        self._position = self.size

    def _told(self, error: csv.Error, start: int, end: int) -> str:
        text = str(error)
        if "field limit" in text:
            if end > start:
                # Where the cell ends cannot be known any more, so neither where the next row begins.
                raise ImportRefusedError(
                    f"{self.name}: the quote opened in the row of line {start} is still open at line {end}, after more"
                    " than 1 MiB. Close it and try again; nothing was imported."
                )
            return "has a cell of more than 1 MiB"
        if "unexpected end of data" in text:
            return f"has a quote that is never closed: lines {start} to {end} were read as one row"
        lines = f" (lines {start} to {end} were read as one row)" if end > start else ""
        return f"is not CSV: {text}{lines}"
