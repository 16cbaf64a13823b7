"""What may happen to a stage."""

from collections.abc import Mapping
from types import MappingProxyType

from app.domain import deletion
from app.domain.checks import check_values, in_range
from app.domain.given import Given
from app.domain.rows import new
from app.domain.work import Alike, Work
from app.models import Customer, Opportunity, Stage
from app.models.enums import RowScope, StageKind

CERTAIN: Mapping[StageKind, int] = MappingProxyType({StageKind.WON: 100, StageKind.LOST: 0})
"""The probability of the stages in which a deal has ended."""

_LAST_POSITION = 1_000_000
# A hundred years. Intervals of more than some two million days lead to before the first day that PostgreSQL knows.
_LONGEST_DAYS = 36_500
# Deleted ones too: they may come back.
_FOLLOWERS = "SELECT id FROM opportunities WHERE stage_id = $1 AND probability = $2 ORDER BY id FOR NO KEY UPDATE"
_DEFAULTED = ("position", "rotting_after_days")


async def create(work: Work, _: None, given: Given) -> Stage:
    """A new stage, the last one unless it has a position."""
    for name in _DEFAULTED:
        if given.get(name) is None:
            given.values.pop(name, None)
    _check(work, given, given.get("kind", StageKind.OPEN))
    work.problems.refuse()
    stage = new(Stage, created_at=work.now, updated_at=work.now)
    given.assign(stage)
    if "position" not in given:
        (last,) = await work.fetch("SELECT max(position) AS position FROM stages WHERE deleted_at IS NULL")
        stage.position = 0 if last["position"] is None else min(last["position"] + 1, _LAST_POSITION)
    return work.add(stage)


async def update(work: Work, stage: Stage, given: Given) -> Stage:
    """Change what was given. Opportunities that follow the stage's probability follow it to the new one.

    The stage has to be locked against references, so that none comes in with the old probability meanwhile.
    """
    _check(work, given, stage.kind)
    work.problems.refuse()
    before = stage.probability
    given.assign(stage)
    if stage.probability != before:
        ids = [row["id"] for row in await work.fetch(_FOLLOWERS, stage.id, before)]
        if ids:
            after = {"probability": stage.probability}
            work.alike.append(Alike(Opportunity, ids, {"probability": before}, after))
    return stage


async def delete(work: Work, stage: Stage, _: Given) -> Stage:
    """Take it out of the pipeline, if no live opportunity is in it.

    The stage has to be locked against references: whoever brings an opportunity into it holds it in place, so that
    either this waits and counts that one too, or that one waits and finds no stage.
    """
    (found,) = await work.fetch(
        "SELECT count(*) AS count FROM opportunities WHERE stage_id = $1 AND deleted_at IS NULL", stage.id
    )
    if count := found["count"]:
        # Whoever does not see all opportunities is not told how many there are.
        told = all(work.actor.rows(entity, "read") is RowScope.ALL for entity in (Customer, Opportunity))
        are = f"{count} opportunities are" if told else "Opportunities are"
        if told and count == 1:
            are = "1 opportunity is"
        said = f"{are} in this stage: move, win or lose what is in it first."
        work.problems.add(("id",), "IN_USE", said, params={"count": count} if told else None)
        work.problems.refuse()
    return deletion.delete(work, stage)


async def restore(work: Work, stage: Stage, _: Given) -> Stage:
    """Bring it back, if no live stage has its name by now."""
    return deletion.restore(work, stage)


def _check(work: Work, given: Given, kind: StageKind) -> None:
    check_values(work, Stage, given)
    in_range(work, given, "position", 0, _LAST_POSITION)
    in_range(work, given, "rotting_after_days", 1, _LONGEST_DAYS)
    certain, said = CERTAIN.get(kind), given.get("probability")
    if certain is None:
        in_range(work, given, "probability", 0, 100)
    elif said is not None and said != certain:
        problem = f"probability is {said}: that of a stage of the kind {kind} is {certain}."
        more = {"kind": str(kind), "probability": certain}
        work.problems.add(given.at("probability"), "INVALID", problem, params=more)
