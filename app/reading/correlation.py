"""Subqueries that look at the rows around them.

SQLAlchemy correlates by itself only with the rows of the select just outside. Where it does not, it lists the outer
rows once more inside, and a condition on one row becomes a condition on any row. So here every subquery says which
tables are its own, and all others are those outside.
"""

from typing import Any

from sqlalchemy import ColumnElement, Exists, Select, exists, literal_column, select


def own(query: Select[Any], *tables: Any) -> Select[Any]:
    """``query``, of which only ``tables`` are its own."""
    return query.correlate_except(*tables)


def there(row: Any, *conditions: ColumnElement[bool]) -> Exists:
    """Whether some ``row`` meets all conditions."""
    return exists(own(select(literal_column("1")).select_from(row).where(*conditions), row))
