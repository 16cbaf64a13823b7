"""What was sold of which products, and of which categories."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Numeric,
    Select,
    and_,
    case,
    cast,
    distinct,
    func,
    join,
    literal_column,
    not_,
    null,
    select,
    union_all,
)

from app.analytics.building import Building, Definition, Table, text
from app.analytics.figure import Figure
from app.analytics.rolled import days_and_months, usable, whole_lines, without_rate
from app.analytics.sold import (
    ZERO,
    at_rate,
    days_of_orders,
    left_out,
    needed_of_orders,
    rates,
    referred,
)
from app.models import Order, OrderLine, Product, ProductBucket
from app.models.base import Row
from app.models.enums import ProductRanking
from app.models.kept import NO_PRODUCT

_MEASURES: Mapping[Any, str] = {
    ProductRanking.REVENUE: "revenue",
    ProductRanking.QUANTITY: "quantity",
    ProductRanking.ORDERS: "orders",
}


class TopProducts(Definition):
    """The products of which most was sold, by the argument ``by``; those of which as much was, by their ids.

    Only products that the caller sees are there. The value of a line is its total: discounts and fees of the order are
    not in it.
    """

    entity = Order

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """Which products stand in the lines of sold orders; quantities and totals where they are asked for."""
        return _needs(asked)

    def needed(self, figure: Figure) -> Sequence[tuple[type[Row], str]]:
        """The order tells of what it goes by, too."""
        return _needs({*figure.asked(), _MEASURES[figure.given["by"]]})

    def table(self, build: Building) -> Table:
        """A row for each of the first products."""
        measure = _MEASURES[build.given("by")]
        asked = {*build.asked, measure}
        lines, product = _lines(build, asked), build.alias(Product)
        columns = _measures(lines)
        place = func.row_number().over(order_by=(columns[measure].desc(), lines.c.product_id))
        first: ColumnElement[Any] = literal_column(str(build.given("first")))
        rows = (
            select(
                lines.c.product_id.label("product"),
                *(value.label(label) for label, value in columns.items()),
                place.label("#place"),
            )
            .join_from(lines, product, product.id == lines.c.product_id)
            .where(*build.sight.rows(Product, product, "set"))
            .order_by(columns[measure].desc(), lines.c.product_id)
            .limit(first)
        )
        return Table(rows, order=("#place",))

    def note(self, build: Building) -> ColumnElement[Any] | None:
        """The currencies without an exchange rate, and how many orders were left out of the amounts for want of one."""
        return _note(build, {*build.asked, _MEASURES[build.given("by")]})


class Categories(Definition):
    """What was sold by the category of the product, from the most revenue on, then by name.

    The category "" holds what was sold of products without one, of products that the caller does not see, and without a
    product. The value of a line is its total: discounts and fees of the order are not in it.
    """

    entity = Order

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """Which products stand in the lines of sold orders, what they come to, and the categories of products."""
        return [*_needs({*asked, "revenue"}), (Product, "category")]

    def table(self, build: Building) -> Table:
        """A row for each category of which something was sold."""
        lines, product = _lines(build, {*build.asked, "revenue"}), build.alias(Product)
        category = func.coalesce(build.value(Product, product, "category"), text("")).collate("C")
        seen = and_(product.id == lines.c.product_id, *build.sight.rows(Product, product, "row"))
        found = (
            select(
                category.label("category"),
                func.sum(lines.c.quantity).label("quantity"),
                func.coalesce(func.sum(lines.c.revenue), ZERO, type_=Numeric).label("revenue"),
            )
            .select_from(lines)
            .outerjoin(product, seen)
            .group_by(category)
            .subquery(build.compiler.name())
        )
        whole = func.nullif(func.sum(found.c.revenue).over(), ZERO)
        share = func.coalesce(cast(found.c.revenue / whole, Float), ZERO, type_=Float)
        place = func.row_number().over(order_by=(found.c.revenue.desc(), found.c.category))
        return Table(select(found, share.label("share"), place.label("#place")), order=("#place",))

    def note(self, build: Building) -> ColumnElement[Any] | None:
        """The currencies without an exchange rate, and how many orders were left out of the amounts for want of one."""
        return _note(build, {*build.asked, "revenue"})


def _needs(asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
    found: list[tuple[type[Row], str]] = [*needed_of_orders(), (OrderLine, "product")]
    for name, attribute in (("quantity", "quantity"), ("revenue", "total")):
        if name in asked:
            found.append((OrderLine, attribute))
    return found


def _note(build: Building, asked: Collection[str]) -> ColumnElement[Any] | None:
    if "revenue" not in asked:
        return None
    way = _raw_way(build, asked)
    rate = rates(build, days_of_orders(build, *way))
    raw = left_out(rate, rate.c.rate.is_(None))
    return case((usable(build, "DAY"), without_rate(build)), else_=raw) if way else raw


def _measures(lines: Any) -> dict[str, ColumnElement[Any]]:
    return {
        "quantity": func.coalesce(lines.c.quantity, ZERO),
        "orders": lines.c.orders,
        "revenue": func.coalesce(lines.c.revenue, ZERO, type_=Numeric),
    }


def _lines(build: Building, asked: Collection[str]) -> Any:
    """What was sold by ``product_id``."""
    raw = _raw(build, asked)
    found = raw.union_all(_rolled(build)) if _raw_way(build, asked) else raw
    return found.subquery(build.compiler.name())


def _raw_way(build: Building, asked: Collection[str]) -> list[ColumnElement[bool]]:
    """The condition under which the lines are looked at themselves, where the caller may have what is kept of them."""
    attributes = [attribute for entity, attribute in _needs(asked) if entity is OrderLine]
    return [not_(usable(build, "DAY"))] if whole_lines(build, *attributes) else []


def _rolled(build: Building) -> Select[Any]:
    """What was sold by ``product_id``, from what is kept of it."""
    kept: Any = build.alias(ProductBucket)
    columns = select(kept.product_id, kept.quantity, kept.orders, kept.amount)
    parts = [columns.where(condition, usable(build, "DAY")) for condition in days_and_months(build, kept)]
    rows = union_all(*parts).subquery(build.compiler.name())
    return select(
        func.nullif(rows.c.product_id, literal_column(f"'{NO_PRODUCT}'::uuid")),
        cast(func.sum(rows.c.quantity), BigInteger),
        cast(func.sum(rows.c.orders), BigInteger),
        func.sum(rows.c.amount, type_=Numeric),
    ).group_by(rows.c.product_id)


def _raw(build: Building, asked: Collection[str]) -> Select[Any]:
    """What was sold by ``product_id``, from the lines themselves; NULL for those without a product."""
    order, line = days_of_orders(build, *_raw_way(build, asked)), build.alias(OrderLine)
    shown: dict[str, ColumnElement[Any]] = {
        "product_id": referred(build, OrderLine, line, "product"),
        "order_id": order.c.id,
        "quantity": build.value(OrderLine, line, "quantity") if "quantity" in asked else null(),
    }
    tables = join(order, line, line.order_id == order.c.id)
    if "revenue" in asked:
        rate = rates(build, order)
        tables = tables.outerjoin(rate, and_(rate.c.currency == order.c.currency, rate.c.day == order.c.day))
        shown["total"] = at_rate(build, build.value(OrderLine, line, "total"), order.c.currency, rate.c.rate)
    rows = (
        select(*(value.label(name) for name, value in shown.items()))
        .select_from(tables)
        .where(*build.sight.rows(OrderLine, line, "set", parent_seen=True))
        .subquery(build.compiler.name())
    )
    columns: dict[str, ColumnElement[Any]] = {
        "quantity": cast(func.sum(rows.c.quantity), BigInteger) if "quantity" in asked else cast(null(), BigInteger),
        "orders": func.count(distinct(rows.c.order_id)) if "orders" in asked else cast(null(), BigInteger),
        "revenue": func.sum(rows.c.total, type_=Numeric) if "revenue" in asked else cast(null(), Numeric),
    }
    found = select(rows.c.product_id, *(value.label(label) for label, value in columns.items()))
    return found.group_by(rows.c.product_id)
