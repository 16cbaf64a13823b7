"""Running compiled reads: a pool of connections that can only read, and answers as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from app.db.lanes import Lanes
from app.reading.binding import Statement
from app.reading.likeness import SIMILAR
from app.settings import Settings

_KEPT_STATEMENTS = 200
_HAS_TRIGRAMS = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')"


class Reader:
    """Fetches the answers of authorized reads."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.trigrams = False
        """Whether the database has pg_trgm, which finds similar names."""
        self.statements = 0
        """How many statements have been run, for tests and figures."""

    @classmethod
    async def open(cls, url: str, settings: Settings) -> Reader:
        """A reader on the database of ``url``, with a first connection."""

        async def connect() -> asyncpg.Connection:
            connection = await asyncpg.connect(
                url,
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

    async def fetch(self, statement: Statement, arguments: Sequence[Any]) -> Sequence[Any]:
        """The caller's present access version and the JSON as bytes, None for null; of a figure, a note and a refusal
        in JSON too, or None."""
        self.statements += 1
        found: Sequence[Any] = await self.lanes.fetchrow(statement.sql, *arguments)
        return found
