"""Periods and their buckets: days, weeks from Monday (ISO 8601), months, quarters and years of a time zone."""

from typing import Any

from sqlalchemy import ColumnElement, DateTime, Select, Text, case, cast, column, func, literal_column, select
from sqlalchemy.dialects.postgresql import INTERVAL

from app.analytics.building import text

BUCKETS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")

_STEP = {"DAY": "1 day", "WEEK": "7 days", "MONTH": "1 month", "QUARTER": "3 months", "YEAR": "1 year"}


def within(
    moment: ColumnElement[Any], start: ColumnElement[Any] | None, end: ColumnElement[Any] | None
) -> list[ColumnElement[bool]]:
    """The conditions that ``moment`` lies in the period: at or after its start, before its end, where it has these."""
    found = [] if start is None else [moment >= start]
    return found if end is None else [*found, moment < end]


def local_start(bucket: str, moment: ColumnElement[Any], zone: ColumnElement[str]) -> ColumnElement[Any]:
    """The start of the bucket of ``moment``, as the clocks of ``zone`` show it (timestamp without time zone)."""
    assert bucket in BUCKETS
    return func.date_trunc(text(bucket.lower()), func.timezone(zone, moment), type_=DateTime())


def moment_of(local: ColumnElement[Any], zone: ColumnElement[str]) -> ColumnElement[Any]:
    """The moment at which the clocks of ``zone`` show ``local``; where they are put back over it, the first of two."""
    moment = func.timezone(zone, local, type_=DateTime(timezone=True))
    earlier = moment - cast(literal_column("'1 hour'", Text), INTERVAL)
    return case((func.timezone(zone, earlier) == local, earlier), else_=moment)


def step(bucket: str) -> ColumnElement[Any]:
    """The length of a bucket, on the calendar."""
    return cast(literal_column(f"'{_STEP[bucket]}'", Text), INTERVAL)


def buckets(bucket: str, first: ColumnElement[Any], last: ColumnElement[Any]) -> Select[Any]:
    """The local starts ``local`` of all buckets from that of ``first`` to that of ``last``, both local times."""
    starts = func.generate_series(first, last, step(bucket)).table_valued(column("local", DateTime), name="#starts")
    return select(starts.render_derived().c.local)
