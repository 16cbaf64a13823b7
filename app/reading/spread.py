"""How the values of columns are spread, as PostgreSQL has counted it, and whether a plan that knows no values will do.

A statement that is planned once for all values is planned for ordinary ones: an equality for the average value, a bound
for a third of the table. Where a page is wanted, such a plan walks the order and tests each row, which finds 50 rows
soon if they are many and goes through the whole table if they are few. Planning anew with the values finds the right
index, and costs as much as answering. So it is done where the values that are asked for are not ordinary ones.

What PostgreSQL assumes of an unknown value is in its src/backend/utils/adt/selfuncs.c (eqsel, scalarineqsel,
scalararraysel) and src/include/utils/selfuncs.h (DEFAULT_INEQ_SEL, DEFAULT_RANGE_INEQ_SEL).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from app.reading.binding import Statement, Weighed

_INEQUALITY, _RANGE, _ELEMENTS = 1 / 3, 0.005, 10
_PAGE = 50
_NEAR = 3.0
SMALL = 2_000
"""A table of so few rows is gone through as soon as it is planned for."""

_SPREADS = """
    SELECT cls.relname, s.attname, cls.reltuples::float8, s.null_frac, s.n_distinct, s.most_common_freqs,
           s.most_common_vals::text::{kind}[], {bounds}
    FROM pg_stats s
    JOIN pg_namespace ns ON ns.nspname = s.schemaname
    JOIN pg_class cls ON cls.relname = s.tablename AND cls.relnamespace = ns.oid
    JOIN pg_attribute att ON att.attrelid = cls.oid AND att.attname = s.attname
    WHERE s.schemaname = current_schema() AND NOT s.inherited AND att.atttypid = ANY (ARRAY[{types}]::regtype[])
"""
_FAMILIES = (
    ("timestamptz", "'timestamptz'", True),
    ("date", "'date'", True),
    ("numeric", "'numeric','integer','bigint','smallint'", True),
    ("uuid", "'uuid'", False),
    ("text", "'text','varchar','bpchar'", False),
)


@dataclass(frozen=True, slots=True)
class Column:
    """What is known of one column: of how many ``rows``, the share of NULLs, how many different values there are, the
    shares of the commonest, and bounds between which as many of all the others lie each."""

    rows: float
    nulls: float
    different: float
    common: Mapping[Any, float]
    bounds: Sequence[Any] = ()
    steps: Sequence[Any] = field(init=False)
    sums: Sequence[float] = field(init=False)
    """The commonest values in their order, and the share of rows below each; the last one is that of all of them."""

    def __post_init__(self) -> None:
        steps = sorted(self.common)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "sums", list(accumulate((self.common[each] for each in steps), initial=0.0)))

    @property
    def average(self) -> float:
        """The share of rows that an average value has."""
        return (1 - self.nulls) / max(self.different, 1)

    def equal(self, value: Any) -> float:
        """The share of rows with this value."""
        found = self.common.get(value)
        if found is not None:
            return found
        return self._rare / max(self.different - len(self.common), 1)

    @property
    def _rare(self) -> float:
        return max(1 - self.nulls - self.sums[-1], 0)

    def below(self, value: Any) -> float:
        """The share of rows with a lower value; how many have just this one makes no difference to a plan."""
        share = self.sums[bisect_left(self.steps, value)]
        if len(self.bounds) > 1:
            place = (bisect_left(self.bounds, value) - 0.5) / (len(self.bounds) - 1)
            share += self._rare * min(max(place, 0), 1)
        return share


class Spread:
    """The columns of one database, looked up from time to time."""

    def __init__(self, columns: Mapping[tuple[str, str], Column] | None = None) -> None:
        self._columns = columns or {}

    @classmethod
    async def of(cls, lanes: Any) -> "Spread":
        """What PostgreSQL has counted at its last ANALYZE."""
        found: dict[tuple[str, str], Column] = {}
        for kind, types, ordered in _FAMILIES:
            bounds = f"s.histogram_bounds::text::{kind}[]" if ordered else "NULL"
            for row in await lanes.fetch(_SPREADS.format(kind=kind, types=types, bounds=bounds)):
                table, name, rows, nulls, different, freqs, values, edges = row
                common = dict(zip(values or (), freqs or (), strict=False))
                if rows >= 0:
                    different = -different * rows if different < 0 else different
                    found[table, name] = Column(rows, nulls, different, common, edges or ())
        return cls(found)

    def ordinary(self, statement: Statement, arguments: Sequence[Any]) -> bool:
        """Whether a plan for ordinary values is a good one for these. What nobody has counted is not ordinary."""
        if statement.unweighed:
            return False
        tables: dict[str, list[tuple[Weighed, Column]]] = {}
        for weighed in statement.weighed:
            column = self._columns.get((weighed.table, weighed.column))
            if column is None:
                return False
            tables.setdefault(weighed.table, []).append((weighed, column))
        return all(_ordinary(found, arguments) for found in tables.values())


def _ordinary(found: Sequence[tuple[Weighed, Column]], arguments: Sequence[Any]) -> bool:
    rows = found[0][1].rows
    if rows < SMALL:
        return True
    share = assumed = 1.0
    bounded: dict[str, dict[bool, float]] = {}
    for weighed, column in found:
        value = arguments[weighed.place]
        if value is None:
            return False
        match weighed.how:
            case "eq" | "ne":
                real, taken = column.equal(value), column.average
            case "in" | "notIn":
                real = sum(column.equal(each) for each in set(value))
                taken = _ELEMENTS * column.average
            case "lt" | "lte" | "gt" | "gte":
                lower = weighed.how in ("gt", "gte")
                real = column.below(value)
                if lower:
                    real = max(1 - column.nulls - real, 0)
                # Of two bounds on the same side the narrower one counts.
                sides = bounded.setdefault(weighed.column, {})
                sides[lower] = min(real, sides.get(lower, 1))
                continue
            case _:
                return False
        real, taken = min(real, 1), min(taken, 1)
        if weighed.how in ("ne", "notIn"):
            real, taken = 1 - real, 1 - taken
        share, assumed = share * real, assumed * taken
    for sides in bounded.values():
        between = len(sides) == 2
        share *= max(sum(sides.values()) - between, 0)
        assumed *= _RANGE if between else _INEQUALITY
    # Walking the order for a page costs page / share, finding and sorting all costs share times rows. Where these are
    # equal one plan is as good as the other, and on either side of it one of them is the right one.
    turn = (_PAGE / rows) ** 0.5
    return min(share, assumed) >= _NEAR * turn or assumed / _NEAR <= share <= assumed * _NEAR
