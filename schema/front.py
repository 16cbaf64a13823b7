"""The front of the house: what every HTTP exchange goes through, whoever answers it."""

from collections.abc import Awaitable, Callable

from starlette.middleware.cors import CORSMiddleware

from app.settings import Settings
from schema.access_log import AccessLog
from schema.exchange import Exchange
from schema.proxies import Proxies, networks
from schema.requests import PREFLIGHT_HEADERS, Receive, Scope, Send
from schema.tracing import given_request_id, new_request_id, response_header, trace_of

App = Callable[[Scope, Receive, Send], Awaitable[None]]

_EXPOSED = (
    *("X-Request-Id", "Retry-After", "Traceresponse", "RateLimit", "RateLimit-Policy"),
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Content-Disposition"),
)
_SENT = (
    *("Content-Type", "Idempotency-Key", "Rapport-Session", "Traceparent", "Tracestate"),
    "X-Requested-With",
)
_REMEMBERED = 600


class Front:
    """Finds out who asks and as part of what, adds the headers that every answer has, and logs."""

    def __init__(self, settings: Settings, app: App) -> None:
        self._app = _with_cors(settings, app)
        self._proxies = Proxies(networks(settings.trusted_proxies), settings.proxy_header)
        self.log = AccessLog(settings) if settings.access_log else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        parent = request_id = None
        headers = scope["headers"]
        for name, value in headers:
            if name == b"traceparent":
                parent = value
            elif name == b"x-request-id":
                request_id = value
        peer = scope.get("client")
        address, proxied = self._proxies.client(peer[0] if peer else None, headers)
        if proxied:
            scope["client"] = (address, 0)
        # Only a trusted proxy names requests: the audit log knows them by these names.
        named = given_request_id(request_id) if proxied else None
        exchange = Exchange(named or new_request_id(), trace_of(parent))
        scope["exchange"] = exchange

        async def sending(message: Scope) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *exchange.protection, *_names(exchange)]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            exchange.status = exchange.status or 500
            raise
        finally:
            if self.log is not None:
                self.log.tell(scope, exchange)


def _names(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    found = [(b"x-request-id", exchange.request_id.encode("ascii"))]
    if exchange.trace is not None:
        found.append((b"traceresponse", response_header(exchange.trace, exchange.request_id)))
    return found


def _with_cors(settings: Settings, app: App) -> App:
    """``app``, which answers browsers of the origins that the settings name as well."""
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=(*_SENT, *(name.decode() for name in PREFLIGHT_HEADERS)),
        allow_credentials=settings.cors_credentials,
        expose_headers=_EXPOSED,
        max_age=_REMEMBERED,
    )
