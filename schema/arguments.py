"""Arguments of fields as the operation gives them: values, and where in the variables they come from.

A statement is compiled once and run with many variables, so a bound value must be found again in later variables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
)
from graphql.execution.values import VariableValues
from graphql.utilities.coerce_input_value import coerce_input_literal

from app.errors import BadUserInputError
from app.reading.read import Convert, Operand

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """One given value of type ``kind``: a literal ``node``, or what stands at ``source`` in the variables."""

    kind: GraphQLInputType
    path: tuple[str, ...]
    variables: Variables
    node: ValueNode | None = None
    source: tuple[str | int, ...] | None = None
    default: Any = None

    @property
    def value(self) -> Any:
        """The coerced value."""
        if self.source is not None:
            found: Any = self.variables
            for step in self.source:
                found = found[step]
            return found
        if self.node is None:
            return self.default
        # Only the coerced values count for variables inside a literal; where they came from is of no use here.
        values = VariableValues({}, dict(self.variables))
        found = coerce_input_literal(self.node, self.kind, values)
        if found is Undefined:
            raise BadUserInputError(f"{self.name} has a value that is not of its type.", argument=self.name)
        return found

    @property
    def is_null(self) -> bool:
        """Whether null was given."""
        return isinstance(self.node, NullValueNode) if self.node is not None else self.value is None

    @property
    def name(self) -> str:
        """The path to this value in GraphQL names."""
        return ".".join(self.path)

    def members(self) -> Iterator["Given"]:
        """The fields of an input object that were given, and those that have defaults."""
        kind = get_nullable_type(self.kind)
        assert is_input_object_type(kind)
        if isinstance(self.node, ObjectValueNode):
            nodes = {field.name.value: field.value for field in self.node.fields}
            for name, field in kind.fields.items():
                if name in nodes:
                    child = from_node(nodes[name], field.type, (*self.path, name), self.variables)
                    if child is not None:
                        yield child
                        continue
                if field.default_value is not Undefined:
                    yield Given(field.type, (*self.path, name), self.variables, default=field.default_value)
            return
        for name in self.value:
            source = None if self.source is None else (*self.source, name)
            yield Given(
                kind.fields[name].type, (*self.path, name), self.variables, source=source, default=self.value[name]
            )

    def items(self) -> Iterator["Given"]:
        """The items of a list; one value alone is a list of itself."""
        kind = get_nullable_type(self.kind)
        assert is_list_type(kind)
        inner: GraphQLInputType = kind.of_type
        if isinstance(self.node, ListValueNode):
            for number, node in enumerate(self.node.values):
                child = from_node(node, inner, (*self.path, str(number)), self.variables)
                if child is not None:
                    yield child
        elif self.node is not None:
            yield Given(inner, (*self.path, "0"), self.variables, self.node)
        else:
            for number, value in enumerate(self.value):
                source = None if self.source is None else (*self.source, number)
                yield Given(inner, (*self.path, str(number)), self.variables, source=source, default=value)

    def operand(self, convert: Convert) -> Operand:
        """This value as an operand."""
        if self.source is not None:
            return Operand(convert, self.source)
        if self.node is not None and _holds_variable(self.node):
            given = self
            return Operand(lambda variables: convert(Given(given.kind, given.path, variables, given.node).value), ())
        return Operand(convert, None, self.value)


def _holds_variable(node: ValueNode) -> bool:
    if isinstance(node, VariableNode):
        return True
    if isinstance(node, ListValueNode):
        return any(_holds_variable(item) for item in node.values)
    return isinstance(node, ObjectValueNode) and any(_holds_variable(field.value) for field in node.fields)


def from_node(node: ValueNode, kind: GraphQLInputType, path: tuple[str, ...], variables: Variables) -> Given | None:
    """What ``node`` gives; None for a variable that was not given."""
    if isinstance(node, VariableNode):
        name = node.name.value
        return Given(kind, path, variables, source=(name,)) if name in variables else None
    return Given(kind, path, variables, node)


def arguments(definition: GraphQLField, node: FieldNode, variables: Variables) -> dict[str, Given]:
    """The arguments that a field was given, and those that have defaults. Absent ones are absent."""
    nodes = {argument.name.value: argument.value for argument in node.arguments or ()}
    found: dict[str, Given] = {}
    for name, argument in definition.args.items():
        given = from_node(nodes[name], argument.type, (name,), variables) if name in nodes else None
        if given is None and argument.default_value is not Undefined:
            given = Given(argument.type, (name,), variables, default=argument.default_value)
        if given is not None:
            found[name] = given
    return found
