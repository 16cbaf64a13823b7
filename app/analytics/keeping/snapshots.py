"""Snapshots: how the customers stood when a month began in the shop's time zone, so that months can be compared."""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from datetime import date, datetime
from zoneinfo import ZoneInfo

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping import metrics
from app.analytics.keeping.literals import literal
from app.analytics.keeping.refresh import measured, settle
from app.analytics.keeping.state import read_state, turn
from app.models.base import utcnow


class NotKeptError(Exception):
    """There is nothing to take a snapshot of: everything has to be counted first."""


def month_of(shop: ShopFacts, moment: datetime) -> date:
    """The month in which ``moment`` lies in the shop, as its first day."""
    return moment.astimezone(ZoneInfo(shop.timezone)).date().replace(day=1)


def beginning(shop: ShopFacts, month: date) -> datetime:
    """The moment at which ``month`` begins in the shop."""
    return datetime(month.year, month.month, 1, tzinfo=ZoneInfo(shop.timezone))


async def snapshot(connection: asyncpg.Connection, shop: ShopFacts, month: date) -> int:
    """Keep how the customers stood at the beginning of ``month``, as its orders are known today; a snapshot that there
    was gives way. Returns how many customers had bought until then. NotKeptError: nothing has been counted yet."""
    async with turn(connection):
        return await _take(connection, shop, month)


async def snapshot_due(connection: asyncpg.Connection, shop: ShopFacts) -> date | None:
    """Take the snapshot of the month that the metrics have come to, once; the month if it was taken now."""
    state = await read_state(connection)
    if not state.whole or state.pinned or state.standing is None or state.shop != shop:
        return None
    month = month_of(shop, state.standing.as_of)
    there = "SELECT EXISTS (SELECT FROM segment_snapshot_months WHERE month = $1)"
    if await connection.fetchval(there, month):
        return None
    async with turn(connection, wait=False) as mine:
        if not mine:
            return None
        await _take(connection, shop, month)
    return month


async def _take(connection: asyncpg.Connection, shop: ShopFacts, month: date) -> int:
    state = await read_state(connection)
    if not state.built or state.shop != shop:
        raise NotKeptError
    async with connection.transaction():
        await settle(connection)
        standing = await measured(connection, shop, beginning(shop, month))
        judged = metrics.judged("m", standing)
        await connection.execute("DELETE FROM segment_snapshots WHERE month = $1", month)
        await connection.execute(
            "INSERT INTO segment_snapshot_months (month, taken_at) VALUES ($1, $2)"
            " ON CONFLICT (month) DO UPDATE SET taken_at = excluded.taken_at",
            month,
            utcnow(),
        )
        await connection.execute(
            "INSERT INTO segment_snapshots (month, customer_id, segment, churn_state, revenue)"
            f" SELECT {literal(month)}, m.customer_id, {judged['segment']}, {judged['churn_state']}, m.revenue"
            " FROM kept_metrics m ORDER BY m.customer_id"
        )
        await connection.execute("DROP TABLE kept_metrics")
    return standing.ranked
