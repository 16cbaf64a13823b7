"""One HTTP exchange: what is known of it, for the headers of its answer and for the access log."""

import time
from dataclasses import dataclass, field
from typing import Any

from schema.requests import HeaderList
from schema.tracing import Trace

_STRICT = b"default-src 'none'; frame-ancestors 'none'"


def protection(policy: bytes = _STRICT) -> HeaderList:
    """The security headers of every response: OWASP's for REST, with this Content-Security-Policy."""
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", policy),
        (b"x-frame-options", b"DENY"),
        (b"cross-origin-resource-policy", b"same-origin"),
    )


_PROTECTION = protection()


@dataclass(slots=True)
class Exchange:
    """A request under way. What answers it fills in what the access log tells."""

    request_id: str
    trace: Trace | None = None
    protection: HeaderList = _PROTECTION
    started: float = field(default_factory=time.perf_counter)
    status: int | None = None
    mutates: bool = False
    """Whether the answer may hold a secret, such as a token: those of mutations alone do."""
    told: dict[str, Any] = field(default_factory=dict)
    """What else the access log tells: operation, document, user, token, impersonator, cost. Never a value."""
