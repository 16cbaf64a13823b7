"""Why somebody may do a thing, or may not."""

from typing import Any
from uuid import UUID

import strawberry
from strawberry import Info

import app.models as models
from app.domain.grants import nearest
from app.errors import BadUserInputError, ForbiddenError
from app.models.enums import RowScope
from auth.access import ENTITY_CLASSES, Access
from auth.explaining import Question
from auth.policy import ACTIONS, ENTITIES, WRITABLE
from schema import conversions as to
from schema.context import Context


@strawberry.type
class AccessStep:
    """One rule that has to hold: account, role, grant, record, deleted, parent, internal, rows, field, target."""

    rule: str
    holds: bool
    detail: str


@strawberry.type
class AccessExplanation:
    """Whether it is allowed, which it is where all steps hold. Steps end with one after which others make no sense."""

    allowed: bool
    steps: list[AccessStep]


async def explained(
    info: Info[Context, None], entity: str, action: str, *, user_id: str | None, id: str | None, field: str | None
) -> AccessExplanation:
    """The explanation that the caller asked for; what was not said is UNSET or None."""
    context = info.context
    access = await context.present_access()
    question = _question(entity, action, id if isinstance(id, str) else None, field if isinstance(field, str) else None)
    subject = to.record_id(models.User, "userId")(user_id) if isinstance(user_id, str) else access.user_id
    explainer = context.services.explainer
    if subject != access.user_id:
        await _refuse_others(info, access, subject)
        if question.id is not None and not await explainer.sees(access, question.entity, question.id):
            # What the caller does not see, it does not learn of by asking about somebody else.
            raise BadUserInputError(f"There is no {entity} with this id that you may see.", argument="id")
    found = await explainer.explain(subject, question)
    steps = [AccessStep(rule=each.rule, holds=each.holds, detail=each.detail) for each in found.steps]
    return AccessExplanation(allowed=found.allowed, steps=steps)


def _question(entity: str, action: str, id: str | None, field: str | None) -> Question:
    _known("entity", "an entity", entity, tuple(ENTITIES))
    _known("action", f"an action on {entity}", action, ACTIONS[entity])
    kind = ENTITY_CLASSES[entity]
    if field is not None:
        by_field = ENTITIES[entity] if action == "read" else WRITABLE.get(entity, ())
        if action not in ("read", "create", "update"):
            raise BadUserInputError(f"{action} {entity} does not go by fields: leave field out.", argument="field")
        _known("field", f"a field of {entity} that goes by {action}", field, by_field)
    return Question(kind, action, None if id is None else to.record_id(kind, "id")(id), field)


def _known(argument: str, what: str, said: str, right: Any) -> None:
    if said not in right:
        near = nearest(said, right)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(right)}."
        shown = said if len(said) <= 60 else f"{said[:60]}…"
        raise BadUserInputError(f"{shown!r} is not {what}: {hint}", argument=argument)


async def _refuse_others(info: Info[Context, None], access: Access, subject: UUID) -> None:
    """Refuse to explain the rights of somebody else to whom the right ``explain`` does not reach."""
    details = {"entity": "User", "action": "explain"}
    if access.rights.rows(models.User, "explain") is RowScope.NONE:
        raise ForbiddenError(f"The role {access.role_name} has no right to explain User.", **details)
    found = await info.context.services.explainer.reached(access, "explain", subject)
    if found is None:
        raise BadUserInputError("There is no User with this id that you may see.", argument="userId")
    if not found:
        rows = access.rights.rows(models.User, "explain").lower()
        raise ForbiddenError(
            f"The role {access.role_name} has no right to explain User here: it covers {rows} rows only.", **details
        )
