"""Writers: from batches of records, each the JSON of one, to the bytes of a file."""

import csv
import io
from collections.abc import Sequence
from enum import Enum
from typing import ClassVar, Protocol

import orjson

from app.exporting.cells import Column, cells

BOM = b"\xef\xbb\xbf"


class ExportFormat(Enum):
    """The kinds of files."""

    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


class Writer(Protocol):
    """A file that is sent while it is written. Nothing of it is kept."""

    media: ClassVar[str]

    def begin(self) -> bytes:
        """What stands before the first record."""

    def batch(self, records: Sequence[bytes]) -> bytes:
        """What some records come to."""


class CsvWriter:
    """RFC 4180: a header, commas, quotes where they are needed, CRLF. With a byte order mark for Excel, if asked."""

    media: ClassVar[str] = "text/csv; charset=utf-8; header=present"

    def __init__(self, columns: Sequence[Column], *, bom: bool = False) -> None:
        self._columns = columns
        self._bom = bom

    def begin(self) -> bytes:
        """The byte order mark, and the names of the columns."""
        text = io.StringIO()
        csv.writer(text).writerow([column.name for column in self._columns])
        return (BOM if self._bom else b"") + text.getvalue().encode()

    def batch(self, records: Sequence[bytes]) -> bytes:
        """A line for each record."""
        text = io.StringIO()
        writer = csv.writer(text)
        for record in records:
            found = cells(self._columns, orjson.loads(record))
            writer.writerow([str(value).lower() if isinstance(value, bool) else value for value in found])
        return text.getvalue().encode()


class JsonlWriter:
    """One JSON object a line, as the database made it."""

    media: ClassVar[str] = "application/x-ndjson; charset=utf-8"

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def batch(self, records: Sequence[bytes]) -> bytes:
        """A line for each record."""
        # PostgreSQL puts line breaks between the members of a list. Those inside texts it escapes.
        return b"".join(record.replace(b"\n", b"") + b"\n" for record in records)
