"""What is kept for the figures: facts of orders, their roll-ups, what remains to be done, and snapshots of segments.

``app.analytics.keeping`` alone writes these tables, but for the queue ``AnalyticsChange``.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Uuid,
    text,
)
from sqlmodel import Field

from app.models.base import Row, choice, moment, words
from app.models.enums import ChurnState, CountedMetric, RfmSegment, TimeBucket


def _exact() -> Decimal:
    return Field(sa_type=Numeric, nullable=False)  # type: ignore[no-any-return]


def _flag() -> bool:
    return Field(default=False, sa_column_kwargs={"server_default": text("false")})  # type: ignore[no-any-return]


def _list(kind: Any) -> Any:
    return Field(
        default_factory=list, sa_type=ARRAY(kind), nullable=False, sa_column_kwargs={"server_default": text("'{}'")}
    )


class OrderFact(Row, table=True):
    """A sold order of a customer that is not deleted, as it has been counted: also one that is placed in the future.

    ``day`` is that of ``placed_at`` in the shop's time zone. ``rate`` is the exchange rate of that day, 1 for the
    shop's own currency and NULL where none is known; ``amount`` is the order's total at it, exact, NULL without one.
    ``lacking`` is the currency that lacks a rate.

    The lines stand in the same row, so that those of all orders of a customer are found together: for each of
    ``products``, by their ids, the pieces and, in the order's own currency, the sum of the line totals. A product that
    is NULL stands for the lines without one. An order without lines has no lists.
    """

    __tablename__ = "order_facts"
    __table_args__ = (
        Index("ix_order_facts_customer_id", "customer_id"),
        Index("ix_order_facts_day", "day"),
        Index("ix_order_facts_day_unvalued", "day", postgresql_where=text("rate IS NULL")),
        Index("ix_order_facts_lacking_day", "lacking", "day", postgresql_where=text("lacking IS NOT NULL")),
    )

    customer_id: UUID = Field(primary_key=True)
    order_id: UUID = Field(primary_key=True)
    placed_at: datetime = moment(required=True)
    day: date
    rate: Decimal | None = Field(default=None, sa_type=Numeric)
    amount: Decimal | None = Field(default=None, sa_type=Numeric)
    lacking: str | None = words()
    products: list[UUID | None] | None = Field(default=None, sa_type=ARRAY(Uuid))
    quantities: list[int] | None = Field(default=None, sa_type=ARRAY(BigInteger))
    totals: list[Decimal] | None = Field(default=None, sa_type=ARRAY(Numeric))


class SalesBucket(Row, table=True):
    """The counted orders of a bucket of the shop's time zone that begins with the day ``start``.

    ``customers`` are different ones. ``amount`` is exact, without the ``unvalued`` orders, which have no rate. There is
    no row for a bucket without orders.
    """

    __tablename__ = "sales_buckets"

    bucket: TimeBucket = choice(TimeBucket, primary_key=True)
    start: date = Field(primary_key=True)
    orders: int
    customers: int
    amount: Decimal = _exact()
    unvalued: int


NO_PRODUCT = UUID(int=0)
"""Stands for the product of lines that have none."""


class ProductBucket(Row, table=True):
    """The lines of counted orders by product, by DAY and by MONTH of the shop's time zone; those without a product
    under ``NO_PRODUCT``.

    ``orders`` are different ones; ``amount`` is exact, without the lines of orders that have no rate.
    """

    __tablename__ = "product_buckets"

    bucket: TimeBucket = choice(TimeBucket, primary_key=True)
    start: date = Field(primary_key=True)
    product_id: UUID = Field(primary_key=True)
    quantity: int = Field(sa_type=BigInteger)
    orders: int
    amount: Decimal = _exact()


class CohortBucket(Row, table=True):
    """How many customers whose first counted order was in the month ``cohort`` have one in ``month``: with ``month`` =
    ``cohort``, the size of the cohort. Both are first days of months of the shop's time zone."""

    __tablename__ = "cohort_buckets"

    cohort: date = Field(primary_key=True)
    month: date = Field(primary_key=True)
    customers: int


class CustomerTotal(Row, table=True):
    """Adds to the totals of the live customers of a segment and churn state: how many there are, their exact revenue,
    and the orders that are not in it for want of a rate. Triggers of ``customer_metrics`` write these rows, so the sums
    over all of them are right at any moment; ``app.analytics.keeping.totals`` adds them up."""

    __tablename__ = "customer_totals"

    id: int = Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)])
    segment: RfmSegment = choice(RfmSegment)
    churn_state: ChurnState = choice(ChurnState)
    customers: int
    revenue: Decimal = _exact()
    unvalued_orders: int


class MetricCount(Row, table=True):
    """How many customers have a value of a metric: the number of sold orders, or the rhythm in days."""

    __tablename__ = "metric_counts"

    metric: CountedMetric = choice(CountedMetric, primary_key=True)
    value: Decimal = Field(sa_type=Numeric, primary_key=True)
    customers: int


class AnalyticsState(Row, table=True):
    """The one row that says how far all this is.

    The roll-ups may be used where they are ``built``; ``currency`` and ``timezone`` are those that they are for. The
    metrics of customers are as of ``as_of``, and stay there where it is ``pinned``; they are ``whole`` but while, and
    after, a full refresh that did not come to its end. The outbox has been followed up to ``transaction_id`` and
    ``position``, last at ``followed_at``. ``rhythm`` is the shop's, in days. Of the ``ranked`` customers, those whose
    value is at least ``…_cuts[k]`` have a score of more than k (k = 1 to 4; NULL: none has); ``…_below[k]`` have less.
    """

    __tablename__ = "analytics_state"
    __table_args__ = (CheckConstraint("id = 1", name="there_is_one"),)

    id: int = Field(default=1, sa_type=SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    built: bool = _flag()
    whole: bool = _flag()
    as_of: datetime | None = moment()
    pinned: bool = _flag()
    currency: str | None = words()
    timezone: str | None = words()
    transaction_id: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    position: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    followed_at: datetime | None = moment()
    rhythm: Decimal | None = Field(default=None, sa_type=Numeric)
    ranked: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    recency_cuts: list[datetime | None] = _list(DateTime(timezone=True))
    recency_below: list[int] = _list(Integer)
    frequency_cuts: list[int | None] = _list(Integer)
    monetary_cuts: list[Decimal | None] = _list(Numeric)
    monetary_below: list[int] = _list(Integer)


class AnalyticsChange(Row, table=True):
    """The queue of what the outbox does not tell.

    A row names a customer of whose orders something changed, or an order whose lines did, or an opportunity or ticket,
    or a currency with the ``day`` of an exchange rate that is new, changed or gone. One that names nothing says that
    all is to be counted anew. ``counted`` are those customers whose facts have been brought up to date, and whose
    metrics are next.
    """

    __tablename__ = "analytics_changes"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(customer_id, order_id, opportunity_id, ticket_id, currency) <= 1", name="says_one_thing"
        ),
    )

    id: int = Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)])
    customer_id: UUID | None = Field(default=None)
    order_id: UUID | None = Field(default=None)
    opportunity_id: UUID | None = Field(default=None)
    ticket_id: UUID | None = Field(default=None)
    currency: str | None = words()
    day: date | None = Field(default=None)
    counted: bool = _flag()


class SegmentSnapshotMonth(Row, table=True):
    """A month for which there is a snapshot: how the customers stood when it began in the shop's time zone."""

    __tablename__ = "segment_snapshot_months"

    month: date = Field(sa_type=Date, primary_key=True)
    taken_at: datetime = moment(required=True)


class SegmentSnapshot(Row, table=True):
    """A customer with sold orders at the beginning of a month. Who has no row in it was a prospect."""

    __tablename__ = "segment_snapshots"

    month: date = Field(sa_type=Date, primary_key=True)
    customer_id: UUID = Field(primary_key=True)
    segment: RfmSegment = choice(RfmSegment)
    churn_state: ChurnState = choice(ChurnState)
    revenue: Decimal = _exact()
