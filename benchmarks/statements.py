"""(c) PostgreSQL alone: the statements of our server, one after the other on one connection, and what they cost it.

Only the CPU of PostgreSQL counts; that of the program which sends the statements is left out.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from benchmarks.cpu import postmaster_of, tree_seconds

Pair = tuple[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Alone:
    """The figures of statements alone: PostgreSQL's CPU a statement, None where it runs elsewhere, and how fast."""

    statements: int
    per_second: float
    postgres_ms: float | None


async def measure(url: str, pairs: Sequence[Pair], *, warm: float = 1, seconds: float = 5) -> Alone:
    """Run the statements in turn for ``warm`` seconds, each once at least, and then for ``seconds`` that count."""
    postmaster = await postmaster_of(url)
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
        },
    )
    try:
        await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
        endless = itertools.cycle(pairs)
        # Every statement once at least: preparing is no part of what is measured.
        await _run(connection, endless, warm, len(pairs))
        before = tree_seconds(postmaster) if postmaster else 0.0
        started = time.perf_counter()
        count = await _run(connection, endless, seconds)
        took = time.perf_counter() - started
        spent = tree_seconds(postmaster) - before if postmaster else None
    finally:
        await connection.close()
    return Alone(count, count / took, None if spent is None else spent / count * 1000)


async def _run(connection: asyncpg.Connection, pairs: Any, seconds: float, fewest: int = 1) -> int:
    count, end = 0, time.perf_counter() + seconds
    while count < fewest or time.perf_counter() < end:
        sql, arguments = next(pairs)
        await connection.fetchrow(sql, *arguments)
        count += 1
    return count
