"""The audit log, for events that no change of a record carries: denials, sign-ins, and the like."""

from collections.abc import Mapping
from typing import Any

import orjson

from app.db.ids import split_id
from app.db.lanes import Lanes
from app.errors import ApiError
from app.models.base import utcnow
from app.models.enums import AuditOutcome
from auth.audit import Event, Origin, event
from auth.strangers import Strangers


async def write_events(connection: Any, *events: Event) -> None:
    """Write events of their own, in the connection's transaction if there is one."""
    columns = ", ".join(events[0].columns)
    rows = orjson.dumps([each.columns for each in events], default=str)
    await connection.fetch(
        f"INSERT INTO audit_events ({columns})"  # noqa: S608  # Names of columns, all our own.
        f" SELECT {columns} FROM json_populate_recordset(NULL::audit_events, convert_from($1, 'UTF8')::json)",
        rows,
    )


class AuditLog:
    """Writes events of their own, each before its answer is sent."""

    def __init__(self, writers: Lanes) -> None:
        self._writers = writers
        self._strangers = Strangers(self.write)

    async def write(self, *events: Event) -> None:
        """Write the events."""
        await write_events(self._writers, *events)

    async def denied(self, origin: Origin, refusals: Mapping[str, ApiError]) -> None:
        """Write what was refused, by the field of the operation: of a stranger, so much only (auth/strangers.py)."""
        at, seen, events = utcnow(), set(), []
        for field, refusal in refusals.items():
            told: dict[str, Any] = refusal.details
            what = (told.get("entity"), told.get("action", field), str(told.get("field")), told.get("id"))
            if what in seen:
                continue
            seen.add(what)
            if origin.actor_id is None and not self._strangers.admits(origin, field):
                continue
            split = split_id(told["id"]) if "id" in told else None
            changes = {"field": {"before": None, "after": told["field"]}} if "field" in told else None
            events.append(
                event(
                    origin,
                    at,
                    told.get("action", field),
                    entity=told.get("entity"),
                    record_id=split[1] if split else None,
                    changes=changes,
                    outcome=AuditOutcome.DENIED,
                )
            )
        if events:
            await self.write(*events)

    async def close(self) -> None:
        """Write what is only counted by now."""
        await self._strangers.close()
