"""What the figures about opportunities share: the stages, and amounts in the shop's currency."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Date,
    Integer,
    Numeric,
    Select,
    and_,
    case,
    cast,
    extract,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)

from app.analytics.building import Building, text
from app.analytics.periods import within
from app.analytics.rolled import days as period_days
from app.analytics.rolled import usable
from app.models import Opportunity, Stage
from app.models.base import Row
from app.models.enums import StageKind
from app.reading.printing import effective

DAY = literal_column("86400", Integer)
"""A day has 24 hours, here in seconds."""

NOW: ColumnElement[Any] = func.now()


def referred(build: Building, entity: type[Row], row: Any, name: str) -> ColumnElement[Any]:
    """The id at the end of the to-one relation ``name`` where the caller may read it on the row, NULL elsewhere."""
    return effective(getattr(row, f"{name}_id"), build.sight.treatment(entity, name, row))


def kind_of(stage: Any, *kinds: StageKind) -> ColumnElement[bool]:
    """Whether ``stage`` is of one of ``kinds``."""
    found: ColumnElement[bool] = stage.kind.in_([text(kind.value) for kind in kinds])
    return found


def priced(build: Building, deal: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """By what an exchange rate for ``deal`` is found: its currency, and the day of its closing in the shop's time zone,
    today's while it is open. The shop's own currency needs no day."""
    closed = cast(build.value(Opportunity, deal, "closed_at"), Opportunity.closed_at.type)  # type: ignore[union-attr]
    day = _day(build, func.coalesce(closed, NOW))
    return deal.currency, case((deal.currency != text(build.shop.currency), day), else_=null())


def rate(build: Building, currency: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[Any]:
    """What one unit of ``currency`` is worth in the shop's, on ``day``; NULL where no rate is known."""
    found = func.exchange_rate(currency, day, type_=Numeric())
    return case((currency == text(build.shop.currency), literal_column("1", Numeric)), else_=found)


def listed(build: Building, stage: Any, used: Select[Any] | CompoundSelect[Any]) -> ColumnElement[bool]:
    """Whether a figure lists ``stage``: the caller sees it; a deleted one only where its id is in ``used``."""
    alive = and_(true(), *build.sight.rows(Stage, stage, "set"))
    return or_(alive, and_(stage.id.in_(used), *build.sight.rows(Stage, stage, "set", referred=True)))


def total(value: ColumnElement[Any], where: ColumnElement[bool] | None = None) -> ColumnElement[Any]:
    """The sum of ``value``, over the rows of ``where``; 0 where there are none."""
    summed: Any = func.sum(value)
    return func.coalesce(summed if where is None else summed.filter(where), literal_column("0"), type_=Numeric())


def without_rate(deals: Any) -> ColumnElement[Any]:
    """The note about ``deals``, a subquery of ``currency`` and ``count`` of opportunities that were left out of the
    amounts for want of an exchange rate."""
    count = func.sum(deals.c.count)
    said = func.json_build_object(
        text("code"),
        text("EXCHANGE_RATE_MISSING"),
        text("currencies"),
        func.array_agg(deals.c.currency.distinct()),
        text("opportunities"),
        count,
    )
    return select(case((count > literal_column("0"), said), else_=null())).select_from(deals).scalar_subquery()


def seconds(time: ColumnElement[Any]) -> ColumnElement[Any]:
    """A length of time, or the one since 1970 of a moment, in seconds: exact."""
    return cast(extract("epoch", time), Numeric)


def days(length: ColumnElement[Any], count: ColumnElement[Any]) -> ColumnElement[Any]:
    """The average, in days, of ``count`` lengths of time that come to ``length`` seconds together; NULL without any."""
    return cast(length / func.nullif(count, literal_column("0")) / DAY, Numeric)


def kept_day(build: Building, closed: ColumnElement[bool]) -> ColumnElement[Any]:
    """By what, beside the currency, an exchange rate for kept amounts is found: today for those of open opportunities.
    Those of ``closed`` ones are in the shop's currency, or there is no rate."""
    return case((~closed, _day(build, NOW)), else_=null())


def kept_months(build: Building, month: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """The conditions under which what is kept of ``month`` answers a figure: the period is of whole months, and the
    month is one of them."""
    return [usable(build, "MONTH"), *within(month, *period_days(build))]


def _day(build: Building, moment: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.timezone(text(build.shop.timezone), moment), Date)
