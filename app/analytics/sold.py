"""Which orders count as sold, and what they come to."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Date, Integer, Numeric, case, cast, func, literal_column, null, select

from app.analytics.building import Building, text
from app.analytics.periods import within
from app.models import Order
from app.models.base import Row
from app.models.enums import OrderStatus
from app.reading.printing import effective

NOT_SOLD = (OrderStatus.PENDING_PAYMENT, OrderStatus.CANCELLED, OrderStatus.REFUNDED)
"""An order counts as sold unless it is in one of these states."""

ZERO = literal_column("0", Integer)


def sold(build: Building, order: Any) -> ColumnElement[bool]:
    """Whether ``order`` counts as sold."""
    return build.value(Order, order, "status").not_in([text(status.value) for status in NOT_SOLD])


def counted(build: Building, order: Any) -> list[ColumnElement[bool]]:
    """The conditions under which ``order`` counts: it is seen, sold, and placed in the figure's period."""
    placed = build.value(Order, order, "placed_at")
    period = within(placed, build.moment("from"), build.moment("to"))
    return [*build.seen(Order, order), sold(build, order), *period]


def referred(build: Building, entity: type[Row], row: Any, name: str) -> ColumnElement[Any]:
    """The id at the end of the to-one relation ``name`` where the caller may read it on the row, NULL elsewhere."""
    return effective(getattr(row, f"{name}_id"), build.sight.treatment(entity, name, row))


def shop_day(build: Building, moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """The day of ``moment`` in the shop's time zone."""
    return cast(func.timezone(text(build.shop.timezone), moment), Date)


def order_day(build: Building, order: Any) -> ColumnElement[Any]:
    """The day on which ``order`` was placed, in the shop's time zone: that of its exchange rate."""
    return shop_day(build, build.value(Order, order, "placed_at"))


def at_rate(
    build: Building, amount: ColumnElement[Any], currency: ColumnElement[Any], rate: ColumnElement[Any]
) -> ColumnElement[Any]:
    """``amount`` in the shop's currency; NULL where it needs a rate and there is none."""
    return case((currency == text(build.shop.currency), amount), else_=cast(amount * rate, Numeric))


def rate_of(currency: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[Any]:
    """What one unit of ``currency`` was worth in the shop's on ``day``; NULL where that is not known."""
    return func.exchange_rate(currency, day, type_=Numeric())


def left_out(groups: Any, *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    """The note about orders that were left out of the amounts for want of an exchange rate: ``groups`` has a
    ``currency`` and a number of ``orders``. NULL where there are none."""
    return told(select(groups.c.currency, groups.c.orders).where(*conditions, groups.c.orders > ZERO).subquery())


def told(groups: Any) -> ColumnElement[Any]:
    """The same, about all ``groups``."""
    count, currencies = func.sum(groups.c.orders), func.array_agg(groups.c.currency.distinct())
    return select(note_of(count, currencies)).select_from(groups).scalar_subquery()


def note_of(orders: ColumnElement[Any], currencies: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same, about so many orders in these currencies."""
    said = func.json_build_object(
        text("code"),
        text("EXCHANGE_RATE_MISSING"),
        text("currencies"),
        currencies,
        text("orders"),
        orders,
    )
    return case((orders > ZERO, said), else_=null())


def needed_of_orders(*more: str) -> Sequence[tuple[type[Row], str]]:
    """What every figure about sold orders goes by, and ``more`` of their attributes."""
    return [(Order, name) for name in ("status", "placed_at", *more)]
