"""The policy of what is promised: reading it, and setting it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain.checks import in_range
from app.domain.given import Given
from app.domain.sla import Calendar, Period, calendar, print_period, read_period
from app.domain.work import Shop, Work
from app.models import SlaPolicy
from app.models.enums import TicketPriority
from app.models.sla import TARGETS

_PERIODS, _HOLIDAYS = 100, 1_000
_YEAR = 366 * 24 * 60
_WEEKS = 520
"""Ten years: no target may take longer with the hours that there are."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Business time until the first response and until the resolution; None promises nothing."""

    first_response: timedelta | None
    resolution: timedelta | None


@dataclass(frozen=True, slots=True)
class Clock:
    """A policy as tickets need it: when business goes on, and what is promised for each priority."""

    calendar: Calendar
    promises: Mapping[TicketPriority, Promise]


def clock_of(policy: SlaPolicy, shop: Shop) -> Clock:
    """What ``policy`` means in ``shop``."""
    targets = tuple(getattr(policy, target) for target in TARGETS)
    return _clock(policy.time_zone or shop.timezone, tuple(policy.hours), tuple(policy.holidays), targets)


@lru_cache(maxsize=16)
def _clock(zone: str, hours: Sequence[str], holidays: Sequence[date], targets: Sequence[int | None]) -> Clock:
    periods = [period for text in hours if (period := read_period(text)) is not None]
    minutes = dict(zip(TARGETS, targets, strict=True))

    def promised(priority: TicketPriority, target: str) -> timedelta | None:
        found = minutes[f"{priority.lower()}_{target}_minutes"]
        return None if found is None else timedelta(minutes=found)

    promises = {
        each: Promise(promised(each, "first_response"), promised(each, "resolution")) for each in TicketPriority
    }
    return Clock(calendar(ZoneInfo(zone), periods, holidays), promises)


async def set_policy(work: Work, policy: SlaPolicy, given: Given) -> SlaPolicy:
    """Change what was given. Tickets keep the due times that they have until they get new ones for another reason."""
    _check_zone(work, given)
    if "holidays" in given:
        _check_holidays(work, given)
    periods = _checked_hours(work, given) if "hours" in given else [read_period(text) for text in policy.hours]
    for target in TARGETS:
        in_range(work, given, target, 1, _YEAR)
    work.problems.refuse()
    given.assign(policy)
    _check_reach(work, policy, given, [period for period in periods if period is not None])
    work.problems.refuse()
    return policy


def is_zone(name: str) -> bool:
    """Whether ``name`` is one of the IANA time zone database."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _check_zone(work: Work, given: Given) -> None:
    zone = given.get("time_zone")
    if zone is not None and not is_zone(zone):
        shown = zone if len(zone) <= 60 else f"{zone[:57]}…"
        said = f"timeZone is {shown!r}: it must be an IANA name such as Europe/Berlin, or null for the shop's."
        work.problems.add(given.at("time_zone"), "INVALID", said)


def _check_holidays(work: Work, given: Given) -> None:
    days = sorted(set(given.get("holidays") or ()))
    if len(days) > _HOLIDAYS:
        said = f"holidays has {len(days)} days; {_HOLIDAYS} are allowed."
        work.problems.add(given.at("holidays"), "TOO_LONG", said, params={"max": _HOLIDAYS, "actual": len(days)})
    given.values["holidays"] = days


def _checked_hours(work: Work, given: Given) -> list[Period]:
    """The periods given, put into the order of the week; what is wrong with them is noted."""
    path, texts = given.at("hours"), given.get("hours") or []
    if not texts:
        work.problems.add(path, "REQUIRED", "hours cannot be empty: without business hours nothing is ever due.")
    if len(texts) > _PERIODS:
        said = f"hours has {len(texts)} periods; {_PERIODS} are allowed."
        work.problems.add(path, "TOO_LONG", said, params={"max": _PERIODS, "actual": len(texts)})
        return []
    found: list[Period] = []
    for number, text in enumerate(texts):
        period = read_period(text)
        where = (*path, str(number))
        if period is None:
            said = "A period must be such as MONDAY 09:00-12:30: a weekday, and hours that end later, by 24:00, on it."
            work.problems.add(where, "INVALID", said)
            continue
        other = next((each for each in found if _overlap(each, period)), None)
        if other is not None:
            work.problems.add(where, "INVALID", f"{text} overlaps with {print_period(other)}: make one period of them.")
        found.append(period)
    found.sort(key=lambda period: (period.weekday, period.opens))
    given.values["hours"] = [print_period(period) for period in found]
    return found


def _overlap(one: Period, other: Period) -> bool:
    return one.weekday == other.weekday and one.opens < other.closes and other.opens < one.closes


def _check_reach(work: Work, policy: Any, given: Given, periods: Sequence[Period]) -> None:
    """Note the targets that the hours of ten years cannot hold."""
    week = sum(period.closes - period.opens for period in periods)
    most = week * _WEEKS
    for target in TARGETS:
        minutes = getattr(policy, target)
        if minutes is not None and minutes > most:
            where = given.at(target)
            said = f"{where[-1]} is {minutes}: with {week} business minutes a week that takes more than ten years."
            params = {"min": 1, "max": most, "actual": minutes}
            work.problems.add(where, "OUT_OF_RANGE", said, params=params)
