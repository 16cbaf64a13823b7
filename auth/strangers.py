"""What strangers are refused, in the audit log: the first few of a minute from one address each, the rest as a count.

Whoever floods a server with changes that it refuses would otherwise write its log, as fast as it likes. Each process
counts for itself. What is counted is written when the minute of that address is over, or the process ends in order.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from app.models.base import utcnow
from app.models.enums import AuditOutcome
from auth.audit import Event, Origin, event
from auth.throttling import place_of

EACH = 5
"""Refusals of a minute that have an event of their own."""

SECONDS = 60.0
ACTION = "refuseStrangers"
_ADDRESSES = 1_000
_NAMES = 20
_OTHERS = ""
"""Where there are more addresses than that, they are counted as one."""
_log = structlog.get_logger("rapport.strangers")


@dataclass(slots=True)
class _Minute:
    """What came from one address since the first of it."""

    ip: str | None
    own: int = 0
    counted: Counter[str] = field(default_factory=Counter)


class Strangers:
    """Counts refusals by address, and has one event written for what is above the limit."""

    def __init__(self, write: Callable[[Event], Awaitable[None]]) -> None:
        self._write = write
        self._minutes: dict[str, _Minute] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def admits(self, origin: Origin, field: str) -> bool:
        """Whether the refusal of ``field`` gets an event of its own; if not, it is counted."""
        place = place_of(origin.ip) if origin.ip else _OTHERS
        if place not in self._minutes and len(self._minutes) >= _ADDRESSES:
            place = _OTHERS
        minute = self._minutes.get(place)
        if minute is None:
            minute = self._minutes[place] = _Minute(None if place == _OTHERS else origin.ip)
            asyncio.get_running_loop().call_later(SECONDS, self._end, place, minute)
        if minute.own < EACH:
            minute.own += 1
            return True
        minute.counted[field if field in minute.counted or len(minute.counted) < _NAMES else "…"] += 1
        return False

    def _end(self, place: str, minute: _Minute) -> None:
        if self._minutes.get(place) is not minute:
            return
        del self._minutes[place]
        if minute.counted:
            task = asyncio.get_running_loop().create_task(self._tell(minute))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self, minute: _Minute) -> None:
        told = {"count": minute.counted.total(), "fields": dict(minute.counted.most_common())}
        changes = {name: {"before": None, "after": value} for name, value in told.items()}
        origin = Origin(None, "", minute.ip)
        try:
            await self._write(event(origin, utcnow(), ACTION, changes=changes, outcome=AuditOutcome.DENIED))
        except Exception:
            _log.exception("refusals of strangers were not written", ip=minute.ip, **told)

    async def close(self) -> None:
        """Write what is counted by now."""
        for place, minute in list(self._minutes.items()):
            self._end(place, minute)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
