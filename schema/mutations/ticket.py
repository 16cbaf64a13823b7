"""Changing tickets."""

from typing import ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import tickets
from schema.acting import Act
from schema.context import Context
from schema.types.enums import TicketChannel, TicketKind, TicketPriority
from schema.types.inputs import ExternalRefInput
from schema.types.payload import Payload
from schema.types.ticket import Ticket

Asked = Info[Context, None]


@strawberry.input
class CreateTicketInput:
    """A new ticket of a customer."""

    customer_id: strawberry.ID
    contact_id: strawberry.ID | None = UNSET
    order_id: strawberry.ID | None = UNSET
    subject: str
    description: str | None = UNSET
    kind: TicketKind = TicketKind.INQUIRY
    category: str | None = UNSET
    priority: TicketPriority = TicketPriority.NORMAL
    channel: TicketChannel = TicketChannel.WEB
    assignee_id: strawberry.ID | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.type
class TicketPayload(Payload):
    """The ticket as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"ticket": ""}

    @strawberry.field
    def ticket(self, info: Asked) -> Ticket | None:
        """The ticket; null when nothing was done, or when it is out of your sight now."""
        found: Ticket | None = self.record(info)
        return found


_CREATE = Act("create", models.Ticket, tickets.create)


@strawberry.type
class TicketMutations:
    """What can be done to tickets."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_ticket(self, info: Asked, input: CreateTicketInput) -> TicketPayload:
        """Open a ticket of a customer."""
        return await _CREATE.do(info, TicketPayload, input=input)
