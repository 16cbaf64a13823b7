"""Running compiled reads: a pool of connections that can only read, and answers as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from app.errors import StatementTimeoutError
from app.reading.binding import Statement
from app.settings import Settings

_KEPT_STATEMENTS = 200


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    def get_reset_query(self) -> str:
        # A reader leaves nothing behind, so giving a connection back costs no round trip.
        return ""


class Reader:
    """Fetches the answers of authorized reads."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.statements = 0
        """How many statements have been run, for tests and figures."""

    @classmethod
    async def open(cls, url: str, settings: Settings) -> Reader:
        """A reader on the database of ``url``."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=settings.read_pool,
            init=_prepare,
            connection_class=_Connection,
            statement_cache_size=_KEPT_STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,
            server_settings={
                "application_name": "rapport read",
                "default_transaction_read_only": "on",
                "statement_timeout": str(settings.statement_timeout_ms),
                "jit": "off",
                "TimeZone": "UTC",
                "max_parallel_workers_per_gather": "0",
            },
        )
        return cls(pool)

    async def close(self) -> None:
        """Close all connections; statements under way are cancelled."""
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    async def fetch(self, statement: Statement, arguments: Sequence[Any]) -> tuple[str | None, bytes | None]:
        """The caller's present access version and the JSON, None for null."""
        self.statements += 1
        try:
            async with self.pool.acquire() as connection:
                version, data = await connection.fetchrow(statement.sql, *arguments)
        except asyncpg.QueryCanceledError as error:
            raise StatementTimeoutError(
                "The database took too long for this: ask for fewer rows, or filter and order by what is indexed."
            ) from error
        return version, data


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
