"""Acts: what a mutation needs to know, in one place: the right, the record, the rule. Performed by the gate."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import orjson
from graphql import FieldNode, GraphQLObjectType, GraphQLResolveInfo, get_named_type
from strawberry import Info
from strawberry.extensions import FieldExtension

from app.errors import BadUserInputError
from app.models.base import Row
from auth.access import Access
from auth.gate import Answer, Deed, Rule
from auth.idempotency import Key
from auth.rows import Lock
from schema import conversions as to
from schema.context import Context, fragment
from schema.given import References, read_input
from schema.limits import refuse_above
from schema.mapping import entity_of, rows_type
from schema.permissions import can
from schema.planning import RECORD, Plan
from schema.selection import Selection
from schema.types.errors import user_error
from schema.types.payload import Payload

P = TypeVar("P", bound=Payload)
_KEY_LENGTH = 255


class Act:
    """One mutation: ``rule`` done to a record of ``entity`` by whoever may ``action`` it.

    ``references`` are the entities that its arguments name beside those that columns of the record refer to,
    ``standing`` the tables of one row that the rule needs to know, by the name under which it finds the row. ``of`` is
    the entity of the ``id`` that it takes, where that is another: what it makes a record of ``entity`` from; ``writes``
    are then the fields that it fills. ``options`` are the arguments that are no fields of the record, where there is no
    input; ``named`` is what the API calls the ``id``.
    """

    def __init__(
        self,
        action: str,
        entity: type[Row],
        rule: Rule,
        *,
        references: References | None = None,
        lock: Lock = "NO KEY UPDATE",
        include_deleted: bool = False,
        of: type[Row] | None = None,
        writes: Sequence[str] = (),
        standing: Mapping[str, type[Row]] | None = None,
        options: Sequence[str] = (),
        named: str = "id",
    ) -> None:
        self.action = action
        self.entity = entity
        self.rule = rule
        self.references = references or {}
        self.lock: Lock = lock
        self.include_deleted = include_deleted
        self.of = of
        self.writes = writes
        self.standing = standing or {}
        self.options = options
        self.named = named

    @property
    def guard(self) -> list[FieldExtension]:
        """The extensions of the field: the right that it needs, which the printed schema shows."""
        return can(self.action, self.entity)

    async def do(
        self,
        info: Info[Context, None],
        payload: type[P],
        *,
        id: str | None = None,
        version: int | None = None,
        input: Any = None,
        answer: Answer | None = None,
        **arguments: Any,
    ) -> P:
        """Perform it, and answer with ``payload``. Beside an ``input``, ``arguments`` are options of the rule;
        ``answer`` is how the payload's records are read where that is not the way of the read path."""
        context = info.context
        access = await context.access()
        target: UUID | None = None if id is None else to.record_id(self.of or self.entity, self.named)(id)
        said = read_input(
            self.entity, arguments if input is None else input, () if input is None else ("input",), self.references
        )
        for name in self.options:
            said.given.options[name] = said.given.values.pop(name, None)
        deed = Deed(
            action=self.action,
            entity=self.entity,
            rule=self.rule,
            given=said.given,
            problems=said.problems,
            origin=context.origin(),
            target=target,
            named=self.named,
            of=self.of,
            writes=self.writes,
            version=version,
            lock=self.lock,
            include_deleted=self.include_deleted,
            references=said.references,
            listed=said.listed,
            standing=self.standing,
            key=request_key(context, access),
        )
        if input is not None:
            deed.given.options.update(arguments)
        return await perform(info, payload, deed, access, answer)


async def perform(
    info: Info[Context, None], payload: type[P], deed: Deed, access: Access, answer: Answer | None = None
) -> P:
    """Perform a deed, and answer with ``payload``."""
    done = await info.context.services.gate.perform(deed, access, answer or Reading(info, payload))
    return payload(
        errors=[user_error(problem) for problem in done.problems],
        shown={key: fragment(data) for key, data in done.answer.items()},
        facts=done.facts,
    )


class Reading:
    """Reads the records of a payload again, by the read path, as the operation selects them."""

    def __init__(self, info: Info[Context, None], payload: type[Payload]) -> None:
        raw: GraphQLResolveInfo[Context] = info._raw_info
        self._context = info.context
        self._records = payload.records
        self._kind = get_named_type(raw.return_type)
        assert isinstance(self._kind, GraphQLObjectType)
        selection = Selection(raw.schema, self._context.operation.fragments, self._context.variables)
        self._root = str(raw.path.key)
        self._asked: list[tuple[str, str, Sequence[FieldNode], type[Row]]] = []
        for key, nodes in selection.collect(self._kind, (node.selection_set for node in raw.field_nodes)).items():
            name = nodes[0].name.value
            entity = entity_of(rows_type(self._kind.fields[name])) if name in self._records else None
            if entity is not None:
                self._asked.append((key, self._records[name], nodes, entity))

    def prepare(self, access: Access) -> list[tuple[str, str, Plan]]:
        """The plan of each response key; what may not be asked is refused here."""
        assert isinstance(self._kind, GraphQLObjectType)
        context = self._context
        found = [
            (key, record, context.plan(self._kind, nodes, (self._root, key), access, entity))
            for key, record, nodes, entity in self._asked
        ]
        context.cost = max(context.cost, sum(plan.cost for _, _, plan in found))
        refuse_above("cost", context.cost, context.services.settings.max_cost)
        return found

    async def read(
        self, connection: Any, prepared: list[tuple[str, str, Plan]], access: Access, records: Mapping[str, UUID]
    ) -> dict[str, bytes | None]:
        """The JSON of each response key, null where there is no record that the caller may see."""
        answers: dict[str, bytes | None] = {}
        for key, record, plan in prepared:
            answers[key] = None
            if record in records:
                variables = {**self._context.variables, RECORD: records[record]}
                arguments = plan.statement.arguments(variables, access.arguments)
                _, answers[key] = await connection.fetchrow(plan.statement.sql, *arguments)
        return answers


def request_key(context: Context, access: Access) -> Key | None:
    """The key of an operation that wants to be done once; None where it has none."""
    said = context.caller.idempotency_key
    if said is None:
        return None
    if not 1 <= len(said) <= _KEY_LENGTH or not said.isascii() or not said.isprintable():
        raise BadUserInputError(
            f"Idempotency-Key has to be 1 to {_KEY_LENGTH} printable ASCII characters.", argument="Idempotency-Key"
        )
    roots = context.operation.node.selection_set.selections
    if len(roots) != 1 or not isinstance(roots[0], FieldNode):
        raise BadUserInputError(
            "An operation with an Idempotency-Key has to have just one mutation field.", argument="Idempotency-Key"
        )
    variables = orjson.dumps(context.raw_variables, option=orjson.OPT_SORT_KEYS, default=str)
    request = sha256(b"\0".join([context.document.text.encode(), context.operation.name.encode(), variables]))
    who = access.principal
    return Key(who.user_id, who.token_id or who.impersonator_id, said, request.digest())
