"""The funnel: how far the opportunities came that were opened in a period."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Float,
    Integer,
    Select,
    Uuid,
    and_,
    any_,
    case,
    cast,
    false,
    func,
    literal_column,
    not_,
    null,
    or_,
    outerjoin,
    select,
    union,
    union_all,
)

from app.analytics.building import Building, Definition, Table, text
from app.analytics.deals import kept_months, kind_of, listed, referred
from app.analytics.periods import within
from app.analytics.rolled import usable
from app.models import FunnelBucket, Opportunity, PipelineWay, Stage, StageChange, StagesEntered
from app.models.base import Row
from app.models.enums import StageKind
from app.reading.correlation import own, there

_ZERO: ColumnElement[Any] = literal_column("0", Integer)


class Funnel(Definition):
    """Each stage in the order of the pipeline, and how many of the opportunities opened in the period reached it.

    An opportunity has reached a stage that it is in or ever came into, and each open or won stage that stands before an
    open or won one that it has reached so. A lost stage is reached only by coming into it. Deleted stages are there
    where one of the opportunities came into them.
    """

    entity = Opportunity

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:  # noqa: ARG002  # See below.
        """Whatever is asked, it is told from the stages and when the opportunities were opened."""
        return [
            (Opportunity, "opened_at"),
            (Opportunity, "stage"),
            (Opportunity, "stage_changes"),
            (StageChange, "to_stage"),
            (Stage, "position"),
            (Stage, "kind"),
        ]

    def table(self, build: Building) -> Table:
        """A row for each stage."""
        ways = _ways(build)
        stage, later = build.alias(Stage), build.alias(Stage)
        passed = (StageKind.OPEN, StageKind.WON)
        further = there(later, _came(ways, later), kind_of(later, *passed), later.position > stage.position)
        reached = or_(_came(ways, stage), and_(kind_of(stage, *passed), further))
        entered = select(func.coalesce(func.sum(ways.c.count), _ZERO, type_=Integer)).where(reached)
        steps = (
            select(
                stage.id.label("stage"),
                entered.correlate(stage).scalar_subquery().label("entered"),
                select(func.sum(ways.c.count)).scalar_subquery().label("#opened"),
                stage.position.label("#position"),
                stage.id.label("#id"),
            )
            .select_from(stage)
            .where(listed(build, stage, union(select(func.unnest(ways.c.stages)), select(ways.c.present))))
            .subquery(build.compiler.name())
        )
        conversion = cast(steps.c.entered, Float) / func.nullif(steps.c["#opened"], _ZERO)
        return Table(select(steps, conversion.label("conversion")), order=("#position", "#id"))


def _came(ways: CTE, stage: Any) -> ColumnElement[bool]:
    """Whether those who went one of ``ways`` came into ``stage``."""
    return or_(stage.id == any_(ways.c.stages), func.coalesce(stage.id == ways.c.present, false()))


def _ways(build: Building) -> CTE:
    """The stages that opportunities of the period came into by changes, the one in which they are now, and how many
    are alike in both."""
    raw = _raw(build)
    if _may_roll(build):
        return union_all(raw.where(not_(usable(build, "MONTH"))), _kept(build)).cte(build.compiler.name())
    return raw.cte(build.compiler.name())


def _may_roll(build: Building) -> bool:
    """Whether the caller may have what is kept of all opportunities."""
    return build.whole(Opportunity, "opened_at", "stage", "stage_changes") and _sees_changes(
        build, build.alias(Opportunity)
    )


def _kept(build: Building) -> Select[Any]:
    """The same from what is kept of all opportunities: the present stage is one of those that they came into."""
    kept: Any = build.alias(FunnelBucket)
    way: Any = build.alias(PipelineWay)
    return (
        select(way.stages, cast(null(), Uuid()), func.sum(kept.opportunities))
        .join(way, way.way == kept.way)
        .where(*kept_months(build, kept.month))
        .group_by(way.way)
    )


def _raw(build: Building) -> Select[Any]:
    """The same from the opportunities themselves."""
    deal = build.alias(Opportunity)
    period = within(build.value(Opportunity, deal, "opened_at"), build.moment("from"), build.moment("to"))
    stages, rows = _stages(build, deal)
    groups = [stages.label("stages"), referred(build, Opportunity, deal, "stage").label("present")]
    return (
        select(*groups, func.count().label("count"))
        .select_from(rows)
        .where(*build.seen(Opportunity, deal), *period)
        .group_by(*groups)
    )


def _sees_changes(build: Building, deal: Any) -> bool:
    """Whether the caller sees every change of stage, and the stage that it leads to."""
    change = build.alias(StageChange)
    return (
        build.sight.treatment(Opportunity, "stage_changes", deal).readable is True
        and not build.sight.rows(StageChange, change, "row", parent_seen=True)
        and build.sight.treatment(StageChange, "to_stage", change).readable is True
    )


def _stages(build: Building, deal: Any) -> tuple[ColumnElement[Any], Any]:
    """The stages that the changes of ``deal`` lead to, as far as the caller sees these; and the rows for that."""
    none: ColumnElement[Any] = cast(text("{}"), ARRAY(Uuid()))
    if _sees_changes(build, deal):
        kept = build.alias(StagesEntered)
        return func.coalesce(kept.stages, none), outerjoin(deal, kept, kept.opportunity_id == deal.id)
    change = build.alias(StageChange)
    told = build.sight.treatment(Opportunity, "stage_changes", deal).readable
    to = referred(build, StageChange, change, "to_stage")
    seen = build.sight.rows(StageChange, change, "row", parent_seen=True)
    conditions = [change.opportunity_id == deal.id, to.is_not(None), *seen]
    changes = own(select(to).where(*conditions).distinct().order_by(to), change)
    found = func.array(changes.scalar_subquery(), type_=ARRAY(Uuid()))
    return (found if isinstance(told, bool) else case((told, found), else_=none)), deal
