"""A read as a plain value: which rows of which entity, in which order, which page of them, and what of each.

It knows nothing of GraphQL, HTTP, or rights. Values that may differ between two runs of a statement are operands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.models.base import Row

Convert = Callable[[Any], Any]
"""Makes of a value what PostgreSQL is sent; raises BadUserInputError where that cannot be."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A value that is bound when the statement runs: ``constant``, or what stands at ``source`` in the variables."""

    convert: Convert
    source: tuple[str | int, ...] | None = None
    constant: Any = None


Comparison = Literal[
    "eq", "ne", "in", "notIn", "lt", "lte", "gt", "gte", "contains", "startsWith", "endsWith", "has", "hasAny", "hasAll"
]


@dataclass(frozen=True, slots=True)
class Compare:
    """The value of ``attribute`` stands in the relation ``how`` to the operand; NULL does so with ne and notIn only. It
    is read where ``rights_of`` is, if that is given: the currency of an amount where the amount is."""

    attribute: str
    how: Comparison
    operand: Operand
    rights_of: str | None = None


@dataclass(frozen=True, slots=True)
class IsNull:
    """The value of ``attribute`` is NULL, or is not; ``rights_of`` is as for ``Compare``."""

    attribute: str
    holds: bool
    rights_of: str | None = None


@dataclass(frozen=True, slots=True)
class IsEmpty:
    """The list ``attribute`` has no members, or has some."""

    attribute: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """The row itself is missing (only behind a to-one relation can it be), or is there."""

    holds: bool


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; of no parts, all do."""

    parts: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; of no parts, none does."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Filter"


@dataclass(frozen=True, slots=True)
class ToOneFilter:
    """The part holds for the row at the end of ``relation``; a missing row has NULL in every field."""

    relation: str
    part: "Filter"


@dataclass(frozen=True, slots=True)
class ToManyFilter:
    """The part holds for ``some``, or for none, of the rows at the end of ``relation``."""

    relation: str
    part: "Filter"
    some: bool


Filter = Compare | IsNull | IsEmpty | Missing | All | AnyOf | Not | ToOneFilter | ToManyFilter
EVERYTHING = All()


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a search; a ``short`` one must begin a field, others may stand anywhere in it."""

    operand: Operand
    short: bool


@dataclass(frozen=True, slots=True)
class Term:
    """One term of an order."""

    attribute: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """``size`` rows from the front of the window between two cursors, or from its back."""

    size: int
    backward: bool = False
    after: Operand | None = None
    before: Operand | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """Of the rows with the same value of ``each``, only the ``most`` with the latest ``by``."""

    each: str
    by: str
    most: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known beforehand."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """The value of an attribute."""

    key: str
    attribute: str


@dataclass(frozen=True, slots=True)
class MoneyField:
    """An amount with its currency; ``parts`` are (key, ``amount`` or ``currency``) or constants."""

    key: str
    attribute: str
    parts: tuple[tuple[str, Literal["amount", "currency"]] | Constant, ...]


@dataclass(frozen=True, slots=True)
class PartsField:
    """A value of several parts as an object; ``parts`` are (key, name of the part) or constants."""

    key: str
    attribute: str
    parts: tuple[tuple[str, str] | Constant, ...]


@dataclass(frozen=True, slots=True)
class SummaryField:
    """A figure over the rows at the end of a relation, as ``Entity.summaries`` defines it."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Can:
    """Whether the right to ``action`` covers the row."""

    key: str
    action: str


@dataclass(frozen=True, slots=True)
class ToOne:
    """The row at the end of a relation, or null; without the right to see any, null only where ``nullable``."""

    key: str
    relation: str
    read: "Read"
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class ToMany:
    """The rows at the end of a relation: a plain list, or a connection where the read has a page."""

    key: str
    relation: str
    read: "Read"


Field = Constant | Leaf | MoneyField | PartsField | SummaryField | Can | ToOne | ToMany


@dataclass(frozen=True, slots=True)
class Nodes:
    """The rows of a page."""

    key: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of a row in the order."""

    key: str


@dataclass(frozen=True, slots=True)
class Edges:
    """The rows of a page, each with its cursor."""

    key: str
    parts: tuple[Nodes | Cursor | Constant, ...]


PageFact = Literal["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"]


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where a page lies."""

    key: str
    parts: tuple[tuple[str, PageFact] | Constant, ...]


@dataclass(frozen=True, slots=True)
class TotalCount:
    """How many rows there are on all pages."""

    key: str


Part = Nodes | Edges | PageInfo | TotalCount | Constant


@dataclass(frozen=True, slots=True)
class Read:
    """Rows of ``entity``. With a ``page`` it is a connection of ``parts``; any other shows ``fields`` of each row."""

    entity: type[Row]
    fields: tuple[Field, ...] = ()
    parts: tuple[Part, ...] = ()
    where: Filter = EVERYTHING
    search: tuple[Word, ...] = ()
    order: tuple[Term, ...] = ()
    page: Page | None = None
    include_deleted: bool = False
    id: Operand | None = None
    newest: Newest | None = None
    alike: int | None = None
    """How many of the rows that are probably the same as the one of ``id`` are asked for, instead of that one."""

    def nodes(self) -> list[Nodes]:
        """Every selection of the rows of a connection."""
        inside = [part for edges in self.parts if isinstance(edges, Edges) for part in edges.parts]
        return [part for part in (*self.parts, *inside) if isinstance(part, Nodes)]

    def shown(self) -> tuple[Field, ...]:
        """Every field that is shown of a row, of a connection too."""
        return (*self.fields, *(f for nodes in self.nodes() for f in nodes.fields))


@dataclass(frozen=True, slots=True)
class NodesRead:
    """Rows of any entity by typed id, in the order asked, ``count`` of them; ``single`` is one instead of a list."""

    ids: Operand
    reads: Sequence[Read] = field(default_factory=tuple)
    single: bool = False
    count: int = 1


Root = Read | NodesRead
