"""What merges of customers moved, so that they can be undone."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from app.models.base import Entity, moment


def _ids() -> Any:
    return Field(
        default_factory=list, sa_type=ARRAY(Uuid), nullable=False, sa_column_kwargs={"server_default": text("'{}'")}
    )


class CustomerMerge(Entity, table=True):
    """One customer that was merged into another, and the ids of all that went with it.

    Customers merged at once share an ``operation_id``. ``fields`` holds what the survivor got: ``own`` from this
    customer, ``shared`` by hand, each with before and after; an erasure empties it. ``redirected`` are customers that
    had been merged into this one before. ``unset_primary`` are contacts that could not stay primary.
    """

    __tablename__ = "customer_merges"
    __table_args__ = (
        Index("ix_customer_merges_merged_id_merged_at", "merged_id", "merged_at"),
        Index("ix_customer_merges_kept_id", "kept_id"),
        Index("ix_customer_merges_operation_id", "operation_id"),
    )
    prefix: ClassVar[str] = "mrg"

    operation_id: UUID
    merged_id: UUID = Field(foreign_key="customers.id")
    kept_id: UUID = Field(foreign_key="customers.id")
    merged_at: datetime = moment(required=True)
    undone_at: datetime | None = moment()
    fields: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSONB, nullable=False, sa_column_kwargs={"server_default": text("'{}'")}
    )
    contacts: list[UUID] = _ids()
    opportunities: list[UUID] = _ids()
    orders: list[UUID] = _ids()
    tickets: list[UUID] = _ids()
    external_refs: list[list[str]] = Field(
        default_factory=list, sa_type=JSONB, nullable=False, sa_column_kwargs={"server_default": text("'[]'")}
    )
    redirected: list[UUID] = _ids()
    unset_primary: list[UUID] = _ids()
