"""Changing stages."""

from typing import ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import stages
from schema.acting import Act
from schema.context import Context
from schema.types.enums import StageKind
from schema.types.inputs import Version
from schema.types.payload import Payload
from schema.types.stage import Stage

Asked = Info[Context, None]


@strawberry.input
class CreateStageInput:
    """A new stage. Without a position it is the last. A WON stage has probability 100, a LOST one 0."""

    name: str
    kind: StageKind = StageKind.OPEN
    position: int | None = UNSET
    probability: int
    rotting_after_days: int | None = UNSET


@strawberry.input
class UpdateStageInput:
    """Changes of a stage: an absent field stays, null clears. Opportunities whose probability follows the stage's
    follow it to a new one."""

    name: str | None = UNSET
    position: int | None = UNSET
    probability: int | None = UNSET
    rotting_after_days: int | None = UNSET


@strawberry.type
class StagePayload(Payload):
    """The stage as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"stage": ""}

    @strawberry.field
    def stage(self, info: Asked) -> Stage | None:
        """The stage; null when nothing was done, or when it is out of your sight now."""
        found: Stage | None = self.record(info)
        return found


_CREATE = Act("create", models.Stage, stages.create)
_UPDATE = Act("update", models.Stage, stages.update, lock="UPDATE")
_DELETE = Act("delete", models.Stage, stages.delete, lock="UPDATE")
_RESTORE = Act("restore", models.Stage, stages.restore, include_deleted=True)


@strawberry.type
class StageMutations:
    """What can be done to stages."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_stage(self, info: Asked, input: CreateStageInput) -> StagePayload:
        """Make a stage of the pipeline."""
        return await _CREATE.do(info, StagePayload, input=input)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_stage(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateStageInput
    ) -> StagePayload:
        """Change a stage: an absent field stays, null clears."""
        return await _UPDATE.do(info, StagePayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_DELETE.guard)
    async def delete_stage(self, info: Asked, id: strawberry.ID, version: Version) -> StagePayload:
        """Delete a stage in which no opportunity is. It can be restored."""
        return await _DELETE.do(info, StagePayload, id=id, version=version)

    @strawberry.mutation(extensions=_RESTORE.guard)
    async def restore_stage(self, info: Asked, id: strawberry.ID) -> StagePayload:
        """Bring a deleted stage back."""
        return await _RESTORE.do(info, StagePayload, id=id)
