"""From an authorized figure to one statement whose result is the finished JSON, and a note."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, cast, func, literal_column, null, select

from app.analytics.building import Building, Definition, ShopFacts, Table
from app.analytics.figure import Figure, FigureField, Rows
from app.analytics.figures import FIGURES
from app.analytics.showing import shown_column
from app.reading.aliases import one_statement
from app.reading.binding import Statement, compile_statement
from app.reading.compile import Compiler, listed
from app.reading.cursors import CursorKeys
from app.reading.sight import Sight


@dataclass(frozen=True, slots=True)
class AuthorizedFigure:
    """A figure that ``auth.authorize`` has checked whole. Nothing else makes one, and nothing else can be compiled."""

    figure: Figure
    sight: Sight


@one_statement
def compile_figure(
    authorized: AuthorizedFigure, cursors: CursorKeys, shop: ShopFacts, *, trigrams: bool = True
) -> Statement:
    """The statement for ``authorized``: the caller's present access version, the JSON, a note, and a refusal."""
    compiler = Compiler(authorized.sight, cursors, shop, trigrams=trigrams)
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
    # Planning takes little beside a figure.
    compiler.binder.unweighed = True
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
        case Rows(_, name, fields):
            return _json(build, definition, definition.inner(build, name), fields, many=True)
    return shown_column(build, found, field)
