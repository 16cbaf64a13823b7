"""What may happen to an opportunity.

Its probability follows its stage unless it was set by hand, and that is so where it differs from the stage's.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.db.ids import print_id
from app.domain import deletion
from app.domain.amounts import set_amount
from app.domain.checks import LONG_TEXT, SHORT_TEXT, check_values, in_range, required_text, text_problem
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.owners import check_owner, own_by_default
from app.domain.pipeline import LOST, OPEN, WON, check_way, enter, name_of, stage_of
from app.domain.rows import new
from app.domain.work import Work
from app.models import Opportunity, Product, Stage
from app.models.enums import StageKind

_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
_FIRST_OPEN = "WHERE kind = 'OPEN' AND deleted_at IS NULL ORDER BY position, id LIMIT 1 FOR KEY SHARE"
_LAST_OPEN = """
    WHERE kind = 'OPEN' AND deleted_at IS NULL
    ORDER BY (
        SELECT max(c.changed_at) FROM stage_changes c
        WHERE c.opportunity_id = $1 AND stages.id IN (c.from_stage_id, c.to_stage_id)
    ) DESC NULLS LAST, position, id LIMIT 1 FOR KEY SHARE
"""
_ENDS = "WHERE id = $1 OR (kind = $2 AND deleted_at IS NULL) ORDER BY position, id FOR KEY SHARE"


async def create(work: Work, _: None, given: Given) -> Opportunity:
    """A new opportunity of a customer, in the OPEN stage given, or else in the first one."""
    for name in ("stage_id", "probability"):
        if given.get(name) is None:
            given.values.pop(name, None)
    _check(work, given)
    check_owner(work, given, made=True)
    set_amount(work, given, "amount")
    customer: Any = given.rows.get("customer")
    stage: Any = given.rows.get("stage")
    if customer is not None:
        _check_contact_and_product(work, given, customer.id, None)
    if "stage_id" not in given:
        stage = next(iter(await work.find(Stage, _FIRST_OPEN)), None)
        if stage is None:
            work.problems.add(given.at("stage_id"), "REQUIRED", "There is no OPEN stage in which it could start.")
    elif stage is not None and stage.kind is not OPEN:
        said = f"{name_of(work, stage)} is a stage of the kind {stage.kind}: a new opportunity starts in an OPEN one."
        work.problems.add(given.at("stage_id"), "INVALID", said, params={"kind": str(stage.kind)})
    work.problems.refuse()
    moments = dict.fromkeys(("opened_at", "created_at", "updated_at"), work.now)
    deal = new(Opportunity, **moments, owner_id=own_by_default(work, given))
    given.assign(deal, "owner_id", "stage_id")
    # The id given may be that of a customer who was merged into this one.
    deal.customer_id = customer.id
    enter(work, deal, stage)
    if "probability" not in given:
        deal.probability = stage.probability
    await set_external_refs(work, deal, given, made=True)
    return work.add(deal)


async def update(work: Work, deal: Opportunity, given: Given) -> Opportunity:
    """Change what was given. A probability of null follows the stage again."""
    follows = "probability" in given and given.get("probability") is None
    stage = None
    if "amount" in given or "probability" in given:
        (stage,) = await work.find(Stage, "WHERE id = $1 FOR KEY SHARE", deal.stage_id)
        if follows:
            given.values["probability"] = stage.probability
    _check(work, given)
    check_owner(work, given, made=False)
    set_amount(work, given, "amount", deal.currency)
    _check_contact_and_product(work, given, deal.customer_id, deal.product_id)
    if stage is not None and stage.kind is not OPEN:
        _check_unchanged(work, deal, stage, given)
    work.problems.refuse()
    given.assign(deal)
    await set_external_refs(work, deal, given, made=False)
    return deal


async def delete(work: Work, deal: Opportunity, _: Given) -> Opportunity:
    """Take it out of sight, until it is restored."""
    return deletion.delete(work, deal)


async def restore(work: Work, deal: Opportunity, _: Given) -> Opportunity:
    """Bring it back to the stage in which it was, if that is still there."""
    deletion.restore(work, deal)
    (stage,) = await work.find(Stage, "WHERE id = $1 FOR KEY SHARE", deal.stage_id)
    if stage.deleted_at is not None:
        said = (
            f"Its stage, {name_of(work, stage)}, is deleted: whoever may has to restore that one first (restoreStage)."
        )
        work.problems.add(("id",), "INVALID_TRANSITION", said)
    return deal


async def move(work: Work, deal: Opportunity, given: Given) -> Opportunity:
    """Move it to another OPEN stage. In the stage where it is already, nothing happens."""
    here = await stage_of(work, deal)
    check_way(work, here, "moveOpportunity", given.rows.get("stage"))
    work.problems.refuse()
    stage = given.rows["stage"]
    if stage.id == here.id:
        return deal
    if deal.probability == here.probability:
        deal.probability = stage.probability
    enter(work, deal, stage)
    return deal


async def win(work: Work, deal: Opportunity, given: Given) -> Opportunity:
    """It ends as won: in the first WON stage, at that one's probability, for the amount given or the one it has."""
    stage, closed = await _ending(work, deal, given, WON, "winOpportunity")
    set_amount(work, given, "amount", deal.currency)
    work.problems.refuse()
    if given.get("amount") is not None:
        deal.amount, deal.currency = given.values["amount"], given.values["currency"]
    _end(work, deal, stage, closed)
    return deal


async def lose(work: Work, deal: Opportunity, given: Given) -> Opportunity:
    """It ends as lost: in the first LOST stage, at that one's probability, for a reason."""
    stage, closed = await _ending(work, deal, given, LOST, "loseOpportunity")
    required_text(work, given, "reason", SHORT_TEXT)
    notes = given.get("notes")
    if notes is not None:
        text_problem(work, given.at("notes"), notes, LONG_TEXT)
    work.problems.refuse()
    _end(work, deal, stage, closed)
    deal.loss_reason, deal.loss_notes = given.values["reason"], notes
    return deal


async def reopen(work: Work, deal: Opportunity, given: Given) -> Opportunity:
    """It goes on in the OPEN stage given, or else in the last one that it was in, at that one's probability."""
    here = await stage_of(work, deal)
    check_way(work, here, "reopenOpportunity", given.rows.get("stage"))
    work.problems.refuse()
    stage: Any = given.rows.get("stage") or next(iter(await work.find(Stage, _LAST_OPEN, deal.id)), None)
    if stage is None:
        work.problems.add(given.at("stage_id"), "REQUIRED", "There is no OPEN stage in which it could go on.")
        work.problems.refuse()
    enter(work, deal, stage)
    deal.probability = stage.probability
    return deal


async def _ending(
    work: Work, deal: Opportunity, given: Given, kind: StageKind, way: str
) -> tuple[Stage | None, datetime]:
    """The stage of ``kind`` in which ``deal`` is to end by ``way``, and when; what is wrong with either is noted."""
    stages = await work.find(Stage, _ENDS, deal.stage_id, kind.value)
    check_way(work, next(stage for stage in stages if stage.id == deal.stage_id), way)
    stage = next((stage for stage in stages if stage.kind is kind and stage.deleted_at is None), None)
    if stage is None:
        said = f"There is no stage of the kind {kind}: an admin has to make one first (createStage)."
        work.problems.add(("id",), "INVALID_TRANSITION", said)
    closed, path = given.get("closed_at"), given.at("closed_at")
    if closed is None:
        return stage, max(work.now, deal.opened_at)
    limits = {"min": deal.opened_at.isoformat(), "max": work.now.isoformat()}
    if closed > work.now:
        said = f"{path[-1]} is {closed.isoformat()}: it cannot be in the future."
        work.problems.add(path, "OUT_OF_RANGE", said, params=limits)
    elif closed < deal.opened_at:
        said = f"{path[-1]} is {closed.isoformat()}: the opportunity was opened later, at {limits['min']}."
        work.problems.add(path, "OUT_OF_RANGE", said, params=limits)
    return stage, closed


def _end(work: Work, deal: Opportunity, stage: Stage | None, closed: datetime) -> None:
    assert stage is not None, "That there is none is a problem that refuses."
    enter(work, deal, stage, closed)
    deal.probability = stage.probability


def _check(work: Work, given: Given) -> None:
    check_values(work, Opportunity, given)
    in_range(work, given, "probability", 0, 100)
    day: date | None = given.get("expected_close_on")
    if day is not None and not _FIRST_DAY <= day <= _LAST_DAY:
        path, limits = given.at("expected_close_on"), {"min": str(_FIRST_DAY), "max": str(_LAST_DAY)}
        said = f"{path[-1]} is {day}: it must be from {_FIRST_DAY} to {_LAST_DAY}."
        work.problems.add(path, "OUT_OF_RANGE", said, params={**limits, "actual": str(day)})


def _check_contact_and_product(work: Work, given: Given, customer_id: UUID, product_id: UUID | None) -> None:
    """The contact is one of the customer's; the product, unless it stays, is one that is sold."""
    contact, product = given.rows.get("contact"), given.rows.get("product")
    if contact is not None and contact.customer_id != customer_id:
        said = "This contact is not one of the opportunity's customer."
        work.problems.add(given.at("contact_id"), "INVALID", said)
    if product is not None and not product.active and product.id != product_id:
        work.problems.add(
            given.at("product_id"), "INVALID", f"The product {print_id(Product.prefix, product.id)} is not active."
        )


def _check_unchanged(work: Work, deal: Opportunity, stage: Stage, given: Given) -> None:
    """Of a deal that has ended, amount and probability stay."""
    wanted = given.values
    changes = {
        "amount": (wanted.get("amount"), wanted.get("currency")) != (deal.amount, deal.currency),
        "probability": wanted.get("probability") != deal.probability,
    }
    for name, changed in changes.items():
        if name in given and changed:
            said = f"The {name} of a {stage.kind.lower()} opportunity stays: reopenOpportunity opens it again first."
            work.problems.add(given.at(name), "INVALID_TRANSITION", said, params={"kind": str(stage.kind)})
