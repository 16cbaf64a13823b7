"""Values as they stand in a statement: CREATE TABLE AS takes no parameters."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def literal(value: Any) -> str:
    """``value``, one of our own, as SQL with its type."""
    match value:
        case None:
            return "NULL"
        case int() | Decimal():
            return f"{value}"
        case datetime():
            return f"'{value.isoformat()}'::timestamptz"
        case date():
            return f"'{value.isoformat()}'::date"
        case _:
            return "'" + str(value).replace("'", "''") + "'"


def literals(values: Sequence[Any]) -> str:
    """``values`` after one another."""
    return ", ".join(literal(value) for value in values)
