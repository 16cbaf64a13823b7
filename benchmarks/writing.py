"""Writes: ``python -m benchmarks.writing`` (part of ``make bench``), on a copy of the database of the reads.

One mutation a request: CPU of the server process and of PostgreSQL, requests a second, statements and round trips, and
how that compares with the bare statements of the same change over asyncpg. Then changes of many records, and exports.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from app.db.database import database_url
from app.db.ids import print_id
from app.main import create_app
from app.settings import Settings, get_settings
from benchmarks import bare, machine
from benchmarks.cpu import memory_of, postmaster_of, tree_seconds
from benchmarks.load import http_request, write_requests
from benchmarks.operations import read_world
from benchmarks.ours import COMMAND, SECRET, tokens
from benchmarks.servers import prepared, serving
from schema.schema import build_schema
from tests.wire import tapped

console = Console(width=150)
_TARGET_MS = 1.2
_BULK_TARGET = 5_000
_MOST = 20_000
_MEGA = 1_000_000
Body = dict[str, Any]


@dataclass(slots=True)
class Single:
    """One mutation: how its requests are made, and the same change in bare statements."""

    name: str
    document: str
    select: str
    variables: Callable[[Any], Body]
    alone: Callable[[Any, Any], Awaitable[None]]
    figures: dict[str, Any] | None = None
    executed: int = 0
    trips: int = 0
    alone_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Many records at once: how many a second, CPU in microseconds a row, and the server's memory afterwards in MB."""

    name: str
    rows: int
    per_second: float
    server: float
    postgres: float | None
    memory: float | None


# ``errors`` under another name: to the load generator, a list of that name is a failure. Events are counted instead.
_PROBLEMS = "problems: errors { code message }"
SINGLES = (
    Single(
        "createTicket",
        "mutation($input: CreateTicketInput!) { createTicket(input: $input) { ticket { id number subject status"
        f" customer {{ id name }} }} {_PROBLEMS} }} }}",
        "SELECT id FROM customers WHERE deleted_at IS NULL AND merged_into_id IS NULL ORDER BY random() LIMIT $1",
        lambda row: {"input": {"customerId": print_id("cus", row["id"]), "subject": "Where is my order?"}},
        bare.create_ticket,
    ),
    Single(
        "updateCustomer",
        "mutation($id: ID!, $version: Int!, $input: UpdateCustomerInput!) { updateCustomer(id: $id, version: $version,"
        f" input: $input) {{ customer {{ id name city version }} {_PROBLEMS} }} }}",
        "SELECT id, version FROM customers WHERE deleted_at IS NULL AND merged_into_id IS NULL"
        " ORDER BY random() LIMIT $1",
        lambda row: {
            "id": print_id("cus", row["id"]),
            "version": row["version"],
            "input": {"city": "Kiel", "tags": ["measured"]},
        },
        bare.update_customer,
    ),
    Single(
        "payOrder",
        f"mutation($id: ID!) {{ payOrder(id: $id) {{ order {{ id number status paidAt }} {_PROBLEMS} }} }}",
        "SELECT id, version FROM orders WHERE status = 'PENDING_PAYMENT' ORDER BY random() LIMIT $1",
        lambda row: {"id": print_id("ord", row["id"])},
        bare.pay_order,
    ),
)


# Of a shop's orders hardly any are unpaid: enough to be paid are made so.
_UNPAID = """
    UPDATE orders SET status = 'PENDING_PAYMENT', paid_at = NULL, shipped_at = NULL, delivered_at = NULL,
        completed_at = NULL
    WHERE id IN (SELECT id FROM orders WHERE status = 'COMPLETED' ORDER BY random() LIMIT 30000)
"""
_SEEN = "SELECT id FROM customers WHERE deleted_at IS NULL AND merged_into_id IS NULL"
_MANY: tuple[tuple[str, str, str, Callable[[int], Body]], ...] = (
    ("Customer", "Customers", "cus", lambda turn: {"city": f"Town {turn}"}),
    ("Opportunity", "Opportunities", "opp", lambda turn: {"expectedCloseOn": f"2027-01-{turn + 1:02}"}),
    ("Ticket", "Tickets", "tkt", lambda turn: {"category": f"measured {turn}"}),
)
"""What is changed by the thousand: entity, its plural, the prefix of its ids, and the change of each turn."""


async def copied(url: str) -> str:
    """A copy of the database, made anew, with many unpaid orders."""
    parts = urlsplit(url)
    name = f"{parts.path[1:]}_writing"
    connection = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")))
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {parts.path[1:]}")
    finally:
        await connection.close()
    copy = urlunsplit(parts._replace(path=f"/{name}"))
    connection = await asyncpg.connect(copy)
    try:
        await connection.execute(_UNPAID)
        await connection.execute("VACUUM ANALYZE orders")
    finally:
        await connection.close()
    return copy


async def rows_of(url: str, sql: str, most: int) -> Sequence[Any]:
    """Some rows."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql, most)
    finally:
        await connection.close()


class Bench:
    """One run."""

    def __init__(self, url: str, folder: Path, token: str, given: argparse.Namespace) -> None:
        self.url, self.folder, self.token, self.given = url, folder, token, given
        known = build_schema().graphql.mutation_type
        assert known is not None
        self.singles = [single for single in SINGLES if single.name in known.fields]
        self.postmaster = asyncio.run(postmaster_of(url))
        self.rates: list[Rate] = []

    def run(self) -> None:
        """Measure everything."""
        environment = {
            "DATABASE_URL": self.url,
            "RAPPORT_SECRET": SECRET,
            "RAPPORT_WORKERS": "1",
            "RAPPORT_MAX_BODY_BYTES": str(20 * _MEGA),
        }
        for single in self.singles:
            self.count(single)
        with serving(COMMAND, environment) as (pid, port):
            for single in self.singles:
                self.load(single, pid, port)
            self.many(pid, port)
            self.exports(pid, port)
        for single in self.singles:
            single.alone_ms = uvloop.run(self.alone(single))

    def body(self, single: Single, row: Any) -> bytes:
        """The body of one request."""
        return json.dumps({"query": single.document, "variables": single.variables(row)}).encode()

    def load(self, single: Single, pid: int, port: int) -> None:
        """Send each request once, as fast as they are answered."""
        rows = asyncio.run(rows_of(self.url, single.select, _MOST))
        requests = [http_request("/graphql", self.body(single, row), self.token) for row in rows]
        # Where there are few, they must last: none may be sent twice.
        seconds = min(self.given.seconds, len(requests) / 3_000)
        file = self.folder / "requests"
        write_requests(file, requests)
        command = [sys.executable, "-m", "benchmarks.load", str(file), "--port", str(port), "--server", str(pid)]
        command += ["--seconds", str(seconds), "--connections", "4", "--warm", "100", "--warm-seconds", "1"]
        if self.postmaster:
            command += ["--postgres", str(self.postmaster)]
        before = asyncio.run(self.events())
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        single.figures = json.loads(done.stdout)
        assert single.figures is not None
        written = asyncio.run(self.events()) - before
        if single.figures["failures"] or written < single.figures["requests"]:
            raise SystemExit(f"{single.name}: {written} writes for {single.figures}")
        spent = ", ".join(f"{name} {value:.2f}" for name, value in single.figures["cpu_ms"].items())
        console.print(f"  {single.name}: {single.figures['per_second']:,.0f}/s, CPU ms a request: {spent}")

    async def events(self) -> int:
        """How many events there are in the audit log."""
        ((count,),) = await rows_of(self.url, "SELECT count(*) FROM audit_events LIMIT $1", 1)
        return int(count)

    def count(self, single: Single) -> None:
        """Count the statements and round trips of one request, once everything is prepared."""

        async def run() -> None:
            rows = await rows_of(self.url, single.select, 3)
            async with tapped(self.url) as tap:
                app = create_app(Settings(secret=SECRET, write_pool=1, keeper=False), tap.url)
                async with (
                    app.router.lifespan_context(app),
                    httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ours") as client,
                ):
                    for row in rows:
                        tap.reset()
                        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
                        answer = await client.post("/graphql", content=self.body(single, row), headers=headers)
                        answer.raise_for_status()
                        single.executed, single.trips = tap.executed, tap.trips

        asyncio.run(run())

    async def alone(self, single: Single) -> float:
        """CPU of this process, in milliseconds, for the bare statements of one change."""
        rows = await rows_of(self.url, single.select, 3_000)
        connection = await asyncpg.connect(self.url)
        try:
            warm = len(rows) // 4
            for row in rows[:warm]:
                await single.alone(connection, row)
            before = time.process_time()
            for row in rows[warm:]:
                await single.alone(connection, row)
            return (time.process_time() - before) / (len(rows) - warm) * 1000
        finally:
            await connection.close()

    def many(self, pid: int, port: int) -> None:
        """Change records and make customers by the thousand."""
        times = 3
        for entity, plural, prefix, change in _MANY:
            customer = "id" if entity == "Customer" else "customer_id"
            select = f"SELECT id FROM {plural.lower()} WHERE deleted_at IS NULL AND {customer} IN ({_SEEN})"
            rows = asyncio.run(rows_of(self.url, f"{select} ORDER BY random() LIMIT $1", self.given.bulk))
            document = (
                f"mutation($ids: [ID!], $input: Update{entity}Input!) {{ bulkUpdate{plural}(ids: $ids, input: $input)"
            )
            ids = [print_id(prefix, row["id"]) for row in rows]
            bodies = [{"ids": ids, "input": change(turn)} for turn in range(times + 1)]
            self.bulk(f"bulkUpdate{plural}", document, bodies, len(ids), pid, port)
        document = "mutation($rows: [CreateCustomerInput!]!) { bulkCreateCustomers(rows: $rows)"
        size = self.given.bulk
        bodies = [{"rows": [_customer(turn * size + n) for n in range(size)]} for turn in range(times + 1)]
        self.bulk("bulkCreateCustomers", document, bodies, size, pid, port)

    def bulk(self, name: str, document: str, bodies: list[Body], size: int, pid: int, port: int) -> None:
        """Send one request to warm up, and the others to be measured."""
        query = document + " { count results { index id } problems: errors { message } } }"
        encoded = [json.dumps({"query": query, "variables": variables}).encode() for variables in bodies]
        self.ask(port, encoded[0])
        with self.measured(name, size * (len(encoded) - 1), pid):
            for request in encoded[1:]:
                done = next(iter(self.ask(port, request)["data"].values()))
                if done["count"] != size:
                    raise SystemExit(f"{name}: {done['problems'][:3]}")

    def exports(self, pid: int, port: int) -> None:
        """Export all customers in every format."""
        for format in ("CSV", "JSONL", "XLSX"):
            document = f"mutation {{ exportCustomers(format: {format}) {{ url }} }}"
            link = self.ask(port, json.dumps({"query": document}).encode())["data"]["exportCustomers"]["url"]
            counted = "SELECT count(*) FROM customers WHERE deleted_at IS NULL LIMIT $1"
            ((count,),) = asyncio.run(rows_of(self.url, counted, 1))
            with (
                self.measured(f"export {format.lower()}", int(count), pid),
                httpx.stream("GET", f"http://127.0.0.1:{port}{link}", timeout=600) as response,
            ):
                response.raise_for_status()
                for _ in response.iter_raw():
                    pass

    def ask(self, port: int, body: bytes) -> Any:
        """The answer to one operation."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return httpx.post(f"http://127.0.0.1:{port}/graphql", content=body, headers=headers, timeout=600).json()

    def measured(self, name: str, rows: int, pid: int) -> "_Measured":
        """A context whose time and CPU become a rate."""
        return _Measured(self, name, rows, pid)

    def print(self, seconds: float) -> None:
        """Print all that was measured."""
        console.print(report(self.singles))
        console.print(report_rates(self.rates))
        console.print(targets(self.singles, self.rates))
        console.print(f"Measured in {seconds:.0f} s; load average now {machine.load_average():.2f}.")


class _Measured:
    def __init__(self, bench: Bench, name: str, rows: int, pid: int) -> None:
        self.bench, self.name, self.rows, self.pid = bench, name, rows, pid

    def __enter__(self) -> None:
        self.begun, self.spent = time.perf_counter(), self._spent()

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is None:
            took = time.perf_counter() - self.begun
            server, postgres = (
                None if now is None or then is None else (now - then) / self.rows * _MEGA
                for now, then in zip(self._spent(), self.spent, strict=True)
            )
            held = memory_of(self.pid)
            memory = held.resident / _MEGA if held else None
            self.bench.rates.append(Rate(self.name, self.rows, self.rows / took, server or 0, postgres, memory))
            console.print(f"  {self.name}: {self.rows / took:,.0f} rows/s")

    def _spent(self) -> tuple[float, float | None]:
        """CPU seconds of the server and of PostgreSQL, all that it does in the background among them."""
        return tree_seconds(self.pid), tree_seconds(self.bench.postmaster) if self.bench.postmaster else None


def _customer(number: int) -> Body:
    return {
        "name": f"Customer {number} of a bulk",
        "kind": "PERSON",
        "email": f"customer{number}@example.com",
        "phone": f"+49 30 {number:07}",
        "city": "Berlin",
        "country": "DE",
        "tags": ["new", "bulk"],
    }


def report(singles: Sequence[Single]) -> Table:
    """The figures of single mutations. CPU is in milliseconds a request."""
    table = Table(title="One mutation a request")
    for column in ("mutation", "server CPU", "PostgreSQL CPU", "/s", "p50", "p99", "statements", "round trips"):
        table.add_column(column, justify="left" if column == "mutation" else "right")
    table.add_column("bare statements", justify="right")
    table.add_column("÷ bare", justify="right")
    for single in singles:
        figures = single.figures or {}
        cpu = figures.get("cpu_ms", {})
        table.add_row(
            single.name,
            f"{cpu.get('server', 0):.2f}",
            f"{cpu['postgres']:.2f}" if "postgres" in cpu else "-",
            f"{figures.get('per_second', 0):,.0f}",
            f"{figures.get('p50_ms', 0):.1f}",
            f"{figures.get('p99_ms', 0):.1f}",
            str(single.executed),
            str(single.trips),
            f"{single.alone_ms:.2f}",
            f"{cpu.get('server', 0) / single.alone_ms:.1f}",
        )
    return table


def report_rates(rates: Sequence[Rate]) -> Table:
    """The figures of many records at once."""
    table = Table(title="Many records at once")
    for column in ("what", "rows", "rows/s", "server CPU µs a row", "PostgreSQL CPU", "server MB after it"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for rate in rates:
        postgres, memory = ("-" if each is None else f"{each:.0f}" for each in (rate.postgres, rate.memory))
        found = (f"{rate.rows:,}", f"{rate.per_second:,.0f}", f"{rate.server:.0f}", postgres, memory)
        table.add_row(rate.name, *found)
    return table


def targets(singles: Sequence[Single], rates: Sequence[Rate]) -> Table:
    """What is to be reached, and whether it is."""
    table = Table(title="Targets of writing")
    for column in ("figure", "target", "measured", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    for single in singles:
        if single.name == "createTicket" and single.figures:
            found = single.figures["cpu_ms"]["server"]
            told = "met" if found <= _TARGET_MS else "not met"
            table.add_row("createTicket: server CPU ms", f"≤ {_TARGET_MS}", f"{found:.2f}", told)
    for rate in rates:
        if rate.name.startswith("bulk"):
            told = "met" if rate.per_second >= _BULK_TARGET else "not met"
            table.add_row(f"{rate.name}: rows/s", f"≥ {_BULK_TARGET:,}", f"{rate.per_second:,.0f}", told)
    return table


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3, help="how long each mutation is measured")
    parser.add_argument("--bulk", type=int, default=5_000, help="rows of one bulk mutation")
    given = parser.parse_args()
    load, begun = machine.load_average(), time.monotonic()
    with (
        database_url(get_settings(), "postgres") as server,
        tempfile.TemporaryDirectory(prefix="rapport-bench-") as folder,
    ):
        original = asyncio.run(prepared(server, given.customers, console))
        url = asyncio.run(copied(original))
        asyncio.run(machine.describe(url, console, load))
        admin = asyncio.run(read_world(url)).users["ADMIN"][0]
        bench = Bench(url, Path(folder), tokens([admin])[admin], given)
        bench.run()
        bench.print(time.monotonic() - begun)


if __name__ == "__main__":
    main()
