"""Holding the server's answers against the oracle's."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from tests.oracle.execute import Answer, Oracle
from tests.oracle.operation import Operation
from tests.oracle.reduce import smallest

Post = Callable[[str, dict[str, Any] | None, str | None, UUID | None], Awaitable[Answer]]
"""Sends (document, variables, operation name) as that user, and gives the decoded JSON."""


def same(server: Answer, oracle: Answer, *, key_order: bool = False) -> str | None:
    """What differs first between two answers, or None. Of errors only path and code count.

    With ``key_order`` the members of objects must stand in the same order too.
    """
    mine, theirs = _errors(oracle), _errors(server)
    if [path for path, _ in mine] != [path for path, _ in theirs] or any(
        not set(theirs[n][1]) <= set(codes) for n, (_, codes) in enumerate(mine)
    ):
        return f"errors: the server has {theirs}, the oracle {mine}"
    return _difference(server.get("data"), oracle["data"], "data", key_order)


def _errors(answer: Answer) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Path and possible codes of each error."""
    return [(tuple(map(str, error.get("path") or ())), tuple(_codes(error))) for error in answer.get("errors") or ()]


def _codes(error: Mapping[str, Any]) -> Iterator[str]:
    yield error.get("code") or error["extensions"]["code"]
    if "or" in error:
        yield error["or"]


def _difference(server: Any, oracle: Any, path: str, key_order: bool) -> str | None:
    if isinstance(server, dict) and isinstance(oracle, dict):
        if server.keys() != oracle.keys():
            return f"{path}: the server has the keys {list(server)}, the oracle {list(oracle)}"
        if key_order and list(server) != list(oracle):
            return f"{path}: the server has the keys in the order {list(server)}, the oracle {list(oracle)}"
        pairs = [(f"{path}.{key}", server[key], oracle[key]) for key in oracle]
    elif isinstance(server, list) and isinstance(oracle, list):
        if len(server) != len(oracle):
            return f"{path}: the server has {len(server)} items {server!r}, the oracle {len(oracle)} {oracle!r}"
        pairs = [(f"{path}[{n}]", *pair) for n, pair in enumerate(zip(server, oracle, strict=True))]
    else:
        # JSON has one kind of number: 1 and 1.0 are the same.
        numbers = {type(server), type(oracle)} == {int, float}
        if (numbers or type(server) is type(oracle)) and server == oracle:
            return None
        return f"{path}: the server has {server!r}, the oracle {oracle!r}"
    return next(filter(None, (_difference(a, b, place, key_order) for place, a, b in pairs)), None)


async def check(
    post: Post,
    oracle: Oracle,
    operation: Operation,
    caller: UUID | None,
    cursors: Mapping[str, UUID] | None = None,
    *,
    key_order: bool = False,
    reduce: bool = True,
) -> None:
    """Fail unless both give the same answer: with the smallest operation that still shows a difference."""

    async def compare(asked: Operation) -> tuple[str | None, Answer, Answer]:
        expected = oracle.execute(*asked, caller=caller, cursors=cursors)
        answer = await post(*asked, caller)
        return same(answer, expected, key_order=key_order), answer, expected

    async def differs(asked: Operation) -> bool:
        return (await compare(asked))[0] is not None

    if not await differs(operation):
        return
    small = await smallest(operation, differs, oracle.schema) if reduce else operation
    difference, answer, expected = await compare(small)
    who = oracle.rights(caller).role.name if caller else "a stranger"
    raise AssertionError(
        f"{difference}\n\nas {who} ({caller})\n\n{small.document}\n\nvariables: {small.variables!r}\n"
        f"operation name: {small.operation_name!r}\n\nserver: {answer!r}\n\noracle: {expected!r}\n\n"
        f"first seen in: {operation!r}"
    )
