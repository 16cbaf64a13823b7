"""The cuts of scores: exact order statistics, found once, and then moved along with what changes.

With n values, the percent rank of one is (how many are less) / (n - 1); its score is 1 + floor(5 of these), 5 at most.
So the score is more than k (1 to 4) from the smallest value on of which at least k (n - 1) / 5 are less: ``place``.
With one value alone the percent rank is 0.
"""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import asyncpg

from app.analytics.keeping.literals import literal
from app.analytics.keeping.state import Ranking

STEPS = (1, 2, 3, 4)
_RANKED = "customer_metrics WHERE sold_orders > 0"


def place(k: int, n: int) -> int:
    """How many of ``n`` values must at least be less than one with a score of more than ``k``: k (n - 1) / 5, up."""
    return -(-k * (n - 1) // 5)


async def found(connection: asyncpg.Connection, table: str, column: str, n: int) -> Ranking[Any]:
    """The cuts among the ``n`` values of ``column`` in ``table``."""
    if n < 2:
        return Ranking((None,) * 4, (n,) * 4)
    enough = [f"FILTER (WHERE less >= {place(k, n)})" for k in STEPS]
    wanted = ", ".join(f"min(value) {these}, coalesce(min(less) {these}, {n})" for these in enough)
    row = await connection.fetchrow(
        f"""
        SELECT {wanted} FROM (
            SELECT value, sum(n) OVER (ORDER BY value) - n AS less
            FROM (SELECT {column} AS value, count(*) AS n FROM {table} GROUP BY 1) counts
        ) ranks
        """
    )
    return Ranking(tuple(row)[::2], tuple(int(less) for less in tuple(row)[1::2]))


def counted(counts: Iterable[tuple[Decimal, int]], n: int) -> Ranking[int]:
    """The cuts among ``n`` whole numbers, of which ``counts`` says upward how often each of them is there."""
    cuts: list[int | None] = [None] * 4
    if n >= 2:
        less = 0
        for value, count in counts:
            for k in STEPS:
                if cuts[k - 1] is None and less >= place(k, n):
                    cuts[k - 1] = int(value)
            less += count
    return Ranking(tuple(cuts), ())


def median(counts: Sequence[tuple[Decimal, int]]) -> Decimal | None:
    """The median of values, of which ``counts`` says upward how often each of them is there."""
    n = sum(count for _, count in counts)
    if not n:
        return None
    middle, reached = [], 0
    for value, count in counts:
        for place_ in ((n - 1) // 2, n // 2):
            if reached <= place_ < reached + count:
                middle.append(value)
        reached += count
    return (middle[0] + middle[1]) / 2


async def moved(
    connection: asyncpg.Connection, column: str, before: Ranking[Any], below: Sequence[int], n: int
) -> Ranking[Any]:
    """The cuts among the present ``n`` values of ``column``, of which ``below`` are less than those of ``before``.

    It goes from each old cut as many places along the index as the cut has moved.
    """
    cuts, less = [], []
    for k, cut, there in zip(STEPS, before.cuts, below, strict=True):
        at, under = (None, n) if n < 2 else await _moved(connection, column, cut, there, place(k, n))
        cuts.append(at)
        less.append(n if at is None else under)
    return Ranking(tuple(cuts), tuple(less))


async def _moved(
    connection: asyncpg.Connection, column: str, cut: Any, below: int, wanted: int
) -> tuple[Any | None, int]:
    old = literal(cut) if cut is not None else "'infinity'"
    if below == wanted:
        return await connection.fetchval(f"SELECT min({column}) FROM {_RANKED} AND {column} >= {old}"), below
    if below > wanted:
        way, skipped = f"{column} < {old} ORDER BY {column} DESC", below - 1 - wanted
    else:
        way, skipped = f"{column} >= {old} ORDER BY {column}", wanted - 1 - below
    pair = await connection.fetch(f"SELECT {column} FROM {_RANKED} AND {way} OFFSET {skipped} LIMIT 2")
    lower, upper = sorted(row[0] for row in pair)
    if lower < upper:
        return upper, wanted
    # The value at the wanted place begins before it: the next one is the first that has enough values below it.
    at = literal(upper)
    if below > wanted:
        between = f"{column} > {at} AND {column} < {old}"
        less = below - await connection.fetchval(f"SELECT count(*) FROM {_RANKED} AND {between}")
    else:
        between = f"{column} >= {old} AND {column} <= {at}"
        less = below + await connection.fetchval(f"SELECT count(*) FROM {_RANKED} AND {between}")
    return await connection.fetchval(f"SELECT min({column}) FROM {_RANKED} AND {column} > {at}"), less
