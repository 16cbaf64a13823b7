"""What processes have used, from /proc: CPU time and memory. None or nothing where there is none to read."""

import os
from dataclasses import dataclass
from pathlib import Path

import asyncpg

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def tree_seconds(root: int) -> float:
    """CPU time of a process and of all that it has started, ended ones included.

    Living threads are counted in nanoseconds where the kernel does (``schedstat``), what has ended in ticks.
    """
    children: dict[int, list[int]] = {}
    times: dict[int, tuple[int, int]] = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        process = int(folder.name)
        children.setdefault(int(fields[1]), []).append(process)
        times[process] = (int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14]))
    total, rest = 0.0, [root]
    while rest:
        process = rest.pop()
        own, ended = times.get(process, (0, 0))
        precise = _precise_seconds(process)
        total += (own / _TICKS if precise is None else precise) + ended / _TICKS
        rest += children.get(process, [])
    return total


def _precise_seconds(process: int) -> float | None:
    """The time on a CPU of all threads of a process; None where the kernel keeps no such account."""
    try:
        tasks = [(task / "schedstat").read_text() for task in (_PROC / str(process) / "task").iterdir()]
    except OSError:
        return None
    found = sum(int(task.split()[0]) for task in tasks)
    return found / 1e9 if found else None


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of main memory: all that is mapped, and what nobody else shares (shared buffers are left out)."""

    resident: int
    private: int


def memory_of(process: int) -> Memory | None:
    """The memory of a process."""
    try:
        text = (_PROC / str(process) / "status").read_text()
    except OSError:
        return None
    found = {name: value.split() for name, _, value in (line.partition(":") for line in text.splitlines())}
    if "RssAnon" not in found:
        return None
    return Memory(int(found["VmRSS"][0]) * 1024, int(found["RssAnon"][0]) * 1024)


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


async def backends_of(url: str) -> list[int]:
    """The process ids of the connections to the database of ``url``, but for the one that asks."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
    finally:
        await connection.close()
    return [row["pid"] for row in rows]
