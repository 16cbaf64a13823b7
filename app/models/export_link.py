"""Links to exports that somebody asked for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from app.models.base import Entity, moment, words


class ExportLink(Entity, table=True):
    """What whoever has the link is sent, under the rights that the user who asked for it has by then, through what it
    asked for it: where the session is over, so is the link."""

    __tablename__ = "export_links"
    __table_args__ = (Index("ix_export_links_user_id", "user_id"), Index("ix_export_links_expires_at", "expires_at"))

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    session_id: UUID | None = Field(default=None)
    token_id: UUID | None = Field(default=None)
    impersonator_id: UUID | None = Field(default=None)
    entity: str = words(required=True)
    format: str = words(required=True)
    filter: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    fields: list[str] | None = Field(default=None, sa_type=ARRAY(Text))  # The word that callers know.
    byte_order_mark: bool
    expires_at: datetime = moment(required=True)
