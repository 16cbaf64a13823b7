"""The docstrings of types, enums and resolvers, as descriptions in the schema."""

import inspect
from typing import Any

from graphql import GraphQLField, GraphQLNamedType, GraphQLSchema


def describe(schema: GraphQLSchema) -> None:
    """Give every type, and every field with a resolver, its docstring where it has no description yet."""
    for kind in schema.type_map.values():
        definition = _definition(kind)
        kind.description = kind.description or _of_class(
            getattr(definition, "origin", None) or getattr(definition, "wrapped_cls", None)
        )
        for field in getattr(kind, "fields", {}).values():
            resolver = getattr(_definition(field), "base_resolver", None)
            field.description = field.description or (inspect.getdoc(resolver.wrapped_func) if resolver else None)


def _definition(described: GraphQLNamedType | GraphQLField) -> Any:
    return described.extensions.get("strawberry-definition")


def _of_class(found: type | None) -> str | None:
    written: str | None = vars(found).get("__doc__") if found else None
    # A dataclass without a docstring has its signature there.
    if found is None or not written or written.startswith(f"{found.__name__}("):
        return None
    return inspect.cleandoc(written)
