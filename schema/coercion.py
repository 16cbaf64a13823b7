"""Coercion of variables, prepared once for each operation.

The rules and the leaves are graphql-core's; only the walk is ours, because graphql-core resolves the types of variables
anew for every request and visits all fields of an input object, of which a filter has thirty. Whatever does not fit is
left to graphql-core, whose errors name it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    type_from_ast,
)
from graphql.execution.values import get_variable_values

Coerce = Callable[[Any], Any]


class _UnfitError(Exception):
    pass


def coercer(
    schema: GraphQLSchema, operation: OperationDefinitionNode, shape: Callable[[Mapping[str, Any]], Any]
) -> Callable[[Mapping[str, Any]], tuple[dict[str, Any], Any] | None]:
    """From raw variables of ``operation`` to coerced ones and their shape; None where some do not fit."""
    prepared: list[tuple[str, Coerce, Any, bool]] = []
    for definition in operation.variable_definitions or ():
        kind: Any = type_from_ast(schema, definition.type)
        default: Any = Undefined
        if definition.default_value is not None:
            values = get_variable_values(schema, [definition], {})
            default = Undefined if isinstance(values, list) else values.coerced[definition.variable.name.value]
        prepared.append((definition.variable.name.value, _of(kind), default, is_non_null_type(kind)))

    def coerce(given: Mapping[str, Any]) -> tuple[dict[str, Any], Any] | None:
        found: dict[str, Any] = {}
        try:
            for name, each, default, required in prepared:
                if name in given:
                    found[name] = each(given[name])
                elif default is not Undefined:
                    found[name] = default
                elif required:
                    return None
            return found, shape(found)
        except (_UnfitError, RecursionError):
            return None

    return coerce


def _of(kind: GraphQLInputType) -> Coerce:
    if is_non_null_type(kind):
        inner = _of(kind.of_type)

        def required(value: Any) -> Any:
            if value is None:
                raise _UnfitError
            return inner(value)

        return required
    if is_list_type(kind):
        item = _of(kind.of_type)

        def listed(value: Any) -> Any:
            if value is None:
                return None
            return [item(each) for each in value] if isinstance(value, list) else [item(value)]

        return listed
    if is_input_object_type(kind):
        return _object(kind)
    if is_enum_type(kind):
        return _member(kind)
    leaf: Any = kind

    def scalar(value: Any) -> Any:
        if value is None:
            return None
        try:
            return leaf.coerce_input_value(value)
        except Exception:
            raise _UnfitError from None

    return scalar


def _member(kind: GraphQLEnumType) -> Coerce:
    # What graphql-core makes of each name, made once.
    members = {name: kind.coerce_input_value(name) for name in kind.values}

    def member(value: Any) -> Any:
        if value is None:
            return None
        found = members.get(value, Undefined) if type(value) is str else Undefined
        if found is Undefined:
            raise _UnfitError
        return found

    return member


def _object(kind: Any) -> Coerce:
    # Filters nest in circles: the fields are prepared when they are first given.
    fields: dict[str, Coerce] = {}
    defaults = {
        name: field.default_value for name, field in kind.fields.items() if field.default_value is not Undefined
    }
    required = [name for name, field in kind.fields.items() if is_non_null_type(field.type) and name not in defaults]

    def members(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _UnfitError
        found = {}
        for name, member in value.items():
            coerce = fields.get(name)
            if coerce is None:
                if name not in kind.fields:
                    raise _UnfitError
                coerce = fields[name] = _of(kind.fields[name].type)
            found[name] = coerce(member)
        for name in required:
            if name not in found:
                raise _UnfitError
        for name, default in defaults.items():
            found.setdefault(name, default)
        return found

    return members
