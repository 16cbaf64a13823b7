"""From coerced GraphQL values to what PostgreSQL is sent, with errors that name the argument."""

from collections.abc import Collection
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from app.db.ids import split_id
from app.errors import BadUserInputError
from app.models.base import Row
from app.models.exchange_rate import is_currency
from app.reading.read import Convert

_SHORTEST_LONG_WORD = 3


def itself(value: Any) -> Any:
    """The value as it is."""
    return value


def checked_text(value: str, name: str) -> str:
    """Text that PostgreSQL can hold."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadUserInputError(
            f"{name} holds a character that no text can hold: NUL, or half of a surrogate pair.", argument=name
        )
    return value


def text(name: str) -> Convert:
    """Text, or a list of texts."""
    return lambda value: (
        [checked_text(each, name) for each in value] if isinstance(value, list) else checked_text(value, name)
    )


def currency(name: str) -> Convert:
    """A code of a currency."""

    def one(value: str) -> str:
        if not is_currency(value):
            shown = value if len(value) <= 20 else f"{value[:20]}…"
            raise BadUserInputError(f"{name} is {shown!r}: it must be a code of ISO 4217 such as USD.", argument=name)
        return value

    return one


@cache
def _zones() -> frozenset[str]:
    """The time zones that PostgreSQL knows as well: that of this machine has no name of its own there."""
    return frozenset(available_timezones() - {"localtime"})


def zone(name: str) -> Convert:
    """The name of a time zone."""

    def one(value: str) -> str:
        if value not in _zones():
            shown = value if len(value) <= 60 else f"{value[:60]}…"
            said = f"{name} is {shown!r}: it must be an IANA name, such as Europe/Berlin."
            raise BadUserInputError(said, argument=name)
        return value

    return one


def texts(name: str) -> Convert:
    """A list of texts from one text or a list."""
    return lambda value: [checked_text(each, name) for each in (value if isinstance(value, list) else [value])]


def pattern(name: str, before: str = "", after: str = "") -> Convert:
    """A LIKE pattern for the literal text, with wildcards before or after."""
    return lambda value: before + escaped(checked_text(value, name)) + after


def escaped(value: str) -> str:
    """Text in which LIKE finds no wildcards."""
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def record_id(entity: type[Row], name: str) -> Convert:
    """The UUID of a typed id of ``entity``, or a list of them."""

    def one(value: str) -> UUID:
        found = split_id(value)
        if found is None or found[0] != entity.prefix:
            shown = value if len(value) <= 60 else f"{value[:57]}…"
            raise BadUserInputError(
                f"{name} is not the id of a {entity.__name__}: {shown!r}. Such an id is {entity.prefix}_ and 32"
                " hexadecimal digits.",
                argument=name,
            )
        return found[1]

    return lambda value: [one(each) for each in value] if isinstance(value, list) else one(value)


def any_id(name: str, prefixes: Collection[str]) -> Convert:
    """The UUID of a typed id with one of the prefixes, or a list of them."""

    def one(value: str) -> UUID:
        found = split_id(value)
        if found is None or found[0] not in prefixes:
            shown = value if len(value) <= 60 else f"{value[:57]}…"
            raise BadUserInputError(
                f"{name} is not the id of a record: {shown!r}. Such an id is a prefix like cus_ and 32 hexadecimal"
                " digits.",
                argument=name,
            )
        return found[1]

    return lambda value: [one(each) for each in value] if isinstance(value, list) else one(value)


def node_ids(value: Any) -> list[tuple[str, UUID]]:
    """Prefix and UUID of each id; ids that are none become such that no row has."""
    return [split_id(each) or ("", UUID(int=0)) for each in (value if isinstance(value, list) else [value])]


def enum_values(value: Any) -> Any:
    """The stored text of enum members."""
    return (
        [getattr(each, "value", each) for each in value] if isinstance(value, list) else getattr(value, "value", value)
    )


def words(value: str) -> list[str]:
    """The words of a search."""
    return value.split()


def is_short(word: str) -> bool:
    """Whether a word has too few characters for a trigram, so that it must begin a field."""
    return len(word) < _SHORTEST_LONG_WORD


def word_pattern(number: int) -> Convert:
    """What the statement compares for the word of that number: the word if it is short, else a pattern."""

    def convert(value: str) -> str:
        word = checked_text(words(value)[number], "search")
        return word if is_short(word) else f"%{escaped(word)}%"

    return convert
