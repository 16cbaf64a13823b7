"""``/oidc/login`` and ``/oidc/callback``: to an OpenID provider and back, into cookie mode."""

import asyncio
import secrets
from urllib.parse import parse_qs

import orjson
import structlog

from auth.audit import Origin
from auth.oidc_provider import ProviderError
from auth.single_sign_on import ASKED_SECONDS, RefusedSignInError, SingleSignOn
from schema import cookies
from schema.requests import Headers, Receive, Scope, Send

PREFIX = "/oidc/"
_ASKED = "rapport-oidc"
_SAID = "This sign-in did not work. Try again, or ask an administrator; the audit log has the reason."
_log = structlog.get_logger("rapport.oidc")


class SigningOn:
    """The ASGI application under /oidc/; without a provider, there is nothing there."""

    def __init__(self, single_sign_on: SingleSignOn | None, *, production: bool) -> None:
        self._single_sign_on = single_sign_on
        self._production = production

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request_id = secrets.token_hex(8)
        secure = self._production or scope.get("scheme") == "https"
        name = f"__Host-{_ASKED}" if secure else _ASKED
        given = {key: values[0] for key, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        step = (scope["method"], scope["path"].removeprefix(PREFIX))
        if self._single_sign_on is None or step not in (("GET", "login"), ("GET", "callback")):
            await _refuse(send, 404, "There is nothing here.", request_id, [])
            return
        forget = _cookie(name, "", 0, secure)
        try:
            if step[1] == "login":
                begun = await self._single_sign_on.begin(given.get("to", "/"))
                await _go(send, begun.url, [_cookie(name, begun.kept, ASKED_SECONDS, secure)], request_id)
                return
            headers = Headers(scope["headers"])
            client = scope.get("client")
            origin = Origin(None, request_id, client[0] if client else None, headers.text(b"user-agent"))
            kept = cookies.read(headers.text(b"cookie")).get(name)
            session, to = await self._single_sign_on.finish(given, kept, origin)
            await _go(send, to, [*cookies.signed_in(session, secure=secure), forget], request_id)
        except RefusedSignInError:
            await _refuse(send, 403, _SAID, request_id, [forget])
        except ProviderError as error:
            _log.warning("the OpenID provider failed", request_id=request_id, problem=str(error))
            await _refuse(send, 502, _SAID, request_id, [forget])
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("internal error", request_id=request_id)
            await _refuse(send, 500, "Something went wrong on our side; the log has it.", request_id, [forget])


def _cookie(name: str, value: str, seconds: int, secure: bool) -> cookies.Header:
    """What was asked. The browser comes back from another site, by a link, so that it is Lax."""
    said = f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    return b"set-cookie", (f"{said}; Secure" if secure else said).encode()


async def _go(send: Send, to: str, more: list[cookies.Header], request_id: str) -> None:
    await _send(send, 303, b"", [(b"location", to.encode()), *more], request_id)


async def _refuse(send: Send, status: int, said: str, request_id: str, more: list[cookies.Header]) -> None:
    body = orjson.dumps({"errors": [{"message": said, "extensions": {"requestId": request_id}}]})
    await _send(send, status, body, [(b"content-type", b"application/json; charset=utf-8"), *more], request_id)


async def _send(send: Send, status: int, body: bytes, headers: list[cookies.Header], request_id: str) -> None:
    shared = [
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *shared]})
    await send({"type": "http.response.body", "body": body})
