"""What is kept of each customer's orders."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index, Numeric, SmallInteger, text
from sqlmodel import Field

from app.models.base import Row, choice, moment
from app.models.enums import ChurnState, RfmSegment


def _count() -> int:
    return Field(default=0, sa_column_kwargs={"server_default": text("0")})  # type: ignore[no-any-return]


def _amount() -> Decimal:
    return Field(  # type: ignore[no-any-return]
        default=Decimal(0), sa_type=Numeric, nullable=False, sa_column_kwargs={"server_default": text("0")}
    )


def _score() -> int | None:
    return Field(default=None, sa_type=SmallInteger)  # type: ignore[no-any-return]


class CustomerMetrics(Row, table=True):
    """One row for each customer, made by a trigger when the customer is.

    ``order_count`` and ``last_order_at`` are of all orders, and a trigger keeps them with every change. All else is of
    sold orders as of the last refresh of the analytics: ``exact_revenue`` in the shop's currency without rounding,
    ``revenue`` rounded to its minor units, without the ``unvalued_orders`` that have no exchange rate. ``order_days``
    are the days of the shop's time zone with an order; ``rhythm`` is the median number of days between two of these.
    With three of them, the customer is due after ``due_at`` and has churned after ``churned_at``. Whether the customer
    is ``live``, not deleted, a trigger says.
    """

    __tablename__ = "customer_metrics"
    __table_args__ = (
        Index("ix_customer_metrics_order_count", "order_count", "customer_id"),
        Index("ix_customer_metrics_last_order_at", "last_order_at", "customer_id"),
        Index(
            "ix_customer_metrics_last_order_at_desc", text("last_order_at DESC NULLS LAST"), text("customer_id DESC")
        ),
        Index("ix_customer_metrics_revenue", "revenue", "customer_id"),
        Index("ix_customer_metrics_segment", "segment", "customer_id"),
        Index("ix_customer_metrics_churn_state", "churn_state", "customer_id"),
        Index("ix_customer_metrics_recency", "last_sold_at", postgresql_where=text("sold_orders > 0")),
        Index("ix_customer_metrics_monetary", "exact_revenue", postgresql_where=text("sold_orders > 0")),
        Index("ix_customer_metrics_due_at", "due_at", postgresql_where=text("churn_state = 'ACTIVE'")),
        Index("ix_customer_metrics_churned_at", "churned_at", postgresql_where=text("churn_state = 'DUE'")),
    )

    customer_id: UUID = Field(primary_key=True, foreign_key="customers.id", ondelete="CASCADE")
    live: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    order_count: int = _count()
    last_order_at: datetime | None = moment()
    sold_orders: int = _count()
    exact_revenue: Decimal = _amount()
    revenue: Decimal = _amount()
    unvalued_orders: int = _count()
    first_sold_at: datetime | None = moment()
    last_sold_at: datetime | None = moment()
    order_days: int = _count()
    rhythm: Decimal | None = Field(default=None, sa_type=Numeric)
    due_at: datetime | None = moment()
    churned_at: datetime | None = moment()
    recency_score: int | None = _score()
    frequency_score: int | None = _score()
    monetary_score: int | None = _score()
    segment: RfmSegment = choice(
        RfmSegment, default=RfmSegment.PROSPECTS, sa_column_kwargs={"server_default": text("'PROSPECTS'")}
    )
    churn_state: ChurnState = choice(
        ChurnState, default=ChurnState.NEVER_BOUGHT, sa_column_kwargs={"server_default": text("'NEVER_BOUGHT'")}
    )
