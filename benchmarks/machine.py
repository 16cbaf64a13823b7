"""The machine that measures: what it is, and whether it is quiet enough."""

import os
import platform
from pathlib import Path

import asyncpg
from rich.console import Console

_QUIET = 0.5


def load_average() -> float:
    """The load of the last minute."""
    return os.getloadavg()[0]


async def describe(url: str, console: Console, load: float) -> None:
    """Print what measures, and a warning if ``load``, the load average before the start, tells of other work."""
    connection = await asyncpg.connect(url)
    try:
        version = await connection.fetchval("SHOW server_version")
        rows = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM orders) AS orders,"
            " (SELECT count(*) FROM order_lines) AS lines"
        )
    finally:
        await connection.close()
    console.print(
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python"
        f" {platform.python_version()}, PostgreSQL {version}; load average before the start {load:.2f}.\n"
        f"{rows['customers']:,} customers, {rows['orders']:,} orders, {rows['lines']:,} lines."
    )
    if load > _QUIET:
        console.print(
            f"[bold yellow]Warning:[/] other programs are running (load average {load:.2f}, above {_QUIET}): throughput"
            " and waiting times will look worse than they are, CPU times somewhat."
        )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
