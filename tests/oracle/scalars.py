"""The scalars of the contract: strict in, exact out."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from graphql import GraphQLError, GraphQLSchema, StringValueNode, build_schema

MARK = "# ==== part: write"
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?")


def read_schema(sdl: str) -> GraphQLSchema:
    """The schema up to the part ``read``, with its scalars able to work."""
    schema = build_schema(sdl.partition(MARK)[0], assume_valid=True)
    for name, parse, serialize in (
        ("DateTime", parse_time, print_time),
        ("Date", parse_date, date.isoformat),
        ("Decimal", parse_decimal, print_decimal),
    ):
        scalar: Any = schema.type_map[name]
        scalar.parse_value = parse
        scalar.parse_literal = _literal(parse)
        scalar.serialize = serialize
        for later, earlier in (("coerce_input_value", parse), ("coerce_output_value", serialize)):
            if hasattr(scalar, later):
                setattr(scalar, later, earlier)
        if hasattr(scalar, "coerce_input_literal"):
            scalar.coerce_input_literal = _literal(parse)
    return schema


def _literal(parse: Any) -> Any:
    def parse_literal(node: Any, *_: Any) -> Any:
        if not isinstance(node, StringValueNode):
            raise GraphQLError("A string is wanted.")
        return parse(node.value)

    return parse_literal


def _text(value: Any, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value) or not value.isascii():
        raise GraphQLError(f"Not in the form that is wanted: {value!r}")
    return value


def parse_time(value: Any) -> datetime:
    """A moment of RFC 3339, with its offset."""
    try:
        return datetime.fromisoformat(_text(value, TIME).upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise GraphQLError(str(error)) from None


def print_time(value: datetime) -> str:
    """``2026-11-21T08:30:00.000000+00:00``"""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def parse_date(value: Any) -> date:
    """A day."""
    try:
        return date.fromisoformat(_text(value, DAY))
    except ValueError as error:
        raise GraphQLError(str(error)) from None


def parse_decimal(value: Any) -> Decimal:
    """An exact number, written as a string."""
    return Decimal(_text(value, NUMBER))


def print_decimal(value: Decimal) -> str:
    """All its digits, never an exponent."""
    return format(value, "f")
