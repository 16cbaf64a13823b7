"""What is kept of the opportunities for the figures: facts of each, and their roll-ups.

``app.analytics.keeping.deals`` alone writes these tables.
"""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Index, Numeric, Uuid
from sqlmodel import Field

from app.models.base import Row, choice, moment, words
from app.models.enums import WinRateKey

NOBODY = UUID(int=0)
"""Stands for the owner or the product of opportunities that have none."""


def _exact() -> Decimal:
    return Field(sa_type=Numeric, nullable=False)  # type: ignore[no-any-return]


class OpportunityFact(Row, table=True):
    """An opportunity that is not deleted, of a customer that is not, as it has been counted.

    ``opened``, ``closed`` and ``expected`` are the first days of months: of ``opened_at`` and ``closed_at`` in the
    shop's time zone, and of ``expected_close_on``. ``length`` is from the opening to the closing, in seconds.
    ``amount`` and ``weighted``, which is rounded as the API shows it, are exact amounts of ``currency``: those of a
    closed one in the shop's, at the rate of the day of its closing, where there is one; all others in their own.
    """

    __tablename__ = "opportunity_facts"
    __table_args__ = (Index("ix_opportunity_facts_stage_id_entered_at", "stage_id", "entered_at"),)

    opportunity_id: UUID = Field(primary_key=True)
    stage_id: UUID
    owner_id: UUID | None = Field(default=None)
    product_id: UUID | None = Field(default=None)
    way: UUID
    opened: date
    closed: date | None = Field(default=None)
    expected: date | None = Field(default=None)
    entered_at: datetime = moment(required=True)
    length: Decimal | None = Field(default=None, sa_type=Numeric)
    currency: str = words(required=True)
    amount: Decimal = _exact()
    weighted: Decimal = _exact()


class PipelineWay(Row, table=True):
    """The stages that an opportunity ever came into, that in which it is among them: each once, by id. ``way`` is told
    from them, since an index has no room for many. One that nobody goes any more stays until everything is counted
    anew."""

    __tablename__ = "pipeline_ways"

    way: UUID = Field(primary_key=True)
    stages: list[UUID] = Field(sa_type=ARRAY(Uuid()), nullable=False)


class FunnelBucket(Row, table=True):
    """The counted opportunities that were opened in a month and went the same ``way``."""

    __tablename__ = "funnel_buckets"

    month: date = Field(primary_key=True)
    way: UUID = Field(primary_key=True)
    opportunities: int


class PipelineBucket(Row, table=True):
    """The counted opportunities of a stage, whether ``closed`` or not, by the month in which they are ``expected`` to
    close (-infinity where that is not known), with amounts in a currency, as the facts have them.

    ``entered`` is the sum of the moments at which they came into the stage, in seconds since 1970. Of closed ones in
    another currency than the shop's, the day of their closing has no rate; what others are worth depends on the day on
    which somebody asks.
    """

    __tablename__ = "pipeline_buckets"

    stage_id: UUID = Field(primary_key=True)
    closed: bool = Field(primary_key=True)
    currency: str = words(required=True, primary_key=True)
    expected: date = Field(primary_key=True)
    opportunities: int
    entered: Decimal = _exact()
    amount: Decimal = _exact()
    weighted: Decimal = _exact()


class ClosingBucket(Row, table=True):
    """The counted opportunities that were closed in a month, by their OWNER and by their PRODUCT (``id``, or
    ``NOBODY``), by stage and currency. Those in another currency than the shop's have no rate.

    ``length`` is the sum of the times from opening to closing, in seconds.
    """

    __tablename__ = "closing_buckets"

    by: WinRateKey = choice(WinRateKey, primary_key=True)
    month: date = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    stage_id: UUID = Field(primary_key=True)
    currency: str = words(required=True, primary_key=True)
    opportunities: int
    amount: Decimal = _exact()
    length: Decimal = _exact()
