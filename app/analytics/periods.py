"""Periods and their buckets: days, weeks from Monday (ISO 8601), months, quarters and years of a time zone."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    Text,
    case,
    cast,
    column,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import INTERVAL

from app.analytics.building import text

BUCKETS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")

MOST_BUCKETS = 10_000
"""As many buckets as a figure may have: 27 years of days."""

_STEP = {"DAY": (1, "day"), "WEEK": (7, "day"), "MONTH": (1, "month"), "QUARTER": (3, "month"), "YEAR": (1, "year")}

_TICK: ColumnElement[Any] = cast(literal_column("'1 microsecond'", Text), INTERVAL)


def within(
    moment: ColumnElement[Any], start: ColumnElement[Any] | None, end: ColumnElement[Any] | None
) -> list[ColumnElement[bool]]:
    """The conditions that ``moment`` lies in the period: at or after its start, before its end, where it has these."""
    found = [] if start is None else [moment >= start]
    return found if end is None else [*found, moment < end]


def local_time(moment: ColumnElement[Any], zone: ColumnElement[str]) -> ColumnElement[Any]:
    """What the clocks of ``zone`` show at ``moment`` (timestamp without time zone)."""
    return func.timezone(zone, moment, type_=DateTime())


def truncated(bucket: str, local: ColumnElement[Any]) -> ColumnElement[Any]:
    """The start of the bucket of a local time or a day, as the clocks show it."""
    assert bucket in BUCKETS
    # PostgreSQL would take a day for a moment of the session's time zone.
    return func.date_trunc(text(bucket.lower()), cast(local, DateTime()), type_=DateTime())


def local_start(bucket: str, moment: ColumnElement[Any], zone: ColumnElement[str]) -> ColumnElement[Any]:
    """The start of the bucket of ``moment``, as the clocks of ``zone`` show it (timestamp without time zone)."""
    return truncated(bucket, local_time(moment, zone))


def moment_of(local: ColumnElement[Any], zone: ColumnElement[str]) -> ColumnElement[Any]:
    """The moment at which the clocks of ``zone`` show ``local``."""
    return func.timezone(zone, local, type_=DateTime(timezone=True))


def step(bucket: str, times: int = 1) -> ColumnElement[Any]:
    """The length of so many buckets, on the calendar."""
    count, unit = _STEP[bucket]
    return cast(literal_column(f"'{count * times} {unit}'", Text), INTERVAL)


def _too_many(bucket: str, first: ColumnElement[Any], last: ColumnElement[Any]) -> ColumnElement[bool]:
    return last >= first + step(bucket, MOST_BUCKETS)


def span(
    bucket: str,
    zone: ColumnElement[str],
    found: FromClause,
    start: ColumnElement[Any] | None,
    end: ColumnElement[Any] | None,
) -> Select[Any]:
    """One row: the local starts of the ``first`` and the ``last`` bucket of a period. Without a start, the first is the
    first ``local`` in ``found``; without an end, the last is the last."""
    first = select(func.min(found.c.local)).scalar_subquery() if start is None else local_start(bucket, start, zone)
    # The end of a period is not part of it: one that ends with a month has nothing of the next.
    last = select(func.max(found.c.local)).scalar_subquery() if end is None else local_start(bucket, end - _TICK, zone)
    return select(first.label("first"), last.label("last"))


def buckets(bucket: str, first: ColumnElement[Any], last: ColumnElement[Any]) -> Select[Any]:
    """The local starts ``local`` of all buckets from that which starts at ``first`` to that which starts at ``last``;
    none where there are too many."""
    until = case((_too_many(bucket, first, last), null()), else_=last)
    starts = func.generate_series(first, until, step(bucket)).table_valued(column("local", DateTime), name="#starts")
    return select(starts.render_derived().c.local)


def period_buckets(bucket: str, ends: FromClause) -> Select[Any]:
    """The same of the ``span`` ``ends``."""
    return buckets(bucket, ends.c.first, ends.c.last).select_from(ends)


def refusal(bucket: str, ends: FromClause) -> ColumnElement[Any]:
    """What is told where a ``span`` has more buckets than anybody can look at; NULL elsewhere."""
    message = (
        f"The period has more than {MOST_BUCKETS} buckets of the length {bucket}: give a later from, an earlier to,"
        " or a longer bucket."
    )
    said = func.json_build_object(text("argument"), text("bucket"), text("message"), text(message))
    found = case((_too_many(bucket, ends.c.first, ends.c.last), said), else_=null())
    return select(found).select_from(ends).scalar_subquery()
