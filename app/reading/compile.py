"""From an authorized read to one statement whose result is the finished JSON.

Names that the statement makes for itself contain ``#``, which GraphQL forbids, so that no response key can hide them.
Every list is a correlated subquery with its own conditions, order and limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    ColumnElement,
    Numeric,
    Text,
    Uuid,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    null,
    select,
    true,
    tuple_,
)

from app.models import AuditEvent
from app.models.base import Row
from app.models.computed import SHOP_CURRENCY
from app.reading.aliases import alias, one_statement
from app.reading.beside import Beside
from app.reading.binding import Binder, Statement, compile_statement
from app.reading.changes import shown_changes
from app.reading.correlation import own, survivor
from app.reading.cursors import CursorKeys
from app.reading.filters import FilterCompiler
from app.reading.keyset import Key
from app.reading.likeness import alike
from app.reading.pages import connection
from app.reading.printing import effective, money_object, shown
from app.reading.read import (
    EVERYTHING,
    Can,
    Constant,
    Field,
    Leaf,
    MoneyField,
    Newest,
    NodesRead,
    Operand,
    PartsField,
    Read,
    SummaryField,
    ToMany,
    ToOne,
)
from app.reading.relations import Relation, currency_of, is_nullable, kept_of, relation
from app.reading.shop import ShopFacts
from app.reading.sight import AuthorizedRead, How, Sight


@dataclass(frozen=True, slots=True)
class Near:
    """A row at hand: where a relation starts from. A deleted one shows nothing of what follows it."""

    entity: type[Row]
    row: Any
    may_be_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """The way from a row at hand to the rows of a read."""

    near: Near
    relation: Relation

    def link(self, far: Any) -> list[ColumnElement[bool]]:
        """The conditions under which ``far`` is there."""
        conditions = self.relation.link(self.near.row, far)
        if self.near.may_be_deleted and self.relation.from_parent:
            conditions.append(self.near.row.deleted_at.is_(None))
        return conditions


@one_statement
def compile_read(
    authorized: AuthorizedRead, cursors: CursorKeys, shop: ShopFacts | None = None, *, trigrams: bool = True
) -> Statement:
    """The statement for ``authorized``: one row of the caller's present access version and the JSON. ``trigrams`` says
    whether the database has pg_trgm; without the ``shop``, no amount in its currency can be shown."""
    compiler = Compiler(authorized.sight, cursors, shop, trigrams=trigrams)
    root = authorized.root
    data = compiler.nodes(root) if isinstance(root, NodesRead) else compiler.root(root)
    statement = select(authorized.sight.version.label("#version"), data.label("#data"))
    return compile_statement(statement, compiler.binder)


class Compiler:
    """Compiles one statement."""

    def __init__(
        self, sight: Sight, cursors: CursorKeys, shop: ShopFacts | None = None, *, trigrams: bool = True
    ) -> None:
        self.sight = sight
        self.shop = shop
        self.trigrams = trigrams
        self.cursors = cursors
        self.binder = Binder()
        self.filters = FilterCompiler(sight, self.binder)
        self._names = 0
        self._rows: dict[type[Row], int] = {}
        self._about: type[Row] | None = None
        """The entity whose records' events are being compiled; None outside of their history."""

    def name(self) -> str:
        """A name that nothing else in the statement has."""
        self._names += 1
        return f"#{self._names}"

    def alias(self, entity: type[Row]) -> Any:
        """The table of ``entity`` under a name of its own, the same in each statement: the first, the second, ..."""
        number = self._rows[entity] = self._rows.get(entity, 0) + 1
        return alias(entity, f"#{entity.__tablename__}{number}")

    def root(self, read: Read) -> ColumnElement[Any]:
        """The JSON of a root field: an object or null, a list, or a connection."""
        if read.page is not None:
            return connection(self, read, None)
        if read.alike is not None:
            return self.alike(read)
        return self.one(read, None) if read.id is not None else self.many(read, None)

    def one(
        self, read: Read, step: Step | None, at: ColumnElement[Any] | None = None, *, referred: bool = False
    ) -> ColumnElement[Any]:
        """The JSON object of the one row of ``read``, or null. ``at`` is the row's id where the read has none; it is
        ``referred`` to where something visible names it."""
        row = self.alias(read.entity)
        conditions = self.conditions(read, row, step, "row", at, referred=referred or step is not None)
        columns = self.columns(Near(read.entity, row, read.include_deleted), read.fields)
        inner = select(*columns).select_from(row).where(*conditions)
        if step is not None:
            inner = inner.correlate(step.near.row)
        elif at is not None:
            inner = inner.correlate(at.table)
        whole: ColumnElement[Any] = literal_column(_whole(read.fields))
        value = func.row_to_json(whole) if read.fields else whole
        return select(value).select_from(inner.subquery("#x")).scalar_subquery()

    def many(self, read: Read, step: Step | None) -> ColumnElement[Any]:
        """The JSON list of all rows of ``read``."""
        row = self.alias(read.entity)
        conditions = self.conditions(read, row, step, "row" if step else "set")
        if read.newest is not None:
            conditions.append(self._among_newest(read, row, read.newest))
        keys = [
            self.key(read.entity, row, term.attribute, term.descending)
            for term in read.order
            if self.sight.treatment(read.entity, term.attribute, row).readable is not False
        ]
        inner = (
            select(*self.columns(Near(read.entity, row, read.include_deleted), read.fields))
            .select_from(row)
            .where(*conditions)
            .order_by(*(key.value.desc() if key.descending else key.value for key in keys))
        )
        if step is not None:
            inner = inner.correlate(step.near.row)
        return listed(_whole(read.fields), inner.subquery("#x"))

    def _among_newest(self, read: Read, row: Any, newest: Newest) -> ColumnElement[bool]:
        other = self.alias(read.entity)
        each, by = getattr(other, newest.each), getattr(other, newest.by)
        number = func.row_number().over(partition_by=each, order_by=by.desc()).label("#n")
        found = select(each, by, number).where(*self.conditions(read, other, None, "set")).subquery(self.name())
        keys = select(*list(found.c)[:2]).where(found.c["#n"] <= literal_column(str(newest.most)))
        return tuple_(getattr(row, newest.each), getattr(row, newest.by)).in_(keys)

    def alike(self, read: Read) -> ColumnElement[Any]:
        """The JSON list of the rows that are probably the same as the one of ``read``, best first."""
        row, found = self.alias(read.entity), alike(self, read, trigrams=self.trigrams)
        inner = (
            select(*self.columns(Near(read.entity, row), read.fields))
            .select_from(found)
            .join(row, row.id == found.c["#id"])
            .order_by(found.c["#score"].desc(), row.id.desc())
        )
        return listed(_whole(read.fields), inner.subquery("#x"))

    def nodes(self, root: NodesRead) -> ColumnElement[Any]:
        """The JSON of rows of any entity by typed id, each null where it is not to be seen."""
        ids = root.ids
        places = (
            func.unnest(
                self.binder.bind(
                    Operand(lambda v: [kind for kind, _ in ids.convert(v)], ids.source, ids.constant), ARRAY(Text())
                ),
                self.binder.bind(
                    Operand(lambda v: [uid for _, uid in ids.convert(v)], ids.source, ids.constant), ARRAY(Uuid())
                ),
            )
            .table_valued(column("kind", Text), column("id", Uuid), with_ordinality="place", name="#ids")
            .render_derived()
        )
        whens = [(places.c.kind == read.entity.prefix, self.one(read, None, places.c.id)) for read in root.reads]
        value = case(*whens, else_=null()) if whens else cast(null(), JSON)
        if root.single:
            return select(value).select_from(places).scalar_subquery()
        # Every row makes one element, so that NULLs stand for what is not there.
        element = func.coalesce(value, literal_column("'null'::json"))
        inner = select(element.label("#e")).select_from(places).order_by(places.c.place).subquery("#x")
        return listed('"#x"."#e"', inner)

    def conditions(
        self,
        read: Read,
        row: Any,
        step: Step | None,
        how: How | None,
        at: ColumnElement[Any] | None = None,
        *,
        referred: bool = False,
    ) -> list[ColumnElement[bool]]:
        """All conditions on the rows of ``read``: the way to them, the caller's rights (unless ``how`` is None: then
        the rows are those in sight), filter and search."""
        conditions = step.link(row) if step else []
        if read.id is not None:
            at = self.binder.bind(read.id, Uuid())
        if at is not None:
            conditions.append(row.id == survivor(read.entity, at))
        if step is not None and step.relation.action:
            conditions += self.sight.covered(step.near.entity, step.near.row, step.relation.action)
        elif how is not None and (step is None or not step.relation.to_parent):
            conditions += self.sight.rows(
                read.entity,
                row,
                how,
                include_deleted=read.include_deleted,
                parent_seen=step is not None and step.relation.from_parent,
                referred=referred or step is not None,
            )
        if read.where != EVERYTHING:
            conditions.append(self.filters.condition(read.entity, row, read.where, may_be_deleted=read.include_deleted))
        return conditions + self.filters.search(read.entity, row, read.search)

    def key(
        self,
        entity: type[Row],
        row: Any,
        attribute: str,
        descending: bool,
        beside: Beside | None = None,
    ) -> Key:
        """One term of an order: text by code point, NULL where the caller may not read the value.

        What is kept in the row ``beside``, and its id, are those of that row: an index of its table orders them.
        """
        treatment = self.sight.treatment(entity, attribute, row)
        kept = kept_of(entity, attribute)
        if beside is not None and kept is not None:
            value = effective(beside.value(kept), beside.treatment(treatment))
        elif beside is not None and attribute == "id":
            value = beside.id
        else:
            value = effective(getattr(row, attribute), treatment)
        if isinstance(value.type, Text):
            value = value.collate("C")
        closed = treatment.readable is not True and kept is None
        return Key(value, descending, closed or is_nullable(entity, attribute))

    def columns(self, near: Near, fields: Sequence[Field]) -> list[ColumnElement[Any]]:
        """One labelled column a field; an empty object where there are none."""
        if not fields:
            return [literal_column("'{}'::json").label("#empty")]
        return [self._column(near, field).label(field.key) for field in fields]

    def _column(self, near: Near, field: Field) -> ColumnElement[Any]:
        entity, row = near.entity, near.row
        match field:
            case Constant(_, value):
                return literal_column(f"'{value}'", Text)
            case Leaf(_, "changes") if entity is AuditEvent:
                return shown_changes(self.sight, row, self._about)
            case Leaf(_, attribute):
                treatment = self.sight.treatment(entity, attribute, row)
                return shown(entity, attribute, getattr(row, attribute), treatment)
            case MoneyField():
                return self._money(near, field)
            case PartsField():
                return self._parts(near, field)
            case SummaryField(_, name):
                return self._summary(near, name)
            case Can(_, action):
                return self._can(near, action)
            case ToOne(_, name, read):
                return self._to_one(near, name, read)
            case ToMany(_, name, read):
                step = Step(near, relation(entity, name))
                if read.entity is AuditEvent:
                    return self._history(read, step)
                return connection(self, read, step) if read.page is not None else self.many(read, step)

    def _history(self, read: Read, step: Step) -> ColumnElement[Any]:
        self._about = step.near.entity
        try:
            return connection(self, read, step)
        finally:
            self._about = None

    def _money(self, near: Near, field: MoneyField) -> ColumnElement[Any]:
        exact, currency = getattr(near.row, field.attribute), currency_of(near.entity, field.attribute) or ""
        if currency != SHOP_CURRENCY:
            return money_object(field.parts, cast(exact, Text), getattr(near.row, currency))
        assert self.shop is not None
        # What is kept is in the shop's currency, but not always with all its digits.
        treatment = self.sight.treatment(near.entity, field.attribute, near.row)
        exact = func.round(effective(exact, treatment), literal_column(str(self.shop.scale)), type_=Numeric)
        amount = cast(exact, Text)
        shown_money = money_object(field.parts, amount, literal_column(f"'{self.shop.currency}'", Text))
        if any(not isinstance(part, Constant) and part[1] == "amount" for part in field.parts):
            return shown_money
        # Without the amount in it, the object would be there also where there is none.
        return case((exact.is_not(None), shown_money), else_=null())

    def _parts(self, near: Near, field: PartsField) -> ColumnElement[Any]:
        kept = kept_of(near.entity, field.attribute)
        assert kept is not None
        beside = self.alias(kept.table)
        pairs: list[ColumnElement[Any]] = []
        for part in field.parts:
            if isinstance(part, Constant):
                key, value = part.key, literal_column(f"'{part.value}'", Text)
            else:
                key, value = part[0], getattr(beside, kept.parts[part[1]])
            pairs += [literal_column(f"'{key}'", Text), value]
        conditions = [getattr(beside, kept.key) == near.row.id, near.row.deleted_at.is_(None)]
        readable = self.sight.treatment(near.entity, field.attribute, near.row).readable
        conditions += [] if isinstance(readable, bool) else [readable]
        found = select(func.json_build_object(*pairs)).where(*conditions, kept.value(beside).is_not(None))
        return own(found, beside).scalar_subquery()

    def _summary(self, near: Near, name: str) -> ColumnElement[Any]:
        summary = near.entity.summaries[name]
        step = Step(near, relation(near.entity, summary.relation))
        read = Read(step.relation.target)
        row = self.alias(read.entity)
        inner = select(func.count()).select_from(row).where(*self.conditions(read, row, step, "row"))
        return own(inner, row).scalar_subquery()

    def _can(self, near: Near, action: str) -> ColumnElement[bool]:
        """Whether ``action`` covers the row. A deleted one can be seen and brought back, no more."""
        conditions = self.sight.covered(near.entity, near.row, action)
        if near.may_be_deleted and action not in ("read", "restore"):
            conditions.append(near.row.deleted_at.is_(None))
        # Whose a row without an owner is cannot be said: that is no.
        return and_(*conditions).is_(true()) if conditions else literal_column("true", Boolean())

    def _to_one(self, near: Near, name: str, read: Read) -> ColumnElement[Any]:
        step = Step(near, relation(near.entity, name))
        treatment = self.sight.treatment(near.entity, name, near.row)
        if treatment.readable is False or not self.sight.may_see(read.entity):
            return cast(null(), JSON)
        value = self.one(read, step)
        return value if treatment.readable is True else case((treatment.readable, value), else_=null())


def listed(element: str, rows: Any) -> ColumnElement[Any]:
    """The JSON list of ``element`` over ``rows``, in the order in which they come."""
    collected = func.coalesce(func.json_agg(literal_column(element)), literal_column("'[]'::json"))
    return select(collected).select_from(rows).scalar_subquery()


def _whole(fields: Sequence[Any]) -> str:
    return '"#x"' if fields else '"#x"."#empty"'
