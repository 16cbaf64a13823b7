"""GraphQL over HTTP: from a request to a response, by the specification of that name."""

import asyncio
from uuid import UUID

import orjson
import structlog

from app.budgets import Budgets
from auth.principal import Principal
from schema import graphiql
from schema.answering import Answers, Body
from schema.callers import Callers
from schema.context import Services
from schema.errors import INTERNAL
from schema.exchange import Exchange, protection
from schema.hanging_up import Watch
from schema.negotiating import GRAPHQL_JSON, JSON, Negotiation
from schema.packing import packed
from schema.paying import Payments, budget_headers
from schema.requests import HeaderList, Headers, HttpError, Receive, Request, Scope, Send, read_request
from schema.schema import Schema

_log = structlog.get_logger("rapport.view")
_HTML = b"text/html; charset=utf-8"
_VARY = (b"vary", b"accept, accept-encoding")
_NO_STORE = (b"cache-control", b"no-store")
_STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "RATE_LIMITED": 429, INTERNAL: 500}
"""The status of an answer without data, of the media type of GraphQL; of any other error it is 400."""


class GraphQLView:
    """The ASGI application at /graphql."""

    def __init__(self, schema: Schema, services: Services, callers: Callers, budgets: Budgets) -> None:
        self._settings = services.settings
        self._answers = Answers(schema, services)
        self._payments = Payments(budgets, self._settings)
        self._negotiation = Negotiation()
        self._callers = callers
        self._page = graphiql.page() if self._settings.shows_graphiql else None
        self._page_protection = protection(graphiql.policy(self._page)) if self._page else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        exchange: Exchange = scope["exchange"]
        headers = Headers(scope["headers"])
        accept = headers.get(b"accept")
        if self._page and accept and b"text/html" in accept and _is_visit(scope):
            exchange.protection = self._page_protection
            await _send(send, 200, self._page, _HTML)
            return
        media = self._negotiation.media(accept)
        try:
            if media is None:
                said = "Accept has to admit application/graphql-response+json or application/json."
                raise HttpError(406, said)
            request = await read_request(scope, headers, receive, self._settings)
            status, body, more = await self._respond(request, scope, headers, receive, media)
        except HttpError as error:
            extensions = {"code": error.code, "requestId": exchange.request_id}
            answer = {"errors": [{"message": error.message, "extensions": extensions}]}
            await _send(send, error.status, orjson.dumps(answer), media or JSON, error.headers)
            return
        except _HungUpError:
            return
        least = self._settings.compress_bytes
        if 0 < least <= len(body) and not exchange.mutates and self._negotiation.gzip(headers.get(b"accept-encoding")):
            body = await packed(body)
            more = (*more, (b"content-encoding", b"gzip"))
        await _send(send, status, body, media, more)

    async def _respond(
        self, request: Request | list[Request], scope: Scope, headers: Headers, receive: Receive, media: bytes
    ) -> tuple[int, bytes, HeaderList]:
        """Status, body and headers."""
        caller = await self._callers.of(scope, headers)
        exchange: Exchange = scope["exchange"]
        if caller.principal is not None:
            exchange.told |= _ids(caller.principal)
        if isinstance(request, list) and caller.idempotency_key is not None:
            raise HttpError(400, "An Idempotency-Key is for one operation: send this one alone.")
        purse = self._payments.purse(caller)
        watch = Watch(receive)
        answers, more = list[Body](), list[tuple[bytes, bytes]]()
        try:
            for each in request if isinstance(request, list) else (request,):
                payment = self._payments.payment(purse)
                answer, given = await self._answers.answer(each, caller, exchange, payment, watch)
                exchange.told["cost"] = exchange.told.get("cost", 0) + payment.cost
                answers.append(answer)
                more += given
        except asyncio.CancelledError:
            if watch.gone:
                raise _HungUpError from None
            raise
        except HttpError:
            raise
        except Exception:
            _log.exception("internal error", request_id=exchange.request_id)
            failure = {"message": "Something went wrong on our side; the log has it under this requestId."}
            answers.append(
                {"errors": [{**failure, "extensions": {"code": INTERNAL, "requestId": exchange.request_id}}]}
            )
        finally:
            watch.stop()
        if purse is not None:
            more += budget_headers(purse)
        if isinstance(request, list):
            exchange.told["batch"] = len(request)
            return 200, orjson.dumps(answers), more
        (answer,) = answers
        if "data" in answer:
            return 200, orjson.dumps(answer), more
        refusal = answer["errors"][0]["extensions"]
        if "retryAfter" in refusal:
            more.append((b"retry-after", str(refusal["retryAfter"]).encode()))
        status = _STATUS.get(refusal["code"], 400)
        return (status if media is GRAPHQL_JSON or status == 500 else 200), orjson.dumps(answer), more


def _ids(principal: Principal) -> dict[str, UUID]:
    """Who calls, as the access log tells it."""
    told = {"user": principal.user_id}
    if principal.token_id is not None:
        told["token"] = principal.token_id
    if principal.impersonator_id is not None:
        told["impersonator"] = principal.impersonator_id
    return told


class _HungUpError(Exception):
    """The client is gone: nobody waits for the answer."""


def _is_visit(scope: Scope) -> bool:
    """Whether somebody looks at the address itself, and asks no query."""
    return scope["method"] == "GET" and b"query=" not in scope["query_string"]


async def _send(send: Send, status: int, body: bytes, media: bytes, more: HeaderList = ()) -> None:
    headers = [(b"content-type", media), (b"content-length", b"%d" % len(body)), _NO_STORE, _VARY, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
