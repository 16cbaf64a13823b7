"""Changing tickets."""

from typing import Annotated, ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import tickets
from schema.acting import Act
from schema.context import Context
from schema.types.enums import TicketChannel, TicketKind, TicketPriority
from schema.types.inputs import ExternalRefInput
from schema.types.payload import Payload
from schema.types.ticket import Ticket, TicketComment

Asked = Info[Context, None]


@strawberry.input
class CreateTicketInput:
    """A new ticket of a customer. To give it to somebody else than you takes the right to assign tickets."""

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


@strawberry.input
class UpdateTicketInput:
    """Changes of a ticket: an absent field stays, null clears."""

    subject: str | None = UNSET
    description: str | None = UNSET
    kind: TicketKind | None = UNSET
    category: str | None = UNSET
    priority: TicketPriority | None = UNSET
    channel: TicketChannel | None = UNSET
    contact_id: strawberry.ID | None = UNSET
    order_id: strawberry.ID | None = UNSET
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


@strawberry.type
class TicketCommentPayload(Payload):
    """The comment and its ticket as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"comment": "comment", "ticket": ""}

    @strawberry.field
    def comment(self, info: Asked) -> TicketComment | None:
        """The comment; null when nothing was done."""
        found: TicketComment | None = self.record(info)
        return found

    @strawberry.field
    def ticket(self, info: Asked) -> Ticket | None:
        """The ticket; null when nothing was done."""
        found: Ticket | None = self.record(info)
        return found


_POLICY = {"sla_policy": models.SlaPolicy}

_CREATE = Act("create", models.Ticket, tickets.create, standing=_POLICY)
_UPDATE = Act("update", models.Ticket, tickets.update, standing=_POLICY)
_DELETE = Act("delete", models.Ticket, tickets.delete, lock="UPDATE")
_RESTORE = Act("restore", models.Ticket, tickets.restore, include_deleted=True)
_ASSIGN = Act("assign", models.Ticket, tickets.assign, references={"user_id": models.User})
_COMMENT = Act("comment", models.Ticket, tickets.comment, standing=_POLICY)
_PENDING = Act("pending", models.Ticket, tickets.set_pending)
_RESOLVE = Act("resolve", models.Ticket, tickets.resolve, standing=_POLICY)
_CLOSE = Act("close", models.Ticket, tickets.close, standing=_POLICY)
_REOPEN = Act("reopen", models.Ticket, tickets.reopen, standing=_POLICY)
_RATE = Act("rate", models.Ticket, tickets.rate)

Version = Annotated[int, strawberry.argument(description="The version that you have seen.")]
Assignee = Annotated[
    strawberry.ID | None, strawberry.argument(description="Who is to work on it; null takes it from whoever has it.")
]


@strawberry.type
class TicketMutations:
    """What can be done to tickets."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_ticket(self, info: Asked, input: CreateTicketInput) -> TicketPayload:
        """Open a ticket of a customer."""
        return await _CREATE.do(info, TicketPayload, input=input)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_ticket(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateTicketInput
    ) -> TicketPayload:
        """Change a ticket: an absent field stays, null clears. Another priority has other due times."""
        return await _UPDATE.do(info, TicketPayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_DELETE.guard)
    async def delete_ticket(self, info: Asked, id: strawberry.ID, version: Version) -> TicketPayload:
        """Delete a ticket. It can be restored."""
        return await _DELETE.do(info, TicketPayload, id=id, version=version)

    @strawberry.mutation(extensions=_RESTORE.guard)
    async def restore_ticket(self, info: Asked, id: strawberry.ID) -> TicketPayload:
        """Bring a deleted ticket back."""
        return await _RESTORE.do(info, TicketPayload, id=id)

    @strawberry.mutation(extensions=_ASSIGN.guard)
    async def assign_ticket(self, info: Asked, id: strawberry.ID, user_id: Assignee = UNSET) -> TicketPayload:
        """Give a ticket to somebody who can work on it, or to nobody."""
        return await _ASSIGN.do(info, TicketPayload, id=id, user_id=user_id)

    @strawberry.mutation(extensions=_COMMENT.guard)
    async def comment_on_ticket(
        self, info: Asked, id: strawberry.ID, body: str, internal: bool = False
    ) -> TicketCommentPayload:
        """Say something on a ticket, in your name. Its first public comment by a colleague is the first response."""
        return await _COMMENT.do(info, TicketCommentPayload, id=id, body=body, internal=internal)

    @strawberry.mutation(extensions=_PENDING.guard)
    async def set_ticket_pending(self, info: Asked, id: strawberry.ID) -> TicketPayload:
        """Wait for the customer: an OPEN ticket becomes PENDING, and its clock stands still."""
        return await _PENDING.do(info, TicketPayload, id=id)

    @strawberry.mutation(extensions=_RESOLVE.guard)
    async def resolve_ticket(self, info: Asked, id: strawberry.ID) -> TicketPayload:
        """Be done with it: an OPEN or PENDING ticket becomes RESOLVED."""
        return await _RESOLVE.do(info, TicketPayload, id=id)

    @strawberry.mutation(extensions=_CLOSE.guard)
    async def close_ticket(self, info: Asked, id: strawberry.ID) -> TicketPayload:
        """Be done with it for good: a ticket in any other state becomes CLOSED."""
        return await _CLOSE.do(info, TicketPayload, id=id)

    @strawberry.mutation(extensions=_REOPEN.guard)
    async def reopen_ticket(self, info: Asked, id: strawberry.ID) -> TicketPayload:
        """Work on it again: a ticket in any other state becomes OPEN, and its clock goes on where it stood still."""
        return await _REOPEN.do(info, TicketPayload, id=id)

    @strawberry.mutation(extensions=_RATE.guard)
    async def rate_ticket(self, info: Asked, id: strawberry.ID, satisfaction: int) -> TicketPayload:
        """Note how satisfied the customer is, from 1 to 5, once the ticket is RESOLVED or CLOSED."""
        return await _RATE.do(info, TicketPayload, id=id, satisfaction=satisfaction)
