"""The memory of this server over many requests, of which every tenth brings a document that it has never seen."""

import asyncio
import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import uvloop
from rich.console import Console
from rich.table import Table

from app.db.ids import print_id
from benchmarks.cpu import Memory, backends_of, memory_of
from benchmarks.load import Client, http_request
from benchmarks.operations import User, World

GROWTH = 1.15
_NEW, _RECENT, _CONNECTIONS, _PATIENCE = 10, 40, 2, 600
_FIELDS = (
    *("id", "code", "name", "kind", "email", "phone", "tier", "status", "city", "createdAt", "region", "country"),
    *("tags", "updatedAt", "version", "industry", "source"),
)
_NESTED = {
    "contacts": ("id", "firstName", "lastName", "fullName", "title", "email", "phone", "isPrimary", "createdAt"),
    "orders": ("id", "number", "status", "channel", "placedAt", "paidAt", "shippedAt", "createdAt"),
}
_MEGA = 1_000_000


def document(number: int) -> str:
    """The document of a number: which fields, under which aliases, over one customer or a list, with children or not.

    No two numbers give the same one: the number is written into an alias.
    """
    chance = random.Random(number)
    fields = " ".join(
        f"{name}{index}: {name}" if chance.random() < 0.3 else name
        for index, name in enumerate(chance.sample(_FIELDS, chance.randint(3, 12)))
    )
    if chance.random() < 0.15:
        child = chance.choice(list(_NESTED))
        inner = " ".join(chance.sample(_NESTED[child], chance.randint(2, 6)))
        fields += f" {child}(first: {chance.randint(1, 5)}) {{ nodes {{ {inner} }} }}"
    if chance.random() < 0.5:
        return f"query One($id: ID!) {{ c{number}: customer(id: $id) {{ {fields} }} }}"
    return (
        f"query Some($ids: [ID!]) {{ c{number}: customers(first: {chance.randint(1, 10)}, where: {{id: {{in: $ids}}}})"
        f" {{ nodes {{ {fields} }} }} }}"
    )


def requests(world: World, signed: Mapping[User, str], count: int) -> Iterator[bytes]:
    """So many requests; every tenth has a new document, the others one of the last forty.

    A document is always asked by callers of the same role, as that of a screen mostly is: to compile every one for
    every role would take longer than all else.
    """
    chance = random.Random(11)
    roles = sorted(world.users)
    recent: list[tuple[str, str]] = []
    for number in range(count):
        if number % _NEW == 0:
            new = number // _NEW
            recent = [*recent[1 - _RECENT :], (document(new), roles[new % len(roles)])]
            asked, role = recent[-1]
        else:
            asked, role = chance.choice(recent)
        variables = (
            {"id": print_id("cus", chance.choice(world.customers))}
            if asked.startswith("query One")
            else {"ids": [print_id("cus", customer) for customer in chance.sample(world.customers, 5)]}
        )
        token = signed[chance.choice(world.users[role])]
        yield http_request("/graphql", json.dumps({"query": asked, "variables": variables}).encode(), token)


@dataclass(frozen=True, slots=True)
class Held:
    """What is held in memory after so many requests: by the server, and by its PostgreSQL backends together."""

    requests: int
    server: Memory
    backends: int
    postgres: Memory | None


def stages(count: int) -> list[int]:
    """After how many requests to look."""
    return [0, *(stage for stage in (1_000, 20_000, 100_000) if stage < count), count]


async def _look(url: str, server: int, done: int, *, local: bool) -> Held:
    found = memory_of(server)
    if found is None:
        raise SystemExit("This system does not tell the memory of a process under /proc.")
    held = [memory for pid in await backends_of(url) if (memory := memory_of(pid))] if local else []
    total = Memory(sum(each.resident for each in held), sum(each.private for each in held)) if local else None
    return Held(done, found, len(held), total)


async def _run(
    url: str, server: int, port: int, endless: Iterator[bytes], count: int, console: Console, *, local: bool
) -> list[Held]:
    loop, found, done = asyncio.get_running_loop(), [await _look(url, server, 0, local=local)], 0
    for stage in stages(count)[1:]:
        part = itertools.islice(endless, stage - done)
        clients: list[Client] = []
        for _ in range(_CONNECTIONS):
            _, client = await loop.create_connection(lambda part=part: Client(part), "127.0.0.1", port)  # type: ignore[misc]
            clients.append(client)
        await asyncio.wait([client.closed for client in clients], timeout=_PATIENCE)
        failures = [failure for client in clients for failure in client.failures]
        if failures:
            raise SystemExit(f"{len(failures)} requests failed, the first one with:\n{failures[0].decode()}")
        done = stage
        found.append(await _look(url, server, done, local=local))
        console.print(f"  memory after {done:,} requests: {found[-1].server.resident / _MEGA:.0f} MB")
    return found


def measure(
    url: str,
    world: World,
    signed: Mapping[User, str],
    server: int,
    port: int,
    count: int,
    console: Console,
    *,
    local: bool,
) -> list[Held]:
    """Send ``count`` requests to the server and look at its memory now and then, at ``local`` PostgreSQL's too."""
    return uvloop.run(_run(url, server, port, requests(world, signed, count), count, console, local=local))


def growth(found: Sequence[Held]) -> float | None:
    """How much more memory server and backends hold at the end than one look before, when all caches were full."""
    if len(found) < 4:
        return None
    before, after = (held.server.resident + (held.postgres.private if held.postgres else 0) for held in found[-2:])
    return after / before


def report(found: Sequence[Held]) -> Table:
    """What was held, in megabytes."""
    table = Table(title="Memory, MB; every tenth request brings a new document")
    for column in ("requests", "documents", "server", "backends", "their private memory", "with shared buffers"):
        table.add_column(column, justify="right")
    for held in found:
        table.add_row(
            f"{held.requests:,}",
            f"{-(-held.requests // _NEW):,}",
            f"{held.server.resident / _MEGA:.0f}",
            str(held.backends),
            f"{held.postgres.private / _MEGA:.0f}" if held.postgres else "-",
            f"{held.postgres.resident / _MEGA:.0f}" if held.postgres else "-",
        )
    return table
