"""How much CPU processes have used, from /proc; None where there is none to read."""

import os
from pathlib import Path

import asyncpg

_TICKS = os.sysconf("SC_CLK_TCK")


def tree_seconds(root: int) -> float:
    """User and system time of a process and of all that it has started, ended ones included."""
    children: dict[int, list[int]] = {}
    times: dict[int, tuple[int, int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        process = int(folder.name)
        children.setdefault(int(fields[1]), []).append(process)
        times[process] = (int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14]))
    total, rest = 0, [root]
    while rest:
        process = rest.pop()
        own, ended = times.get(process, (0, 0))
        total += own + ended
        rest += children.get(process, [])
    return total / _TICKS


async def postmaster_of(url: str) -> int | None:
    """The process id of the PostgreSQL server of ``url``, where it runs on this machine."""
    connection = await asyncpg.connect(url)
    try:
        folder = await connection.fetchval("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
    finally:
        await connection.close()
    file = Path(folder or "") / "postmaster.pid"
    try:
        return int(file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
