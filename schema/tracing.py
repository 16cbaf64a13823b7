"""Which request this is: an id of our own for each, and the trace of the caller that it is part of (W3C Trace Context).

Nothing of what the caller says goes anywhere unless it has exactly the form that it must have.
"""

import re
import secrets
from typing import NamedTuple

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SPAN = re.compile(r"[0-9a-f]{16}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


class Trace(NamedTuple):
    """The trace that a caller is in, and its own place in it."""

    id: str
    parent: str
    flags: str


def new_request_id() -> str:
    """An id for one request: 16 hexadecimal digits, as W3C's parent-id has."""
    return secrets.token_hex(8)


def given_request_id(header: bytes | None) -> str | None:
    """The id that a proxy has given to the request, where it has the form of one."""
    return header.decode("ascii") if header and _REQUEST_ID.fullmatch(header) else None


def trace_of(header: bytes | None) -> Trace | None:
    """The trace of a ``traceparent`` header; None where it is not well formed."""
    if header is None:
        return None
    found = _PARENT.fullmatch(header)
    if found is None:
        return None
    version, trace, parent, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more) or trace == b"0" * 32 or parent == b"0" * 16:
        return None
    return Trace(trace.decode(), parent.decode(), flags.decode())


def response_header(trace: Trace, request_id: str) -> bytes:
    """The ``traceresponse`` header: our place in the caller's trace, which is the request's id where it is our own."""
    span = request_id if _SPAN.fullmatch(request_id) else new_request_id()
    return f"00-{trace.id}-{span}-{trace.flags}".encode("ascii")
