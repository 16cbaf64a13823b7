"""Who a customer is: found by email or phone, opened for a reason, erased on request. Each time is on record."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.db.ids import print_id
from app.domain import erasure, lookup
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from auth.access import Access
from auth.audit import event
from auth.rows import RowLoader, Want
from schema.acting import Act
from schema.context import Context
from schema.mutations.customer import CustomerPayload
from schema.types.errors import ErrorCode
from schema.types.payload import Payload

Asked = Info[Context, None]
_DETAILS = "details"


@strawberry.type
class RevealedDetails:
    """How to reach a customer, and what is noted of it, in clear."""

    id: strawberry.ID
    email: str | None
    phone: str | None
    notes: str | None


@strawberry.type
class RevealPayload(Payload):
    """The details that were opened, or what stands in the way."""

    @strawberry.field
    def customer(self) -> RevealedDetails | None:
        """The details; null when they were not opened."""
        found = self.shown.get(_DETAILS)
        return None if found is None else RevealedDetails(**orjson.loads(orjson.dumps(found)))


class Revealing:
    """Reads the details of a customer in clear, in the transaction that notes it: on the rows that ``reveal`` covers,
    for a repeated request too. They are kept nowhere."""

    _rows = RowLoader()

    def prepare(self, access: Access) -> None:
        """There is nothing to refuse: the right is the deed's own."""

    async def read(
        self, connection: Any, prepared: None, access: Access, records: Mapping[str, UUID]
    ) -> dict[str, bytes | None]:
        """The details as JSON, under one name."""
        want = Want("id", models.Customer, action="reveal")
        _, found = await self._rows.one_each(connection, access, (want,), {"id": records[""]})
        at = found["id"]
        if at is None or not at.allowed:
            return {}
        row = at.row
        details = {"email": row.email, "phone": row.phone, "notes": row.notes}
        return {_DETAILS: orjson.dumps({"id": print_id(models.Customer.prefix, row.id), **details})}


_REVEAL = Act("reveal", models.Customer, lookup.reveal)
_LOOKUP = Act("lookup", models.Customer, lookup.look_up)
_ERASE = Act("erase", models.Customer, erasure.erase, lock="UPDATE", include_deleted=True)


@strawberry.type
class PersonMutations:
    """What can be done about who a customer is."""

    @strawberry.mutation(extensions=_REVEAL.guard)
    async def reveal_customer(self, info: Asked, id: strawberry.ID, reason: str) -> RevealPayload:
        """Open a customer's email, phone and notes where your role does not show them. The audit log keeps the reason,
        3 to 500 characters."""
        return await _REVEAL.do(info, RevealPayload, id=id, answer=Revealing(), reason=reason)

    @strawberry.mutation(extensions=_LOOKUP.guard)
    async def lookup_customer(
        self, info: Asked, email: str | None = UNSET, phone: str | None = UNSET
    ) -> CustomerPayload:
        """Find the customer with just this email or this phone number (of which the digits count), as a caller gives
        it. The audit log keeps that you looked, and how often you may is limited."""
        context = info.context
        access = await context.access()
        await context.services.rates.take("lookup", str(access.user_id))
        payload = await _LOOKUP.do(info, CustomerPayload, email=email, phone=phone)
        if any(error.code is ErrorCode.NOT_FOUND for error in payload.errors):
            await context.services.audit.write(
                event(
                    context.origin(),
                    utcnow(),
                    "lookup",
                    entity="Customer",
                    changes={"by": {"before": None, "after": payload.errors[0].field[0]}},  # type: ignore[index]
                    outcome=AuditOutcome.FAILED,
                )
            )
        return payload

    @strawberry.mutation(extensions=_ERASE.guard)
    async def erase_customer(self, info: Asked, id: strawberry.ID, reason: str) -> CustomerPayload:
        """Erase who a customer is, for good: names, addresses, notes and texts, in the audit log too, of the customer
        and of all that were merged into it. Figures, states and dates stay."""
        return await _ERASE.do(info, CustomerPayload, id=id, reason=reason)
