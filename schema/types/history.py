"""The field that shows what has happened to a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from schema.types.common import UnwalkedError

if TYPE_CHECKING:
    from schema.types.audit_event import AuditEventConnection

HistoryRef = Annotated["AuditEventConnection", strawberry.lazy("schema.types.audit_event")]


def events(first: int | None = UNSET, after: str | None = UNSET) -> HistoryRef:
    """The events of the record, the newest first, for whoever has the right ``history`` on it."""
    raise UnwalkedError
