"""Filters, orders and searches that make sense to the caller: as plain JSON values, before they are written down."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from graphql import GraphQLSchema, get_named_type

from tests.oracle.execute import Oracle
from tests.oracle.pages import field_of
from tests.oracle.rights import Rights
from tests.oracle.rows import TABLES, TO_MANY, TO_ONE
from tests.oracle.vocabulary import date_forms, decimal_forms, other_case, searchable, time_forms, vocabulary

T = TypeVar("T")
Json = Any


class Chooser:
    """Choices from one seed. They are not drawn one by one: Hypothesis would try few shapes in many variations."""

    def __init__(self, seed: bytes) -> None:
        self._random = Random(seed)

    def below(self, limit: int) -> int:
        """A number from 0 up to ``limit``, without it."""
        return self._random.randrange(limit)

    def chance(self, percent: int) -> bool:
        """True in so many cases of a hundred."""
        return self._random.randrange(100) < percent

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[self._random.randrange(len(choices))]

    def some(self, choices: Sequence[T], most: int) -> list[T]:
        """Up to ``most`` of them, with repetitions; none if there are none."""
        return [self.pick(choices) for _ in range(self.below(most + 1))] if choices else []


class Filters:
    """Makes filters for one caller. ``wild`` ones do not care what the caller may ask, ``broken`` ones may be bad."""

    def __init__(self, choose: Chooser, oracle: Oracle, rights: Rights | None) -> None:
        self.choose, self.oracle, self.rights = choose, oracle, rights
        self.schema: GraphQLSchema = oracle.schema
        self.words = vocabulary(oracle)
        self.wild = self.broken = False

    # Rights

    def readable(self, entity: str, field: str) -> bool:
        """Whether the caller may filter and order by the field."""
        if self.wild or self.rights is None or field in ("id", "isNull"):
            return True
        target = TO_ONE.get(entity, {}).get(field) or TO_MANY.get(entity, {}).get(field, (None,))[0]
        return not self.rights.never_read(entity, field) and (target is None or self.rights.has(target))

    # Parts

    def where(self, entity: str, depth: int = 3, *, related: bool = False) -> Json:
        """A filter on ``entity`` that goes at most ``depth`` deep."""
        choose, fields = self.choose, self._input(f"{entity}Filter")
        if choose.chance(4):
            return {}
        if related and "isNull" in fields and choose.chance(15):
            return {"isNull": choose.chance(50)}
        plain = [f for f in fields if f not in ("and", "or", "not", "isNull") and self.readable(entity, f)]
        leaves = [f for f in plain if not self._target(entity, f)]
        deep = [f for f in plain if self._target(entity, f)]
        found: dict[str, Json] = {}
        for _ in range(1 + (choose.below(3) if choose.chance(40) else 0)):
            if depth > 1 and choose.chance(25) and "and" in fields:
                name = choose.pick(("not", "or", "and"))
                parts = [self.where(entity, depth - 1) for _ in range(choose.below(4) if name != "not" else 1)]
                found[name] = parts[0] if name == "not" else parts
            elif depth > 1 and deep and choose.chance(50):
                name = choose.pick(deep)
                found[name] = self._relation(entity, name, depth - 1)
            elif "isNull" in fields and choose.chance(2):
                found["isNull"] = choose.chance(50)
            elif leaves:
                name = choose.pick(leaves)
                found[name] = self._leaf(entity, name, fields[name])
        return found

    def _input(self, name: str) -> dict[str, str]:
        type_: Any = self.schema.type_map[name]
        return {field: get_named_type(value.type).name for field, value in type_.fields.items()}

    def _target(self, entity: str, name: str) -> str | None:
        return TO_ONE.get(entity, {}).get(name) or TO_MANY.get(entity, {}).get(name, (None,))[0]

    def _relation(self, entity: str, name: str, depth: int) -> Json:
        target = self._target(entity, name)
        assert target in TABLES
        if name in TO_ONE.get(entity, {}):
            return self.where(target, depth, related=True)
        found = {self.choose.pick(("some", "none")): self.where(target, depth)}
        if self.choose.chance(10):
            found[self.choose.pick(("some", "none"))] = self.where(target, depth)
        return found

    def _leaf(self, entity: str, name: str, type_: str) -> Json:
        if self.broken and self.choose.chance(15):
            return {"eq": None} if type_ not in ("StringListFilter", "ExternalRefFilter", "MoneyFilter") else {}
        match type_:
            case "IDFilter" if name != "id":
                return self._chosen([*self.words.values(entity, name), self.id("Customer")])
            case "IDFilter":
                return self._ids(entity)
            case "StringFilter":
                return self._text(self.words.values(entity, name))
            case "StringListFilter":
                return self._tags()
            case "BooleanFilter":
                return {self.choose.pick(("eq", "eq", "isNull")): self.choose.chance(50)}
            case "IntFilter":
                return self._compared(self.words.values(entity, name), lambda value: [value, value + 1])
            case "DecimalFilter":
                return self._compared(self.words.values(entity, name), decimal_forms)
            case "DateFilter":
                return self._compared(self.words.values(entity, name), date_forms)
            case "DateTimeFilter":
                return self._compared(self.words.values(entity, name), time_forms)
            case "MoneyFilter":
                return self._money(entity, name)
            case "ExternalRefFilter":
                found: Json = {"system": self.choose.pick([*self.words.systems, "none", "ERP"])}
                return found | ({"id": self._text(self.words.external)} if self.choose.chance(50) else {})
        enum: Any = get_named_type(self._fields(type_)["eq"].type)
        return self._chosen(list(enum.values))

    def _fields(self, name: str) -> Any:
        type_: Any = self.schema.type_map[name]
        return type_.fields

    def id(self, entity: str, among: Sequence[str] | None = None) -> str:
        """Mostly the id of a row of ``entity``; a broken one may be anything."""
        choose = self.choose
        if self.broken and choose.chance(40):
            other = choose.pick(("Customer", "User", "Stage"))
            broken = ("", "cus_", "cus_123", "nonsense", choose.pick(self.words.ids(entity)).upper())
            return choose.pick((choose.pick(self.words.ids(other)), *broken))
        return choose.pick(among or self.words.ids(entity))

    def _ids(self, entity: str) -> Json:
        choose = self.choose
        operator = choose.pick(("in", "eq", "ne", "notIn"))
        if operator in ("in", "notIn"):
            return {operator: [self.id(entity) for _ in range(choose.below(6))]}
        return {operator: self.id(entity)}

    def _chosen(self, values: Sequence[str]) -> Json:
        operator = self.choose.pick(("eq", "in", "ne", "notIn"))
        return {operator: self.choose.some(values, 3) if operator in ("in", "notIn") else self.choose.pick(values)}

    def _text(self, values: Sequence[str]) -> Json:
        choose, found = self.choose, {}
        for _ in range(2 if choose.chance(12) else 1):
            text = choose.pick(values) if values else "x"
            operator = choose.pick(("contains", "startsWith", "endsWith", "eq", "ne", "in", "notIn", "isNull"))
            found[operator] = self._operand(operator, text, values)
        return found

    def _operand(self, operator: str, text: str, values: Sequence[str]) -> Json:
        choose = self.choose
        if operator == "isNull":
            return choose.chance(50)
        if operator in ("in", "notIn"):
            return choose.some(values, 3)
        if operator in ("eq", "ne"):
            return other_case(text) if choose.chance(10) else text
        size = 1 + choose.below(4)
        start = {"contains": choose.below(len(text) or 1), "startsWith": 0, "endsWith": max(len(text) - size, 0)}[
            operator
        ]
        part = text[start:] if operator == "endsWith" else text[start : start + size]
        return other_case(part) if choose.chance(40) else part

    def _tags(self) -> Json:
        choose, tags = self.choose, [*self.words.tags(), "absent"]
        operator = choose.pick(("has", "hasAny", "hasAll", "isEmpty"))
        if operator == "isEmpty":
            return {operator: choose.chance(50)}
        return {operator: choose.pick(tags) if operator == "has" else choose.some(tags, 3)}

    def _compared(self, values: Sequence[T], forms: Callable[[T], list[Any]]) -> Json:
        choose, found = self.choose, {}
        if not values:
            return {"isNull": choose.chance(50)}
        for _ in range(2 if choose.chance(30) else 1):
            operator = choose.pick(("gte", "lt", "lte", "gt", "eq", "ne", "in", "isNull"))
            if operator == "isNull":
                found[operator] = choose.chance(50)
            elif operator == "in":
                found[operator] = [choose.pick(forms(value)) for value in choose.some(values, 3)]
            else:
                found[operator] = choose.pick(forms(choose.pick(values)))
        return found

    def _money(self, entity: str, name: str) -> Json:
        found = {}
        if self.choose.chance(70):
            found["amount"] = self._compared(self.words.values(entity, name), decimal_forms)
        if self.choose.chance(50):
            found["currency"] = self._text(self.words.currencies(entity))
        return found

    # Orders and searches

    def order(self, entity: str) -> Json:
        """One to three terms."""
        choose = self.choose
        type_: Any = self.schema.type_map[f"{entity}OrderField"]
        fields = [term for term in type_.values if self.readable(entity, field_of(term))]
        found: list[Json] = []
        for _ in range(1 + choose.below(3) if choose.chance(50) else 1):
            direction = choose.pick((None, "DESC", "ASC"))
            found.append({"field": choose.pick(fields)} | ({"direction": direction} if direction else {}))
        return found

    def search(self, entity: str) -> str:
        """Parts of the texts of one row, so that there is something to find."""
        choose = self.choose
        rows = [row for row in self.oracle.rows.all(entity) if self.rights is None or self.rights.visible(row)]
        texts = searchable(choose.pick(rows)) if rows else []
        if not texts or choose.chance(3):
            return choose.pick((" ", "", "absent", "\t\n"))
        found = [self._piece(choose.pick(texts)) for _ in range(1 + choose.below(2))]
        return choose.pick((" ", "  ", "\u3000")).join(found)

    def _piece(self, text: str) -> str:
        choose = self.choose
        if choose.chance(35):
            part = text[: 1 + choose.below(2)]
        else:
            start = choose.below(max(len(text) - 2, 1))
            part = text[start : start + 3 + choose.below(4)]
        return other_case(part) if choose.chance(40) else part
