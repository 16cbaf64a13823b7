"""From the arguments of a mutation to what the rules are given: values by attribute, and the records they name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import inspect
from strawberry import UNSET
from strawberry.types import get_object_definition

from app.db.ids import split_id
from app.domain.given import Given, GivenMoney
from app.domain.problems import Problem
from app.models.base import Row
from auth.gate import Reference
from schema.types.inputs import ExternalRefInput, MoneyInput

References = Mapping[str, type[Row]]
"""The entities that arguments name which are no columns of the record, by attribute: ``user_id``."""


@dataclass
class Read:
    """What was given, the records that it names, and those that it names in lists."""

    given: Given
    references: dict[str, Reference] = field(default_factory=dict)
    listed: dict[str, tuple[type[Row], dict[UUID, tuple[str, ...]]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_input(entity: type[Row], values: Any, path: tuple[str, ...], more: References) -> Read:
    """What an input object, or the plain arguments of a mutation, say of a record of ``entity``."""
    found = Read(Given({}, {}, path))
    for attribute, value in _items(values):
        target = more.get(attribute) or reference_of(entity, attribute)
        if target is not None:
            _refer(found, attribute, target, value)
        elif isinstance(value, list) and value and _is_input(value[0].__class__) and attribute != "external_refs":
            found.given.values[attribute] = [_member(found, attribute, n, each, more) for n, each in enumerate(value)]
        else:
            found.given.values[attribute] = _plain(value)
    return found


def _items(values: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping):
        yield from ((name, value) for name, value in values.items() if value is not UNSET)
        return
    kind: Any = type(values)
    here = values.__dict__
    for name in _names(kind):
        value = here[name]
        if value is not UNSET:
            yield name, value


@cache
def _is_input(kind: Any) -> bool:
    return get_object_definition(kind) is not None


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(each.python_name for each in get_object_definition(kind, strict=True).fields)


def _plain(value: Any) -> Any:
    if isinstance(value, MoneyInput):
        return GivenMoney(value.amount, None if value.currency is UNSET else value.currency)
    if isinstance(value, list):
        return [(each.system, each.id) if isinstance(each, ExternalRefInput) else each for each in value]
    return value


def _refer(found: Read, attribute: str, target: type[Row], value: Any) -> None:
    relation = attribute.removesuffix("_id")
    path = found.given.at(attribute)
    if value is None:
        found.given.values[attribute] = None
        found.given.rows[relation] = None
        return
    id = _id(found, target, value, path)
    if id is not None:
        found.given.values[attribute] = id
        found.references[relation] = Reference(target, id, path)


def _member(found: Read, attribute: str, number: int, member: Any, more: References) -> dict[str, Any]:
    """One member of a list of inputs; the records that members name are looked up together."""
    values: dict[str, Any] = {}
    for name, value in _items(member):
        target = more.get(name)
        if target is None or value is None:
            values[name] = _plain(value)
            continue
        first, *rest = name.split("_")
        path = (*found.given.at(attribute), str(number), first + "".join(word.title() for word in rest))
        id = _id(found, target, value, path)
        if id is not None:
            values[name] = id
            found.listed.setdefault(name.removesuffix("_id"), (target, {}))[1].setdefault(id, path)
    return values


def _id(found: Read, target: type[Row], value: str, path: tuple[str, ...]) -> UUID | None:
    split = split_id(value)
    if split is not None and split[0] == target.prefix:
        return split[1]
    shown = value if len(value) <= 60 else f"{value[:57]}…"
    said = f"such an id is {target.prefix}_ and 32 hexadecimal digits."
    message = f"{shown!r} is no id of {target.__name__}: {said}"
    found.problems.append(Problem(path, "INVALID", message))
    return None


@cache
def reference_of(entity: type[Row], attribute: str) -> type[Row] | None:
    """The entity whose id the column ``attribute`` holds; None where it holds none."""
    for relation in inspect(entity).relationships:
        near = [column.key for column, _ in relation.local_remote_pairs or ()]
        if relation.direction.name == "MANYTOONE" and near == [attribute]:
            target: type[Row] = relation.mapper.class_
            return target
    return None
