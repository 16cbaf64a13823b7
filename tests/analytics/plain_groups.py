"""Groups in plain Python: the rows that a caller may see and analyse, one by one, with exact fractions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from graphql import GraphQLSchema, get_named_type

from tests.oracle import conditions
from tests.oracle.rights import Rights, minor_units
from tests.oracle.rows import TO_ONE, Row, typed_id

Rates = Mapping[str, Sequence[tuple[date, Decimal]]]
"""The rates of each currency by the day from which they hold, the earliest first."""

AMOUNTS = {
    "Order": ("subtotal", "discount", "shippingFee", "total"),
    "Opportunity": ("amount", "weightedAmount"),
    "Ticket": (),
    "Customer": (),
}
ROOTS = {
    "Order": "ordersAggregate",
    "Opportunity": "opportunitiesAggregate",
    "Ticket": "ticketsAggregate",
    "Customer": "customersAggregate",
}
FUNCTIONS = ("sum", "average", "min", "max", "countDistinct")


@dataclass(frozen=True)
class Asked:
    """One aggregate: arguments as JSON, and what is shown of a group as (function, name)."""

    entity: str
    keys: Sequence[tuple[str, str | None]] = ()
    shown: Sequence[tuple[str, str]] = ()
    where: Any = None
    having: Any = None
    order: Sequence[Any] = ()
    first: int = 100
    zone: str | None = None

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the document."""
        keys = [{"field": enum(name), **({"bucket": bucket} if bucket else {})} for name, bucket in self.keys]
        given = {"where": self.where, "having": self.having, "order": list(self.order), "zone": self.zone}
        return {"keys": keys, "first": self.first, **{name: value for name, value in given.items() if value}}

    def document(self, schema: GraphQLSchema) -> str:
        """The operation."""
        e = self.entity
        parts = []
        for function in FUNCTIONS:
            names = [name for of, name in self.shown if of == function]
            if names:
                kind = field_type(schema, f"{e}Group", function)
                parts.append(f"{function} {{ {' '.join(_shown(schema, kind, name) for name in names)} }}")
        keys = " ".join(_shown(schema, f"{e}GroupKey", name) for name, _ in self.keys)
        key = f"key {{ {keys or '__typename'} }}"
        return f"""
            query($where: {e}Filter, $keys: [{e}GroupBy!], $having: {e}Having, $order: [{e}GroupOrder!], $first: Int!,
                  $zone: String) {{
              found: {ROOTS[e]}(where: $where, groupBy: $keys, having: $having, orderBy: $order, first: $first,
                                timezone: $zone) {{ totalGroups groups {{ {key} count {" ".join(parts)} }} }} }}"""

    def paths(self) -> list[str]:
        """All values that it works on."""
        ordered = [(f, n) for f, n, _ in _terms(self.order) if f not in ("key", "count")]
        having = [(f, n) for f, n in _having_columns(self.having) if f != "count"]
        return [*(name for name, _ in self.keys), *(name for _, name in (*self.shown, *ordered, *having))]


def enum(name: str) -> str:
    """``PLACED_AT`` for ``placedAt``."""
    return "".join(f"_{c}" if c.isupper() else c.upper() for c in name)


def field_type(schema: GraphQLSchema, kind: str, name: str) -> str:
    """The name of the type of a field."""
    type_: Any = schema.type_map[kind]
    return get_named_type(type_.fields[name].type).name


def _shown(schema: GraphQLSchema, kind: str, name: str) -> str:
    named = field_type(schema, kind, name)
    if named == "Money":
        return f"{name} {{ amount currency }}"
    return f"{name} {{ id }}" if hasattr(schema.type_map[named], "fields") else name


def step(entity: str, name: str) -> tuple[str, str] | None:
    """The relation with which the way to a value begins, and the rest of it; None for a value of the row itself."""
    for relation in TO_ONE.get(entity, {}):
        rest = name.removeprefix(relation)
        if rest != name and (not rest or rest[0].isupper()):
            return relation, rest[:1].lower() + rest[1:]
    return None


@dataclass
class Group:
    """The rows of a group, and what they have in common as it is compared and as it is printed."""

    key: tuple[Any, ...]
    printed: dict[str, Any]
    places: dict[str, list[Any]]
    rows: list[Row] = field(default_factory=list)


class Plain:
    """The answers to one caller, in a shop whose currency is the euro."""

    def __init__(self, schema: GraphQLSchema, rights: Rights, rates: Rates, zone: str = "Europe/Berlin") -> None:
        self.schema, self.rights, self.rates, self.zone = schema, rights, rates, ZoneInfo(zone)
        self.left_out: dict[Any, str] = {}

    def forbidden(self, asked: Asked) -> bool:
        """Whether something is asked for that the caller can never have."""
        e, rights = asked.entity, self.rights
        if not rights.has(e) or not rights.has(e, "analyse"):
            return True
        if asked.where and conditions.forbidden_filter(rights, e, asked.where):
            return True
        paths = asked.paths()
        if any(name in AMOUNTS[e] for name in paths):
            paths.append("placedAt" if e == "Order" else "closedAt")
        return any(self._never(e, path) for path in paths)

    def _never(self, entity: str, path: str) -> bool:
        found = step(entity, path)
        if found is None:
            return self.rights.never_read(entity, _amount_of(entity) if path == "currency" else path)
        relation, rest = found
        target = TO_ONE[entity][relation]
        if not self.rights.has(target) or self.rights.never_read(entity, relation):
            return True
        return bool(rest) and self._never(target, rest)

    def answer(self, asked: Asked) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The data, and the note about what was left out."""
        self.left_out = {}
        groups = self._groups(asked)
        columns = {*asked.shown, *((f, n) for f, n, _ in _terms(asked.order)), *_having_columns(asked.having)}
        found = []
        for group in groups:
            values = {
                (function, name): self.figure(asked.entity, group.rows, function, name)
                for function, name in columns
                if function != "key"
            }
            if _having(asked.having or {}, values):
                found.append((group, values))
        for function, name, descending in reversed(self._ordered(asked)):
            width = max((len(group.places[name]) for group, _ in found), default=0) if function == "key" else 1
            for place in reversed(range(width)):

                def by(pair: Any, function: str = function, name: str = name, place: int = place) -> Any:
                    return pair[0].places[name][place] if function == "key" else pair[1][function, name]

                there = [pair for pair in found if by(pair) is not None]
                there.sort(key=by, reverse=descending)
                found = [*there, *(pair for pair in found if by(pair) is None)]
        shown = []
        for group, values in found[: asked.first]:
            one: dict[str, Any] = {"key": group.printed or {"__typename": f"{asked.entity}GroupKey"}}
            one["count"] = len(group.rows)
            for function in FUNCTIONS:
                inside = {n: self._print(asked.entity, f, n, values[f, n]) for f, n in asked.shown if f == function}
                if inside:
                    one[function] = inside
            shown.append(one)
        note = None
        if self.left_out:
            name = {"Order": "orders", "Opportunity": "opportunities"}[asked.entity]
            currencies = sorted(set(self.left_out.values()))
            note = {"code": "EXCHANGE_RATE_MISSING", "currencies": currencies, name: len(self.left_out)}
        return {"totalGroups": len(found), "groups": shown}, note

    def _ordered(self, asked: Asked) -> list[tuple[str, str, bool]]:
        terms = list(_terms(asked.order))
        named = {(function, name) for function, name, _ in terms}
        return [*terms, *(("key", name, False) for name, _ in asked.keys if ("key", name) not in named)]

    def _groups(self, asked: Asked) -> list[Group]:
        rights, zone = self.rights, ZoneInfo(asked.zone) if asked.zone else self.zone
        groups: dict[tuple[Any, ...], Group] = {}
        if not asked.keys:
            groups[()] = Group((), {}, {})
        for row in rights.rows.all(asked.entity):
            if not rights.visible(row) or not rights.can(row, "analyse"):
                continue
            if asked.where and not conditions.matches(rights, asked.entity, row, asked.where):
                continue
            keys = {name: self._bucketed(self.value(row, name), bucket, zone) for name, bucket in asked.keys}
            compared = tuple(getattr(value, "id", value) for value in keys.values())
            if compared not in groups:
                printed = {name: _printed(value) for name, value in keys.items()}
                places = {name: self._places(asked.entity, name, value) for name, value in keys.items()}
                groups[compared] = Group(compared, printed, places)
            groups[compared].rows.append(row)
        return list(groups.values())

    def value(self, row: Row | None, path: str) -> Any:
        """The value at the end of a path, or the row there; None where it is not to be seen."""
        if row is None:
            return None
        found = step(row.type, path)
        if found is not None:
            far = self.rights.one(row, found[0])
            return self.value(far, found[1]) if found[1] else far
        if path == "currency":
            return row.currency if self.rights.access(row, _amount_of(row.type)) == "READ" else None
        return self.rights.value(row, path)

    def _bucketed(self, value: Any, bucket: str | None, zone: ZoneInfo) -> Any:
        if value is None or bucket is None:
            return value
        if not isinstance(value, datetime):
            return _start(value, bucket)
        start = _start(value.astimezone(zone).date(), bucket)
        return datetime(start.year, start.month, start.day, tzinfo=zone).astimezone(UTC)

    def _places(self, entity: str, name: str, value: Any) -> list[Any]:
        """By what a key orders: members of a set as the schema lists them, stages and teams as they are listed."""
        named: Any = self.schema.type_map[field_type(self.schema, f"{entity}GroupKey", name)]
        if hasattr(named, "values"):
            return [None if value is None else list(named.values).index(value)]
        listed = {"Stage": "position", "Team": "name", "Role": "name"}.get(named.name)
        if listed is not None:
            return [None if value is None else self.rights.value(value, listed), getattr(value, "id", None)]
        return [getattr(value, "id", value)]

    def _amount(self, row: Row, name: str) -> Fraction | None:
        value = self.rights.value(row, name)
        if value is None:
            return None
        if row.currency == "EUR":
            return Fraction(value)
        moment = self.rights.value(row, "placedAt" if row.type == "Order" else "closedAt")
        if moment is None and row.type == "Opportunity":
            moment = self.rights.now
        day = moment and moment.astimezone(self.zone).date()
        known = [rate for start, rate in self.rates.get(row.currency, ()) if day and start <= day]
        if not known:
            self.left_out[row.id] = row.currency
            return None
        return Fraction(value) * Fraction(known[-1])

    def figure(self, entity: str, rows: Sequence[Row], function: str, name: str) -> Any:
        """What is worked out of rows, exact."""
        if function == "count":
            return len(rows)
        amount = name in AMOUNTS[entity] and function != "countDistinct"
        values = [self._amount(row, name) if amount else self.value(row, name) for row in rows]
        values = [value for value in values if value is not None]
        match function:
            case "countDistinct":
                return len({getattr(value, "id", value) for value in values})
            case "sum":
                return sum(map(Fraction, values), Fraction(0))
            case "average":
                return sum(map(Fraction, values), Fraction(0)) / len(values) if values else None
            case "min":
                return min(values, default=None)
        return max(values, default=None)

    def _print(self, entity: str, function: str, name: str, value: Any) -> Any:
        if value is None or function == "countDistinct":
            return value
        if name in AMOUNTS[entity] or (entity, name) == ("Customer", "revenue"):
            return {"amount": rounded(Fraction(value), minor_units("EUR")), "currency": "EUR"}
        return float(value) if isinstance(value, Fraction) else _printed(value)


def _amount_of(entity: str) -> str:
    return "total" if entity == "Order" else "amount"


def _start(day: date, bucket: str) -> date:
    match bucket:
        case "DAY":
            return day
        case "WEEK":
            return day - timedelta(days=day.weekday())
        case "MONTH":
            return day.replace(day=1)
        case "QUARTER":
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
    return day.replace(month=1, day=1)


def _printed(value: Any) -> Any:
    if isinstance(value, Row):
        return {"id": typed_id(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else value


def rounded(value: Fraction, places: int) -> str:
    """Half away from zero, with all its places."""
    scaled = abs(value) * 10**places
    whole = int(scaled + Fraction(1, 2))
    text = f"{whole:0{places + 1}d}"
    number = f"{text[:-places]}.{text[-places:]}" if places else text
    return f"-{number}" if value < 0 and whole else number


def _terms(order: Sequence[Any]) -> Iterator[tuple[str, str, bool]]:
    seen = set()
    for term in order:
        ((function, inner),) = term.items()
        name, direction = ("", inner) if function == "count" else next(iter(inner.items()))
        if (function, name) not in seen:
            seen.add((function, name))
            yield function, name, direction == "DESC"


def _having_columns(having: Any) -> Iterator[tuple[str, str]]:
    for name, operand in (having or {}).items():
        if name in ("and", "or"):
            for part in operand:
                yield from _having_columns(part)
        elif name == "not":
            yield from _having_columns(operand)
        elif name == "count":
            yield name, ""
        else:
            for inner in operand:
                yield name, inner


def _having(having: Any, values: Mapping[tuple[str, str], Any]) -> bool:
    for name, operand in having.items():
        match name:
            case "and":
                holds = all(_having(part, values) for part in operand)
            case "or":
                holds = any(_having(part, values) for part in operand)
            case "not":
                holds = not _having(operand, values)
            case "count":
                holds = _meets(values["count", ""], operand)
            case _:
                holds = all(_meets(values[name, inner], each) for inner, each in operand.items())
        if not holds:
            return False
    return True


def _meets(value: Any, operators: Mapping[str, Any]) -> bool:
    for operator, operand in operators.items():
        if isinstance(operand, Decimal):
            operand = Fraction(operand)
        if isinstance(operand, list):
            operand = [Fraction(each) if isinstance(each, Decimal) else each for each in operand]
        match operator:
            case "isNull":
                holds = (value is None) is operand
            case "ne":
                holds = value != operand
            case _:
                holds = value is not None and conditions.COMPARISONS[operator](value, operand)
        if not holds:
            return False
    return True
