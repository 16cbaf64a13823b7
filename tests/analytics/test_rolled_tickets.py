"""What is kept of all tickets gives the same figures as the tickets themselves, and is used where that is so."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from app.models.base import utcnow
from tests.analytics.following import followed
from tests.analytics.kept_tickets import TicketShop
from tests.analytics.sales_shop import SHOP, ZONE, SalesShop, printed
from tests.analytics.test_pipeline_figures import SERVING, Shop, opened
from tests.analytics.test_rolled import DAYS, ODDS, arguments, at, local

pytestmark = pytest.mark.anyio

AGES = 1_000_000
PARTS = (
    *("opened { start count }", "resolved { start count }", "backlog", "medianFirstResponseMinutes"),
    *("p90FirstResponseMinutes", "medianResolutionMinutes", "firstResponseSlaMet", "resolutionSlaMet"),
    *("averageSatisfaction", "satisfaction", "byChannel { label count }", "byKind { label count }"),
    "byPriority { label count }",
)
ALL = " ".join(PARTS)
BUCKETS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def asked(number: int) -> str:
    """A few figures, others for another number."""
    today = datetime.now(ZoneInfo(ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    periods = (*DAYS, (today, today + timedelta(days=1)), (None, today), (today - timedelta(days=3), None))
    parts = []
    for place in range(number % 5, len(periods), 5):
        bucket = BUCKETS[(place + number) % 5]
        parts.append(f"f_{place}: tickets{arguments(periods[place], f'bucket: {bucket}')} {{ {ALL} }}")
    single = PARTS[number % len(PARTS)]
    return f"{' '.join(parts)} one: tickets {{ {single} }}"


async def open_tickets(sales: SalesShop, seed: int, tickets: int = 60) -> TicketShop:
    """A shop of whose tickets all is kept."""
    await sales.fill(0, customers=0)
    await sales.connection.execute("TRUNCATE outbox, analytics_changes, exchange_rates")
    shop = TicketShop(sales.connection, seed)
    await shop.open_tickets(9, tickets)
    await shop.tell()
    await sales.count_anew(datetime(2025, 3, 1, tzinfo=UTC))
    return shop


async def both_ways(sales: SalesShop, fields: str) -> tuple[str, str]:
    """The answer from what is kept, and that from the tickets, as they are printed."""
    found = []
    for built in (True, False):
        await sales.connection.execute("UPDATE analytics_state SET built = $1", built)
        found.append(json.dumps(await sales.ask(fields)))
    await sales.connection.execute("UPDATE analytics_state SET built = true")
    return found[0], found[1]


@pytest.mark.parametrize("seed", range(10))
async def test_both_ways_come_to_the_same_whatever_happens(sales: SalesShop, seed: int) -> None:
    shop = await open_tickets(sales, seed, tickets=(60, 0, 1, 2, 25)[seed % 5])
    for number in range(2):
        rolled, raw = await both_ways(sales, asked(number + seed))
        assert rolled == raw
        for _ in range(6):
            await shop.happen() if shop.tickets else await shop.add_ticket()
        await shop.tell()
        await followed(sales.connection, SHOP, outbox_hours=AGES, now=datetime(2025, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize("seed", range(5))
async def test_percentiles_are_the_same_to_the_last_bit(sales: SalesShop, seed: int) -> None:
    """Of so many tickets, with times of all lengths, that places lie between two, in one step and in two."""
    shop = await open_tickets(sales, seed, tickets=0)
    chance = shop.chance
    lengths = [
        timedelta(minutes=2 ** chance.uniform(-6, 22)),
        *(timedelta(minutes=minutes) for minutes in (-1, 0, 1, 1.19, 2, 4, 1440)),
        *(timedelta(seconds=chance.choice((3, 61)), microseconds=chance.randrange(10**6)) for _ in range(20)),
    ]
    for _ in range(chance.choice((9, 10, 11, 80))):
        created = shop.near()
        first, last = chance.choice(lengths), chance.choice(lengths)
        settled = {"status": "CLOSED", "resolved_at": created + last} if chance.random() < 0.8 else {}
        await shop.add_ticket(created_at=created, first_responded_at=created + first, **settled)
    await sales.count_anew(datetime(2025, 3, 1, tzinfo=UTC))
    asked = " ".join(PARTS[3:6])
    fields = " ".join(f"f_{n}: tickets{arguments(period)} {{ {asked} }}" for n, period in enumerate(DAYS))
    rolled, raw = await both_ways(sales, fields)
    assert rolled == raw


# Which way is gone


NONSENSE = 7_654_321


async def spoil(connection: asyncpg.Connection) -> None:
    """Write nonsense into what is kept, so that it shows where it is used."""
    await connection.execute("UPDATE ticket_buckets SET tickets = tickets + 1000000 WHERE what NOT LIKE '%ED_IN'")
    await connection.execute(
        "UPDATE ticket_facts SET response_minutes = $1, resolution_minutes = $1, settled_on = NULL", float(NONSENSE)
    )
    # Tickets that are none are late and unsettled.
    await connection.execute(
        """
        INSERT INTO ticket_facts (ticket_id, created_at, day, channel, kind, priority)
        SELECT gen_random_uuid(), '2024-03-05', '2024-03-05', 'WEB', 'OTHER', 'LOW' FROM generate_series(1, 5000)
        """
    )


def shows(answer: Any, name: str = "") -> bool:
    """Whether there is nonsense in the answer."""
    match answer:
        case dict():
            return any(shows(value, key) for key, value in answer.items())
        case list():
            return any(shows(value, name) for value in answer)
        case int() | float():
            return answer == NONSENSE if name.endswith("Minutes") else answer >= 5000
    return False


WHOLE = at(local(2024, 3, 1), local(2024, 5, 1))
FIVE = at(local(2024, 3, 5), local(2024, 3, 31))
ODD = at(local(2024, 3, 1) + timedelta(microseconds=1), local(2024, 5, 1))
UTC_DAYS = at(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC))
SHOWING = [part for part in PARTS if not part.endswith("SlaMet") and part != "averageSatisfaction"]
"""What shows nonsense in a number: shares do not."""


@pytest.fixture
async def spoiled(sales: SalesShop) -> SalesShop:
    """A shop with nonsense in what is kept."""
    await open_tickets(sales, 1)
    await spoil(sales.connection)
    return sales


async def test_all_parts_are_read_from_what_is_kept(spoiled: SalesShop) -> None:
    for part in SHOWING:
        assert shows(await spoiled.ask(f"tickets {{ {part} }}")), part
        assert not shows(await spoiled.ask(f"tickets({ODD}) {{ {part} }}")), part


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (f"({WHOLE})", True),
        (f"({FIVE}, bucket: WEEK)", True),
        (f"({FIVE}, bucket: YEAR)", True),
        (f"({ODD})", False),
        (f"({UTC_DAYS}, bucket: DAY)", False),
    ],
)
async def test_what_is_kept_is_used_where_the_period_is_of_whole_days(
    spoiled: SalesShop, given: str, kept: bool
) -> None:
    assert shows(await spoiled.ask(f"tickets{given} {{ opened {{ count }} byChannel {{ count }} backlog }}")) == kept


async def test_what_is_kept_for_another_shop_is_not_used(spoiled: SalesShop) -> None:
    for change, back in (("currency = 'USD'", "currency = 'EUR'"), ("timezone = 'UTC'", f"timezone = '{ZONE}'")):
        await spoiled.connection.execute(f"UPDATE analytics_state SET {change}")
        assert not shows(await spoiled.ask(f"tickets {{ {ALL} }}"))
        await spoiled.connection.execute(f"UPDATE analytics_state SET {back}")


async def test_both_ways_are_one_statement_and_one_plan(sales: SalesShop) -> None:
    await open_tickets(sales, 0)
    server, made = sales.api.server, None
    odd = local(2024, 5, 1) + timedelta(hours=1)
    for end in (local(2024, 5, 1), odd, local(2024, 6, 1)):
        before = server.reader.statements
        ends: dict[str, Any] = {"from": printed(local(2024, 3, 1)), "to": printed(end)}
        await sales.ask(f"tickets(from: $from, to: $to) {{ {ALL} }}", **ends)
        assert server.reader.statements == before + 1
        assert made in (None, server.planner.made)
        made = server.planner.made


async def test_odd_periods_are_answered_from_the_tickets(sales: SalesShop) -> None:
    await open_tickets(sales, 2)
    fields = " ".join(f"f_{n}: tickets{arguments(period)} {{ {ALL} }}" for n, period in enumerate(ODDS))
    rolled, raw = await both_ways(sales, fields)
    assert rolled == raw
    await spoil(sales.connection)
    assert not shows(await sales.ask(f"tickets{arguments(ODDS[1])} {{ {ALL} }}"))


# Rights

BLINDED = """
    UPDATE grants SET rows = 'ALL' WHERE entity = 'Ticket' AND action = 'analyse'
        AND role_id = (SELECT id FROM roles WHERE name = 'VEILED');
    UPDATE field_grants SET on_rows = 'OWN', otherwise = 'HIDDEN' WHERE field IN ('satisfaction', 'firstRespondedAt')
        AND grant_id = (SELECT id FROM grants WHERE entity = 'Ticket' AND action = 'read'
            AND role_id = (SELECT id FROM roles WHERE name = 'VEILED'))
"""
"""The veiled ones see all tickets; but how content customers are, and when they were answered, only on their own."""


@pytest.fixture(scope="module")
async def shop(server: Any, migrated: str) -> AsyncIterator[Shop]:
    async with opened(server, migrated, ZONE, change=BLINDED) as found:
        connection = await asyncpg.connect(found.url)
        async with turn(connection):
            await refresh(connection, SHOP, utcnow())
        await spoil(connection)
        await connection.close()
        yield found


@pytest.mark.parametrize("who", SERVING)
async def test_who_does_not_see_all_is_never_answered_from_what_is_kept_of_all(shop: Shop, who: str) -> None:
    for part in SHOWING:
        found, _ = await shop.ask(who, f"{{ analytics {{ tickets {{ {part} }} }} }}")
        veiled = who == "veiled" and not re.search("(?i)satisfaction|response", part)
        assert shows(found) == (veiled or who in ("admin", "analyst", "support")), part
