"""Products: what the shop sells."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import Index, literal_column
from sqlmodel import Field

from app.models.base import Record, alive, amount_checks, currency_code, moment, money, ordered, searched, short, words
from app.models.external_ref import ExternalRef, external_refs
from app.models.history import history

if TYPE_CHECKING:
    from auth.models import AuditEvent


class Product(Record, table=True):
    """Something sold, at its present price."""

    __tablename__ = "products"
    __table_args__ = (
        *short("sku", "name"),
        alive("uq_products_sku", "sku"),
        *ordered("products", "created_at"),
        *ordered("products", "updated_at"),
        *ordered("products", "name", text_column=True),
        *ordered("products", "sku", text_column=True),
        *ordered("products", "price"),
        Index("ix_products_active_created_at_id", "active", "created_at", "id"),
        Index("ix_products_sku_lower", literal_column("lower(sku) text_pattern_ops")),
        Index("ix_products_name_lower", literal_column("lower(name) text_pattern_ops")),
        searched("products", "sku", "name", "category"),
        *amount_checks("price"),
    )
    prefix: ClassVar[str] = "prd"
    searched: ClassVar[tuple[str, ...]] = ("sku", "name")

    sku: str = words(required=True)
    name: str = words(required=True)
    category: str | None = words()
    price: Decimal = money()
    currency: str = currency_code()
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    deleted_at: datetime | None = moment()

    external_refs: list[ExternalRef] = external_refs("Product")
    history: list["AuditEvent"] = history("Product")
