"""GraphQL over HTTP. One view, two ways to the same bytes: through the executor, or, for reads alone, past it."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any, cast

import orjson
import structlog
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationType,
    is_non_null_type,
)

from app.errors import ApiError, BadUserInputError, ForbiddenError, RateLimitedError, UnauthenticatedError
from schema import graphiql
from schema.callers import Caller, Callers
from schema.context import Context, Services
from schema.documents import Document, Documents, Operation
from schema.doing import Doing
from schema.errors import INTERNAL, cause, shape
from schema.hanging_up import Watch
from schema.limits import check_figures, refuse_above
from schema.mapping import entity_of, rows_type
from schema.planning import Plan
from schema.requests import Headers, HttpError, Receive, Request, Scope, Send, read_request
from schema.schema import Schema
from schema.selection import Collected, Selection

_log = structlog.get_logger("rapport.view")
_JSON, _GRAPHQL_JSON = b"application/json; charset=utf-8", b"application/graphql-response+json; charset=utf-8"


Sent = list[tuple[bytes, bytes]]
"""Headers that an operation has sent with its answer."""


class GraphQLView:
    """The ASGI application at /graphql."""

    def __init__(self, schema: Schema, services: Services, callers: Callers) -> None:
        settings = services.settings
        self._schema = schema
        self._query = cast(GraphQLObjectType, schema.graphql.query_type)
        self._services = services
        self._callers = callers
        self._settings = settings
        self._documents = Documents(
            schema.graphql, settings.document_cache, settings.max_tokens, introspection=settings.shows_schema
        )
        self._doing = Doing(schema)
        self._page = graphiql.page() if settings.graphiql else None
        kinds = {name: rows_type(field) for name, field in self._query.fields.items()}
        self._whole = {name for name, kind in kinds.items() if kind == "Node" or entity_of(kind)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request_id = secrets.token_hex(8)
        headers = Headers(scope["headers"])
        accept = headers.text(b"accept")
        if self._page and scope["method"] == "GET" and "text/html" in accept and b"query=" not in scope["query_string"]:
            await _send(send, 200, self._page, b"text/html; charset=utf-8", request_id)
            return
        media = _GRAPHQL_JSON if "application/graphql-response+json" in accept else _JSON
        try:
            request = await read_request(scope, headers, receive, self._settings.max_body_bytes)
        except HttpError as error:
            body = {"errors": [{"message": error.message, "extensions": {"code": error.code, "requestId": request_id}}]}
            await _send(send, error.status, orjson.dumps(body), media, request_id)
            return
        watch = Watch(receive)
        sent: Sent = []
        try:
            answer = await self._respond(request, await self._callers.of(scope, headers), sent, request_id, watch)
        except asyncio.CancelledError:
            if watch.gone:
                return
            raise
        except Exception:
            _log.exception("internal error", request_id=request_id)
            failure = {"message": "Something went wrong on our side; the log has it under this requestId."}
            answer = {"errors": [{**failure, "extensions": {"code": INTERNAL, "requestId": request_id}}]}
        finally:
            watch.stop()
        status = 400 if media is _GRAPHQL_JSON and "data" not in answer else 200
        await _send(send, status, orjson.dumps(answer), media, request_id, sent)

    async def _respond(
        self, request: Request, caller: Caller, sent: Sent, request_id: str, watch: Watch
    ) -> dict[str, Any]:
        document = self._documents.get(request.query)
        if document.errors:
            return {"errors": [shape(e, request_id, code="GRAPHQL_VALIDATION_FAILED") for e in document.errors]}
        try:
            operation = self._operation(document, request)
            check_figures(operation.figures, self._settings)
            if operation.node.operation is OperationType.MUTATION:
                # What has begun to change something is not broken off: it ends, and whoever asks again finds it done.
                watch.stop()
            context = Context(self._services, caller, request_id, document, operation, headers=sent)
            context.raw_variables = request.variables or {}
            variables = operation.coerce(context.raw_variables)
            if variables is not None:
                context.variables, context.shape = variables
                if operation.node.operation is OperationType.QUERY:
                    answer = await self._read(context)
                    if answer is not None:
                        return answer
        except ApiError as error:
            return {"errors": [shape(error, request_id)]}
        return await self._execute(context, request)

    def _operation(self, document: Document, request: Request) -> Operation:
        operation = document.operation(request.operation_name)
        if operation is None:
            names = ", ".join(name or "(unnamed)" for name in document.operations)
            raise BadUserInputError(
                f"operationName must be one of the document's operations: {names or 'it has none'}.",
                argument="operationName",
            )
        if request.read_only and operation.node.operation is not OperationType.QUERY:
            raise BadUserInputError("GET is for queries: send this operation with POST.", argument="query")
        return operation

    async def _read(self, context: Context) -> dict[str, Any] | None:
        """Plan the root fields that answer whole, and fetch them; None where the executor is needed as well."""
        operation = context.operation
        roots: Collected | None = operation.roots
        if roots is None:
            selection = Selection(self._schema.graphql, operation.fragments, context.variables)
            roots = selection.collect(self._query, [operation.node.selection_set])
        context.roots = list(roots)
        reads = {key: nodes for key, nodes in roots.items() if nodes[0].name.value in self._whole}
        planned = await self._plan(context, reads)
        if len(reads) < len(roots) or not planned or not self._settings.shortcut:
            return None
        await self._fetch(context, reads)
        if any(self._failed(key, nodes, context) for key, nodes in reads.items()):
            return None
        data = {key: orjson.Fragment(cast(bytes, value)) if value else None for key, value in context.outcomes.items()}
        return {"data": data, "extensions": self._extensions(context)}

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

    async def _execute(self, context: Context, request: Request) -> dict[str, Any]:
        context.slots = context.slots or asyncio.Semaphore(self._settings.root_concurrency)
        done = await self._doing.result(context) if self._past(context) else None
        result = done or await self._schema.execute(
            context.document.text,
            variable_values=request.variables,
            context_value=context,
            operation_name=request.operation_name,
        )
        await self._note_denials(context, result.errors or ())
        answer: dict[str, Any] = {}
        started = result.data is not None or any(error.path for error in result.errors or ())
        if started:
            answer["data"] = result.data
        if result.errors:
            places = {key: place for place, key in enumerate(context.roots)}
            errors = sorted(result.errors, key=lambda error: places.get(str(error.path[0]), 0) if error.path else 0)
            answer["errors"] = [shape(error, context.request_id) for error in errors]
        answer["extensions"] = self._extensions(context)
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

    def _extensions(self, context: Context) -> dict[str, Any]:
        found: dict[str, Any] = {"cost": {"requested": context.cost}}
        if context.plans:
            found["plan"] = context.plans
        return found


async def _send(
    send: Send, status: int, body: bytes, media: bytes, request_id: str, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    headers = [
        (b"content-type", media),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
