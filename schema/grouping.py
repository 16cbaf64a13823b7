"""From the selection of an aggregate to a plain value: what rows are grouped by, and what is shown of each group."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from graphql import FieldNode, GraphQLField, GraphQLObjectType, get_named_type
from sqlalchemy import Date, DateTime

from app.analytics.figure import Record, Value
from app.analytics.grouping import (
    COUNT,
    KEY,
    GroupField,
    Grouping,
    GroupKey,
    Groups,
    Inside,
    TotalGroups,
    way,
)
from app.errors import BadUserInputError
from app.models.base import Row
from app.reading.read import EVERYTHING, All, AnyOf, Constant, Filter, MoneyField, Not, Term
from auth.access import attribute_name
from schema import conversions as to
from schema.arguments import Given, arguments
from schema.filtering import entity_filter, leaf, refuse_null
from schema.mapping import entity_of
from schema.selection import Selection, money_part

KEYS_MOST, GROUPS_MOST, TERMS_MOST = 4, 1000, 10
_SUFFIX = "Aggregate"


def aggregated(definition: GraphQLField) -> type[Row] | None:
    """The entity whose rows a field groups; None where it groups none."""
    name = get_named_type(definition.type).name
    return entity_of(name.removesuffix(_SUFFIX)) if name.endswith(_SUFFIX) else None


class Grouper:
    """Reads the aggregates of one operation with one set of variables."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection

    def grouping(self, entity: type[Row], parent: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Grouping:
        """The grouping of rows of ``entity`` that one root field asks for, all its nodes merged."""
        definition = parent.fields[nodes[0].name.value]
        first, given = _given(arguments(definition, nodes[0], self._selection.variables))
        keys = _keys(entity, given["groupBy"]) if "groupBy" in given else ()
        return Grouping(
            entity,
            parts=self._parts(definition, nodes),
            keys=keys,
            where=entity_filter(entity, given["where"]) if "where" in given else EVERYTHING,
            having=_having(given["having"]) if "having" in given else EVERYTHING,
            order=_order(given["orderBy"], {key.column for key in keys}) if "orderBy" in given else (),
            first=first,
            given={"timezone": given["timezone"].operand(to.zone("timezone"))} if "timezone" in given else {},
        )

    def _parts(
        self, definition: GraphQLField, nodes: Sequence[FieldNode]
    ) -> tuple[Groups | TotalGroups | Constant, ...]:
        found: list[Groups | TotalGroups | Constant] = []
        kind, collected = self._object(definition, nodes)
        for key, asked in collected.items():
            match asked[0].name.value:
                case "groups":
                    found.append(Groups(key, self._group(kind.fields["groups"], asked)))
                case "totalGroups":
                    found.append(TotalGroups(key))
                case _:
                    found.append(Constant(key, kind.name))
        return tuple(found)

    def _group(self, definition: GraphQLField, nodes: Sequence[FieldNode]) -> tuple[GroupField, ...]:
        kind, collected = self._object(definition, nodes)
        found: list[GroupField] = []
        for key, asked in collected.items():
            name = asked[0].name.value
            if name == "__typename":
                found.append(Constant(key, kind.name))
            elif name == COUNT:
                found.append(Value(key, COUNT))
            else:
                found.append(Inside(key, self._values(name, kind.fields[name], asked)))
        return tuple(found)

    def _values(self, function: str, definition: GraphQLField, nodes: Sequence[FieldNode]) -> tuple[GroupField, ...]:
        kind, collected = self._object(definition, nodes)
        return tuple(self._value(function, kind, key, asked) for key, asked in collected.items())

    def _value(self, function: str, kind: GraphQLObjectType, key: str, nodes: Sequence[FieldNode]) -> GroupField:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, kind.name)
        definition, column = kind.fields[name], f"{function}.{attribute_name(name)}"
        named = get_named_type(definition.type)
        if named.name == "Money":
            _, collected = self._object(definition, nodes)
            return MoneyField(key, column, tuple(money_part(k, n[0].name.value) for k, n in collected.items()))
        entity = entity_of(named.name)
        if entity is not None:
            return Record(key, column, self._selection.record(entity, definition, nodes))
        return Value(key, column)

    def _object(
        self, definition: GraphQLField, nodes: Sequence[FieldNode]
    ) -> tuple[GraphQLObjectType, Mapping[str, Sequence[FieldNode]]]:
        kind = cast(GraphQLObjectType, get_named_type(definition.type))
        return kind, self._selection.collect(kind, (node.selection_set for node in nodes))


def _given(given: Mapping[str, Given]) -> tuple[int, Mapping[str, Given]]:
    """How many groups are listed, and the other arguments that are given and not null."""
    first: int | None = given["first"].value
    if first is None or not 1 <= first <= GROUPS_MOST:
        raise BadUserInputError(
            f"first is {'null' if first is None else first}: it must be from 1 to {GROUPS_MOST}.", argument="first"
        )
    return first, {name: each for name, each in given.items() if not each.is_null}


def _keys(entity: type[Row], given: Given) -> tuple[GroupKey, ...]:
    items = list(given.items())
    if len(items) > KEYS_MOST:
        raise BadUserInputError(f"groupBy has {len(items)} fields; {KEYS_MOST} are allowed.", argument="groupBy")
    found: dict[str, GroupKey] = {}
    for item in items:
        members = {member.path[-1]: member for member in item.members()}
        path = str(to.enum_values(members["field"].value))
        bucket = members.get("bucket")
        key = GroupKey(path, None if bucket is None or bucket.is_null else str(to.enum_values(bucket.value)))
        _check_bucket(entity, key, item.name)
        if path in found:
            raise BadUserInputError(f"{item.name} is {path.upper()}, which is there already.", argument=item.name)
        found[path] = key
    return tuple(found.values())


def _check_bucket(entity: type[Row], key: GroupKey, name: str) -> None:
    found = way(entity, key.path)
    kind = None if found.attribute is None else getattr(found.entity, found.attribute).type
    if isinstance(kind, DateTime) and key.bucket is None:
        raise BadUserInputError(
            f"{name} is {key.path.upper()}, a moment: give it a bucket, such as MONTH.", argument=f"{name}.bucket"
        )
    if key.bucket is not None and not isinstance(kind, DateTime | Date):
        raise BadUserInputError(
            f"{name} is {key.path.upper()}, which is no time: leave out the bucket.", argument=f"{name}.bucket"
        )


def _having(given: Given) -> Filter:
    """The filter on the columns of groups."""
    refuse_null(given)
    return All(tuple(_condition(member) for member in given.members()))


def _condition(given: Given) -> Filter:
    refuse_null(given)
    name = given.path[-1]
    match name:
        case "and":
            return All(tuple(_having(item) for item in given.items()))
        case "or":
            return AnyOf(tuple(_having(item) for item in given.items()))
        case "not":
            return Not(_having(given))
        case "count":
            return leaf(None, COUNT, given)
    parts = []
    for member in given.members():
        refuse_null(member)
        parts.append(leaf(None, f"{name}.{attribute_name(member.path[-1])}", member))
    return All(tuple(parts))


def _order(given: Given, keys: set[str]) -> tuple[Term, ...]:
    items = list(given.items())
    if len(items) > TERMS_MOST:
        raise BadUserInputError(f"orderBy has {len(items)} terms; {TERMS_MOST} are allowed.", argument="orderBy")
    found: dict[str, Term] = {}
    for item in items:
        terms = list(_terms(item))
        if len(terms) != 1:
            raise BadUserInputError(
                f"{item.name} holds {len(terms)} terms: give each term an item of its own.", argument=item.name
            )
        ((term, place),) = terms
        if term.attribute.startswith(f"{KEY}.") and term.attribute not in keys:
            raise BadUserInputError(f"{place.name}: the groups are not by {place.path[-1]}.", argument=place.name)
        # A value that is there already decides nothing the second time.
        found.setdefault(term.attribute, term)
    return tuple(found.values())


def _terms(item: Given) -> Iterator[tuple[Term, Given]]:
    for member in item.members():
        refuse_null(member)
        name = member.path[-1]
        if name == COUNT:
            yield _term(COUNT, member), member
            continue
        for inner in member.members():
            refuse_null(inner)
            yield _term(f"{name}.{attribute_name(inner.path[-1])}", inner), inner


def _term(column: str, given: Given) -> Term:
    return Term(column, to.enum_values(given.value) == "desc")
