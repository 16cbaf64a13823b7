"""Business time against a slow clock that looks at the wall every minute, and by hand on the days that go wrong."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.sla import (
    WEEKDAYS,
    Calendar,
    Period,
    add_business,
    business_between,
    calendar,
    print_period,
    read_period,
)

MINUTE = timedelta(minutes=1)
UNTIMED = settings(deadline=None)
BERLIN, NEW_YORK, LORD_HOWE, HAVANA, ST_JOHNS = (
    ZoneInfo(f"{name}")
    for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "America/St_Johns")
)
TURNS = (
    *((BERLIN, day) for day in (date(2026, 3, 29), date(2026, 10, 25))),
    *((NEW_YORK, day) for day in (date(2026, 3, 8), date(2026, 11, 1))),
    *((LORD_HOWE, day) for day in (date(2026, 4, 5), date(2026, 10, 4))),  # By half an hour.
    *((HAVANA, day) for day in (date(2026, 3, 8), date(2026, 11, 1))),  # At midnight: the day begins at one.
    *(
        (ST_JOHNS, day) for day in (date(2010, 3, 14), date(2010, 11, 7))
    ),  # A minute after midnight, into the day before.
    (ZoneInfo("Pacific/Apia"), date(2011, 12, 30)),  # There was no such day.
    (ZoneInfo("Asia/Kathmandu"), date(2026, 6, 1)),  # An odd offset that never changes.
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def week(text: str) -> list[Period]:
    """Periods such as ``09:00-12:30 13:30-17:30``, from Monday to Friday."""
    found = [read_period(f"{day} {hours}") for day in WEEKDAYS[:5] for hours in text.split()]
    assert None not in found
    return [period for period in found if period is not None]


# The slow clock


def open_at(calendar: Calendar, moment: datetime) -> bool:
    """Whether the clock on the wall shows business hours."""
    wall = moment.astimezone(calendar.zone).replace(tzinfo=None)
    shown = wall - datetime.combine(wall.date(), datetime.min.time())
    return wall.date() not in calendar.holidays and any(
        opens <= shown < closes
        for opens, closes in (calendar.hours[wall.weekday()].spans if wall.weekday() in calendar.hours else ())
    )


def slow_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Minute by minute; both ends are whole minutes."""
    found, here = timedelta(0), start
    while here < end:
        found += MINUTE if open_at(calendar, here) else timedelta(0)
        here += MINUTE
    return found


def slow_add(calendar: Calendar, start: datetime, amount: timedelta) -> datetime:
    here = start
    while amount > timedelta(0):
        amount -= MINUTE if open_at(calendar, here) else timedelta(0)
        here += MINUTE
    return here


# What is generated


@st.composite
def periods(draw: st.DrawFn) -> list[Period]:
    found = []
    for day in range(7):
        edges = draw(st.lists(st.integers(0, 24 * 60), max_size=6, unique=True).map(sorted))
        found += [Period(day, opens, closes) for opens, closes in zip(edges[::2], edges[1::2], strict=False)]
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar, and a moment within three days of a turn of its clock."""
    zone, day = draw(st.sampled_from(TURNS))
    holidays = draw(st.sets(st.integers(-4, 4).map(lambda days: day + timedelta(days=days)), max_size=2))
    made = calendar(zone, draw(periods()), holidays)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return made, noon + draw(st.integers(-4_320, 4_320)) * MINUTE


amounts = st.integers(0, 4_000).map(lambda minutes: minutes * MINUTE)
odd_amounts = st.integers(0, 4_000 * 60_000_000).map(lambda some: timedelta(microseconds=some))


@UNTIMED
@given(cases(), amounts)
def test_between_is_what_the_slow_clock_counts(case: tuple[Calendar, datetime], amount: timedelta) -> None:
    made, start = case
    assert business_between(made, start, start + amount) == slow_between(made, start, start + amount)


@UNTIMED
@given(cases(), st.integers(0, 900).map(lambda minutes: minutes * MINUTE))
def test_adding_ends_when_the_slow_clock_ends(case: tuple[Calendar, datetime], amount: timedelta) -> None:
    made, start = case
    if slow_between(made, start, start + timedelta(days=9)) >= amount:
        assert add_business(made, start, amount) == slow_add(made, start, amount)


@UNTIMED
@given(cases(), odd_amounts, st.integers(0, 59_999_999))
def test_what_was_added_lies_between(case: tuple[Calendar, datetime], amount: timedelta, odd: int) -> None:
    made, start = case[0], case[1] + timedelta(microseconds=odd)
    if made.hours:
        end = add_business(made, start, amount)
        assert business_between(made, start, end) == amount
        assert (
            end == start if not amount else business_between(made, end - timedelta(microseconds=1), end) > timedelta(0)
        )


@UNTIMED
@given(cases(), odd_amounts, odd_amounts)
def test_more_is_over_no_sooner(case: tuple[Calendar, datetime], one: timedelta, other: timedelta) -> None:
    made, start = case
    if made.hours:
        less, more = sorted((one, other))
        assert add_business(made, start, less) <= add_business(made, start, more)
        assert add_business(made, start, less) <= add_business(made, start + one, less)
        assert business_between(made, start, start + less) <= business_between(made, start, start + more)


@UNTIMED
@given(cases(), odd_amounts, odd_amounts)
def test_an_interval_is_the_sum_of_its_parts(case: tuple[Calendar, datetime], one: timedelta, other: timedelta) -> None:
    made, start = case
    middle, end = start + one, start + one + other
    parts = business_between(made, start, middle) + business_between(made, middle, end)
    assert business_between(made, start, end) == parts
    if made.hours:
        assert add_business(made, add_business(made, start, one), other) == add_business(made, start, one + other)


# By hand


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-11-20T16:30+01:00", 120, "2026-11-23T10:00+01:00"),  # A Friday, over the weekend.
        ("2026-11-20T16:30+01:00", 60, "2026-11-20T17:30+01:00"),  # To the very end of the day, not to Monday.
        ("2026-11-18T12:00+01:00", 60, "2026-11-18T14:00+01:00"),  # Over lunch.
        ("2026-11-18T12:45+01:00", 1, "2026-11-18T13:31+01:00"),  # From inside lunch.
        ("2026-11-21T11:00+01:00", 0, "2026-11-21T11:00+01:00"),  # Nothing is over at once.
        ("2026-11-18T09:00+01:00", 450, "2026-11-18T17:30+01:00"),
        ("2026-12-24T17:00+01:00", 60, "2026-12-28T09:30+01:00"),  # A holiday on a Friday, and the weekend.
        ("2026-03-27T17:00+01:00", 60, "2026-03-30T09:30+02:00"),  # The clock was put forward in between.
        ("2026-10-23T17:00+02:00", 60, "2026-10-26T09:30+01:00"),  # And back.
        ("2026-11-18T09:00+01:00", 40 * 60, "2026-11-25T11:30+01:00"),
    ],
)
def test_a_shop_in_berlin(start: str, minutes: int, end: str) -> None:
    made = calendar(BERLIN, week("09:00-12:30 13:30-17:30"), [date(2026, 12, 25)])
    assert add_business(made, utc(start), minutes * MINUTE) == utc(end)
    assert business_between(made, utc(start), utc(end)) == minutes * MINUTE


def test_an_hour_that_is_left_out_is_no_business_time_and_a_repeated_one_counts_twice() -> None:
    nights = calendar(BERLIN, [Period(6, 60, 240)])
    spring, autumn = utc("2026-03-29T00:00+01:00"), utc("2026-10-25T00:00+02:00")
    day = timedelta(days=1)
    assert business_between(nights, spring, spring + day) == 2 * timedelta(hours=1)
    assert business_between(nights, autumn, autumn + day) == 4 * timedelta(hours=1)
    around = calendar(NEW_YORK, [Period(6, 90, 150)])
    first, second = utc("2026-03-08T00:00-05:00"), utc("2026-11-01T00:00-04:00")
    assert business_between(around, first, first + day) == 30 * MINUTE
    assert business_between(around, second, second + day) == 90 * MINUTE


def test_all_day_and_all_week_is_plain_time() -> None:
    always = calendar(NEW_YORK, [Period(day, 0, 24 * 60) for day in range(7)])
    start = utc("2026-01-01T00:00:00.000001+00:00")
    for days in (1, 100, 365):
        assert add_business(always, start, timedelta(days=days)) == start + timedelta(days=days)
        assert business_between(always, start, start + timedelta(days=days)) == timedelta(days=days)


def test_backwards_is_nothing() -> None:
    made = calendar(BERLIN, week("09:00-17:00"))
    noon = utc("2026-11-18T12:00+01:00")
    assert business_between(made, noon, noon - timedelta(days=3)) == timedelta(0)
    assert add_business(made, noon, timedelta(hours=-1)) == noon


def test_what_never_comes_ends_with_the_century_and_the_calendar() -> None:
    noon = utc("2026-11-18T12:00+01:00")
    never = calendar(BERLIN, [])
    assert add_business(never, noon, MINUTE) == noon + timedelta(days=36_525)
    seldom = calendar(BERLIN, [Period(0, 0, 1)])
    assert add_business(seldom, noon, timedelta(days=365)) == noon + timedelta(days=36_525)
    for end in (datetime.max, datetime.max - timedelta(days=400)):
        assert add_business(never, end.replace(tzinfo=UTC), MINUTE) == datetime.max.replace(tzinfo=UTC)
    always = calendar(BERLIN, [Period(day, 0, 24 * 60) for day in range(7)])
    beginning = datetime(1, 1, 1, tzinfo=UTC)
    assert business_between(always, beginning, beginning + timedelta(days=367)) == timedelta(days=2)


@pytest.mark.parametrize(
    "text",
    [
        *("", "MONDAY", "MONDAY 9:00-12:00", "Monday 09:00-12:00", "MONDAY 09:00-09:00", "MONDAY 12:00-09:00"),
        *(
            "MONDAY 09:00-24:30",
            "MONDAY 24:00-24:00",
            "MONDAY 09:60-12:00",
            "MONDAY 09:00-25:00",
            "MONDAY 09:00-12:00 ",
        ),
        *("FEASTDAY 09:00-12:00", "MONDAY 09:00 - 12:00", "MONDAY ٠٩:00-12:00"),
    ],
)
def test_what_is_no_period(text: str) -> None:
    assert read_period(text) is None


@UNTIMED
@given(st.builds(Period, st.integers(0, 6), st.integers(0, 1_439), st.integers(1, 1_440)))
def test_periods_are_read_as_they_are_printed(period: Period) -> None:
    if period.opens < period.closes:
        assert read_period(print_period(period)) == period
