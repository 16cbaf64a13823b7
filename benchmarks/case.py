"""The cases: every operation by several kinds of callers, and what was measured of each."""

import random
from dataclasses import dataclass, field
from typing import Any

from benchmarks.operations import OPERATIONS, PLAIN_ROLES, Operation, User, World
from benchmarks.statements import Alone

MIXED = "all roles"
_SEED = 7


def ratio(above: float | None, below: float | None) -> float | None:
    """One figure in terms of another; None where either is not known."""
    return above / below if above is not None and below else None


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

    def figure(self, server: str, what: str) -> float | None:
        """One of the figures of the load generator; None where that server was not measured."""
        found: float | None = self.figures.get(server, {}).get(what)
        return found

    def cpu(self, server: str, what: str) -> float | None:
        """Milliseconds of CPU a request, of the ``server`` process or of ``postgres``."""
        found: float | None = self.figures.get(server, {}).get("cpu_ms", {}).get(what)
        return found

    @property
    def faster(self) -> float | None:
        """How many times as many requests (a) answers as (b)."""
        return ratio(self.figure("a", "per_second"), self.figure("b", "per_second"))

    @property
    def above_alone(self) -> float | None:
        """How many times as much CPU (a) with its database takes as PostgreSQL alone."""
        server, postgres = self.cpu("a", "server"), self.cpu("a", "postgres")
        if server is None or postgres is None or self.alone is None:
            return None
        return ratio(server + postgres, self.alone.postgres_ms)

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
        for callers, roles in (("ADMIN", ("ADMIN",)), ("SALES", ("SALES",)), (MIXED, operation.roles))
    ]
