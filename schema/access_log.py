"""The access log: one line a request, when it has been answered. No variables, no tokens, no query strings.

Lines are written together, ten times a second: a write for each would cost a small read a tenth of its time. What a
process had not yet written when it was killed is lost; what must not be lost stands in the audit log.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson
import structlog

from app.settings import Settings
from schema.exchange import Exchange
from schema.requests import Scope

_PAUSE = 0.1
HUNG_UP = 499
"""The status of a request whose client was gone before the answer; nginx calls it that."""


class Lines:
    """Collects lines and writes them now and then. It is the logger at the end of structlog's chain."""

    def __init__(self, write: Callable[[str], Any] | None = None) -> None:
        self._write = write or (lambda text: print(text, end="", file=sys.stderr, flush=True))
        self._kept: list[str] = []
        self._due: asyncio.TimerHandle | None = None

    def info(self, line: str) -> None:
        """Take one line."""
        self._kept.append(line)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(_PAUSE, self.flush)

    def flush(self) -> None:
        """Write what has been collected."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        kept, self._kept = self._kept, []
        if kept:
            self._write("\n".join(kept) + "\n")


class AccessLog:
    """Tells of requests in the log's own form: JSON in production, names and values before."""

    def __init__(self, settings: Settings, lines: Lines | None = None) -> None:
        self.lines = lines or Lines()
        form: structlog.typing.Processor = structlog.processors.KeyValueRenderer()
        if settings.production:
            form = structlog.processors.JSONRenderer(serializer=_json)
        self._log = structlog.wrap_logger(
            self.lines,
            processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), form],
            wrapper_class=structlog.BoundLogger,
            cache_logger_on_first_use=True,
        )

    def tell(self, scope: Scope, exchange: Exchange) -> None:
        """Write the line of a request."""
        client, trace = scope.get("client"), exchange.trace
        traced = {"trace": trace.id, "parent": trace.parent} if trace else {}
        self._log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=exchange.status or HUNG_UP,
            ms=round((time.perf_counter() - exchange.started) * 1000, 2),
            request_id=exchange.request_id,
            ip=client[0] if client else None,
            **exchange.told,
            **traced,
        )


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
