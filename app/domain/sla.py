"""Business time: how much of it lies between two moments, and when a given amount of it is over.

A moment is business time if a clock on the wall of the calendar's time zone shows a time inside one of the periods of
that weekday, and the day is no holiday. So an hour that daylight saving takes away is no business time, and one that it
repeats counts twice. Nothing here looks at the present moment or at the database.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_NONE = timedelta(0)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_STEP = timedelta(days=7)
_FIRST, _LAST = datetime(2, 1, 1), datetime(9999, 1, 1)
"""No business time lies outside of these, where no zone can bring a moment beyond what Python can hold."""
_HORIZON = timedelta(days=36_525)
"""A hundred years: no promise is given for later, and a calendar with next to no hours cannot keep anybody busy."""
_PERIOD = re.compile(rf"({'|'.join(WEEKDAYS)}) ([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """Business hours of one weekday (0 is Monday): from ``opens`` on until before ``closes``, in minutes of the day."""

    weekday: int
    opens: int
    closes: int


def read_period(text: str) -> Period | None:
    """The period that is written such as ``MONDAY 09:00-12:30``, at most until 24:00; None where it is none."""
    found = _PERIOD.fullmatch(text)
    if found is None:
        return None
    day, hour, minute, last_hour, last_minute = found.groups()
    closes = 24 * 60 if last_hour is None else int(last_hour) * 60 + int(last_minute)
    period = Period(WEEKDAYS.index(day), int(hour) * 60 + int(minute), closes)
    return period if period.opens < period.closes else None


def print_period(period: Period) -> str:
    """A period as ``read_period`` takes it."""
    opens, closes = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (period.opens, period.closes))
    return f"{WEEKDAYS[period.weekday]} {opens}-{closes}"


@dataclass(frozen=True, slots=True)
class Hours:
    """The periods of one weekday, in their order, from midnight on, and how long they are together."""

    spans: tuple[tuple[timedelta, timedelta], ...]
    total: timedelta


@dataclass(frozen=True, slots=True)
class Calendar:
    """When business goes on: the hours of each weekday in ``zone``, but for ``holidays``."""

    zone: ZoneInfo
    hours: Mapping[int, Hours]
    holidays: frozenset[date]


def calendar(zone: ZoneInfo, periods: Iterable[Period], holidays: Iterable[date] = ()) -> Calendar:
    """The calendar of these periods, which do not overlap."""
    days: dict[int, list[tuple[timedelta, timedelta]]] = {}
    for each in sorted(periods, key=lambda period: period.opens):
        span = timedelta(minutes=each.opens), timedelta(minutes=each.closes)
        days.setdefault(each.weekday, []).append(span)
    hours = {
        day: Hours(tuple(spans), sum((closes - opens for opens, closes in spans), _NONE)) for day, spans in days.items()
    }
    return Calendar(zone, hours, frozenset(holidays))


def business_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The business time from ``start`` until ``end``; none where ``end`` is not later."""
    found = _NONE
    for part in _parts(calendar, _plain(start), _plain(end)):
        if part.whole:
            found += part.hours.total
        else:
            for opens, closes in part.stretches():
                found += closes - opens
    return found


def add_business(calendar: Calendar, start: datetime, amount: timedelta) -> datetime:
    """The first moment (UTC) at which ``amount`` of business time is over since ``start``.

    No amount is over at once, outside of business hours too. What would take more than a hundred years, or go beyond
    the last day that there is, ends there.
    """
    if amount <= _NONE:
        return start.astimezone(UTC)
    first = _plain(start)
    last = datetime.max if first > datetime.max - _HORIZON else first + _HORIZON
    left = amount
    for part in _parts(calendar, first, last):
        if part.whole and part.hours.total < left:
            left -= part.hours.total
            continue
        for opens, closes in part.stretches():
            if closes - opens >= left:
                return (opens + left).replace(tzinfo=UTC)
            left -= closes - opens
    return last.replace(tzinfo=UTC)


def _plain(moment: datetime) -> datetime:
    """The moment in UTC, without saying so: such values are quicker to reckon with."""
    return moment.astimezone(UTC).replace(tzinfo=None)


class _Part:
    """What lies from ``lower`` until ``upper`` (UTC) of a day with hours that begins on the wall at ``midnight``."""

    __slots__ = ("hours", "lower", "midnight", "upper", "whole")

    def __init__(self, hours: Hours, midnight: datetime, lower: datetime, upper: datetime) -> None:
        self.hours = hours
        self.midnight = midnight
        self.lower = lower
        self.upper = upper
        self.whole = lower <= midnight and midnight + _DAY <= upper

    def stretches(self) -> Iterator[tuple[datetime, datetime]]:
        """The business time in it."""
        for opens, closes in self.hours.spans:
            begins, ends = max(self.midnight + opens, self.lower), min(self.midnight + closes, self.upper)
            if begins < ends:
                yield begins, ends


def _parts(calendar: Calendar, start: datetime, end: datetime) -> Iterator[_Part]:
    """The days that have hours from ``start`` until ``end``, in order, cut where the offset from UTC changes."""
    for lower, upper, offset in _constant(calendar.zone, max(start, _FIRST), min(end, _LAST)):
        day = datetime.combine((lower + offset).date(), time.min)
        while (midnight := day - offset) < upper:
            hours = calendar.hours.get(day.weekday())
            if hours is not None and day.date() not in calendar.holidays:
                yield _Part(hours, midnight, lower, upper)
            day += _DAY


def _constant(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The time from ``start`` until ``end``, cut into weeks and where the offset from UTC changes; with that."""
    if start >= end:
        return
    before = _offset(zone, start)
    while start < end:
        then = start + _STEP
        after = _offset(zone, then)
        if after == before:
            yield start, min(then, end), before
        else:
            turn = _turn(zone, start, before)
            if start < turn:
                yield start, min(turn, end), before
            if turn < end:
                yield turn, min(then, end), after
        start, before = then, after


def _turn(zone: ZoneInfo, start: datetime, before: timedelta) -> datetime:
    """The second, within a step of ``start``, from which on the offset is no longer ``before``. There is one such turn:
    clocks that are changed twice in a week are not known."""
    here = start.replace(microsecond=0)
    low, high = 0, _STEP // _SECOND + 1
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, here + middle * _SECOND) == before:
            low = middle
        else:
            high = middle
    return here + high * _SECOND


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    found = zone.fromutc(moment.replace(tzinfo=zone)).utcoffset()
    assert found is not None
    return found
