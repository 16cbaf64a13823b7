"""One table of ratios from one run: ``python -m benchmarks.run`` (``make bench``).

(a) this server, (b) an ordinary Strawberry server with DataLoaders, (c) PostgreSQL alone with our statements, and (d)
an echo of the same bytes. Ids, filters and callers differ from request to request; no answer is kept anywhere.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from app.db.database import database_url
from app.settings import get_settings
from benchmarks.cpu import postmaster_of
from benchmarks.load import http_request, write_requests
from benchmarks.operations import OPERATIONS, PLAIN_ROLES, Operation, User, World, read_world
from benchmarks.ours import COMMAND, SECRET, statements_of, tokens
from benchmarks.servers import prepared, serving
from benchmarks.statements import Alone, measure

console = Console(width=150)
_SEED = 7
_COMPARED = 25


@dataclass(slots=True)
class Case:
    """One operation by some roles, with what was measured of it."""

    operation: Operation
    callers: str
    roles: tuple[str, ...]
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    alone: Alone | None = None

    @property
    def name(self) -> str:
        return f"{self.operation.name} / {self.callers}"

    @property
    def slug(self) -> str:
        return "".join(c if c.isalnum() else "_" for c in self.name)

    def requests(self, world: World, signed: dict[User, str], count: int, *, plain: bool) -> list[tuple[bytes, str]]:
        """So many bodies with their tokens, the same ones every time."""
        chance = random.Random(f"{_SEED} {self.name}")
        roles = [role for role in self.roles if role in PLAIN_ROLES or not plain]
        found = []
        for _ in range(count):
            user = chance.choice(world.users[chance.choice(roles)])
            found.append((self.operation.body(chance, world, user), signed[user]))
        return found


def cases() -> list[Case]:
    """Every operation as ADMIN, as SALES, and by all roles mixed."""
    return [
        Case(operation, callers, roles)
        for operation in OPERATIONS
        for callers, roles in (("ADMIN", ("ADMIN",)), ("SALES", ("SALES",)), ("all roles", operation.roles))
    ]


class Bench:
    """One run over all cases."""

    def __init__(self, url: str, world: World, folder: Path, given: argparse.Namespace) -> None:
        self.url, self.world, self.folder, self.given = url, world, folder, given
        self.signed = tokens([user for users in world.users.values() for user in users])
        self.cases = [case for case in cases() if not given.only or given.only in case.name]
        self.postmaster: int | None = None

    def load(self, case: Case, server: str, pid: int, port: int, requests: list[bytes]) -> None:
        """Measure one case on one server."""
        file = self.folder / "requests"
        write_requests(file, requests)
        command = [sys.executable, "-m", "benchmarks.load", str(file), "--port", str(port), "--server", str(pid)]
        command += ["--seconds", str(self.given.seconds), "--connections", str(self.given.connections)]
        # What is compiled once must have been compiled: ours compiles every statement for every role.
        command += ["--warm", str(min(600, len(requests)) if server == "a" else 20)]
        if self.postmaster:
            command += ["--postgres", str(self.postmaster)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        figures = case.figures[server] = json.loads(done.stdout)
        spent = ", ".join(f"{name} {value:.2f}" for name, value in figures["cpu_ms"].items())
        console.print(f"  ({server}) {case.name}: {figures['per_second']:,.0f}/s, CPU ms a request: {spent}")
        if figures["failures"]:
            raise SystemExit(f"{figures['failures']} requests failed, the first one with:\n{figures['failure']}")

    def graphql(self, server: str, command: list[str], *, plain: bool) -> None:
        """Measure all cases on a GraphQL server, and keep an answer of each for the echo."""
        environment = {"DATABASE_URL": self.url, "RAPPORT_SECRET": SECRET}
        with serving(command, environment) as (pid, port):
            for case in self.cases:
                requests = case.requests(self.world, self.signed, case.operation.requests, plain=plain)
                self.keep(case, server, port)
                raw = [http_request("/graphql", body, token) for body, token in requests]
                self.load(case, server, pid, port, raw)

    def keep(self, case: Case, server: str, port: int) -> None:
        """Keep some answers, to compare them and to echo one of middling length."""
        requests = case.requests(self.world, self.signed, _COMPARED, plain=True)
        found = []
        for body, token in requests:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            address = f"http://127.0.0.1:{port}/graphql"
            found.append(httpx.post(address, content=body, headers=headers, timeout=60).content)
        (self.folder / f"{case.slug}.{server}").write_text(json.dumps([json.loads(answer)["data"] for answer in found]))
        (self.folder / f"{case.slug}.json").write_bytes(sorted(found, key=len)[_COMPARED // 2])

    def echo(self) -> None:
        """Measure the echo of an answer of each case."""
        command = [sys.executable, "-m", "benchmarks.echo_server"]
        with serving(command, {"ANSWERS": str(self.folder)}) as (pid, port):
            for case in self.cases:
                body, token = case.requests(self.world, self.signed, 1, plain=True)[0]
                self.load(case, "d", pid, port, [http_request(f"/{case.slug}", body, token)])

    def alone(self) -> None:
        """Measure PostgreSQL alone with the statements of this server."""
        for case in self.cases:
            requests = case.requests(self.world, self.signed, 300, plain=False)
            pairs = asyncio.run(statements_of(self.url, requests))
            case.alone = asyncio.run(measure(self.url, pairs, seconds=self.given.seconds))
            console.print(f"  (c) {case.name}: {case.alone.per_second:,.0f}/s, PostgreSQL {case.alone.postgres_ms} ms")

    def agreement(self) -> str:
        """How many answers of (a) and (b) are the same."""
        same = total = 0
        for case in self.cases:
            ours, theirs = self.folder / f"{case.slug}.a", self.folder / f"{case.slug}.b"
            if ours.exists() and theirs.exists():
                pairs = list(zip(json.loads(ours.read_text()), json.loads(theirs.read_text()), strict=True))
                same, total = same + sum(a == b for a, b in pairs), total + len(pairs)
        return f"(a) and (b) gave the same answer to {same} of {total} requests." if total else ""


def _cell(value: float | None, form: str = ".2f") -> str:
    return "–" if value is None else format(value, form)  # noqa: RUF001


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def report(found: list[Case]) -> Table:
    """The figures side by side. CPU is in milliseconds a request."""
    table = Table(title="CPU ms a request (server, PostgreSQL) and requests a second", show_lines=False)
    for column in ("operation / callers", "kB", "a srv", "a pg", "b srv", "b pg", "c pg", "d srv", "a /s", "b /s"):
        table.add_column(column, justify="left" if column.startswith("op") else "right")
    for column in ("a p50", "a p99", "b÷a CPU", "a÷b /s", "a÷c CPU"):
        table.add_column(column, justify="right")
    for case in found:

        def cpu(server: str, what: str, case: Case = case) -> float | None:
            return case.figures.get(server, {}).get("cpu_ms", {}).get(what)

        def figure(server: str, what: str, case: Case = case) -> float | None:
            return case.figures.get(server, {}).get(what)

        alone = case.alone.postgres_ms if case.alone else None
        ours, ours_pg = cpu("a", "server"), cpu("a", "postgres")
        total = ours + ours_pg if ours is not None and ours_pg is not None else None
        size = figure("a", "bytes") or figure("b", "bytes")
        table.add_row(
            case.name,
            _cell(size / 1000 if size else None, ".1f"),
            *(_cell(value) for value in (ours, ours_pg, cpu("b", "server"), cpu("b", "postgres"), alone)),
            _cell(cpu("d", "server")),
            _cell(figure("a", "per_second"), ",.0f"),
            _cell(figure("b", "per_second"), ",.0f"),
            _cell(figure("a", "p50_ms"), ".1f"),
            _cell(figure("a", "p99_ms"), ".1f"),
            _cell(_ratio(cpu("b", "server"), ours), ".1f"),
            _cell(_ratio(figure("a", "per_second"), figure("b", "per_second")), ".1f"),
            _cell(_ratio(total, alone), ".2f"),
        )
    return table


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5, help="how long each case is measured on each server")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--servers", default="abcd", help="which of a, b, c and d to measure")
    parser.add_argument("--only", default="", help="only operations with this in their name")
    given = parser.parse_args()
    with (
        database_url(get_settings(), "postgres") as server,
        tempfile.TemporaryDirectory(prefix="rapport-bench-") as folder,
    ):
        url = asyncio.run(prepared(server, given.customers, console))
        bench = Bench(url, asyncio.run(read_world(url)), Path(folder), given)
        bench.postmaster = asyncio.run(postmaster_of(url))
        if "a" in given.servers:
            bench.graphql("a", COMMAND, plain=False)
        if "b" in given.servers:
            bench.graphql("b", [sys.executable, "-m", "benchmarks.dataloader_server"], plain=True)
        if "c" in given.servers:
            bench.alone()
        if "d" in given.servers:
            bench.echo()
        console.print(report(bench.cases))
        console.print(
            "(a) this server, (b) Strawberry with DataLoaders, (c) PostgreSQL alone with the statements of (a),"
            f" (d) an echo. For all roles, (b) serves {', '.join(PLAIN_ROLES)} only."
        )
        console.print(bench.agreement())


if __name__ == "__main__":
    main()
