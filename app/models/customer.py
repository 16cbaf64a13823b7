"""Customers: the people and companies that the shop serves."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, Text, literal_column, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, Relationship

from app.models.base import Record, alive, choice, moment, number, ordered, referring, searched, short, words
from app.models.computed import kept
from app.models.customer_metrics import CustomerMetrics, average_order_value, days_between_orders, next_order_at
from app.models.enums import CustomerKind, CustomerStatus, CustomerTier
from app.models.external_ref import ExternalRef, external_refs
from app.models.history import history

if TYPE_CHECKING:
    from app.models.contact import Contact
    from app.models.opportunity import Opportunity
    from app.models.order import Order
    from app.models.ticket import Ticket
    from auth.models import AuditEvent, User


_of_orders = partial(kept, CustomerMetrics, "customer_id", relation="orders")
_of_value = partial(_of_orders, sources=("total", "status", "placed_at"))
_of_days = partial(_of_orders, sources=("status", "placed_at"))


class Customer(Record, table=True):
    """A person or company. A merged customer points at the survivor, which answers for its id."""

    __tablename__ = "customers"
    __table_args__ = (
        *short("code", "name", "email", "phone"),
        alive("uq_customers_code", "code"),
        *ordered("customers", "created_at"),
        *ordered("customers", "updated_at"),
        *ordered("customers", "name", text_column=True),
        *ordered("customers", "code", text_column=True),
        Index("ix_customers_kind_created_at_id", "kind", "created_at", "id"),
        Index("ix_customers_tier_created_at_id", "tier", "created_at", "id"),
        Index("ix_customers_status_created_at_id", "status", "created_at", "id"),
        Index("ix_customers_owner_id_created_at_id", "owner_id", "created_at", "id"),
        Index("ix_customers_owner_id_updated_at_id", "owner_id", "updated_at", "id"),
        Index("ix_customers_owner_id_name_id", "owner_id", literal_column('name COLLATE "C"'), "id"),
        referring("customers", "merged_into_id"),
        Index("ix_customers_deleted", "id", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("ix_customers_id_alive", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_customers_tags", "tags", postgresql_using="gin"),
        Index("ix_customers_name_lower", literal_column("lower(name) text_pattern_ops")),
        Index("ix_customers_code_lower", literal_column("lower(code) text_pattern_ops")),
        Index("ix_customers_email_lower", literal_column("lower(email) text_pattern_ops")),
        Index("ix_customers_phone_lower", literal_column("lower(phone) text_pattern_ops")),
        Index("ix_customers_phone_digits", literal_column("regexp_replace(phone, '[^0-9]', '', 'g')")),
        searched("customers", "name", "code", "email", "phone", "source", "industry", "city", "region", "country"),
    )
    prefix: ClassVar[str] = "cus"
    searched: ClassVar[tuple[str, ...]] = ("name", "code", "email", "phone")

    code: str = number("C", "customer_codes")
    name: str = words(required=True)
    kind: CustomerKind = choice(CustomerKind, default=CustomerKind.COMPANY)
    email: str | None = words()
    phone: str | None = words()
    tier: CustomerTier = choice(CustomerTier, default=CustomerTier.STANDARD)
    status: CustomerStatus = choice(CustomerStatus, default=CustomerStatus.LEAD)
    source: str | None = words()
    industry: str | None = words()
    city: str | None = words()
    region: str | None = words()
    country: str | None = words()
    tags: list[str] = Field(
        default_factory=list,
        sa_type=ARRAY(Text),
        nullable=False,
        sa_column_kwargs={"server_default": "{}"},
    )
    notes: str | None = words()
    owner_id: UUID | None = Field(default=None, foreign_key="users.id")
    merged_into_id: UUID | None = Field(default=None, foreign_key="customers.id")
    deleted_at: datetime | None = moment()

    owner: "User" = Relationship(sa_relationship_kwargs={"foreign_keys": "Customer.owner_id"})
    contacts: list["Contact"] = Relationship(back_populates="customer")
    opportunities: list["Opportunity"] = Relationship(back_populates="customer")
    orders: list["Order"] = Relationship(back_populates="customer")
    tickets: list["Ticket"] = Relationship(back_populates="customer")
    external_refs: list[ExternalRef] = external_refs("Customer")
    history: list["AuditEvent"] = history("Customer")

    @_of_orders(lambda kept: kept.order_count, otherwise="0")
    def order_count(self: Any) -> Any:
        """How many orders there are, in whatever state."""
        raise NotImplementedError

    @_of_orders(lambda kept: kept.last_order_at, sources=("placed_at",))
    def last_order_at(self: Any) -> Any:
        """When the last of them was placed."""
        raise NotImplementedError

    @_of_value(lambda kept: kept.revenue, otherwise="0", in_shop_currency=True)
    def revenue(self: Any) -> Any:
        """What the sold orders come to."""
        raise NotImplementedError

    @_of_value(average_order_value, in_shop_currency=True)
    def average_order_value(self: Any) -> Any:
        """What one of those sold orders comes to whose value is known."""
        raise NotImplementedError

    @_of_value(lambda kept: kept.segment, otherwise="'PROSPECTS'")
    def rfm_segment(self: Any) -> Any:
        """The segment, by recency, frequency and monetary value."""
        raise NotImplementedError

    @_of_value(
        lambda kept: kept.recency_score,
        parts={"recency": "recency_score", "frequency": "frequency_score", "monetary": "monetary_score"},
    )
    def rfm_scores(self: Any) -> Any:
        """The scores that the segment follows from."""
        raise NotImplementedError

    @_of_days(lambda kept: kept.churn_state, otherwise="'NEVER_BOUGHT'")
    def churn_state(self: Any) -> Any:
        """Whether it still buys in its rhythm."""
        raise NotImplementedError

    @_of_days(days_between_orders)
    def days_between_orders(self: Any) -> Any:
        """The rhythm."""
        raise NotImplementedError

    @_of_days(next_order_at)
    def expected_next_order_at(self: Any) -> Any:
        """The last sold order and one rhythm more."""
        raise NotImplementedError
