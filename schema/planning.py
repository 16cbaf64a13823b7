"""Plans: the compiled statements of fields that answer whole, kept for all who may do the same."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphql import FieldNode, GraphQLObjectType, GraphQLSchema

from app.analytics.compile import compile_figure
from app.analytics.figure import Figure
from app.analytics.grouped import compile_grouping
from app.analytics.grouping import Grouping
from app.errors import QueryTooCostlyError
from app.models.base import Row
from app.models.enums import RowScope
from app.reading.binding import Statement
from app.reading.compile import compile_read
from app.reading.cursors import CursorKeys
from app.reading.read import NodesRead, Operand, Read, Root
from app.reading.shop import ShopFacts
from app.settings import Settings
from auth.access import Access
from auth.authorize import authorize, authorize_figure, authorize_grouping
from schema.conversions import itself
from schema.documents import Operation
from schema.figuring import ANALYTICS, Figuring
from schema.grouping import Grouper, aggregated
from schema.limits import FIGURE, check_filters, cost, refuse_above
from schema.selection import Selection

RECORD = "#record"
"""The variable that holds the id of the record which a payload shows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One field's statement, the rows that it may touch, and the filters through relations in it."""

    statement: Statement
    cost: int
    relation_filters: int


class Planner:
    """Makes plans and keeps the most recent. A plan holds for all callers of one fingerprint: it knows no caller."""

    def __init__(
        self, schema: GraphQLSchema, cursors: CursorKeys, settings: Settings, *, trigrams: bool = True
    ) -> None:
        self._trigrams = trigrams
        self._schema = schema
        self._cursors = cursors
        self._settings = settings
        self._shop = ShopFacts(settings.shop_currency, settings.shop_timezone)
        self._kept: OrderedDict[Any, Plan] = OrderedDict()
        self.made = 0

    def plan(
        self,
        text: str,
        operation: Operation,
        path: tuple[str, ...],
        parent: GraphQLObjectType,
        nodes: Sequence[FieldNode],
        variables: Mapping[str, Any],
        shape: Any,
        access: Access,
        record: type[Row] | None = None,
    ) -> Plan:
        """The plan of the field at ``path``; of ``record``, where the field shows one that was found otherwise."""
        key = (text, operation.name, path, shape, access.fingerprint)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        try:
            selection = Selection(self._schema, operation.fragments, variables)
            if parent.name == ANALYTICS:
                return self._keep(key, self._figure(Figuring(selection).figure(parent, nodes), access))
            entity = aggregated(parent.fields[nodes[0].name.value])
            if entity is not None:
                return self._keep(key, self._grouping(Grouper(selection).grouping(entity, parent, nodes), access))
            root = selection.root(parent, nodes)
            if record is not None:
                assert isinstance(root, Read)
                root = replace(root, id=Operand(itself, (RECORD,)), include_deleted=_restores(record, access))
            found = self._compile(root, access)
        except RecursionError:
            raise QueryTooCostlyError("The filters are nested too deeply.", limit="filter nesting") from None
        return self._keep(key, found)

    def _keep(self, key: Any, plan: Plan) -> Plan:
        self._kept[key] = plan
        if len(self._kept) > self._settings.plan_cache:
            self._kept.popitem(last=False)
        return plan

    def _figure(self, figure: Figure, access: Access) -> Plan:
        self.made += 1
        records = [read for record in figure.records() for read in reads(record.read)]
        relations = check_filters((figure.where, *(read.where for read in records)), self._settings)
        authorized = authorize_figure(figure, access)
        statement = compile_figure(authorized, self._cursors, self._shop, trigrams=self._trigrams)
        return Plan(statement, FIGURE + relations, relations)

    def _grouping(self, grouping: Grouping, access: Access) -> Plan:
        self.made += 1
        records = [record.read for record in grouping.records()]
        filters = [read.where for record in records for read in reads(record)]
        relations = check_filters((grouping.where, grouping.having, *filters), self._settings)
        price = FIGURE + relations + grouping.first * sum(cost(replace(read, id=Operand(itself))) for read in records)
        refuse_above("cost", price, self._settings.max_cost)
        authorized = authorize_grouping(grouping, access)
        statement = compile_grouping(authorized, self._cursors, self._shop, trigrams=self._trigrams)
        return Plan(statement, price, relations)

    def _compile(self, root: Root, access: Access) -> Plan:
        self.made += 1
        relations = check_filters((read.where for read in reads(root)), self._settings)
        price = cost(root)
        refuse_above("cost", price, self._settings.max_cost)
        statement = compile_read(authorize(root, access), self._cursors, self._shop, trigrams=self._trigrams)
        return Plan(statement, price, relations)


def _restores(entity: type[Row], access: Access) -> bool:
    """Whether a payload shows the record also when it is deleted: whoever could bring it back sees that it is gone."""
    return hasattr(entity, "deleted_at") and access.rights.rows(entity, "restore") is not RowScope.NONE


def reads(root: Root) -> list[Read]:
    """A read and all reads inside it."""
    found = list(root.reads) if isinstance(root, NodesRead) else [root]
    for read in list(found):
        for field in read.shown():
            inner = getattr(field, "read", None)
            if inner is not None:
                found += reads(inner)
    return found
