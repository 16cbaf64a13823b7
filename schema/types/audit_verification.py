"""What the last check of the audit log has found, in the API."""

from datetime import datetime

import strawberry
from strawberry import Info

from app.db.ids import print_id
from app.errors import ForbiddenError
from app.models import AuditEvent
from app.models.enums import RowScope
from schema.context import Context

_LAST = """
    SELECT v.*, (SELECT sealed_at FROM audit_seals ORDER BY number DESC LIMIT 1) AS sealed_at
    FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM audit_verifications ORDER BY id DESC LIMIT 1) AS v ON true
"""


@strawberry.type
class AuditVerification:
    """The last check of the whole audit log, and the last seal. Until the first check, nothing is known to be ok."""

    ok: bool
    checked_events: int
    first_broken_event_id: strawberry.ID | None
    head: str | None
    verified_at: datetime | None
    sealed_at: datetime | None

    @classmethod
    async def last(cls, info: Info[Context, None]) -> "AuditVerification":
        """The last one, for whoever may read the whole log."""
        access = await info.context.present_access()
        if access.rights.rows(AuditEvent) is not RowScope.ALL:
            raise ForbiddenError(
                f"The role {access.role_name} has no right to read AuditEvent on all rows.",
                entity="AuditEvent",
                action="read",
            )
        found = await info.context.services.reader.lanes.fetchrow(_LAST)
        broken = found["first_broken_event_id"]
        return cls(
            ok=bool(found["ok"]),
            checked_events=found["checked_events"] or 0,
            first_broken_event_id=strawberry.ID(print_id(AuditEvent.prefix, broken)) if broken else None,
            head=found["head"],
            verified_at=found["verified_at"],
            sealed_at=found["sealed_at"],
        )
