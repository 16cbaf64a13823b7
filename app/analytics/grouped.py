"""From an authorized grouping to one statement whose result is the finished JSON, and a note."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    JSON,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    distinct,
    false,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
)

from app.analytics.building import Building, ShopFacts, text
from app.analytics.grouping import (
    COUNT,
    KEY,
    RATED,
    GroupField,
    Grouping,
    GroupKey,
    Groups,
    Inside,
    TotalGroups,
    path_of,
    read_as,
    way,
)
from app.analytics.periods import local_start, moment_of
from app.analytics.showing import shown_column
from app.models import Opportunity
from app.models.base import Row
from app.models.computed import Kept
from app.reading.aliases import one_statement
from app.reading.binding import Statement, compile_statement
from app.reading.compile import Compiler, listed
from app.reading.correlation import own
from app.reading.cursors import CursorKeys
from app.reading.printing import effective
from app.reading.read import All, AnyOf, Compare, Constant, Filter, IsNull, MoneyField, Not
from app.reading.relations import kept_of, relation
from app.reading.sight import Sight

_DIGITS: ColumnElement[Any] = literal_column("40")
"""Decimal places to which averages are worked out, so that none that is shown is rounded twice."""


@dataclass(frozen=True, slots=True)
class AuthorizedGrouping:
    """A grouping that ``auth.authorize`` has checked whole. Nothing else makes one, and nothing else can be
    compiled."""

    grouping: Grouping
    sight: Sight


@one_statement
def compile_grouping(
    authorized: AuthorizedGrouping, cursors: CursorKeys, shop: ShopFacts, *, trigrams: bool = True
) -> Statement:
    """The statement for ``authorized``: the caller's present access version, the JSON, and a note or NULL."""
    compiler = Compiler(authorized.sight, cursors, shop, trigrams=trigrams)
    made = _Made(Building(authorized.grouping, compiler, shop), authorized.grouping)
    columns = [
        authorized.sight.version.label("#version"),
        made.data().label("#data"),
        made.note().label("#note"),
    ]
    # Planning takes little beside a figure.
    compiler.binder.unweighed = True
    return compile_statement(select(*columns), compiler.binder)


class _Joined:
    """A row and the rows to which it leads; each is joined when it is first looked at, and missing where the caller
    does not see it from there."""

    def __init__(self, build: Building, entity: type[Row], rates: CTE | None = None) -> None:
        self._build, self._rates = build, rates
        self.entity = entity
        self.row = build.alias(entity)
        self._far: dict[tuple[str, ...], Any] = {(): self.row}
        self._joins: list[tuple[Any, ColumnElement[bool]]] = []

    def select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """The select of ``columns`` over all rows that count."""
        query = select(*columns).select_from(self.row).where(*self._build.seen(self.entity, self.row))
        for far, condition in self._joins:
            query = query.outerjoin(far, condition)
        return query

    def value(self, path: str) -> ColumnElement[Any]:
        """The value at ``path``, NULL where the caller may not read it; of a row, its id."""
        found = way(self.entity, path)
        if found.attribute is not None:
            row = self._at(found.steps)
            treatment = self._build.sight.treatment(found.entity, read_as(found.entity, found.attribute), row)
            kept = kept_of(found.entity, found.attribute)
            value = getattr(row, found.attribute) if kept is None else kept.value(self._beside(found.steps, kept))
            return effective(value, treatment)
        near, (entity, name) = self._at(found.steps[:-1]), found.steps[-1]
        if not self._seen(entity, name, near, self._build.alias(found.entity)):
            ((here, _),) = relation(entity, name).pairs
            id: ColumnElement[Any] = getattr(near, here)
            return id
        return self._at(found.steps).id  # type: ignore[no-any-return]

    def day(self) -> ColumnElement[Any]:
        """The day whose exchange rate the amounts of the row count at, in the shop's time zone."""
        moment = self.value(RATED[self.entity])
        if self.entity is Opportunity:
            moment = func.coalesce(moment, func.now())
        return cast(func.timezone(text(self._build.shop.timezone), moment), Date)

    def amount(self, path: str) -> ColumnElement[Any]:
        """The amount at ``path`` in the shop's currency, exact; NULL where there is no rate for it."""
        assert self._rates is not None
        value, currency = self.value(path), self.row.currency
        # A join would sort all rows, those too that need no rate: an object of some hundred rates is looked into.
        pairs = func.jsonb_object_agg(_rate_key(self._rates.c.currency, self._rates.c.day), self._rates.c.rate)
        rates = select(pairs).where(self._rates.c.day.is_not(None), self._rates.c.rate.is_not(None)).scalar_subquery()
        rate = cast(func.jsonb_extract_path_text(rates, _rate_key(currency, self.day())), Numeric)
        return case((currency == text(self._build.shop.currency), value), else_=value * rate)

    def _at(self, steps: tuple[tuple[type[Row], str], ...]) -> Any:
        names = tuple(name for _, name in steps)
        if names not in self._far:
            near, (entity, name) = self._at(steps[:-1]), steps[-1]
            found = relation(entity, name)
            far = self._far[names] = self._build.alias(found.target)
            self._joins.append((far, and_(*found.link(near, far), *self._seen(entity, name, near, far))))
        return self._far[names]

    def _beside(self, steps: tuple[tuple[type[Row], str], ...], kept: Kept) -> Any:
        """The row in which is kept what is known of the one at the end of ``steps``: there always is one."""
        names = (*(name for _, name in steps), f"#{kept.table.__tablename__}")
        if names not in self._far:
            row = self._at(steps)
            beside = self._far[names] = self._build.alias(kept.table)
            self._joins.append((beside, getattr(beside, kept.key) == row.id))
        return self._far[names]

    def _seen(self, entity: type[Row], name: str, near: Any, far: Any) -> list[ColumnElement[bool]]:
        found, sight = relation(entity, name), self._build.sight
        # Whoever sees a row sees the one that it follows.
        conditions = [] if found.to_parent else sight.rows(found.target, far, "row", referred=True)
        readable = sight.treatment(entity, name, near).readable
        if readable is not True:
            conditions.append(false() if readable is False else readable)
        return conditions


class _Made:
    """The making of the statement of one grouping."""

    def __init__(self, build: Building, grouping: Grouping) -> None:
        self.build = build
        self.grouping = grouping
        self.asked = build.asked
        self.amounts = grouping.amounts()
        self.rates = self._rates() if self.amounts else None

    def data(self) -> ColumnElement[Any]:
        """The JSON object that is answered."""
        found = self._groups().cte(self.build.compiler.name())
        columns: list[ColumnElement[Any]] = []
        for part in self.grouping.parts:
            match part:
                case Constant(key, value):
                    columns.append(literal_column(f"'{value}'", Text).label(key))
                case TotalGroups(key):
                    columns.append(select(func.count()).select_from(found).scalar_subquery().label(key))
                case Groups(key, fields):
                    columns.append(self._list(found, fields).label(key))
        return _object(columns, None)

    def note(self) -> ColumnElement[Any]:
        """The currencies without an exchange rate, and how many rows were left out of the amounts for want of one."""
        if self.rates is None:
            return cast(null(), JSON)
        missing = select(self.rates).where(self.rates.c.rate.is_(None)).subquery(self.build.compiler.name())
        said = func.json_build_object(
            *(text("code"), text("EXCHANGE_RATE_MISSING")),
            *(text("currencies"), func.array_agg(missing.c.currency.distinct())),
            *(text(self.grouping.entity.__table__.name), func.sum(missing.c.rows)),  # type: ignore[attr-defined]
        )
        return select(case((func.count() > 0, said), else_=null())).select_from(missing).scalar_subquery()

    def _rates(self) -> CTE:
        """The exchange rate of each other currency and day, and of how many rows it is: so it is looked up once for all
        of these."""
        rows = _Joined(self.build, self.grouping.entity)
        there = [rows.value(each).is_not(None) for each in self.amounts]
        currency, day = rows.row.currency.label("currency"), rows.day().label("day")
        found = (
            rows.select(currency, day, func.count().label("rows"))
            .where(rows.row.currency != text(self.build.shop.currency), or_(*there))
            .group_by(currency, day)
            .subquery(self.build.compiler.name())
        )
        rate = func.exchange_rate(found.c.currency, found.c.day, type_=Numeric()).label("rate")
        return select(*found.c, rate).cte(self.build.compiler.name())

    def _groups(self) -> Select[Any]:
        """The groups that meet ``having``, a column for each key and each figure."""
        rows = self._rows()
        keys = [rows.c[key.column] for key in self.grouping.keys]
        figures = [_figure(rows, column).label(column) for column in self.asked]
        query = select(*keys, *figures, *([] if figures else [_one()])).select_from(rows).group_by(*keys)
        groups = query.subquery(self.build.compiler.name())
        # A zone that is none is refused when it is bound, so it is, also where there is nothing to be cut by it.
        conditions = [self.build.zone().is_not(None)] if "timezone" in self.grouping.given else []
        return select(*map(self._moment, groups.c)).where(self._having(groups, self.grouping.having), *conditions)

    def _moment(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column, with the moment at which a bucket begins where it holds what the clocks show then."""
        if isinstance(column.type, DateTime) and not column.type.timezone:
            return moment_of(column, self.build.zone()).label(column.key)
        return column

    def _rows(self) -> Any:
        """The rows that count, a column for each key and each path of which something is worked out."""
        rows = _Joined(self.build, self.grouping.entity, self.rates)
        columns = {key.column: self._bucketed(key, rows.value(key.path)) for key in self.grouping.keys}
        for column in self.asked:
            path = path_of(column)
            if path and path not in columns:
                columns[path] = rows.amount(path) if path in self.amounts else rows.value(path)
        labelled = [*(value.label(name) for name, value in columns.items()), *([] if columns else [_one()])]
        # PostgreSQL would otherwise work out each value again for each figure over it.
        return rows.select(*labelled).offset(literal_column("0")).subquery(self.build.compiler.name())

    def _bucketed(self, key: GroupKey, value: ColumnElement[Any]) -> ColumnElement[Any]:
        if key.bucket is None:
            return value
        if isinstance(value.type, Date):
            return cast(func.date_trunc(text(key.bucket.lower()), cast(value, DateTime())), Date)
        return local_start(key.bucket, value, self.build.zone())

    def _having(self, groups: Any, part: Filter) -> ColumnElement[bool]:
        match part:
            case All(parts):
                return and_(true(), *(self._having(groups, each) for each in parts))
            case AnyOf(parts):
                return or_(false(), *(self._having(groups, each) for each in parts))
            case Not(inner):
                return not_(self._having(groups, inner))
            case Compare():
                return self.build.compiler.filters.compared(groups.c[part.attribute], part)
            case IsNull(attribute, holds):
                value: ColumnElement[Any] = groups.c[attribute]
                return value.is_(None) if holds else value.is_not(None)
        raise AssertionError(part)

    def _list(self, groups: Any, fields: Sequence[GroupField]) -> ColumnElement[Any]:
        columns = self._columns(groups, fields)
        ordered = {term.attribute: term.descending for term in self.grouping.order}
        for key in self.grouping.keys:
            ordered.setdefault(key.column, False)
        terms = [
            value.desc().nulls_last() if descending else value.asc().nulls_last()
            for name, descending in ordered.items()
            for value in self._ordering(groups, name)
        ]
        rows = select(*(columns or [literal_column("'{}'::json").label("#empty")])).select_from(groups)
        rows = rows.order_by(*terms).limit(literal_column(str(self.grouping.first)))
        return listed('"#x"' if columns else '"#x"."#empty"', rows.subquery("#x"))

    def _columns(self, groups: Any, fields: Sequence[GroupField]) -> list[ColumnElement[Any]]:
        return [self._column(groups, each).label(each.key) for each in fields]

    def _column(self, groups: Any, field: GroupField) -> ColumnElement[Any]:
        if isinstance(field, Inside):
            return _object(self._columns(groups, field.fields), groups)
        if isinstance(field, Constant):
            return shown_column(self.build, groups, field)
        name = field.attribute if isinstance(field, MoneyField) else field.name
        if name not in groups.c:
            # A key that the groups are not by.
            return cast(null(), JSON)
        return shown_column(self.build, groups, field)

    def _ordering(self, groups: Any, name: str) -> list[ColumnElement[Any]]:
        """By what a column orders: text by code point, members of a set as they are listed, rows as they are."""
        value = groups.c[name]
        if isinstance(value.type, Enum):
            members = ",".join(f"'{each}'" for each in value.type.enums)
            return [func.array_position(literal_column(f"ARRAY[{members}]"), cast(value, Text))]
        if isinstance(value.type, Text):
            return [value.collate("C")]
        found = way(self.grouping.entity, path_of(name)) if name.startswith(f"{KEY}.") else None
        if found is None or found.attribute is not None:
            return [value]
        far = self.build.alias(found.entity)
        places = []
        for attribute in (name for name in found.entity.listed if name != "id"):
            place = effective(getattr(far, attribute), self.build.sight.treatment(found.entity, attribute, far))
            if isinstance(place.type, Text):
                place = place.collate("C")
            places.append(own(select(place).where(far.id == value), far).scalar_subquery())
        return [*places, value]


def _rate_key(currency: ColumnElement[str], day: ColumnElement[Any]) -> ColumnElement[str]:
    return currency.concat(cast(day, Text))


def _figure(rows: Any, column: str) -> ColumnElement[Any]:
    if column == COUNT:
        return func.count()
    function, _, path = column.partition(".")
    value = rows.c[path]
    total = cast(func.sum(value), Numeric)
    match function:
        case "sum":
            return func.coalesce(total, literal_column("0"), type_=Numeric())
        case "average":
            return cast(func.round(total, _DIGITS) / func.count(value), Numeric)
        case "min":
            return func.min(value)
        case "max":
            return func.max(value)
        case "countDistinct":
            return func.count(distinct(value))
    raise AssertionError(column)


def _object(columns: list[ColumnElement[Any]], outer: Any) -> ColumnElement[Any]:
    """The JSON object of ``columns``, which may be of the row ``outer``."""
    if not columns:
        return literal_column("'{}'::json", JSON)
    inner = select(*columns)
    if outer is not None:
        inner = inner.correlate(outer)
    whole: ColumnElement[Any] = literal_column('"#x"')
    return select(func.row_to_json(whole)).select_from(inner.subquery("#x")).scalar_subquery()


def _one() -> ColumnElement[Any]:
    return literal_column("1").label("#one")
