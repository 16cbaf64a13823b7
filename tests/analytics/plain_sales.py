"""The figures about sales, worked out a second time: plain Python over the rows, fractions instead of SQL."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from tests.oracle.rights import Rights, minor_units
from tests.oracle.rows import Row, Rows, load, typed_id

NOT_SOLD = (None, "PENDING_PAYMENT", "CANCELLED", "REFUNDED")
SEGMENTS = (
    "CHAMPIONS",
    "LOYAL",
    "ACTIVE",
    "NEW",
    "PROMISING",
    "NEEDS_ATTENTION",
    "AT_RISK",
    "PREVIOUSLY_LOYAL",
    "ALMOST_LOST",
    "DORMANT",
    "PROSPECTS",
)
STATES = ("NEVER_BOUGHT", "ACTIVE", "DUE", "CHURNED")
BY_SCORES = {
    5: ("NEW", "PROMISING", "ACTIVE", "CHAMPIONS", "CHAMPIONS"),
    4: ("PROMISING", "PROMISING", "ACTIVE", "LOYAL", "LOYAL"),
    3: ("NEEDS_ATTENTION", "NEEDS_ATTENTION", "NEEDS_ATTENTION", "LOYAL", "LOYAL"),
    2: ("ALMOST_LOST", "ALMOST_LOST", "AT_RISK", "AT_RISK", "AT_RISK"),
    1: ("DORMANT", "DORMANT", "DORMANT", "PREVIOUSLY_LOYAL", "PREVIOUSLY_LOYAL"),
}
"""By recency; then by how often and for how much, from 1 to 5."""

Period = tuple[datetime | None, datetime | None]
Where = Callable[[Row], bool]
EVER: Period = (None, None)


def every(_: Row) -> bool:
    """No filter."""
    return True


class Facts:
    """The rows of a shop, its exchange rates, and how it counts."""

    def __init__(self, rows: Rows, rates: Iterable[tuple[str, date, Any]], currency: str, zone: str) -> None:
        self.rows, self.currency, self.zone = rows, currency, ZoneInfo(zone)
        self._rates: dict[str, list[tuple[date, Fraction]]] = defaultdict(list)
        for of, day, rate in sorted(rates):
            self._rates[of].append((day, Fraction(rate)))

    def day(self, moment: datetime) -> date:
        """The day in the shop."""
        return moment.astimezone(self.zone).date()

    def rate(self, currency: str, moment: datetime) -> Fraction | None:
        """The rate of the day of ``moment``: that of the latest day until then."""
        if currency == self.currency:
            return Fraction(1)
        found = [rate for day, rate in self._rates[currency] if day <= self.day(moment)]
        return found[-1] if found else None

    def worth(self, amount: Any, order: Row) -> Fraction | None:
        """An amount of an order in the shop's currency."""
        rate = self.rate(order.currency, order.placed_at)
        return None if rate is None or amount is None else Fraction(amount) * rate

    def money(self, amount: Fraction) -> dict[str, str]:
        """An amount as the API shows it: rounded once, half up."""
        places = minor_units(self.currency)
        whole, rest = divmod(int(amount * 10**places + Fraction(1, 2)), 10**places)
        return {"amount": f"{whole}.{rest:0{places}}" if places else f"{whole}", "currency": self.currency}

    def live_orders(self, until: datetime | None = None) -> dict[UUID, list[Row]]:
        """The sold orders of each customer that is not deleted, whoever may see them."""
        found: dict[UUID, list[Row]] = {each.id: [] for each in self.rows.all("Customer") if each.deleted_at is None}
        for order in self.rows.all("Order"):
            early = until is None or order.placed_at <= until
            if early and order.status not in NOT_SOLD and order.customer_id in found:
                found[order.customer_id].append(order)
        return found


async def read_facts(url: str, currency: str = "EUR", zone: str = "Europe/Berlin") -> Facts:
    """The facts in the database of ``url``."""
    connection = await asyncpg.connect(url)
    rates = [tuple(each) for each in await connection.fetch("SELECT currency, day, rate FROM exchange_rates")]
    await connection.close()
    return Facts(await load(url), rates, currency, zone)


class Figures:
    """The figures that one caller gets."""

    def __init__(self, facts: Facts, caller: UUID, now: datetime | None = None) -> None:
        self.facts, self.now = facts, now or datetime.now(UTC)
        self.rights = Rights(facts.rows, caller, self.now)

    # Orders

    def orders(self, period: Period = EVER, where: Where = every) -> list[Row]:
        """The sold orders that count."""
        rights, (start, end) = self.rights, period
        return [
            order
            for order in self.facts.rows.all("Order")
            if rights.visible(order)
            and rights.can(order, "analyse")
            and rights.value(order, "status") not in NOT_SOLD
            and (start is None or rights.value(order, "placedAt") >= start)
            and (end is None or rights.value(order, "placedAt") < end)
            and where(order)
        ]

    def note(self, orders: list[Row], *, readable: bool = True) -> dict[str, Any] | None:
        """What was left out for want of a rate; ``readable``: only orders whose total may be read."""
        lost = [
            order.currency
            for order in orders
            if self.facts.rate(order.currency, order.placed_at) is None
            and (not readable or self.rights.value(order, "total") is not None)
        ]
        if not lost:
            return None
        return {"code": "EXCHANGE_RATE_MISSING", "currencies": sorted(set(lost)), "orders": len(lost)}

    def revenue(
        self,
        bucket: str = "MONTH",
        period: Period = EVER,
        zone: str | None = None,
        where: Where = every,
    ) -> list[dict[str, Any]]:
        """A point for each bucket."""
        clock, (start, end) = ZoneInfo(zone) if zone else self.facts.zone, period
        found: dict[date, list[Row]] = defaultdict(list)
        for order in self.orders(period, where):
            found[begin(bucket, order.placed_at.astimezone(clock).date())].append(order)
        first = begin(bucket, start.astimezone(clock).date()) if start else min(found, default=None)
        last = (
            begin(bucket, (end - timedelta(microseconds=1)).astimezone(clock).date())
            if end
            else max(found, default=None)
        )
        points = []
        while first is not None and last is not None and first <= last:
            points.append(self._point(found[first], first, after(bucket, first), clock))
            first = after(bucket, first)
        return points

    def _point(self, orders: list[Row], start: date, end: date, clock: ZoneInfo) -> dict[str, Any]:
        worth = [self.facts.worth(self.rights.value(order, "total"), order) for order in orders]
        known = [each for each in worth if each is not None]
        buyers = {order.customer_id for order in orders if self.rights.access(order, "customer") == "READ"}
        return {
            "start": shown(start, clock),
            "end": shown(end, clock),
            "orders": len(orders),
            "customers": len(buyers),
            "revenue": self.facts.money(sum(known, Fraction(0))),
            "averageOrderValue": self.facts.money(sum(known) / Fraction(len(known))) if known else None,
        }

    def retention(self, months: int = 12, period: Period = EVER) -> list[dict[str, Any]]:
        """A row for each month in which somebody first bought."""
        start, end = period
        bought: dict[UUID, list[datetime]] = defaultdict(list)
        for order in self.orders():
            if self.rights.access(order, "customer") == "READ":
                bought[order.customer_id].append(order.placed_at)
        cohorts: dict[date, list[set[int]]] = defaultdict(list)
        for moments in bought.values():
            first = min(moments)
            if (start is None or first >= start) and (end is None or first < end):
                of = begin("MONTH", self.facts.day(first))
                cohorts[of].append({apart(of, self.facts.day(each)) for each in moments})
        present = self.facts.day(self.now)
        return [
            {
                "month": f"{cohort}",
                "size": len(members),
                "retained": [
                    sum(k in active for active in members)
                    for k in range(months + 1)
                    if k == 0 or k <= apart(cohort, present)
                ],
            }
            for cohort, members in sorted(cohorts.items())
        ]

    # Products

    def lines(self, period: Period = EVER) -> list[tuple[Row, Row, Row | None]]:
        """The lines that count: each with its order, and the product as the caller sees it."""
        rights = self.rights
        return [
            (order, line, rights.one(line, "product"))
            for order in self.orders(period)
            for line in self.facts.rows.many(order, "lines")
            if rights.visible(line)
        ]

    def top_products(self, by: str = "REVENUE", first: int = 10, period: Period = EVER) -> list[dict[str, Any]]:
        """The first products."""
        quantity: dict[UUID, int] = defaultdict(int)
        orders: dict[UUID, set[UUID]] = defaultdict(set)
        revenue: dict[UUID, Fraction] = defaultdict(Fraction)
        for order, line, product in self.lines(period):
            if product is not None:
                quantity[product.id] += self.rights.value(line, "quantity") or 0
                orders[product.id].add(order.id)
                revenue[product.id] += self.facts.worth(self.rights.value(line, "total"), order) or 0
        measure: dict[str, Callable[[UUID], Any]] = {
            "REVENUE": revenue.__getitem__,
            "QUANTITY": quantity.__getitem__,
            "ORDERS": lambda each: len(orders[each]),
        }
        best = sorted(orders, key=lambda each: (-measure[by](each), each.bytes))[:first]
        return [
            {
                "product": {"id": typed_id(self.facts.rows.by_id["Product"][each])},
                "quantity": quantity[each],
                "orders": len(orders[each]),
                "revenue": self.facts.money(revenue[each]),
            }
            for each in best
        ]

    def categories(self, period: Period = EVER) -> list[dict[str, Any]]:
        """Each category of which something was sold."""
        quantity: dict[str, int] = defaultdict(int)
        revenue: dict[str, Fraction] = defaultdict(Fraction)
        for order, line, product in self.lines(period):
            name = (self.rights.value(product, "category") if product else None) or ""
            quantity[name] += self.rights.value(line, "quantity") or 0
            revenue[name] += self.facts.worth(self.rights.value(line, "total"), order) or 0
        whole = sum(revenue.values())
        return [
            {
                "category": name,
                "quantity": quantity[name],
                "revenue": self.facts.money(revenue[name]),
                "share": float(revenue[name] / whole) if whole else 0.0,
            }
            for name in sorted(quantity, key=lambda each: (-revenue[each], each))
        ]

    # Customers

    def customers(self, where: Where = every) -> list[Row]:
        """The customers that count."""
        rights = self.rights
        return [
            each
            for each in self.facts.rows.all("Customer")
            if rights.visible(each) and rights.can(each, "analyse") and where(each)
        ]

    def knows(self, customer: Row, *fields: str) -> bool:
        """Whether the caller sees every order of the customer, and reads these fields on them."""
        rights = self.rights
        order = next(iter(self.facts.rows.many(customer, "orders")), None)
        if order is None:
            return True  # There is nothing to know.
        return (
            rights.visible(order)
            and rights.can(order, "analyse")
            and all(rights.access(order, field) == "READ" for field in ("status", "placedAt", *fields))
        )

    def rfm(self, metrics: "dict[UUID, Metrics]", where: Where = every) -> list[dict[str, Any]]:
        """Each segment."""
        found = self._grouped(metrics, where, "segment", "PROSPECTS", ("total",))
        whole = sum(len(members) for members in found.values())
        return [
            {"segment": name, **self._group(metrics, found[name]), "share": len(found[name]) / whole if whole else 0.0}
            for name in SEGMENTS
        ]

    def churn(self, metrics: "dict[UUID, Metrics]", where: Where = every) -> list[dict[str, Any]]:
        """Each state."""
        found = self._grouped(metrics, where, "state", "NEVER_BOUGHT", ())
        return [{"state": name, **self._group(metrics, found[name])} for name in STATES]

    def _grouped(
        self,
        metrics: "dict[UUID, Metrics]",
        where: Where,
        name: str,
        none: str,
        fields: tuple[str, ...],
    ) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for customer in self.customers(where):
            kind = getattr(metrics[customer.id], name) if self.knows(customer, *fields) else none
            found[kind].append(customer)
        return found

    def _group(self, metrics: "dict[UUID, Metrics]", members: list[Row]) -> dict[str, Any]:
        revenue = sum((metrics[each.id].revenue for each in members if self.knows(each, "total")), Fraction(0))
        return {"customers": len(members), "revenue": self.facts.money(revenue)}


class Metrics:
    """What is known of one customer: ``segment``, churn ``state``, ``revenue``."""

    def __init__(self, segment: str, state: str, revenue: Fraction) -> None:
        self.segment, self.state, self.revenue = segment, state, revenue


def metrics_of(facts: Facts, as_of: datetime) -> dict[UUID, Metrics]:
    """The metrics of every customer that is not deleted, by their definitions."""
    orders = facts.live_orders(as_of)
    last = {id: max(each.placed_at for each in found) for id, found in orders.items() if found}
    worth = {
        id: sum((facts.worth(o.total, o) or Fraction(0) for o in found), Fraction(0)) for id, found in orders.items()
    }
    recency = _scores(last)
    frequency = _scores({id: len(orders[id]) for id in last})
    monetary = _scores({id: worth[id] for id in last})
    rhythm, own = {}, {}
    for id in last:
        days = sorted({facts.day(each.placed_at) for each in orders[id]})
        gaps = [(later - earlier).days for earlier, later in pairwise(days)]
        if gaps:
            rhythm[id] = Fraction(median(map(Fraction, gaps)))
        if len(days) >= 3:
            own[id] = rhythm[id]
    shop = Fraction(median(rhythm.values())) if rhythm else None
    found = {}
    for id in orders:
        if id not in last:
            found[id] = Metrics("PROSPECTS", "NEVER_BOUGHT", Fraction(0))
            continue
        both = (frequency[id] + monetary[id] + 1) // 2
        passed = Fraction((as_of - last[id]) // timedelta(microseconds=1), 86_400_000_000)
        length = own.get(id, shop)
        late = length is not None and passed > length
        state = ("CHURNED" if length is not None and passed > length * 3 / 2 else "DUE") if late else "ACTIVE"
        found[id] = Metrics(BY_SCORES[recency[id]][both - 1], state, worth[id])
    return found


def _scores(values: dict[UUID, Any]) -> dict[UUID, int]:
    """The scores from 1 to 5; equal values share the lowest rank."""
    others, ordered = len(values) - 1, sorted(values.values())
    return {id: min(5, 1 + 5 * bisect_left(ordered, value) // others) if others else 1 for id, value in values.items()}


def begin(bucket: str, day: date) -> date:
    """The first day of the bucket of ``day``."""
    match bucket:
        case "DAY":
            return day
        case "WEEK":
            return day - timedelta(days=day.weekday())
        case "MONTH":
            return day.replace(day=1)
        case "QUARTER":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1)


def after(bucket: str, start: date) -> date:
    """The first day of the next bucket."""
    return begin(bucket, start + timedelta(days={"DAY": 1, "WEEK": 7, "MONTH": 31, "QUARTER": 92}.get(bucket, 366)))


def apart(first: date, last: date) -> int:
    """From month to month."""
    return (last.year - first.year) * 12 + last.month - first.month


def shown(day: date, clock: ZoneInfo) -> str:
    """The beginning of a day as the API shows it."""
    moment = datetime.combine(day, time(), clock).astimezone(UTC)
    return moment.isoformat(timespec="microseconds")
