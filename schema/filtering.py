"""From filter arguments to filters."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
)

from app.errors import BadUserInputError
from app.models import AuditEvent, ExternalRef
from app.models.base import Row
from app.reading.filters import literal_value
from app.reading.read import (
    All,
    AnyOf,
    Compare,
    Comparison,
    Filter,
    IsEmpty,
    IsNull,
    Missing,
    Not,
    Operand,
    ToManyFilter,
    ToOneFilter,
)
from app.reading.relations import currency_of, relation
from auth.access import attribute_name
from auth.models import RECORDED
from schema import conversions as to
from schema.arguments import Given

_LEAVES = {"IDFilter", "StringFilter", "StringListFilter", "BooleanFilter", "IntFilter", "DecimalFilter", "DateFilter"}
_WILDCARDS = {"contains": ("%", "%"), "startsWith": ("", "%"), "endsWith": ("%", "")}


def entity_filter(entity: type[Row], given: Given) -> Filter:
    """The filter on rows of ``entity`` that an argument gives; null stands for none only at its top."""
    refuse_null(given)
    return All(tuple(_member(entity, member) for member in given.members()))


def rates_filter(given: Mapping[str, Given]) -> Filter:
    """The filter on exchange rates that the arguments of their list give."""
    parts: list[Filter] = []
    if "currency" in given and not given["currency"].is_null:
        parts.append(Compare("currency", "eq", given["currency"].operand(to.currency("currency"))))
    if "before" in given and not given["before"].is_null:
        parts.append(Compare("day", "lt", given["before"].operand(to.itself)))
    return All(tuple(parts))


def _member(entity: type[Row], given: Given) -> Filter:
    refuse_null(given)
    name = given.path[-1]
    match name:
        case "and":
            return All(tuple(entity_filter(entity, item) for item in given.items()))
        case "or":
            return AnyOf(tuple(entity_filter(entity, item) for item in given.items()))
        case "not":
            return Not(entity_filter(entity, given))
        case "isNull":
            return Missing(bool(given.value))
    if entity is AuditEvent and name == "entityId":
        return All(tuple(_about(member) for member in given.members()))
    attribute = attribute_name(name)
    kind = get_named_type(given.kind).name
    if kind == "MoneyFilter":
        return _money(entity, attribute, given)
    if kind == "ExternalRefFilter":
        return ToManyFilter(attribute, _reference(given), some=True)
    if kind in _LEAVES or kind == "DateTimeFilter" or _is_enum_filter(given):
        return leaf(entity, attribute, given)
    target = relation(entity, attribute).target
    if not relation(entity, attribute).many:
        return ToOneFilter(attribute, entity_filter(target, given))
    parts = [
        ToManyFilter(attribute, entity_filter(target, member), some=member.path[-1] == "some")
        for member in given.members()
    ]
    return All(tuple(parts))


def _is_enum_filter(given: Given) -> bool:
    kind = get_nullable_type(given.kind)
    return is_input_object_type(kind) and "eq" in kind.fields and is_enum_type(get_named_type(kind.fields["eq"].type))


def _money(entity: type[Row], attribute: str, given: Given) -> Filter:
    currency = currency_of(entity, attribute)
    assert currency is not None
    parts = []
    for member in given.members():
        refuse_null(member)
        # Its currency says something about the amount.
        parts.append(leaf(entity, attribute if member.path[-1] == "amount" else currency, member, attribute))
    return All(tuple(parts))


def _reference(given: Given) -> Filter:
    parts: list[Filter] = []
    for member in given.members():
        refuse_null(member)
        if member.path[-1] == "system":
            parts.append(Compare("system", "eq", member.operand(to.text(member.name))))
        else:
            parts.append(leaf(ExternalRef, "external_id", member))
    return All(tuple(parts))


def _about(given: Given) -> Filter:
    """The record of an event: it is sought by its UUID, which has an index, and its typed id must be the same."""
    refuse_null(given)
    how = given.path[-1]
    same: Comparison = "in" if how in ("in", "notIn") else "eq"
    kinds = frozenset(RECORDED.values())
    id = given.operand(to.any_id(given.name, kinds))
    found = All((Compare("about", same, id), Compare("entity_id", same, given.operand(to.text(given.name)))))
    return Not(found) if how in ("ne", "notIn") else found


def leaf(entity: Any, attribute: str, given: Given, rights_of: str | None = None) -> Filter:
    """The filter on one value that an argument gives; ``attribute`` is the value's, ``rights_of`` that which has its
    rights where it has none."""
    return All(tuple(_comparison(entity, attribute, member, rights_of) for member in given.members()))


def _comparison(entity: Any, attribute: str, given: Given, rights_of: str | None) -> Filter:
    refuse_null(given)
    name: Any = given.path[-1]
    if name == "isNull":
        return IsNull(attribute, bool(given.value), rights_of)
    if name == "isEmpty":
        return IsEmpty(attribute, bool(given.value))
    how: Comparison = name
    return Compare(attribute, how, _operand(entity, how, given), rights_of)


def _operand(entity: Any, how: str, given: Given) -> Operand:
    kind = get_named_type(given.kind)
    if kind.name == "ID":
        return given.operand(to.record_id(entity, given.name))
    if how in _WILDCARDS:
        return given.operand(to.pattern(given.name, *_WILDCARDS[how]))
    if how in ("has", "hasAny", "hasAll"):
        return given.operand(to.texts(given.name))
    if kind.name == "String":
        return given.operand(to.text(given.name))
    if (is_enum_type(kind) or kind.name == "Boolean") and not is_list_type(get_nullable_type(given.kind)):
        # A value from a small closed set stands in the statement, so that PostgreSQL plans for it.
        return Operand(literal_value, None, to.enum_values(given.value))
    return given.operand(to.enum_values if is_enum_type(kind) else to.itself)


def refuse_null(given: Given) -> None:
    """BadUserInputError where null was given, and does not stand for anything."""
    if given.is_null:
        raise BadUserInputError(f"{given.name} is null: leave it out, or compare with isNull.", argument=given.name)
