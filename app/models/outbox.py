"""The outbox: what happened, for those who follow it. It holds no values: whoever follows reads the present ones."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from app.models.base import Row, moment, words


class OutboxEvent(Row, table=True):
    """One change of one record. Followers read in the order of (``transaction_id``, ``position``), and only what is
    below ``pg_snapshot_xmin(pg_current_snapshot())``: what commits later can then never lie before what was read."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_at", "at"),)

    transaction_id: int = Field(
        default=None,
        sa_type=BigInteger,
        primary_key=True,
        sa_column_kwargs={"server_default": text("pg_current_xact_id()::text::bigint + transaction_offset()")},
    )
    position: int = Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)])
    event_id: UUID
    at: datetime = moment(required=True)
    action: str = words(required=True)
    entity: str = words(required=True)
    record_id: UUID
    record_version: int | None = Field(default=None)
    fields: list[str] = Field(sa_type=ARRAY(Text), nullable=False)
