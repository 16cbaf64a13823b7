"""Starting servers for a measurement, and the database that they share."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from rich.console import Console

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import follow
from app.db.database import ensure_database
from app.db.migrate import migrate
from app.demo.load import load_demo
from app.settings import get_settings
from auth.builtin import sync_built_in_roles


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Run a server on a free port while the context is open: its process id and its port."""
    port = free_port()
    process = subprocess.Popen(
        command, env={**os.environ, **environment, "PORT": str(port)}, stdout=subprocess.DEVNULL, stderr=sys.stderr
    )
    try:
        end = time.monotonic() + 60
        while True:
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise SystemExit(f"{' '.join(command)} does not answer on port {port}.") from None
                time.sleep(0.1)
        yield process.pid, port
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


async def prepared(server: str, customers: int, console: Console) -> str:
    """The URL of a database with demo data on ``server``, loaded once and then kept."""
    url = urlunsplit(urlsplit(server)._replace(path=f"/rapport_bench_{customers}"))
    await ensure_database(url)
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await sync_built_in_roles(connection)
        loaded = await connection.fetchval("SELECT EXISTS (SELECT FROM customers)")
    finally:
        await connection.close()
    if not loaded:
        console.print(f"Loading {customers:,} customers once; this takes a minute or two.")
        report = await load_demo(url, customers, password_hash="nobody signs in here")
        console.print(f"Loaded {sum(report.counts.values()):,} rows in {report.seconds:.0f} s.")
    await _settled(url)
    return url


async def _settled(url: str) -> None:
    """Do what the keeper and autovacuum would do sooner or later, so that they do not while something is measured."""
    settings = get_settings()
    connection = await asyncpg.connect(url)
    try:
        shop = ShopFacts(settings.shop_currency, settings.shop_timezone)
        await follow(connection, shop, outbox_hours=settings.outbox_hours, wait=True)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
