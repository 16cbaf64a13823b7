"""Bringing a database to the present tables."""

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

ROOT = Path(__file__).resolve().parents[2]


def engine(url: str) -> AsyncEngine:
    """A SQLAlchemy engine over the same URL that asyncpg takes, without a pool of its own."""

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(url)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=pool.NullPool)


def alembic_config() -> Config:
    """Alembic's configuration, wherever the program is started from."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


async def migrate(url: str, revision: str = "head", *, down: bool = False) -> None:
    """Run the migrations up (or down) to ``revision``. Two processes that migrate at once take turns."""

    def run(connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)

    found = engine(url)
    try:
        async with found.connect() as connection:
            await connection.exec_driver_sql("SELECT pg_advisory_lock(7240521)")
            await connection.commit()
            await connection.run_sync(run)
            await connection.exec_driver_sql("SELECT pg_advisory_unlock(7240521)")
    finally:
        await found.dispose()


def migrate_now(url: str, revision: str = "head", *, down: bool = False) -> None:
    """The same from a program without an event loop."""
    asyncio.run(migrate(url, revision, down=down))
