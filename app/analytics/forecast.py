"""The forecast: what this month and the next ones bring."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    DateTime,
    Numeric,
    Select,
    cast,
    func,
    literal_column,
    not_,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import INTERVAL

from app.analytics.building import Building, Definition, Table, text
from app.analytics.deals import NOW, kept_day, kind_of, priced, rate, referred, total, without_rate
from app.analytics.periods import buckets, local_start, moment_of
from app.analytics.rolled import built
from app.models import ClosingBucket, Opportunity, PipelineBucket, Stage
from app.models.base import Row
from app.models.enums import StageKind, WinRateKey

_ZERO: ColumnElement[Any] = literal_column("0", Numeric)
_NONE: ColumnElement[Any] = cast(null(), Numeric)
_AMOUNTS = frozenset(("won", "weighted", "bestCase"))


class Forecast(Definition):
    """The present month of the shop's time zone and those after it, ``months`` of them: what was won in each, and what
    of the open opportunities is expected to close in it.

    Open ones without an expected day, or with one before this month, are in no month.
    """

    entity = Opportunity

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """Won is told by the closing, the rest by the expected one."""
        return _needs(asked)

    def table(self, build: Building) -> Table:
        """A row for each month, also where it brings nothing."""
        last = _after(build, build.given("months") - 1)
        months = buckets("MONTH", _first(build), last).subquery(build.compiler.name())
        month = cast(months.c.local, Date)
        columns: dict[str, ColumnElement[Any]] = dict.fromkeys(sorted(_AMOUNTS), _ZERO)
        rows: Any = months
        brought = _brought(build)
        if brought is not None:
            sums = (
                select(brought.c.month, *(total(brought.c[name] * brought.c.rate).label(name) for name in columns))
                .group_by(brought.c.month)
                .subquery(build.compiler.name())
            )
            rows = months.outerjoin(sums, sums.c.month == months.c.local)
            columns = {name: func.coalesce(sums.c[name], _ZERO, type_=Numeric()) for name in columns}
        shown = {"month": month, **columns}
        return Table(
            select(*(value.label(label) for label, value in shown.items())).select_from(rows), order=("month",)
        )

    def note(self, build: Building) -> ColumnElement[Any] | None:
        """The currencies without an exchange rate, and how many opportunities were left out of the amounts."""
        brought = _brought(build)
        if brought is None:
            return None
        left_out = select(brought.c.currency, brought.c.valued.label("count")).where(
            brought.c.rate.is_(None), brought.c.valued > _ZERO
        )
        return without_rate(left_out.subquery(build.compiler.name()))


def _needs(asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
    found: list[tuple[type[Row], str]] = [(Opportunity, "stage"), (Stage, "kind")]
    if "won" in asked:
        found += [(Opportunity, "closed_at"), (Opportunity, "amount")]
    if {"weighted", "bestCase"} & set(asked):
        found.append((Opportunity, "expected_close_on"))
    if "weighted" in asked:
        found.append((Opportunity, "weighted_amount"))
    if "bestCase" in asked:
        found.append((Opportunity, "amount"))
    return found


def _first(build: Building) -> ColumnElement[Any]:
    """The start of the present month, as the shop's clocks show it."""
    return local_start("MONTH", NOW, text(build.shop.timezone))


def _after(build: Building, months: int) -> ColumnElement[Any]:
    """The start of the month that many months after the present one, as the shop's clocks show it."""
    return _first(build) + cast(text(f"{months} months"), INTERVAL)


def _brought(build: Building) -> CTE | None:
    """What each month brings, by what its exchange rate is found, with that rate; None where no amount is asked for."""
    asked = _AMOUNTS & set(build.asked)

    def make() -> CTE:
        parts: list[Select[Any]] = []
        for each in (asked & {"won"}, asked - {"won"}):
            if each:
                parts += _part(build, each)
        found = (union_all(*parts) if parts[1:] else parts[0]).cte(build.compiler.name())
        return select(found, rate(build, found.c.currency, found.c.day).label("rate")).cte(build.compiler.name())

    return build.once("brought", make) if asked else None


def _part(build: Building, asked: frozenset[str]) -> list[Select[Any]]:
    """What ``asked`` comes to in each month: ``won``, or some of the others. Where the caller may have what is kept of
    all opportunities, that is there too, and just one of both is gone over."""
    raw = _raw(build, asked)
    attributes = [name for entity, name in _needs(asked) if entity is Opportunity]
    if not build.whole(Opportunity, "closed_at", *attributes):
        return [raw]
    return [raw.where(not_(built(build))), (_kept_won(build) if "won" in asked else _kept_open(build, asked))]


def _kept_won(build: Building) -> Select[Any]:
    kept: Any = build.alias(ClosingBucket)
    months = kept.month >= cast(_first(build), Date), kept.month < cast(_after(build, build.given("months")), Date)
    stage = build.alias(Stage)
    groups = [cast(kept.month, DateTime()), kept.currency, kept_day(build, true())]
    return (
        select(*groups, func.sum(kept.amount), _NONE, _NONE, func.sum(kept.opportunities))
        .join(stage, stage.id == kept.stage_id)
        # Each is there once by its owner, and once by its product.
        .where(built(build), kept.by == text(WinRateKey.OWNER), kind_of(stage, StageKind.WON), *months)
        .group_by(*groups)
    )


def _kept_open(build: Building, asked: frozenset[str]) -> Select[Any]:
    kept: Any = build.alias(PipelineBucket)
    expected, end = kept.expected, cast(_after(build, build.given("months")), Date)
    stage = build.alias(Stage)
    groups = [cast(expected, DateTime()), kept.currency, kept_day(build, kept.closed)]
    weighted, best = func.sum(kept.weighted), func.sum(kept.amount)
    sums = [weighted if "weighted" in asked else _NONE, best if "bestCase" in asked else _NONE]
    months = expected >= cast(_first(build), Date), expected < end
    return (
        select(*groups, _NONE, *sums, func.sum(kept.opportunities))
        .join(stage, stage.id == kept.stage_id)
        .where(built(build), kind_of(stage, StageKind.OPEN), *months)
        .group_by(*groups)
    )


def _raw(build: Building, asked: frozenset[str]) -> Select[Any]:
    """The same from the opportunities themselves."""
    deal, stage = build.alias(Opportunity), build.alias(Stage)
    zone, won, end = text(build.shop.timezone), "won" in asked, _after(build, build.given("months"))
    inside: list[ColumnElement[bool]]
    if won:
        closed = build.value(Opportunity, deal, "closed_at")
        month = local_start("MONTH", closed, zone)
        inside = [closed >= moment_of(_first(build), zone), closed < moment_of(end, zone)]
    else:
        expected = build.value(Opportunity, deal, "expected_close_on")
        month = func.date_trunc(text("month"), cast(expected, DateTime()), type_=DateTime())
        inside = [expected >= cast(_first(build), Date), expected < cast(end, Date)]
    amount = build.value(Opportunity, deal, "amount")
    amounts = {"won": amount, "weighted": build.value(Opportunity, deal, "weighted_amount"), "bestCase": amount}
    currency, day = priced(build, deal)
    sums = [(func.sum(each) if name in asked else _NONE).label(name) for name, each in amounts.items()]
    valued = func.count(func.coalesce(*(amounts[name] for name in sorted(asked))))
    groups = [month.label("month"), currency.label("currency"), day.label("day")]
    return (
        select(*groups, *sums, valued.label("valued"))
        .select_from(deal)
        .join(stage, stage.id == referred(build, Opportunity, deal, "stage"))
        .where(*build.seen(Opportunity, deal), kind_of(stage, StageKind.WON if won else StageKind.OPEN), *inside)
        .group_by(*groups)
    )
