"""Setting what is promised for tickets."""

from datetime import date
from typing import Annotated, ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.db.ids import print_id
from app.domain import sla_policy
from app.models.sla import SLA_POLICY
from schema.acting import Act
from schema.context import Context
from schema.types.payload import Payload
from schema.types.sla import SlaPolicy

Asked = Info[Context, None]


@strawberry.input
class SlaPolicyInput:
    """Changes of the policy: an absent field stays, null clears. ``hours`` and ``holidays`` are given whole."""

    time_zone: str | None = UNSET
    hours: list[str] | None = UNSET
    holidays: list[date] | None = UNSET
    low_first_response_minutes: int | None = UNSET
    low_resolution_minutes: int | None = UNSET
    normal_first_response_minutes: int | None = UNSET
    normal_resolution_minutes: int | None = UNSET
    high_first_response_minutes: int | None = UNSET
    high_resolution_minutes: int | None = UNSET
    urgent_first_response_minutes: int | None = UNSET
    urgent_resolution_minutes: int | None = UNSET


@strawberry.type
class SlaPolicyPayload(Payload):
    """The policy as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"slaPolicy": ""}

    @strawberry.field
    def sla_policy(self, info: Asked) -> SlaPolicy | None:
        """The policy; null when nothing was done."""
        found: SlaPolicy | None = self.record(info)
        return found


_SET = Act("update", models.SlaPolicy, sla_policy.set_policy)
_POLICY = print_id(models.SlaPolicy.prefix, SLA_POLICY)

Version = Annotated[int, strawberry.argument(description="The version that you have seen.")]


@strawberry.type
class SlaMutations:
    """What can be done to the policy."""

    @strawberry.mutation(extensions=_SET.guard)
    async def set_sla_policy(self, info: Asked, version: Version, input: SlaPolicyInput) -> SlaPolicyPayload:
        """Change what is promised. It holds for tickets from now on, and for others once their due times are new."""
        return await _SET.do(info, SlaPolicyPayload, id=_POLICY, version=version, input=input)
