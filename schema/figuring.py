"""From the selection of a figure to a plain value: its arguments, and what of it is shown."""

from collections.abc import Sequence
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_list_type,
)

from app.analytics.figure import Figure, FigureField, Record, Rows, Value
from app.analytics.figures import FIGURES
from app.reading.read import EVERYTHING, Constant, MoneyField
from schema import conversions as to
from schema.arguments import Given, arguments
from schema.filtering import entity_filter
from schema.mapping import entity_of
from schema.selection import Selection, money_part

ANALYTICS = "Analytics"
"""The type whose fields are figures."""


class Figuring:
    """Reads the figures of one operation with one set of variables."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection

    def figure(self, parent: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Figure:
        """The figure that one field asks for, all its nodes merged."""
        name = nodes[0].name.value
        definition = parent.fields[name]
        given = arguments(definition, nodes[0], self._selection.variables)
        where = given.pop("where", None)
        return Figure(
            name=name,
            many=is_list_type(get_nullable_type(definition.type)),
            fields=self._fields(definition, nodes),
            where=EVERYTHING if where is None or where.is_null else entity_filter(FIGURES[name].entity, where),
            given={key: _value(each) for key, each in given.items() if not each.is_null},
        )

    def _fields(self, definition: GraphQLField, nodes: Sequence[FieldNode]) -> tuple[FigureField, ...]:
        kind = cast(GraphQLObjectType, get_named_type(definition.type))
        collected = self._selection.collect(kind, (node.selection_set for node in nodes))
        return tuple(self._field(kind, key, asked) for key, asked in collected.items())

    def _field(self, kind: GraphQLObjectType, key: str, nodes: Sequence[FieldNode]) -> FigureField:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, kind.name)
        definition = kind.fields[name]
        named = get_named_type(definition.type)
        if not isinstance(named, GraphQLObjectType):
            return Value(key, name)
        if named.name == "Money":
            collected = self._selection.collect(named, (node.selection_set for node in nodes))
            return MoneyField(key, name, tuple(money_part(k, n[0].name.value) for k, n in collected.items()))
        entity = entity_of(named.name)
        if entity is not None:
            return Record(key, name, self._selection.record(entity, definition, nodes))
        return Rows(key, name, self._fields(definition, nodes))


def _value(given: Given) -> Any:
    """Numbers and members of enums make another statement; all else is bound."""
    kind = get_named_type(given.kind)
    if is_enum_type(kind):
        return to.enum_values(given.value)
    if kind.name == "Int":
        return given.value
    return given.operand(to.text(given.name) if kind.name == "String" else to.itself)
