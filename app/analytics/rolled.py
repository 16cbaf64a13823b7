"""What is kept of all orders, and when it may stand for the orders themselves."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Select,
    and_,
    cast,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
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

_LOOP_COST = 3
_ZERO: ColumnElement[int] = literal_column("0", Integer)
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


def may_use_lines(build: Building, *attributes: str) -> bool:
    """Whether the lines that the facts hold may stand for the lines themselves: ``attributes`` may be read on each line
    of an order that counts."""
    line = build.alias(OrderLine)
    return (
        may_use_facts(build)
        and not build.sight.rows(OrderLine, line, "set", parent_seen=True)
        and all(build.sight.treatment(OrderLine, each, line).readable is True for each in attributes)
    )


def over_facts(build: Building, made: Callable[[Any], Select[Any]]) -> list[Select[Any]]:
    """What ``made`` selects from a fact, for all facts of orders that count for the caller, in whatever period, where
    they may be used (``built``): the selects that together find these. The orders of a customer belong to whomever the
    customer does.
    """
    fact: Any = build.alias(OrderFact)
    customer = build.alias(Customer)
    if _of_all(build):
        # The few customers that are gone since are looked through, not the many that are there.
        gone = there(customer, customer.id == fact.customer_id, customer.deleted_at.is_not(None))
        return [made(fact).where(~gone, built(build))]
    seen, few = _seen(build), _few(build)
    # PostgreSQL thinks too little of the loop: it neither knows how few facts a customer has, nor that they lie beside
    # each other, in the order of the customers.
    each = select(seen.c.id).order_by(seen.c.id).offset(_ZERO).subquery(build.compiler.name())
    own = select(fact).where(fact.customer_id == each.c.id).offset(_ZERO).lateral(build.compiler.name())
    found: Any = build.alias(OrderFact)
    return [
        made(own.c).select_from(each.join(own, true())).where(built(build), few),
        made(found).where(found.customer_id.in_(select(seen.c.id)), built(build), not_(few)),
    ]


def lacking(build: Building) -> Select[Any]:
    """The same for those facts alone that have no exchange rate: the ``currency`` and ``placed_at`` of each."""
    fact: Any = build.alias(OrderFact)
    customer = build.alias(Customer)
    found = select(fact.lacking.label("currency"), fact.placed_at).where(fact.lacking.is_not(None), built(build))
    if _of_all(build):
        return found.where(~there(customer, customer.id == fact.customer_id, customer.deleted_at.is_not(None)))
    return found.where(fact.customer_id.in_(select(_seen(build).c.id)))


def _of_all(build: Building) -> bool:
    customer = build.alias(Customer)
    readable = build.sight.below(Order, customer, ANALYSE, _COUNTED)
    return readable is True and build.sight.covers_all(Customer, "read")


def _seen(build: Building) -> CTE:
    """The customers whose orders count for the caller."""

    def make() -> CTE:
        customer = build.alias(Customer)
        readable = build.sight.below(Order, customer, ANALYSE, _COUNTED)
        conditions = build.sight.rows(Customer, customer, "set")
        if not isinstance(readable, bool):
            conditions = [*conditions, readable]
        return select(customer.id).where(*conditions).cte(build.compiler.name())

    return build.once("seen customers", make)


def _few(build: Building) -> ColumnElement[bool]:
    """Whether so few customers are seen that their facts are found sooner one customer after the other than among all
    facts: that takes about three times as long for a fact."""

    def make() -> CTE:
        state: Any = build.alias(AnalyticsState)
        number = select(func.count()).select_from(_seen(build)).scalar_subquery()
        few = number * literal_column(str(_LOOP_COST)) <= state.ranked
        return select(few.label("few")).select_from(state).cte(build.compiler.name())

    return select(build.once("few", make).c.few).scalar_subquery().is_(True)


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
