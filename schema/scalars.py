"""The scalars of the API. They are strict: what cannot be kept exactly is refused, and told what would be right."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

_LARGEST = Decimal(10) ** 15


def parse_moment(value: Any) -> datetime:
    """A moment in RFC 3339 with its offset."""
    if isinstance(value, str) and "T" in value.upper():
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise GraphQLError(
        f"DateTime cannot represent {_shown(value)}: write a moment with its time zone, such as 2026-11-21T08:30:00Z."
    )


def parse_date(value: Any) -> date:
    """A calendar day as in ISO 8601."""
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise GraphQLError(f"Date cannot represent {_shown(value)}: write a day such as 2026-11-21.")


def parse_decimal(value: Any) -> Decimal:
    """An exact number, from a string or a whole number; binary fractions are refused."""
    if isinstance(value, int | str) and not isinstance(value, bool):
        try:
            number = Decimal(value)
            if number.is_finite() and abs(number) < _LARGEST and -_exponent(number) <= 20:
                return number
        except InvalidOperation:
            pass
    raise GraphQLError(
        f'Decimal cannot represent {_shown(value)}: write a number below 10^15 as a string, such as "1234.50".'
    )


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _shown(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _literal(parse: Any) -> Any:
    def parse_literal(node: ValueNode, _variables: Any = None) -> Any:
        if isinstance(node, StringValueNode):
            return parse(node.value)
        if isinstance(node, IntValueNode | FloatValueNode) and parse is parse_decimal:
            return parse(node.value)
        raise GraphQLError("Write this value as a string.")

    return parse_literal


def _scalar(name: str, description: str, parse: Any) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, serialize=str, parse_value=parse, parse_literal=_literal(parse)
    )


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment, printed as 2026-11-21T08:30:00.000000+00:00, always in UTC.",
        serialize=lambda moment: moment.astimezone(UTC).isoformat(timespec="microseconds"),
        parse_value=parse_moment,
        parse_literal=_literal(parse_moment),
    ),
    date: _scalar("Date", "A calendar day, such as 2026-11-21.", parse_date),
    Decimal: _scalar("Decimal", 'Decimal number as a JSON string, such as "1234.50".', parse_decimal),
}

__all__ = ["JSON", "SCALARS", "parse_date", "parse_decimal", "parse_moment"]
