"""Contacts: the people at a customer."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, literal_column
from sqlmodel import Field, Relationship

from app.models.base import Record, moment, ordered, searched, short, words
from app.models.computed import computed
from app.models.external_ref import ExternalRef, external_refs
from app.models.history import history

if TYPE_CHECKING:
    from app.models.customer import Customer
    from auth.models import AuditEvent


class Contact(Record, table=True):
    """A person at a customer, whom it follows in every right."""

    __tablename__ = "contacts"
    __table_args__ = (
        *short("first_name", "last_name", "email", "phone"),
        *ordered("contacts", "created_at"),
        *ordered("contacts", "updated_at"),
        *ordered("contacts", "first_name", text_column=True),
        *ordered("contacts", "last_name", text_column=True),
        Index("ix_contacts_customer_id_created_at_id", "customer_id", "created_at", "id"),
        Index("ix_contacts_birthday", "birthday"),
        Index("ix_contacts_is_primary_created_at_id", "is_primary", "created_at", "id"),
        Index("ix_contacts_first_name_lower", literal_column("lower(first_name) text_pattern_ops")),
        Index("ix_contacts_last_name_lower", literal_column("lower(last_name) text_pattern_ops")),
        Index("ix_contacts_email_lower", literal_column("lower(email) text_pattern_ops")),
        Index("ix_contacts_phone_lower", literal_column("lower(phone) text_pattern_ops")),
        searched("contacts", "first_name", "last_name", "title", "email", "phone"),
    )
    prefix: ClassVar[str] = "con"
    parent: ClassVar[str | None] = "customer"
    searched: ClassVar[tuple[str, ...]] = ("first_name", "last_name", "email", "phone")

    customer_id: UUID = Field(foreign_key="customers.id")
    first_name: str = words(required=True)
    last_name: str = words(required=True)
    title: str | None = words()
    email: str | None = words()
    phone: str | None = words()
    is_primary: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    birthday: date | None = Field(default=None)
    notes: str | None = words()
    deleted_at: datetime | None = moment()

    customer: "Customer" = Relationship(back_populates="contacts")
    external_refs: list[ExternalRef] = external_refs("Contact")
    history: list["AuditEvent"] = history("Contact")

    @computed("first_name", "last_name")
    def full_name(self: Any) -> Any:
        """First and last name with a space between."""
        return self.first_name + " " + self.last_name
