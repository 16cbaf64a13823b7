"""Subqueries that look at the rows around them.

SQLAlchemy correlates by itself only with the rows of the select just outside. Where it does not, it lists the outer
rows once more inside, and a condition on one row becomes a condition on any row. So here every subquery says which
tables are its own, and all others are those outside.
"""

from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Exists, Select, Uuid, exists, func, literal_column, select

from app.models.base import Row
from app.models.rows import entity_of
from app.reading.aliases import alias


def own(query: Select[Any], *tables: Any) -> Select[Any]:
    """``query``, of which only ``tables`` are its own."""
    return query.correlate_except(*tables)


def there(row: Any, *conditions: ColumnElement[bool]) -> Exists:
    """Whether some ``row`` meets all conditions."""
    return exists(own(select(literal_column("1")).select_from(row).where(*conditions), row))


def survivor(entity: type[Row], at: ColumnElement[Any]) -> ColumnElement[Any]:
    """The id that answers for the id ``at``: of a merged record, that of the record it was merged into."""
    if not hasattr(entity, "merged_into_id"):
        return at
    merged: Any = alias(entity)
    found = select(merged.merged_into_id).where(merged.id == at)
    return func.coalesce(own(found, merged).scalar_subquery(), at)


def with_merged(row: Any, attribute: str) -> ColumnElement[Any]:
    """The array of the id of ``row`` and of those that were merged into it; ``attribute`` is its id."""
    merged: Any = alias(entity_of(row))
    others = own(select(getattr(merged, attribute)).where(merged.merged_into_id == row.id), merged)
    return func.array_append(func.array(others.scalar_subquery()), getattr(row, attribute), type_=ARRAY(Uuid()))
