"""Who may be given a ticket."""

from typing import Any

from app.domain.work import Work
from app.models import Ticket
from app.models.enums import RowScope

_ABLE = "SELECT FROM grants WHERE role_id = $1 AND entity = 'Ticket' AND action = 'update' AND rows <> 'NONE'"


async def check_assignee(work: Work, path: tuple[str, ...], user: Any, scope: RowScope) -> None:
    """Note where ``user`` is no one to whom the actor, whose right to assign covers ``scope``, may give a ticket."""
    actor, name = work.actor, f"assignee usr_{user.id.hex}"
    if not user.active:
        work.problems.add(path, "INVALID", f"{name} is not active.")
        return
    if user.id == actor.user_id:
        able = actor.holds("update", Ticket)
    elif scope is not RowScope.ALL and (actor.team_id is None or user.team_id != actor.team_id):
        work.problems.add(path, "INVALID", f"{name} is not in your team.")
        return
    else:
        able = bool(await work.fetch(_ABLE, user.role_id))
    if not able:
        said = f"{name} cannot work on tickets: choose somebody whose role has the right to update them."
        work.problems.add(path, "INVALID", said)
