"""How far what is kept has come, and the lock of whoever changes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Generic, TypeVar

import asyncpg

from app.analytics.building import ShopFacts
from app.outbox import Position

T = TypeVar("T")
LOCK = 7_240_527


@dataclass(frozen=True, slots=True)
class Ranking(Generic[T]):
    """The cuts of one ranking. A value from ``cuts[k]`` on has a score of at least k + 2; None: no value has.

    ``below[k]`` of the ranked values are less than that cut.
    """

    cuts: tuple[T | None, ...]
    below: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What scores and churn states are worked out with, all of it as of one moment."""

    as_of: datetime
    ranked: int
    recency: Ranking[datetime]
    frequency: Ranking[int]
    monetary: Ranking[Decimal]
    rhythm: Decimal | None
    """The shop's, in days."""

    def rests(self, factor: Decimal) -> datetime | None:
        """The last order of a customer without a rhythm of its own was ``factor`` rhythms ago at this moment; None
        where the shop has no rhythm."""
        if self.rhythm is None:
            return None
        try:
            return self.as_of - timedelta(microseconds=int(factor * self.rhythm * 86_400_000_000))
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class State:
    """The row of ``analytics_state``, whose columns say what each of these is."""

    built: bool
    whole: bool
    pinned: bool
    shop: ShopFacts | None
    position: Position
    followed_at: datetime | None
    standing: Standing | None


async def read_state(connection: asyncpg.Connection) -> State:
    """The present state."""
    row = await connection.fetchrow("SELECT * FROM analytics_state")
    standing = None
    if row["as_of"] is not None and row["recency_cuts"]:
        standing = Standing(
            as_of=row["as_of"],
            ranked=row["ranked"],
            recency=Ranking(tuple(row["recency_cuts"]), tuple(row["recency_below"])),
            frequency=Ranking(tuple(row["frequency_cuts"]), ()),
            monetary=Ranking(tuple(row["monetary_cuts"]), tuple(row["monetary_below"])),
            rhythm=row["rhythm"],
        )
    return State(
        built=row["built"],
        whole=row["whole"],
        pinned=row["pinned"],
        shop=ShopFacts(row["currency"], row["timezone"]) if row["currency"] is not None else None,
        position=Position(row["transaction_id"], row["position"]),
        followed_at=row["followed_at"],
        standing=standing,
    )


async def write_standing(connection: asyncpg.Connection, standing: Standing, *, pinned: bool) -> None:
    """Say that the metrics are those of ``standing``."""
    await connection.execute(
        """
        UPDATE analytics_state SET whole = true, pinned = $1, as_of = $2, ranked = $3, rhythm = $4, recency_cuts = $5,
            recency_below = $6, frequency_cuts = $7, monetary_cuts = $8, monetary_below = $9
        """,
        pinned,
        standing.as_of,
        standing.ranked,
        standing.rhythm,
        standing.recency.cuts,
        standing.recency.below,
        standing.frequency.cuts,
        standing.monetary.cuts,
        standing.monetary.below,
    )


async def write_followed(
    connection: asyncpg.Connection, shop: ShopFacts, position: Position, followed_at: datetime
) -> None:
    """Say that the facts and roll-ups hold what happened up to ``position``."""
    await connection.execute(
        """
        UPDATE analytics_state SET built = true, currency = $1, timezone = $2, transaction_id = $3, position = $4,
            followed_at = $5
        """,
        shop.currency,
        shop.timezone,
        position.transaction_id,
        position.position,
        followed_at,
    )


@asynccontextmanager
async def turn(connection: asyncpg.Connection, *, wait: bool = True) -> AsyncIterator[bool]:
    """Have what is kept to oneself; False where another process has it, and ``wait`` does not ask to wait for it.

    It is a lock of the connection and not of a transaction, so that a transaction that begins in its turn sees all that
    the one before has written.
    """
    if wait:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    elif not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        yield False
        return
    try:
        yield True
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
