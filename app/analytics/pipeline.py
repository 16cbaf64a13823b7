"""The pipeline: the opportunities by the stage in which they are."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Interval,
    Numeric,
    cast,
    func,
    literal_column,
    null,
    outerjoin,
    select,
)

from app.analytics.building import Building, Definition, Table
from app.analytics.deals import NOW, days, listed, priced, rate, referred, total, without_rate
from app.models import Opportunity, Stage
from app.models.base import Row
from app.models.opportunity import rots_before
from app.reading.printing import effective

_ZERO: ColumnElement[Any] = literal_column("0", Integer)
_MONEY = {"amount": "amount", "weightedAmount": "weighted_amount"}


class Pipeline(Definition):
    """Each stage in the order of the pipeline, with what is in it now: also where that is nothing, and a deleted one
    where it still holds something. Closed opportunities are in the stage in which they were closed.
    """

    entity = Opportunity

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """Opportunities are counted by stage, in its position; the age in a stage is told with the stage."""
        found: list[tuple[type[Row], str]] = [(Opportunity, "stage"), (Stage, "position")]
        found += [(Opportunity, attribute) for name, attribute in _MONEY.items() if name in asked]
        return [*found, (Opportunity, "is_rotting")] if "rotting" in asked else found

    def table(self, build: Building) -> Table:
        """A row for each stage."""
        valued, stage = _valued(build), build.alias(Stage)
        name = build.compiler.name()
        here = (
            select(
                valued.c.stage_id,
                func.sum(valued.c.count, type_=Integer).label("count"),
                func.sum(valued.c.length, type_=Interval).label("length"),
                func.sum(valued.c.rotting, type_=Integer).label("rotting"),
                total(valued.c.amount * valued.c.rate).label("amount"),
                total(valued.c.weighted * valued.c.rate).label("weighted"),
            )
            .group_by(valued.c.stage_id)
            .cte(name)
        )
        shown = {
            "stage": stage.id,
            "count": func.coalesce(here.c.count, _ZERO),
            "amount": func.coalesce(here.c.amount, _ZERO),
            "weightedAmount": func.coalesce(here.c.weighted, _ZERO),
            "averageDaysInStage": days(here.c.length, here.c.count),
            "rotting": func.coalesce(here.c.rotting, _ZERO),
            "#position": stage.position,
            "#id": stage.id,
        }
        rows = (
            select(*(value.label(label) for label, value in shown.items()))
            .select_from(stage)
            .outerjoin(here, here.c.stage_id == stage.id)
            .where(listed(build, stage, select(here.c.stage_id)))
        )
        return Table(rows, order=("#position", "#id"))

    def note(self, build: Building) -> ColumnElement[Any] | None:
        """The currencies without an exchange rate, and how many opportunities were left out of the amounts."""
        if not set(_MONEY) & set(build.asked):
            return None
        valued = _valued(build)
        left_out = select(valued.c.currency, valued.c.valued.label("count")).where(
            valued.c.rate.is_(None), valued.c.valued > _ZERO
        )
        return without_rate(left_out.subquery(build.compiler.name()))


def _valued(build: Building) -> CTE:
    """What is in each stage, by what its exchange rate is found, with that rate."""
    return build.once("valued", lambda: _value(build))


def _value(build: Building) -> CTE:
    deal, asked = build.alias(Opportunity), set(build.asked)
    stage_id = referred(build, Opportunity, deal, "stage")
    money = {name: build.value(Opportunity, deal, each) for name, each in _MONEY.items() if name in asked}
    nothing: ColumnElement[Any] = cast(null(), Numeric)
    amount, weighted = money.get("amount", nothing), money.get("weightedAmount", nothing)
    rotting: ColumnElement[Any] = _ZERO
    rows: Any = deal
    if "rotting" in asked:
        # By a join, once for each stage: the attribute itself would look up the stage of each opportunity.
        stage = build.alias(Stage)
        treatment = build.sight.treatment(Opportunity, "is_rotting", deal)
        rotting = func.count().filter(effective(deal.stage_entered_at, treatment) < rots_before(stage))
        rows = outerjoin(deal, stage, stage.id == stage_id)
    length: ColumnElement[Any] = cast(null(), Interval)
    if "averageDaysInStage" in asked:
        length = func.sum(NOW - deal.stage_entered_at, type_=Interval)
    columns: list[ColumnElement[Any]] = [
        stage_id.label("stage_id"),
        func.count().label("count"),
        length.label("length"),
        rotting.label("rotting"),
    ]
    groups: list[ColumnElement[Any]] = [stage_id]
    if money:
        currency, day = priced(build, deal)
        groups += [currency, day]
        valued = func.count(func.coalesce(*money.values()))
        sums = {"amount": func.sum(amount), "weighted": func.sum(weighted), "valued": valued}
        columns += [currency.label("currency"), day.label("day")]
        columns += [value.label(label) for label, value in sums.items()]
    found = (
        select(*columns)
        .select_from(rows)
        .where(*build.seen(Opportunity, deal), stage_id.is_not(None))
        .group_by(*groups)
        .cte(build.compiler.name())
    )
    if not money:
        return select(found, nothing.label("amount"), nothing.label("weighted"), nothing.label("rate")).cte(
            build.compiler.name()
        )
    return select(found, rate(build, found.c.currency, found.c.day).label("rate")).cte(build.compiler.name())
