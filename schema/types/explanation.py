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
from auth.principal import Principal
from schema import conversions as to
from schema.context import Context

_EXPLAIN = {"entity": "User", "action": "explain"}


@strawberry.type
class AccessStep:
    """One rule that has to hold: account, role, secondFactor, token, scopes, grant, record, deleted, parent, internal,
    rows, field, target."""

    rule: str
    holds: bool
    detail: str


@strawberry.type
class AccessExplanation:
    """Whether it is allowed, which it is where all steps hold. Steps end with one after which others make no sense."""

    allowed: bool
    steps: list[AccessStep]


async def explained(
    info: Info[Context, None],
    entity: str,
    action: str,
    *,
    user_id: str | None,
    token_id: str | None,
    id: str | None,
    field: str | None,
) -> AccessExplanation:
    """The explanation that the caller asked for; what was not said is UNSET or None."""
    context = info.context
    access = await context.present_access()
    question = _question(entity, action, id if isinstance(id, str) else None, field if isinstance(field, str) else None)
    explainer = context.services.explainer
    subject = await _subject(info, access, user_id, token_id)
    own = subject.user_id == access.user_id and access.principal.token_id in (None, subject.token_id)
    if not own and question.id is not None and not await explainer.sees(access, question.entity, question.id):
        # What the caller does not see, it does not learn of by asking about somebody else.
        raise BadUserInputError(f"There is no {entity} with this id that you may see.", argument="id")
    found = await explainer.explain(subject, question)
    steps = [AccessStep(rule=each.rule, holds=each.holds, detail=each.detail) for each in found.steps]
    return AccessExplanation(allowed=found.allowed, steps=steps)


async def _subject(info: Info[Context, None], access: Access, user_id: str | None, token_id: str | None) -> Principal:
    """Whose rights are asked for: the caller's own, if nothing is said; a token's are not those of its owner."""
    me, explainer = access.principal, info.context.services.explainer
    if isinstance(user_id, str) and isinstance(token_id, str):
        raise BadUserInputError("Give either userId or tokenId, not both.", argument="tokenId")
    if isinstance(token_id, str):
        token = to.record_id(models.ApiToken, "tokenId")(token_id)
        owner = await explainer.owner(token)
        if owner == me.user_id and me.token_id in (None, token):
            return Principal(owner, token_id=token)
        _refuse_strange(access)
        if owner is None or not await explainer.sees(access, models.ApiToken, token):
            raise BadUserInputError("There is no ApiToken with this id that you may see.", argument="tokenId")
        await _refuse_others(info, access, owner)
        return Principal(owner, token_id=token)
    if isinstance(user_id, str):
        user = to.record_id(models.User, "userId")(user_id)
        if user != me.user_id or me.token_id is not None:
            await _refuse_others(info, access, user)
        return Principal(user)
    return Principal(me.user_id, token_id=me.token_id)


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


def _refuse_strange(access: Access) -> None:
    """Refuse whoever may explain nobody else's rights."""
    if access.rights.rows(models.User, "explain") is RowScope.NONE:
        raise ForbiddenError(f"The role {access.role_name} has no right to explain User.", **_EXPLAIN)


async def _refuse_others(info: Info[Context, None], access: Access, subject: UUID) -> None:
    """Refuse to explain the rights of somebody else to whom the right ``explain`` does not reach."""
    _refuse_strange(access)
    found = await info.context.services.explainer.reached(access, "explain", subject)
    if found is None:
        raise BadUserInputError("There is no User with this id that you may see.", argument="userId")
    if not found:
        rows = access.rights.rows(models.User, "explain").lower()
        raise ForbiddenError(
            f"The role {access.role_name} has no right to explain User here: it covers {rows} rows only.", **_EXPLAIN
        )
