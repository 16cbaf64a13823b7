"""From the selection of a root field to a read. Fragments, directives and merged fields are handled here, once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)

from app.errors import BadUserInputError, QueryTooCostlyError
from app.models import ExchangeRate
from app.models.base import Row
from app.reading.read import (
    EVERYTHING,
    Can,
    Constant,
    Cursor,
    Edges,
    Field,
    Leaf,
    MoneyField,
    Newest,
    Nodes,
    NodesRead,
    Operand,
    Page,
    PageFact,
    PageInfo,
    Part,
    PartsField,
    Read,
    Root,
    SummaryField,
    Term,
    ToMany,
    ToOne,
    TotalCount,
    Word,
)
from app.reading.relations import kept_of, relation
from auth.policy import ACTIONS
from schema import conversions as to
from schema.arguments import Given, Variables, arguments
from schema.filtering import entity_filter, rates_filter
from schema.mapping import VIEWER_CAN, attribute_of, entity_of, rows_type

RATES_MOST = 1_000
"""The exchange rates of a currency that are listed at once."""
PAGE_DEFAULT, PAGE_MOST, WORDS_MOST, IDS_MOST, ALIKE_MOST = 25, 200, 8, 200, 50
KEY_BYTES = 63
"""PostgreSQL cuts names off here, so a longer response key cannot be a column's name."""

Collected = Mapping[str, Sequence[FieldNode]]


class Selection:
    """Reads selections of one operation with one set of variables."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: Variables
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables

    @property
    def variables(self) -> Variables:
        """The variables of the operation."""
        return self._variables

    def root(self, parent: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Root:
        """The read of one root field (or of any field that answers whole), all its nodes merged."""
        definition = parent.fields[nodes[0].name.value]
        given = arguments(definition, nodes[0], self._variables)
        if get_named_type(definition.type).name == "Node":
            return self._node(definition, nodes, given)
        return self._rows(self._entity(definition), definition, nodes, given)

    def record(self, entity: type[Row], definition: GraphQLField, nodes: Sequence[FieldNode]) -> Read:
        """The read of one record that a field shows, as its nodes select it."""
        kind, collected = self._object(definition.type, nodes)
        return Read(entity, fields=self._fields(entity, kind, collected))

    def collect(self, kind: GraphQLObjectType, sets: Iterable[SelectionSetNode | None]) -> Collected:
        """The fields that a row of ``kind`` is asked for, by response key, in order."""
        found: dict[str, list[FieldNode]] = {}
        for selections in sets:
            if selections is not None:
                self._collect(kind, selections.selections, found, set())
        return found

    def _collect(
        self,
        kind: GraphQLObjectType,
        selections: Iterable[SelectionNode],
        found: dict[str, list[FieldNode]],
        visited: set[str],
    ) -> None:
        for node in selections:
            if not self._wanted(node):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                if len(key) > KEY_BYTES:
                    raise QueryTooCostlyError(
                        f"The response key {key[:20]}… has {len(key)} characters; {KEY_BYTES} are allowed.",
                        limit="responseKeyLength",
                        allowed=KEY_BYTES,
                        actual=len(key),
                    )
                found.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or self._applies(condition.name.value, kind):
                    self._collect(kind, node.selection_set.selections, found, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                fragment = self._fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, kind):
                    self._collect(kind, fragment.selection_set.selections, found, visited)

    def _wanted(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            name = directive.name.value
            if name in (GraphQLSkipDirective.name, GraphQLIncludeDirective.name):
                value: Any = directive.arguments[0].value  # type: ignore[index]  # Both have just one: "if".
                holds = self._variables[value.name.value] if hasattr(value, "name") else value.value
                if bool(holds) == (name == GraphQLSkipDirective.name):
                    return False
        return True

    def _applies(self, condition: str, kind: GraphQLObjectType) -> bool:
        return condition == kind.name or any(interface.name == condition for interface in kind.interfaces)

    def _object(self, kind: GraphQLOutputType, nodes: Sequence[FieldNode]) -> tuple[GraphQLObjectType, Collected]:
        named = cast(GraphQLObjectType, get_named_type(kind))
        return named, self.collect(named, (node.selection_set for node in nodes))

    def _entity(self, definition: GraphQLField) -> type[Row]:
        entity = entity_of(rows_type(definition))
        assert entity is not None, f"{rows_type(definition)} is no entity"
        return entity

    def _node(self, definition: GraphQLField, nodes: Sequence[FieldNode], given: Mapping[str, Given]) -> NodesRead:
        reads = []
        for kind in self._schema.get_possible_types(cast(Any, get_named_type(definition.type))):
            entity = entity_of(kind.name)
            if entity is not None:
                collected = self.collect(kind, (node.selection_set for node in nodes))
                reads.append(Read(entity, fields=self._fields(entity, kind, collected)))
        single = "id" in given
        ids = given["id" if single else "ids"]
        if not single and len(ids.value) > IDS_MOST:
            raise BadUserInputError(
                f"ids has {len(ids.value)} members; {IDS_MOST} are allowed at once.", argument="ids"
            )
        return NodesRead(ids.operand(to.node_ids), tuple(reads), single, 1 if single else len(ids.value))

    def _rows(
        self,
        entity: type[Row],
        definition: GraphQLField,
        nodes: Sequence[FieldNode],
        given: Mapping[str, Given],
        order: tuple[Term, ...] | None = None,
    ) -> Read:
        kind, collected = self._object(definition.type, nodes)
        if kind.name.endswith("Connection"):
            return self._connection(entity, kind, collected, given)
        if order is None:
            order = tuple(Term(attribute) for attribute in entity.listed) if _plural(definition) else ()
        identity = given.get("id")
        id = identity.operand(to.record_id(entity, "id")) if identity else None
        if id is None and entity.only is not None:
            id = Operand(to.itself, constant=entity.only)
        return Read(
            entity,
            fields=self._fields(entity, kind, collected),
            where=rates_filter(given) if entity is ExchangeRate else EVERYTHING,
            newest=Newest("currency", "day", RATES_MOST) if entity is ExchangeRate else None,
            order=order,
            include_deleted=_flag(given, "includeDeleted"),
            id=id,
            alike=_alike(given) if identity and _plural(definition) else None,
        )

    def _connection(
        self, entity: type[Row], kind: GraphQLObjectType, collected: Collected, given: Mapping[str, Given]
    ) -> Read:
        where = given.get("where")
        return Read(
            entity,
            parts=tuple(self._part(entity, kind, key, nodes) for key, nodes in collected.items()),
            where=entity_filter(entity, where) if where and not where.is_null else EVERYTHING,
            search=_search(given.get("search")),
            order=_order(given.get("orderBy")),
            page=_page(given),
            include_deleted=_flag(given, "includeDeleted"),
        )

    def _part(self, entity: type[Row], kind: GraphQLObjectType, key: str, nodes: Sequence[FieldNode]) -> Part:
        match nodes[0].name.value:
            case "nodes":
                return self._nodes(entity, key, kind.fields["nodes"], nodes)
            case "edges":
                edge, collected = self._object(kind.fields["edges"].type, nodes)
                return Edges(key, tuple(self._edge(entity, edge, k, n) for k, n in collected.items()))
            case "pageInfo":
                info, collected = self._object(kind.fields["pageInfo"].type, nodes)
                return PageInfo(key, tuple(_fact(info, k, n[0].name.value) for k, n in collected.items()))
            case "totalCount":
                return TotalCount(key)
        return Constant(key, kind.name)

    def _edge(
        self, entity: type[Row], kind: GraphQLObjectType, key: str, nodes: Sequence[FieldNode]
    ) -> Nodes | Cursor | Constant:
        match nodes[0].name.value:
            case "node":
                return self._nodes(entity, key, kind.fields["node"], nodes)
            case "cursor":
                return Cursor(key)
        return Constant(key, kind.name)

    def _nodes(self, entity: type[Row], key: str, definition: GraphQLField, nodes: Sequence[FieldNode]) -> Nodes:
        kind, collected = self._object(definition.type, nodes)
        return Nodes(key, self._fields(entity, kind, collected))

    def _fields(self, entity: type[Row], kind: GraphQLObjectType, collected: Collected) -> tuple[Field, ...]:
        return tuple(self._field(entity, kind, key, nodes) for key, nodes in collected.items())

    def _field(self, entity: type[Row], kind: GraphQLObjectType, key: str, nodes: Sequence[FieldNode]) -> Field:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, kind.name)
        definition = kind.fields[name]
        if name == VIEWER_CAN:
            return Can(key, _action(kind.name, arguments(definition, nodes[0], self._variables)["action"]))
        attribute = attribute_of(kind.name, name)
        named = get_named_type(definition.type)
        if named.name == "Money":
            _, collected = self._object(definition.type, nodes)
            return MoneyField(key, attribute, tuple(money_part(k, n[0].name.value) for k, n in collected.items()))
        if attribute in entity.summaries:
            return SummaryField(key, attribute)
        kept = kept_of(entity, attribute)
        if kept is not None and kept.parts:
            _, collected = self._object(definition.type, nodes)
            return PartsField(key, attribute, tuple(_named(named, k, n[0].name.value) for k, n in collected.items()))
        if not isinstance(named, GraphQLObjectType):
            return Leaf(key, attribute)
        found = relation(entity, attribute)
        given = arguments(definition, nodes[0], self._variables)
        order = tuple(Term(each) for each in found.order)
        read = self._rows(found.target, definition, nodes, given, order)
        if found.many:
            return ToMany(key, attribute, read)
        return ToOne(key, attribute, read, nullable=not is_non_null_type(definition.type))


def _plural(definition: GraphQLField) -> bool:
    kind = definition.type
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


def _alike(given: Mapping[str, Given]) -> int:
    most: int | None = given["first"].value
    if most is None or not 1 <= most <= ALIKE_MOST:
        raise BadUserInputError(
            f"first is {'null' if most is None else most}: it must be from 1 to {ALIKE_MOST}.", argument="first"
        )
    return most


def _flag(given: Mapping[str, Given], name: str) -> bool:
    return bool(given[name].value) if name in given else False


def _action(entity: str, given: Given) -> str:
    action: str = given.value
    if action not in ACTIONS[entity]:
        shown = action if len(action) <= 60 else f"{action[:60]}…"
        raise BadUserInputError(
            f"{entity} has no action {shown!r}: there are {', '.join(ACTIONS[entity])}.", argument=given.name
        )
    return action


def _fact(info: GraphQLObjectType, key: str, name: str) -> tuple[str, PageFact] | Constant:
    return Constant(key, info.name) if name == "__typename" else (key, cast(PageFact, name))


def _named(kind: GraphQLObjectType, key: str, name: str) -> tuple[str, str] | Constant:
    return Constant(key, kind.name) if name == "__typename" else (key, name)


def money_part(key: str, name: str) -> tuple[str, Literal["amount", "currency"]] | Constant:
    """One part of an amount that is shown."""
    return Constant(key, "Money") if name == "__typename" else (key, cast(Any, name))


def _order(given: Given | None) -> tuple[Term, ...]:
    if given is None or given.is_null:
        return ()
    terms = []
    for item in given.items():
        members = {member.path[-1]: member.value for member in item.members()}
        terms.append(Term(members["field"].value, members["direction"].value == "desc"))
    return tuple(terms)


def _page(given: Mapping[str, Given]) -> Page:
    first, last = given.get("first"), given.get("last")
    if first is not None and last is not None:
        raise BadUserInputError("first and last cannot go together: give one of them.", argument="last")
    size = PAGE_DEFAULT
    for each in (first, last):
        if each is not None:
            value = each.value
            if value is None or not 1 <= value <= PAGE_MOST:
                raise BadUserInputError(
                    f"{each.name} is {'null' if value is None else value}: it must be from 1 to {PAGE_MOST}.",
                    argument=each.name,
                )
            size = value
    return Page(size, last is not None, _cursor(given.get("after")), _cursor(given.get("before")))


def _cursor(given: Given | None) -> Any:
    return None if given is None or given.is_null else given.operand(to.itself)


def _search(given: Given | None) -> tuple[Word, ...]:
    if given is None or given.is_null:
        return ()
    found = to.words(given.value)
    if len(found) > WORDS_MOST:
        raise BadUserInputError(f"search has {len(found)} words; {WORDS_MOST} are allowed.", argument="search")
    return tuple(Word(given.operand(to.word_pattern(n)), to.is_short(word)) for n, word in enumerate(found))
