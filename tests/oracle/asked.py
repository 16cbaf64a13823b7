"""What an operation asks, as a tree: field collection for the checks that come before anything is resolved.

Execution itself collects fields by graphql-core; this tree serves only to refuse a root field as a whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
)
from graphql.execution.values import get_argument_values, get_directive_values


@dataclass
class Asked:
    """One field that is asked: of which type, with which arguments, and what is asked below, type by type."""

    parent: str
    name: str
    key: str
    args: dict[str, Any]
    below: dict[str, list["Asked"]] = field(default_factory=dict)

    def children(self) -> Iterable["Asked"]:
        """All below, whatever the type."""
        for asked in self.below.values():
            yield from asked


Found = dict[str, list[FieldNode]]


class Collector:
    """Fields of one operation. A field whose arguments cannot be coerced raises graphql-core's error."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: Any) -> None:
        self.schema, self.fragments, self.variables = schema, fragments, variables

    def roots(self, type_: GraphQLObjectType, selections: SelectionSetNode) -> Found:
        """The nodes of each response key."""
        found: Found = {}
        self._collect(type_, selections, found)
        return found

    def asked(self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Asked:
        """The tree below one response key."""
        name = nodes[0].name.value
        if name == "__typename":
            return Asked(type_.name, name, key, {})
        definition = type_.fields[name]
        asked = Asked(type_.name, name, key, get_argument_values(definition, nodes[0], self.variables))
        target = get_named_type(definition.type)
        if is_composite_type(target):
            for concrete in self._concrete(target):
                found: Found = {}
                for node in nodes:
                    assert node.selection_set is not None
                    self._collect(concrete, node.selection_set, found)
                asked.below[concrete.name] = [self.asked(concrete, k, below) for k, below in found.items()]
        return asked

    def _concrete(self, type_: Any) -> list[GraphQLObjectType]:
        return list(self.schema.get_possible_types(type_)) if is_abstract_type(type_) else [type_]

    def _collect(self, type_: GraphQLObjectType, selections: SelectionSetNode, found: Found) -> None:
        for node in selections.selections:
            if not self._wanted(node):
                continue
            if isinstance(node, FieldNode):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                continue
            fragment: Any = self.fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            if fragment.type_condition is None or self._applies(type_, fragment.type_condition.name.value):
                self._collect(type_, fragment.selection_set, found)

    def _applies(self, type_: GraphQLObjectType, condition: str) -> bool:
        named = self.schema.type_map[condition]
        return named is type_ or (isinstance(named, GraphQLAbstractType) and self.schema.is_sub_type(named, type_))

    def _wanted(self, node: Any) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not (skip and skip["if"]) and not (include and not include["if"])
