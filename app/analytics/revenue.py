"""Revenue by time: what was sold in each day, week, month, quarter or year."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Numeric, cast, distinct, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import INTERVAL

from app.analytics.building import Building, Definition, Table, text
from app.analytics.periods import buckets, local_start, moment_of, step, within
from app.analytics.sold import order_value, sold, without_rate
from app.models import Order
from app.models.base import Row

_TICK: ColumnElement[Any] = cast(literal_column("'1 microsecond'"), INTERVAL)
_MONEY = frozenset(("revenue", "averageOrderValue"))


class Revenue(Definition):
    """Sold orders by the moment at which they were placed, in buckets of the argument ``bucket``.

    The buckets go from that of ``from`` to that of ``to``; without these, from that of the first sold order to that of
    the last. Revenue is the sum of the totals, the average that of the orders whose total is known in the currency.
    """

    entity = Order

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """Orders are counted by status and moment; amounts and customers only where they are asked for."""
        found = ["status", "placed_at"]
        if _MONEY & set(asked):
            found.append("total")
        if "customers" in asked:
            found.append("customer")
        return [(Order, name) for name in found]

    def table(self, build: Building) -> Table:
        """A row for each bucket, also where nothing was sold."""
        order, zone, bucket = build.alias(Order), build.zone(), build.given("bucket")
        start, end = build.moment("from"), build.moment("to")
        placed = build.value(Order, order, "placed_at")
        local = local_start(bucket, placed, zone)
        value = order_value(build, order) if _MONEY & set(build.asked) else cast(null(), Numeric)
        some = "customers" in build.asked
        buyers: ColumnElement[Any] = func.count(distinct(order.customer_id)) if some else cast(null(), Integer)
        found = (
            select(
                local.label("local"),
                func.count().label("orders"),
                buyers.label("customers"),
                func.coalesce(func.sum(value), 0).label("revenue"),
                func.count(value).label("valued"),
            )
            .where(*build.seen(Order, order), sold(build, order), *within(placed, start, end))
            .group_by(local)
            .cte(build.compiler.name())
        )
        name = build.compiler.name()
        ends = select(func.min(found.c.local).label("first"), func.max(found.c.local).label("last")).cte(name)
        first = ends.c.first if start is None else local_start(bucket, start, zone)
        # The end of a period is not part of it: one that ends with a month has nothing of the next.
        last = ends.c.last if end is None else local_start(bucket, end - _TICK, zone)
        starts = buckets(bucket, first, last).select_from(ends).subquery(build.compiler.name())
        here = starts.c.local
        shown = {
            "start": moment_of(here, zone),
            "end": moment_of(here + step(bucket), zone),
            "orders": func.coalesce(found.c.orders, 0),
            "customers": func.coalesce(found.c.customers, 0),
            "revenue": func.coalesce(found.c.revenue, 0),
            "averageOrderValue": found.c.revenue / func.nullif(found.c.valued, 0),
        }
        rows = select(*(value.label(label) for label, value in shown.items()))
        return Table(rows.select_from(starts).outerjoin(found, found.c.local == here), order=("start",))

    def note(self, build: Building) -> ColumnElement[Any] | None:
        """The currencies without an exchange rate, and how many orders were left out of the amounts for want of one."""
        if not _MONEY & set(build.asked):
            return None
        order = build.alias(Order)
        start, end = build.moment("from"), build.moment("to")
        placed = build.value(Order, order, "placed_at")
        left_out = (
            select(order.currency.label("currency"))
            .where(
                *build.seen(Order, order),
                sold(build, order),
                order.currency != text(build.shop.currency),
                *within(placed, start, end),
                order_value(build, order).is_(None),
                build.value(Order, order, "total").is_not(None),
            )
            .subquery(build.compiler.name())
        )
        return without_rate(left_out)
