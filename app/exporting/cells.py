"""Cells: the values of a record, as the columns of a table have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Value = str | Decimal | int | bool | None
# The last four are the first four in full width, as Japanese input writes them.
_BEGINS_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, the way to its value in a record's JSON, and whether that is an amount."""

    name: str
    path: tuple[str, ...]
    amount: bool = False

    def value(self, record: Mapping[str, Any]) -> Value:
        """The cell of a record: texts are harmless, numbers are numbers, lists are one text."""
        found: Any = record
        for step in self.path:
            found = found[step]
            if found is None:
                return None
        if isinstance(found, str):
            return Decimal(found) if self.amount else harmless(found)
        if isinstance(found, list):
            return harmless("; ".join(_member(each) for each in found))
        plain: Value = found
        return plain


def cells(columns: Sequence[Column], record: Mapping[str, Any]) -> list[Value]:
    """The row of a record."""
    return [column.value(record) for column in columns]


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: where it begins like one, an apostrophe stands before it (OWASP,
    CSV Injection)."""
    return f"'{text}" if text[:1] in _BEGINS_FORMULA else text


def _member(value: Any) -> str:
    """A member of a list: a text, or the id of the record in another system."""
    return value if isinstance(value, str) else f"{value['system']}:{value['id']}"
