"""What is to be reached, and whether it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table

from benchmarks import memory, paging
from benchmarks.case import Case, ratio

Value = Callable[[Case], float | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of one operation with its limit; ``least`` where more is better."""

    name: str
    operation: str
    value: Value
    limit: float
    least: bool = False

    def holds(self, value: float) -> bool:
        """Whether a figure is within the limit."""
        return value >= self.limit if self.least else value <= self.limit


def _server(case: Case) -> float | None:
    return case.cpu("a", "server")


def _postgres(case: Case) -> float | None:
    return case.cpu("a", "postgres")


def _theirs(what: str) -> Value:
    return lambda case: ratio(case.cpu("e", what), case.cpu("a", what))


# The limits of PostgreSQL's CPU are what PostGraphile's took with some other filter and order; (e) is asked the same
# as (a).
TARGETS = (
    Target("one customer: server CPU ms", "one customer", _server, 0.4),
    Target("50 customers: server CPU ms", "50 customers", _server, 0.5),
    Target("nested: server CPU ms", "nested", _server, 1.0),
    Target("nested: throughput, (a) ÷ (b)", "nested", lambda case: case.faster, 10, least=True),
    Target("nested: CPU with database, (a) ÷ (c)", "nested", lambda case: case.above_alone, 1.3),
    Target("one customer: PostgreSQL CPU ms", "one customer", _postgres, 0.16),
    Target("50 customers: PostgreSQL CPU ms", "50 customers", _postgres, 0.29),
    Target("nested: PostgreSQL CPU ms", "nested", _postgres, 4.9),
    Target("one customer: server CPU, (e) ÷ (a)", "one customer", _theirs("server"), 1, least=True),
    Target("50 customers: server CPU, (e) ÷ (a)", "50 customers", _theirs("server"), 1, least=True),
    Target("nested: server CPU, (e) ÷ (a)", "nested", _theirs("server"), 1, least=True),
    Target("one customer: PostgreSQL CPU, (e) ÷ (a)", "one customer", _theirs("postgres"), 1, least=True),
    Target("50 customers: PostgreSQL CPU, (e) ÷ (a)", "50 customers", _theirs("postgres"), 1, least=True),
    Target("nested: PostgreSQL CPU, (e) ÷ (a)", "nested", _theirs("postgres"), 1, least=True),
)


def report(cases: Sequence[Case], paged: Sequence[paging.Paged], held: Sequence[memory.Held]) -> Table:
    """Every target with what was measured, by callers, and whether it is met."""
    callers = list(dict.fromkeys(case.callers for case in cases))
    table = Table(title="Targets")
    for column in ("figure", "target", *callers, ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    for target in TARGETS:
        found = {case.callers: target.value(case) for case in cases if case.operation.name == target.operation}
        known = [value for value in found.values() if value is not None]
        if known:
            cells = ["-" if (value := found.get(name)) is None else f"{value:.2f}" for name in callers]
            sign = "≥" if target.least else "≤"
            met = _met(all(target.holds(value) for value in known))
            table.add_row(target.name, f"{sign} {target.limit:g}", *cells, met)
    rest = [""] * (len(callers) - 1)
    if paged:
        worst = paging.worst(list(paged))
        told = _met(worst <= paging.LIMIT)
        table.add_row("a deep page ÷ page 1: PostgreSQL CPU", f"≤ {paging.LIMIT:g}", f"{worst:.2f}", *rest, told)
    growth = memory.growth(held)
    if growth is not None:
        name = f"memory after {held[-1].requests:,} ÷ {held[-2].requests:,} requests"
        table.add_row(name, f"≤ {memory.GROWTH:g}", f"{growth:.2f}", *rest, _met(growth <= memory.GROWTH))
    return table


def _met(holds: bool) -> str:
    return "met" if holds else "not met"
