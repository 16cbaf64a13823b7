"""Revenue by time: what was sold in each day, week, month, quarter or year."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, DateTime, Integer, Numeric, Select, case, cast, func, not_, null, select

from app.analytics.building import Building, Definition, Table, text
from app.analytics.periods import local_start, moment_of, period_buckets, refusal, span, step, truncated, within
from app.analytics.rolled import built, days, may_use_facts, over_facts, usable, without_rate
from app.analytics.sold import ZERO, at_rate, counted, left_out, needed_of_orders, order_day, rate_of, referred
from app.models import Order, SalesBucket
from app.models.base import Row

MONEY = frozenset(("revenue", "averageOrderValue"))


class Revenue(Definition):
    """Sold orders by the moment at which they were placed, in buckets of the argument ``bucket``.

    The buckets go from that of ``from`` to that of ``to``; without these, from that of the first sold order to that of
    the last. Revenue is the sum of the totals, the average that of the orders whose total is known in the currency.
    """

    entity = Order

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """Orders are counted by status and moment; amounts and customers only where they are asked for."""
        return _needs(asked)

    def table(self, build: Building) -> Table:
        """A row for each bucket, also where nothing was sold."""
        zone, bucket = build.zone(), build.given("bucket")
        found = _found(build)
        starts = period_buckets(bucket, _span(build)).subquery(build.compiler.name())
        here = starts.c.local
        shown = {
            "start": moment_of(here, zone),
            "end": moment_of(here + step(bucket), zone),
            "orders": func.coalesce(found.c.orders, ZERO),
            "customers": func.coalesce(found.c.customers, ZERO),
            "revenue": func.coalesce(found.c.amount, ZERO, type_=Numeric),
            "averageOrderValue": found.c.amount / func.nullif(found.c.valued, ZERO),
        }
        rows = select(*(value.label(label) for label, value in shown.items()))
        return Table(rows.select_from(starts).outerjoin(found, found.c.local == here), order=("start",))

    def note(self, build: Building) -> ColumnElement[Any] | None:
        """The currencies without an exchange rate, and how many orders were left out of the amounts for want of one."""
        if not MONEY & set(build.asked):
            return None
        raw = left_out(_priced(build), _priced(build).c.amount.is_(None))
        if not _may_roll(build):
            return raw
        return case((usable(build, build.given("bucket")), without_rate(build)), else_=raw)

    def refusal(self, build: Building) -> ColumnElement[Any] | None:
        """A period of more buckets than anybody can look at."""
        return refusal(build.given("bucket"), _span(build))


def _needs(asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
    money = ["total"] if MONEY & set(asked) else []
    return needed_of_orders(*money, *(["customer"] if "customers" in asked else []))


def _found(build: Building) -> CTE:
    """What was sold in each bucket that has something, by its local start."""

    def make() -> CTE:
        raw = _raw(build)
        return (raw.union_all(_rolled(build)) if _may_roll(build) else raw).cte(build.compiler.name())

    return build.once("found", make)


def _may_roll(build: Building) -> bool:
    """Whether the caller may have what is kept of all orders."""
    return build.whole(Order, *(attribute for _, attribute in _needs(build.asked)))


def _rolled(build: Building) -> Select[Any]:
    """What was sold in each bucket, from what is kept of it."""
    kept: Any = build.alias(SalesBucket)
    valued = kept.orders - kept.unvalued
    period = within(kept.start, *days(build))
    return select(
        cast(kept.start, DateTime()), kept.orders, case((valued > ZERO, kept.amount)), valued, kept.customers
    ).where(kept.bucket == text(build.given("bucket")), *period, usable(build, build.given("bucket")))


def _span(build: Building) -> CTE:
    """One row: the local starts of the first and the last bucket."""

    def make() -> CTE:
        ends = span(build.given("bucket"), build.zone(), _found(build), build.moment("from"), build.moment("to"))
        return ends.cte(build.compiler.name())

    return build.once("span", make)


def _raw(build: Building) -> Select[Any]:
    """What was sold in each bucket, from the orders themselves."""
    sums = _priced(build)
    found = select(
        sums.c.local,
        cast(func.sum(sums.c.count), Integer).label("orders"),
        func.sum(sums.c.amount).label("amount"),
        cast(func.sum(sums.c.orders).filter(sums.c.amount.is_not(None)), Integer).label("valued"),
    ).group_by(sums.c.local)
    if "customers" not in build.asked:
        return found.add_columns(cast(null(), Integer).label("customers"))
    sales, rows = found.subquery(build.compiler.name()), _rows(build)
    # Different ones are counted in two steps, for which PostgreSQL need not sort all orders.
    buyer = select(_local(build, rows).label("local"), rows.c.customer).subquery(build.compiler.name())
    each = select(buyer).group_by(*buyer.c).subquery(build.compiler.name())
    buyers = select(each.c.local, cast(func.count(each.c.customer), Integer).label("customers")).group_by(each.c.local)
    some = buyers.subquery(build.compiler.name())
    return select(sales, some.c.customers).join(some, some.c.local == sales.c.local)


def _rows(build: Building) -> Any:
    """The counted orders: the ``day`` of each in the shop, and where another zone is given the ``local`` start of its
    bucket there; what else is asked of it."""
    order, asked = build.alias(Order), set(build.asked)
    placed = build.value(Order, order, "placed_at")
    shown: dict[str, ColumnElement[Any]] = {}
    if build.given("timezone") is not None:
        shown["local"] = local_start(build.given("bucket"), placed, build.zone())
    if not shown or MONEY & asked:
        shown["day"] = order_day(build, order)
    if MONEY & asked:
        shown |= {"currency": order.currency, "total": build.value(Order, order, "total")}
    if "customers" in asked:
        shown["customer"] = referred(build, Order, order, "customer")
    found: Any = select(*(value.label(name) for name, value in shown.items())).where(*counted(build, order))
    if _may_use_facts(build):
        found = found.where(not_(built(build))).union_all(*_facts(build, shown))
    if "customers" not in asked:
        return found.subquery(build.compiler.name())
    # They are needed twice, and looked for once.
    return build.once("rows", lambda: found.cte(build.compiler.name()))


def _may_use_facts(build: Building) -> bool:
    attributes = [attribute for _, attribute in _needs(build.asked)]
    return may_use_facts(build, *(each for each in attributes if each in ("total", "customer")))


def _facts(build: Building, names: Collection[str]) -> list[Select[Any]]:
    """The same from the facts of orders. An amount is known, and needs no other rate than 1; or it has a currency that
    lacks a rate, and then it does not matter what the total is."""

    def made(fact: Any) -> Select[Any]:
        columns = {
            "local": local_start(build.given("bucket"), fact.placed_at, build.zone()),
            "day": fact.day,
            "currency": func.coalesce(fact.lacking, text(build.shop.currency)),
            "total": func.coalesce(fact.amount, ZERO),
            "customer": fact.customer_id,
        }
        period = within(fact.placed_at, build.moment("from"), build.moment("to"))
        found = select(*(columns[name] for name in names)).where(*period)
        return found.where(not_(usable(build, build.given("bucket")))) if _may_roll(build) else found

    return over_facts(build, made)


def _local(build: Building, rows: Any) -> ColumnElement[Any]:
    """The local start of the bucket of an order."""
    found: ColumnElement[Any] = rows.c.local if "local" in rows.c else truncated(build.given("bucket"), rows.c.day)
    return found


def _priced(build: Building) -> CTE:
    """The counted orders of a bucket, a day and a currency together: there is one rate for these. ``count`` is of all,
    ``orders`` of those whose total may be read, ``amount`` what these come to in the shop's currency."""

    def make() -> CTE:
        rows = _rows(build)
        money = "total" in rows.c
        # Without another zone, the bucket of a day is found afterwards, once for each.
        keys = [rows.c[name] for name in ("local", "day", "currency") if name in rows.c]
        counts = [func.count().label("count")]
        if money:
            counts += [func.count(rows.c.total).label("orders"), func.sum(rows.c.total).label("total")]
        groups = select(*keys, *counts).group_by(*keys).subquery(build.compiler.name())
        amount: ColumnElement[Any] = cast(null(), Numeric)
        orders: ColumnElement[Any] = cast(null(), Integer)
        if money:
            rate = rate_of(groups.c.currency, groups.c.day)
            amount, orders = at_rate(build, groups.c.total, groups.c.currency, rate), groups.c.orders
        columns = {"local": _local(build, groups), "count": groups.c.count, "orders": orders, "amount": amount}
        if money:
            columns["currency"] = groups.c.currency
        return select(*(value.label(name) for name, value in columns.items())).cte(build.compiler.name())

    return build.once("priced", make)
