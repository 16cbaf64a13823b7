"""Rows as the rules work on them: instances of the tables' classes, without a session of the ORM."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum as PythonEnum
from functools import cache
from typing import Any, TypeVar

from pydantic_core import PydanticUndefined
from sqlalchemy import Enum, inspect
from sqlalchemy.orm import Mapper, configure_mappers

from app.models.base import Row

R = TypeVar("R", bound=Row)


@cache
def table_of(entity: type[Row]) -> str:
    """The name of the table of ``entity``."""
    return str(entity.__tablename__)


@cache
def columns(entity: type[Row]) -> tuple[str, ...]:
    """The columns of ``entity``, in the order in which ``loaded`` takes their values."""
    mapper: Mapper[Any] = inspect(entity)
    return tuple(column.key for column in mapper.columns)


@cache
def written_by_database(entity: type[Row]) -> frozenset[str]:
    """The columns that only the database writes: generated ones, and places in an order."""
    mapper: Mapper[Any] = inspect(entity)
    return frozenset(c.key for c in mapper.columns if c.computed is not None or c.identity is not None)


@cache
def _kinds(entity: type[Row]) -> tuple[tuple[int, type[PythonEnum]], ...]:
    mapper: Mapper[Any] = inspect(entity)
    return tuple(
        (place, column.type.enum_class)
        for place, column in enumerate(mapper.columns)
        if isinstance(column.type, Enum) and column.type.enum_class is not None
    )


@cache
def _defaults(entity: type[Row]) -> tuple[Mapping[str, Any], Sequence[tuple[str, Callable[[], Any]]]]:
    plain: dict[str, Any] = dict.fromkeys(columns(entity))
    made: list[tuple[str, Callable[[], Any]]] = []
    for name, field in entity.model_fields.items():
        factory: Any = field.default_factory
        if factory is not None:
            made.append((name, factory))
        elif field.default is not PydanticUndefined:
            plain[name] = field.default
    return plain, made


@cache
def _empty(entity: type[Row]) -> Callable[[], Any]:
    configure_mappers()
    manager: Any = inspect(entity).class_manager
    made: Callable[[], Any] = manager.new_instance
    return made


def loaded(entity: type[R], values: Sequence[Any]) -> R:
    """The row of ``entity`` with ``values`` in the order of ``columns``."""
    found = list(values)
    for place, kind in _kinds(entity):
        if found[place] is not None:
            found[place] = kind(found[place])
    # A table's constructor takes fifteen times as long, for checks that the database has made already.
    row: R = _empty(entity)()
    row.__dict__.update(zip(columns(entity), found, strict=True))
    return row


def new(entity: type[R], /, **values: Any) -> R:
    """A new row of ``entity``: what is not in ``values`` has its default."""
    plain, made = _defaults(entity)
    row: R = _empty(entity)()
    row.__dict__.update(plain)
    row.__dict__.update({name: factory() for name, factory in made if name not in values})
    row.__dict__.update(values)
    return row


def values_of(row: Row) -> dict[str, Any]:
    """The values of a row, by column."""
    here = row.__dict__
    return {name: here[name] for name in columns(type(row))}
