"""What is kept of all orders, and when it may stand for the orders themselves."""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    DateTime,
    Select,
    and_,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import INTERVAL

from app.analytics.building import ANALYSE, Building, text
from app.analytics.periods import local_start, local_time, moment_of, truncated, within
from app.analytics.sold import note_of
from app.models import AnalyticsState, Customer, Order, OrderFact, OrderLine, SalesBucket
from app.reading.correlation import there
from app.reading.read import EVERYTHING

_COUNTED = ("status", "placed_at")
"""The attributes of orders that say whether they count."""

_TO_MONTH: ColumnElement[Any] = literal_column("interval '1 month' - interval '1 day'", INTERVAL)


def usable(build: Building, bucket: str) -> ColumnElement[bool]:
    """Whether what is kept by ``bucket`` answers the figure: it is there, for this shop, the figure goes by the shop's
    clock, and its period begins and ends with a bucket.

    That is known only when the statement runs: it holds both ways, and PostgreSQL passes over the other one.
    """

    def make() -> CTE:
        state: Any = build.alias(AnalyticsState)
        shop = text(build.shop.timezone)
        ends = [each for each in (build.moment("from"), build.moment("to")) if each is not None]
        conditions = [each == moment_of(local_start(bucket, each, shop), shop) for each in ends]
        ok = and_(build.zone() == shop, *conditions, _for_this_shop(build, state))
        return select(func.coalesce(ok, false()).label("ok")).select_from(state).cte(build.compiler.name())

    gate = build.once("usable", make)
    return select(gate.c.ok).scalar_subquery().is_(True)


def built(build: Building) -> ColumnElement[bool]:
    """Whether anything is kept, for this shop."""

    def make() -> CTE:
        state: Any = build.alias(AnalyticsState)
        ok = func.coalesce(_for_this_shop(build, state), false())
        return select(ok.label("ok")).select_from(state).cte(build.compiler.name())

    return select(build.once("built", make).c.ok).scalar_subquery().is_(True)


def _for_this_shop(build: Building, state: Any) -> ColumnElement[bool]:
    same = state.currency == text(build.shop.currency), state.timezone == text(build.shop.timezone)
    return and_(state.built, *same)


def may_use_facts(build: Building, *attributes: str) -> bool:
    """Whether facts of orders may stand for the orders themselves: the figure has no ``where``, and so much as
    ``attributes`` may be read of every order that counts."""
    order, customer = build.alias(Order), build.alias(Customer)
    return (
        build.figure.where == EVERYTHING
        and build.sight.below(Order, customer, ANALYSE, _COUNTED) is not False
        and all(build.sight.treatment(Order, each, order).readable is True for each in attributes)
    )


def of_facts(build: Building, fact: Any) -> list[ColumnElement[bool]]:
    """The conditions under which ``fact`` is of an order that counts for the caller, in whatever period: the orders of
    a customer belong to whomever the customer does."""
    customer = build.alias(Customer)
    readable = build.sight.below(Order, customer, ANALYSE, _COUNTED)
    if readable is True and build.sight.covers_all(Customer, "read"):
        # The few customers that are gone since are looked through, not the many that are there.
        return [~there(customer, customer.id == fact.customer_id, customer.deleted_at.is_not(None))]
    conditions = build.sight.rows(Customer, customer, "set")
    if not isinstance(readable, bool):
        conditions = [*conditions, readable]
    return [fact.customer_id.in_(select(customer.id).where(*conditions))]


def days(build: Building) -> tuple[ColumnElement[Any] | None, ColumnElement[Any] | None]:
    """The first day of the period and the one after its last, on the shop's calendar."""
    shop = text(build.shop.timezone)
    start, end = (
        None if each is None else cast(local_time(each, shop), Date)
        for each in (build.moment("from"), build.moment("to"))
    )
    return start, end


def days_and_months(build: Building, table: Any) -> list[ColumnElement[bool]]:
    """Conditions on rows of what is kept by DAY and MONTH, which together take in each day of the period once: its
    whole months, the days before these, and the days after."""
    first, last = days(build)
    months_from = None if first is None else cast(truncated("MONTH", cast(first, DateTime()) + _TO_MONTH), Date)
    months_until = None if last is None else cast(truncated("MONTH", last), Date)
    found = [and_(table.bucket == text("MONTH"), *within(table.start, months_from, months_until))]
    if first is not None:
        until = months_from if last is None else func.least(months_from, last)
        found.append(and_(table.bucket == text("DAY"), table.start >= first, table.start < until))
    if last is not None:
        since = months_until if first is None else func.greatest(months_from, months_until)
        found.append(and_(table.bucket == text("DAY"), table.start >= since, table.start < last))
    return found


def whole_lines(build: Building, *attributes: str) -> bool:
    """Whether the figure goes over every line of every live order, and ``attributes`` may be read on all of them."""
    line = build.alias(OrderLine)
    return (
        build.whole(Order, "status", "placed_at")
        and build.sight.covers_all(OrderLine, "read")
        and all(build.sight.treatment(OrderLine, each, line).readable is True for each in attributes)
    )


def without_rate(build: Building) -> ColumnElement[Any]:
    """The note about the orders of the period that were left out of the amounts for want of an exchange rate."""
    table: Any = build.alias(SalesBucket)
    counted = select(func.sum(table.unvalued)).where(or_(*days_and_months(build, table))).scalar_subquery()
    return note_of(counted, currencies(build))


def currencies(build: Building) -> ColumnElement[Any]:
    """The currencies of the orders of the period that have no exchange rate, each found by a step in the index."""
    first, last = days(build)

    def next_one(*after: ColumnElement[bool]) -> Select[Any]:
        fact: Any = build.alias(OrderFact)
        lacking = func.min(fact.lacking).label("currency")
        return select(lacking).where(fact.lacking.is_not(None), *within(fact.day, first, last), *after)

    found = next_one().cte(build.compiler.name(), recursive=True)
    fact: Any = build.alias(OrderFact)
    later = (
        select(func.min(fact.lacking))
        .where(fact.lacking > found.c.currency, *within(fact.day, first, last))
        .correlate(found)
        .scalar_subquery()
    )
    found = found.union_all(select(later).where(found.c.currency.is_not(None)))
    return select(func.array_agg(found.c.currency)).where(found.c.currency.is_not(None)).scalar_subquery()
