"""One mutation past the executor.

The field's own resolver does it, so that right, arguments and gate are the same; only the set-up of an execution, and
the completion of values that are finished already, are left out. What is asked of the payload besides records and
problems, and whatever else is not plain, is left to the executor.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    VariableNode,
    get_named_type,
    is_non_null_type,
    located_error,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, is_awaitable

from app.errors import ApiError
from schema.arguments import arguments
from schema.context import Context
from schema.rendering import objects
from schema.schema import Schema
from schema.selection import Selection
from schema.types.errors import error_values
from schema.types.payload import Payload

_NAME, _PROBLEMS = "__typename", "errors"


class Doing:
    """Does what operations of one mutation ask for."""

    def __init__(self, schema: Schema) -> None:
        self._schema: GraphQLSchema = schema.graphql
        self._mutation = cast(GraphQLObjectType, schema.graphql.mutation_type)
        self._problem = cast(GraphQLObjectType, schema.graphql.type_map["UserError"])
        self._payloads: dict[str, tuple[GraphQLObjectType, set[str]]] = {}
        for name, field in self._mutation.fields.items():
            kind = get_named_type(field.type)
            definition = schema.get_type_by_name(kind.name)
            origin = getattr(definition, "origin", None)
            if isinstance(kind, GraphQLObjectType) and isinstance(origin, type) and issubclass(origin, Payload):
                self._payloads[name] = kind, {each for each in origin.records if _may_be_null(kind.fields[each])}

    async def result(self, context: Context) -> ExecutionResult | None:
        """What came of the operation, whose variables have been coerced; None, with nothing done, where the executor
        has to do it."""
        roots = context.operation.roots
        if roots is None or len(roots) != 1:
            return None
        ((key, nodes),) = roots.items()
        node = nodes[0]
        known = self._payloads.get(node.name.value)
        if known is None or not all(isinstance(each.value, VariableNode) for each in node.arguments or ()):
            return None
        kind, records = known
        selection = Selection(self._schema, context.operation.fragments, context.variables)
        try:
            asked = selection.collect(kind, (each.selection_set for each in nodes))
        except ApiError:
            return None  # The executor meets it again, and tells it in its place.
        if not all(
            each[0].name.value in records or each[0].name.value in (_NAME, _PROBLEMS) for each in asked.values()
        ):
            return None
        return await self._done(context, key, nodes, kind, asked, selection)

    async def _done(
        self,
        context: Context,
        key: str,
        nodes: list[FieldNode],
        kind: GraphQLObjectType,
        asked: Mapping[str, Sequence[FieldNode]],
        selection: Selection,
    ) -> ExecutionResult:
        name = nodes[0].name.value
        field = self._mutation.fields[name]
        info = GraphQLResolveInfo(
            field_name=name,
            field_nodes=nodes,
            return_type=field.type,
            parent_type=self._mutation,
            path=Path(None, key, self._mutation.name),
            schema=self._schema,
            fragments=cast(Any, context.operation.fragments),
            root_value=None,
            operation=context.operation.node,
            variable_values=VariableValues({}, dict(context.variables)),
            context=context,
            is_awaitable=is_awaitable,
            abort_signal=None,
            async_helpers=cast(Any, None),
        )
        resolve: Any = field.resolve
        try:
            given = {name: each.value for name, each in arguments(field, nodes[0], context.variables).items()}
            payload: Payload = await resolve(None, info, **given)
        except Exception as error:
            return ExecutionResult(None, [located_error(error, nodes, [key])])
        data: dict[str, Any] = {}
        for each, parts in asked.items():
            match parts[0].name.value:
                case "__typename":
                    data[each] = kind.name
                case "errors":
                    problems = [error_values(error) for error in payload.errors]
                    data[each] = objects(selection, self._problem, parts, problems)
                case _:
                    data[each] = payload.shown.get(each)
        return ExecutionResult({key: data}, None)


def _may_be_null(field: GraphQLField) -> bool:
    return not is_non_null_type(field.type)
