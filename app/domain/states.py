"""State machines, held as data: from each state to those that may follow it."""

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import TypeVar

from app.domain.work import Work

S = TypeVar("S", bound=StrEnum)

Machine = Mapping[S, Set[S]]
"""Every state with those that may follow it; an end is followed by none."""


def transition(work: Work, path: tuple[str, ...], machine: Machine[S], now: S, to: S, what: str) -> bool:
    """Whether ``what``, which is ``now``, may become ``to``; INVALID_TRANSITION is noted at ``path`` where it may not.

    The problem's ``params`` hold ``from``, ``to``, and under ``allowed`` the states that may follow, in their order.
    """
    following = machine[now]
    if to in following:
        return True
    allowed = [str(state) for state in type(now) if state in following]
    may = f"it can become {' or '.join(allowed)}, not {to}" if allowed else f"it stays so, and cannot become {to}"
    params = {"from": str(now), "to": str(to), "allowed": allowed}
    work.problems.add(path, "INVALID_TRANSITION", f"This {what} is {now}: {may}.", params=params)
    return False
