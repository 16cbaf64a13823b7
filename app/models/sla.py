"""What the shop promises its customers: how soon tickets are answered and resolved, and when business goes on."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Date, Text
from sqlmodel import Field

from app.models.base import Versioned, words
from app.models.enums import TicketPriority

SLA_POLICY = UUID("00000000-0000-7000-8000-000000000001")
"""The id of the one policy."""

TARGETS = tuple(
    f"{priority.lower()}_{target}_minutes" for priority in TicketPriority for target in ("first_response", "resolution")
)


class SlaPolicy(Versioned, table=True):
    """The one policy. Targets are in business minutes; one that is absent is no promise.

    ``hours`` are periods such as ``MONDAY 09:00-12:30``, several a day if need be, in ``time_zone`` (a name of the IANA
    database; NULL is the shop's). On ``holidays`` there is no business.
    """

    __tablename__ = "sla_policies"
    __table_args__ = (
        CheckConstraint(f"id = '{SLA_POLICY}'", name="there_is_one"),
        CheckConstraint("cardinality(hours) > 0", name="there_are_hours"),
        *(CheckConstraint(f"{target} > 0", name=f"{target}_is_positive") for target in TARGETS),
    )
    prefix: ClassVar[str] = "sla"
    only: ClassVar[UUID | None] = SLA_POLICY

    time_zone: str | None = words()
    hours: list[str] = Field(sa_type=ARRAY(Text), nullable=False)
    holidays: list[date] = Field(sa_type=ARRAY(Date), nullable=False)
    low_first_response_minutes: int | None = Field(default=None)
    low_resolution_minutes: int | None = Field(default=None)
    normal_first_response_minutes: int | None = Field(default=None)
    normal_resolution_minutes: int | None = Field(default=None)
    high_first_response_minutes: int | None = Field(default=None)
    high_resolution_minutes: int | None = Field(default=None)
    urgent_first_response_minutes: int | None = Field(default=None)
    urgent_resolution_minutes: int | None = Field(default=None)
