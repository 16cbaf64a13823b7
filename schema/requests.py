"""From HTTP to GraphQL requests: methods, content types, sizes, JSON, and who may not ask in another's name."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson

from app.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HeaderList = Sequence[tuple[bytes, bytes]]

PREFLIGHT_HEADERS = (
    b"authorization",
    b"apollo-require-preflight",
    b"x-apollo-operation-name",
    b"graphql-require-preflight",
)
"""Headers that no page of another site can send without asking first (Fetch, CORS-preflight)."""

_SIMPLE_TYPES = ("", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
_ELSEWHERE = (b"cross-site", b"same-site")
_MOST_PARAMETERS = 20


class HttpError(Exception):
    """A request that is not GraphQL over HTTP; ``status`` and a message say why, ``headers`` go with the answer."""

    def __init__(self, status: int, message: str, code: str = "BAD_USER_INPUT", headers: HeaderList = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sent. ``query`` is None where a hash stands for it."""

    query: str | None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    read_only: bool = False
    hash: str | None = None
    """The SHA-256 of the document, in lower-case hexadecimal, that the caller says."""


class Headers(dict[bytes, bytes]):
    """The headers of a request, by lower-case name; of a repeated one, the last."""

    def text(self, name: bytes) -> str:
        """One header, empty where it is absent."""
        return self.get(name, b"").decode("latin-1")


async def read_request(scope: Scope, headers: Headers, receive: Receive, settings: Settings) -> Request | list[Request]:
    """The GraphQL request in an HTTP request, or several. HttpError says what is wrong with it."""
    if scope["method"] == "POST":
        _check_type(headers)
        said = _json(await _body(headers, receive, settings.max_body_bytes))
        if isinstance(said, list):
            return _batch(said, settings.max_batch)
        return _checked(said)
    if scope["method"] == "GET":
        _check_origin(headers)
        return _from_query(scope["query_string"], settings.max_body_bytes)
    raise HttpError(405, "GraphQL is asked with POST, or with GET for queries.", headers=[(b"allow", b"GET, POST")])


def only_with_post() -> HttpError:
    """The refusal of an operation that changes something and came with GET."""
    return HttpError(405, "GET is for queries: send this operation with POST.", headers=[(b"allow", b"POST")])


def _check_type(headers: Headers) -> None:
    """Only JSON is taken: a page of another site cannot send it without a preflight request, so forms cannot act."""
    said = headers.get(b"content-type", b"")
    if said != b"application/json":
        kind, _, parameters = said.decode("latin-1").partition(";")
        if kind.strip().lower() != "application/json":
            raise HttpError(415, "Send the request as application/json.")
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            charset = value.strip().strip('"').lower()
            if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8"):
                raise HttpError(415, "Send the request as application/json in UTF-8.")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise HttpError(415, "Send the request without a Content-Encoding.")


def _check_origin(headers: Headers) -> None:
    """Refuse what a page of another site may have made the browser ask: with its cookies, and without a preflight.

    A GET that brings nobody's cookies, from no page, can do nothing in anybody's name.
    """
    kind = headers.text(b"content-type").partition(";")[0].strip().lower()
    if kind not in _SIMPLE_TYPES or any(name in headers for name in PREFLIGHT_HEADERS):
        return
    if b"cookie" in headers or b"origin" in headers or headers.get(b"sec-fetch-site") in _ELSEWHERE:
        raise HttpError(
            400,
            "A page of another site could have sent this (CSRF): send the header Apollo-Require-Preflight with any"
            " value, or use POST with application/json.",
        )


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"The body is not JSON: {error}.") from None


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


def _from_query(query_string: bytes, max_bytes: int) -> Request:
    if len(query_string) > max_bytes:
        raise HttpError(414, f"The query string has more than {max_bytes} bytes.", "QUERY_TOO_COSTLY")
    try:
        found = parse_qs(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise HttpError(400, "The query string is not one of names and values in UTF-8.") from None
    said: dict[str, Any] = {}
    for name, values in found.items():
        if name in _PARAMETERS and len(values) > 1:
            raise HttpError(400, f"{name} is given {len(values)} times.")
        said[name] = values[0]
    for name in ("variables", "extensions"):
        try:
            said[name] = orjson.loads(said[name]) if said.get(name) else None
        except orjson.JSONDecodeError:
            raise HttpError(400, f"{name} is not JSON.") from None
    return _checked(said, read_only=True)


_PARAMETERS = ("query", "variables", "operationName", "extensions", "documentId")


def _batch(said: list[Any], most: int) -> list[Request]:
    if most == 0:
        raise HttpError(400, "The body is not a JSON object; operations are sent one at a time.")
    if not 1 <= len(said) <= most:
        raise HttpError(400, f"The batch has {len(said)} operations; 1 to {most} are allowed.", "QUERY_TOO_COSTLY")
    return [_checked(each) for each in said]


def _checked(said: Any, *, read_only: bool = False) -> Request:
    if not isinstance(said, dict):
        raise HttpError(400, "The body is not a JSON object.")
    query, variables, name = said.get("query"), said.get("variables"), said.get("operationName")
    extensions = said.get("extensions")
    if variables is not None and not isinstance(variables, dict):
        raise HttpError(400, "variables is not a JSON object.")
    if name is not None and not isinstance(name, str):
        raise HttpError(400, "operationName is not a string.")
    if extensions is not None and not isinstance(extensions, dict):
        raise HttpError(400, "extensions is not a JSON object.")
    hash = None
    if said.get("documentId") is not None:
        hash = _hash("documentId", said["documentId"], "sha256:")
    elif extensions and extensions.get("persistedQuery") is not None:
        hash = _persisted(extensions["persistedQuery"])
    if query is None and hash is not None:
        return Request(None, variables, name or None, read_only, hash)
    if not isinstance(query, str) or not query.strip():
        raise HttpError(400, "query is missing: send the GraphQL document as a string.")
    return Request(query, variables, name or None, read_only, hash)


def _persisted(said: Any) -> str:
    if not isinstance(said, dict) or said.get("version") != 1:
        raise HttpError(400, 'extensions.persistedQuery is not {"version": 1, "sha256Hash": "…"}.')
    return _hash("extensions.persistedQuery.sha256Hash", said.get("sha256Hash"), "")


def _hash(name: str, said: Any, before: str) -> str:
    text = said.removeprefix(before) if isinstance(said, str) and said.startswith(before) else ""
    if len(text) != 64 or any(digit not in "0123456789abcdef" for digit in text):
        begins = f"{before} and " if before else ""
        raise HttpError(400, f"{name} is not {begins}the 64 lower-case hexadecimal digits of a SHA-256.")
    return text
