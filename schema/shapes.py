"""The shape of variables: what of them a compiled statement depends on.

Two sets of variables of one shape run the same statement with other arguments. Booleans and single enum values are part
of the shape (they stand in the statement, or decide what is in it), and so are page sizes, numbers of months, the
actions asked of viewerCan, how many words a search has, and how many ids are asked; of all other values only whether
they are there, null, or absent.
"""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    type_from_ast,
    visit,
)

from schema import conversions as to

Shaper = Callable[[Any], Any]


def shaper(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> Callable[[Mapping[str, Any]], Any]:
    """The function from coerced variables of ``operation`` to their shape."""
    special = _special(document)
    shapers: list[tuple[str, Shaper]] = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        kind = type_from_ast(schema, definition.type)
        shapers.append((name, special.get(name) or _of(kind)))  # type: ignore[arg-type]

    def shape(variables: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(each(variables[name]) if name in variables else "absent" for name, each in shapers)

    return shape


def _special(document: DocumentNode) -> dict[str, Shaper]:
    found: dict[str, Shaper] = {}

    class Uses(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    name = argument.value.name.value
                    if argument.name.value in ("first", "last", "action", "months"):
                        found[name] = to.itself
                    elif argument.name.value == "search":
                        found.setdefault(name, _words)
                    elif argument.name.value == "ids":
                        found.setdefault(name, _count)

    visit(document, Uses())
    return found


def _words(value: Any) -> Any:
    return None if value is None else tuple(to.is_short(word) for word in to.words(value))


def _count(value: Any) -> Any:
    return None if value is None else len(value)


def _present(value: Any) -> Any:
    return value is not None


def _of(kind: GraphQLInputType) -> Shaper:
    kind = get_nullable_type(kind)  # type: ignore[assignment]  # Of an input type, it is one too.
    named = get_named_type(kind)
    if is_list_type(kind):
        if not is_input_object_type(named):
            return _present
        inner = _of(kind.of_type)
        return lambda values: None if values is None else tuple(inner(value) for value in values)
    if is_input_object_type(named):
        # Filters nest in circles: the shapers of their fields are made when they are first needed.
        shapers: dict[str, Shaper] = {}

        def members(value: Any) -> Any:
            if value is None:
                return None
            shapes = []
            for name, member in value.items():
                if name not in shapers:
                    shapers[name] = _of(named.fields[name].type)
                shapes.append((name, shapers[name](member)))
            return tuple(shapes)

        return members
    if is_enum_type(named) or named.name == "Boolean":
        return to.enum_values
    return _present
