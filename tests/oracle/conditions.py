"""Filters and search: whether a row meets them, and what a caller may not ask of them.

A condition looks at values through ``Rights.value``, so that what is not READ on a row is None there. An absent related
row is None too: every field of it is None and every list of it empty.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from tests.oracle.history import RECORDED
from tests.oracle.rights import Rights
from tests.oracle.rows import PREFIXES, TO_MANY, TO_ONE, Row

SEARCHED = {
    "Customer": ("name", "code", "email", "phone"),
    "Contact": ("firstName", "lastName", "email", "phone"),
    "Opportunity": ("name",),
    "Product": ("sku", "name"),
    "Order": ("number",),
    "Ticket": ("number", "subject"),
    "User": ("name", "email"),
}
MONEY = {
    "Opportunity": ("amount",),
    "Product": ("price",),
    "Order": ("total",),
    "OrderLine": ("unitPrice",),
}
Where = dict[str, Any]


def parse_id(text: str, entity: str) -> UUID | None:
    """The UUID in a typed id of ``entity``, or None where the text is not one."""
    prefix, _, digits = text.partition("_")
    if prefix != PREFIXES[entity] or len(digits) != 32 or set(digits) - set("0123456789abcdef"):
        return None
    return UUID(digits)


def lower(text: str) -> str:
    """Simple lowercase: one character for one, whatever stands around it."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


# Filters


def matches(rights: Rights, entity: str, row: Row | None, where: Where) -> bool:
    """Whether ``row`` of ``entity`` meets every member of ``where``."""
    return all(_member(rights, entity, row, name, operand) for name, operand in where.items())


def _member(rights: Rights, entity: str, row: Row | None, name: str, operand: Any) -> bool:
    match name:
        case "and":
            return all(matches(rights, entity, row, part) for part in operand)
        case "or":
            return any(matches(rights, entity, row, part) for part in operand)
        case "not":
            return not matches(rights, entity, row, operand)
        case "isNull":
            return (row is None) is operand
        case "id":
            return _leaf(None if row is None else row.id, _ids(operand, entity))
        case "entityId":
            return _leaf(rights.value(row, name), operand)
        case "externalRefs":
            readable = row is not None and rights.access(row, name) == "READ"
            return readable and any(
                system == operand["system"] and _leaf(id, operand.get("id", {})) for system, id in row.refs
            )
    if name in TO_ONE.get(entity, {}):
        return matches(rights, TO_ONE[entity][name], rights.one(row, name), operand)
    if name in TO_MANY.get(entity, {}):
        target = TO_MANY[entity][name][0]
        found = rights.many(row, name)
        some, none = operand.get("some"), operand.get("none")
        return (some is None or any(matches(rights, target, child, some) for child in found)) and not (
            none is not None and any(matches(rights, target, child, none) for child in found)
        )
    value = rights.value(row, name)
    if name in MONEY.get(entity, ()):
        currency = None if value is None else row.currency
        return _leaf(value, operand.get("amount", {})) and _leaf(currency, operand.get("currency", {}))
    return _leaf(value, operand)


def _ids(operand: Where, entity: str) -> Where:
    return {
        name: [parse_id(id, entity) for id in value] if isinstance(value, list) else parse_id(value, entity)
        for name, value in operand.items()
    }


def is_recorded(text: str) -> bool:
    """Whether the text is a typed id of an entity of whose records there may be events."""
    prefix, _, digits = text.partition("_")
    return prefix in RECORDED.values() and re.fullmatch("[0-9a-f]{32}", digits) is not None


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, operand: value == operand,
    "in": lambda value, operand: value in operand,
    "lt": lambda value, operand: value < operand,
    "lte": lambda value, operand: value <= operand,
    "gt": lambda value, operand: value > operand,
    "gte": lambda value, operand: value >= operand,
    "contains": lambda value, operand: lower(operand) in lower(value),
    "startsWith": lambda value, operand: lower(value).startswith(lower(operand)),
    "endsWith": lambda value, operand: lower(value).endswith(lower(operand)),
    "has": lambda value, operand: operand in value,
    "hasAny": lambda value, operand: any(item in value for item in operand),
    "hasAll": lambda value, operand: all(item in value for item in operand),
}
"""All are false of None."""


def _leaf(value: Any, operators: Where) -> bool:
    return all(_holds(value, operator, operand) for operator, operand in operators.items())


def _holds(value: Any, operator: str, operand: Any) -> bool:
    match operator:
        case "isNull":
            return (value is None) is operand
        case "isEmpty":
            return (value is not None and len(value) == 0) is operand
        case "ne":
            return value != operand
        case "notIn":
            return value not in operand
    return value is not None and COMPARISONS[operator](value, operand)


def has_null(where: Any) -> bool:
    """Whether a null stands anywhere in the filter: BAD_USER_INPUT."""
    if isinstance(where, dict):
        return any(map(has_null, where.values()))
    if isinstance(where, list):
        return any(map(has_null, where))
    return where is None


def bad_ids(entity: str, where: Where) -> bool:
    """Whether an id filter anywhere names something that is not an id of its entity: BAD_USER_INPUT."""
    for about, name, operand in walk(entity, where):
        if name in ("id", "entityId"):
            for value in operand.values():
                texts = value if isinstance(value, list) else [value]
                if name == "entityId" and not all(map(is_recorded, texts)):
                    return True
                if name == "id" and any(parse_id(text, about) is None for text in texts):
                    return True
    return False


def forbidden_filter(rights: Rights, entity: str, where: Where) -> bool:
    """Whether the filter uses a field that is never READ, or leads to an entity without a grant: FORBIDDEN."""
    for about, name, _ in walk(entity, where):
        if name in ("id", "isNull"):
            continue
        if rights.never_read(about, name):
            return True
        target = _target(about, name)
        if target and not rights.has(target):
            return True
    return False


def walk(entity: str, where: Where | None) -> Iterator[tuple[str, str, Any]]:
    """Every member of the filter that is not and, or, not: its entity, its name, its operand. Null has none."""
    for name, operand in (where or {}).items():
        if name in ("and", "or"):
            for part in operand or ():
                yield from walk(entity, part)
            continue
        if name == "not":
            yield from walk(entity, operand)
            continue
        yield entity, name, operand
        target = _target(entity, name)
        if target is None:
            continue
        if name in TO_ONE.get(entity, {}):
            yield from walk(target, operand)
        else:
            for part in (operand or {}).values():
                yield from walk(target, part)


def _target(entity: str, name: str) -> str | None:
    if name in TO_ONE.get(entity, {}):
        return TO_ONE[entity][name]
    return TO_MANY[entity][name][0] if name in TO_MANY.get(entity, {}) else None


# Search


def words(search: str | None) -> list[str]:
    """The words of a search; none means that nothing is searched for."""
    return (search or "").split()


def found(rights: Rights, row: Row, search: str | None) -> bool:
    """Whether every word stands in a searched field that is READ on this row."""
    values = [rights.value(row, field) for field in SEARCHED[row.type]]
    texts = [lower(value) for value in values if value is not None]
    return all(any(_hit(text, lower(word)) for text in texts) for word in words(search))


def _hit(text: str, word: str) -> bool:
    return word in text if len(word) >= 3 else text.startswith(word)


def forbidden_search(rights: Rights, entity: str, search: str | None) -> bool:
    """Whether no searched field is ever READ."""
    return bool(words(search)) and all(rights.never_read(entity, field) for field in SEARCHED[entity])
