"""Making an operation small that shows a difference: leave out part after part while the difference stays."""

from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    parse,
    print_ast,
    validate,
    visit,
)
from graphql.language import REMOVE, Visitor

from tests.oracle.operation import Operation

REMOVABLE = ("field", "inline_fragment", "fragment_spread", "argument", "directive", "object_field")
Fails = Callable[[Operation], Awaitable[bool]]


async def smallest(operation: Operation, fails: Fails, schema: GraphQLSchema, *, tries: int = 400) -> Operation:
    """An operation of which, within so many tries, nothing more can be left out without the difference going."""
    found, progress = operation, True
    while progress:
        progress = False
        position = 0
        while (smaller := _without(found, position)) is not None:
            if tries <= 0:
                return found
            tidy = _tidy(smaller)
            if tidy is None or validate(schema, parse(tidy.document)) or not await fails(tidy):
                position += 1
            else:
                found, progress = tidy, True
            tries -= 1
    return found


def _without(operation: Operation, position: int) -> Operation | None:
    """The operation without the part at that position; None where there are no more parts."""
    parts = _count(operation.document)
    if position < parts:
        return operation._replace(document=_cut(operation.document, position)[0])
    paths = list(_paths(operation.variables or {}))
    if position - parts >= len(paths):
        return None
    *above, last = paths[position - parts]
    variables: Any = deepcopy(operation.variables)
    place = variables
    for step in above:
        place = place[step]
    del place[last]
    return operation._replace(variables=variables)


def _count(document: str) -> int:
    return _cut(document, -1)[1]


def _cut(document: str, position: int) -> tuple[str, int]:
    """The document without that part, and how many parts were passed."""

    class Cutter(Visitor):
        seen = 0

        def enter(self, node: Node, *_: Any) -> Any:
            if node.kind not in REMOVABLE:
                return None
            self.seen += 1
            return REMOVE if self.seen - 1 == position else None

    cutter = Cutter()
    return print_ast(visit(parse(document), cutter)), cutter.seen


def _paths(value: Any) -> Iterator[list[Any]]:
    """The places inside the variables whose values could go."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in steps:
        yield [step]
        for path in _paths(part):
            yield [step, *path]


def _tidy(operation: Operation) -> Operation | None:
    """Without variables and fragments that nothing uses any more; None where nothing is left."""
    document = parse(operation.document)
    if _hollow(document):
        return None
    while True:
        used = {name for d in document.definitions for name in _names(d, "fragment_spread")}
        kept = [d for d in document.definitions if not isinstance(d, FragmentDefinitionNode) or d.name.value in used]
        done = len(kept) == len(document.definitions)
        document = DocumentNode(definitions=tuple(kept))
        if done:
            break
    variables = {name for d in document.definitions for name in _names(d, "variable", definitions=False)}
    document = DocumentNode(definitions=tuple(_declaring(d, variables) for d in document.definitions))
    given = {name: value for name, value in (operation.variables or {}).items() if name in variables}
    return operation._replace(document=print_ast(document), variables=given or None)


def _hollow(document: DocumentNode) -> bool:
    """Whether a selection selects nothing."""
    found = []

    class Finder(Visitor):
        def enter_selection_set(self, node: Any, *_: Any) -> None:
            found.append(not node.selections)

    visit(document, Finder())
    return any(found)


def _declaring(definition: Any, variables: set[str]) -> Any:
    """The definition, with only those variables declared."""
    if not isinstance(definition, OperationDefinitionNode):
        return definition
    kept = tuple(v for v in definition.variable_definitions or () if v.variable.name.value in variables)
    return replace(definition, variable_definitions=kept)


def _names(node: Node, kind: str, *, definitions: bool = True) -> set[str]:
    found = set()

    class Finder(Visitor):
        def enter(self, node: Any, *_: Any) -> Any:
            if node.kind == "variable_definition" and not definitions:
                return False
            if node.kind == kind:
                found.add(node.name.value)
            return None

    visit(node, Finder())
    return found
