"""Makers: functions from a row of the file to the COPY text of one column, compiled from the map."""

from collections.abc import Callable, Sequence

from app.importing.cells import NULL, ValueRefusedError, converter, escaped, hours, moment_reader, shown
from app.importing.errors import RowRefusedError
from app.importing.maps import FieldMap, Map
from app.importing.targets import TargetField
from app.importing.templates import Getter, Row, parse_template

Make = Callable[[Row], str]
Cells = Callable[[str], Getter]  # From the name of a column to the function that reads it, trimmed.


def external_maker(template: str, required: bool, cell: Cells) -> Make:
    """The maker of an external id; without one, a required id refuses the row."""
    parsed = parse_template(template)
    get, columns = parsed.getter(cell), ", ".join(parsed.columns)

    def make(row: Row) -> str:
        text = get(row)
        if not text:
            if required:
                raise RowRefusedError(columns, "is required: it is the external id")
            return NULL
        if len(text) > 500:
            raise RowRefusedError(columns, f"has {len(text):,} characters, 500 at most are possible")
        return escaped(text)

    return make


def field_maker(read: Map, aim: TargetField, field: FieldMap, cell: Cells) -> Make:
    """The maker of one field; it raises RowRefusedError with the columns at fault."""
    get = _value(field, cell)
    columns = ", ".join(field.columns) or aim.name
    if field.plus_hours is not None:
        return _later(read, aim, field, get, cell)
    convert = converter(
        aim,
        dates=read.dates if field.dates is None else field.dates,
        timezone=field.timezone or read.timezone,
        decimal=read.decimal,
        split=field.split,
    )
    required = aim.required

    def make(row: Row) -> str:
        text = get(row)
        if not text:
            if required:
                raise RowRefusedError(columns, f"is required: {aim.name} must have a value")
            return NULL
        try:
            return convert(text)
        except ValueRefusedError as error:
            raise RowRefusedError(columns, str(error)) from None

    return make


def _later(read: Map, aim: TargetField, field: FieldMap, get: Getter, cell: Cells) -> Make:
    """The maker of a time to which hours are added."""
    moment = moment_reader(read.dates if field.dates is None else field.dates, field.timezone or read.timezone)
    columns = ", ".join(field.columns)
    added = parse_template(str(field.plus_hours)).getter(cell)

    def make(row: Row) -> str:
        text, more = get(row), added(row)
        if not text or not more:
            if aim.required:
                raise RowRefusedError(columns, f"is required: {aim.name} must have a value")
            return NULL
        try:
            return (moment(text) + hours(more)).isoformat()
        except ValueRefusedError as error:
            raise RowRefusedError(columns, str(error)) from None
        except OverflowError:
            raise RowRefusedError(columns, f"leads too far into the future: {shown(more)} hours") from None

    return make


def _value(field: FieldMap, cell: Cells) -> Getter:
    """The text of a field before it is converted: template, condition, value map and default."""
    get = parse_template(field.value).getter(cell)
    if field.when:
        get = _only_when([(cell(column), frozenset(wanted)) for column, wanted in field.when.items()], get)
    values, otherwise, default = field.values, field.otherwise, field.default
    if not values and otherwise is None and not default:
        return get

    def value(row: Row) -> str:
        text = get(row)
        if text:
            text = values.get(text, text if otherwise is None else otherwise)
        return text or default or ""

    return value


def _only_when(conditions: Sequence[tuple[Getter, frozenset[str]]], get: Getter) -> Getter:
    def value(row: Row) -> str:
        return get(row) if all(cell(row) in wanted for cell, wanted in conditions) else ""

    return value
