"""What finding out who calls costs a read, by session and by API token: ``python -m benchmarks.authentication``.

A read does two things for it beside its own statement: it turns the header into the caller, and looks its rights up.
Both are done here as the server does them, on a small database of its own, for many callers in turn; what is told is
the CPU time of this process, milliseconds each. (The present version of the rights comes with the read's statement.)
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table

from app.commands import prepared
from app.db.database import database_url
from app.db.ids import new_id
from app.main import Server, open_server
from app.settings import Settings
from auth.token_secrets import new_secret, secret_hash, shown
from benchmarks.ours import SECRET
from schema.callers import Callers
from schema.requests import Headers

LIMIT_MS = 0.1
CALLERS, ROUNDS = 200, 100
_SCOPE = {"type": "http", "client": ("127.0.0.1", 1)}
_SESSION = """
    INSERT INTO sessions (id, user_id, refresh_seed, created_at, last_used_at, expires_at)
    VALUES ($1, $1, '', now(), now(), now() + interval '1 day')
"""
_TOKEN = """
    INSERT INTO api_tokens (id, name, beginning, owner_id, scopes, allowed_ips, secret_hash, created_at, requests_total,
                            requests_counted)
    VALUES ($1, 'Bench', $2, $3, '{customer:read,order:*}', '{127.0.0.0/8,10.0.0.0/8}', $4, now(), 0, 0)
"""


async def _people(url: str) -> list[tuple[UUID, str]]:
    """Users, each with a session of its own id and the secret of a token."""
    connection = await asyncpg.connect(url)
    found = []
    try:
        for number in range(CALLERS):
            user, secret = new_id(), new_secret()
            await connection.execute(
                "INSERT INTO users (id, name, email, role_id)"
                " VALUES ($1, 'Bench', $2, (SELECT id FROM roles WHERE name = 'INTEGRATION'))",
                user,
                f"{number}@bench.example",
            )
            await connection.execute(_SESSION, user)
            await connection.execute(_TOKEN, new_id(), shown(secret), user, secret_hash(secret))
            found.append((user, secret))
    finally:
        await connection.close()
    return found


async def measure(server: Server, callers: Callers, headers: list[Headers]) -> float:
    """CPU milliseconds a request."""

    async def one(header: Headers) -> Any:
        caller = await callers.of(_SCOPE, header)
        if caller.principal is None:
            raise SystemExit(f"A caller was refused: {caller.refusal}")
        return await server.accesses.get(caller.principal)

    async def all_of(work: Callable[[Headers], Awaitable[Any]], rounds: int) -> float:
        started = time.process_time()
        for _ in range(rounds):
            for header in headers:
                await work(header)
        return time.process_time() - started

    await all_of(one, 2)
    return await all_of(one, ROUNDS) / (ROUNDS * len(headers)) * 1000


async def run(url: str, settings: Settings) -> dict[str, float]:
    """The figures by how callers come."""
    await prepared(url)
    people = await _people(url)
    server = await open_server(settings, url)
    try:
        callers = Callers(server.tokens, server.api_tokens, production=False)
        said = {
            "session": [f"Bearer {server.tokens.sign(user, user)[0]}" for user, _ in people],
            "API token": [f"Bearer {secret}" for _, secret in people],
        }
        return {
            name: await measure(server, callers, [Headers({b"authorization": each.encode()}) for each in values])
            for name, values in said.items()
        }
    finally:
        await server.close()


def report() -> Table:
    """Measure, and say whether the limit is kept."""
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = Settings(data_dir=Path(folder), secret=SECRET, database_url=None)
        with database_url(settings, "authentication") as url:
            found = asyncio.run(run(url, settings))
    table = Table(title="Authentication: server CPU ms that it adds to a read")
    for column in ("by", "ms", "target", ""):
        table.add_column(column)
    for name, value in found.items():
        table.add_row(name, f"{value:.4f}", f"≤ {LIMIT_MS:g}", "met" if value <= LIMIT_MS else "not met")
    return table


if __name__ == "__main__":
    Console().print(report())
