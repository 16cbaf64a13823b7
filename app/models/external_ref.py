"""The ids that records have in other systems."""

from typing import Any
from uuid import UUID

from sqlalchemy import Index, Text
from sqlmodel import Field, Relationship

from app.models.base import Row


class ExternalRef(Row, table=True):
    """One id of one record in one other system. Unique within system and entity, so that imports can upsert by it."""

    __tablename__ = "external_refs"
    __table_args__ = (Index("ix_external_refs_record_id_system", "record_id", "system"),)

    entity: str = Field(primary_key=True, sa_type=Text)
    system: str = Field(primary_key=True, sa_type=Text)
    external_id: str = Field(primary_key=True, sa_type=Text)
    record_id: UUID


def external_refs(entity: str) -> Any:
    """The relation from ``entity`` to its references. UUIDv7 keys are unique across tables, so the id suffices."""
    return Relationship(
        sa_relationship_kwargs={
            "primaryjoin": f"foreign(ExternalRef.record_id) == {entity}.id",
            "order_by": "(ExternalRef.system, ExternalRef.external_id)",
            "viewonly": True,
            "uselist": True,
        }
    )
