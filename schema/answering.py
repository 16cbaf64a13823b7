"""Answers to GraphQL requests: two ways to the same bytes, through the executor or past it."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import orjson
from graphql import FieldNode, GraphQLError, GraphQLObjectType, GraphQLOutputType, OperationType, is_non_null_type

from app.errors import ApiError, BadUserInputError, ForbiddenError, RateLimitedError, UnauthenticatedError
from schema.callers import Caller
from schema.context import Context, Services
from schema.documents import Document, Documents, Operation
from schema.doing import Doing
from schema.errors import cause, shape
from schema.exchange import Exchange
from schema.grouping import aggregated
from schema.hanging_up import Watch
from schema.limits import check_figures, refuse_above, root_fields
from schema.mapping import entity_of, rows_type
from schema.paying import MUTATION, Payment
from schema.persisted import Persisted
from schema.planning import Plan
from schema.requests import HeaderList, Request, only_with_post
from schema.schema import Schema
from schema.selection import Collected, Selection

_OBJECT = b"{"
"""How each object of an answer begins; one in a text is counted too. A single byte is found three times faster."""

Body = dict[str, Any]
"""An answer; its data may hold finished fragments."""


class Answers:
    """Answers requests, one operation each."""

    def __init__(self, schema: Schema, services: Services) -> None:
        settings = services.settings
        self._schema = schema
        self._query = cast(GraphQLObjectType, schema.graphql.query_type)
        self._services = services
        self._settings = settings
        size, tokens = settings.document_cache, settings.max_tokens
        self._doing = Doing(schema)
        self._discreet = Documents(schema.graphql, size, tokens, introspection=False)
        self._open = Documents(schema.graphql, size, tokens, introspection=True)
        self._persisted = Persisted(settings, self._open if settings.shows_schema else self._discreet)
        kinds = {name: rows_type(field) for name, field in self._query.fields.items()}
        self._whole = {name for name, kind in kinds.items() if kind == "Node" or entity_of(kind)}
        self._whole |= {name for name, field in self._query.fields.items() if aggregated(field)}

    async def answer(
        self, request: Request, caller: Caller, exchange: Exchange, payment: Payment, watch: Watch
    ) -> tuple[Body, HeaderList]:
        """The answer to one operation, and headers that go with it. HttpError where it came in the wrong way."""
        request_id = exchange.request_id
        try:
            await payment.take(1)
            document = self._document(request, caller)
            exchange.told["document"] = document.hash
            if document.errors:
                errors = [shape(e, request_id, code="GRAPHQL_VALIDATION_FAILED") for e in document.errors]
                return {"errors": errors}, ()
            self._persisted.keep(request)
            operation = self._operation(document, request)
            exchange.told["operation"] = operation.name
            check_figures(operation.figures, self._settings)
            context = Context(self._services, caller, request_id, document, operation, payment)
            context.raw_variables = request.variables or {}
            if operation.node.operation is OperationType.MUTATION:
                # What has begun to change something is not broken off: it ends, and whoever asks again finds it done.
                watch.stop()
                exchange.mutates = True
                await payment.take(_mutations(operation))
            variables = operation.coerce(context.raw_variables)
            if variables is not None:
                context.variables, context.shape = variables
                if operation.node.operation is OperationType.QUERY:
                    answer = await self._read(context)
                    if answer is not None:
                        return answer, context.headers
        except ApiError as error:
            return {"errors": [shape(error, request_id)]}, ()
        return await self._execute(context, request), context.headers

    def _document(self, request: Request, caller: Caller) -> Document:
        """The document, as strangers see it in production: nothing of the schema is told to them piece by piece."""
        text = self._persisted.text(request)
        settings = self._settings
        shown = settings.shows_schema and not (settings.production and caller.principal is None)
        return (self._open if shown else self._discreet).get(text)

    def _operation(self, document: Document, request: Request) -> Operation:
        operation = document.operation(request.operation_name)
        if operation is None:
            names = ", ".join(name or "(unnamed)" for name in document.operations)
            raise BadUserInputError(
                f"operationName must be one of the document's operations: {names or 'it has none'}.",
                argument="operationName",
            )
        if request.read_only and operation.node.operation is not OperationType.QUERY:
            raise only_with_post()
        return operation

    async def _read(self, context: Context) -> Body | None:
        """Plan the root fields that answer whole, and fetch them; None where the executor is needed as well."""
        operation = context.operation
        roots: Collected | None = operation.roots
        if roots is None:
            selection = Selection(self._schema.graphql, operation.fragments, context.variables)
            roots = selection.collect(self._query, [operation.node.selection_set])
        context.roots = list(roots)
        reads = {key: nodes for key, nodes in roots.items() if nodes[0].name.value in self._whole}
        planned = await self._plan(context, reads)
        await context.payment.take(context.cost)
        if len(reads) < len(roots) or not planned or not self._settings.shortcut:
            return None
        await self._fetch(context, reads)
        if any(self._failed(key, nodes, context) for key, nodes in reads.items()):
            return None
        data, objects = dict[str, orjson.Fragment | None](), 1
        for key, value in context.outcomes.items():
            found = cast("bytes | None", value)
            data[key] = orjson.Fragment(found) if found else None
            objects += found.count(_OBJECT) if found else 0
        return {"data": data, "extensions": self._extensions(context, objects)}

    async def _plan(self, context: Context, reads: Collected) -> bool:
        """Sum the cost of all reads. False where some are refused: the executor then says so in their places.

        If one of these may not be null, there will be no data: then no read is run.
        """
        if context.caller.principal is None or not reads:
            return False
        try:
            refused = await self._refused(context, reads)
        except ApiError:
            return False
        refuse_above("cost", context.cost, self._settings.max_cost)
        refuse_above("relation filters", context.relation_filters, self._settings.max_relation_filters)
        if any(self._never_null(reads[key]) for key in refused):
            context.outcomes.update(dict.fromkeys(reads, b"null"))
        context.outcomes.update(refused)
        return not refused

    async def _refused(self, context: Context, reads: Collected) -> dict[str, ApiError]:
        """The reads that the caller's rights, or the reads themselves, do not allow."""
        access = await context.access()
        while True:
            plans, refused = dict[str, Plan](), dict[str, ApiError]()
            for key, nodes in reads.items():
                try:
                    plans[key] = context.plan(self._query, nodes, (key,), access)
                except ApiError as error:
                    refused[key] = error
            context.cost = sum(plan.cost for plan in plans.values())
            context.relation_filters = sum(plan.relation_filters for plan in plans.values())
            if not refused:
                return refused
            for key, plan in plans.items():
                try:
                    plan.statement.arguments(context.variables, access.arguments)
                except ApiError as error:
                    refused[key] = error
            if not any(isinstance(error, ForbiddenError) for error in refused.values()):
                return refused
            # A refusal may rest on rights that have grown since they were loaded.
            known, access = access, await context.present_access()
            if access.loaded_version == known.loaded_version:
                return refused

    async def _fetch(self, context: Context, reads: Collected) -> None:
        async def one(key: str, nodes: Sequence[FieldNode]) -> None:
            try:
                context.outcomes[key] = await context.answer(self._query, nodes, (key,))
            except Exception as error:
                context.outcomes[key] = error

        context.outcomes.update(dict.fromkeys(reads))
        if len(reads) == 1:
            ((key, nodes),) = reads.items()
            await one(key, nodes)
            return
        context.slots = asyncio.Semaphore(self._settings.root_concurrency)
        async with asyncio.TaskGroup() as group:
            for key, nodes in reads.items():
                group.create_task(one(key, nodes))

    def _failed(self, key: str, nodes: Sequence[FieldNode], context: Context) -> bool:
        outcome = context.outcomes[key]
        return isinstance(outcome, Exception) or (outcome is None and self._never_null(nodes))

    def _never_null(self, nodes: Sequence[FieldNode]) -> bool:
        kind: GraphQLOutputType = self._query.fields[nodes[0].name.value].type
        return is_non_null_type(kind)

    async def _execute(self, context: Context, request: Request) -> Body:
        context.slots = context.slots or asyncio.Semaphore(self._settings.root_concurrency)
        done = await self._doing.result(context) if self._past(context) else None
        result = done or await self._schema.execute(
            context.document.text,
            variable_values=request.variables,
            context_value=context,
            operation_name=request.operation_name,
        )
        await self._note_denials(context, result.errors or ())
        answer: Body = {}
        objects = 0
        if result.data is not None or any(error.path for error in result.errors or ()):
            data = orjson.dumps(result.data)
            objects = data.count(_OBJECT)
            answer["data"] = orjson.Fragment(data)
        if result.errors:
            places = {key: place for place, key in enumerate(context.roots)}
            errors = sorted(result.errors, key=lambda error: places.get(str(error.path[0]), 0) if error.path else 0)
            answer["errors"] = [shape(error, context.request_id) for error in errors]
        answer["extensions"] = self._extensions(context, objects)
        return answer

    def _past(self, context: Context) -> bool:
        """Whether it is a mutation, with variables that fit, that may be done past the executor."""
        mutates = context.operation.node.operation is OperationType.MUTATION
        return mutates and self._settings.shortcut and context.shape is not None

    async def _note_denials(self, context: Context, errors: Sequence[GraphQLError]) -> None:
        """Write into the audit log which rights were missing, and which changes strangers tried."""
        changing = context.operation.node.operation is OperationType.MUTATION
        stranger = context.caller.principal is None
        nobodys = (UnauthenticatedError, RateLimitedError) if stranger else UnauthenticatedError
        refusals = {}
        for error in errors:
            original = cause(error)
            if isinstance(original, ForbiddenError) or (changing and isinstance(original, nobodys)):
                field = context.operation.field_of(error.path)
                refusals[field] = original
        if refusals:
            await self._services.audit.denied(context.origin(), refusals)

    def _extensions(self, context: Context, objects: int) -> dict[str, Any]:
        """What is told beside the data. A query costs, in the end, the objects in its answer; never more than was said
        before. A mutation costs what it was said to."""
        requested = max(1, context.cost)
        actual = min(requested, max(1, objects))
        if context.operation.node.operation is OperationType.MUTATION:
            requested = actual = _mutations(context.operation) + context.cost
        context.payment.settle(actual)
        found: dict[str, Any] = {"cost": context.payment.told(requested, actual)}
        if context.notes:
            found["notes"] = sorted(context.notes, key=lambda note: str(note["path"]))
        if context.plans:
            found["plan"] = context.plans
        return found


def _mutations(operation: Operation) -> int:
    """What the mutations of an operation cost, before they have read anything."""
    return MUTATION * root_fields(operation.node.selection_set, operation.fragments)
