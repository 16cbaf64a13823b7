"""Running compiled reads: a pool of connections that can only read, and answers as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import structlog

from app.db.lanes import Lanes
from app.reading.binding import Statement
from app.reading.likeness import SIMILAR
from app.reading.spread import Spread
from app.settings import Settings

SPREAD_FOR = 600.0
"""Seconds after which the spread of values is looked up anew."""
_FIRST, _RETRY = 1.0, 60.0
_log = structlog.get_logger("rapport.reader")
_HAS_TRIGRAMS = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')"


class Reader:
    """Fetches the answers of authorized reads."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.trigrams = False
        """Whether the database has pg_trgm, which finds similar names."""
        self.spread = Spread()
        """How the values of columns are spread; nothing is known of it until it is looked up."""
        self.statements = 0
        """How many statements have been run, for tests and figures."""

    @classmethod
    async def open(cls, url: str, settings: Settings) -> Reader:
        """A reader on the database of ``url``, with a first connection."""

        async def connect() -> asyncpg.Connection:
            connection = await asyncpg.connect(
                url,
                statement_cache_size=settings.kept_statements,
                max_cached_statement_lifetime=0,
                max_cacheable_statement_size=0,
                server_settings={
                    "application_name": "rapport read",
                    "default_transaction_read_only": "on",
                    "statement_timeout": str(settings.statement_timeout_ms),
                    "jit": "off",
                    "TimeZone": "UTC",
                    "max_parallel_workers_per_gather": "0",
                    # What is not planned anew is planned once, not as PostgreSQL's guess of the costs falls out.
                    "plan_cache_mode": "force_generic_plan",
                    "pg_trgm.similarity_threshold": SIMILAR,
                },
            )
            # JSON goes out as the bytes that come in.
            await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
            return connection

        reader = cls(Lanes(connect, settings.read_pool))
        (reader.trigrams,) = await reader.lanes.fetchrow(_HAS_TRIGRAMS)
        return reader

    async def close(self) -> None:
        """Close all connections."""
        await self.lanes.close()

    async def run(self) -> None:
        """Look up the spread of values from time to time, until it is cancelled."""
        await asyncio.sleep(_FIRST)
        while True:
            try:
                self.spread = await Spread.of(self.lanes)
                await asyncio.sleep(SPREAD_FOR)
            except Exception:
                _log.exception("the spread of values could not be looked up")
                await asyncio.sleep(_RETRY)

    async def fetch(self, statement: Statement, arguments: Sequence[Any]) -> Sequence[Any]:
        """The caller's present access version and the JSON as bytes, None for null; of a figure, a note and a refusal
        in JSON too, or None."""
        self.statements += 1
        anew = not self.spread.ordinary(statement, arguments)
        found: Sequence[Any] = await self.lanes.fetchrow(statement.sql, *arguments, anew=anew)
        return found
