"""The cases: every operation by several kinds of callers, and what was measured of each."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks import theirs
from benchmarks.operations import OPERATIONS, PLAIN_ROLES, Operation, User, World
from benchmarks.statements import Alone

MIXED = "all roles"
Request = tuple[bytes, str | None]
"""A body, and the token that goes with it."""
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

    def asked(self, world: World, count: int, *, plain: bool) -> Iterator[tuple[dict[str, Any], User]]:
        """The variables of so many requests and who makes them, the same ones every time."""
        chance = random.Random(f"{_SEED} {self.name}")
        roles = [role for role in self.roles if role in PLAIN_ROLES or not plain]
        for _ in range(count):
            user = chance.choice(world.users[chance.choice(roles)])
            yield self.operation.variables(chance, world, user), user

    def requests(self, world: World, signed: dict[User, str], count: int, *, plain: bool) -> list[tuple[bytes, str]]:
        """So many bodies with their tokens."""
        asked = self.asked(world, count, plain=plain)
        return [(self.operation.body(variables), signed[user]) for variables, user in asked]

    def translated(self, world: World, signed: dict[User, str], count: int) -> list[Request]:
        """The same requests for (e): ADMIN, whom nothing holds back there, without a token."""
        asked = self.asked(world, count, plain=True)
        return [
            (theirs.body(self.operation, variables), None if user.role == "ADMIN" else signed[user])
            for variables, user in asked
        ]


def cases() -> list[Case]:
    """Every operation as ADMIN, as SALES, and by all roles mixed."""
    return [
        Case(operation, callers, roles)
        for operation in OPERATIONS
        for callers, roles in (("ADMIN", ("ADMIN",)), ("SALES", ("SALES",)), (MIXED, operation.roles))
    ]
