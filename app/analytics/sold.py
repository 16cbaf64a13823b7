"""Which orders count as sold, and what they come to."""

from typing import Any

from sqlalchemy import ColumnElement, case, func, null, select

from app.analytics.building import Building, text
from app.models import Order
from app.models.enums import OrderStatus

NOT_SOLD = (OrderStatus.PENDING_PAYMENT, OrderStatus.CANCELLED, OrderStatus.REFUNDED)
"""An order counts as sold unless it is in one of these states."""


def sold(build: Building, order: Any) -> ColumnElement[bool]:
    """Whether ``order`` counts as sold."""
    return build.value(Order, order, "status").not_in([text(status.value) for status in NOT_SOLD])


def order_value(build: Building, order: Any) -> ColumnElement[Any]:
    """The total of ``order`` in the shop's currency, at the rate of the day of its placing; NULL without one."""
    return build.in_shop_currency(build.value(Order, order, "total"), order.currency, order.placed_at)


def without_rate(orders: Any) -> ColumnElement[Any]:
    """The note about ``orders``, a subquery of the ``currency`` of each order that was left out for want of a rate."""
    count = func.count()
    said = func.json_build_object(
        text("code"),
        text("EXCHANGE_RATE_MISSING"),
        text("currencies"),
        func.array_agg(orders.c.currency.distinct()),
        text("orders"),
        count,
    )
    return select(case((count > 0, said), else_=null())).select_from(orders).scalar_subquery()
