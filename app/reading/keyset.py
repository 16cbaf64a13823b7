"""Keyset paging: the conditions that hold for the rows on one side of a place in an order.

NULLs come last in the order, first in its reverse. PostgreSQL seeks in an index by the row comparison ``(a, id) < ($1,
$2)`` but not by ``a < $1 OR (a = $1 AND id < $2)``. A nullable first term therefore makes several branches, each of
which can seek; they do not overlap, and they stand in the order of travel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, and_, false, or_, true, tuple_


@dataclass(frozen=True, slots=True)
class Key:
    """One term of a total order: its value, direction, and whether the value may be NULL."""

    value: ColumnElement[Any]
    descending: bool
    nullable: bool


def order_by(keys: Sequence[Key], *, backward: bool = False) -> list[UnaryExpression[Any]]:
    """The ORDER BY terms for travelling forward or backward."""
    terms = []
    for key in keys:
        term = key.value.desc() if key.descending != backward else key.value.asc()
        if key.nullable:
            term = term.nulls_first() if backward else term.nulls_last()
        terms.append(term)
    return terms


def beyond(
    keys: Sequence[Key], place: Sequence[ColumnElement[Any]], *, backward: bool = False, inclusive: bool = False
) -> list[ColumnElement[bool]]:
    """The branches that together hold for the rows beyond ``place`` when travelling forward or backward."""
    first, here = keys[0], place[0]
    same_way = len({key.descending for key in keys}) == 1
    if same_way and not any(key.nullable for key in keys):
        return [_compare(tuple_(*(key.value for key in keys)), tuple_(*place), first, backward, inclusive)]
    if not first.nullable:
        bound = _compare(first.value, here, first, backward, True)
        return [and_(bound, _after(keys, place, backward, inclusive))]
    if same_way and not any(key.nullable for key in keys[1:]):
        values = _compare(tuple_(*(key.value for key in keys)), tuple_(*place), first, backward, inclusive)
    else:
        values = and_(_compare(first.value, here, first, backward, True), _after(keys, place, backward, inclusive))
    among_nulls = and_(first.value.is_(None), here.is_(None), _after(keys[1:], place[1:], backward, inclusive))
    if backward:
        return [among_nulls, and_(here.is_(None), first.value.is_not(None)), values]
    return [values, and_(here.is_not(None), first.value.is_(None)), among_nulls]


def _compare(
    value: ColumnElement[Any], here: ColumnElement[Any], key: Key, backward: bool, inclusive: bool
) -> ColumnElement[bool]:
    if key.descending != backward:
        return value <= here if inclusive else value < here
    return value >= here if inclusive else value > here


def _after(
    keys: Sequence[Key], place: Sequence[ColumnElement[Any]], backward: bool, inclusive: bool
) -> ColumnElement[bool]:
    if not keys:
        return true() if inclusive else false()
    key, here = keys[0], place[0]
    if len(keys) == 1 and not key.nullable:
        return _compare(key.value, here, key, backward, inclusive)
    strictly = _compare(key.value, here, key, backward, False)
    same: ColumnElement[bool] = key.value == here
    if key.nullable:
        passed = (
            and_(key.value.is_not(None), here.is_(None)) if backward else and_(key.value.is_(None), here.is_not(None))
        )
        strictly = or_(strictly, passed)
        same = key.value.is_not_distinct_from(here)
    if len(keys) == 1:
        return or_(strictly, same) if inclusive else strictly
    return or_(strictly, and_(same, _after(keys[1:], place[1:], backward, inclusive)))
