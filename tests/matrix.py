"""What the policy table promises, worked out without the code that keeps it: who is refused what, on which path."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    is_enum_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from app.models.enums import FieldAccess, RowScope
from auth.policy import ENTITIES, POLICY, FieldRule, Rule
from schema.schema import build_schema
from tests.oracle.conditions import SEARCHED
from tests.oracle.rights import NEEDS, SOURCES
from tests.oracle.rows import PREFIXES

SCHEMA = build_schema().graphql

CALLERS = {
    "ADMIN": "admin",
    "AUDITOR": "auditor",
    "MANAGER": "manager_north",
    "SALES": "sales_north",
    "SUPPORT": "support_north",
    "MARKETING": "marketing",
    "ANALYST": "analyst",
    "INTEGRATION": "integration",
}
"""Role → label of the user in the shop who has it. All who need a team have one."""

LISTS = {
    "Customer": "customers",
    "Contact": "contacts",
    "Opportunity": "opportunities",
    "Product": "products",
    "Order": "orders",
    "Ticket": "tickets",
    "User": "users",
    "AuditEvent": "auditEvents",
    "ApiToken": "apiTokens",
}
"""The entities that are listed page by page at the root."""

_WAYS = {
    **{entity: ((entity,), f"{name}(first: 3) {{ nodes {{ %s }} }}") for entity, name in LISTS.items()},
    "Stage": (("Stage",), "stages { %s }"),
    "Team": (("Team",), "teams { %s }"),
    "SlaPolicy": (("SlaPolicy",), "slaPolicy { %s }"),
    "ExchangeRate": (("ExchangeRate",), "exchangeRates { %s }"),
    "Role": (("Role",), "roles { %s }"),
    "StageChange": (("Opportunity", "StageChange"), "opportunities(first: 3) { nodes { stageChanges { %s } } }"),
    "OrderLine": (("Order", "OrderLine"), "orders(first: 3) { nodes { lines { %s } } }"),
    "OrderStatusChange": (("Order", "OrderStatusChange"), "orders(first: 3) { nodes { statusChanges { %s } } }"),
    "TicketComment": (("Ticket", "TicketComment"), "tickets(first: 3) { nodes { comments { nodes { %s } } } }"),
}
"""Entity → the entities that one passes on the way to it from the root, and the operation with a place for fields."""

assert set(_WAYS) == set(ENTITIES) == set(PREFIXES)


@dataclass(frozen=True)
class Refusal:
    """What a refusal must name."""

    entity: str
    field: str | tuple[str, ...] | None = None


@dataclass(frozen=True)
class Case:
    """One operation, and how it must end for one role: ``None`` is without any error.

    It is a ``frame`` with one ``part`` in it; parts of one frame can be asked together.
    """

    role: str
    subject: str
    path: str
    frame: str
    part: str
    expected: Refusal | None
    id: str | None = None
    """The typed id for which the operation asks, where it is one of a single record."""

    @property
    def document(self) -> str:
        return together([self])

    def __str__(self) -> str:
        return f"{self.role} / {self.subject} / {self.path}"


def together(cases: Sequence[Case]) -> str:
    """One operation that asks for all of one frame."""
    return cases[0].frame % " ".join(case.part for case in cases)


# The table


def grant(role: str, entity: str) -> Rule | None:
    return POLICY[role].grants.get(entity, {}).get("read")


def rule(role: str, entity: str, field: str) -> FieldRule:
    found = grant(role, entity)
    assert found is not None
    return found.fields.get(field, FieldRule())


def accesses(role: str, entity: str, field: str) -> list[set[FieldAccess]]:
    """The accesses that are possible for the field and for each of its sources; all hold at once."""
    if (entity, field) in NEEDS and grant(role, NEEDS[entity, field]) is None:
        return [{FieldAccess.HIDDEN}]
    found = []
    for name in (field, *SOURCES.get((entity, field), ())):
        said = rule(role, entity, name)
        everywhere = said.on_rows is RowScope.ALL or said.on_rows is grant(role, entity).rows  # type: ignore[union-attr]
        found.append({said.access} if everywhere else {said.access, said.otherwise})
    return found


def hidden(role: str, entity: str, field: str) -> bool:
    return any(possible == {FieldAccess.HIDDEN} for possible in accesses(role, entity, field))


def never_read(role: str, entity: str, field: str) -> bool:
    return any(FieldAccess.READ not in possible for possible in accesses(role, entity, field))


# The schema


def kind(entity: str) -> GraphQLObjectType:
    found = SCHEMA.type_map[entity]
    assert isinstance(found, GraphQLObjectType)
    return found


def target(entity: str, field: str) -> str | None:
    """The entity at the end of a relation; None where the field is not one."""
    name = get_named_type(kind(entity).fields[field].type).name.removesuffix("Connection")
    return name if name in ENTITIES else None


def selection(entity: str, field: str, inner: str = "id") -> str:
    """The field as it is selected, with something inside where it needs that."""
    named = get_named_type(kind(entity).fields[field].type)
    if named.name.endswith("Connection"):
        return f"{field} {{ nodes {{ {inner} }} }}"
    if not is_object_type(named):
        return field
    parts = {"Money": "amount currency", "Grant": "entity action fields { field access }", "ExternalRef": "system id"}
    parts["RfmScores"] = "recency frequency monetary"
    return f"{field} {{ {parts.get(named.name, inner)} }}"


def _demands(entity: str, field: str) -> bool:
    """Whether a relation without a right on its end is refused, and not null."""
    found = kind(entity).fields[field].type
    return is_non_null_type(found) or is_list_type(found)


def _operand(type_: GraphQLInputObjectType) -> str:
    """Some operand that a filter of this type takes."""
    fields = type_.fields
    if type_.name == "MoneyFilter":
        return "{ amount: { isNull: false } }"
    if type_.name == "ExternalRefFilter":
        return '{ system: "erp" }'
    if type_.name == "IDFilter":
        return "{ notIn: [] }"
    if "some" in fields:
        return "{ some: {} }"
    if "hasAny" in fields:
        return '{ has: "vip" }'
    eq = fields.get("eq")
    if eq is None:
        return "{}"
    if "isNull" in fields:
        return "{ isNull: false }"
    named = get_named_type(eq.type)
    assert is_enum_type(named)
    return f"{{ ne: {next(iter(named.values))} }}"


def filters(entity: str) -> dict[str, str]:
    """The fields by which rows can be filtered, each with a filter."""
    type_ = SCHEMA.type_map.get(f"{entity}Filter")
    if not isinstance(type_, GraphQLInputObjectType):
        return {}
    own = {"and", "or", "not", "id", "isNull"}
    return {
        name: f"{name}: {_operand(get_named_type(field.type))}"  # type: ignore[arg-type]
        for name, field in type_.fields.items()
        if name not in own
    }


def orders(entity: str) -> dict[str, str]:
    """The fields by which rows can be ordered, each with its term."""
    type_ = SCHEMA.type_map.get(f"{entity}OrderField")
    if not isinstance(type_, GraphQLEnumType):
        return {}
    found = {}
    for term in type_.values:
        first, *rest = term.lower().split("_")
        found[first + "".join(word.title() for word in rest)] = f"{{ field: {term} }}"
    return found


# Expectations


def way_refusal(role: str, entities: Sequence[str]) -> Refusal | None:
    return next((Refusal(entity) for entity in entities if grant(role, entity) is None), None)


def selected(role: str, entity: str, field: str) -> Refusal | None:
    if hidden(role, entity, field):
        return Refusal(entity, field)
    for end in (target(entity, field), NEEDS.get((entity, field)), {"userCount": "User"}.get(field)):
        if end is not None and grant(role, end) is None and (end != target(entity, field) or _demands(entity, field)):
            return Refusal(end)
    return None


def filtered(role: str, entity: str, field: str) -> Refusal | None:
    if never_read(role, entity, field):
        return Refusal(entity, field)
    end = target(entity, field)
    return Refusal(end) if end is not None and grant(role, end) is None else None


# The cases


def cases(role: str, ids: dict[str, str]) -> Iterator[Case]:
    """Every case of a role. ``ids`` has the typed id of some row, visible or not, for each entity with ``node``."""
    for entity in ENTITIES:
        yield from _selecting(role, entity)
        yield from _related(role, entity)
        yield from _filtering(role, entity)
        if entity in ids:
            yield from _by_id(role, entity, ids[entity])


def _selecting(role: str, entity: str) -> Iterator[Case]:
    passed, way = _WAYS[entity]
    closed = way_refusal(role, passed)
    for field in ENTITIES[entity]:
        expected = closed or selected(role, entity, field)
        yield Case(role, f"{entity}.{field}", "select", f"{{ {way} }}", selection(entity, field), expected)


def _related(role: str, start: str) -> Iterator[Case]:
    """Fields of the rows at the end of each relation of ``start``."""
    passed, way = _WAYS[start]
    for relation in ENTITIES[start]:
        end = target(start, relation)
        if end is None:
            continue
        closed = way_refusal(role, passed)
        if closed is None and hidden(role, start, relation):
            closed = Refusal(start, relation)
        for field in ENTITIES[end]:
            if grant(role, end) is not None:
                expected = closed or selected(role, end, field)
            else:
                expected = closed or (Refusal(end) if _demands(start, relation) else None)
            path = f"select through {start}.{relation}"
            part = selection(start, relation, selection(end, field))
            yield Case(role, f"{end}.{field}", path, f"{{ {way} }}", part, expected)
        if "where" in kind(start).fields[relation].args:
            yield from _below(role, f"{start}.{relation}", end, closed or way_refusal(role, (end,)), way)


def _below(role: str, place: str, entity: str, closed: Refusal | None, way: str) -> Iterator[Case]:
    """Filters and orders of a connection below another row."""
    relation = place.partition(".")[2]
    frame = f"{{ {way % f'{relation}(where: {{ %s }}) {{ totalCount }}'} }}"
    for field, text in filters(entity).items():
        expected = closed or filtered(role, entity, field)
        yield Case(role, f"{entity}.{field}", f"filter and count at {place}", frame, text, expected)
    frame = f"{{ {way % f'{relation}(orderBy: [%s]) {{ nodes {{ id }} }}'} }}"
    for field, text in orders(entity).items():
        expected = closed or (Refusal(entity, field) if never_read(role, entity, field) else None)
        yield Case(role, f"{entity}.{field}", f"order at {place}", frame, text, expected)


def _filtering(role: str, entity: str) -> Iterator[Case]:
    if entity not in LISTS:
        return
    root = LISTS[entity]
    closed = way_refusal(role, (entity,))
    frame = f"{{ {root}(first: 1, where: {{ or: [%s] }}) {{ nodes {{ id }} totalCount }} }}"
    for field, text in filters(entity).items():
        expected = closed or filtered(role, entity, field)
        yield Case(role, f"{entity}.{field}", "filter and count", frame, f"{{ {text} }}", expected)
        end = target(entity, field)
        for name, inner in filters(end).items() if end is not None else ():
            through = expected or filtered(role, end or "", name)
            below = f"{{ {field}: {{ {f'some: {{ {inner} }}' if 'some' in text else inner} }} }}"
            yield Case(role, f"{end}.{name}", f"filter through {entity}.{field}", frame, below, through)
    for field, text in orders(entity).items():
        expected = closed or (Refusal(entity, field) if never_read(role, entity, field) else None)
        frame = f"{{ {root}(orderBy: [%s]) {{ edges {{ cursor }} }} }}"
        yield Case(role, f"{entity}.{field}", "order", frame, text, expected)
    if entity not in SEARCHED:
        return
    searched = SEARCHED[entity]
    expected = closed
    if closed is None and all(never_read(role, entity, field) for field in searched):
        expected = Refusal(entity, searched[0] if len(searched) == 1 else searched)
    yield Case(role, entity, "search", f"{{ {root}(%s) {{ totalCount }} }}", 'search: "probe a"', expected)


def _by_id(role: str, entity: str, id: str) -> Iterator[Case]:
    single = entity[0].lower() + entity[1:]
    assert SCHEMA.query_type is not None
    for field in ENTITIES[entity]:
        expected = None if grant(role, entity) is None else selected(role, entity, field)
        # Two types may each have a field of that name and not of one type, so every one has a key of its own.
        part = f"... on {entity} {{ {entity}_{field}: {selection(entity, field)} }}"
        for path, root in (("node", "node(id: $id)"), ("nodes", "nodes(ids: [$id])")):
            frame = f"query($id: ID!) {{ {root} {{ %s }} }}"
            yield Case(role, f"{entity}.{field}", path, frame, part, expected, id)
        if single in SCHEMA.query_type.fields:
            closed = way_refusal(role, (entity,)) or expected
            frame = f"query($id: ID!) {{ {single}(id: $id) {{ %s }} }}"
            yield Case(role, f"{entity}.{field}", "by id", frame, selection(entity, field), closed, id)
