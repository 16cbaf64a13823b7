"""Rows in a statement: an entity's table under a name, or a subquery that finds rows of it.

They know the attributes of the entity but are plain tables to SQLAlchemy. Its ORM would adapt each subquery to its own
entities whenever it compiles one, which took half of the time that a statement takes to make.
"""

from typing import Any

from sqlalchemy import FromClause, inspect
from sqlalchemy.ext.hybrid import hybrid_property


class Rows:
    """Rows of ``entity`` in ``source``. Attributes are those of the entity, computed ones included."""

    def __init__(self, entity: type[Any], source: FromClause) -> None:
        self._entity, self._source = entity, source

    @classmethod
    def named(cls, entity: type[Any], name: str | None = None) -> Any:
        """The table of ``entity``, under ``name`` or one that SQLAlchemy finds."""
        return cls(entity, inspect(entity).local_table.alias(name))

    def __clause_element__(self) -> FromClause:
        """What SQLAlchemy takes it for."""
        return self._source

    def __getattr__(self, name: str) -> Any:
        mapper = inspect(self._entity)
        if name in mapper.columns:
            # Python finds it there the next time.
            found = self.__dict__[name] = self._source.c[mapper.columns[name].key]
            return found
        computed = mapper.all_orm_descriptors.get(name)
        if not isinstance(computed, hybrid_property):
            raise AttributeError(f"{self._entity.__name__} has no column {name}.")
        return (computed.expr or computed.fget)(self)


def entity_of(row: Any) -> type[Any]:
    """The entity of which ``row`` stands for rows."""
    found: type[Any] = row._entity
    return found
