"""What SQLAlchemy's mappers say of entities: their attributes, their relations, and how rows hang together."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, any_, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import visitors

from app.models.base import Row
from app.models.computed import Kept
from app.models.rows import Rows
from app.reading.correlation import with_merged


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation of an entity. ``to_parent`` leads to the row that this one follows, ``from_parent`` back.

    Where there is an ``action``, the right to it on the row at hand opens all rows at the end, whatever else is granted
    on those. Where it is ``of_merged``, what stands at the end of those that were merged into the row stands here too.
    With ``told``, events of the row at hand tell of one row at the end: its id, and these attributes.
    """

    name: str
    target: type[Row]
    many: bool
    pairs: tuple[tuple[str, str], ...]
    order: tuple[str, ...]
    to_parent: bool
    from_parent: bool
    action: str | None = None
    told: tuple[str, ...] = ()
    of_merged: bool = False

    def link(self, near: Any, far: Any) -> list[ColumnElement[bool]]:
        """The conditions under which the row ``far`` stands at the end of this relation from ``near``."""
        if self.of_merged:
            ((here, there),) = self.pairs
            return [getattr(far, there) == any_(with_merged(near, here))]
        return [getattr(near, here) == getattr(far, there) for here, there in self.pairs]


@cache
def relation(entity: type[Row], name: str) -> Relation:
    """The relation ``name`` of ``entity``."""
    mapper: Mapper[Any] = inspect(entity)
    found = mapper.relationships[name]
    target = found.mapper
    pairs = tuple(
        (mapper.get_property_by_column(near).key, target.get_property_by_column(far).key)
        for near, far in found.local_remote_pairs or ()
    )
    back = found.back_populates
    parent = getattr(target.class_, "parent", None)
    return Relation(
        name=name,
        target=target.class_,
        many=bool(found.uselist),
        # The composite key of order lines repeats the order's currency; its id says it all.
        pairs=tuple(pair for pair in pairs if pair != ("currency", "currency")),
        order=tuple(
            mapper_key for column in found.order_by or () for mapper_key in _ordered_attributes(target, column)
        ),
        to_parent=entity.parent == name,
        from_parent=parent is not None and back == parent,
        action=found.info.get("action"),
        told=found.info.get("told", ()),
        of_merged=found.info.get("action") is not None and hasattr(entity, "merged_into_id"),
    )


def _ordered_attributes(target: Mapper[Any], term: Any) -> list[str]:
    columns = [part for part in visitors.iterate(term) if isinstance(part, Column)]
    return [target.get_property_by_column(column).key for column in columns]


@cache
def kept_of(entity: type[Row], attribute: str) -> Kept | None:
    """How ``attribute`` is kept beside the rows of ``entity``; None where it is not."""
    descriptor: Any = inspect(entity).all_orm_descriptors.get(attribute)
    found: Kept | None = descriptor.info.get("kept") if descriptor is not None else None
    return found


@cache
def is_led(entity: type[Row], first: str, attribute: str) -> bool:
    """Whether an index holds the rows of each value of ``first`` in the order of ``attribute``."""
    return any(index.name == f"ix_{entity.__tablename__}_{first}_{attribute}_id" for index in _table(entity).indexes)


def _table(entity: type[Row]) -> Table:
    table = inspect(entity).local_table
    assert isinstance(table, Table)
    return table


@cache
def stored(entity: type[Row], attribute: str) -> tuple[str, str] | None:
    """The table and the column in which ``attribute`` stands; None where it is worked out."""
    kept = kept_of(entity, attribute)
    if kept is not None:
        column = kept.value(Rows.named(kept.table))
        return (kept.table.__tablename__, column.name) if isinstance(column, Column) else None
    columns = inspect(entity).columns
    return (_table(entity).name, columns[attribute].name) if attribute in columns else None


@cache
def is_nullable(entity: type[Row], attribute: str) -> bool:
    """Whether the column ``attribute`` may be NULL; computed attributes are taken to be never NULL."""
    beside = kept_of(entity, attribute)
    if beside is not None:
        return beside.nullable
    mapper: Mapper[Any] = inspect(entity)
    return attribute in mapper.columns and bool(mapper.columns[attribute].nullable)


@cache
def sources(entity: type[Row], attribute: str) -> tuple[str, ...]:
    """What a computed attribute is worked out from; for any other, itself."""
    descriptor = inspect(entity).all_orm_descriptors.get(attribute)
    return descriptor.info.get("sources", (attribute,)) if descriptor is not None else (attribute,)


@cache
def currency_of(entity: type[Row], attribute: str) -> str | None:
    """The attribute that holds the currency of an amount, or ``SHOP_CURRENCY``; None where the attribute is not an
    amount."""
    mapper: Mapper[Any] = inspect(entity)
    if attribute in mapper.columns:
        found: str | None = mapper.columns[attribute].info.get("currency")
        return found
    descriptor: Any = mapper.all_orm_descriptors.get(attribute)
    return descriptor.info.get("currency") if descriptor is not None else None
