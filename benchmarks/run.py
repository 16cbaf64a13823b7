"""One table of ratios from one run: ``python -m benchmarks.run`` (``make bench``).

(a) this server, (b) an ordinary Strawberry server with DataLoaders, (c) PostgreSQL alone with our statements, (d) an
echo of the same bytes, and (e) PostGraphile, where Node and npm are there to run it. Ids, filters and callers differ
from request to request; no answer is kept anywhere. Then a deep page of some lists beside the first one, and the memory
of this server over many requests.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from app.db.database import database_url
from app.settings import get_settings
from benchmarks import machine, memory, paging, targets, theirs
from benchmarks.case import MIXED, Case, Request, cases, ratio
from benchmarks.cpu import postmaster_of
from benchmarks.load import http_request, write_requests
from benchmarks.operations import PLAIN_ROLES, World, read_world
from benchmarks.ours import COMMAND, ENVIRONMENT, statements_of, tokens
from benchmarks.servers import prepared, serving
from benchmarks.statements import measure

console = Console(width=170)
_COMPARED = 25


class Bench:
    """One run over all cases."""

    def __init__(self, url: str, world: World, folder: Path, given: argparse.Namespace) -> None:
        self.url, self.world, self.folder, self.given = url, world, folder, given
        self.signed = tokens([user for users in world.users.values() for user in users])
        self.cases = [case for case in cases() if not given.only or given.only in case.name]
        self.postmaster: int | None = None
        self.paged: list[paging.Paged] = []
        self.held: list[memory.Held] = []

    def load(self, case: Case, server: str, pid: int, port: int, requests: list[bytes]) -> None:
        """Measure one case on one server."""
        # What is prepared once must have been prepared, on every connection to the database: ours for every role.
        ours = (min(600, len(requests)) * self.given.connections, self.given.warm * (2 if case.callers == MIXED else 1))
        warm, seconds = ours if server == "a" else (8, 1)
        figures = case.figures[server] = self.ask(requests, pid, port, self.given.seconds, warm, seconds)
        spent = ", ".join(f"{name} {value:.2f}" for name, value in figures["cpu_ms"].items())
        console.print(f"  ({server}) {case.name}: {figures['per_second']:,.0f}/s, CPU ms a request: {spent}")

    def ask(
        self, requests: list[bytes], pid: int, port: int, seconds: float, warm: int, warm_seconds: float
    ) -> dict[str, Any]:
        """The figures of the load generator for these requests, in turn."""
        file = self.folder / "requests"
        write_requests(file, requests)
        command = [sys.executable, "-m", "benchmarks.load", str(file), "--port", str(port), "--server", str(pid)]
        command += ["--seconds", str(seconds), "--connections", str(self.given.connections)]
        command += ["--warm", str(warm), "--warm-seconds", str(warm_seconds)]
        if self.postmaster:
            command += ["--postgres", str(self.postmaster)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        figures: dict[str, Any] = json.loads(done.stdout)
        if figures["failures"]:
            raise SystemExit(f"{figures['failures']} requests failed, the first one with:\n{figures['failure']}")
        return figures

    def graphql(self, server: str, command: list[str], *, plain: bool) -> None:
        """Measure all cases on a GraphQL server, and keep an answer of each for the echo."""
        with serving(command, {"DATABASE_URL": self.url, **ENVIRONMENT}) as (pid, port):
            for case in self.cases:
                answers = self.keep(case, server, port, case.requests(self.world, self.signed, _COMPARED, plain=True))
                (self.folder / f"{case.slug}.json").write_bytes(sorted(answers, key=len)[_COMPARED // 2])
                requests = case.requests(self.world, self.signed, case.operation.requests, plain=plain)
                self.load(case, server, pid, port, [http_request("/graphql", body, token) for body, token in requests])

    def postgraphile(self) -> None:
        """Measure the cases on PostGraphile that it serves, or say why not."""
        if lacking := theirs.missing():
            console.print(f"  (e) is left out: {lacking}.")
            return
        environment = {"DATABASE_URL": self.url, **ENVIRONMENT, **theirs.environment(self.given.connections)}
        with theirs.policies(self.url), serving(theirs.COMMAND, environment) as (pid, port):
            for case in self.cases:
                if case.callers in theirs.CALLERS:
                    self.keep(case, "e", port, case.translated(self.world, self.signed, _COMPARED))
                    requests = case.translated(self.world, self.signed, case.operation.requests)
                    raw = [http_request("/graphql", body, token) for body, token in requests]
                    self.load(case, "e", pid, port, raw)

    def keep(self, case: Case, server: str, port: int, requests: Sequence[Request]) -> list[bytes]:
        """Keep some answers, to compare them."""
        found = []
        for body, token in requests:
            headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
            found.append(httpx.post(f"http://127.0.0.1:{port}/graphql", content=body, headers=headers, timeout=60))
        answers = [answer.json()["data"] for answer in found]
        (self.folder / f"{case.slug}.{server}").write_text(json.dumps(answers))
        return [answer.content for answer in found]

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
            runs = asyncio.run(statements_of(self.url, requests))
            case.alone = asyncio.run(measure(self.url, runs, seconds=self.given.seconds))
            console.print(
                f"  (c) {case.name}: {case.alone.per_second:,.0f}/s, PostgreSQL {_cell(case.alone.postgres_ms)} ms"
            )

    def pages(self) -> None:
        """Measure a deep page beside the first one of some lists."""
        token = self.signed[self.world.users["ADMIN"][0]]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with self.ours() as (pid, port), httpx.Client(headers=headers, timeout=60) as client:

            def ask(body: bytes) -> Any:
                answer = client.post(f"http://127.0.0.1:{port}/graphql", content=body).json()
                if "errors" in answer:
                    raise SystemExit(f"A page was refused: {answer['errors']}")
                return next(iter(answer["data"].values()))

            def measure_page(body: bytes) -> dict[str, Any]:
                seconds = min(1.5, self.given.seconds)
                return self.ask([http_request("/graphql", body, token)], pid, port, seconds, 100, 0.3)

            for walk in paging.WALKS:
                self.paged.append(paging.measure_walk(walk, ask, measure_page))
                page, times = self.paged[-1].page, paging.worst(self.paged[-1:])
                console.print(f"  (a) page {page:,} of {walk.name}: {times:.2f} times page 1")

    def memory(self) -> None:
        """Measure the memory of this server over many requests."""
        with self.ours() as (pid, port):
            count, local = self.given.memory_requests, self.postmaster is not None
            self.held = memory.measure(self.url, self.world, self.signed, pid, port, count, console, local=local)

    def ours(self) -> AbstractContextManager[tuple[int, int]]:
        """This server, running."""
        return serving(COMMAND, {"DATABASE_URL": self.url, **ENVIRONMENT})

    def agreement(self, other: str, reading: Callable[[Any], Any]) -> tuple[int, int]:
        """How many answers of (a) and ``other`` are the same as far as ``reading`` them goes, and of how many."""
        same = total = 0
        for case in self.cases:
            ours, others = self.folder / f"{case.slug}.a", self.folder / f"{case.slug}.{other}"
            if ours.exists() and others.exists():
                pairs = list(zip(json.loads(ours.read_text()), json.loads(others.read_text()), strict=True))
                same, total = same + sum(reading(a) == reading(b) for a, b in pairs), total + len(pairs)
        return same, total

    def print(self, seconds: float) -> None:
        """Print all that was measured."""
        console.print(report(self.cases))
        console.print(
            "(a) this server, (b) Strawberry with DataLoaders, (c) PostgreSQL alone with the statements of (a),"
            f" (d) an echo, (e) PostGraphile. For all roles, (b) serves {', '.join(PLAIN_ROLES)} only; (e) checks"
            " nothing for ADMIN, and has row-level security for SALES."
        )
        same, total = self.agreement("b", lambda answer: answer)
        if total:
            console.print(f"(a) and (b) gave the same answer to {same} of {total} requests.")
        same, total = self.agreement("e", theirs.ids)
        if total:
            console.print(f"(a) and (e) gave the same rows, in the same order, to {same} of {total} requests.")
        if self.paged:
            console.print(paging.report(self.paged))
        if self.held:
            console.print(memory.report(self.held))
        console.print(targets.report(self.cases, self.paged, self.held))
        console.print(f"Measured in {seconds:.0f} s; load average now {machine.load_average():.2f}.")


def _cell(value: float | None, form: str = ".2f") -> str:
    return "–" if value is None else format(value, form)  # noqa: RUF001


def report(found: list[Case]) -> Table:
    """The figures side by side. CPU is in milliseconds a request."""
    table = Table(title="CPU ms a request (server, PostgreSQL) and requests a second", show_lines=False)
    for column in ("operation / callers", "kB", "a srv", "a pg", "b srv", "b pg", "c pg", "d srv", "e srv", "e pg"):
        table.add_column(column, justify="left" if column.startswith("op") else "right")
    for column in ("a /s", "b /s", "a p50", "a p99", "b÷a CPU", "a÷b /s", "a÷c CPU"):
        table.add_column(column, justify="right")
    for case in found:
        cpu, figure = case.cpu, case.figure
        size = figure("a", "bytes") or figure("b", "bytes")
        table.add_row(
            case.name,
            _cell(size / 1000 if size else None, ".1f"),
            *(
                _cell(value)
                for value in (cpu("a", "server"), cpu("a", "postgres"), cpu("b", "server"), cpu("b", "postgres"))
            ),
            _cell(case.alone.postgres_ms if case.alone else None),
            *(_cell(value) for value in (cpu("d", "server"), cpu("e", "server"), cpu("e", "postgres"))),
            _cell(figure("a", "per_second"), ",.0f"),
            _cell(figure("b", "per_second"), ",.0f"),
            _cell(figure("a", "p50_ms"), ".1f"),
            _cell(figure("a", "p99_ms"), ".1f"),
            _cell(ratio(cpu("b", "server"), cpu("a", "server")), ".1f"),
            _cell(case.faster, ".1f"),
            _cell(case.above_alone, ".2f"),
        )
    return table


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3, help="how long each case is measured on each server")
    parser.add_argument(
        "--warm", type=float, default=2, help="seconds that (a) is asked before; twice that for all roles"
    )
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--servers", default="abcde", help="which of a, b, c, d and e to measure")
    parser.add_argument("--only", default="", help="only operations with this in their name")
    parser.add_argument("--no-pages", dest="pages", action="store_false", help="leave deep pages out")
    parser.add_argument("--memory-requests", type=int, default=100_000, help="requests of the memory test, 0 for none")
    given = parser.parse_args()
    load, begun = machine.load_average(), time.monotonic()
    with (
        database_url(get_settings(), "postgres") as server,
        tempfile.TemporaryDirectory(prefix="rapport-bench-") as folder,
    ):
        url = asyncio.run(prepared(server, given.customers, console))
        asyncio.run(machine.describe(url, console, load))
        bench = Bench(url, asyncio.run(read_world(url)), Path(folder), given)
        bench.postmaster = asyncio.run(postmaster_of(url))
        if "a" in given.servers:
            bench.graphql("a", COMMAND, plain=False)
        if "b" in given.servers:
            bench.graphql("b", [sys.executable, "-m", "benchmarks.dataloader_server"], plain=True)
        if "e" in given.servers:
            bench.postgraphile()
        if "c" in given.servers:
            bench.alone()
        if "d" in given.servers:
            bench.echo()
        if given.pages:
            bench.pages()
        if given.memory_requests:
            bench.memory()
        bench.print(time.monotonic() - begun)


if __name__ == "__main__":
    main()
