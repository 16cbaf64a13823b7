"""The funnel: how far the opportunities came that were opened in a period."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Float,
    Integer,
    Uuid,
    and_,
    any_,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    outerjoin,
    select,
    union,
)

from app.analytics.building import Building, Definition, Table, text
from app.analytics.deals import kind_of, listed, referred
from app.analytics.periods import within
from app.models import Opportunity, Stage, StageChange, StagesEntered
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
    deal = build.alias(Opportunity)
    period = within(build.value(Opportunity, deal, "opened_at"), build.moment("from"), build.moment("to"))
    stages, rows = _stages(build, deal)
    groups = [stages.label("stages"), referred(build, Opportunity, deal, "stage").label("present")]
    return (
        select(*groups, func.count().label("count"))
        .select_from(rows)
        .where(*build.seen(Opportunity, deal), *period)
        .group_by(*groups)
        .cte(build.compiler.name())
    )


def _stages(build: Building, deal: Any) -> tuple[ColumnElement[Any], Any]:
    """The stages that the changes of ``deal`` lead to, as far as the caller sees these; and the rows for that."""
    change, kept = build.alias(StageChange), build.alias(StagesEntered)
    none: ColumnElement[Any] = cast(text("{}"), ARRAY(Uuid()))
    told = build.sight.treatment(Opportunity, "stage_changes", deal).readable
    seen = build.sight.rows(StageChange, change, "row", parent_seen=True)
    if told is True and not seen and build.sight.treatment(StageChange, "to_stage", change).readable is True:
        return func.coalesce(kept.stages, none), outerjoin(deal, kept, kept.opportunity_id == deal.id)
    to = referred(build, StageChange, change, "to_stage")
    conditions = [change.opportunity_id == deal.id, to.is_not(None), *seen]
    changes = own(select(to).where(*conditions).distinct().order_by(to), change)
    found = func.array(changes.scalar_subquery(), type_=ARRAY(Uuid()))
    return (found if isinstance(told, bool) else case((told, found), else_=none)), deal
