"""Loading demo data into an empty database, in one transaction."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from app.demo.bulk import put_back, set_aside
from app.demo.buyers import plan_buyers
from app.demo.catalogue import make_products, make_stages
from app.demo.cells import CLOSING, OPENING
from app.demo.chance import Calendar, at
from app.demo.customers import make_contacts, make_customers
from app.demo.people import DEMO_ACCOUNTS, make_people
from app.demo.pipeline import make_opportunities
from app.demo.rates import exchange_rates
from app.demo.rows import Batch, Frame
from app.demo.sales import make_orders, plan_orders
from app.demo.support import make_tickets
from app.domain.rows import columns, loaded
from app.domain.sla_policy import Clock, clock_of
from app.domain.work import Shop
from app.mistakes import UserMistakeError
from app.models import SlaPolicy
from app.models.base import utcnow

__all__ = ["AS_OF", "DEMO_ACCOUNTS", "DemoRefusedError", "DemoReport", "load_demo"]

AS_OF = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
"""The moment up to which demo data goes, unless another one is given."""

SEED = 20_261_120

_PIECE = 500

Progress = Callable[[str, int, int], None]

_FILLED = (
    *("customers", "contacts", "opportunities", "stage_changes", "orders", "order_lines", "order_status_changes"),
    *("tickets", "ticket_comments", "products", "stages", "external_refs"),
)
_EMPTY = (*_FILLED, "teams", "exchange_rates")
_SEQUENCES = {"customer_codes": "customers", "order_numbers": "orders", "ticket_numbers": "tickets"}


class DemoRefusedError(UserMistakeError):
    """The database is not one to load demo data into; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """How many rows each table has got, and how long it took."""

    counts: Mapping[str, int]
    seconds: float


async def load_demo(
    url: str,
    customers: int,
    *,
    password_hash: str,
    progress: Progress | None = None,
    as_of: datetime = AS_OF,
    seed: int = SEED,
    shop_currency: str = "EUR",
    shop_timezone: str = "Europe/Berlin",
) -> DemoReport:
    """Fill the migrated database of ``url`` with a shop of so many customers, the same for the same arguments.

    ``password_hash`` becomes that of the accounts in ``DEMO_ACCOUNTS``; the other users cannot sign in. ``progress``
    is told what is being filled, how much of it is done, and about how much it will be; it comes last with the names
    ``"indexes"`` and ``"analytics"``. Tickets are due as the database's policy says, in ``shop_timezone`` unless that
    names another. Raises DemoRefusedError where the database holds business already; then nothing has changed.
    """
    started = time.perf_counter()
    tell = progress or (lambda _name, _done, _total: None)
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            roles = await _check(connection)
            await connection.execute("SET LOCAL rapport.order_subtotals = 'checked at the end'")
            definitions = await set_aside(connection, _FILLED)
            frame = Frame(seed, Calendar(as_of), await _clock(connection, shop_timezone))
            counts = await _copy_all(connection, make_shop(frame, customers, roles, password_hash), tell)
            first, last = at(frame.calendar.start).date(), as_of.date()
            rates = list(exchange_rates(first - timedelta(days=1), last, shop_currency))
            await connection.copy_records_to_table("exchange_rates", records=rates)
            counts["exchange_rates"] = len(rates)
            for sequence, table in _SEQUENCES.items():
                await connection.execute("SELECT setval($1, greatest($2, 1))", sequence, counts.get(table, 0))
            async for built in put_back(connection, definitions):
                tell("indexes", built, len(definitions))
            await connection.execute("SELECT check_order_subtotals()")
            await connection.execute("SELECT set_references_of_deleted()")
        tell("analytics", 0, 1)
        async with turn(connection):
            await refresh(connection, ShopFacts(shop_currency, shop_timezone), utcnow())
        tell("analytics", 1, 1)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
    return DemoReport(dict(counts), time.perf_counter() - started)


def make_shop(frame: Frame, customers: int, roles: Mapping[str, UUID], password_hash: str) -> Iterator[Batch]:
    """All rows of the shop, each after those that it refers to."""
    staff, batches = make_people(frame, customers, roles, password_hash)
    yield from batches
    steps, batches = make_stages(frame)
    yield from batches
    wares, batches = make_products(frame, customers)
    yield from batches
    buyers = plan_buyers(frame, customers, staff)
    planned = plan_orders(frame, buyers)
    yield from make_customers(frame, buyers)
    yield from make_contacts(frame, buyers)
    yield from make_opportunities(frame, buyers, steps, wares, staff)
    yield from make_orders(frame, buyers, planned, wares, staff)
    yield from make_tickets(frame, buyers, staff)


async def _clock(connection: asyncpg.Connection, zone: str) -> Clock:
    """What the shop's policy promises for tickets."""
    names = ", ".join(columns(SlaPolicy))
    policy = loaded(SlaPolicy, tuple(await connection.fetchrow(f"SELECT {names} FROM sla_policies")))  # noqa: S608
    return clock_of(policy, Shop(currency="EUR", timezone=zone))


async def _check(connection: asyncpg.Connection) -> dict[str, UUID]:
    """The ids of the built-in roles by name, of a database that may be filled."""
    # Two loads at once take turns, and the second one finds the rows of the first.
    await connection.execute("LOCK TABLE customers IN SHARE ROW EXCLUSIVE MODE")
    for table in _EMPTY:
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):  # noqa: S608  # The names are ours.
            raise DemoRefusedError(
                f"The database already has {table.replace('_', ' ')}: demo data goes only into an empty one. "
                "Name another one in DATABASE_URL, or another folder in RAPPORT_DATA_DIR."
            )
    taken = await connection.fetchval("SELECT min(email) FROM users WHERE lower(email) LIKE '%@rapport.example'")
    if taken:
        raise DemoRefusedError(f"The database already has the user {taken}, whose address demo data would take.")
    roles = {row["name"]: row["id"] for row in await connection.fetch("SELECT id, name FROM roles WHERE built_in")}
    if missing := sorted({role for _, role, _ in DEMO_ACCOUNTS} - roles.keys()):
        raise DemoRefusedError(f"The database has no role {missing[0]}: run the migrations first.")
    return roles


async def _pieces(rows: list[bytes]) -> AsyncIterator[bytes]:
    yield OPENING
    for start in range(0, len(rows), _PIECE):
        yield b"".join(rows[start : start + _PIECE])
    yield CLOSING


async def _copy_all(connection: asyncpg.Connection, batches: Iterator[Batch], tell: Progress) -> Counter[str]:
    """Copy every batch while a thread makes the next one: PostgreSQL and Python each have a core."""
    done: Counter[str] = Counter()
    following = asyncio.ensure_future(asyncio.to_thread(next, batches, None))
    try:
        while (batch := await following) is not None:
            following = asyncio.ensure_future(asyncio.to_thread(next, batches, None))
            await connection.copy_to_table(
                batch.table, source=_pieces(batch.rows), columns=batch.columns, format="binary"
            )
            done[batch.table] += len(batch.rows)
            tell(batch.table, done[batch.table], max(batch.expected, done[batch.table]))
    finally:
        # A thread cannot be stopped; waiting for it keeps it from outliving the call.
        await asyncio.wait([following])
    return done
