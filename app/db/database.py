"""Which PostgreSQL this process uses, and whether it will do."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import asyncpg

from app.db.embedded import EmbeddedPostgres
from app.mistakes import UserMistakeError
from app.settings import Settings

NAME = "rapport"
OLDEST = 150_000


class DatabaseRefusedError(UserMistakeError):
    """The database cannot serve Rapport; the message says why and what to do."""


@contextmanager
def database_url(settings: Settings, name: str = NAME) -> Iterator[str]:
    """The URL of the database: ``settings.database_url``, or the embedded server's while the context is open."""
    if settings.database_url:
        yield settings.database_url
        return
    with EmbeddedPostgres(settings.data_dir) as server:
        yield server.url(name)


def address(url: str) -> tuple[str, int]:
    """Host (or the folder of a socket) and port of ``url``, which may name both after its question mark."""
    parts = urlsplit(url)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host = unquote(parts.hostname or "") or asked.get("host", "localhost")
    return host, parts.port or int(asked.get("port", 5432))


async def ensure_database(url: str) -> None:
    """Create the database that ``url`` names where it is missing, and refuse one that would answer wrongly."""
    try:
        try:
            connection = await asyncpg.connect(url)
        except asyncpg.InvalidCatalogNameError:
            await create_database(url)
            connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError, ValueError) as error:
        host, port = address(url)
        place = f"{host}, port {port}, database {unquote(urlsplit(url).path.lstrip('/'))}"
        raise DatabaseRefusedError(f"Cannot connect to PostgreSQL at {place}: {error}.") from error
    try:
        await _check(connection)
    finally:
        await connection.close()


async def create_database(url: str) -> None:
    """Create an empty UTF-8 database that orders by code point and knows the case of every letter."""
    parts = urlsplit(url)
    name = unquote(parts.path.lstrip("/"))
    connection = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")))
    try:
        quoted = '"' + name.replace('"', '""') + '"'
        locale = (
            "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
            if connection.get_server_version().major >= 17
            else "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
        )
        await connection.execute(f"CREATE DATABASE {quoted} TEMPLATE template0 ENCODING 'UTF8' {locale}")
    finally:
        await connection.close()


async def _check(connection: asyncpg.Connection) -> None:
    version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
    if version < OLDEST:
        raise DatabaseRefusedError(f"PostgreSQL {version // 10_000} is too old: Rapport needs 15 or later.")
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise DatabaseRefusedError(f"The database's encoding is {encoding}: create it with ENCODING 'UTF8'.")
    if not await connection.fetchval("SELECT 'É' ILIKE 'é'"):
        raise DatabaseRefusedError(
            "The database's character type is C, in which É and é are strangers: create it with LC_CTYPE 'C.UTF-8' "
            "(PostgreSQL 17 or later: LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8')."
        )
