"""Names for tables in a statement, which are made once and used again in the next one.

SQLAlchemy makes a column object for every column of an alias, and a statement may have dozens. Of two statements both
can have the same alias; two places in one statement cannot, for a subquery would take the table of the other place for
its own.
"""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from app.models.base import Row
from app.models.rows import Rows

P = ParamSpec("P")
T = TypeVar("T")

MOST = 400
"""Aliases that are kept, of some 30 kB each."""


class _Kept(threading.local):
    """All aliases that are kept, and how many of each kind the statement at hand has taken."""

    def __init__(self) -> None:
        self.aliases: dict[tuple[type[Row], str | None], list[Any]] = {}
        self.count = 0
        self.taken: dict[tuple[type[Row], str | None], int] | None = None


_kept = _Kept()


def alias(entity: type[Row], name: str | None = None) -> Any:
    """The table of ``entity`` under ``name``, or under one that SQLAlchemy finds: another one with every call, until
    the statement is made. Outside of ``one_statement`` it is new."""
    if _kept.taken is None:
        return Rows.named(entity, name)
    key = entity, name
    place = _kept.taken.get(key, 0)
    _kept.taken[key] = place + 1
    known = _kept.aliases.setdefault(key, [])
    if place < len(known):
        return known[place]
    made = Rows.named(entity, name)
    # One after the last place that is kept is not kept either, for it would come to stand in the wrong one.
    if _kept.count < MOST and place == len(known):
        known.append(made)
        _kept.count += 1
    return made


def one_statement(make: Callable[P, T]) -> Callable[P, T]:
    """For a function that makes one whole statement: what it returns holds text, and no alias."""

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        if _kept.taken is not None:
            return make(*args, **kwargs)
        _kept.taken = {}
        try:
            return make(*args, **kwargs)
        finally:
            _kept.taken = None

    return made
