"""The follower: what changed since is counted, and nothing else.

Of whatever changed, what had been counted is taken away and what is there now is added, in one transaction that sees
one state of the shop. In a second one the metrics of customers follow from the facts of their orders.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import deals, sales, tickets
from app.analytics.keeping.measuring import measure
from app.analytics.keeping.refresh import Told, reached, refresh
from app.analytics.keeping.since import ANYTHING, CUSTOMER_ACTIONS
from app.analytics.keeping.state import State, read_state, turn, write_followed
from app.models.base import utcnow

PACE = 2.0
"""Seconds between two looks for changes."""

REST = timedelta(seconds=60)
"""Where nothing happens, the metrics are brought forward this often."""

_MOST_RATES = 2_000
_WHOLE = """
    SELECT count(*) FILTER (
            WHERE num_nonnulls(customer_id, order_id, opportunity_id, ticket_id, currency) = 0
        ) AS everything,
        count(*) FILTER (WHERE currency IS NOT NULL) AS rates FROM analytics_changes
"""


@dataclass(frozen=True, slots=True)
class Followed:
    """What one look has come to: of how many customers the orders were counted anew, and how many opportunities and
    tickets; or whether everything was."""

    customers: int
    opportunities: int = 0
    tickets: int = 0
    everything: bool = False


async def follow(
    connection: asyncpg.Connection,
    shop: ShopFacts,
    *,
    outbox_hours: int,
    now: datetime | None = None,
    wait: bool = False,
    tell: Told = lambda _: None,
) -> Followed | None:
    """Bring what is kept up to date. None where there is nothing to do, or another process is at it.

    Everything is counted anew where nothing is kept yet, the shop has another currency or time zone, the outbox may
    have lost what happened since, or most of the shop has changed.
    """
    moment = utcnow() if now is None else now
    if not await _due(connection, await read_state(connection), shop, outbox_hours, moment):
        return None
    async with turn(connection, wait=wait) as mine:
        if not mine:
            return None
        state = await read_state(connection)
        present = moment = utcnow() if now is None else now
        standing = state.standing
        if standing is not None and (state.pinned or present < standing.as_of):
            moment = standing.as_of
        if not state.whole or standing is None or _lost(state, shop, outbox_hours, present):
            await refresh(connection, shop, moment, pinned=state.pinned, tell=tell)
            return Followed(0, everything=True)
        changed = await _count(connection, state, shop, present)
        if changed is None:
            await refresh(connection, shop, moment, pinned=state.pinned, tell=tell)
            return Followed(0, everything=True)
        await measure(connection, shop, standing, moment, pinned=state.pinned)
        return changed


async def _due(connection: asyncpg.Connection, state: State, shop: ShopFacts, outbox_hours: int, now: datetime) -> bool:
    if not state.whole or state.standing is None or _lost(state, shop, outbox_hours, now):
        return True
    if not state.pinned and now - state.standing.as_of >= REST:
        return True
    if state.followed_at is None or now - state.followed_at >= REST:
        return True
    place = state.position
    found = await connection.fetchval(ANYTHING, place.transaction_id, place.position, list(CUSTOMER_ACTIONS))
    return bool(found)


def _lost(state: State, shop: ShopFacts, outbox_hours: int, now: datetime) -> bool:
    """Whether what is kept is for another shop, or so old that events since may have been cleared away."""
    # An event is dated when its transaction begins, so one of an hour ago may come to light only now.
    kept = timedelta(hours=max(outbox_hours - 1, outbox_hours / 2))
    return not state.built or state.shop != shop or state.followed_at is None or now - state.followed_at > kept


async def _count(connection: asyncpg.Connection, state: State, shop: ShopFacts, now: datetime) -> Followed | None:
    """Facts and roll-ups of what changed. None: too much to go one by one."""
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute("SET LOCAL statement_timeout = 0")
        position = await reached(connection, state.position)
        queued = await connection.fetchrow(_WHOLE)
        if queued["everything"] or queued["rates"] > _MOST_RATES:
            return None
        customers = await sales.count_changed(connection, shop, state)
        if customers is None:
            return None
        opportunities = await deals.count_changed(connection, shop, state)
        if opportunities is None:
            return None
        served = await tickets.count_changed(connection, shop, state)
        if served is None:
            return None
        await connection.execute("DELETE FROM analytics_changes WHERE NOT counted")
        await write_followed(connection, shop, position, now)
    return Followed(customers, opportunities, served)
