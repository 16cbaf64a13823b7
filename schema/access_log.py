"""The access log: one line a request, when it has been answered. No variables, no tokens, no query strings.

Lines are written together, ten times a second: a write for each would cost a small read a tenth of its time. What a
process had not yet written when it was killed is lost; what must not be lost stands in the audit log.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from app.settings import Settings
from schema.exchange import Exchange
from schema.requests import Scope

_PAUSE = 0.1
HUNG_UP = 499
"""The status of a request whose client was gone before the answer; nginx calls it that."""


class Lines:
    """Collects lines and writes them now and then."""

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
    """Tells of requests: JSON in production, as the other lines of the log are, and names with values before.

    The lines are put together here, and not by structlog's processors, which take longer than the rest of a small read.
    """

    def __init__(self, settings: Settings, lines: Lines | None = None) -> None:
        self.lines = lines or Lines()
        self._form = _json if settings.production else _plain

    def tell(self, scope: Scope, exchange: Exchange) -> None:
        """Write the line of a request."""
        client, trace = scope.get("client"), exchange.trace
        said = {
            "event": "request",
            "level": "info",
            "timestamp": datetime.now(UTC),
            "method": scope["method"],
            "path": scope["path"],
            "status": exchange.status or HUNG_UP,
            "ms": round((time.perf_counter() - exchange.started) * 1000, 2),
            "request_id": exchange.request_id,
            "ip": client[0] if client else None,
            **exchange.told,
        }
        if trace is not None:
            said["trace"], said["parent"] = trace.id, trace.parent
        self.lines.info(self._form(said))


def _json(said: dict[str, Any]) -> str:
    return orjson.dumps(said, option=orjson.OPT_UTC_Z).decode()


def _plain(said: dict[str, Any]) -> str:
    """Names and values on a line; what a caller said is quoted, so that no line can be forged."""
    head = f"{said.pop('timestamp'):%Y-%m-%dT%H:%M:%S.%fZ} {said.pop('event')}"
    del said["level"]
    return head + "".join(f" {name}={_shown(value)}" for name, value in said.items())


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)
