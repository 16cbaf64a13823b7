"""What is kept for the figures, worked out a second time: plain Python over the rows, fractions instead of SQL."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

NOT_SOLD = ("PENDING_PAYMENT", "CANCELLED", "REFUNDED")
BY_SCORES = {
    5: ("NEW", "PROMISING", "ACTIVE", "CHAMPIONS", "CHAMPIONS"),
    4: ("PROMISING", "PROMISING", "ACTIVE", "LOYAL", "LOYAL"),
    3: ("NEEDS_ATTENTION", "NEEDS_ATTENTION", "NEEDS_ATTENTION", "LOYAL", "LOYAL"),
    2: ("ALMOST_LOST", "ALMOST_LOST", "AT_RISK", "AT_RISK", "AT_RISK"),
    1: ("DORMANT", "DORMANT", "DORMANT", "PREVIOUSLY_LOYAL", "PREVIOUSLY_LOYAL"),
}
"""By recency; then by how often and for how much, from 1 to 5."""
METRICS = (
    *("sold_orders", "exact_revenue", "revenue", "unvalued_orders", "first_sold_at", "last_sold_at", "order_days"),
    *("rhythm", "due_at", "churned_at", "recency_score", "frequency_score", "monetary_score", "segment"),
    "churn_state",
)
NO_PRODUCT = UUID("00000000-0000-0000-0000-000000000000")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Sold:
    """A sold order of a customer that is not deleted."""

    id: UUID
    customer: UUID
    placed_at: datetime
    day: date
    rate: Fraction | None
    amount: Fraction | None
    lacking: str | None


class PlainShop:
    """The rows of a shop, read once."""

    def __init__(self, currency: str, zone: str, places: int) -> None:
        self.currency, self.zone, self.places = currency, ZoneInfo(zone), places
        self.customers: set[UUID] = set()
        self.sold: list[Sold] = []
        self.lines: dict[UUID, list[tuple[UUID, int, Fraction]]] = defaultdict(list)

    async def read(self, connection: asyncpg.Connection) -> "PlainShop":
        """Take in what stands in the database."""
        rates: dict[str, list[tuple[date, Fraction]]] = defaultdict(list)
        for currency, day, rate in await connection.fetch("SELECT currency, day, rate FROM exchange_rates ORDER BY 2"):
            rates[currency].append((day, Fraction(rate)))
        live = {id for (id,) in await connection.fetch("SELECT id FROM customers WHERE deleted_at IS NULL")}
        self.customers = {id for (id,) in await connection.fetch("SELECT id FROM customers")}
        for id, customer, placed_at, status, currency, total in await connection.fetch(
            "SELECT id, customer_id, placed_at, status, currency, total FROM orders"
        ):
            if status in NOT_SOLD or customer not in live:
                continue
            day = placed_at.astimezone(self.zone).date()
            known = [rate for since, rate in rates[currency] if since <= day]
            rate = Fraction(1) if currency == self.currency else known[-1] if known else None
            amount, lacking = (None, currency) if rate is None else (Fraction(total) * rate, None)
            self.sold.append(Sold(id, customer, placed_at, day, rate, amount, lacking))
        for order, product, quantity, total in await connection.fetch(
            "SELECT order_id, product_id, quantity, total FROM order_lines"
        ):
            self.lines[order].append((product or NO_PRODUCT, quantity, Fraction(total)))
        return self

    def facts(self) -> set[tuple[Any, ...]]:
        """The rows of order_facts."""
        return {
            (o.customer, o.id, o.placed_at, o.day, o.rate, o.amount, o.lacking, *self._lists(o.id)) for o in self.sold
        }

    def _lists(self, order: UUID) -> tuple[Any, ...]:
        """The products of an order's lines by their ids, none at the end; the pieces and the sum of each."""
        products = sorted({product for product, _, _ in self.lines[order]}, key=lambda id: (id == NO_PRODUCT, id))
        if not products:
            return None, None, None
        lines = [[line for line in self.lines[order] if line[0] == product] for product in products]
        return (
            tuple(None if product == NO_PRODUCT else product for product in products),
            tuple(sum(quantity for _, quantity, _ in same) for same in lines),
            tuple(_sum(total for _, _, total in same) for same in lines),
        )

    def sales_buckets(self) -> set[tuple[Any, ...]]:
        """The rows of sales_buckets."""
        found: dict[tuple[str, date], list[Sold]] = defaultdict(list)
        for order in self.sold:
            for bucket in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR"):
                found[bucket, begin(bucket, order.day)].append(order)
        return {
            (*key, len(orders), len({o.customer for o in orders}), _sum(o.amount for o in orders), _unknown(orders))
            for key, orders in found.items()
        }

    def product_buckets(self) -> set[tuple[Any, ...]]:
        """The rows of product_buckets."""
        found: dict[tuple[str, date, UUID], list[tuple[UUID, int, Fraction | None]]] = defaultdict(list)
        for order in self.sold:
            for product, quantity, total in self.lines[order.id]:
                worth = None if order.rate is None else total * order.rate
                for bucket in ("DAY", "MONTH"):
                    found[bucket, begin(bucket, order.day), product].append((order.id, quantity, worth))
        return {
            (*key, sum(q for _, q, _ in lines), len({o for o, _, _ in lines}), _sum(worth for *_, worth in lines))
            for key, lines in found.items()
        }

    def cohort_buckets(self) -> set[tuple[Any, ...]]:
        """The rows of cohort_buckets."""
        found: Counter[tuple[date, date]] = Counter()
        for orders in self._by_customer(self.sold).values():
            cohort = begin("MONTH", min(orders, key=lambda o: o.placed_at).day)
            found.update({(cohort, begin("MONTH", o.day)) for o in orders})
        return {(*key, count) for key, count in found.items()}

    def metrics(self, as_of: datetime) -> tuple[dict[UUID, dict[str, Any]], Fraction | None]:
        """The metrics of every customer, and the shop's rhythm."""
        bought = self._by_customer(o for o in self.sold if o.placed_at <= as_of)
        found = {customer: self._base(bought.get(customer, [])) for customer in self.customers}
        rhythms = [m["rhythm"] for m in found.values() if m["rhythm"] is not None]
        rhythm = median(rhythms) if rhythms else None
        ranked = {id: m for id, m in found.items() if m["sold_orders"]}
        names = {"recency": "last_sold_at", "frequency": "sold_orders", "monetary": "exact_revenue"}
        scores = {ranking: _scores({id: m[column] for id, m in ranked.items()}) for ranking, column in names.items()}
        for id, each in found.items():
            for ranking in names:
                each[f"{ranking}_score"] = scores[ranking].get(id)
            each["segment"] = "PROSPECTS"
            if id in ranked:
                both = Fraction(each["frequency_score"] + each["monetary_score"], 2) + Fraction(1, 2)
                each["segment"] = BY_SCORES[each["recency_score"]][both.__floor__() - 1]
            each["churn_state"] = self._churn_state(each, rhythm, as_of)
        return found, rhythm

    def _by_customer(self, orders: Iterable[Sold]) -> Mapping[UUID, list[Sold]]:
        found: dict[UUID, list[Sold]] = defaultdict(list)
        for order in orders:
            found[order.customer].append(order)
        return found

    def _base(self, orders: list[Sold]) -> dict[str, Any]:
        days = sorted({o.day for o in orders})
        gaps = [Fraction((b - a).days) for a, b in pairwise(days)]
        rhythm = median(gaps) if gaps else None
        last = max((o.placed_at for o in orders), default=None)
        own = rhythm is not None and len(days) >= 3
        revenue = _sum(o.amount for o in orders)
        unit = Fraction(1, 10**self.places)
        return {
            "sold_orders": len(orders),
            "exact_revenue": revenue,
            "revenue": ((revenue / unit + Fraction(1, 2)).__floor__()) * unit,
            "unvalued_orders": _unknown(orders),
            "first_sold_at": min((o.placed_at for o in orders), default=None),
            "last_sold_at": last,
            "order_days": len(days),
            "rhythm": rhythm,
            "due_at": last + _days(rhythm) if own and last and rhythm is not None else None,
            "churned_at": last + _days(rhythm * Fraction(3, 2)) if own and last and rhythm is not None else None,
        }

    def _churn_state(self, metrics: Mapping[str, Any], shop: Fraction | None, as_of: datetime) -> str:
        if not metrics["sold_orders"]:
            return "NEVER_BOUGHT"
        rhythm = metrics["rhythm"] if metrics["order_days"] >= 3 else shop
        since = (
            Fraction((as_of - metrics["last_sold_at"]) / timedelta(microseconds=1))
            / (DAY / timedelta(microseconds=1)).__int__()
        )
        if rhythm is None or since <= rhythm:
            return "ACTIVE"
        return "DUE" if since <= rhythm * Fraction(3, 2) else "CHURNED"


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
            return day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
        case _:
            return day.replace(day=1, month=1)


def _sum(amounts: Iterable[Fraction | None]) -> Fraction:
    return sum((each for each in amounts if each is not None), Fraction(0))


def _unknown(orders: Iterable[Sold]) -> int:
    return sum(o.rate is None for o in orders)


def _days(days: Fraction) -> timedelta:
    return timedelta(microseconds=int(days * 86_400_000_000))


def _scores(values: Mapping[UUID, Any]) -> dict[UUID, int]:
    n = len(values)
    ordered = sorted(values.values())
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    return {
        id: min(5, 1 + (5 * Fraction(first[value], n - 1)).__floor__()) if n > 1 else 1 for id, value in values.items()
    }


async def kept(connection: asyncpg.Connection, table: str, columns: str) -> set[tuple[Any, ...]]:
    """The rows of one of the tables."""
    rows = await connection.fetch(f"SELECT {columns} FROM {table}")
    found = [tuple(tuple(each) if isinstance(each, list) else each for each in row) for row in rows]
    assert len(found) == len(set(found))
    return set(found)


async def assert_right(
    connection: asyncpg.Connection,
    as_of: datetime,
    *,
    currency: str = "EUR",
    zone: str = "Europe/Berlin",
    places: int = 2,
) -> None:
    """Fail unless all that is kept is what plain Python makes of the rows."""
    shop = await PlainShop(currency, zone, places).read(connection)
    columns = "customer_id, order_id, placed_at, day, rate, amount, lacking, products, quantities, totals"
    assert await kept(connection, "order_facts", columns) == shop.facts()
    columns = "bucket, start, orders, customers, amount, unvalued"
    assert await kept(connection, "sales_buckets", columns) == shop.sales_buckets()
    columns = "bucket, start, product_id, quantity, orders, amount"
    assert await kept(connection, "product_buckets", columns) == shop.product_buckets()
    assert await kept(connection, "cohort_buckets", "cohort, month, customers") == shop.cohort_buckets()
    totals = "segment, churn_state, sum({0}), sum({1}), sum({2}) FROM {3} GROUP BY 1, 2 HAVING sum({0}) <> 0"
    written = totals.format("customers", "revenue", "unvalued_orders", "customer_totals")
    live = "customer_metrics m JOIN customers c ON c.id = m.customer_id AND c.deleted_at IS NULL"
    there = totals.format("1", "exact_revenue", "unvalued_orders", live)
    assert set(await connection.fetch(f"SELECT {written}")) == set(await connection.fetch(f"SELECT {there}"))
    right, rhythm = shop.metrics(as_of)
    rows = await connection.fetch(f"SELECT customer_id, {', '.join(METRICS)} FROM customer_metrics")
    found = {row["customer_id"]: {name: row[name] for name in METRICS} for row in rows}
    for id, metrics in right.items():
        assert found[id] == metrics
    assert found.keys() == right.keys()
    state = await connection.fetchrow("SELECT as_of, rhythm, ranked FROM analytics_state")
    assert tuple(state) == (as_of, rhythm, sum(1 for m in right.values() if m["sold_orders"]))
