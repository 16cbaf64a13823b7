"""The funnel: how far the opportunities came that were opened in a period."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    Integer,
    and_,
    cast,
    exists,
    false,
    func,
    literal_column,
    or_,
    outerjoin,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import BIT

from app.analytics.building import Building, Definition, Table, text
from app.analytics.deals import listed, referred
from app.analytics.periods import within
from app.models import Opportunity, Stage, StageChange
from app.models.base import Row
from app.models.enums import StageKind

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
        numbered, ways = _numbered(build), _ways(build)
        stage, later = numbered.alias("#stage"), numbered.alias("#later")
        row = build.alias(Stage)
        passed = [text(kind.value) for kind in (StageKind.OPEN, StageKind.WON)]
        further = exists(
            select(later.c.id)
            .where(_has(ways.c.stages, later), later.c.kind.in_(passed), later.c.position > stage.c.position)
            .correlate(ways, stage)
        )
        reached = or_(_has(ways.c.stages, stage), and_(stage.c.kind.in_(passed), further))
        counts = (
            select(
                stage.c.id,
                func.coalesce(func.sum(ways.c.count).filter(reached), _ZERO, type_=Integer).label("entered"),
                func.coalesce(func.bool_or(_has(ways.c.stages, stage)), false()).label("came"),
                func.sum(ways.c.count, type_=Integer).label("opened"),
            )
            .select_from(outerjoin(stage, ways, true()))
            .group_by(stage.c.id)
            .cte(build.compiler.name())
        )
        shown = {
            "stage": row.id,
            "entered": counts.c.entered,
            "conversion": cast(counts.c.entered, Float) / func.nullif(counts.c.opened, _ZERO),
            "#position": row.position,
            "#id": row.id,
        }
        rows = (
            select(*(value.label(label) for label, value in shown.items()))
            .select_from(row)
            .join(counts, counts.c.id == row.id)
            .where(listed(build, row, select(counts.c.id).where(counts.c.came)))
        )
        return Table(rows, order=("#position", "#id"))


def _has(stages: ColumnElement[Any], stage: Any) -> ColumnElement[bool]:
    """Whether ``stage`` is in a set of stages."""
    return func.get_bit(stages, stage.c.number) == literal_column("1")


def _numbered(build: Building) -> CTE:
    """Every stage with a number, and the set of itself: as many bits as there are stages, one of them 1."""
    return build.once("numbered", lambda: _number(build))


def _number(build: Building) -> CTE:
    stage, every = build.alias(Stage), build.alias(Stage)
    number = cast(func.row_number().over(order_by=stage.id), Integer) - literal_column("1", Integer)
    count = select(cast(func.count(), Integer)).select_from(every).scalar_subquery()
    none: ColumnElement[Any] = cast(func.repeat(text("0"), count), BIT(varying=True))
    found = select(stage.id, stage.kind, stage.position, number.label("number"), none.label("none")).subquery()
    itself = func.set_bit(found.c["none"], found.c.number, literal_column("1"))
    return select(found, itself.label("itself")).cte(build.compiler.name())


def _ways(build: Building) -> CTE:
    """Each set of stages into which opportunities of the period came, and how many came into just these."""
    deal, change = build.alias(Opportunity), build.alias(StageChange)
    present, other = (_numbered(build).alias(name) for name in ("#present", "#other"))
    start, end = build.moment("from"), build.moment("to")
    period = within(build.value(Opportunity, deal, "opened_at"), start, end)
    told = build.sight.treatment(Opportunity, "stage_changes", deal).readable
    seen = [*build.sight.rows(StageChange, change, "set", parent_seen=True), true() if isinstance(told, bool) else told]
    none = select(func.bit_or(_numbered(build).c["none"])).scalar_subquery()
    changed = other.c.id == referred(build, StageChange, change, "to_stage")
    came: ColumnElement[Any] = func.bit_or(other.c.itself)
    groups: list[ColumnElement[Any]] = [deal.id, present.c.itself]
    rows = outerjoin(deal, present, present.c.id == referred(build, Opportunity, deal, "stage"))
    if start is end is None and build.whole(Opportunity) and build.sight.covers_all(StageChange, "read"):
        # All changes count: they are put together before the join, in the order of an index.
        every = select(change.opportunity_id.label("id"), came.label("came")).join(other, changed)
        ways = every.group_by(change.opportunity_id).subquery(build.compiler.name())
        rows, came, groups = rows.outerjoin(ways, and_(ways.c.id == deal.id, *seen[-1:])), ways.c.came, []
    else:
        rows = rows.outerjoin(change, and_(change.opportunity_id == deal.id, *seen)).outerjoin(other, changed)
    both = func.coalesce(present.c.itself, none).bitwise_or(func.coalesce(came, none))
    each = select(both.label("stages")).select_from(rows).where(*build.seen(Opportunity, deal), *period)
    found = each.group_by(*groups).subquery(build.compiler.name())
    return select(found.c.stages, func.count().label("count")).group_by(found.c.stages).cte(build.compiler.name())
