"""What is kept of the opportunities, worked out a second time: plain Python over the rows, fractions instead of SQL."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from tests.analytics.plain import rounded, seconds
from tests.analytics.plain_metrics import kept
from tests.oracle.rights import minor_units

NOBODY = UUID(int=0)
NEVER = date.min
FACTS = (
    "opportunity_id, stage_id, owner_id, product_id, way, opened, closed, expected, entered_at, length, currency,"
    " amount, weighted"
)


class PlainDeals:
    """The opportunities that count, and what is to be kept of each."""

    def __init__(self, currency: str, zone: str) -> None:
        self.currency, self.zone = currency, ZoneInfo(zone)
        self.facts: list[dict[str, Any]] = []
        self.ways: dict[UUID, list[UUID]] = {}

    async def read(self, connection: asyncpg.Connection) -> "PlainDeals":
        """Take in what stands in the database."""
        rates: dict[str, list[tuple[date, Fraction]]] = defaultdict(list)
        for currency, day, rate in await connection.fetch("SELECT currency, day, rate FROM exchange_rates ORDER BY 2"):
            rates[currency].append((day, Fraction(rate)))
        entered: dict[UUID, set[UUID]] = defaultdict(set)
        for deal, stage in await connection.fetch("SELECT opportunity_id, to_stage_id FROM stage_changes"):
            entered[deal].add(stage)
        live = {id for (id,) in await connection.fetch("SELECT id FROM customers WHERE deleted_at IS NULL")}
        for row in await connection.fetch("SELECT * FROM opportunities WHERE deleted_at IS NULL"):
            if row["customer_id"] in live:
                self.facts.append(self._fact(row, entered[row["id"]] | {row["stage_id"]}, rates))
        return self

    def _fact(self, row: Any, stages: set[UUID], rates: dict[str, list[tuple[date, Fraction]]]) -> dict[str, Any]:
        closed, currency, expected = row["closed_at"], row["currency"], row["expected_close_on"]
        rate = Fraction(1) if currency == self.currency else None
        if closed is not None and rate is None:
            known = [rate for since, rate in rates[currency] if since <= closed.astimezone(self.zone).date()]
            rate = known[-1] if known else None
        # Of an open one, the rate is that of the day on which somebody asks.
        worth, told = (Fraction(1), currency) if closed is None or rate is None else (rate, self.currency)
        way = UUID(bytes=sha256(",".join(str(stage) for stage in sorted(stages)).encode()).digest()[:16])
        self.ways[way] = sorted(stages)
        weighted = Fraction(row["amount"]) * row["probability"] / 100
        return {
            "opportunity_id": row["id"],
            "stage_id": row["stage_id"],
            "owner_id": row["owner_id"],
            "product_id": row["product_id"],
            "way": way,
            "opened": self._month(row["opened_at"]),
            "closed": None if closed is None else self._month(closed),
            "expected": None if expected is None else expected.replace(day=1),
            "entered_at": row["stage_entered_at"],
            "length": None if closed is None else seconds(closed - row["opened_at"]),
            "currency": told,
            "amount": Fraction(row["amount"]) * worth,
            "weighted": Fraction(rounded(weighted, minor_units(currency))) * worth,
        }

    def _month(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date().replace(day=1)

    def pipeline_buckets(self) -> set[tuple[Any, ...]]:
        """The rows of pipeline_buckets."""
        return _summed(
            (
                (f["stage_id"], f["closed"] is not None, f["currency"], f["expected"] or NEVER),
                (1, seconds(f["entered_at"] - datetime(1970, 1, 1, tzinfo=UTC)), f["amount"], f["weighted"]),
            )
            for f in self.facts
        )

    def closing_buckets(self) -> set[tuple[Any, ...]]:
        """The rows of closing_buckets."""
        return _summed(
            (
                (by, f["closed"], f[f"{by.lower()}_id"] or NOBODY, f["stage_id"], f["currency"]),
                (1, f["amount"], f["length"]),
            )
            for f in self.facts
            for by in ("OWNER", "PRODUCT")
            if f["closed"] is not None
        )

    def funnel_buckets(self) -> set[tuple[Any, ...]]:
        """The rows of funnel_buckets."""
        return _summed(((f["opened"], f["way"]), (1,)) for f in self.facts)


def _summed(parts: Iterable[tuple[tuple[Any, ...], tuple[Any, ...]]]) -> set[tuple[Any, ...]]:
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for key, values in parts:
        before = found.get(key)
        found[key] = values if before is None else tuple(a + b for a, b in zip(before, values, strict=True))
    return {(*key, *values) for key, values in found.items()}


async def assert_deals_right(
    connection: asyncpg.Connection, *, currency: str = "EUR", zone: str = "Europe/Berlin"
) -> None:
    """Fail unless all that is kept of the opportunities is what plain Python makes of the rows."""
    shop = await PlainDeals(currency, zone).read(connection)
    assert await kept(connection, "opportunity_facts", FACTS) == {tuple(fact.values()) for fact in shop.facts}
    columns = "stage_id, closed, currency, expected, opportunities, entered, amount, weighted"
    assert await kept(connection, "pipeline_buckets", columns) == shop.pipeline_buckets()
    columns = "by, month, id, stage_id, currency, opportunities, amount, length"
    assert await kept(connection, "closing_buckets", columns) == shop.closing_buckets()
    assert await kept(connection, "funnel_buckets", "month, way, opportunities") == shop.funnel_buckets()
    ways = dict(await connection.fetch("SELECT way, stages FROM pipeline_ways"))
    # Ways that nobody goes any more stay until everything is counted anew.
    assert {way: ways.get(way) for way in shop.ways} == shop.ways
