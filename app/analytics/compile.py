"""From an authorized figure to one statement whose result is the finished JSON, and a note."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, Float, Numeric, Text, case, cast, func, literal_column, null, select

from app.analytics.building import Building, Definition, ShopFacts, Table, text
from app.analytics.figure import Figure, FigureField, Record, Rows, Value
from app.analytics.figures import FIGURES
from app.models.base import Row
from app.reading.binding import Statement, compile_statement
from app.reading.compile import Compiler, listed
from app.reading.cursors import CursorKeys
from app.reading.printing import printed
from app.reading.read import Constant, MoneyField
from app.reading.sight import Sight


@dataclass(frozen=True, slots=True)
class AuthorizedFigure:
    """A figure that ``auth.authorize`` has checked whole. Nothing else makes one, and nothing else can be compiled."""

    figure: Figure
    sight: Sight


def compile_figure(
    authorized: AuthorizedFigure, cursors: CursorKeys, shop: ShopFacts, *, trigrams: bool = True
) -> Statement:
    """The statement for ``authorized``: the caller's present access version, the JSON, a note, and a refusal."""
    compiler = Compiler(authorized.sight, cursors, trigrams=trigrams)
    figure = authorized.figure
    build = Building(figure, compiler, shop)
    definition = FIGURES[figure.name]
    data = _json(build, definition, definition.table(build), figure.fields, many=figure.many)
    note, refusal = definition.note(build), definition.refusal(build)
    columns = [
        authorized.sight.version.label("#version"),
        data.label("#data"),
        (cast(null(), JSON) if note is None else note).label("#note"),
        (cast(null(), JSON) if refusal is None else refusal).label("#refusal"),
    ]
    return compile_statement(select(*columns), compiler.binder)


def _json(
    build: Building, definition: Definition, table: Table, fields: Sequence[FigureField], *, many: bool
) -> ColumnElement[Any]:
    found = table.select.subquery(build.compiler.name())
    columns = [_column(build, definition, found, each).label(each.key) for each in fields]
    if not columns:
        columns = [literal_column("'{}'::json").label("#empty")]
    rows = select(*columns).select_from(found).order_by(*(found.c[name] for name in table.order)).subquery("#x")
    whole = '"#x"' if fields else '"#x"."#empty"'
    if many:
        return listed(whole, rows)
    one: ColumnElement[Any] = literal_column(whole)
    return select(func.row_to_json(one) if fields else one).select_from(rows).scalar_subquery()


def _column(build: Building, definition: Definition, found: Any, field: FigureField) -> ColumnElement[Any]:
    match field:
        case Constant(_, value):
            return literal_column(f"'{value}'", Text)
        case Value(_, name):
            value = found.c[name]
            # A ratio or a number of days is a Float of the API, and JSON's number; money alone is exact.
            return cast(value, Float) if isinstance(value.type, Numeric) else printed(Row, value)
        case MoneyField():
            return _money(build, found, field)
        case Record(_, name, read):
            return build.compiler.one(read, None, found.c[name], referred=True)
        case Rows(_, name, fields):
            return _json(build, definition, definition.inner(build, name), fields, many=True)


def _money(build: Building, found: Any, field: MoneyField) -> ColumnElement[Any]:
    exact = found.c[field.attribute]
    amount = cast(func.round(exact, literal_column(str(build.scale))), Text)
    pairs: list[ColumnElement[Any]] = []
    for part in field.parts:
        key, value = (
            (part.key, text(part.value))
            if isinstance(part, Constant)
            else (
                part[0],
                amount if part[1] == "amount" else text(build.shop.currency),
            )
        )
        pairs += [text(key), value]
    shown = func.json_build_object(*pairs)
    return case((exact.is_not(None), shown), else_=null())
