"""Changing contacts."""

from datetime import date
from typing import Annotated, ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import contacts
from schema.acting import Act
from schema.context import Context
from schema.types.contact import Contact
from schema.types.inputs import ExternalRefInput
from schema.types.payload import Payload

Asked = Info[Context, None]


@strawberry.input
class CreateContactInput:
    """A new contact of a customer. Making it primary takes that from the one who was."""

    customer_id: strawberry.ID
    first_name: str
    last_name: str
    title: str | None = UNSET
    email: str | None = UNSET
    phone: str | None = UNSET
    is_primary: bool | None = UNSET
    birthday: date | None = UNSET
    notes: str | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.input
class UpdateContactInput:
    """Changes of a contact: an absent field stays, null clears. Making it primary takes that from the one who was."""

    first_name: str | None = UNSET
    last_name: str | None = UNSET
    title: str | None = UNSET
    email: str | None = UNSET
    phone: str | None = UNSET
    is_primary: bool | None = UNSET
    birthday: date | None = UNSET
    notes: str | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.type
class ContactPayload(Payload):
    """The contact as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"contact": ""}

    @strawberry.field
    def contact(self, info: Asked) -> Contact | None:
        """The contact; null when nothing was done, or when it is out of your sight now."""
        found: Contact | None = self.record(info)
        return found


_CREATE = Act("create", models.Contact, contacts.create)
_UPDATE = Act("update", models.Contact, contacts.update)
_DELETE = Act("delete", models.Contact, contacts.delete, lock="UPDATE")
_RESTORE = Act("restore", models.Contact, contacts.restore, include_deleted=True)

Version = Annotated[int, strawberry.argument(description="The version that you have seen.")]


@strawberry.type
class ContactMutations:
    """What can be done to contacts."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_contact(
        self, info: Asked, input: CreateContactInput, allow_duplicate: bool = False
    ) -> ContactPayload:
        """Make a contact. One who has the email of another contact, or the phone of a colleague, is a DUPLICATE, unless
        you allow that."""
        return await _CREATE.do(info, ContactPayload, input=input, allow_duplicate=allow_duplicate)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_contact(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateContactInput
    ) -> ContactPayload:
        """Change a contact: an absent field stays, null clears."""
        return await _UPDATE.do(info, ContactPayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_DELETE.guard)
    async def delete_contact(self, info: Asked, id: strawberry.ID, version: Version) -> ContactPayload:
        """Delete a contact. It can be restored."""
        return await _DELETE.do(info, ContactPayload, id=id, version=version)

    @strawberry.mutation(extensions=_RESTORE.guard)
    async def restore_contact(self, info: Asked, id: strawberry.ID) -> ContactPayload:
        """Bring a deleted contact back."""
        return await _RESTORE.do(info, ContactPayload, id=id)
