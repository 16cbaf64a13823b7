"""Keeping teams."""

from typing import ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import teams
from schema.acting import Act
from schema.context import Context
from schema.types.inputs import Version
from schema.types.payload import Payload
from schema.types.team import Team

Asked = Info[Context, None]


@strawberry.input
class CreateTeamInput:
    """A new team."""

    name: str
    region: str | None = UNSET


@strawberry.input
class UpdateTeamInput:
    """Changes of a team: an absent field stays, null clears."""

    name: str | None = UNSET
    region: str | None = UNSET


@strawberry.type
class TeamPayload(Payload):
    """The team as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"team": ""}

    @strawberry.field
    def team(self, info: Asked) -> Team | None:
        """The team; null when nothing was done, or when it is there no longer."""
        found: Team | None = self.record(info)
        return found


_CREATE = Act("create", models.Team, teams.create)
_UPDATE = Act("update", models.Team, teams.update)
_DELETE = Act("delete", models.Team, teams.delete, lock="UPDATE")


@strawberry.type
class TeamMutations:
    """What can be done to teams."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_team(self, info: Asked, input: CreateTeamInput) -> TeamPayload:
        """Make a team."""
        return await _CREATE.do(info, TeamPayload, input=input)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_team(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateTeamInput
    ) -> TeamPayload:
        """Change a team: an absent field stays, null clears."""
        return await _UPDATE.do(info, TeamPayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_DELETE.guard)
    async def delete_team(self, info: Asked, id: strawberry.ID, version: Version) -> TeamPayload:
        """Do away with a team that nobody is in. With empty errors it is gone, and team is null."""
        return await _DELETE.do(info, TeamPayload, id=id, version=version)
