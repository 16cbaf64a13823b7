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
class Calendar:
    """When business goes on: the periods of each weekday in ``zone``, which do not overlap, but for ``holidays``."""

    zone: ZoneInfo
    periods: Mapping[int, tuple[tuple[timedelta, timedelta], ...]]
    holidays: frozenset[date]


def calendar(zone: ZoneInfo, periods: Iterable[Period], holidays: Iterable[date] = ()) -> Calendar:
    """The calendar of these periods."""
    days: dict[int, list[tuple[timedelta, timedelta]]] = {}
    for each in sorted(periods, key=lambda period: period.opens):
        span = timedelta(minutes=each.opens), timedelta(minutes=each.closes)
        days.setdefault(each.weekday, []).append(span)
    return Calendar(zone, {day: tuple(spans) for day, spans in days.items()}, frozenset(holidays))


def business_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The business time from ``start`` until ``end``; none where ``end`` is not later."""
    found = _NONE
    if start >= end:
        return found
    last = _plain(end)
    for opens, closes in _stretches(calendar, _plain(start), last):
        found += min(closes, last) - opens
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
    for opens, closes in _stretches(calendar, first, last):
        if closes - opens >= left:
            return (opens + left).replace(tzinfo=UTC)
        left -= closes - opens
    return last.replace(tzinfo=UTC)


def _plain(moment: datetime) -> datetime:
    """The moment in UTC, without saying so: such values are quicker to reckon with."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _stretches(calendar: Calendar, start: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The business time from ``start`` on, in UTC and in order, as far as it begins before ``last``."""
    start, last = min(max(start, _FIRST), _LAST), min(last, _LAST)
    for lower, upper, offset in _constant(calendar.zone, start, last):
        day = datetime.combine((lower + offset).date(), time.min)
        while day - offset < upper:
            if day.date() not in calendar.holidays:
                for opens, closes in calendar.periods.get(day.weekday(), ()):
                    begins, ends = max(day + opens - offset, lower, start), min(day + closes - offset, upper)
                    if begins < ends and begins < last:
                        yield begins, ends
            day += _DAY


def _constant(zone: ZoneInfo, start: datetime, last: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The time from ``start`` until after ``last``, cut into days and where the offset from UTC changes; with that."""
    here = start.replace(microsecond=0)
    before = _offset(zone, here)
    while here < last:
        then = here + _DAY
        after = _offset(zone, then)
        if after == before:
            yield here, then, before
        else:
            turn = _turn(zone, here, before)
            yield here, turn, before
            yield turn, then, after
        here, before = then, after


def _turn(zone: ZoneInfo, here: datetime, before: timedelta) -> datetime:
    """The second, within a day of ``here``, at which the offset is no longer ``before``. There is one such turn."""
    low, high = 0, 86_400
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
