"""Aggregates that make sense, made from one seed: entity, keys with buckets, figures, filters, conditions, orders."""

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from tests.analytics.group_shop import ZONES, Grouped
from tests.analytics.plain_groups import FUNCTIONS, ROOTS, Asked, Plain, field_type
from tests.oracle.filters import Chooser, Filters
from tests.oracle.scalars import print_time

BUCKETS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def names(plain: Plain, kind: str) -> list[str]:
    """The fields of a type."""
    type_: Any = plain.schema.type_map.get(kind)
    return list(type_.fields) if type_ is not None else []


def columns(plain: Plain, entity: str) -> list[tuple[str, str]]:
    """All that can be worked out of a group, but its count."""
    group: Any = plain.schema.type_map[f"{entity}Group"]
    return [
        (function, name)
        for function in FUNCTIONS
        if function in group.fields
        for name in names(plain, field_type(plain.schema, f"{entity}Group", function))
    ]


class Making:
    """Makes aggregates for one caller."""

    def __init__(self, shop: Grouped, who: str, seed: bytes) -> None:
        self.plain, self.choose = shop.plain(who), Chooser(seed)
        self.filters = Filters(self.choose, shop.oracle, self.plain.rights)
        self.wild = self.choose.chance(10)
        self.filters.wild = self.wild

    def asked(self) -> Asked:
        """One aggregate."""
        choose = self.choose
        open_ = [e for e in ROOTS if self.wild or self.plain.rights.has(e, "analyse")] or list(ROOTS)
        entity = choose.pick(open_)
        keys: dict[str, str | None] = {}
        for _ in range(choose.pick((0, 1, 1, 2, 2, 3, 4))):
            known = [n for n in names(self.plain, f"{entity}GroupKey") if self._may(entity, n)]
            if known:
                name = choose.pick(known)
                keys[name] = self._bucket(field_type(self.plain.schema, f"{entity}GroupKey", name))
        known = [pair for pair in columns(self.plain, entity) if self._may(entity, pair[1])]
        shown = list(dict.fromkeys(choose.some(known, 5)))
        asked = Asked(
            entity,
            keys=list(keys.items()),
            shown=shown,
            where=self.filters.where(entity) if choose.chance(40) else None,
            first=choose.pick((1, 2, 3, 100, 1000)),
            zone=choose.pick(ZONES) if choose.chance(40) else None,
        )
        order = [self._term(known, list(keys)) for _ in range(choose.pick((0, 0, 1, 2, 3)))]
        having = self._having(asked, known, 2) if choose.chance(50) else None
        return Asked(**{**asked.__dict__, "order": order, "having": having})

    def _may(self, entity: str, name: str) -> bool:
        return self.wild or not self.plain.forbidden(Asked(entity, shown=[("min", name)]))

    def _bucket(self, kind: str) -> str | None:
        if kind == "DateTime" or (kind == "Date" and self.choose.chance(70)):
            return self.choose.pick(BUCKETS)
        return None

    def _term(self, known: list[tuple[str, str]], keys: list[str]) -> Any:
        direction = self.choose.pick(("ASC", "DESC"))
        choices = [("count", ""), *known, *(("key", name) for name in keys)]
        function, name = self.choose.pick(choices)
        return {"count": direction} if function == "count" else {function: {name: direction}}

    def _having(self, asked: Asked, known: list[tuple[str, str]], depth: int) -> Any:
        choose = self.choose
        if depth and choose.chance(25):
            name = choose.pick(("and", "or", "not"))
            if name == "not":
                return {name: self._having(asked, known, depth - 1)}
            return {name: [self._having(asked, known, depth - 1) for _ in range(choose.below(3))]}
        found: dict[str, Any] = {}
        for _ in range(1 + choose.below(2)):
            function, name = choose.pick([("count", ""), ("count", ""), *known])
            if function == "count":
                found["count"] = self._operators([1, 2, 3, 5, 10])
            else:
                kind = field_type_of_input(self.plain, asked.entity, function, name)
                values = self._values(asked.entity, function, name, kind)
                found.setdefault(function, {})[name] = self._operators(values)
        return found

    def _values(self, entity: str, function: str, name: str, kind: str) -> list[Any]:
        """Values that such a figure has somewhere, as JSON."""
        rows = self.choose.some(self.plain.rights.rows.all(entity), 4)
        value = self.plain.figure(entity, rows, function, name)
        if isinstance(value, date) and not isinstance(value, datetime):
            return [value.isoformat()]
        if isinstance(value, datetime):
            return [print_time(value)]
        if kind == "DecimalFilter":
            exact = Fraction(value or 0)
            return [format((Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal("0.001")), "f")]
        if kind == "IntFilter":
            return [value or 0, 1, 2]
        return ["2024-03-01" if kind == "DateFilter" else "2024-03-01T00:00:00Z"]

    def _operators(self, values: list[Any]) -> Any:
        choose, found = self.choose, {}
        for _ in range(1 + choose.chance(20)):
            operator = choose.pick(("gte", "lte", "gt", "lt", "eq", "ne", "in", "isNull"))
            if operator == "isNull":
                found[operator] = choose.chance(50)
            else:
                found[operator] = choose.some(values, 3) if operator == "in" else choose.pick(values)
        return found


def field_type_of_input(plain: Plain, entity: str, function: str, name: str) -> str:
    """The name of the filter of one figure."""
    return field_type(plain.schema, field_type(plain.schema, f"{entity}Having", function), name)


@st.composite
def aggregates(draw: Any, shop: Grouped, who: str) -> Asked:
    """An aggregate that this user may ask for, mostly."""
    return Making(shop, who, draw(st.binary(min_size=8, max_size=8))).asked()
