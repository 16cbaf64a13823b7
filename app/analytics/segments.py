"""Customers by segment, and by whether they still buy in their rhythm."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    false,
    func,
    literal_column,
    null,
    select,
)

from app.analytics.building import ANALYSE, Building, Definition, Table, text
from app.analytics.rolled import currencies
from app.analytics.sold import ZERO, needed_of_orders, note_of
from app.models import Customer, CustomerMetrics, CustomerTotal, Order, OrderFact
from app.models.base import Row
from app.models.enums import ChurnState, RfmSegment


class Grouped(Definition):
    """Customers by something that is kept of their orders; each member of its enum is there, in the enum's order.

    It is worked out from all orders of a customer. Where the caller may not see and analyse these, or not read what it
    is worked out from, nothing is known of them: the customer counts as one who never bought.
    """

    entity = Customer
    kinds: ClassVar[type[StrEnum]]
    """The groups."""
    none: ClassVar[StrEnum]
    """That of who never bought."""
    name: ClassVar[str]
    """The field of the figure that names the group."""
    attribute: ClassVar[str]
    """What of the metrics says it."""
    field: ClassVar[str]
    """The attribute of customers that shows it."""
    based: ClassVar[tuple[str, ...]]
    """The attributes of orders that it is worked out from."""

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """What the groups are worked out from, whatever is asked; totals for the revenue."""
        money = "revenue" in asked
        fields = [self.field, *(["revenue"] if money else [])]
        orders = needed_of_orders(*self.based, *(["total"] if money else []))
        return [*((Customer, name) for name in fields), *orders]

    def table(self, build: Building) -> Table:
        """A row for each group, also without customers."""
        found, groups = _found(self, build), listed(build, self.kinds)
        customers = func.coalesce(found.c.customers, ZERO, type_=Integer)
        every = func.nullif(func.sum(customers).over(), ZERO)
        shown = {
            self.name: groups.c.name,
            "customers": customers,
            "revenue": func.coalesce(found.c.revenue, ZERO, type_=Numeric),
            "share": func.coalesce(cast(customers, Float) / cast(every, Float), ZERO, type_=Float),
            "#place": groups.c.place,
        }
        rows = select(*(value.label(label) for label, value in shown.items()))
        return Table(rows.select_from(groups).outerjoin(found, found.c.name == groups.c.name), order=("#place",))

    def note(self, build: Building) -> ColumnElement[Any] | None:
        """The currencies without an exchange rate, and how many orders were left out of the revenue for want of one."""
        if "revenue" not in build.asked:
            return None
        found = _found(self, build)
        some = select(func.sum(found.c.unvalued)).scalar_subquery()
        return note_of(some, currencies(build) if _may_total(self, build) else _currencies(build))


class Rfm(Grouped):
    """Customers by segment, which tells how recently, how often, and for how much they bought."""

    kinds, none, name, attribute = RfmSegment, RfmSegment.PROSPECTS, "segment", "segment"
    field, based = "rfm_segment", ("total",)


class Churn(Grouped):
    """Customers by whether they still buy in their rhythm."""

    kinds, none, name, attribute = ChurnState, ChurnState.NEVER_BOUGHT, "state", "churn_state"
    field, based = "churn_state", ()


def listed(build: Building, kinds: type[StrEnum]) -> Any:
    """The members of ``kinds`` and the place of each."""
    names = cast(literal_column("'{" + ",".join(kinds) + "}'", Text), ARRAY(Text))
    members = func.unnest(names).table_valued(column("name", Text), with_ordinality="place", name=build.compiler.name())
    return members.render_derived()


def known(
    build: Building, customer: Any, value: ColumnElement[Any], field: str, based: Sequence[str]
) -> ColumnElement[Any]:
    """``value``, which is kept of the orders of ``customer``, where the caller may know it; NULL elsewhere.

    It is worked out from all orders of the customer and from their attributes ``based``, so the caller has to see and
    analyse these orders, read that of them, and read the ``field`` of the customer that shows it.
    """
    seen = _readable(build, customer, field, based)
    if isinstance(seen, bool):
        return value if seen else null()
    return case((seen, value), else_=null())


def _readable(build: Building, customer: Any, field: str, based: Sequence[str]) -> ColumnElement[bool] | bool:
    parts = (
        build.sight.below(Order, customer, ANALYSE, ("status", "placed_at", *based)),
        build.sight.treatment(Customer, field, customer).readable,
    )
    if any(part is False for part in parts):
        return False
    conditions = [part for part in parts if not isinstance(part, bool)]
    return and_(*conditions) if conditions else True


def _found(definition: Grouped, build: Building) -> CTE:
    """The groups that have customers: the ``name`` of each, ``customers``, their ``revenue``, and the orders that are
    ``unvalued`` in it."""

    def make() -> CTE:
        found = _totals(definition, build) if _may_total(definition, build) else _raw(definition, build)
        return found.cte(build.compiler.name())

    return build.once("found", make)


def _may_total(definition: Grouped, build: Building) -> bool:
    """Whether the caller may have the totals of all live customers."""
    money = "revenue" in build.asked
    kept = [(definition.field, definition.based), *([("revenue", ("total",))] if money else [])]
    return build.whole(Customer, *(name for name, _ in kept)) and all(
        _readable(build, build.alias(Customer), *each) is True for each in kept
    )


def _totals(definition: Grouped, build: Building) -> Select[Any]:
    total: Any = build.alias(CustomerTotal)
    name = cast(getattr(total, definition.attribute), Text)
    customers = cast(func.sum(total.customers), Integer)
    return (
        select(
            name.label("name"),
            customers.label("customers"),
            func.sum(total.revenue, type_=Numeric).label("revenue"),
            func.sum(total.unvalued_orders).label("unvalued"),
        )
        .group_by(name)
        .having(customers > ZERO)
    )


def _raw(definition: Grouped, build: Building) -> Select[Any]:
    customer, metrics = build.alias(Customer), build.alias(CustomerMetrics)
    kind: ColumnElement[Any] = getattr(metrics, definition.attribute)
    money = "revenue" in build.asked
    shown: dict[str, ColumnElement[Any]] = {
        "name": func.coalesce(
            known(build, customer, kind, definition.field, definition.based), text(definition.none), type_=Text
        ),
        "revenue": known(build, customer, metrics.exact_revenue, "revenue", ("total",)) if money else null(),
        "unvalued": known(build, customer, metrics.unvalued_orders, "revenue", ("total",)) if money else null(),
    }
    rows = (
        select(*(value.label(label) for label, value in shown.items()))
        .join_from(customer, metrics, metrics.customer_id == customer.id)
        .where(*build.seen(Customer, customer))
        .subquery(build.compiler.name())
    )
    revenue = func.sum(cast(rows.c.revenue, Numeric), type_=Numeric).label("revenue")
    unvalued = func.sum(cast(rows.c.unvalued, Integer)).label("unvalued")
    return select(rows.c.name, func.count().label("customers"), revenue, unvalued).group_by(rows.c.name)


def _currencies(build: Building) -> ColumnElement[Any]:
    """The currencies of the orders that have no exchange rate, of the customers that are counted."""
    customer, fact = build.alias(Customer), build.alias(OrderFact)
    seen = _readable(build, customer, "revenue", ("total",))
    in_sight = [] if seen is True else [false() if seen is False else seen]
    return (
        select(func.array_agg(fact.lacking.distinct()))
        .join_from(fact, customer, customer.id == fact.customer_id)
        .where(fact.lacking.is_not(None), *build.seen(Customer, customer), *in_sight)
        .scalar_subquery()
    )
