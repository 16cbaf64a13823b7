"""Giving: what one caller may let others have. Compared within the transaction that gives it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.domain.work import Wanted
from app.errors import ForbiddenError
from app.models.base import Row
from app.models.enums import RowScope
from auth.access import Access, RightsChangedError
from auth.covering import Beyond, Granted, beyond
from auth.loading import compiled_grants
from auth.models import User
from auth.policy import STAFF, FieldRule
from auth.rows import RowLoader

# The same number as in the trigger that keeps the last admin, so that both wait for one another.
_TURN = "SELECT pg_advisory_xact_lock(7240524)"
_ROLE = """
    SELECT r.name, r.built_in, g.entity, g.action, g.rows, f.field, f.access, f.on_rows, f.otherwise
    FROM roles r LEFT JOIN grants g ON g.role_id = r.id LEFT JOIN field_grants f ON f.grant_id = g.id
    WHERE r.id = $1 ORDER BY g.entity, g.action, f.position
"""
_NAMED, _LISTED = 3, 50


class Giving:
    """What one caller may give, in one transaction; ``scope`` are the rows that the right in use covers."""

    def __init__(self, connection: Any, access: Access, rows: RowLoader, scope: RowScope) -> None:
        self._connection = connection
        self._access = access
        self._rows = rows
        self._scope = scope
        self._settled = False

    @property
    def role_id(self) -> UUID:
        """The caller's own role."""
        return self._access.role_id

    async def settle(self) -> None:
        """Wait until no other change of users and roles is under way. RightsChangedError where one that has just ended
        was about the caller."""
        if self._settled:
            return
        await self._connection.fetch(_TURN)
        # A statement of its own: it sees what was committed while this one waited.
        version, _ = await self._rows.one_each(self._connection, self._access, (), {})
        if version != self._access.loaded_version:
            raise RightsChangedError
        self._settled = True

    async def refuse_role(self, role_id: UUID, entity: type[Row], action: str, field: str) -> None:
        """ForbiddenError where the role has more than the caller; where the right in use is for the users of a team,
        where it is none of the roles that are for them."""
        rows = await self._connection.fetch(_ROLE, role_id)
        name = rows[0]["name"]
        if entity is User and self._scope is not RowScope.ALL:
            if not (rows[0]["built_in"] and name in STAFF):
                said = (
                    f"The role {self._access.role_name} has to do with users of the roles {' and '.join(STAFF)} only."
                )
                raise ForbiddenError(said, entity=entity.__name__, action=action, field=field)
            return
        granted = compiled_grants([row for row in rows if row["entity"] is not None], in_team=True)
        self._refuse(beyond(granted, self._access.rights.grants), f"the role {name}", entity, action, field)

    def refuse_grants(self, grants: Sequence[Wanted], entity: type[Row], action: str, field: str) -> None:
        """ForbiddenError where the grants go beyond what the caller has."""
        given: dict[str, dict[str, Granted]] = {}
        for each in grants:
            fields = {name: FieldRule(of.access, of.on_rows, of.otherwise) for name, of in each.fields.items()}
            given.setdefault(each.entity, {})[each.action] = Granted(each.rows, fields)
        self._refuse(beyond(given, self._access.rights.grants), "these grants", entity, action, field)

    def _refuse(self, missing: list[Beyond], what: str, entity: type[Row], action: str, field: str) -> None:
        if not missing:
            return
        named = "; ".join(map(str, missing[:_NAMED]))
        more = f"; and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise ForbiddenError(
            f"The role {self._access.role_name} has not all that {what} would let others do: {named}{more}.",
            entity=entity.__name__,
            action=action,
            field=field,
            missing=[str(each) for each in missing[:_LISTED]],
        )
