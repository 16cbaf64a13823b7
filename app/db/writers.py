"""Connections for writing."""

import asyncpg

from app.db.lanes import Lanes
from app.settings import Settings

_KEPT_STATEMENTS = 200


def open_writers(url: str, settings: Settings) -> Lanes:
    """Lanes on the database of ``url``; JSON goes in and out as bytes."""

    async def connect() -> asyncpg.Connection:
        connection = await asyncpg.connect(
            url,
            statement_cache_size=_KEPT_STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,
            server_settings={
                "application_name": "rapport write",
                "statement_timeout": str(settings.write_timeout_ms),
                "lock_timeout": str(settings.write_timeout_ms),
                "idle_in_transaction_session_timeout": str(4 * settings.write_timeout_ms),
                "jit": "off",
                "TimeZone": "UTC",
            },
        )
        await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
        return connection

    return Lanes(connect, settings.write_pool)
