"""The fields of an export: by name, or all that a record has of its own and the caller may see something of."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from sqlalchemy import inspect

from app.domain.problems import Problem, RefusedError
from app.exporting.cells import Column
from app.models.base import Row
from app.reading.read import Field, Leaf, MoneyField, PartsField, Read, SummaryField, Term, ToMany, ToOne
from app.reading.relations import currency_of, kept_of, relation
from auth.access import ENTITY_CLASSES, Access, attribute_name
from auth.policy import ENTITIES

_REFS, _AMOUNT, _CURRENCY = "externalRefs", "amount", "currency"
_MOST = 200
_STEPS = 3

Tree = dict[str, "Tree"]
"""Names of fields, each with those below it."""


def default_names(entity: type[Row], access: Access) -> list[str]:
    """The fields that are exported where none are named: not figures over other records, nor what is hidden."""
    names = [name for name in ENTITIES[entity.__name__] if _is_own(entity, name) and not _hidden(access, entity, name)]
    return ["id", *names]


def chosen(entity: type[Row], names: Sequence[str]) -> tuple[tuple[Field, ...], tuple[Column, ...]]:
    """What to read, and the columns to put it into. RefusedError tells of every name that will not do."""
    problems: list[Problem] = []
    if not names:
        problems.append(Problem(("fields",), "REQUIRED", "fields is empty: name some, or leave it out for all."))
    if len(names) > _MOST:
        said = f"fields has {len(names)} members; {_MOST} are allowed."
        raise RefusedError(Problem(("fields",), "TOO_LONG", said, params={"max": _MOST, "actual": len(names)}))
    columns: list[Column] = []
    known: dict[tuple[str, ...], int] = {}
    for number, name in enumerate(names):
        problem, found = _columns(entity, name)
        if problem is None:
            for column in found:
                if known.setdefault(column.path, number) != number:
                    problem = f"{column.name} is named twice."
        if problem is not None:
            problems.append(Problem(("fields", str(number)), "INVALID", problem))
        columns += found
    if problems:
        raise RefusedError(*problems)
    tree: Tree = {}
    for column in columns:
        place = tree
        for step in column.path:
            place = place.setdefault(step, {})
    return _fields(entity, tree), tuple(columns)


def _columns(entity: type[Row], name: str) -> tuple[str | None, list[Column]]:
    """The columns of a field such as ``name``, ``total``, ``owner`` or ``owner.name``; or what is wrong with it."""
    steps = name.split(".")
    place, path = entity, []
    for step in steps[: _STEPS - 1]:
        attribute = attribute_name(step)
        if step not in ENTITIES.get(place.__name__, ()) or not _to_one(place, attribute):
            break
        path.append(step)
        place = relation(place, attribute).target
    rest = steps[len(path) :]
    if not rest:
        return None, [Column(name + ".id", (*path, "id"))]
    last, *part = rest
    if _exists(place, last):
        known = _parts(place, attribute_name(last))
        if known:
            parts = part or known
            if len(part) <= 1 and set(parts) <= set(known):
                way = ".".join((*path, last))
                return None, [Column(f"{way}.{each}", (*path, last, each), each == _AMOUNT) for each in parts]
        elif not part:
            return None, [Column(name, (*path, last))]
    return _unknown(place, name, last), []


def _unknown(entity: type[Row], name: str, last: str) -> str:
    names = ["id", *(each for each in ENTITIES[entity.__name__] if _exists(entity, each) or _leads_on(entity, each))]
    near = get_close_matches(last, names, 1)
    shown = name if len(name) <= 60 else f"{name[:57]}…"
    meant = f" Did you mean {near[0]}?" if near and near[0] != last else ""
    return f"{shown!r} is no field that can be exported.{meant} {entity.__name__} has: {', '.join(names)}."


def _leads_on(entity: type[Row], name: str) -> bool:
    return _to_one(entity, attribute_name(name))


def _to_one(entity: type[Row], attribute: str) -> bool:
    relations: Any = inspect(entity).relationships
    if attribute not in relations or relations[attribute].uselist:
        return False
    return relations[attribute].mapper.class_.__name__ in ENTITY_CLASSES


def _exists(entity: type[Row], name: str) -> bool:
    """Whether a record has a value of that name that a cell can hold."""
    attribute = attribute_name(name)
    if name == "id":
        return True
    if name not in ENTITIES.get(entity.__name__, ()):
        return False
    if attribute in getattr(entity, "summaries", {}) or name == _REFS:
        return True
    mapper: Any = inspect(entity)
    return attribute in mapper.all_orm_descriptors and attribute not in mapper.relationships


def _parts(entity: type[Row], attribute: str) -> Sequence[str]:
    """The parts of a value that has some, each of which has a column."""
    if currency_of(entity, attribute):
        return (_AMOUNT, _CURRENCY)
    kept = kept_of(entity, attribute)
    return tuple(kept.parts) if kept else ()


def _is_own(entity: type[Row], name: str) -> bool:
    attribute = attribute_name(name)
    if attribute in getattr(entity, "summaries", {}) or kept_of(entity, attribute):
        return False
    return _exists(entity, name) or _leads_on(entity, name)


def _hidden(access: Access, entity: type[Row], name: str) -> bool:
    attribute = attribute_name(name)
    if currency_of(entity, attribute):
        return not access.rights.readable_somewhere(entity, attribute)
    if _to_one(entity, attribute) and not access.may_see(relation(entity, attribute).target):
        return True
    return access.rights.hidden(entity, attribute)


def _fields(entity: type[Row], tree: Mapping[str, Tree]) -> tuple[Field, ...]:
    return tuple(_field(entity, name, below) for name, below in tree.items())


def _field(entity: type[Row], name: str, below: Tree) -> Field:
    attribute = attribute_name(name)
    parts: Any = tuple((part, part) for part in below)
    if currency_of(entity, attribute):
        return MoneyField(name, attribute, parts)
    if _parts(entity, attribute):
        return PartsField(name, attribute, parts)
    if attribute in getattr(entity, "summaries", {}):
        return SummaryField(name, attribute)
    if not below:
        if name != _REFS:
            return Leaf(name, attribute)
        refs = relation(entity, attribute)
        order = tuple(Term(each) for each in refs.order)
        fields = (Leaf("system", "system"), Leaf("id", "external_id"))
        return ToMany(name, attribute, Read(refs.target, fields, order=order))
    target = relation(entity, attribute).target
    return ToOne(name, attribute, Read(target, _fields(target, below)))
