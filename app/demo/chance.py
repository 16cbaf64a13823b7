"""Repeatable chance and time. Moments are whole microseconds since 1970 in UTC: cheap to draw and to compare."""

import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from app.demo.cells import Cell

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEARS = 3

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHAPE = (16 << 128) | (0x7 << 76) | (0x8 << 60)
_SEASON = (0.85, 0.75, 0.9, 0.95, 1.0, 0.95, 0.85, 0.8, 1.0, 1.1, 1.5, 1.7)
_WEEK = (1.15, 1.1, 1.05, 1.05, 1.0, 0.8, 0.85)
_HOURS = (1, 1, 0, 0, 0, 1, 2, 4, 7, 9, 10, 10, 9, 8, 9, 9, 8, 8, 9, 11, 12, 10, 6, 3)

T = TypeVar("T")


def at(moment: int) -> datetime:
    """The moment as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=moment)


def moment_of(time: datetime) -> int:
    """The moment of a datetime with a time zone."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def weighted(weights: Mapping[T, int]) -> tuple[T, ...]:
    """A table to pick from, in which every key stands as often as its weight."""
    return tuple(key for key, weight in weights.items() for _ in range(weight))


def shares(weights: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to ``weights`` whose sum is exactly ``total``; all 0 where every weight is."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    found, so_far, given = [], 0.0, 0
    for weight in weights:
        so_far += weight
        # Rounding the running sum, and not each share, is what makes the shares add up.
        reached = min(total, int(so_far / whole * total + 0.5))
        found.append(reached - given)
        given = reached
    return found


class Chance(random.Random):
    """A source of chance. Each kind of row has its own, so that a change of one kind leaves the others as they are."""

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely."""
        return options[int(self.random() * len(options))]

    def within(self, low: int, high: int) -> int:
        """A whole number from ``low`` up to and without ``high``; ``low`` where there is none."""
        return low + int(self.random() * (high - low)) if high > low else low

    def delay(self, typical: int) -> int:
        """A waiting time of mostly less than ``typical``, sometimes of some times as much."""
        return int(typical * self.expovariate(1.0)) + 1

    def id_at(self, moment: int) -> Cell:
        """The cell of an id of the shape of a UUIDv7 made at ``moment``."""
        bits = self.getrandbits(74)
        return ((moment // 1000 << 80) | _SHAPE | (bits >> 62 << 64) | (bits & 0x3FFFFFFFFFFFFFFF)).to_bytes(20, "big")


class Calendar:
    """The three years before ``as_of``, busier every year, before Christmas, on weekdays and in the evening."""

    def __init__(self, as_of: datetime) -> None:
        self.end = moment_of(as_of)
        first_day = self.end // DAY - YEARS * 365
        self.start = first_day * DAY
        self._cumulative = [0.0]
        self._days: list[float] = []
        for number in range(YEARS * 365 + 1):
            day = at((first_day + number) * DAY)
            weight = (1 + number / 700) * _SEASON[day.month - 1] * _WEEK[day.weekday()]
            self._days.append(weight)
            self._cumulative.append(self._cumulative[-1] + weight)
        self._hours = tuple(hour for hour, weight in enumerate(_HOURS) for _ in range(weight))

    def between(self, chance: Chance, low: int, high: int) -> int:
        """A moment from ``low`` to ``high``, both within the calendar, more likely where business is brisk."""
        reached_low, reached_high = self._reached(low), self._reached(high)
        reached = reached_low + chance.random() * (reached_high - reached_low)
        day = bisect_right(self._cumulative, reached) - 1
        hour = chance.pick(self._hours)
        found = self.start + day * DAY + hour * HOUR + int(chance.random() * HOUR)
        return found if low <= found <= high else low + int(chance.random() * (high - low))

    def _reached(self, moment: int) -> float:
        day, rest = divmod(moment - self.start, DAY)
        return self._cumulative[day] + self._days[day] * (rest / DAY)
