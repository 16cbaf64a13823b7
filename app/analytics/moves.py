"""Moves of customers between segments, from one month to another."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, Date, DateTime, Text, and_, case, cast, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.analytics.building import Building, Definition, Table, text
from app.analytics.periods import truncated
from app.analytics.segments import known, listed
from app.analytics.sold import needed_of_orders
from app.models import Customer, SegmentSnapshot, SegmentSnapshotMonth
from app.models.base import Row
from app.models.enums import RfmSegment

_BASED = ("total",)
_MONTH = literal_column("'YYYY-MM'", Text)


class SegmentMoves(Definition):
    """The customers by their segments when two months began; only moves that somebody made, in the enum's order.

    It counts those who are customers now. Who was not in a snapshot had not bought by then. Where the caller may not
    see all that segments are worked out from, a customer counts as a prospect, as it does in ``rfm``.
    """

    entity = Customer

    def needs(self, asked: Collection[str]) -> Sequence[tuple[type[Row], str]]:  # noqa: ARG002  # All of it needs this.
        """What segments are worked out from."""
        return [(Customer, "rfm_segment"), *needed_of_orders(*_BASED)]

    def table(self, build: Building) -> Table:
        """A row for each move."""
        customer = build.alias(Customer)
        shots: dict[str, Any] = {"from": build.alias(SegmentSnapshot), "to": build.alias(SegmentSnapshot)}
        prospects = text(RfmSegment.PROSPECTS)
        columns = {
            name: func.coalesce(known(build, customer, shot.segment, "rfm_segment", _BASED), prospects, type_=Text)
            for name, shot in shots.items()
        }
        rows: Any = select(*(value.label(name) for name, value in columns.items())).select_from(customer)
        for name, shot in shots.items():
            rows = rows.outerjoin(shot, and_(shot.month == _month(build, name), shot.customer_id == customer.id))
        each = rows.where(*build.seen(Customer, customer)).subquery(build.compiler.name())
        counts = select(each, func.count().label("customers")).group_by(*each.c).subquery(build.compiler.name())
        before, after = listed(build, RfmSegment), listed(build, RfmSegment)
        found = (
            select(counts, before.c.place.label("#from"), after.c.place.label("#to"))
            .join(before, before.c.name == counts.c["from"])
            .join(after, after.c.name == counts.c.to)
        )
        return Table(found, order=("#from", "#to"))

    def refusal(self, build: Building) -> ColumnElement[Any] | None:
        """A month of which there is no snapshot."""
        months = build.once("months", lambda: _months(build))
        names = aggregate_order_by(text(", "), months.c.month)
        there = select(func.string_agg(func.to_char(months.c.month, _MONTH), names)).scalar_subquery()
        others = func.coalesce(text("; there are those of ") + there + text("."), text("; there is none yet."))
        whens = []
        for name in ("from", "to"):
            month = _month(build, name)
            message = text("There is no snapshot of the segments of ") + func.to_char(month, _MONTH) + others
            said = func.json_build_object(text("argument"), text(name), text("message"), message)
            whens.append((month.not_in(select(months.c.month)), said))
        return case(*whens, else_=null())


def _month(build: Building, name: str) -> ColumnElement[Any]:
    """The first day of the month of an argument."""
    return cast(truncated("MONTH", cast(build.day(name), DateTime())), Date)


def _months(build: Building) -> CTE:
    """The months of which there are snapshots."""
    there: Any = build.alias(SegmentSnapshotMonth)
    return select(there.month).cte(build.compiler.name())
