"""How the columns of figures are shown in JSON."""

from typing import Any

from sqlalchemy import ColumnElement, Float, Numeric, Text, case, cast, func, literal_column, null

from app.analytics.building import Building, text
from app.analytics.figure import Record, Value
from app.models.base import Row
from app.reading.printing import money_object, printed
from app.reading.read import Constant, MoneyField


def shown_column(build: Building, found: Any, field: Constant | Value | MoneyField | Record) -> ColumnElement[Any]:
    """``field`` of the rows ``found``, whose columns are named as the fields are."""
    match field:
        case Constant(_, value):
            return literal_column(f"'{value}'", Text)
        case Value(_, name):
            value = found.c[name]
            # A ratio or a number of days is a Float of the API, and JSON's number; money alone is exact.
            return cast(value, Float) if isinstance(value.type, Numeric) else printed(Row, value)
        case MoneyField(_, name, parts):
            exact = found.c[name]
            amount = cast(func.round(exact, literal_column(str(build.scale))), Text)
            return case((exact.is_not(None), money_object(parts, amount, text(build.shop.currency))), else_=null())
        case Record(_, name, read):
            return build.compiler.one(read, None, found.c[name], referred=True)
