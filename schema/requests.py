"""From HTTP to a GraphQL request: methods, content types, sizes and JSON."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HttpError(Exception):
    """A request that is not GraphQL over HTTP; ``status`` and a message say why."""

    def __init__(self, status: int, message: str, code: str = "BAD_USER_INPUT") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sent."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    read_only: bool = False


class Headers(dict[bytes, bytes]):
    """The headers of a request, by lower-case name."""

    def text(self, name: bytes) -> str:
        """One header, empty where it is absent."""
        return self.get(name, b"").decode("latin-1")


async def read_request(scope: Scope, headers: Headers, receive: Receive, max_bytes: int) -> Request:
    """The GraphQL request in an HTTP request. HttpError says what is wrong with it."""
    if scope["method"] == "POST":
        content_type = headers.text(b"content-type").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise HttpError(415, "Send the request as application/json.")
        body = await _body(headers, receive, max_bytes)
        try:
            return _checked(orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise HttpError(400, f"The body is not JSON: {error}.") from None
    if scope["method"] == "GET":
        return _from_query(scope["query_string"])
    raise HttpError(405, "GraphQL is asked with POST, or with GET for queries.")


async def _body(headers: Headers, receive: Receive, max_bytes: int) -> bytes:
    length = headers.text(b"content-length")
    if length.isdigit() and int(length) > max_bytes:
        raise _too_large(int(length), max_bytes)
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(len(body), max_bytes)
    if len(body) > max_bytes:
        raise _too_large(len(body), max_bytes)
    return body


def _too_large(actual: int, allowed: int) -> HttpError:
    return HttpError(413, f"The body has {actual} bytes or more; {allowed} are allowed.", "QUERY_TOO_COSTLY")


def _from_query(query_string: bytes) -> Request:
    try:
        given = {name: values[-1] for name, values in parse_qs(query_string.decode(), keep_blank_values=True).items()}
        variables = orjson.loads(given["variables"]) if given.get("variables") else None
    except (ValueError, UnicodeDecodeError):
        raise HttpError(400, "variables is not JSON.") from None
    said = {"query": given.get("query"), "variables": variables, "operationName": given.get("operationName")}
    return _checked(said, read_only=True)


def _checked(said: Any, *, read_only: bool = False) -> Request:
    if not isinstance(said, dict):
        raise HttpError(400, "The body is not a JSON object; operations are sent one at a time.")
    query, variables, name = said.get("query"), said.get("variables"), said.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise HttpError(400, "query is missing: send the GraphQL document as a string.")
    if variables is not None and not isinstance(variables, dict):
        raise HttpError(400, "variables is not a JSON object.")
    if name is not None and not isinstance(name, str):
        raise HttpError(400, "operationName is not a string.")
    return Request(query, variables, name or None, read_only)
