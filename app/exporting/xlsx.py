"""XLSX: one sheet, written to a folder of its own, since a workbook is complete only at its end."""

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import orjson
import xlsxwriter

from app.exporting.cells import Column, Value, cells

MEDIA = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ROWS = 1_048_576
MOST_TEXT = 32_767
_DIGITS = 15
"""Significant digits of a number in a cell, which is a binary fraction."""


class UnfitError(Exception):
    """Something that no XLSX file holds; the message says what, and what to do instead."""


class XlsxFile:
    """A workbook on disk, in constant memory. It is gone with the context."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._folder = tempfile.TemporaryDirectory(prefix="rapport-export-")
        self.path = Path(self._folder.name) / "export.xlsx"
        options = {
            "constant_memory": True,
            "tmpdir": self._folder.name,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        }
        self._book = xlsxwriter.Workbook(str(self.path), options)
        self._sheet = self._book.add_worksheet()
        self._row = 0
        self._write([column.name for column in columns])

    def batch(self, records: Sequence[bytes]) -> None:
        """Write a row for each record."""
        for record in records:
            self._write(cells(self._columns, orjson.loads(record)))

    def _write(self, values: Sequence[Value]) -> None:
        if self._row == MOST_ROWS:
            raise UnfitError(f"A sheet holds {MOST_ROWS - 1:,} records; there are more: filter, or export as CSV.")
        sheet, row = self._sheet, self._row
        for place, value in enumerate(values):
            match value:
                case None:
                    continue
                case bool():
                    sheet.write_boolean(row, place, value)
                case int():
                    sheet.write_number(row, place, value)
                case Decimal():
                    if len(value.normalize().as_tuple().digits) <= _DIGITS:
                        # A float would be written with a digit more than it has right: 8777.442999999999.
                        sheet.write_number(row, place, value)
                    else:
                        # An amount that a cell cannot keep to the cent stays what it is, as text.
                        sheet.write_string(row, place, str(value))
                case _:
                    if len(value) > MOST_TEXT:
                        name = self._columns[place].name
                        raise UnfitError(
                            f"{name} of record {row} has {len(value):,} characters; a cell holds {MOST_TEXT:,}:"
                            " leave the field out, or export as CSV."
                        )
                    sheet.write_string(row, place, value)
        self._row += 1

    def finish(self) -> Path:
        """The file, complete."""
        self._book.close()
        return self.path

    def discard(self) -> None:
        """Take everything off the disk."""
        # A workbook that was not finished keeps its sheet open.
        handle = getattr(self._sheet, "row_data_fh", None)
        if handle is not None and not handle.closed:
            handle.close()
        self._book.fileclosed = True
        self._folder.cleanup()
