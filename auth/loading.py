"""Loading the rights of callers, and keeping them while nothing has changed.

What is kept may be old: every statement compares the version that it was authorized with against the present one, and
whoever finds them different calls ``reload``.
"""

from collections import OrderedDict
from typing import Any
from uuid import UUID

from app.errors import UnauthenticatedError
from app.models.enums import FieldAccess, RowScope
from auth.access import ENTITY_CLASSES, Access, Granted, Rights
from auth.policy import FieldRule

_ONLY_ALL = {"Stage", "Product", "Team"}
_KEPT = 10_000

_CALLER = """
    SELECT u.role_id, u.team_id, u.active, r.name AS role_name, r.access_version AS role_version,
           u.access_version || '.' || r.access_version AS version,
           g.entity, g.action, g.rows, f.field, f.access, f.on_rows, f.otherwise
    FROM users u JOIN roles r ON r.id = u.role_id
    LEFT JOIN grants g ON g.role_id = r.id LEFT JOIN field_grants f ON f.grant_id = g.id
    WHERE u.id = $1
"""


class AccessCache:
    """The rights of recent callers, shared among those who may do the same."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._callers: OrderedDict[UUID, Access] = OrderedDict()
        self._rights: OrderedDict[tuple[UUID, int, bool], Rights] = OrderedDict()

    async def get(self, user_id: UUID) -> Access:
        """The rights of a user as last loaded. UnauthenticatedError if there is no such user, or it is disabled."""
        found = self._callers.get(user_id)
        if found is None:
            return await self.reload(user_id)
        self._callers.move_to_end(user_id)
        return found

    def known(self, user_id: UUID) -> Access | None:
        """The rights of a user if they are loaded already."""
        return self._callers.get(user_id)

    async def reload(self, user_id: UUID) -> Access:
        """The rights of a user as they are now."""
        self._callers.pop(user_id, None)
        # One statement sees one moment, so that the version belongs to the grants.
        rows = await self._pool.fetch(_CALLER, user_id)
        if not rows:
            raise UnauthenticatedError("This account is unknown.", reason="invalid")
        caller = rows[0]
        if not caller["active"]:
            raise UnauthenticatedError("This account is disabled.", reason="disabled")
        key = (caller["role_id"], caller["role_version"], caller["team_id"] is not None)
        rights = self._rights.get(key)
        if rights is None:
            granted = [row for row in rows if row["entity"] is not None]
            rights = Rights(compiled_grants(granted, in_team=caller["team_id"] is not None))
            self._keep(self._rights, key, rights)
        access = Access(user_id, caller["role_id"], caller["role_name"], caller["team_id"], caller["version"], rights)
        self._keep(self._callers, user_id, access)
        return access

    def _keep(self, kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        kept[key] = value
        if len(kept) > _KEPT:
            kept.popitem(last=False)


def compiled_grants(rows: list[Any], *, in_team: bool) -> dict[str, dict[str, Granted]]:
    """The grants of a role as its callers have them: without a team, TEAM means OWN; what makes no sense is closed."""

    def scope(entity: str, said: str) -> RowScope:
        found = RowScope(said)
        if found is RowScope.TEAM and not in_team:
            found = RowScope.OWN
        return RowScope.NONE if entity in _ONLY_ALL and found is not RowScope.ALL else found

    grants: dict[str, dict[str, Granted]] = {}
    for row in rows:
        entity = row["entity"]
        rows_covered = scope(entity, row["rows"])
        if entity not in ENTITY_CLASSES or rows_covered is RowScope.NONE:
            continue
        granted = grants.setdefault(entity, {}).setdefault(row["action"], Granted(rows_covered, {}))
        if row["field"] is not None:
            rule = FieldRule(FieldAccess(row["access"]), scope(entity, row["on_rows"]), FieldAccess(row["otherwise"]))
            granted.fields[row["field"]] = rule  # type: ignore[index]  # Still being built; nobody else has it yet.
    return grants
