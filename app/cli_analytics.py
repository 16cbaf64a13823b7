"""The commands of the analytics: refresh, snapshot, state."""

import time
from datetime import date
from typing import Annotated

import asyncpg
import typer

from app.analytics.building import ShopFacts
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.snapshots import NotKeptError, month_of, snapshot
from app.analytics.keeping.state import read_state, turn
from app.commands import console, moment, with_connection
from app.mistakes import UserMistakeError
from app.models.base import utcnow
from app.settings import get_settings

analytics_app = typer.Typer(no_args_is_help=True, help="What is kept for the figures: metrics, roll-ups, snapshots.")


def _shop() -> ShopFacts:
    settings = get_settings()
    return ShopFacts(settings.shop_currency, settings.shop_timezone)


@analytics_app.command(name="refresh")
def analytics_refresh(
    as_of: Annotated[
        str | None,
        typer.Option(
            help="A day or moment of ISO 8601: the metrics of customers are as of then, until the next refresh without."
        ),
    ] = None,
) -> None:
    """Count everything anew: the metrics of customers and the roll-ups."""
    asked, begun = moment(as_of), time.perf_counter()

    async def run(connection: asyncpg.Connection) -> int:
        async with turn(connection):
            wanted = utcnow() if asked is None else asked
            standing = await refresh(connection, _shop(), wanted, pinned=asked is not None, tell=_say)
        return standing.ranked

    customers = with_connection(run)
    console.print(
        f"Counted everything: {customers:,} customers have bought. It took {time.perf_counter() - begun:.1f} s.",
        highlight=False,
    )


def _say(what: str) -> None:
    console.print(f"Counting {what} …", highlight=False)


@analytics_app.command(name="snapshot")
def analytics_snapshot(
    month: Annotated[str | None, typer.Option(help="The month, as 2026-11; without it, the present one.")] = None,
) -> None:
    """Keep how the customers stood when a month began, in place of an earlier snapshot of it."""
    shop = _shop()
    present = month_of(shop, utcnow())
    wanted = present if month is None else _month(month)
    if wanted > present:
        raise UserMistakeError(f"{wanted:%Y-%m} has not begun: choose {present:%Y-%m} or an earlier month.")

    async def run(connection: asyncpg.Connection) -> int:
        return await snapshot(connection, shop, wanted)

    try:
        customers = with_connection(run)
    except NotKeptError:
        raise UserMistakeError("Nothing has been counted for this shop yet: run rapport analytics refresh.") from None
    console.print(f"Kept {customers:,} customers as they stood at the beginning of {wanted:%Y-%m}.", highlight=False)


def _month(said: str) -> date:
    try:
        return date.fromisoformat(f"{said}-01")
    except ValueError:
        raise UserMistakeError(f"{said!r} is not a month, such as 2026-11.") from None


@analytics_app.command(name="state")
def analytics_state() -> None:
    """Print as of when the metrics are, and what remains to be done."""

    async def run(connection: asyncpg.Connection) -> list[str]:
        state = await read_state(connection)
        if not state.built or state.shop is None:
            return ["Nothing has been counted yet."]
        lines = [f"Counted for {state.shop.currency} in {state.shop.timezone}."]
        if state.shop != _shop():
            lines.append("The settings say another currency or time zone: everything is to be counted anew.")
        if state.standing is not None:
            kept = "and stay there" if state.pinned else "and move on with time"
            lines.append(f"The metrics are as of {state.standing.as_of.isoformat()}, {kept}.")
            rhythm = "none yet" if state.standing.rhythm is None else f"{state.standing.rhythm} days"
            lines.append(f"Customers who have bought: {state.standing.ranked:,}. The shop's rhythm: {rhythm}.")
        if not state.whole:
            lines.append("The last refresh did not come to its end: the metrics of customers are not to be relied on.")
        waiting = await connection.fetchval("SELECT count(*) FROM analytics_changes")
        lines.append(f"The outbox is followed up to {state.position}; {waiting:,} changes are queued.")
        months = await connection.fetch("SELECT month FROM segment_snapshot_months ORDER BY 1")
        lines.append("Snapshots: " + (", ".join(f"{month:%Y-%m}" for (month,) in months) or "none") + ".")
        return lines

    for line in with_connection(run):
        console.print(line, highlight=False)
