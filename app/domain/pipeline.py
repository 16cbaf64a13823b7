"""The way of an opportunity through the stages: which mutation leads from which kind of stage to which."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from app.db.ids import print_id
from app.domain.rows import new
from app.domain.work import Work
from app.models import Opportunity, Stage, StageChange
from app.models.enums import StageKind

OPEN, WON, LOST = StageKind

WAYS: Mapping[StageKind, Mapping[StageKind, str]] = MappingProxyType(
    {
        OPEN: {OPEN: "moveOpportunity", WON: "winOpportunity", LOST: "loseOpportunity"},
        WON: {OPEN: "reopenOpportunity"},
        LOST: {OPEN: "reopenOpportunity"},
    }
)
"""From the kind of the present stage to the kinds that may follow it, each with the mutation that leads there."""

_TICK = timedelta(microseconds=1)


def check_way(work: Work, here: Stage, way: str, to: Stage | None = None) -> None:
    """Note where the mutation ``way`` does not lead on from the stage ``here``, or not to the stage ``to``."""
    ways = WAYS[here.kind]
    if way not in ways.values():
        state = here.kind.lower()
        said = f"This opportunity is {state}: from there it goes on by {_listed(list(ways.values()))}."
        work.problems.add(("id",), "INVALID_TRANSITION", said, params={"kind": str(here.kind), "by": [*ways.values()]})
    elif to is not None and ways.get(to.kind) != way:
        right = ways.get(to.kind)
        leads = f"{right} leads there." if right else f"{way} leads to an {OPEN} one."
        said = f"{name_of(work, to)} is a stage of the kind {to.kind}: {leads}"
        more = {"kind": str(to.kind), "by": [right] if right else []}
        work.problems.add(("stageId",), "INVALID_TRANSITION", said, params=more)


def enter(work: Work, deal: Opportunity, stage: Stage, closed_at: datetime | None = None) -> None:
    """Put ``deal`` into ``stage``, and that on record. What it had of an end is gone; ``closed_at`` is its new end.

    The caller holds ``stage`` in place. A new deal has no stage before.
    """
    before: UUID | None = deal.__dict__["stage_id"]
    # Later than the change before, whatever the clocks of two servers say: the record is read in its order.
    at = work.now if before is None else max(work.now, deal.stage_entered_at + _TICK)
    change = new(
        StageChange,
        opportunity_id=deal.id,
        from_stage_id=before,
        to_stage_id=stage.id,
        changed_at=at,
        changed_by_id=work.actor.user_id,
    )
    work.add(change)
    deal.stage_id = stage.id
    deal.stage_entered_at = at
    deal.closed_at = closed_at
    deal.loss_reason = deal.loss_notes = None


def name_of(work: Work, stage: Stage) -> str:
    """What a problem calls ``stage``: its name, or its id where the actor may not read that."""
    return stage.name if work.eyes.reads(Stage, "name") else print_id(Stage.prefix, stage.id)


async def stage_of(work: Work, deal: Opportunity) -> Stage:
    """The stage in which ``deal`` is; its kind never changes."""
    (stage,) = await work.find(Stage, "WHERE id = $1", deal.stage_id)
    return stage


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
