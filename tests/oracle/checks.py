"""The refusals that are decided for a root field as a whole, before it runs."""

from collections.abc import Callable, Iterable
from typing import Any

from graphql import GraphQLSchema, get_named_type, is_non_null_type

from tests.oracle import conditions
from tests.oracle.asked import Asked
from tests.oracle.pages import field_of
from tests.oracle.rights import Rights
from tests.oracle.rows import NODES, TO_MANY, TO_ONE

SINGLE = {
    "customer": "Customer",
    "contact": "Contact",
    "opportunity": "Opportunity",
    "product": "Product",
    "order": "Order",
    "ticket": "Ticket",
    "user": "User",
}
PLURAL = {
    "customers": "Customer",
    "contacts": "Contact",
    "opportunities": "Opportunity",
    "products": "Product",
    "orders": "Order",
    "tickets": "Ticket",
    "users": "User",
    "auditEvents": "AuditEvent",
    "apiTokens": "ApiToken",
}
PLAIN = {"stages": "Stage", "teams": "Team", "roles": "Role", "slaPolicy": "SlaPolicy"}
ACTIONS = {
    "Customer": "read create update delete restore merge assign erase import reveal lookup bulk export history analyse",
    "Contact": "read create update delete restore import export history",
    "Opportunity": "read create update move win lose reopen delete restore import bulk export history analyse",
    "Order": "read create update pay ship deliver complete cancel refund import export history analyse",
    "Ticket": "read create update comment pending resolve close reopen rate assign delete restore import bulk export"
    " history analyse",
}
"""What viewerCan takes, by type."""
LARGEST = 200
MOST_WORDS = 8

FindCursor = Callable[[str, str], Any]
"""(entity, cursor) → the row, or None where the cursor is not one of that entity."""


# BAD_USER_INPUT


def bad_input(schema: GraphQLSchema, asked: Asked, cursor: FindCursor) -> bool:
    """Whether an argument of the field, or of one below, has a value that it may not have."""
    return _bad(schema, asked, cursor) or any(bad_input(schema, child, cursor) for child in asked.children())


def _bad(schema: GraphQLSchema, asked: Asked, cursor: FindCursor) -> bool:
    args = asked.args
    if any(map(_unstorable, args.values())):
        return True
    if asked.name == "viewerCan":
        return args["action"] not in ACTIONS[asked.parent].split()
    if asked.parent == "Query" and asked.name in SINGLE:
        return conditions.parse_id(args["id"], SINGLE[asked.name]) is None
    if asked.name == "nodes" and asked.parent == "Query":
        return len(args["ids"]) > LARGEST
    entity = connected(schema, asked)
    return entity is not None and _bad_list(entity, args, cursor)


def _bad_list(entity: str, args: dict[str, Any], cursor: FindCursor) -> bool:
    sizes = [args[name] for name in ("first", "last") if name in args]
    if len(sizes) > 1 or any(size is None or not 1 <= size <= LARGEST for size in sizes):
        return True
    places = [args[name] for name in ("after", "before") if args.get(name) is not None]
    if any(cursor(entity, place) is None for place in places):
        return True
    where = args.get("where")
    if where is not None and (conditions.has_null(where) or conditions.bad_ids(entity, where)):
        return True
    return len(conditions.words(args.get("search"))) > MOST_WORDS


def _unstorable(value: Any) -> bool:
    """Whether text somewhere in ``value`` is not text to PostgreSQL: NUL, or half of a surrogate pair."""
    if isinstance(value, dict):
        return any(map(_unstorable, value.values()))
    if isinstance(value, list):
        return any(map(_unstorable, value))
    return isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)


def connected(schema: GraphQLSchema, asked: Asked) -> str | None:
    """The entity whose rows the field pages through, if it is a connection."""
    parent: Any = schema.type_map[asked.parent]
    if asked.name.startswith("__"):
        return None
    name = get_named_type(parent.fields[asked.name].type).name
    return name.removesuffix("Connection") if name.endswith("Connection") else None


# FORBIDDEN


def closed(rights: Rights, name: str) -> bool:
    """Whether the role has no grant at all on the entity of a root field, which is told before anything else."""
    entity = SINGLE.get(name) or PLURAL.get(name) or PLAIN.get(name)
    return entity is not None and not rights.has(entity)


def forbidden(schema: GraphQLSchema, rights: Rights, asked: Asked) -> bool:
    """Whether the root field asks for something that the role never has."""
    name, args = asked.name, asked.args
    if name in ("node", "nodes"):
        # Whatever the ids are: a refusal must not tell whose they are.
        return any(_object(schema, rights, entity, asked.below[entity]) for entity in NODES if rights.has(entity))
    if name == "viewer":
        sessions = [each for child in asked.children() if child.name == "sessions" for each in child.children()]
        return any(
            child.name in ("user", "impersonator")
            and (not rights.has("User") or _object(schema, rights, "User", child.below["User"]))
            for child in (*asked.children(), *sessions)
        )
    entity = SINGLE.get(name) or PLURAL.get(name) or PLAIN.get(name)
    if entity is None:
        return False
    if not rights.has(entity) or (args.get("includeDeleted") and not rights.has(entity, "restore")):
        return True
    return (
        _list(schema, rights, entity, asked) if name in PLURAL else _object(schema, rights, entity, asked.below[entity])
    )


def entity_of(id: str) -> str | None:
    """The entity that ``node`` looks the id up in."""
    return next((e for e in NODES if conditions.parse_id(id, e) is not None), None)


def _list(schema: GraphQLSchema, rights: Rights, entity: str, asked: Asked) -> bool:
    args = asked.args
    if args.get("where") and conditions.forbidden_filter(rights, entity, args["where"]):
        return True
    for term in args.get("orderBy") or ():
        if rights.never_read(entity, field_of(term["field"])):
            return True
    if conditions.forbidden_search(rights, entity, args.get("search")):
        return True
    return any(_object(schema, rights, entity, rows) for rows in _rows_of(asked, entity))


def _rows_of(asked: Asked, entity: str) -> Iterable[list[Asked]]:
    for child in asked.children():
        if child.name == "nodes":
            yield child.below[entity]
        elif child.name == "edges":
            for edge in child.children():
                if edge.name == "node":
                    yield edge.below[entity]


def _object(schema: GraphQLSchema, rights: Rights, entity: str, selected: list[Asked]) -> bool:
    return any(_field(schema, rights, entity, asked) for asked in selected)


def _field(schema: GraphQLSchema, rights: Rights, entity: str, asked: Asked) -> bool:
    if asked.name in ("id", "__typename", "viewerCan"):
        return False
    if asked.name == "history":
        return not rights.has(entity, "history") or _list(schema, rights, "AuditEvent", asked)
    if rights.hidden(entity, asked.name):
        return True
    target = TO_ONE.get(entity, {}).get(asked.name) or TO_MANY.get(entity, {}).get(asked.name, (None,))[0]
    if target is None or target == "Grant":
        return False
    if not rights.has(target):
        parent: Any = schema.type_map[entity]
        return bool(is_non_null_type(parent.fields[asked.name].type))
    if connected(schema, asked):
        return _list(schema, rights, target, asked)
    return _object(schema, rights, target, asked.below[target])
