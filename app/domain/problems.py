"""Problems: what is wrong with an input, in words that a person can act on."""

from dataclasses import dataclass
from typing import Any, Literal

Code = Literal[
    "REQUIRED",
    "INVALID",
    "NOT_FOUND",
    "UNIQUE",
    "DUPLICATE",
    "CONFLICT",
    "INVALID_TRANSITION",
    "TOO_LONG",
    "OUT_OF_RANGE",
    "IN_USE",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: the path into the arguments in GraphQL names, a code for programs and a message for people.

    ``ids`` are typed ids of the records in the way, ``current`` the present values of fields that changed, ``params``
    what a translated message needs.
    """

    field: tuple[str, ...] | None
    code: Code
    message: str
    ids: tuple[str, ...] | None = None
    current: Any = None
    params: dict[str, Any] | None = None


class RefusedError(Exception):
    """Nothing is done, for these problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class Problems:
    """All problems of one input, so that they can be told at once."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, field: tuple[str, ...] | None, code: Code, message: str, **more: Any) -> None:
        """Note one problem."""
        self.found.append(Problem(field, code, message, **more))

    def refuse(self) -> None:
        """RefusedError if there are any."""
        if self.found:
            raise RefusedError(*self.found)
