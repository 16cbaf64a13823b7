"""Connections: one page of rows, where it lies, and how many rows there are in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    LargeBinary,
    Select,
    Text,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.models.rows import Rows
from app.reading.beside import Beside
from app.reading.correlation import own, there
from app.reading.cursors import payload, reader, signed
from app.reading.keyset import Key, beyond, order_by
from app.reading.printing import effective
from app.reading.read import (
    Constant,
    Cursor,
    Edges,
    Nodes,
    Operand,
    PageFact,
    PageInfo,
    Part,
    Read,
    Term,
    TotalCount,
)
from app.reading.relations import is_led, kept_of
from app.reading.sight import How

if TYPE_CHECKING:
    from app.reading.compile import Compiler, Step


def connection(compiler: Compiler, read: Read, step: Step | None) -> ColumnElement[Any]:
    """The JSON object of the connection that ``read`` asks for, from the row at hand or from nowhere."""
    return _Connection(compiler, read, step).json()


@dataclass(frozen=True, slots=True)
class _Placed:
    """A row of the list, by the keys of its order; ``tables`` hold it and what stands beside it."""

    row: Any
    keys: list[Key]
    source: Any
    tables: tuple[Any, ...]


class _Connection:
    def __init__(self, compiler: Compiler, read: Read, step: Step | None) -> None:
        assert read.page is not None
        self.compiler, self.read, self.step, self.page = compiler, read, step, read.page
        terms = read.order or tuple(filter(self._readable, [Term(read.entity.newest, descending=True)]))
        self._gathered = step is None and compiler.sight.gathers(read.entity)
        self._parts = self._in_parts(terms)
        self.terms = (*terms, Term("id", terms[-1].descending if terms else True))
        words = ",".join(f"{term.attribute} {'desc' if term.descending else 'asc'}" for term in self.terms)
        self.secret = compiler.cursors.key(f"{read.entity.__name__}:{words}")

    def _readable(self, term: Term) -> bool:
        # Nobody asked for the default order, so it does not refuse a caller who may not read what it goes by.
        row = self.compiler.alias(self.read.entity)
        return self.compiler.sight.treatment(self.read.entity, term.attribute, row).readable is not False

    def _in_parts(self, terms: Sequence[Term]) -> tuple[How, ...]:
        """What rows are gathered: first those owned, if an index holds them in this order."""
        if not self._gathered:
            return ()
        entity, owning = self.read.entity, self.compiler.sight.owning(self.read.entity)
        if owning is not None and len(terms) == 1 and is_led(entity, owning, terms[0].attribute):
            return ("owned", "others")
        return ("among",)

    def json(self) -> ColumnElement[Any]:
        """The whole object."""
        parts = self.read.parts
        walks = [part for part in parts if isinstance(part, Nodes | Edges | PageInfo)]
        if len(walks) == 1 and isinstance(walks[0], Nodes) and not self.page.backward:
            columns = [self._bare(part) if isinstance(part, Nodes) else self._still(part) for part in parts]
            inner = select(*columns)
        elif walks:
            inner = _Walk(self).select(parts)
        else:
            inner = select(*([self._still(part) for part in parts] or [literal_column("'{}'::json").label("#empty")]))
        if self.step is not None:
            inner = inner.correlate(self.step.near.row)
        whole: ColumnElement[Any] = literal_column('"#c"' if parts else '"#c"."#empty"')
        value = func.row_to_json(whole) if parts else whole
        return select(value).select_from(inner.subquery("#c")).scalar_subquery()

    def _bare(self, part: Nodes) -> ColumnElement[Any]:
        # Only the rows are asked for: no row beyond the page, no numbering.
        from app.reading.compile import Near, listed

        whole = '"#x"' if part.fields else '"#x"."#empty"'

        def columns(row: Any) -> list[Any]:
            return self.compiler.columns(Near(self.read.entity, row, self.read.include_deleted), part.fields)

        if self.page.after is None and self.page.before is None and len(self._parts) < 2:
            (source,) = self._sources()
            placed = self.placed(source)
            inner = self._limited(placed, select(*columns(placed.row)), true(), self.page.size)
            return listed(whole, inner.subquery("#x")).label(part.key)
        page = self.rows(self.page.size)
        row: Any = Rows(self.read.entity, page)
        ordered = select(*columns(row)).select_from(row).order_by(page.c["#n"])
        return listed(whole, ordered.subquery("#x")).label(part.key)

    def _still(self, part: Part) -> ColumnElement[Any]:
        if isinstance(part, Constant):
            return literal_column(f"'{part.value}'").label(part.key)
        assert isinstance(part, TotalCount)
        return self.total().label(part.key)

    def total(self) -> ColumnElement[int]:
        """How many rows there are on all pages."""
        row = self.compiler.alias(self.read.entity)
        conditions = self.compiler.conditions(self.read, row, self.step, "row" if self.step else "set")
        counted = select(func.count()).select_from(row).where(*conditions)
        return own(counted, row).scalar_subquery()

    def keys(self, row: Any, beside: Beside | None = None) -> list[Key]:
        """The total order, over the columns of ``row`` and of what stands ``beside`` it."""
        entity, terms = self.read.entity, self.terms
        return [self.compiler.key(entity, row, term.attribute, term.descending, beside=beside) for term in terms]

    def placed(self, row: Any) -> _Placed:
        """A row of the list with what stands beside it, if it goes by that."""
        entity, compiler = self.read.entity, self.compiler
        kept = next(filter(None, (kept_of(entity, term.attribute) for term in self.terms)), None)
        if kept is None:
            return _Placed(row, self.keys(row), row, (row,))
        beside = Beside.of(kept, row, compiler.name(), may_be_deleted=self.read.include_deleted)
        return _Placed(row, self.keys(row, beside), beside.joined, (row, beside.row))

    def place(self, operand: Operand, argument: str) -> list[ColumnElement[Any]]:
        """The order values in a cursor that was given, as bind parameters."""
        types = [getattr(self.read.entity, term.attribute).type for term in self.terms]
        read = reader(argument, self.secret, types)

        def bind(position: int) -> ColumnElement[Any]:
            convert = operand.convert
            at = Operand(lambda cursor: read(convert(cursor), position), operand.source, operand.constant)
            return self.compiler.binder.bind(at, types[position])

        return [bind(position) for position in range(len(types))]

    def cursor_payload(self, row: Any) -> ColumnElement[str]:
        """What the cursor of ``row`` says."""
        values = []
        for term in self.terms:
            treatment = self.compiler.sight.treatment(self.read.entity, term.attribute, row)
            values.append(effective(getattr(row, term.attribute), treatment))
        return payload(values)

    def sign(self, content: ColumnElement[str]) -> ColumnElement[str]:
        """The cursor that says ``content``."""
        secret = Operand(_itself, None, self.secret)
        return signed(self.compiler.binder.bind(secret, LargeBinary()), content)

    def rows(self, size: int) -> Any:
        """The first ``size`` rows of the window in the direction of travel, numbered by ``#n``, as a subquery."""
        entity, compiler = self.read.entity, self.compiler
        backward = self.page.backward
        start = self.page.before if backward else self.page.after
        windows = []
        for placed in map(self.placed, self._sources()):
            conditions: list[ColumnElement[bool]] = [true()]
            if start is not None:
                place = self.place(start, "before" if backward else "after")
                conditions = beyond(placed.keys, place, backward=backward)
            windows += [(placed, each) for each in conditions]
        if len(windows) == 1:
            ((placed, condition),) = windows
            numbered = select(placed.row, self._number(placed.keys))
            return self._limited(placed, numbered, condition, size).subquery(compiler.name())
        found = union_all(*(self._limited(placed, select(placed.row), each, size) for placed, each in windows))
        row: Any = Rows(entity, found.subquery(compiler.name()))
        keys = self.keys(row)
        numbered = select(row, self._number(keys)).order_by(*order_by(keys, backward=backward))
        return numbered.limit(literal_column(str(size))).subquery(compiler.name())

    def _number(self, keys: list[Key]) -> ColumnElement[int]:
        order = order_by(keys, backward=self.page.backward)
        return func.row_number().over(order_by=order).label("#n")

    def passed(self, operand: Operand, argument: str, *, backward: bool) -> ColumnElement[bool]:
        """Whether a row lies at or past a cursor that was given."""
        place = self.place(operand, argument)
        placed = self.placed(self.compiler.alias(self.read.entity))
        branches = beyond(placed.keys, place, backward=backward, inclusive=True)
        return or_(false(), *(self._probe(placed, each, backward=backward) for each in branches))

    def _probe(self, placed: _Placed, branch: ColumnElement[bool], *, backward: bool) -> ColumnElement[bool]:
        how: How = "row" if self.step else "set"
        conditions = [*self.compiler.conditions(self.read, placed.row, self.step, how), branch]
        if placed.source is placed.row:
            return there(placed.row, *conditions)
        # The rows beside that were written last lie last in their table, and have the latest values: a scan that hopes
        # to come upon such a row soon goes through all others first.
        found = select(literal_column("true", Boolean)).select_from(placed.source).where(*conditions)
        first = found.order_by(*order_by(placed.keys, backward=backward)).limit(literal_column("1"))
        return own(first, *placed.tables).scalar_subquery().is_not(None)

    def _sources(self) -> list[Any]:
        """The rows of which a page is one: the table, or the rows in sight where these are gathered first."""
        return [self._gather(part) for part in self._parts] or [self.compiler.alias(self.read.entity)]

    def _gather(self, how: How) -> Any:
        read, compiler = self.read, self.compiler
        row = compiler.alias(read.entity)
        gathered = select(row).where(*compiler.sight.rows(read.entity, row, how, include_deleted=read.include_deleted))
        if how != "owned":
            # OFFSET keeps PostgreSQL from walking the order after all: it takes those in sight to be more than they
            # are.
            gathered = gathered.offset(literal_column("0"))
        return Rows(read.entity, gathered.subquery(compiler.name()))

    def _conditions(self, row: Any) -> list[ColumnElement[bool]]:
        return self.compiler.conditions(self.read, row, self.step, None if self._gathered else "row")

    def _limited(self, placed: _Placed, query: Select[Any], branch: ColumnElement[bool], size: int) -> Select[Any]:
        backward = self.page.backward
        other = self.page.after if backward else self.page.before
        conditions = [*self._conditions(placed.row), branch]
        if other is not None:
            place = self.place(other, "after" if backward else "before")
            conditions.append(or_(*beyond(placed.keys, place, backward=not backward)))
        query = query.select_from(placed.source).where(*conditions).order_by(*order_by(placed.keys, backward=backward))
        return self._correlated(query.limit(literal_column(str(size))))

    def _correlated(self, query: Select[Any]) -> Select[Any]:
        return query if self.step is None else query.correlate(self.step.near.row)


class _Walk:
    """The general form: rows numbered in the direction of travel, one row more than the page where it is asked for."""

    def __init__(self, owner: _Connection) -> None:
        self.owner = owner
        self.size = owner.page.size
        self.ahead = any(isinstance(part, PageInfo) for part in owner.read.parts)
        page = owner.rows(self.size + 1 if self.ahead else self.size)
        if owner.page.backward:
            page = select(page).order_by(page.c["#n"].desc()).subquery(owner.compiler.name())
        self.page = page
        self.row: Any = Rows(owner.read.entity, page)
        self.number = page.c["#n"]
        self.source: Any = page

    def select(self, parts: Sequence[Part]) -> Select[Any]:
        """One column a part, over the rows of the page."""
        columns = [self._part(part) for part in parts]
        # HAVING makes one row of it even where no part of it is an aggregate.
        return select(*columns).select_from(self.source).having(true())

    def _part(self, part: Part) -> ColumnElement[Any]:
        if isinstance(part, Nodes):
            return self._collected(self._node_columns(part), bool(part.fields)).label(part.key)
        if isinstance(part, Edges):
            columns = [self._edge(inner) for inner in part.parts]
            return self._collected(columns or self._node_columns(Nodes("", ())), bool(columns)).label(part.key)
        if isinstance(part, PageInfo):
            pairs = [pair for inner in part.parts for pair in self._fact(inner)]
            return func.json_build_object(*pairs).label(part.key)
        if isinstance(part, Constant):
            return literal_column(f"'{part.value}'").label(part.key)
        return self.owner.total().label(part.key)

    def _collected(self, columns: list[ColumnElement[Any]], some: bool) -> ColumnElement[Any]:
        name = self.owner.compiler.name()
        self.source = self.source.join(select(*columns).correlate(self.page).lateral(name), true())
        rows = func.json_agg(literal_column(f'"{name}"' if some else f'"{name}"."#empty"'))
        return func.coalesce(self._on_page(rows), literal_column("'[]'::json"))

    def _on_page(self, aggregate: Any) -> Any:
        return aggregate.filter(self.number <= literal_column(str(self.size))) if self.ahead else aggregate

    def _node_columns(self, part: Nodes) -> list[ColumnElement[Any]]:
        from app.reading.compile import Near

        read = self.owner.read
        return self.owner.compiler.columns(Near(read.entity, self.row, read.include_deleted), part.fields)

    def _edge(self, part: Nodes | Cursor | Constant) -> ColumnElement[Any]:
        if isinstance(part, Constant):
            return literal_column(f"'{part.value}'").label(part.key)
        if isinstance(part, Cursor):
            return self.owner.sign(self.owner.cursor_payload(self.row)).label(part.key)
        inner = select(*self._node_columns(part)).correlate(self.page).subquery("#x")
        value = func.row_to_json(literal_column('"#x"')) if part.fields else literal_column('"#x"."#empty"')
        return select(value).select_from(inner).scalar_subquery().label(part.key)

    def _fact(self, part: tuple[str, PageFact] | Constant) -> list[ColumnElement[Any]]:
        if isinstance(part, Constant):
            return [literal_column(f"'{part.key}'"), literal_column(f"'{part.value}'::text")]
        key, fact = part
        return [literal_column(f"'{key}'"), self._page_fact(fact)]

    def _page_fact(self, fact: PageFact) -> ColumnElement[Any]:
        page = self.owner.page
        more = func.count() > literal_column(str(self.size))
        match fact:
            case "hasNextPage":
                past = self.owner.passed(page.before, "before", backward=False) if page.before else false()
                return past if page.backward else or_(more, past)
            case "hasPreviousPage":
                past = self.owner.passed(page.after, "after", backward=True) if page.after else false()
                return or_(more, past) if page.backward else past
            case "startCursor" | "endCursor":
                content = self.owner.cursor_payload(self.row)
                nearest = (fact == "startCursor") != page.backward
                order = self.number.asc() if nearest else self.number.desc()
                ordered = func.array_agg(aggregate_order_by(content, order), type_=ARRAY(Text))
                return self.owner.sign(self._on_page(ordered)[literal_column("1")])


def _itself(value: Any) -> Any:
    return value
