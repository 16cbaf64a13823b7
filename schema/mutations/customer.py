"""Changing customers."""

from typing import Annotated, ClassVar
from uuid import UUID

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import customers
from schema import conversions as to
from schema.acting import Act
from schema.context import Context
from schema.types.customer import Customer
from schema.types.enums import CustomerKind, CustomerStatus, CustomerTier
from schema.types.inputs import ExternalRefInput
from schema.types.payload import Payload

Asked = Info[Context, None]


@strawberry.input
class CreateCustomerInput:
    """A new customer. Without ``ownerId`` it is yours, if your role owns customers."""

    name: str
    kind: CustomerKind = CustomerKind.COMPANY
    code: str | None = UNSET
    email: str | None = UNSET
    phone: str | None = UNSET
    tier: CustomerTier | None = UNSET
    status: CustomerStatus | None = UNSET
    source: str | None = UNSET
    industry: str | None = UNSET
    city: str | None = UNSET
    region: str | None = UNSET
    country: str | None = UNSET
    tags: list[str] | None = UNSET
    notes: str | None = UNSET
    owner_id: strawberry.ID | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.input
class UpdateCustomerInput:
    """Changes of a customer: an absent field stays, null clears."""

    name: str | None = UNSET
    kind: CustomerKind | None = UNSET
    code: str | None = UNSET
    email: str | None = UNSET
    phone: str | None = UNSET
    tier: CustomerTier | None = UNSET
    status: CustomerStatus | None = UNSET
    source: str | None = UNSET
    industry: str | None = UNSET
    city: str | None = UNSET
    region: str | None = UNSET
    country: str | None = UNSET
    tags: list[str] | None = UNSET
    notes: str | None = UNSET
    owner_id: strawberry.ID | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.type
class CustomerPayload(Payload):
    """The customer as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"customer": ""}

    @strawberry.field
    def customer(self, info: Asked) -> Customer | None:
        """The customer; null when nothing was done, or when it is out of your sight now."""
        found: Customer | None = self.record(info)
        return found


_CREATE = Act("create", models.Customer, customers.create)
_UPDATE = Act("update", models.Customer, customers.update)
_DELETE = Act("delete", models.Customer, customers.delete, lock="UPDATE")
_RESTORE = Act("restore", models.Customer, customers.restore, include_deleted=True)

Version = Annotated[int, strawberry.argument(description="The version that you have seen.")]


def customer_id(id: str, name: str = "id") -> UUID:
    """The id that was asked for, where that of a survivor would answer for it."""
    found: UUID = to.record_id(models.Customer, name)(id)
    return found


@strawberry.type
class CustomerMutations:
    """What can be done to customers."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_customer(
        self, info: Asked, input: CreateCustomerInput, allow_duplicate: bool = False
    ) -> CustomerPayload:
        """Make a customer. One who has the email or phone of a customer that you may read is a DUPLICATE, unless you
        allow that."""
        return await _CREATE.do(info, CustomerPayload, input=input, allow_duplicate=allow_duplicate)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_customer(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateCustomerInput
    ) -> CustomerPayload:
        """Change a customer: an absent field stays, null clears."""
        return await _UPDATE.do(info, CustomerPayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_DELETE.guard)
    async def delete_customer(self, info: Asked, id: strawberry.ID, version: Version) -> CustomerPayload:
        """Delete a customer. It can be restored."""
        return await _DELETE.do(info, CustomerPayload, id=id, version=version)

    @strawberry.mutation(extensions=_RESTORE.guard)
    async def restore_customer(self, info: Asked, id: strawberry.ID) -> CustomerPayload:
        """Bring a deleted customer back, with all that belongs to it. A merged one comes back with unmergeCustomer."""
        return await _RESTORE.do(info, CustomerPayload, id=id, asked_id=customer_id(id))
