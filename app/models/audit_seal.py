"""What keeps the audit log whole: the seals of its events, where archives end, and what checks have found."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, LargeBinary
from sqlmodel import Field

from app.models.base import Row, moment, words


class AuditSeal(Row, table=True):
    """The seal of one event: its number in the chain, its place among the events, and the chain's MAC at this link."""

    __tablename__ = "audit_seals"
    __table_args__ = (Index("uq_audit_seals_event_id", "event_id", unique=True),)

    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    event_id: UUID
    transaction_id: int = Field(sa_type=BigInteger, nullable=False)
    position: int = Field(sa_type=BigInteger, nullable=False)
    mac: bytes = Field(sa_type=LargeBinary, nullable=False)
    sealed_at: datetime = moment(required=True)


class AuditCheckpoint(Row, table=True):
    """Where the chain begins since events were archived: the last event moved out, its MAC, and a MAC over all this."""

    __tablename__ = "audit_checkpoints"

    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    event_id: UUID
    transaction_id: int = Field(sa_type=BigInteger, nullable=False)
    position: int = Field(sa_type=BigInteger, nullable=False)
    mac: bytes = Field(sa_type=LargeBinary, nullable=False)
    archived_at: datetime = moment(required=True)
    signature: bytes = Field(sa_type=LargeBinary, nullable=False)


class AuditVerification(Row, table=True):
    """What one check of the whole log has found."""

    __tablename__ = "audit_verifications"

    id: int = Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)])
    verified_at: datetime = moment(required=True)
    ok: bool
    checked_events: int = Field(sa_type=BigInteger, nullable=False)
    first_broken_event_id: UUID | None = Field(default=None)
    problem: str | None = words()
    head: str | None = words()
