"""Win rates: how many of the opportunities closed in a period were won."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Float,
    Integer,
    Interval,
    Numeric,
    Select,
    Text,
    and_,
    cast,
    func,
    literal_column,
    not_,
    null,
    select,
    true,
    union_all,
)

from app.analytics.building import Building, Definition, Table, text
from app.analytics.deals import (
    days,
    kept_day,
    kept_months,
    kind_of,
    priced,
    rate,
    referred,
    seconds,
    total,
    without_rate,
)
from app.analytics.figure import Figure
from app.analytics.periods import local_start, within
from app.analytics.rolled import usable
from app.models import ClosingBucket, Opportunity, Product, Stage, Team, User
from app.models.base import Row
from app.models.enums import StageKind, WinRateKey
from app.reading.printing import printed, shown

_ZERO: ColumnElement[Any] = literal_column("0", Integer)
_NONE: ColumnElement[Any] = cast(null(), Numeric)
_EMPTY = literal_column("''", Text)

_BY: dict[str, list[tuple[type[Row], str]]] = {
    WinRateKey.OWNER: [(Opportunity, "owner"), (User, "id")],
    WinRateKey.TEAM: [(Opportunity, "owner"), (User, "team"), (Team, "id")],
    WinRateKey.PRODUCT: [(Opportunity, "product"), (Product, "id")],
    WinRateKey.MONTH: [],
}


class WinRates(Definition):
    """Opportunities in a won or a lost stage by the moment of their closing, for each owner, team of the owner, product
    or month in the shop's time zone.

    Without one that the caller sees, they come under an empty key, the first. The days to close are those of the won.
    """

    entity = Opportunity

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
        """Won is told from the kind of the stage, and when from the closing."""
        return _needs(asked)

    def needed(self, figure: Figure) -> Sequence[tuple[type[Row], str]]:
        """Also what they are told by."""
        return [*self.needs(figure.asked()), *_BY[str(figure.given["by"])]]

    def table(self, build: Building) -> Table:
        """A row for each key."""
        told = _named(build) if build.given("by") != WinRateKey.MONTH else _monthly(build)
        won, lost = (func.sum(told.c[name], type_=Integer) for name in ("won", "lost"))
        shown = {
            "key": told.c.key,
            "label": told.c.label,
            "won": won,
            "lost": lost,
            "rate": cast(won, Float) / (won + lost),
            "wonAmount": total(told.c.amount * told.c.rate),
            "averageDaysToClose": days(func.sum(told.c.length, type_=Numeric), won),
            "#none": told.c.key == _EMPTY,
            "#label": told.c.label.collate("C"),
        }
        rows = select(*(value.label(label) for label, value in shown.items())).group_by(told.c.key, told.c.label)
        return Table(rows, order=("#none", "#label", "key"))

    def note(self, build: Building) -> ColumnElement[Any] | None:
        """The currencies without an exchange rate, and how many won opportunities were left out of the amounts."""
        if "wonAmount" not in build.asked:
            return None
        closed = build.once("closed", lambda: _closed(build))
        left_out = select(closed.c.currency, closed.c.valued.label("count")).where(
            closed.c.rate.is_(None), closed.c.valued > _ZERO
        )
        return without_rate(left_out.subquery(build.compiler.name()))


def _needs(asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:
    found: list[tuple[type[Row], str]] = [(Opportunity, "stage"), (Opportunity, "closed_at"), (Stage, "kind")]
    if "wonAmount" in asked:
        found.append((Opportunity, "amount"))
    if "averageDaysToClose" in asked:
        found.append((Opportunity, "opened_at"))
    return found


def _closed(build: Building) -> CTE:
    """What was closed in the period, by what is asked for and by what its exchange rate is found, with that rate."""
    raw = _raw(build)
    parts = union_all(raw.where(not_(usable(build, "MONTH"))), _kept(build)) if _may_roll(build) else raw
    found = parts.cte(build.compiler.name())
    worth = rate(build, found.c.currency, found.c.day) if "wonAmount" in build.asked else _NONE
    return select(found, worth.label("rate")).cte(build.compiler.name())


def _may_roll(build: Building) -> bool:
    """Whether the caller may have what is kept of all opportunities."""
    by, asked = build.given("by"), build.asked
    attributes = [name for entity, name in (*_BY[by], *_needs(asked)) if entity is Opportunity]
    return build.whole(Opportunity, *attributes)


def _raw(build: Building) -> Select[Any]:
    """What was closed, from the opportunities themselves."""
    deal, stage, by, asked = build.alias(Opportunity), build.alias(Stage), build.given("by"), build.asked
    closed = build.value(Opportunity, deal, "closed_at")
    if by == WinRateKey.MONTH:
        key = local_start("MONTH", closed, text(build.shop.timezone))
    else:
        key = referred(build, Opportunity, deal, "product" if by == WinRateKey.PRODUCT else "owner")
    won = kind_of(stage, StageKind.WON)
    groups, sums = [key.label("key")], {"amount": _NONE, "valued": _ZERO, "length": _NONE}
    if "wonAmount" in asked:
        amount = build.value(Opportunity, deal, "amount")
        currency, day = priced(build, deal)
        groups += [currency.label("currency"), day.label("day")]
        sums |= {"amount": func.sum(amount).filter(won), "valued": func.count(amount).filter(won)}
    if "averageDaysToClose" in asked:
        length = closed - build.value(Opportunity, deal, "opened_at")
        sums["length"] = seconds(func.sum(length, type_=Interval).filter(won))
    sums |= {"won": func.count().filter(won), "lost": func.count().filter(~won)}
    return (
        select(*groups, *(value.label(label) for label, value in sums.items()))
        .select_from(deal)
        .join(stage, stage.id == referred(build, Opportunity, deal, "stage"))
        .where(
            *build.seen(Opportunity, deal),
            closed.is_not(None),
            kind_of(stage, StageKind.WON, StageKind.LOST),
            *within(closed, build.moment("from"), build.moment("to")),
        )
        .group_by(*groups)
    )


def _kept(build: Building) -> Select[Any]:
    """The same from what is kept of all opportunities."""
    kept: Any = build.alias(ClosingBucket)
    stage, by, asked = build.alias(Stage), build.given("by"), build.asked
    won = kind_of(stage, StageKind.WON)
    groups: list[ColumnElement[Any]] = [cast(kept.month, DateTime()) if by == WinRateKey.MONTH else kept.id]
    amount, count = (func.sum(each).filter(won) for each in (kept.amount, kept.opportunities))
    lost = func.sum(kept.opportunities).filter(~won)
    sums = [_NONE, _ZERO]
    if "wonAmount" in asked:
        groups += [kept.currency, kept_day(build, true())]
        sums = [amount, func.coalesce(count, _ZERO)]
    sums.append(func.sum(kept.length).filter(won) if "averageDaysToClose" in asked else _NONE)
    sums += [func.coalesce(each, _ZERO) for each in (count, lost)]
    return (
        select(*groups, *sums)
        .join(stage, stage.id == kept.stage_id)
        .where(
            kept.by == text(WinRateKey.PRODUCT if by == WinRateKey.PRODUCT else WinRateKey.OWNER),
            kind_of(stage, StageKind.WON, StageKind.LOST),
            *kept_months(build, kept.month),
        )
        .group_by(*groups)
    )


def _monthly(build: Building) -> Any:
    closed = build.once("closed", lambda: _closed(build))
    month = func.to_char(closed.c.key, text("YYYY-MM"), type_=Text()).label("key")
    return select(month, month.label("label"), *_figures(closed)).subquery(build.compiler.name())


def _named(build: Building) -> Any:
    """The closed ones by the typed id, and under the name, of whom the caller sees."""
    closed = build.once("closed", lambda: _closed(build))
    kind: type[Row] = Product if build.given("by") == WinRateKey.PRODUCT else User
    first = build.alias(kind)
    rows = closed.outerjoin(first, and_(first.id == closed.c.key, *build.sight.rows(kind, first, "row", referred=True)))
    end: Any = first
    if build.given("by") == WinRateKey.TEAM:
        kind, end = Team, build.alias(Team)
        team_id = referred(build, User, first, "team")
        rows = rows.outerjoin(end, and_(end.id == team_id, *build.sight.rows(Team, end, "row", referred=True)))
    name = shown(kind, "name", end.name, build.sight.treatment(kind, "name", end))
    key, label = func.coalesce(printed(kind, end.id), _EMPTY), func.coalesce(name, _EMPTY, type_=Text())
    named = select(key.label("key"), label.label("label"), *_figures(closed)).select_from(rows)
    return named.subquery(build.compiler.name())


def _figures(closed: CTE) -> list[ColumnElement[Any]]:
    return [closed.c[name] for name in ("won", "lost", "length", "amount", "rate")]
