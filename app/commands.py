"""What all commands share: the prepared database, mistakes told in a sentence, and who gave the command."""

import asyncio
import getpass
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import asyncpg
from rich.console import Console

from app.db.database import database_url, ensure_database
from app.db.migrate import migrate
from app.db.places import settle_places
from app.mistakes import UserMistakeError
from app.settings import get_settings
from auth.audit import Origin
from auth.builtin import sync_built_in_roles

T = TypeVar("T")
console = Console(soft_wrap=True)


async def prepared(url: str) -> None:
    """Bring a database to the present tables and built-in roles."""
    await ensure_database(url)
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await settle_places(connection)
        await sync_built_in_roles(connection)
    finally:
        await connection.close()


def with_database(work: Callable[[str], Awaitable[T]]) -> T:
    """Do ``work`` on the prepared database of the settings."""
    with database_url(get_settings()) as url:

        async def run() -> T:
            await prepared(url)
            return await work(url)

        return asyncio.run(run())


def origin(command: str) -> Origin:
    """Where an event comes from that a command on the server leaves: no user of Rapport, but one of the system."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return Origin(None, secrets.token_hex(8), user_agent=f"rapport {command}, by the system user {user}")


def with_connection(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do ``work`` on a connection to the prepared database of the settings."""

    async def run(url: str) -> T:
        connection = await asyncpg.connect(url, server_settings={"jit": "off", "TimeZone": "UTC"})
        try:
            return await work(connection)
        finally:
            await connection.close()

    return with_database(run)


def moment(said: str | None) -> datetime | None:
    """The moment that somebody typed, in UTC where it names no zone."""
    if said is None:
        return None
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        raise UserMistakeError(f"{said!r} is not a day or moment of ISO 8601, such as 2026-01-31.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
