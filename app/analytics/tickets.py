"""Figures about tickets: how many came, how soon they were answered and resolved, and how content customers were."""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Numeric,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
    values,
)
from sqlalchemy.dialects.postgresql import array

from app.analytics import kept_tickets
from app.analytics.building import ANALYSE, Building, Definition, Table, text
from app.analytics.periods import local_start, moment_of, period_buckets, refusal, span, within
from app.analytics.rolled import usable
from app.models import Ticket
from app.models.base import Row
from app.models.enums import TicketChannel, TicketKind, TicketPriority, TicketStatus

_ZERO: ColumnElement[Any] = literal_column("0", Integer)
_NOW: ColumnElement[Any] = func.now()
_MINUTE = literal_column("60", Integer)
_SETTLED = (TicketStatus.RESOLVED, TicketStatus.CLOSED)

_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "opened": (),
        "resolved": ("resolved_at",),
        "backlog": ("status", "resolved_at", "closed_at"),
        "medianFirstResponseMinutes": ("first_responded_at",),
        "p90FirstResponseMinutes": ("first_responded_at",),
        "medianResolutionMinutes": ("resolved_at",),
        "firstResponseSlaMet": ("first_response_due_at", "first_responded_at", "status", "resolved_at", "closed_at"),
        "resolutionSlaMet": ("resolution_due_at", "status", "resolved_at", "closed_at"),
        "averageSatisfaction": ("satisfaction",),
        "satisfaction": ("satisfaction",),
        "byChannel": ("channel",),
        "byKind": ("kind",),
        "byPriority": ("priority",),
    }
)

_LABELS: Mapping[str, type[StrEnum]] = MappingProxyType(
    {"byChannel": TicketChannel, "byKind": TicketKind, "byPriority": TicketPriority}
)


class Tickets(Definition):
    """Tickets opened (``createdAt``) in the period: how many, of what sort, how soon they had their first response and
    were resolved, how many of those that have a time to keep kept it, and how satisfied their customers were.

    Besides them, ``resolved`` counts the tickets resolved in the period, and ``backlog`` those that were unsettled at
    its end. Where what is kept of all tickets may be used (``kept_tickets``), the statement holds both ways.
    """

    entity = Ticket

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """When tickets were opened, and what each figure is about."""
        return _needs(asked)

    def table(self, build: Building) -> Table:
        """The one row."""
        otherwise = {"averageSatisfaction": True, "satisfaction": False}
        columns = [
            _satisfaction(build, mean=mean).label(name) for name, mean in otherwise.items() if name in build.asked
        ]
        measured = _measured(build)
        whole = select(*columns, _ZERO.label("#none"))
        return Table(whole if measured is None else whole.add_columns(*measured.c).select_from(measured))

    def refusal(self, build: Building) -> ColumnElement[Any] | None:
        """A period of more buckets than anybody can look at."""
        found = [refusal(build.given("bucket"), _span(build, name)) for name in _MOMENTS if name in build.asked]
        return func.coalesce(*found) if found else None

    def inner(self, build: Building, name: str) -> Table:
        """The numbers by time or by sort."""
        return _by_time(build, name) if name in _MOMENTS else _by_label(build, name)


def _needs(asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
    names = {"created_at", *(name for each in asked for name in _NEEDS.get(each, ()))}
    return [(Ticket, name) for name in sorted(names)]


_MOMENTS: Mapping[str, str] = MappingProxyType({"opened": "created_at", "resolved": "resolved_at"})


def _may_roll(build: Building) -> bool:
    """Whether the caller may have what is kept of all tickets."""
    return build.whole(Ticket, *(name for _, name in _needs(build.asked)))


def _measured(build: Building) -> FromClause | None:
    """The one row of what is measured of the tickets; None where nothing of that is asked for."""
    of = _rows(build)
    response, resolution = _minutes(of, "first_responded_at"), _minutes(of, "resolved_at")
    made: dict[str, Callable[[], ColumnElement[Any]]] = {
        "medianFirstResponseMinutes": lambda: _percentile(of, "0.5", response),
        "p90FirstResponseMinutes": lambda: _percentile(of, "0.9", response),
        "medianResolutionMinutes": lambda: _percentile(of, "0.5", resolution),
        "firstResponseSlaMet": lambda: _met(of, "first_response_due_at", "first_responded_at"),
        "resolutionSlaMet": lambda: _met(of, "resolution_due_at", "resolved_at"),
        "backlog": lambda: func.count().filter(of.c.unsettled),
    }
    asked = [name for name in made if name in build.asked]
    if not asked:
        return None
    raw = select(*(made[name]().label(name) for name in asked)).select_from(of)
    if not _may_roll(build):
        return raw.subquery(build.compiler.name())
    rolled = kept_tickets.measured(build, asked)
    return raw.having(not_(usable(build, "DAY"))).union_all(rolled).subquery(build.compiler.name())


def _rows(build: Building) -> CTE:
    """The tickets that count for anything that is asked, with what it takes of each. Who may see them is found once."""
    return build.once("tickets", lambda: _row(build))


def _row(build: Building) -> CTE:
    ticket, asked = build.alias(Ticket), set(build.asked)
    start, end = build.moment("from"), build.moment("to")

    def value(name: str) -> ColumnElement[Any]:
        return build.value(Ticket, ticket, name)

    created = value("created_at")
    opened = and_(true(), *within(created, start, end))
    settled = value("status").in_([text(status.value) for status in _SETTLED])
    settled_at = func.coalesce(value("resolved_at"), value("closed_at"))
    at = _NOW if end is None else end
    unsettled = and_(created < at, or_(~settled, settled_at >= at))
    # A ticket's clock stands still while it is pending or settled.
    pending = value("status") == text(TicketStatus.PENDING.value)
    clock = case((settled, settled_at), (pending, func.coalesce(ticket.pending_since, _NOW)), else_=_NOW)
    columns = {
        name: value(name) for name in sorted({"created_at", *(n for each in asked for n in _NEEDS.get(each, ()))})
    }
    columns["opened"] = opened
    counting = [opened]
    if asked & {"firstResponseSlaMet", "resolutionSlaMet"}:
        columns["clock"] = clock
    if "backlog" in asked:
        columns["unsettled"] = unsettled
        counting.append(unsettled)
    if "resolved" in asked:
        counting.append(and_(true(), *within(value("resolved_at"), start, end)))
    found = select(*(column.label(label) for label, column in columns.items())).where(
        *build.seen(Ticket, ticket), or_(*counting)
    )
    if _may_roll(build):
        found = found.where(not_(usable(build, "DAY")))
    rows = found.cte(build.compiler.name())
    # To write down all tickets of the shop takes longer than to go through them once more; those of a few, less.
    return rows.prefix_with("NOT MATERIALIZED") if build.sight.covers_all(Ticket, ANALYSE) else rows


def _sorts(build: Building) -> CTE:
    """How many of the tickets opened in the period are of each channel, kind, priority and satisfaction, as far as
    these are asked for."""
    return build.once("sorts", lambda: _sort(build))


def _sort(build: Building) -> CTE:
    of = _rows(build)
    by = [of.c[name] for name in ("channel", "kind", "priority", "satisfaction") if name in of.c]
    return select(*by, func.count().label("count")).where(of.c.opened).group_by(*by).cte(build.compiler.name())


def _marks(build: Building) -> CTE:
    """How many customers of tickets opened in the period gave which mark, or none."""

    def make() -> CTE:
        sorts = _sorts(build)
        raw = select(sorts.c.satisfaction.label("mark"), sorts.c.count)
        found = raw.union_all(kept_tickets.marks(build)) if _may_roll(build) else raw
        return found.cte(build.compiler.name())

    return build.once("marks", make)


def _satisfaction(build: Building, *, mean: bool = False) -> ColumnElement[Any]:
    """How many customers gave 1, 2, 3, 4 and 5; or the mean of what they gave."""
    marks = _marks(build)
    mark, count = marks.c.mark, marks.c.count
    if mean:
        given = func.sum(count).filter(mark.is_not(None))
        return select(cast(func.sum(mark * count) / given, Numeric)).scalar_subquery()
    counts = (func.sum(count).filter(mark == literal_column(str(each), Integer)) for each in range(1, 6))
    return select(array([cast(func.coalesce(each, _ZERO), Integer) for each in counts])).scalar_subquery()


def _found(build: Building, name: str) -> CTE:
    """How many tickets there were in each bucket that has some, by its ``local`` start."""

    def make() -> CTE:
        of, zone = _rows(build), text(build.shop.timezone)
        moment = of.c[_MOMENTS[name]]
        local = local_start(build.given("bucket"), moment, zone).label("local")
        period = within(moment, build.moment("from"), build.moment("to"))
        counted = select(local, func.count().label("count")).where(moment.is_not(None), *period)
        raw = counted.group_by(local)
        found = raw.union_all(kept_tickets.by_time(build, name)) if _may_roll(build) else raw
        return found.cte(build.compiler.name())

    return build.once(name, make)


def _span(build: Building, name: str) -> CTE:
    def make() -> CTE:
        bucket, zone = build.given("bucket"), text(build.shop.timezone)
        ends = span(bucket, zone, _found(build, name), build.moment("from"), build.moment("to"))
        return ends.cte(build.compiler.name())

    return build.once(f"{name} span", make)


def _by_time(build: Building, name: str) -> Table:
    found, zone = _found(build, name), text(build.shop.timezone)
    starts = period_buckets(build.given("bucket"), _span(build, name)).subquery(build.compiler.name())
    here = starts.c.local
    rows = select(moment_of(here, zone).label("start"), func.coalesce(found.c.count, _ZERO).label("count"))
    return Table(rows.select_from(starts).outerjoin(found, found.c.local == here), order=("start",))


def _by_label(build: Building, name: str) -> Table:
    sorts, kind = _sorts(build), _LABELS[name]
    found = cast(sorts.c[_NEEDS[name][0]], Text).label("label")
    count = func.sum(sorts.c.count, type_=Integer).label("count")
    raw = select(found, count).group_by(found)
    counted = (raw.union_all(kept_tickets.by_label(build, name)) if _may_roll(build) else raw).cte(
        build.compiler.name()
    )
    members = values(column("place", Integer), column("label", Text), name="#members", literal_binds=True).data(
        [(number, member.value) for number, member in enumerate(kind)]
    )
    count = func.coalesce(counted.c.count, _ZERO).label("count")
    known = select(members.c.place.label("#place"), members.c.label.label("label"), count).select_from(members)
    last = literal_column(str(len(kind)), Integer)
    unknown = select(last, text(""), counted.c.count).where(counted.c.label.is_(None))
    known = known.outerjoin(counted, counted.c.label == members.c.label)
    return Table(select(union_all(known, unknown).subquery(build.compiler.name())), order=("#place",))


def _minutes(of: CTE, end: str) -> ColumnElement[Any] | None:
    if end not in of.c:
        return None
    return func.date_part(text("epoch"), of.c[end] - of.c.created_at, type_=Float()) / _MINUTE


def _percentile(of: CTE, share: str, value: ColumnElement[Any] | None) -> ColumnElement[Any]:
    assert value is not None
    return func.percentile_cont(literal_column(share, Float)).within_group(value).filter(of.c.opened)


def _counted(of: CTE, condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.count().filter(of.c.opened, condition)


def _met(of: CTE, due_name: str, done_name: str) -> ColumnElement[Any]:
    """The share of what was done in time, of what was done or is late."""
    due, done = of.c[due_name], of.c[done_name]
    met = _counted(of, done <= due)
    missed = _counted(of, or_(done > due, and_(done.is_(None), of.c.clock > due)))
    return cast(met, Float) / func.nullif(met + missed, _ZERO)
