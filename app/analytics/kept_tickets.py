"""The figures about tickets, from what is kept of all of them.

All of it is for periods that begin and end with a day of the shop. Numbers add up what is kept by day and month. What
hangs on the present moment is counted among the facts of unsettled tickets. A percentile is looked for in the facts
that begin where the step begins in which it lies.
"""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    Float,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.analytics.building import Building, text
from app.analytics.periods import local_time, truncated, within
from app.analytics.rolled import days, days_and_months, usable
from app.analytics.ticket_minutes import STEPS
from app.models import TicketBucket, TicketFact
from app.models.enums import TicketCount

_NOW: ColumnElement[Any] = func.now()
_ZERO: ColumnElement[Any] = literal_column("0", Integer)
_ONE: ColumnElement[Any] = literal_column("1", Integer)
_STEPS: ColumnElement[Any] = literal_column(f"({STEPS})", ARRAY(Float))
_BELOW_ALL: ColumnElement[Any] = literal_column("'-infinity'::float8", Float)

_BY_TIME = MappingProxyType({"opened": TicketCount.OPENED, "resolved": TicketCount.RESOLVED})
_SUMS: Mapping[str, TicketCount] = MappingProxyType(
    {
        "byChannel": TicketCount.CHANNEL,
        "byKind": TicketCount.KIND,
        "byPriority": TicketCount.PRIORITY,
        "satisfaction": TicketCount.SATISFACTION,
        "averageSatisfaction": TicketCount.SATISFACTION,
        "firstResponseSlaMet": TicketCount.RESPONSE_KEPT,
        "resolutionSlaMet": TicketCount.RESOLUTION_KEPT,
        "medianFirstResponseMinutes": TicketCount.ANSWERED_IN,
        "p90FirstResponseMinutes": TicketCount.ANSWERED_IN,
        "medianResolutionMinutes": TicketCount.RESOLVED_IN,
    }
)
"""What is added up over the period for each part of the figure."""


def by_time(build: Building, name: str) -> Select[Any]:
    """How many tickets were ``opened`` or ``resolved`` in each bucket that has some, by its ``local`` start."""
    kept: Any = build.alias(TicketBucket)
    local = truncated(build.given("bucket"), kept.start)
    counted = select(local.label("local"), func.sum(kept.tickets).label("count"))
    conditions = [kept.what == text(_BY_TIME[name].value), kept.bucket == text("DAY")]
    period = within(kept.start, *days(build))
    return counted.where(*conditions, *period, usable(build, "DAY")).group_by(local)


def by_label(build: Building, name: str) -> Select[Any]:
    """How many tickets opened in the period are of each sort: ``byChannel``, ``byKind``, ``byPriority``."""
    sums = _sums(build)
    return select(sums.c.label, sums.c.tickets).where(_of(sums, _SUMS[name]))


def marks(build: Building) -> Select[Any]:
    """How many of them were given each mark for satisfaction."""
    sums = _sums(build)
    return select(cast(sums.c.label, Integer), sums.c.tickets).where(_of(sums, TicketCount.SATISFACTION))


def measured(build: Building, asked: Collection[str]) -> Select[Any]:
    """The one row of the figure but for its lists and its satisfaction: as far as ``asked`` for, in this order."""
    made: dict[str, Callable[[], ColumnElement[Any]]] = {
        "medianFirstResponseMinutes": lambda: _percentile(build, "0.5", TicketCount.ANSWERED_IN),
        "p90FirstResponseMinutes": lambda: _percentile(build, "0.9", TicketCount.ANSWERED_IN),
        "medianResolutionMinutes": lambda: _percentile(build, "0.5", TicketCount.RESOLVED_IN),
        "firstResponseSlaMet": lambda: _met(build, TicketCount.RESPONSE_KEPT, "response_due_at"),
        "resolutionSlaMet": lambda: _met(build, TicketCount.RESOLUTION_KEPT, "resolution_due_at"),
        "backlog": lambda: _backlog(build),
    }
    return select(*(made[name]().label(name) for name in asked)).where(usable(build, "DAY"))


def _sums(build: Building) -> CTE:
    """How many tickets opened in the period there are ``what`` by ``label``, as far as this is asked for."""

    def make() -> CTE:
        kept: Any = build.alias(TicketBucket)
        asked = sorted({what.value for name, what in _SUMS.items() if name in build.asked})
        found = select(kept.what, kept.label, kept.tickets).where(
            kept.what.in_([text(what) for what in asked]), usable(build, "DAY")
        )
        parts = union_all(*(found.where(condition) for condition in days_and_months(build, kept))).subquery()
        tickets = func.sum(parts.c.tickets, type_=BigInteger).label("tickets")
        sums = select(parts.c.what, parts.c.label, tickets).group_by(parts.c.what, parts.c.label)
        return sums.cte(build.compiler.name())

    return build.once("kept sums", make)


def _of(sums: Any, what: TicketCount) -> ColumnElement[bool]:
    found: ColumnElement[bool] = sums.c.what == text(what.value)
    return found


def _percentile(build: Building, share: str, what: TicketCount) -> ColumnElement[Any]:
    """What ``percentile_cont`` makes of the minutes, to the last bit: of n values in their order, that at the place
    ``share`` of n - 1, or as much between two of them as the place is."""
    sums, fact = _sums(build), build.alias(TicketFact)
    value = fact.response_minutes if what is TicketCount.ANSWERED_IN else fact.resolution_minutes
    step = cast(sums.c.label, Integer).label("step")
    until = cast(func.sum(sums.c.tickets).over(order_by=step), BigInteger).label("until")
    n = cast(func.sum(sums.c.tickets).over(), BigInteger)
    place = (literal_column(share, Float) * cast(n - _ONE, Float)).label("place")
    steps = select(step, sums.c.tickets, until, place).where(_of(sums, what)).subquery()
    found = (
        select(
            func.coalesce(_STEPS[steps.c.step], _BELOW_ALL).label("least"),
            (cast(func.floor(steps.c.place), BigInteger) - (steps.c.until - steps.c.tickets)).label("skipped"),
            (steps.c.place - func.floor(steps.c.place)).label("between"),
        )
        .where(steps.c.until > func.floor(steps.c.place))
        .order_by(steps.c.step)
        .limit(_ONE)
        .cte(build.compiler.name())
    )
    two = (
        select(value.label("minutes"))
        .where(value >= select(found.c.least).scalar_subquery(), *within(fact.day, *days(build)))
        .order_by(value)
        .offset(select(found.c.skipped).scalar_subquery())
        .limit(literal_column("2", Integer))
        .subquery()
    )
    low, high = func.min(two.c.minutes), func.max(two.c.minutes)
    return select(low + select(found.c.between).scalar_subquery() * (high - low)).scalar_subquery()


def _met(build: Building, what: TicketCount, due: str) -> ColumnElement[Any]:
    """The share of what was done in time, of what was done or is late."""
    sums = _sums(build)

    def counted(label: str) -> ColumnElement[Any]:
        found = select(sums.c.tickets).where(_of(sums, what), sums.c.label == text(label)).scalar_subquery()
        return cast(func.coalesce(found, _ZERO), Float)

    met = counted("true")
    late = select(_unsettled(build).c[due]).scalar_subquery()
    return met / func.nullif(met + counted("false") + late, _ZERO)


def _unsettled(build: Building) -> CTE:
    """Of the tickets that are not settled: how many there are, and how many of the period are late for what."""

    def make() -> CTE:
        fact = build.alias(TicketFact)
        made = [] if _backlog_is_summed(build) else [fact.created_at < _NOW]
        period = within(fact.day, *days(build))
        late = {name: getattr(fact, name) < _NOW for name in ("response_due_at", "resolution_due_at")}
        counts = {"made": made, **{name: [each, *period] for name, each in late.items()}}
        columns = [func.count().filter(and_(true(), *each)).label(name) for name, each in counts.items()]
        found = select(*columns).where(fact.settled_on.is_(None))
        return (found if made else found.where(*period)).cte(build.compiler.name())

    return build.once("kept unsettled", make)


def _backlog_is_summed(build: Building) -> bool:
    return "backlog" not in build.asked or build.moment("to") is not None


def _backlog(build: Building) -> ColumnElement[Any]:
    """How many tickets were made and not yet settled at the end of the period."""
    _, last = days(build)
    if last is not None:
        kept: Any = build.alias(TicketBucket)
        opened = kept.what == text(TicketCount.OPENED.value)
        found = select(func.sum(case((opened, kept.tickets), else_=-kept.tickets), type_=Integer)).where(
            kept.what.in_([text(each.value) for each in (TicketCount.OPENED, TicketCount.SETTLED)]),
            kept.bucket == text("DAY"),
            kept.start < last,
        )
        return func.coalesce(found.scalar_subquery(), _ZERO)
    fact = build.alias(TicketFact)
    today = cast(local_time(_NOW, text(build.shop.timezone)), Date)
    # An import may know the future.
    later = select(func.count()).where(fact.settled_on >= today, fact.settled_at >= _NOW, fact.created_at < _NOW)
    return select(_unsettled(build).c.made).scalar_subquery() + later.scalar_subquery()
