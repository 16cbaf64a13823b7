"""Orders and pages: which rows a connection shows, and what its pageInfo says."""

from collections.abc import Callable, Sequence
from functools import cmp_to_key
from typing import Any, NamedTuple
from uuid import UUID

from tests.oracle.rights import Rights
from tests.oracle.rows import Row

Terms = Sequence[tuple[str, str]]
"""(order field, direction), such as ("CREATED_AT", "DESC")."""

DEFAULT: Terms = (("CREATED_AT", "DESC"),)
NEWEST: Terms = (("AT", "DESC"),)
URGENCY = ("LOW", "NORMAL", "HIGH", "URGENT")


def default(entity: str) -> Terms:
    """The order of a list that is asked for in none."""
    return NEWEST if entity == "AuditEvent" else DEFAULT


def field_of(term: str) -> str:
    """``EXPECTED_CLOSE_ON`` → ``expectedCloseOn``."""
    head, *rest = term.lower().split("_")
    return head + "".join(map(str.capitalize, rest))


class Position(NamedTuple):
    """Where a row stands in an order."""

    values: tuple[Any, ...]
    id: UUID


def position(rights: Rights, row: Row, terms: Terms) -> Position:
    """A value that is not READ on the row stands as None."""
    values = (rights.value(row, field_of(term)) for term, _ in terms)
    return Position(tuple(URGENCY.index(v) if v in URGENCY else v for v in values), row.id)


def comparison(terms: Terms) -> Callable[[Position, Position], int]:
    """The order: by each term, None last in either direction, then by id in the direction of the last term."""

    def compare(one: Position, other: Position) -> int:
        for a, b, (_, direction) in zip(one.values, other.values, terms, strict=True):
            if a is None or b is None:
                if (a is None) != (b is None):
                    return 1 if a is None else -1
            elif a != b:
                return _sign(a, b, direction)
        return 0 if one.id == other.id else _sign(one.id, other.id, terms[-1][1])

    return compare


def _sign(a: Any, b: Any, direction: str) -> int:
    return -1 if (a < b) is (direction == "ASC") else 1


class Page(NamedTuple):
    """What a connection answers."""

    rows: list[Row]
    total: int
    has_next: bool
    has_previous: bool


def page(
    rights: Rights,
    rows: list[Row],
    terms: Terms,
    *,
    first: int | None = None,
    last: int | None = None,
    after: Row | None = None,
    before: Row | None = None,
) -> Page:
    """The page of ``rows``, all that the connection holds, strictly between ``after`` and ``before``."""
    compare = comparison(terms)
    placed = [(position(rights, row, terms), row) for row in rows]
    placed.sort(key=cmp_to_key(lambda one, other: compare(one[0], other[0])))
    low = None if after is None else position(rights, after, terms)
    high = None if before is None else position(rights, before, terms)
    window = [
        row
        for place, row in placed
        if (low is None or compare(place, low) > 0) and (high is None or compare(place, high) < 0)
    ]
    earlier = low is not None and any(compare(place, low) <= 0 for place, _ in placed)
    later = high is not None and any(compare(place, high) >= 0 for place, _ in placed)
    if last is not None:
        shown = window[-last:]
        earlier = earlier or len(window) > len(shown)
    else:
        shown = window[: first or 25]
        later = later or len(window) > len(shown)
    return Page(shown, len(rows), later, earlier)
