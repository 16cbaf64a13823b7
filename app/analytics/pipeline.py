"""The pipeline: the opportunities by the stage in which they are."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    Integer,
    Interval,
    Numeric,
    Select,
    Text,
    cast,
    func,
    literal_column,
    not_,
    null,
    outerjoin,
    select,
    union_all,
)

from app.analytics.building import Building, Definition, Table
from app.analytics.deals import NOW, days, kept_day, listed, priced, rate, referred, seconds, total, without_rate
from app.analytics.rolled import built
from app.models import Opportunity, OpportunityFact, PipelineBucket, Stage
from app.models.base import Row
from app.models.opportunity import rots_before
from app.reading.correlation import own
from app.reading.printing import effective

_ZERO: ColumnElement[Any] = literal_column("0", Integer)
_NONE: ColumnElement[Any] = cast(null(), Numeric)
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
                func.sum(valued.c.length, type_=Numeric).label("length"),
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
            .where(listed(build, stage, select(here.c.stage_id).where(here.c.count > _ZERO)))
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
    raw = _raw(build)
    parts = union_all(raw.where(not_(built(build))), *_kept(build)) if _may_roll(build) else raw
    found = parts.cte(build.compiler.name())
    if _money(build):
        return select(found, rate(build, found.c.currency, found.c.day).label("rate")).cte(build.compiler.name())
    nothing = [_NONE.label(name) for name in ("amount", "weighted", "rate")]
    return select(found, *nothing).cte(build.compiler.name())


def _money(build: Building) -> list[str]:
    """The amounts that are asked for."""
    return [name for name in _MONEY if name in build.asked]


def _may_roll(build: Building) -> bool:
    """Whether the caller may have what is kept of all opportunities."""
    attributes = [_MONEY[name] for name in _money(build)]
    attributes += ["closed_at"] if attributes else []
    attributes += ["is_rotting"] if "rotting" in build.asked else []
    return build.whole(Opportunity, "stage", *attributes)


def _raw(build: Building) -> Select[Any]:
    """What is in each stage, from the opportunities themselves."""
    deal, asked = build.alias(Opportunity), set(build.asked)
    stage_id = referred(build, Opportunity, deal, "stage")
    money = {name: build.value(Opportunity, deal, _MONEY[name]) for name in _money(build)}
    rotting: ColumnElement[Any] = _ZERO
    rows: Any = deal
    if "rotting" in asked:
        # By a join, once for each stage: the attribute itself would look up the stage of each opportunity.
        stage = build.alias(Stage)
        treatment = build.sight.treatment(Opportunity, "is_rotting", deal)
        rotting = func.count().filter(effective(deal.stage_entered_at, treatment) < rots_before(stage))
        rows = outerjoin(deal, stage, stage.id == stage_id)
    length = _NONE
    if "averageDaysInStage" in asked:
        length = seconds(func.sum(NOW - deal.stage_entered_at, type_=Interval))
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
        sums = {
            "amount": func.sum(money.get("amount", _NONE)),
            "weighted": func.sum(money.get("weightedAmount", _NONE)),
            "valued": func.count(func.coalesce(*money.values())),
        }
        columns += [currency.label("currency"), day.label("day")]
        columns += [value.label(label) for label, value in sums.items()]
    conditions = [*build.seen(Opportunity, deal), stage_id.is_not(None)]
    return select(*columns).select_from(rows).where(*conditions).group_by(*groups)


def _kept(build: Building) -> list[Select[Any]]:
    """The same from what is kept of all opportunities. Which of them rot now, the facts tell."""
    kept: Any = build.alias(PipelineBucket)
    count = func.sum(kept.opportunities)
    length = count * seconds(NOW) - func.sum(kept.entered) if "averageDaysInStage" in build.asked else _NONE
    columns = [kept.stage_id, count, length, _ZERO]
    groups: list[ColumnElement[Any]] = [kept.stage_id]
    if money := _money(build):
        day = kept_day(build, kept.closed)
        groups += [kept.currency, day]
        sums = [func.sum(kept.amount if "amount" in money else _NONE)]
        sums += [func.sum(kept.weighted if "weightedAmount" in money else _NONE)]
        columns += [kept.currency, day, *sums, count]
    parts = [select(*columns).where(built(build)).group_by(*groups)]
    if "rotting" in build.asked:
        fact: Any = build.alias(OpportunityFact)
        stage = build.alias(Stage)
        rotting = own(select(func.count()).where(fact.stage_id == stage.id, fact.entered_at < rots_before(stage)), fact)
        columns = [stage.id, _ZERO, _NONE, rotting.scalar_subquery()]
        columns += [cast(null(), Text), cast(null(), Date), _NONE, _NONE, _ZERO] if money else []
        parts.append(select(*columns).where(built(build)))
    return parts
