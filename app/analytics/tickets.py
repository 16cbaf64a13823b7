"""Figures about tickets: how many came, how soon they were answered and resolved, and how content customers were."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    Text,
    and_,
    case,
    cast,
    column,
    extract,
    func,
    literal_column,
    or_,
    select,
    union_all,
    values,
)
from sqlalchemy.dialects.postgresql import array

from app.analytics.building import Building, Definition, Table, text
from app.analytics.periods import local_start, moment_of, period_buckets, refusal, span, within
from app.models import Ticket
from app.models.base import Row
from app.models.enums import TicketChannel, TicketKind, TicketPriority, TicketStatus

_ZERO: ColumnElement[Any] = literal_column("0", Integer)
_NOW: ColumnElement[Any] = func.now()
_MINUTE = literal_column("60", Integer)
_SETTLED = (TicketStatus.RESOLVED, TicketStatus.CLOSED)
_MARKS = range(1, 6)

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
    its end.
    """

    entity = Ticket

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """When tickets were opened, and what each figure is about."""
        names = {"created_at", *(name for each in asked for name in _NEEDS.get(each, ()))}
        return [(Ticket, name) for name in sorted(names)]

    def table(self, build: Building) -> Table:
        """The one row."""
        asked = set(build.asked)
        ticket = build.alias(Ticket)

        def value(name: str) -> ColumnElement[Any]:
            return build.value(Ticket, ticket, name)

        made: dict[str, ColumnElement[Any]] = {}
        if asked & {"medianFirstResponseMinutes", "p90FirstResponseMinutes"}:
            minutes = _minutes(value("created_at"), value("first_responded_at"))
            made["medianFirstResponseMinutes"] = _percentile("0.5", minutes)
            made["p90FirstResponseMinutes"] = _percentile("0.9", minutes)
        if "medianResolutionMinutes" in asked:
            made["medianResolutionMinutes"] = _percentile("0.5", _minutes(value("created_at"), value("resolved_at")))
        if "firstResponseSlaMet" in asked:
            due = value("first_response_due_at")
            made["firstResponseSlaMet"] = _met(due, value("first_responded_at"), _clock(build, ticket))
        if "resolutionSlaMet" in asked:
            made["resolutionSlaMet"] = _met(value("resolution_due_at"), value("resolved_at"), _clock(build, ticket))
        if "averageSatisfaction" in asked:
            made["averageSatisfaction"] = func.avg(value("satisfaction"), type_=Numeric())
        if "satisfaction" in asked:
            marks = (func.count().filter(value("satisfaction") == literal_column(str(mark))) for mark in _MARKS)
            made["satisfaction"] = array(list(marks))
        if "backlog" in asked:
            made["backlog"] = _backlog(build)
        columns = [each.label(name) for name, each in made.items() if name in asked]
        whole = select(*columns or [_ZERO.label("#none")])
        if set(made) - {"backlog"}:
            whole = whole.select_from(ticket).where(
                *build.seen(Ticket, ticket), *_in_period(build, value("created_at"))
            )
        return Table(whole)

    def refusal(self, build: Building) -> ColumnElement[Any] | None:
        """A period of more buckets than anybody can look at."""
        found = [refusal(build.given("bucket"), _span(build, name)) for name in _MOMENTS if name in build.asked]
        return func.coalesce(*found) if found else None

    def inner(self, build: Building, name: str) -> Table:
        """The numbers by time or by sort."""
        return _by_time(build, name) if name in _MOMENTS else _by_label(build, name)


_MOMENTS: Mapping[str, str] = MappingProxyType({"opened": "created_at", "resolved": "resolved_at"})


def _in_period(build: Building, moment: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    return within(moment, build.moment("from"), build.moment("to"))


def _found(build: Building, name: str) -> CTE:
    """How many tickets there were in each bucket that has some, by its ``local`` start."""
    ticket, zone, bucket = build.alias(Ticket), text(build.shop.timezone), build.given("bucket")
    moment = build.value(Ticket, ticket, _MOMENTS[name])
    local = local_start(bucket, moment, zone).label("local")
    rows = (
        select(local)
        .where(*build.seen(Ticket, ticket), moment.is_not(None), *_in_period(build, moment))
        .subquery(build.compiler.name())
    )
    counted = select(rows.c.local, func.count().label("count")).group_by(rows.c.local)
    return counted.cte(build.compiler.name())


def _span(build: Building, name: str) -> CTE:
    found, zone = build.once(name, lambda: _found(build, name)), text(build.shop.timezone)
    ends = span(build.given("bucket"), zone, found, build.moment("from"), build.moment("to"))
    return build.once(f"{name} span", lambda: ends.cte(build.compiler.name()))


def _by_time(build: Building, name: str) -> Table:
    zone, bucket = text(build.shop.timezone), build.given("bucket")
    found = build.once(name, lambda: _found(build, name))
    starts = period_buckets(bucket, _span(build, name)).subquery(build.compiler.name())
    here = starts.c.local
    rows = select(moment_of(here, zone).label("start"), func.coalesce(found.c.count, _ZERO).label("count"))
    return Table(rows.select_from(starts).outerjoin(found, found.c.local == here), order=("start",))


def _by_label(build: Building, name: str) -> Table:
    ticket, kind = build.alias(Ticket), _LABELS[name]
    found = cast(build.value(Ticket, ticket, _NEEDS[name][0]), Text).label("label")
    counted = (
        select(found, func.count().label("count"))
        .where(*build.seen(Ticket, ticket), *_in_period(build, build.value(Ticket, ticket, "created_at")))
        .group_by(found)
        .cte(build.compiler.name())
    )
    members = values(column("place", Integer), column("label", Text), name="#members", literal_binds=True).data(
        [(number, member.value) for number, member in enumerate(kind)]
    )
    count = func.coalesce(counted.c.count, _ZERO).label("count")
    known = select(members.c.place.label("#place"), members.c.label.label("label"), count).select_from(members)
    unknown = select(literal_column(str(len(kind)), Integer), text(""), counted.c.count).where(
        counted.c.label.is_(None)
    )
    known = known.outerjoin(counted, counted.c.label == members.c.label)
    return Table(select(union_all(known, unknown).subquery(build.compiler.name())), order=("#place",))


def _minutes(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(extract("epoch", end - start), Float) / _MINUTE


def _percentile(share: str, of: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.percentile_cont(literal_column(share, Float)).within_group(of)


def _settled(build: Building, ticket: Any) -> ColumnElement[bool]:
    return build.value(Ticket, ticket, "status").in_([text(status.value) for status in _SETTLED])


def _settled_at(build: Building, ticket: Any) -> ColumnElement[Any]:
    """When a settled ticket was so, as far as that is known."""
    return func.coalesce(build.value(Ticket, ticket, "resolved_at"), build.value(Ticket, ticket, "closed_at"))


def _clock(build: Building, ticket: Any) -> ColumnElement[Any]:
    """The moment up to which a ticket's clock has run: it stands still while the ticket is pending or settled."""
    pending = build.value(Ticket, ticket, "status") == text(TicketStatus.PENDING.value)
    since = func.coalesce(ticket.pending_since, _NOW)
    return case((_settled(build, ticket), _settled_at(build, ticket)), (pending, since), else_=_NOW)


def _met(due: ColumnElement[Any], done: ColumnElement[Any], clock: ColumnElement[Any]) -> ColumnElement[Any]:
    """The share of what was done in time, of what was done or is late."""
    met = func.count().filter(done <= due)
    missed = func.count().filter(or_(done > due, and_(done.is_(None), clock > due)))
    return cast(met, Float) / func.nullif(met + missed, _ZERO)


def _backlog(build: Building) -> ColumnElement[Any]:
    ticket, to = build.alias(Ticket), build.moment("to")
    end = _NOW if to is None else to
    unsettled = or_(~_settled(build, ticket), _settled_at(build, ticket) >= end)
    created = build.value(Ticket, ticket, "created_at")
    return (
        select(func.count()).select_from(ticket).where(*build.seen(Ticket, ticket), created < end, unsettled)
    ).scalar_subquery()
