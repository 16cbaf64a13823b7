"""What an operation may ask: its figures, counted before anything is planned, and the rows that a read may touch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from app.errors import QueryTooCostlyError
from app.reading.read import (
    All,
    AnyOf,
    Can,
    Filter,
    Leaf,
    MoneyField,
    NodesRead,
    Not,
    PartsField,
    Read,
    Root,
    SummaryField,
    ToMany,
    ToManyFilter,
    ToOne,
    ToOneFilter,
    TotalCount,
)
from app.reading.relations import kept_of
from app.settings import Settings

WHOLE_LIST = 10
"""Rows that a list without pages is taken to have: lines of an order, members of a team."""


FIGURE = 500
"""Points that a figure over all rows costs, however many rows there are."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How deep and wide an operation is, with every use of a fragment counted."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0


def figures(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Figures:
    """The figures of a valid operation. Each fragment is counted once and remembered, so nesting them costs nothing."""
    known: dict[str, Figures] = {}

    def of(selections: SelectionSetNode | None) -> Figures:
        depth = aliases = fields = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in known:
                    known[name] = of(fragments[name].selection_set)
                inner = known[name]
            else:
                inner = of(getattr(node, "selection_set", None))
            own = isinstance(node, FieldNode)
            depth = max(depth, inner.depth + own)
            aliases += inner.aliases + (isinstance(node, FieldNode) and node.alias is not None)
            fields += inner.fields + own
        return Figures(depth, aliases, fields)

    return of(operation.selection_set)


def root_fields(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    """How many fields stand at the root of an operation whose figures are within the limits."""
    count = 0
    for node in selections.selections:
        if isinstance(node, FieldNode):
            count += 1
        elif isinstance(node, FragmentSpreadNode):
            count += root_fields(fragments[node.name.value].selection_set, fragments)
        elif isinstance(node, InlineFragmentNode):
            count += root_fields(node.selection_set, fragments)
    return count


def check_figures(found: Figures, settings: Settings) -> None:
    """QueryTooCostlyError names the limit that an operation exceeds."""
    for name, actual, allowed in (
        ("depth", found.depth, settings.max_depth),
        ("aliases", found.aliases, settings.max_aliases),
        ("fields", found.fields, settings.max_fields),
    ):
        refuse_above(name, actual, allowed)


def refuse_above(limit: str, actual: int, allowed: int) -> None:
    """QueryTooCostlyError where ``actual`` is above ``allowed``."""
    if actual > allowed:
        raise QueryTooCostlyError(
            f"The operation's {limit} is {actual}; {allowed} is allowed.", limit=limit, allowed=allowed, actual=actual
        )


def check_filters(filters: Iterable[Filter], settings: Settings) -> int:
    """QueryTooCostlyError where filters compare too much; else, how many of their parts look at related rows."""
    found = list(filters)
    refuse_above("filter terms", sum(1 for each in found for _ in filter_terms(each)), settings.max_filter_terms)
    relations = sum(map(relation_filters, found))
    refuse_above("relation filters", relations, settings.max_relation_filters)
    return relations


def cost(root: Root) -> int:
    """The rows that a read may touch: each row of a page costs itself and what is read beneath it."""
    if isinstance(root, NodesRead):
        return root.count * max((_row(read) for read in root.reads), default=1)
    return _rows(root, many=root.id is None)


def _rows(read: Read, *, many: bool) -> int:
    size = 1 if not many else WHOLE_LIST if read.page is None else read.page.size
    if read.alike is not None:
        size = read.alike
    if read.newest is not None:
        size = read.newest.most
    counts = sum(isinstance(part, TotalCount) for part in read.parts)
    return (size + counts) * (_row(read) + relation_filters(read.where))


def _row(read: Read) -> int:
    total = 1
    for field in read.shown():
        if isinstance(field, ToOne):
            total += _rows(field.read, many=False)
        elif isinstance(field, ToMany):
            total += _rows(field.read, many=True)
        elif isinstance(field, SummaryField | Can | PartsField) or (
            isinstance(field, Leaf | MoneyField) and kept_of(read.entity, field.attribute)
        ):
            total += 1
    return total


def relation_filters(part: Filter) -> int:
    """How many parts of a filter look at related rows: PostgreSQL may order these joins in ever more ways."""
    return sum(isinstance(each, ToOneFilter | ToManyFilter) for each in filter_terms(part))


def filter_terms(part: Filter) -> Iterator[Filter]:
    """Every part of a filter, those of related rows too."""
    yield part
    match part:
        case All(parts) | AnyOf(parts):
            for each in parts:
                yield from filter_terms(each)
        case Not(inner) | ToOneFilter(_, inner) | ToManyFilter(_, inner, _):
            yield from filter_terms(inner)
