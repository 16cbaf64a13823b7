"""Records that are probably the same: one email, one phone number however it is written, or a similar name.

Only what the caller may READ counts, on either side: a masked email matches nothing.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Float, Text, Uuid, func, literal_column, select, union_all

from app.models.base import Row
from app.reading.correlation import survivor
from app.reading.printing import effective
from app.reading.read import Read

if TYPE_CHECKING:
    from app.reading.compile import Compiler

COMPARED = ("email", "phone", "name")
"""The attributes by which records are found alike."""
SIMILAR = "0.4"
"""The similarity of trigrams from which names are taken for similar; set on every connection for reading."""


def normal(attribute: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """What is compared of a value: of a phone number its digits, of all else the small letters. Both are indexed."""
    if attribute == "phone":
        pattern, nothing, everywhere = (literal_column(text, Text) for text in ("'[^0-9]'", "''", "'g'"))
        return func.regexp_replace(value, pattern, nothing, everywhere, type_=Text)
    return func.lower(value, type_=Text)


def sought(attribute: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same of a value that is looked for; NULL, which matches nothing, where it says nothing."""
    return func.nullif(normal(attribute, value), literal_column("''"), type_=Text)


def alike(compiler: "Compiler", read: Read, *, trigrams: bool) -> Any:
    """The rows that are probably the same as the one of ``read``, as a select of ``#id`` and ``#score``, best first.

    The same email and the same phone count one each, and so does the same name; a similar one counts less. Without
    ``trigrams`` (the extension pg_trgm), only the same name in small letters counts.
    """
    entity, sight = read.entity, compiler.sight
    assert read.id is not None
    this = compiler.alias(entity)
    at = compiler.binder.bind(read.id, Uuid())
    compiler.binder.unweighed = True
    values = [this.id.label("#id")]
    for attribute in COMPARED:
        value = effective(getattr(this, attribute), sight.treatment(entity, attribute, this))
        seen = value if attribute == "name" and trigrams else sought(attribute, value)
        values.append(seen.label(f"#{attribute}"))
    found = select(*values).where(this.id == survivor(entity, at), *sight.rows(entity, this, "row"))
    same = found.cte(compiler.name())
    parts = [
        _part(compiler, entity, same, attribute, trigrams=trigrams)
        for attribute in COMPARED
        if sight.treatment(entity, attribute, this).readable is not False
    ]
    every = union_all(*parts).subquery(compiler.name())
    score = func.sum(every.c["#score"])
    return (
        select(every.c["#id"], score.label("#score"))
        .group_by(every.c["#id"])
        .order_by(score.desc(), every.c["#id"].desc())
        .limit(literal_column(str(read.alike)))
        .subquery(compiler.name())
    )


def _part(compiler: "Compiler", entity: type[Row], same: Any, attribute: str, *, trigrams: bool) -> Any:
    row = compiler.alias(entity)
    column, value = getattr(row, attribute), same.c[f"#{attribute}"]
    score: ColumnElement[Any] = literal_column("1.0", Float)
    if attribute == "name" and trigrams:
        holds = column.bool_op("%")(value)
        score = func.similarity(column, value, type_=Float)
    else:
        holds = normal(attribute, column) == value
    conditions = [holds, row.id != same.c["#id"], *compiler.sight.rows(entity, row, "row")]
    readable = compiler.sight.treatment(entity, attribute, row).readable
    if not isinstance(readable, bool):
        conditions.append(readable)
    return select(row.id.label("#id"), score.label("#score")).select_from(same).join(row, holds).where(*conditions[1:])
