"""The ids that records have in other systems."""

from typing import Any
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlmodel import Field, Relationship

from app.models.base import Row

_KEY = ("entity", "system", "external_id")


class ExternalRef(Row, table=True):
    """One id of one record in one other system. Unique within system and entity among the records that are not deleted,
    so that imports can upsert by it. Triggers on the records keep ``live``."""

    __tablename__ = "external_refs"
    __table_args__ = (
        Index("uq_external_refs_live", *_KEY, unique=True, postgresql_where=text("live")),
        Index("ix_external_refs_deleted", *_KEY, postgresql_where=text("NOT live")),
    )

    record_id: UUID = Field(primary_key=True)
    system: str = Field(primary_key=True, sa_type=Text)
    external_id: str = Field(primary_key=True, sa_type=Text)
    entity: str = Field(primary_key=True, sa_type=Text)
    live: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})


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
