"""Who may own a record."""

from typing import Any

from app.domain.given import Given
from app.domain.work import Work
from app.models.enums import RowScope


def check_owner(work: Work, given: Given, *, made: bool, attribute: str = "owner_id") -> None:
    """Note where the owner given is no one to whom the actor may give the record.

    Owners are active. Whoever holds the right on the rows of a team gives records to that team only; whoever holds it
    on its own rows makes records for itself, and may hand them to its team.
    """
    if attribute not in given:
        return
    owner: Any = given.rows.get(attribute.removesuffix("_id"))
    scope, path, actor = work.actor.scope, given.at(attribute), work.actor
    if owner is None:
        if given.values[attribute] is None and made and scope in (RowScope.OWN, RowScope.TEAM):
            said = f"{path[-1]} cannot be null here: a record that you make belongs to {_whom(scope)}."
            work.problems.add(path, "INVALID", said)
        return
    name = f"owner usr_{owner.id.hex}"
    if not owner.active:
        work.problems.add(path, "INVALID", f"{name} is not active.")
    elif owner.id == actor.user_id or scope is RowScope.ALL:
        return
    elif actor.team_id is None or owner.team_id != actor.team_id:
        work.problems.add(path, "INVALID", f"{name} is not in your team.")
    elif made and scope is RowScope.OWN:
        work.problems.add(path, "INVALID", f"{name} is not you: make the record yours, and hand it over then.")


def own_by_default(work: Work, given: Given) -> Any:
    """The owner of a new record for which none was given: the actor, if its role owns rows; else nobody."""
    if "owner_id" in given:
        return given.values["owner_id"]
    return work.actor.user_id if work.actor.scope in (RowScope.OWN, RowScope.TEAM) else None


def _whom(scope: RowScope) -> str:
    return "you" if scope is RowScope.OWN else "someone of your team"
