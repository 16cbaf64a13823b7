"""Budgets: points that a caller has, spends by what it asks, and gets back with time. All processes share them.

No request waits for that. Each process knows how much was left when it last asked, takes what it spends from there, and
tells the store in the background, a second at most after it was spent. Until then the others do not know of it. So that
this stays little, a process that has spent a ``_SHARE`` of a budget since it last told tells first: all processes
together overspend a budget by less than that share each, or by one operation each where that costs more. What was
overspent is a debt: it is paid back before anything can be spent again.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import asyncpg
import structlog

from app.db.lanes import Lanes
from app.errors import RateLimitedError

_SHARE = 0.05
_PACE = 1.0
_KEPT = 20_000
_log = structlog.get_logger("rapport.budgets")


class Limit(NamedTuple):
    """How many points a budget holds, and how many come back in a second. No points: no budget."""

    points: int
    restore: float


class Spent(NamedTuple):
    """What a process has spent of a budget since it last told."""

    key: str
    limit: Limit
    points: float
    ago: float = 0.0
    """The seconds since it began to."""


class Store(Protocol):
    """Where all processes keep what is left."""

    async def settle(self, spent: Sequence[Spent]) -> dict[str, float]:
        """Take off what was spent, and say how much is left of each."""

    async def close(self) -> None:
        """Let everything go."""


@dataclass(slots=True)
class Purse:
    """A budget as this process knows it: what was left at a moment, and what it has spent since without telling."""

    key: str
    limit: Limit
    left: float
    at: float
    untold: float = 0.0
    since: float = 0.0
    """When the first of that was spent."""
    telling: "asyncio.Task[None] | None" = None

    def remaining(self) -> float:
        """The points that are left now."""
        now = time.monotonic()
        self.left = min(self.limit.points, self.left + (now - self.at) * self.limit.restore)
        self.at = now
        return self.left

    def spend(self, points: float) -> None:
        """Take points, or give them back."""
        if not self.untold:
            self.since = time.monotonic()
        self.left = min(self.limit.points, self.left - points)
        self.untold += points

    def wait(self, points: float) -> int:
        """Seconds until there are so many points."""
        return max(1, math.ceil((points - self.left) / self.limit.restore))


class Budgets:
    """The budgets of the callers that this process has seen lately."""

    def __init__(self, store: Store, *, pace: float = _PACE) -> None:
        self._store = store
        self._pace = pace
        self._purses: OrderedDict[str, Purse] = OrderedDict()
        self._owing: set[str] = set()
        self._telling: asyncio.Task[None] | None = None

    def purse(self, key: str, limit: Limit) -> Purse:
        """The budget of that key."""
        found = self._purses.get(key)
        if found is None or found.limit != limit:
            found = self._purses[key] = Purse(key, limit, limit.points, time.monotonic())
            self._forget()
        else:
            self._purses.move_to_end(key)
        return found

    async def take(self, purse: Purse, price: float, paid: float = 0.0) -> None:
        """Spend points on something for which some are paid already. RateLimitedError, with the seconds until there
        are enough, where there are not. What costs more than there can ever be needs all that there can be."""
        needed = min(price + paid, purse.limit.points) - paid
        most = purse.limit.points * _SHARE
        if purse.untold + price > most and purse.untold > 0:
            await self._tell_now(purse)
        if purse.remaining() < needed:
            wait = purse.wait(needed)
            raise RateLimitedError(
                f"This costs {price:,.0f} points, and {max(purse.left, 0):,.0f} of {purse.limit.points:,} are left:"
                f" wait {wait} s.",
                retryAfter=wait,
                limit="budget",
                cost=round(price),
                remaining=max(0, math.floor(purse.left)),
                restoreRate=purse.limit.restore,
            )
        self.spend(purse, price)

    def spend(self, purse: Purse, points: float) -> None:
        """Spend points that are owed, whether they are there or not, or give some back."""
        purse.spend(points)
        self._owing.add(purse.key)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_later())

    async def _tell_later(self) -> None:
        await asyncio.sleep(self._pace)
        self._telling = None
        await self._tell(list(self._owing))

    async def _tell_now(self, purse: Purse) -> None:
        """Tell of one budget; all who wait for that wait together."""
        if purse.telling is None:
            purse.telling = asyncio.create_task(self._tell([purse.key]))
            purse.telling.add_done_callback(lambda _: setattr(purse, "telling", None))
        await asyncio.shield(purse.telling)

    async def _tell(self, keys: list[str]) -> None:
        self._owing.difference_update(keys)
        purses = {key: self._purses[key] for key in sorted(keys) if key in self._purses}
        begun = time.monotonic()
        spent = [
            Spent(key, purse.limit, purse.untold, begun - purse.since if purse.untold else 0.0)
            for key, purse in purses.items()
        ]
        for purse in purses.values():
            purse.untold = 0.0
        try:
            left = await self._store.settle(spent)
        except Exception:
            # What cannot be told is kept for the next time; meanwhile each process counts for itself.
            _log.exception("budgets could not be told and are told later")
            for each in spent:
                purses[each.key].untold += each.points
                purses[each.key].since = begun - each.ago
            self._owing.update(purses)
            return
        now = time.monotonic()
        for key, points in left.items():
            purses[key].left, purses[key].at = points - purses[key].untold, now

    def _forget(self) -> None:
        while len(self._purses) > _KEPT:
            key, purse = next(iter(self._purses.items()))
            if purse.untold or purse.telling is not None:
                return  # It has to be told of first, in a second at most.
            del self._purses[key]

    async def close(self) -> None:
        """Tell what is left to tell, and let everything go."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        if self._owing:
            await self._tell(list(self._owing))
        await self._store.close()


# What was spent a while ago counts as of then: what has come back since then came back to what was left.
_SETTLE = """
    INSERT INTO budgets AS b (key, points, restore, level, at)
    SELECT key, points, restore, points - spent, statement_timestamp() - ago * interval '1 second'
    FROM unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[])
        AS s (key, points, restore, spent, ago)
    ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
        level = LEAST(EXCLUDED.points, b.level + EXCLUDED.restore * GREATEST(0, extract(epoch FROM EXCLUDED.at - b.at)))
            - (EXCLUDED.points - EXCLUDED.level),
        points = EXCLUDED.points, restore = EXCLUDED.restore, at = GREATEST(b.at, EXCLUDED.at)
    RETURNING
        key, LEAST(points, level + restore * GREATEST(0, extract(epoch FROM statement_timestamp() - at))) AS level
"""
_FULL = """
    DELETE FROM budgets WHERE level + restore * extract(epoch FROM statement_timestamp() - at) >= points
"""


class DatabaseStore:
    """Budgets in a table of the database, which is not logged: after a crash of PostgreSQL, they are full again."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    async def settle(self, spent: Sequence[Spent]) -> dict[str, float]:
        """Take off what was spent, and say how much is left of each."""
        rows = await self._lanes.fetch(
            _SETTLE,
            [each.key for each in spent],
            [float(each.limit.points) for each in spent],
            [float(each.limit.restore) for each in spent],
            [each.points for each in spent],
            [each.ago for each in spent],
        )
        return {row["key"]: row["level"] for row in rows}

    async def close(self) -> None:
        """The connections are somebody else's."""


async def purge_budgets(connection: asyncpg.Connection) -> None:
    """Forget the budgets that are full again."""
    await connection.execute(_FULL)
