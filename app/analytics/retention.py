"""Retention: how many of those who first bought in one month buy again in the months after it."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Date,
    Integer,
    Select,
    and_,
    cast,
    column,
    extract,
    func,
    literal_column,
    not_,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.analytics.building import Building, Definition, Table, text
from app.analytics.periods import local_start, truncated, within
from app.analytics.rolled import built, days, may_use_facts, over_facts, usable
from app.analytics.sold import ZERO, referred, sold
from app.models import CohortBucket, Order
from app.models.base import Row

_ATTRIBUTES = ("status", "placed_at", "customer")


class Retention(Definition):
    """Customers by the month of their first sold order, and how many of them had one in each month after it.

    A row for each month that has such customers; in its list, only months that have begun. The period is that of the
    first orders. Only orders count that the caller sees: of others, the first may be missing.
    """

    entity = Order

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:  # noqa: ARG002  # All of it needs this.
        """Whose orders were placed when."""
        return [(Order, name) for name in _ATTRIBUTES]

    def table(self, build: Building) -> Table:
        """A row for each cohort."""
        after = literal_column(str(build.given("months")), Integer)
        found = (_both(build) if build.whole(Order, *_ATTRIBUTES) else _raw(build)).cte(build.compiler.name())
        sizes = select(found.c.cohort, found.c.customers).where(found.c.month == found.c.cohort).subquery()
        present = cast(local_start("MONTH", func.now(), text(build.shop.timezone)), Date)
        begun = func.greatest(_months(sizes.c.cohort, present), ZERO)
        steps = func.generate_series(ZERO, func.least(after, begun)).table_valued(column("k", Integer), name="#steps")
        step = steps.render_derived()
        later = select(found.c.cohort, _months(found.c.cohort, found.c.month).label("k"), found.c.customers).subquery()
        retained = func.array_agg(aggregate_order_by(func.coalesce(later.c.customers, ZERO), step.c.k))
        rows = (
            select(sizes.c.cohort.label("month"), sizes.c.customers.label("size"), retained.label("retained"))
            .select_from(sizes)
            .join(step, literal_column("true"))
            .outerjoin(later, and_(later.c.cohort == sizes.c.cohort, later.c.k == step.c.k))
            .group_by(sizes.c.cohort, sizes.c.customers)
        )
        return Table(rows, order=("month",))


def _both(build: Building) -> CompoundSelect[Any]:
    """The same from what is kept of it, where that may be used."""
    kept: Any = build.alias(CohortBucket)
    rolled = select(kept.cohort, kept.month, kept.customers)
    rolled = rolled.where(*within(kept.cohort, *days(build)), usable(build, "MONTH"))
    return _raw(build, not_(usable(build, "MONTH"))).union_all(rolled)


def _rows(build: Building, *conditions: ColumnElement[bool]) -> Any:
    """The orders that count: whose each is, its month, and when it was placed."""
    order = build.alias(Order)
    placed = build.value(Order, order, "placed_at")
    customer = referred(build, Order, order, "customer")
    month = cast(local_start("MONTH", placed, text(build.shop.timezone)), Date)
    found: Any = select(customer.label("customer"), month.label("month"), placed.label("placed"))
    found = found.where(*build.seen(Order, order), sold(build, order), *conditions)
    if not may_use_facts(build, "customer"):
        return found

    def made(fact: Any) -> Select[Any]:
        return select(fact.customer_id, cast(truncated("MONTH", fact.day), Date), fact.placed_at).where(*conditions)

    return found.where(not_(built(build))).union_all(*over_facts(build, made))


def _raw(build: Building, *conditions: ColumnElement[bool]) -> Select[Any]:
    """How many customers of which ``cohort`` ordered in which ``month``, both the first days of months."""
    start, end = build.moment("from"), build.moment("to")
    rows = _rows(build, *conditions).subquery(build.compiler.name())
    columns: dict[str, ColumnElement[Any]] = {
        "month": rows.c.month,
        "cohort": func.min(rows.c.month).over(partition_by=rows.c.customer),
    }
    if start is not None or end is not None:
        columns["first"] = func.min(func.min(rows.c.placed)).over(partition_by=rows.c.customer)
    active = (
        select(*(value.label(label) for label, value in columns.items()))
        .where(rows.c.customer.is_not(None))
        .group_by(rows.c.customer, rows.c.month)
        .subquery(build.compiler.name())
    )
    first = active.c.get("first")
    counted = select(active.c.cohort, active.c.month, cast(func.count(), Integer).label("customers"))
    if first is not None:
        counted = counted.where(*within(first, start, end))
    return counted.group_by(active.c.cohort, active.c.month)


def _months(first: ColumnElement[Any], last: ColumnElement[Any]) -> ColumnElement[Any]:
    """From one first day of a month to another, in months."""
    years = extract("year", last) - extract("year", first)
    return cast(years * 12 + extract("month", last) - extract("month", first), Integer)
