"""Writing values down in GraphQL: as literals, or as variables of the operation."""

import json
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    get_nullable_type,
    is_non_null_type,
)

from tests.oracle.filters import Chooser, Json


class Values:
    """The arguments of one operation, and the variables that they need."""

    def __init__(self, choose: Chooser) -> None:
        self.choose = choose
        self.definitions: list[str] = []
        self.variables: dict[str, Json] = {}
        self._known: dict[tuple[str, str], str] = {}

    def text(self, type_: Any, value: Json, *, often: int = 12) -> str:
        """``value`` as GraphQL; in ``often`` cases of a hundred it, or any part of it, becomes a variable."""
        if self.choose.chance(often):
            return self.variable(type_, value)
        inner = get_nullable_type(type_)
        if value is None:
            return "null"
        if isinstance(inner, GraphQLList):
            if not isinstance(value, list):
                return self.text(inner.of_type, value, often=0)
            return f"[{', '.join(self.text(inner.of_type, item) for item in value)}]"
        if isinstance(inner, GraphQLInputObjectType):
            members = (f"{name}: {self.text(inner.fields[name].type, part)}" for name, part in value.items())
            return f"{{{', '.join(members)}}}"
        return _leaf(inner, value)

    def variable(self, type_: Any, value: Json) -> str:
        """A variable of that value: a new one, or one that the operation has already."""
        known = (str(type_), json.dumps(value, sort_keys=True))
        if known in self._known and self.choose.chance(50):
            return f"${self._known[known]}"
        name = f"v{len(self.definitions)}"
        self._known[known] = name
        if self.choose.chance(10) and not (value is None and is_non_null_type(type_)):
            self.definitions.append(f"${name}: {type_} = {constant(type_, value)}")
        else:
            self.definitions.append(f"${name}: {type_}")
            self.variables[name] = value
        return f"${name}"

    def absent(self, type_: Any) -> str:
        """A variable that is declared and never given, which is as if the argument were not there."""
        name = f"v{len(self.definitions)}"
        self.definitions.append(f"${name}: {get_nullable_type(type_)}")
        return f"${name}"


def constant(type_: Any, value: Json) -> str:
    """``value`` as a literal without variables."""
    if isinstance(type_, GraphQLNonNull):
        return constant(type_.of_type, value)
    if value is None:
        return "null"
    if isinstance(type_, GraphQLList):
        items = value if isinstance(value, list) else [value]
        return f"[{', '.join(constant(type_.of_type, item) for item in items)}]"
    if isinstance(type_, GraphQLInputObjectType):
        return f"{{{', '.join(f'{n}: {constant(type_.fields[n].type, part)}' for n, part in value.items())}}}"
    return _leaf(type_, value)


def _leaf(type_: Any, value: Json) -> str:
    return value if isinstance(type_, GraphQLEnumType) else json.dumps(value, ensure_ascii=False)
