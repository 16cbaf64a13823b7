"""Hostile operations: any field of the printed schema, with arguments that fit its types and nothing else."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
)

TEXTS = (
    *("", " ", "a", "%", "_", "\\", "'", '"', "''; DROP TABLE customers; --", "{}", "%s", "$1", "\0", "a\0b", "\r\n"),
    *("\u202e\u0000", "\ufeff", "e\u0301", "\U0001f469\u200d\U0001f469", "İ", "\u017f", "K", "\uffff", "x" * 600),
    *(
        "王芳",
        "a@b.example",
        "A@B.EXAMPLE",
        "\uff41\uff20\uff42\uff0eexample",
        "a@b.example\r\nBcc: c@d.example",
        "../../etc/passwd",
    ),
    *("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "NULL", "null", "true", "-1", "1e309", "NaN"),
    *("EUR", "eur", "XXX", "en", "Europe/Berlin", "x" * 20_000),
)
INTEGERS = (0, 1, 2, 3, 7, 100, 200, 201, -1, -(2**31), 2**31 - 1)
NUMBERS = (0.0, -0.0, 1.5, 1e308, -1e308, 5e-324, 1e15)
DECIMALS = (
    "0",
    "-0",
    "0.01",
    "10.00",
    "1234.50",
    "99999999999999.99",
    "1e400",
    "-1",
    "NaN",
    "Infinity",
    "0.001",
    "x",
    5,
)
TIMES = (
    *("2026-01-01T00:00:00Z", "2026-06-30T23:59:59.999999+00:00", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00"),
    *("9999-12-31T23:59:59.999999-14:00", "2026-02-30T00:00:00Z", "2016-12-31T23:59:60Z", "now", "infinity"),
)
DAYS = ("2026-01-01", "0001-01-01", "9999-12-31", "2026-02-30", "2024-02-29", "today", "-infinity")
DEEPEST = 4


class Hostile:
    """Writes operations by the chances of ``random``; ``ids`` are typed ids, by prefix, of which some are seen."""

    def __init__(self, schema: GraphQLSchema, random: Random, ids: Mapping[str, Sequence[str]]) -> None:
        self._schema = schema
        self._random = random
        self._ids = ids
        self._all = [id for each in ids.values() for id in each]
        self.variables: dict[str, Any] = {}
        self._definitions: list[str] = []

    def operation(self) -> str:
        """An operation; its variables are in ``variables``."""
        random = self._random
        mutation = random.random() < 0.5
        root = self._schema.mutation_type if mutation else self._schema.query_type
        assert root is not None
        count = 1 if mutation else random.choice((1, 1, 1, 2, 3))
        names = random.choices(list(root.fields), k=count)
        parts = [f"r{number}: {self._field(root, name, DEEPEST)}" for number, name in enumerate(names)]
        definitions = f"({', '.join(self._definitions)})" if self._definitions else ""
        return f"{'mutation' if mutation else 'query'} Hostile{definitions} {{ {' '.join(parts)} }}"

    def _field(self, parent: Any, name: str, depth: int) -> str:
        field = parent.fields[name]
        given = []
        for argument, definition in field.args.items():
            needed = isinstance(definition.type, GraphQLNonNull)
            if needed or self._random.random() < 0.4:
                variable = f"v{len(self._definitions)}"
                self._definitions.append(f"${variable}: {definition.type}")
                self.variables[variable] = self._value(definition.type, argument, 4)
                given.append(f"{argument}: ${variable}")
        text = name + (f"({', '.join(given)})" if given else "")
        kind = get_named_type(field.type)
        return f"{text} {self._selection(kind, depth - 1)}" if is_composite_type(kind) else text

    def _selection(self, kind: Any, depth: int) -> str:
        if isinstance(kind, GraphQLInterfaceType):
            possible = self._random.sample(list(self._schema.get_possible_types(kind)), 2)
            return (
                "{ __typename id " + " ".join(f"... on {each} {self._plain(each, depth)}" for each in possible) + " }"
            )
        return self._plain(kind, depth)

    def _plain(self, kind: GraphQLObjectType, depth: int) -> str:
        """Some fields of a type; twice asked with other arguments or as another type, a response key does not do."""
        leaves = [n for n, f in kind.fields.items() if not is_composite_type(get_named_type(f.type)) and not f.args]
        deep = [n for n in kind.fields if n not in leaves]
        found = ["__typename", *(["id"] if "id" in leaves else [])]
        if kind.name.endswith("Payload"):
            found += [n for n in leaves if n != "secret"]
            found += [self._aliased(kind, n, depth) for n in deep] if depth > 0 else []
        else:
            found += [f"{self._key()}: {n}" for n in self._random.sample(leaves, min(len(leaves), 3))]
            if depth > 0 and deep:
                found += [self._aliased(kind, n, depth) for n in self._random.sample(deep, min(len(deep), 2))]
        return "{ " + " ".join(found) + " }"

    def _aliased(self, kind: GraphQLObjectType, name: str, depth: int) -> str:
        return f"{self._key()}: {self._field(kind, name, depth)}"

    def _key(self) -> str:
        return f"k{self._random.getrandbits(40):x}"

    # Values

    def _value(self, kind: Any, name: str, depth: int) -> Any:
        random = self._random
        if isinstance(kind, GraphQLNonNull):
            return self._value(kind.of_type, name, depth) if random.random() > 0.01 else None
        if random.random() < 0.05:
            return None
        if isinstance(kind, GraphQLList):
            size = random.choice((0, 1, 1, 2, 3, 3, 250 if random.random() < 0.05 else 2))
            return [self._value(kind.of_type, name, depth - 1) for _ in range(size)]
        if isinstance(kind, GraphQLInputObjectType):
            return self._object(kind, depth)
        if isinstance(kind, GraphQLEnumType):
            return random.choice((*kind.values, *kind.values, *kind.values, "NO_SUCH"))
        assert isinstance(kind, GraphQLScalarType)
        return self._scalar(kind.name, name)

    def _object(self, kind: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        fields = list(kind.fields.items())
        chance = 0.6 if len(fields) < 10 and depth > 1 else 0.25 if depth > 0 else 0.0
        return {
            name: self._value(field.type, name, depth - 1)
            for name, field in fields
            if isinstance(field.type, GraphQLNonNull) or self._random.random() < chance
        }

    def _scalar(self, kind: str, name: str) -> Any:
        random = self._random
        choices: dict[str, Sequence[Any]] = {
            "Int": INTEGERS,
            "Float": NUMBERS,
            "Boolean": (True, False),
            "Decimal": DECIMALS,
            "DateTime": TIMES,
            "Date": DAYS,
        }
        if kind == "ID":
            return self._id(name)
        if kind == "Int" and name == "version":
            return random.choice((1, 1, 1, 2, 3, *INTEGERS))
        if kind in choices:
            return random.choice(choices[kind])
        return random.choice(TEXTS) if random.random() < 0.7 else self._id(name)

    def _id(self, name: str) -> str:
        random = self._random
        if random.random() < 0.15:
            return random.choice(("", "x", "cus_", "cus_" + "0" * 32, "CUS_" + "f" * 32, "1", "cus_" + "g" * 32, "\0"))
        likely = [p for p, kind in _PREFIXES.items() if kind in name.lower()]
        for prefix in likely:
            if self._ids.get(prefix) and random.random() < 0.9:
                return random.choice(self._ids[prefix])
        return random.choice(self._all)


_PREFIXES = {
    "cus": "customer",
    "con": "contact",
    "opp": "opportunity",
    "prd": "product",
    "stg": "stage",
    "ord": "order",
    "lin": "line",
    "tkt": "ticket",
    "usr": "owner",
    "tm": "team",
    "rol": "role",
}
