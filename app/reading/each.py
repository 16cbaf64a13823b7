"""From an authorized read to a statement of one row of JSON for each record, for those who fetch them bit by bit."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select

from app.reading.aliases import one_statement
from app.reading.binding import Statement, compile_statement
from app.reading.compile import Compiler, Near
from app.reading.cursors import CursorKeys
from app.reading.read import Read
from app.reading.shop import ShopFacts
from app.reading.sight import AuthorizedRead

_UNUSED = CursorKeys("no cursor is made here")


@one_statement
def compile_each(
    authorized: AuthorizedRead, shop: ShopFacts, covered: Callable[[Any], list[ColumnElement[bool]]]
) -> Statement:
    """The statement for the fields of ``authorized``, in the order of the ids; ``covered`` are more conditions on the
    row, beside those under which it may be seen."""
    read = authorized.root
    assert isinstance(read, Read)
    assert read.page is None
    compiler = Compiler(authorized.sight, _UNUSED, shop)
    row = compiler.alias(read.entity)
    inner = (
        select(*compiler.columns(Near(read.entity, row), read.fields))
        .select_from(row)
        .where(*compiler.conditions(read, row, None, "set"), *covered(row))
        .order_by(row.id)
    )
    whole: ColumnElement[Any] = literal_column('"#x"')
    return compile_statement(select(func.row_to_json(whole)).select_from(inner.subquery("#x")), compiler.binder)
