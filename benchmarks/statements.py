"""(c) PostgreSQL alone: the statements of our server, one after the other, and what they cost it.

As there, those with unusual values run on a connection that plans anew, all others on one that keeps its plans. Only
the CPU of PostgreSQL counts; that of the program which sends the statements is left out.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from benchmarks.cpu import postmaster_of, tree_seconds

Run = tuple[str, Sequence[Any], bool]
"""A statement, its arguments, and whether it is planned anew for them."""


@dataclass(frozen=True, slots=True)
class Alone:
    """The figures of statements alone: PostgreSQL's CPU a statement, None where it runs elsewhere, and how fast."""

    statements: int
    per_second: float
    postgres_ms: float | None


async def measure(url: str, runs: Sequence[Run], *, warm: float = 1, seconds: float = 5) -> Alone:
    """Run the statements in turn for ``warm`` seconds, each once at least, and then for ``seconds`` that count."""
    postmaster = await postmaster_of(url)
    connections = {
        False: await _connection(url, "force_generic_plan"),
        True: await _connection(url, "force_custom_plan"),
    }
    try:
        endless = itertools.cycle(runs)
        # Every statement once at least: preparing is no part of what is measured.
        await _run(connections, endless, warm, len(runs))
        before = tree_seconds(postmaster) if postmaster else 0.0
        started = time.perf_counter()
        count = await _run(connections, endless, seconds)
        took = time.perf_counter() - started
        spent = tree_seconds(postmaster) - before if postmaster else None
    finally:
        for connection in connections.values():
            await connection.close()
    return Alone(count, count / took, None if spent is None else spent / count * 1000)


async def _connection(url: str, plans: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(
        url,
        statement_cache_size=1000,
        max_cached_statement_lifetime=0,
        max_cacheable_statement_size=0,
        server_settings={
            "default_transaction_read_only": "on",
            "jit": "off",
            "TimeZone": "UTC",
            "max_parallel_workers_per_gather": "0",
            "plan_cache_mode": plans,
        },
    )
    await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
    return connection


async def _run(connections: Mapping[bool, asyncpg.Connection], runs: Any, seconds: float, fewest: int = 1) -> int:
    count, end = 0, time.perf_counter() + seconds
    while count < fewest or time.perf_counter() < end:
        sql, arguments, anew = next(runs)
        await connections[anew].fetchrow(sql, *arguments)
        count += 1
    return count
