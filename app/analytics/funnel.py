"""The funnel: how far the opportunities came that were opened in a period."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    Integer,
    Uuid,
    and_,
    any_,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from app.analytics.building import Building, Definition, Table
from app.analytics.deals import kind_of, listed, referred
from app.analytics.periods import within
from app.models import Opportunity, Stage, StageChange
from app.models.base import Row
from app.models.enums import StageKind
from app.reading.correlation import there

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
        came_later = (later.id == any_(ways.c.stages), later.position > stage.position)
        further = there(later, kind_of(later, *passed), *came_later)
        reached = or_(stage.id == any_(ways.c.stages), and_(kind_of(stage, *passed), further))
        entered = (
            select(func.coalesce(func.sum(ways.c.count), _ZERO, type_=Integer))
            .select_from(ways)
            .where(reached)
            .correlate(stage)
            .scalar_subquery()
        )
        whole = select(func.sum(ways.c.count)).scalar_subquery()
        came = select(func.unnest(ways.c.stages)).select_from(ways)
        steps = (
            select(
                stage.id.label("stage"),
                entered.label("entered"),
                stage.position.label("#position"),
                stage.id.label("#id"),
                whole.label("#opened"),
            )
            .select_from(stage)
            .where(listed(build, stage, came))
            .subquery(build.compiler.name())
        )
        opened = steps.c["#opened"]
        conversion = cast(steps.c.entered, Float) / func.nullif(opened, _ZERO)
        return Table(select(steps, conversion.label("conversion")), order=("#position", "#id"))


def _ways(build: Building) -> CTE:
    """Each set of stages into which opportunities of the period came, and how many came into just these."""
    deal, change = build.alias(Opportunity), build.alias(StageChange)
    period = within(build.value(Opportunity, deal, "opened_at"), build.moment("from"), build.moment("to"))
    told = build.sight.treatment(Opportunity, "stage_changes", deal).readable
    deals = (
        select(
            deal.id.label("id"),
            referred(build, Opportunity, deal, "stage").label("stage_id"),
            (true() if isinstance(told, bool) else told).label("told"),
        )
        .where(*build.seen(Opportunity, deal), *period)
        .cte(build.compiler.name())
    )
    changed = [*build.sight.rows(StageChange, change, "set", parent_seen=True)]
    came = union_all(
        select(deals.c.id, deals.c.stage_id),
        select(deals.c.id, referred(build, StageChange, change, "to_stage").label("stage_id"))
        .select_from(deals)
        .join(change, change.opportunity_id == deals.c.id)
        .where(*changed, *([] if isinstance(told, bool) else [deals.c.told])),
    ).subquery(build.compiler.name())
    stages = func.array_agg(aggregate_order_by(came.c.stage_id.distinct(), came.c.stage_id), type_=ARRAY(Uuid()))
    each = select(stages.label("stages")).group_by(came.c.id).subquery(build.compiler.name())
    return select(each.c.stages, func.count().label("count")).group_by(each.c.stages).cte(build.compiler.name())
