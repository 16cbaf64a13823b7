"""What is kept of all orders gives the same figures as the orders themselves, and is used where that is so."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analytics.keeping.totals import add_up
from tests.analytics.following import followed
from tests.analytics.kept_shop import START, KeptShop
from tests.analytics.plain_sales import SEGMENTS, Figures, begin, metrics_of, read_facts
from tests.analytics.sales_shop import SHOP, WHO, ZONE, SalesShop, printed

pytestmark = pytest.mark.anyio

AGES = 1_000_000

POINT = "start end orders customers revenue { amount } averageOrderValue { amount }"
PRODUCT = "product { id } quantity orders revenue { amount }"
CATEGORY = "category quantity revenue { amount } share"
COHORT = "month size retained"
GROUPS = "rfm{0} {{ segment customers revenue {{ amount }} share }} churn{0} {{ state customers revenue {{ amount }} }}"
ALIVE = '(where: {createdAt: {gte: "1970-01-01T00:00:00Z"}})'
"""A filter that all customers meet."""


def local(year: int, month: int, day: int) -> datetime:
    """The beginning of a day in the shop."""
    return datetime(year, month, day, tzinfo=ZoneInfo(ZONE))


MONTHS = (
    (None, None),
    (local(2024, 2, 1), local(2024, 11, 1)),
    (local(2024, 4, 1), None),
    (None, local(2024, 10, 1)),
    (local(2024, 10, 1), local(2024, 11, 1)),
)
DAYS = (
    *MONTHS,
    (local(2024, 2, 29), local(2024, 3, 31)),
    (local(2024, 3, 31), local(2024, 4, 1)),
    (local(2024, 1, 1), local(2024, 1, 31)),
    (local(2024, 3, 30), local(2024, 10, 28)),
    (local(2024, 10, 27), None),
    (None, local(2024, 2, 29)),
    (local(2024, 12, 2), local(2024, 12, 2) + timedelta(days=1)),
)
QUARTERS = (*MONTHS[:1], (local(2024, 1, 1), local(2024, 7, 1)), (local(2024, 4, 1), None))
WEEKS = (*MONTHS[:1], (local(2024, 1, 1), local(2024, 4, 1)), (local(2024, 10, 28), None))
YEARS = (*MONTHS[:1], (local(2024, 1, 1), local(2025, 1, 1)))
PERIODS = {"DAY": DAYS, "WEEK": WEEKS, "MONTH": MONTHS, "QUARTER": QUARTERS, "YEAR": YEARS}


def asked() -> str:
    """Every figure over every period that is whole."""
    parts = []
    for bucket, periods in PERIODS.items():
        for number, period in enumerate(periods):
            given = arguments(period, f"bucket: {bucket}", 'timezone: "Europe/Berlin"' if number % 2 else "")
            parts.append(f"r_{bucket}_{number}: revenue{given} {{ {POINT} }}")
    for number, period in enumerate(DAYS):
        by = ("REVENUE", "QUANTITY", "ORDERS")[number % 3]
        if number % 2:
            parts.append(f"p_{number}: topProducts{arguments(period, f'by: {by}')} {{ {PRODUCT} }}")
        else:
            parts.append(f"c_{number}: categories{arguments(period)} {{ {CATEGORY} }}")
    for number, period in enumerate(MONTHS[:3]):
        parts.append(f"t_{number}: retention{arguments(period, 'months: 24')} {{ {COHORT} }}")
    return " ".join(parts)


def arguments(period: tuple[datetime | None, datetime | None], *others: str) -> str:
    ends = [f'{name}: "{printed(end)}"' for name, end in zip(("from", "to"), period, strict=True) if end]
    found = ", ".join(each for each in (*others, *ends) if each)
    return f"({found})" if found else ""


ASKED = asked()


async def opened(sales: SalesShop, seed: int, customers: int = 12, orders: int = 60) -> KeptShop:
    """A shop of which everything is kept."""
    await sales.fill(0, customers=0)
    await sales.connection.execute("TRUNCATE outbox, analytics_changes, exchange_rates")
    shop = KeptShop(sales.connection, seed)
    await shop.open(customers, orders)
    await sales.connection.execute("UPDATE products SET category = CASE sku WHEN 'P0' THEN 'A' WHEN 'P1' THEN '' END")
    await shop.tell()
    await sales.count_anew(datetime(2025, 3, 1, tzinfo=UTC))
    return shop


async def both_ways(sales: SalesShop, fields: str, who: str = "admin") -> tuple[Any, Any]:
    """The answer from what is kept, and that from the orders."""
    rolled = await sales.post(fields, who)
    await sales.connection.execute("UPDATE analytics_state SET built = false")
    raw = await sales.post(fields, who)
    await sales.connection.execute("UPDATE analytics_state SET built = true")
    for each in (rolled, raw):
        assert "errors" not in each, each["errors"]
    return (*((each["data"], notes(each)) for each in (rolled, raw)),)  # type: ignore[return-value]


def notes(answer: Any) -> Any:
    return sorted(
        ((note["path"], note["orders"], sorted(note["currencies"])) for note in answer["extensions"].get("notes", ())),
    )


@pytest.mark.parametrize("seed", range(4))
async def test_both_ways_come_to_the_same_whatever_happens(sales: SalesShop, seed: int) -> None:
    shop = await opened(sales, seed)
    now = START + timedelta(days=90 * seed)
    for _ in range(3):
        rolled, raw = await both_ways(sales, ASKED)
        assert rolled == raw
        for _ in range(6):
            await shop.change()
        await shop.tell()
        now += timedelta(days=shop.chance.choice((0, 1, 9, 40)))
        await followed(sales.connection, SHOP, outbox_hours=AGES, now=now)


ODDS = (
    (None, None),
    (local(2024, 2, 1) + timedelta(hours=5), local(2024, 10, 27) + timedelta(hours=2)),
    (None, local(2024, 6, 1) + timedelta(microseconds=1)),
)
"""Periods that cut days."""


def asked_otherwise(number: int) -> str:
    """Figures over periods and in zones of which nothing is kept but the facts of orders."""
    period, by = ODDS[number % 3], ("REVENUE", "QUANTITY", "ORDERS")[number % 3]
    bucket, zone = (("WEEK", "Asia/Kathmandu"), ("MONTH", "America/St_Johns"), ("DAY", ZONE))[number % 3]
    points = arguments(period, f"bucket: {bucket}", f'timezone: "{zone}"')
    parts = (
        f"revenue{points} {{ {POINT} }}",
        f"n: revenue{arguments(period)} {{ orders }}",
        f"topProducts{arguments(period, f'by: {by}')} {{ {PRODUCT} }}",
        f"q: topProducts{arguments(period, 'by: QUANTITY')} {{ product {{ id }} quantity }}",
        f"categories{arguments(period)} {{ {CATEGORY} }}",
        f"retention{arguments(period, 'months: 24')} {{ {COHORT} }}",
    )
    return " ".join(parts)


@pytest.mark.parametrize("seed", range(4))
async def test_facts_and_orders_come_to_the_same_for_everybody(sales: SalesShop, seed: int) -> None:
    shop = await opened(sales, seed, customers=20, orders=90)
    owners = [sales.users[who] for who in ("seller", "seller_2", "narrow", "blind", "stranger")]
    share_out = "UPDATE customers SET owner_id = ($1::uuid[])[1 + abs(hashtext(id::text)) % 6]"
    await sales.connection.execute(share_out, owners)
    for _ in range(2):
        for place, who in enumerate(WHO):
            kept, raw = await both_ways(sales, asked_otherwise(place // 2 + seed), who)
            assert kept == raw, who
        for _ in range(6):
            await shop.change()
        await shop.tell()
        await followed(sales.connection, SHOP, outbox_hours=AGES, now=START + timedelta(days=200))


@pytest.mark.parametrize("seed", range(2))
async def test_customers_one_by_one_and_all_facts_come_to_the_same(sales: SalesShop, seed: int) -> None:
    """By the number of buyers, the statement takes the customers in sight for few, or for many."""
    await opened(sales, seed, customers=20, orders=90)
    owners = [sales.users[who] for who in ("seller", "seller_2", "narrow", "blind", "short")]
    share_out = "UPDATE customers SET owner_id = ($1::uuid[])[1 + abs(hashtext(id::text)) % 6]"
    await sales.connection.execute(share_out, owners)
    for place, who in enumerate((*WHO, "short")):
        answers = []
        for buyers in (1_000_000, 0):
            await sales.connection.execute("UPDATE analytics_state SET ranked = $1", buyers)
            answers += await both_ways(sales, asked_otherwise(place // 2 + seed), who)
        assert all(each == answers[0] for each in answers), who


@pytest.mark.parametrize("seed", range(3))
async def test_totals_of_customers_are_right_at_any_moment(sales: SalesShop, seed: int) -> None:
    shop = await opened(sales, seed)
    for number in range(8):
        await shop.change()
        if number % 3 == 2:
            await shop.tell()
            await followed(sales.connection, SHOP, outbox_hours=AGES, now=START + timedelta(days=40 * number))
        await add_up(sales.connection, most=3)
        one = await sales.ask(GROUPS.format(""))
        assert one == await sales.ask(GROUPS.format(ALIVE))
        people = await sales.connection.fetchval("SELECT count(*) FROM customers WHERE deleted_at IS NULL")
        assert sum(each["customers"] for each in one["rfm"]) == people


@pytest.mark.parametrize("seed", range(3))
async def test_segments_and_states_are_what_plain_python_makes_of_the_same_rows(sales: SalesShop, seed: int) -> None:
    await sales.fill(seed)
    for as_of in (datetime(2024, 3, 1, tzinfo=UTC), datetime(2025, 6, 20, tzinfo=UTC)):
        await sales.count_anew(as_of)
        facts = await read_facts(sales.url)
        metrics = metrics_of(facts, as_of)
        fields = "rfm { segment customers revenue { amount currency } share }"
        states = "churn { state customers revenue { amount currency } }"
        for who in ("admin", "manager", "seller", "narrow"):
            plain = Figures(facts, sales.users[who])
            found = await sales.ask(f"{fields} {states}", who)
            assert found == {"rfm": plain.rfm(metrics), "churn": plain.churn(metrics)}, who


# Which way is gone


async def spoil(sales: SalesShop) -> None:
    """Write nonsense into what is kept, so that it shows where it is used."""
    for table, column in (
        ("sales_buckets", "orders"),
        ("product_buckets", "quantity"),
        ("cohort_buckets", "customers"),
    ):
        await sales.connection.execute(f"UPDATE {table} SET {column} = {column} + 1000000")


async def uses_kept(sales: SalesShop, field: str, who: str = "admin") -> bool:
    return re.search(r"\b\d{7,}\b", str(await sales.ask(field, who))) is not None


def at(start: datetime, end: datetime) -> str:
    return f'from: "{printed(start)}", to: "{printed(end)}"'


WHOLE = at(local(2024, 3, 1), local(2024, 5, 1))
ODD = at(local(2024, 3, 1) + timedelta(microseconds=1), local(2024, 5, 1))
UTC_MONTHS = at(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        ("revenue { orders }", True),
        (f"revenue({WHOLE}) {{ orders }}", True),
        (f'revenue({WHOLE}, timezone: "Europe/Berlin") {{ orders }}', True),
        (f"revenue({ODD}) {{ orders }}", False),
        (f"revenue({UTC_MONTHS}) {{ orders }}", False),
        (f'revenue({WHOLE}, timezone: "Europe/Paris") {{ orders }}', False),
        ('revenue(timezone: "UTC") { orders }', False),
        (f"revenue({WHOLE}, bucket: YEAR) {{ orders }}", False),
        ("revenue(where: {status: {ne: PENDING_PAYMENT}}) { orders }", False),
        ("topProducts { quantity }", True),
        (f"topProducts({WHOLE}) {{ quantity }}", True),
        (f"topProducts({ODD}) {{ quantity }}", False),
        ("categories { quantity }", True),
        (f"categories({UTC_MONTHS}) {{ quantity }}", False),
        ("retention { size }", True),
        (f"retention({WHOLE}) {{ size }}", True),
        (f"retention({at(local(2024, 3, 2), local(2024, 5, 1))}) {{ size }}", False),
    ],
)
async def test_what_is_kept_is_used_where_the_question_allows(sales: SalesShop, field: str, kept: bool) -> None:
    await opened(sales, 1)
    await spoil(sales)
    assert await uses_kept(sales, field) == kept


async def test_who_does_not_see_all_is_never_answered_from_what_is_kept_of_all(sales: SalesShop) -> None:
    await opened(sales, 2)
    await sales.connection.execute("UPDATE customers SET owner_id = $1", sales.users["seller"])
    await spoil(sales)
    for field in ("revenue { orders }", "topProducts { quantity }", "categories { quantity }", "retention { size }"):
        for who in ("manager", "seller", "narrow"):
            assert not await uses_kept(sales, field, who), (field, who)
        assert await uses_kept(sales, field, "analyst"), field


async def test_facts_are_used_where_no_filter_is_given(sales: SalesShop) -> None:
    await opened(sales, 2)
    await sales.connection.execute("UPDATE customers SET owner_id = $1", sales.users["seller"])
    await sales.connection.execute("DELETE FROM order_facts")
    for who in ("admin", "seller"):
        for field in (
            "revenue({}, bucket: YEAR) {{ orders }}",
            "topProducts({}) {{ quantity }}",
            "retention({}) {{ size }}",
        ):
            assert not re.search(r": [1-9]", str(await sales.ask(field.format(ODD), who))), field
        found = await sales.ask("revenue(bucket: YEAR, where: {status: {ne: PENDING_PAYMENT}}) { orders }", who)
        assert found["revenue"][0]["orders"] > 0


async def test_lines_come_from_facts_only_where_all_of_them_may_be_read(sales: SalesShop) -> None:
    await opened(sales, 2)
    await sales.connection.execute("UPDATE order_facts SET products = NULL, quantities = NULL, totals = NULL")
    for who, nothing in (("admin", True), ("seller", True), ("narrow", True), ("blind", True), ("short", False)):
        await sales.connection.execute("UPDATE customers SET owner_id = $1", sales.users[who])
        found = await sales.ask(f"topProducts({ODD}) {{ quantity }} categories({ODD}) {{ quantity }}", who)
        assert (not re.search(r": [1-9]", str(found))) == nothing, who


async def test_what_is_kept_for_another_shop_is_not_used(sales: SalesShop) -> None:
    await opened(sales, 3)
    await spoil(sales)
    for change, back in (("currency = 'USD'", "currency = 'EUR'"), ("timezone = 'UTC'", f"timezone = '{ZONE}'")):
        await sales.connection.execute(f"UPDATE analytics_state SET {change}")
        for field in ("revenue { orders }", "topProducts { quantity }", "retention { size }"):
            assert not await uses_kept(sales, field)
        await sales.connection.execute(f"UPDATE analytics_state SET {back}")


async def test_both_ways_are_one_statement_and_one_plan(sales: SalesShop) -> None:
    """Otherwise a figure would be asked for twice, of two moments, or compiled anew for each period of a chart."""
    await opened(sales, 0)
    server = sales.api.server
    whole, odd = (local(2024, 3, 1), local(2024, 5, 1)), (local(2024, 3, 1), local(2024, 5, 1) + timedelta(hours=1))
    for field in (
        "revenue({}) {{ orders revenue {{ amount }} }}",
        "categories({}) {{ share }}",
        "retention({}) {{ size }}",
    ):
        fields = field.format("from: $from, to: $to")
        made = None
        for start, end in (whole, odd, whole):
            before = server.reader.statements
            await sales.ask(fields, **{"from": printed(start), "to": printed(end)})
            assert server.reader.statements == before + 1
            assert made in (None, server.planner.made)
            made = server.planner.made


# Moves


async def test_moves_are_between_two_snapshots(sales: SalesShop) -> None:
    await sales.fill(3)
    customers = await sales.connection.fetch("SELECT id, owner_id FROM customers WHERE deleted_at IS NULL ORDER BY id")
    moves = [("LOYAL", "LOYAL"), ("LOYAL", "AT_RISK"), (None, "NEW"), ("DORMANT", None), ("CHAMPIONS", "AT_RISK")]
    expected: dict[str, dict[tuple[str, str], int]] = {who: {} for who in ("admin", "seller", "narrow")}
    for month in ("2024-01-01", "2024-06-01"):
        await sales.connection.execute(
            "INSERT INTO segment_snapshot_months (month, taken_at) VALUES ($1, now()) ON CONFLICT DO NOTHING",
            begin("MONTH", datetime.fromisoformat(month).date()),
        )
    for number, (customer, owner) in enumerate(customers):
        move = moves[number % 6] if number % 6 < 5 else (None, None)
        for month, segment in zip(("2024-01-01", "2024-06-01"), move, strict=True):
            if segment:
                await sales.connection.execute(
                    "INSERT INTO segment_snapshots (month, customer_id, segment, churn_state, revenue)"
                    " VALUES ($1, $2, $3, 'ACTIVE', 0)",
                    *(datetime.fromisoformat(month).date(), customer, segment),
                )
        told = (move[0] or "PROSPECTS", move[1] or "PROSPECTS")
        hidden = ("PROSPECTS", "PROSPECTS")
        for who in expected:
            if who == "seller" and owner != sales.users["seller"]:
                continue
            one = told if who != "narrow" or owner == sales.users["narrow"] else hidden
            expected[who][one] = expected[who].get(one, 0) + 1
    order = {name: place for place, name in enumerate(SEGMENTS)}
    for who, counts in expected.items():
        found = await sales.ask(
            "segmentMoves(from: $month, to: $later) { from to customers }",
            who,
            month="2024-01-17",
            later="2024-06-30",
        )
        assert found["segmentMoves"] == [
            {"from": before, "to": after, "customers": count}
            for (before, after), count in sorted(counts.items(), key=lambda each: [order[name] for name in each[0]])
        ], who


async def test_a_month_without_a_snapshot_is_refused_and_told_which_there_are(sales: SalesShop) -> None:
    await sales.connection.execute("TRUNCATE segment_snapshot_months CASCADE")
    fields = "segmentMoves(from: $month, to: $later) { customers }"
    answer = await sales.post(fields, month="2024-01-01", later="2024-02-01")
    assert answer["errors"][0]["message"] == "There is no snapshot of the segments of 2024-01; there is none yet."
    for month in ("2024-03-01", "2024-01-01"):
        await sales.connection.execute(
            "INSERT INTO segment_snapshot_months (month, taken_at) VALUES ($1, now())",
            datetime.fromisoformat(month).date(),
        )
    for month, later, argument, missing in (
        ("2024-01-31", "2024-02-01", "to", "2024-02"),
        ("2023-12-31", "2024-01-01", "from", "2023-12"),
    ):
        answer = await sales.post(fields, month=month, later=later)
        assert answer["data"] is None
        assert answer["errors"][0]["message"] == (
            f"There is no snapshot of the segments of {missing}; there are those of 2024-01, 2024-03."
        )
        assert answer["errors"][0]["extensions"]["argument"] == argument
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    answer = await sales.post(fields, month="2024-03-01", later="2024-03-31")
    assert answer["errors"][0]["message"].endswith("from must be of an earlier month than to.")
