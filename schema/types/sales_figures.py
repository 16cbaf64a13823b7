"""Figures about sales and customers, in the API."""

from datetime import date, datetime

import strawberry

from schema.types.common import Money
from schema.types.enums import ChurnState, RfmSegment
from schema.types.product import Product


@strawberry.type
class RevenuePoint:
    """What was sold in one bucket of time. Empty buckets are there, with zero."""

    start: datetime
    end: datetime
    orders: int
    customers: int
    revenue: Money
    average_order_value: Money | None


@strawberry.type
class RfmSegmentFigure:
    """The customers of one segment; share is their part of all customers that the figure counts."""

    segment: RfmSegment
    customers: int
    revenue: Money
    share: float


@strawberry.type
class RetentionCohort:
    """The customers whose first sold order is of one month. retained[k] counts those who ordered in month k after it;
    retained[0] is its size."""

    month: date
    size: int
    retained: list[int]


@strawberry.type
class ChurnFigure:
    """The customers in one state."""

    state: ChurnState
    customers: int
    revenue: Money


@strawberry.type
class SegmentMove:
    """How many customers were in one segment at the beginning of one month, and in another, or the same, at that of a
    later one."""

    from_: RfmSegment = strawberry.field(name="from")
    to: RfmSegment
    customers: int


@strawberry.type
class ProductFigure:
    """What was sold of one product."""

    product: Product
    quantity: int
    orders: int
    revenue: Money


@strawberry.type
class CategoryFigure:
    """What was sold of the products of one category; share is its part of the revenue of all categories."""

    category: str
    quantity: int
    revenue: Money
    share: float
