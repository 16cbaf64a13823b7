"""Orders, their lines, and the record of their states."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKeyConstraint, Index, Numeric, UniqueConstraint, literal_column
from sqlmodel import Field, Relationship

from app.models.base import (
    Entity,
    Record,
    amount_checks,
    choice,
    currency_code,
    moment,
    money,
    number,
    ordered,
    searched,
    short,
    words,
)
from app.models.enums import OrderStatus
from app.models.external_ref import ExternalRef, external_refs
from app.models.history import history

if TYPE_CHECKING:
    from app.models.customer import Customer
    from app.models.opportunity import Opportunity
    from app.models.product import Product
    from auth.models import AuditEvent, User


class Order(Record, table=True):
    """A sale. ``total`` is subtotal - discount + shipping fee, worked out by the database; lines share its currency."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("id", "currency", name="uq_orders_id_currency"),
        *amount_checks("subtotal", "discount", "shipping_fee"),
        CheckConstraint("total >= 0", name="total_is_not_negative"),
        *short("number"),
        *ordered("orders", "created_at"),
        *ordered("orders", "updated_at"),
        *ordered("orders", "placed_at"),
        *ordered("orders", "number", text_column=True),
        *ordered("orders", "total"),
        Index("ix_orders_customer_id_created_at_id", "customer_id", "created_at", "id"),
        Index("ix_orders_customer_id_placed_at", "customer_id", "placed_at"),
        Index("ix_orders_status_created_at_id", "status", "created_at", "id"),
        Index("ix_orders_opportunity_id", "opportunity_id"),
        Index("ix_orders_paid_at", "paid_at"),
        Index("ix_orders_shipped_at", "shipped_at"),
        Index("ix_orders_delivered_at", "delivered_at"),
        Index("ix_orders_number_lower", literal_column("lower(number) text_pattern_ops")),
        searched("orders", "number", "channel"),
    )
    prefix: ClassVar[str] = "ord"
    searched: ClassVar[tuple[str, ...]] = ("number",)
    parent: ClassVar[str | None] = "customer"

    number: str = number("O", "order_numbers")
    customer_id: UUID = Field(foreign_key="customers.id")
    opportunity_id: UUID | None = Field(default=None, foreign_key="opportunities.id")
    status: OrderStatus = choice(OrderStatus, default=OrderStatus.PENDING_PAYMENT)
    channel: str | None = words()
    currency: str = currency_code()
    subtotal: Decimal = money()
    discount: Decimal = money(default=Decimal(0))
    shipping_fee: Decimal = money(default=Decimal(0))
    total: Decimal = Field(
        default=None,
        sa_type=Numeric,
        nullable=False,
        sa_column_args=[Computed("subtotal - discount + shipping_fee", persisted=True)],
        sa_column_kwargs={"info": {"currency": "currency"}},
    )
    placed_at: datetime = moment(required=True)
    paid_at: datetime | None = moment()
    shipped_at: datetime | None = moment()
    delivered_at: datetime | None = moment()
    completed_at: datetime | None = moment()
    cancelled_at: datetime | None = moment()
    refunded_at: datetime | None = moment()

    customer: "Customer" = Relationship(back_populates="orders")
    opportunity: "Opportunity" = Relationship()
    lines: list["OrderLine"] = Relationship(
        back_populates="order", sa_relationship_kwargs={"order_by": "(OrderLine.position, OrderLine.id)"}
    )
    status_changes: list["OrderStatusChange"] = Relationship(
        back_populates="order",
        sa_relationship_kwargs={"order_by": "(OrderStatusChange.changed_at, OrderStatusChange.id)"},
    )
    external_refs: list[ExternalRef] = external_refs("Order")
    history: list["AuditEvent"] = history("Order")


class OrderLine(Entity, table=True):
    """So many of one thing at one price. Name, sku and price are copies, so that a later change of the product does not
    rewrite history."""

    __tablename__ = "order_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["order_id", "currency"], ["orders.id", "orders.currency"], name="fk_order_lines_order_id_currency"
        ),
        CheckConstraint("quantity > 0", name="quantity_is_positive"),
        *amount_checks("unit_price"),
        Index("ix_order_lines_order_id_position_id", "order_id", "position", "id"),
        Index("ix_order_lines_product_id", "product_id"),
        *short("sku"),
        Index("ix_order_lines_sku", "sku"),
        Index("ix_order_lines_unit_price", "unit_price"),
    )
    prefix: ClassVar[str] = "lin"
    parent: ClassVar[str | None] = "order"

    order_id: UUID
    position: int
    product_id: UUID | None = Field(default=None, foreign_key="products.id")
    sku: str = words(required=True)
    name: str = words(required=True)
    quantity: int
    unit_price: Decimal = money()
    currency: str = currency_code()
    total: Decimal = Field(
        default=None,
        sa_type=Numeric,
        nullable=False,
        sa_column_args=[Computed("quantity * unit_price", persisted=True)],
        sa_column_kwargs={"info": {"currency": "currency"}},
    )

    order: Order = Relationship(back_populates="lines")
    product: "Product" = Relationship()


class OrderStatusChange(Entity, table=True):
    """One step of an order from state to state; the first has no ``from_status``."""

    __tablename__ = "order_status_changes"
    __table_args__ = (
        Index("ix_order_status_changes_order_id_changed_at_id", "order_id", "changed_at", "id"),
        Index("ix_order_status_changes_changed_by_id", "changed_by_id"),
    )
    prefix: ClassVar[str] = "chg"
    parent: ClassVar[str | None] = "order"

    order_id: UUID = Field(foreign_key="orders.id")
    from_status: OrderStatus | None = choice(OrderStatus, required=False, check="from_status", default=None)
    to_status: OrderStatus = choice(OrderStatus)
    changed_at: datetime = moment(required=True)
    changed_by_id: UUID | None = Field(default=None, foreign_key="users.id")
    reason: str | None = words()

    order: Order = Relationship(back_populates="status_changes")
    changed_by: "User" = Relationship()
