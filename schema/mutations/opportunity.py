"""Changing opportunities, and leading them through the stages."""

from datetime import date, datetime
from typing import ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import opportunities
from schema.acting import Act
from schema.context import Context
from schema.types.inputs import ExternalRefInput, MoneyInput, Version
from schema.types.opportunity import Opportunity
from schema.types.payload import Payload

Asked = Info[Context, None]


@strawberry.input
class CreateOpportunityInput:
    """A new opportunity of a customer. Without ``stageId`` it starts in the first OPEN stage, without ``probability``
    it has its stage's, without ``ownerId`` it is yours, if your role owns opportunities."""

    name: str
    customer_id: strawberry.ID
    contact_id: strawberry.ID | None = UNSET
    product_id: strawberry.ID | None = UNSET
    stage_id: strawberry.ID | None = UNSET
    owner_id: strawberry.ID | None = UNSET
    amount: MoneyInput
    probability: int | None = UNSET
    expected_close_on: date | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.input
class UpdateOpportunityInput:
    """Changes of an opportunity: an absent field stays, null clears; a probability of null follows the stage again.
    The stage changes by moveOpportunity, winOpportunity, loseOpportunity and reopenOpportunity."""

    name: str | None = UNSET
    contact_id: strawberry.ID | None = UNSET
    product_id: strawberry.ID | None = UNSET
    owner_id: strawberry.ID | None = UNSET
    amount: MoneyInput | None = UNSET
    probability: int | None = UNSET
    expected_close_on: date | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.type
class OpportunityPayload(Payload):
    """The opportunity as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"opportunity": ""}

    @strawberry.field
    def opportunity(self, info: Asked) -> Opportunity | None:
        """The opportunity; null when nothing was done, or when it is out of your sight now."""
        found: Opportunity | None = self.record(info)
        return found


_CREATE = Act("create", models.Opportunity, opportunities.create)
_UPDATE = Act("update", models.Opportunity, opportunities.update)
_DELETE = Act("delete", models.Opportunity, opportunities.delete, lock="UPDATE")
_RESTORE = Act("restore", models.Opportunity, opportunities.restore, include_deleted=True)
_MOVE = Act("move", models.Opportunity, opportunities.move)
_WIN = Act("win", models.Opportunity, opportunities.win)
_LOSE = Act("lose", models.Opportunity, opportunities.lose)
_REOPEN = Act("reopen", models.Opportunity, opportunities.reopen)


@strawberry.type
class OpportunityMutations:
    """What can be done to opportunities."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_opportunity(self, info: Asked, input: CreateOpportunityInput) -> OpportunityPayload:
        """Make an opportunity of a customer."""
        return await _CREATE.do(info, OpportunityPayload, input=input)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_opportunity(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateOpportunityInput
    ) -> OpportunityPayload:
        """Change an opportunity: an absent field stays, null clears. Amount and probability of one that is won or lost
        stay."""
        return await _UPDATE.do(info, OpportunityPayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_DELETE.guard)
    async def delete_opportunity(self, info: Asked, id: strawberry.ID, version: Version) -> OpportunityPayload:
        """Delete an opportunity. It can be restored."""
        return await _DELETE.do(info, OpportunityPayload, id=id, version=version)

    @strawberry.mutation(extensions=_RESTORE.guard)
    async def restore_opportunity(self, info: Asked, id: strawberry.ID) -> OpportunityPayload:
        """Bring a deleted opportunity back, in the stage in which it was."""
        return await _RESTORE.do(info, OpportunityPayload, id=id)

    @strawberry.mutation(extensions=_MOVE.guard)
    async def move_opportunity(self, info: Asked, id: strawberry.ID, stage_id: strawberry.ID) -> OpportunityPayload:
        """Move an open opportunity to another OPEN stage. Its probability becomes that stage's, unless it was set by
        hand."""
        return await _MOVE.do(info, OpportunityPayload, id=id, stage_id=stage_id)

    @strawberry.mutation(extensions=_WIN.guard)
    async def win_opportunity(
        self, info: Asked, id: strawberry.ID, amount: MoneyInput | None = UNSET, closed_at: datetime | None = UNSET
    ) -> OpportunityPayload:
        """Close an open opportunity as won, now or at a moment since it was opened."""
        return await _WIN.do(info, OpportunityPayload, id=id, amount=amount, closed_at=closed_at)

    @strawberry.mutation(extensions=_LOSE.guard)
    async def lose_opportunity(
        self,
        info: Asked,
        id: strawberry.ID,
        reason: str,
        notes: str | None = UNSET,
        closed_at: datetime | None = UNSET,
    ) -> OpportunityPayload:
        """Close an open opportunity as lost, for a reason, now or at a moment since it was opened."""
        return await _LOSE.do(info, OpportunityPayload, id=id, reason=reason, notes=notes, closed_at=closed_at)

    @strawberry.mutation(extensions=_REOPEN.guard)
    async def reopen_opportunity(
        self, info: Asked, id: strawberry.ID, stage_id: strawberry.ID | None = UNSET
    ) -> OpportunityPayload:
        """Open a closed opportunity again, in an OPEN stage: the one given, or the last that it was in. Its probability
        becomes that stage's."""
        return await _REOPEN.do(info, OpportunityPayload, id=id, stage_id=stage_id)
