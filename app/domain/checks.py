"""Checks of what was given, against what the tables hold: all problems of an input are noted at once."""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import CheckConstraint, Text, inspect
from sqlalchemy.orm import Mapper

from app.domain.given import Given, GivenMoney
from app.domain.work import Work
from app.models.base import Row, currency_scale

LONG_TEXT = 20_000
SHORT_TEXT = 500
_TAGS, _TAG_LENGTH = 50, 100
_REFERENCES = 20
_LARGEST = Decimal(10) ** 15
_INT = 2**31
_UNHELD = re.compile("[\0\ud800-\udfff]")
# A local part, one at sign and a domain, without spaces or control characters: more than that only a letter can prove.
_UNSEEN = r"\s@\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e"
_EMAIL = re.compile(rf"[^{_UNSEEN}]{{1,64}}@[^.{_UNSEEN}]+(\.[^.{_UNSEEN}]+)*")
_PHONE = re.compile(r"\+?[\d\s()./\-]{3,40}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def check_values(work: Work, entity: type[Row], given: Given) -> None:
    """Note what is wrong with the values of the columns of ``entity``."""
    for attribute, value in given.values.items():
        if attribute == "external_refs":
            _references(work, given, value)
        elif attribute == "tags":
            _tags(work, given, value)
        elif (column := _column(entity, attribute)) is not None:
            if value is None:
                if not column.nullable:
                    work.problems.add(given.at(attribute), "REQUIRED", f"{given.at(attribute)[-1]} cannot be null.")
            elif isinstance(value, str) and isinstance(column.type, Text):
                _text(work, given, entity, attribute, value, required=not column.nullable)


def _text(work: Work, given: Given, entity: type[Row], attribute: str, value: str, *, required: bool) -> None:
    path = given.at(attribute)
    if not text_problem(work, path, value, limit(entity, attribute)):
        return
    if required and not value.strip():
        work.problems.add(path, "REQUIRED", f"{path[-1]} cannot be empty.")
    elif attribute == "email" and value and not _EMAIL.fullmatch(value):
        work.problems.add(path, "INVALID", "email must be an address such as anna@example.com.")
    elif attribute == "phone" and value and not _PHONE.fullmatch(value):
        work.problems.add(
            path, "INVALID", "phone must be a number such as +49 30 1234567: digits, spaces, and ( ) . / - only."
        )


def can_be_kept(value: str) -> bool:
    """Whether PostgreSQL can hold the text: neither NUL nor half of a surrogate pair is in it."""
    return _UNHELD.search(value) is None


def text_problem(work: Work, path: tuple[str, ...], value: str, most: int) -> bool:
    """Whether ``value`` can be kept as text of at most ``most`` characters; a problem is noted where it cannot."""
    if not can_be_kept(value):
        work.problems.add(
            path, "INVALID", f"{path[-1]} holds a character that no text can hold: NUL, or half of a surrogate pair."
        )
        return False
    if len(value) > most:
        message = f"{path[-1]} has {len(value)} characters; {most} are allowed."
        work.problems.add(path, "TOO_LONG", message, params={"max": most, "actual": len(value)})
        return False
    return True


def required_text(work: Work, given: Given, attribute: str, most: int = LONG_TEXT) -> None:
    """Note where the text ``attribute`` is missing, blank, or too long."""
    value = given.values.get(attribute)
    path = given.at(attribute)
    if not isinstance(value, str) or not value.strip():
        work.problems.add(path, "REQUIRED", f"{path[-1]} cannot be empty.")
    else:
        text_problem(work, path, value, most)


def in_range(work: Work, given: Given, attribute: str, low: int, high: int = _INT - 1) -> None:
    """Note where the number ``attribute`` is given and lies outside of ``low`` to ``high``."""
    value = given.values.get(attribute)
    if value is not None and not low <= value <= high:
        path = given.at(attribute)
        said = f"{path[-1]} is {value}: it must be from {low} to {high}."
        work.problems.add(path, "OUT_OF_RANGE", said, params={"min": low, "max": high, "actual": value})


def money(
    work: Work, path: tuple[str, ...], given: GivenMoney, currency: str | None = None
) -> tuple[Decimal, str] | None:
    """The amount with the scale of its currency; None, with a problem noted, where it cannot be kept exactly.

    With a ``currency``, it must be in that one; without, it is in the one given, or else in the shop's.
    """
    said = given.currency if given.currency is not None else currency or work.shop.currency
    if not _CURRENCY.fullmatch(said):
        work.problems.add(
            (*path, "currency"), "INVALID", f"currency is {said[:20]!r}: it must be a code of ISO 4217 such as EUR."
        )
        return None
    if currency is not None and said != currency:
        problem = f"currency must be {currency}, like the rest of it, not {said}."
        work.problems.add((*path, "currency"), "INVALID", problem)
        return None
    amount, scale = given.amount, currency_scale(said)
    where = (*path, "amount")
    if not 0 <= amount < _LARGEST:
        problem = f"amount is {amount}: it must be from 0 to below 10^15."
        work.problems.add(where, "OUT_OF_RANGE", problem, params={"min": 0})
        return None
    exact = amount.quantize(Decimal(1).scaleb(-scale))
    if exact != amount:
        work.problems.add(
            where,
            "INVALID",
            f"amount is {amount}: {said} has {scale} decimal places.",
            params={"currency": said, "places": scale},
        )
        return None
    return exact, said


def _tags(work: Work, given: Given, value: Any) -> None:
    path = given.at("tags")
    if value is None:
        given.values["tags"] = []
        return
    if len(value) > _TAGS:
        problem = f"tags has {len(value)} members; {_TAGS} are allowed."
        work.problems.add(path, "TOO_LONG", problem, params={"max": _TAGS})
        return
    for number, tag in enumerate(value):
        if text_problem(work, (*path, str(number)), tag, _TAG_LENGTH) and not tag.strip():
            work.problems.add((*path, str(number)), "INVALID", "A tag cannot be empty.")
    given.values["tags"] = list(dict.fromkeys(value))


def _references(work: Work, given: Given, value: Sequence[tuple[str, str]] | None) -> None:
    path = given.at("external_refs")
    if value is not None and len(value) > _REFERENCES:
        problem = f"externalRefs has {len(value)} members; {_REFERENCES} are allowed."
        work.problems.add(path, "TOO_LONG", problem, params={"max": _REFERENCES})
    for number, (system, id) in enumerate(value or ()):
        for name, text in (("system", system), ("id", id)):
            where = (*path, str(number), name)
            if text_problem(work, where, text, SHORT_TEXT) and not text.strip():
                work.problems.add(where, "REQUIRED", f"{name} cannot be empty.")


@cache
def limit(entity: type[Row], attribute: str) -> int:
    """The characters that a text may have: few where it is indexed."""
    table: Any = inspect(entity).local_table
    named = {c.name for c in table.constraints if isinstance(c, CheckConstraint)}
    return SHORT_TEXT if any(str(name).endswith(f"_{attribute}_is_short") for name in named) else LONG_TEXT


@cache
def _column(entity: type[Row], attribute: str) -> Any:
    mapper: Mapper[Any] = inspect(entity)
    return mapper.columns.get(attribute)
