"""Page 2,000 of a list beside page 1: what each costs PostgreSQL and how long it takes, cursor after cursor."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

LIMIT = 2.0
_DEEP = 2_000
_LARGEST = 200  # Of a page while walking to the deep one.

# Answers a body with the data of its only root field.
Ask = Callable[[bytes], Any]
# Measures a body that is asked again and again: figures as the load generator gives them.
Measure = Callable[[bytes], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Walk:
    """A list in an order, by pages of ``size``; ``nullable`` tells of the column that it is ordered by."""

    entity: str
    order: str
    direction: str
    size: int
    fields: str
    nullable: bool

    @property
    def name(self) -> str:
        """What is paged through."""
        return f"{self.entity} by {self.order}{' (has NULLs)' if self.nullable else ''} {self.direction}, {self.size}"

    def body(self, first: int, after: str | None, fields: str) -> bytes:
        """One page after a cursor."""
        kind = {"customers": "Customer", "orders": "Order", "opportunities": "Opportunity", "tickets": "Ticket"}
        document = (
            f"query Walk($first: Int, $after: String, $orderBy: [{kind[self.entity]}Order!]) {{ {self.entity}"
            f"(first: $first, after: $after, orderBy: $orderBy) {{ {fields} pageInfo {{ hasNextPage endCursor }} }} }}"
        )
        order = [{"field": self.order, "direction": self.direction}]
        return json.dumps({"query": document, "variables": {"first": first, "after": after, "orderBy": order}}).encode()


_CUSTOMER = "nodes { id code name kind email phone tier status city createdAt }"
_ORDER = "nodes { id number status channel placedAt total { amount currency } }"
_OPPORTUNITY = "nodes { id name probability openedAt closedAt expectedCloseOn amount { amount currency } }"
WALKS = (
    Walk("orders", "PLACED_AT", "DESC", 50, _ORDER, nullable=False),
    Walk("customers", "NAME", "ASC", 50, _CUSTOMER, nullable=False),
    Walk("opportunities", "CLOSED_AT", "ASC", 10, _OPPORTUNITY, nullable=True),
    Walk("opportunities", "CLOSED_AT", "DESC", 10, _OPPORTUNITY, nullable=True),
)


@dataclass(frozen=True, slots=True)
class Paged:
    """The figures of the first and of a deep page."""

    walk: Walk
    page: int
    first: dict[str, Any]
    deep: dict[str, Any]

    def pair(self, what: str) -> tuple[float | None, float | None]:
        """A figure of both pages: PostgreSQL's CPU (``postgres``), that of the ``server``, or the ``wall`` time."""
        if what == "wall":
            return self.first["p50_ms"], self.deep["p50_ms"]
        return self.first["cpu_ms"].get(what), self.deep["cpu_ms"].get(what)

    def ratio(self, what: str) -> float | None:
        """How many times as much the deep page costs."""
        first, deep = self.pair(what)
        return deep / first if first and deep is not None else None


def measure_walk(walk: Walk, ask: Ask, measure: Measure) -> Paged:
    """Walk to page 2,000, or to the last full page, by cursors, and measure it and page 1."""
    target, rows, cursor = (_DEEP - 1) * walk.size, 0, None
    while rows < target:
        first = min(_LARGEST, target - rows)
        info = ask(walk.body(first, cursor, ""))["pageInfo"]
        if not info["hasNextPage"]:
            break
        rows, cursor = rows + first, info["endCursor"]
    near, deep = (measure(walk.body(walk.size, after, walk.fields)) for after in (None, cursor))
    return Paged(walk, rows // walk.size + 1, near, deep)


def report(found: list[Paged]) -> Table:
    """The pages side by side, in milliseconds."""
    table = Table(title="A deep page beside page 1, milliseconds a request")
    for column in ("list, rows a page", "page", "pg 1", "pg deep", "pg ratio", "srv 1", "srv deep", "srv ratio"):
        table.add_column(column, justify="left" if column.startswith("list") else "right")
    for column in ("wall 1", "wall deep", "wall ratio", f"≤ {LIMIT:g}"):
        table.add_column(column, justify="right")
    for paged in found:
        cells = []
        for what in ("postgres", "server", "wall"):
            ratio = paged.ratio(what)
            cells += ["-" if value is None else f"{value:.3f}" for value in paged.pair(what)]
            cells.append("-" if ratio is None else f"{ratio:.2f}")
        table.add_row(paged.walk.name, f"{paged.page:,}", *cells, "met" if worst([paged]) <= LIMIT else "not met")
    return table


def worst(found: list[Paged]) -> float:
    """The largest ratio of PostgreSQL's CPU, or of the time taken where that is not known."""
    return max(
        ratio
        for paged in found
        if (ratio := paged.ratio("wall") if paged.ratio("postgres") is None else paged.ratio("postgres")) is not None
    )
