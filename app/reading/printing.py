"""How values are printed in JSON, and how masked values look."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    ColumnElement,
    DateTime,
    Numeric,
    Text,
    Uuid,
    case,
    cast,
    func,
    literal_column,
    null,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from app.models.base import Row
from app.reading.read import Constant
from app.reading.sight import Treatment

MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'


def printed(entity: type[Row], value: ColumnElement[Any]) -> ColumnElement[Any]:
    """``value`` as JSON shows it: typed ids, UTC times with six digits, exact amounts as text, all else as it is."""
    kind: TypeEngine[Any] = value.type
    if isinstance(kind, Uuid):
        return literal_column(f"'{entity.prefix}_'", Text).concat(
            func.replace(cast(value, Text), literal_column("'-'"), literal_column("''"))
        )
    if isinstance(kind, DateTime):
        return func.to_char(func.timezone(literal_column("'UTC'"), value), literal_column(f"'{MOMENT}'"))
    if isinstance(kind, Numeric):
        return cast(value, Text)
    return value


def masked(attribute: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The shape of a text without its content. Empty stays empty, NULL stays NULL."""
    first = func.left(value, literal_column("1"))
    text = case((value == literal_column("''"), value), else_=first.concat(literal_column("'***'")))
    if attribute == "phone":
        ends = func.left(value, literal_column("3")).concat(literal_column("'****'"))
        long = ends.concat(func.right(value, literal_column("4")))
        short = literal_column("'****'", Text)
        empty = value == literal_column("''")
        return case((value.is_(None), null()), (empty, value), (func.char_length(value) < 9, short), else_=long)
    if attribute == "email":
        domain = func.reverse(func.split_part(func.reverse(value), literal_column("'@'"), literal_column("1")))
        return case(
            (func.strpos(value, literal_column("'@'")) > 0, first.concat(literal_column("'***@'")).concat(domain)),
            else_=text,
        )
    return text


def shown(entity: type[Row], attribute: str, value: ColumnElement[Any], treatment: Treatment) -> ColumnElement[Any]:
    """``value`` as the caller may see it: printed, masked, or null."""
    if treatment.readable is True:
        return printed(entity, value)
    nothing = _nothing(treatment)
    if treatment.masked is True:
        otherwise = masked(attribute, value)
    elif treatment.masked is False:
        otherwise = nothing
    else:
        otherwise = case((treatment.masked, masked(attribute, value)), else_=nothing)
    if treatment.readable is False:
        return otherwise
    return case((treatment.readable, printed(entity, value)), else_=otherwise)


def effective(value: ColumnElement[Any], treatment: Treatment) -> ColumnElement[Any]:
    """``value`` where the caller may read it, what stands for it elsewhere: what filters, orders, figures work on."""
    if treatment.readable is True:
        return value
    if treatment.readable is False:
        return _nothing(treatment)
    return type_coerce(case((treatment.readable, value), else_=_nothing(treatment)), value.type)


def _nothing(treatment: Treatment) -> ColumnElement[Any]:
    return null() if treatment.otherwise is None else treatment.otherwise


def money_object(
    parts: Sequence[tuple[str, Literal["amount", "currency"]] | Constant],
    amount: ColumnElement[str],
    currency: ColumnElement[str],
) -> ColumnElement[Any]:
    """The JSON object of an amount; NULL where the amount or the currency is, and is asked for.

    Neither an amount nor an ISO code holds a character that JSON escapes, so the object can be put together as text: a
    fifth faster over many lines than row_to_json.
    """
    text: ColumnElement[str] = literal_column("'{'", Text)
    for number, part in enumerate(parts):
        comma = "," if number else ""
        if isinstance(part, Constant):
            text = text.concat(literal_column(f'\'{comma}"{part.key}":"{part.value}"\''))
        else:
            value = amount if part[1] == "amount" else currency
            text = text.concat(literal_column(f'\'{comma}"{part[0]}":"\'')).concat(value)
            text = text.concat(literal_column("'\"'"))
    return cast(text.concat(literal_column("'}'")), JSON)
