"""What was sold of which products, and of which categories."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Float,
    Numeric,
    Select,
    Text,
    Uuid,
    and_,
    case,
    cast,
    distinct,
    func,
    literal_column,
    not_,
    null,
    select,
    union_all,
)

from app.analytics.building import Building, Definition, Table, text
from app.analytics.figure import Figure
from app.analytics.periods import within
from app.analytics.rolled import (
    built,
    days_and_months,
    lacking,
    may_use_facts,
    may_use_lines,
    over_facts,
    usable,
    whole_lines,
    without_rate,
)
from app.analytics.sold import ZERO, counted, left_out, needed_of_orders, order_day, rate_of, referred
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
    orders = _orders(build, asked)
    found: Any = select(orders.c.lacking.label("currency")).where(orders.c.lacking.is_not(None))
    if _may_use_lines(build, asked):
        facts = lacking(build).subquery(build.compiler.name())
        period = within(facts.c.placed_at, build.moment("from"), build.moment("to"))
        found = found.union_all(select(facts.c.currency).where(*period, *_not_rolled(build, asked)))
    lost = found.subquery(build.compiler.name())
    counts = select(lost.c.currency, func.count().label("orders")).group_by(lost.c.currency)
    raw = left_out(counts.subquery(build.compiler.name()))
    return case((usable(build, "DAY"), without_rate(build)), else_=raw) if _may_roll(build, asked) else raw


def _measures(lines: Any) -> dict[str, ColumnElement[Any]]:
    return {
        "quantity": func.coalesce(lines.c.quantity, ZERO),
        "orders": lines.c.orders,
        "revenue": func.coalesce(lines.c.revenue, ZERO, type_=Numeric),
    }


def _lines(build: Building, asked: Collection[str]) -> Any:
    """What was sold by ``product_id``."""
    parts = [_raw(build, asked)]
    if _may_use_lines(build, asked):
        parts.append(_of_facts(build, asked))
    if _may_roll(build, asked):
        parts.append(_rolled(build))
    return union_all(*parts).subquery(build.compiler.name())


def _may_roll(build: Building, asked: Collection[str]) -> bool:
    """Whether the caller may have what is kept of all lines."""
    return whole_lines(build, *_attributes(asked))


def _may_use_lines(build: Building, asked: Collection[str]) -> bool:
    return may_use_lines(build, *_attributes(asked))


def _attributes(asked: Collection[str]) -> list[str]:
    return [attribute for entity, attribute in _needs(asked) if entity is OrderLine]


def _not_rolled(build: Building, asked: Collection[str]) -> list[ColumnElement[bool]]:
    return [not_(usable(build, "DAY"))] if _may_roll(build, asked) else []


def _orders(build: Building, asked: Collection[str]) -> CTE:
    """The orders that count, whose lines are looked for: ``id``, the ``rate`` of each, and the currency that is
    ``lacking`` one."""

    def made(fact: Any) -> Select[Any]:
        period = within(fact.placed_at, build.moment("from"), build.moment("to"))
        return select(fact.order_id, fact.rate, fact.lacking).where(*period)

    def make() -> CTE:
        if not may_use_facts(build):
            return _priced(build, asked, *_not_rolled(build, asked)).cte(build.compiler.name())
        raw = _priced(build, asked, not_(built(build)))
        if _may_use_lines(build, asked):
            return raw.cte(build.compiler.name())
        return raw.union_all(*over_facts(build, made)).cte(build.compiler.name())

    return build.once("orders", make)


def _priced(build: Building, asked: Collection[str], *conditions: ColumnElement[bool]) -> Select[Any]:
    """The same from the orders themselves."""
    order, own = build.alias(Order), text(build.shop.currency)
    columns: dict[str, Any] = {"id": order.id, "currency": order.currency, "day": order_day(build, order)}
    found = select(*(value.label(name) for name, value in columns.items()))
    rows = found.where(*counted(build, order), *conditions)
    if "revenue" not in asked:
        each = rows.subquery(build.compiler.name())
        return select(each.c.id, cast(null(), Numeric).label("rate"), cast(null(), Text).label("lacking"))
    orders = rows.cte(build.compiler.name())
    # A rate is looked up once for each currency and day, not for each order.
    days = select(orders.c.currency, orders.c.day).where(orders.c.currency != own).distinct()
    day = days.subquery(build.compiler.name())
    rate = select(day, rate_of(day.c.currency, day.c.day).label("rate")).subquery(build.compiler.name())
    known = case((orders.c.currency == own, literal_column("1", Numeric)), else_=rate.c.rate)
    lacking = case((known.is_(None), orders.c.currency))
    return select(orders.c.id, known.label("rate"), lacking.label("lacking")).select_from(
        orders.outerjoin(rate, and_(rate.c.currency == orders.c.currency, rate.c.day == orders.c.day))
    )


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


def _of_facts(build: Building, asked: Collection[str]) -> Select[Any]:
    """What was sold by ``product_id``, from the lines that stand in the facts of orders: there is one of each order and
    product."""
    money, pieces = "revenue" in asked, "quantity" in asked

    def made(fact: Any) -> Select[Any]:
        found = select(func.unnest(fact.products, type_=Uuid()).label("product_id"))
        if pieces:
            found = found.add_columns(func.unnest(fact.quantities, type_=BigInteger()).label("quantity"))
        if money:
            found = found.add_columns(func.unnest(fact.totals, type_=Numeric()).label("total"), fact.rate)
        period = within(fact.placed_at, build.moment("from"), build.moment("to"))
        return found.where(*period, *_not_rolled(build, asked))

    rows = union_all(*over_facts(build, made)).subquery(build.compiler.name())
    return select(
        rows.c.product_id,
        cast(func.sum(rows.c.quantity), BigInteger) if pieces else cast(null(), BigInteger),
        func.count(),
        cast(func.sum(rows.c.total * rows.c.rate), Numeric) if money else cast(null(), Numeric),
    ).group_by(rows.c.product_id)


def _raw(build: Building, asked: Collection[str]) -> Select[Any]:
    """What was sold by ``product_id``, from the lines themselves; NULL for those without a product."""
    order, line = _orders(build, asked), build.alias(OrderLine)
    money, pieces = "revenue" in asked, "quantity" in asked
    shown: dict[str, ColumnElement[Any]] = {
        "product_id": referred(build, OrderLine, line, "product"),
        "order_id": order.c.id,
        "quantity": build.value(OrderLine, line, "quantity") if pieces else cast(null(), BigInteger),
        "worth": build.value(OrderLine, line, "total") * order.c.rate if money else cast(null(), Numeric),
    }
    rows = (
        select(*(value.label(name) for name, value in shown.items()))
        .join_from(order, line, line.order_id == order.c.id)
        .where(*build.sight.rows(OrderLine, line, "set", parent_seen=True))
        .subquery(build.compiler.name())
    )
    columns: dict[str, ColumnElement[Any]] = {
        "quantity": cast(func.sum(rows.c.quantity), BigInteger),
        "orders": func.count(distinct(rows.c.order_id)) if "orders" in asked else cast(null(), BigInteger),
        "revenue": cast(func.sum(rows.c.worth), Numeric),
    }
    found = select(rows.c.product_id, *(value.label(label) for label, value in columns.items()))
    return found.group_by(rows.c.product_id)
