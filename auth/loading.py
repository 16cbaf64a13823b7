"""Loading the rights of callers, and keeping them while nothing has changed.

What is kept may be old: every statement compares the version that it was authorized with against the present one, and
whoever finds them different calls ``reload``.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Collection
from functools import cache
from typing import Any
from uuid import UUID

from app.errors import UnauthenticatedError
from app.models.enums import FieldAccess, RowScope
from auth.access import ENTITY_CLASSES, Access, Rights
from auth.covering import Granted, Grants
from auth.policy import FieldRule
from auth.principal import Principal
from auth.scopes import ONLY_ALL
from auth.token_scopes import narrowed

_KEPT = 10_000

# What has become of that through which the user calls is asked with its rights: a session by $2 and $3, an API token by
# $4 and $5, the hash of the secret that was shown.
_CALLER = """
    SELECT u.role_id, u.team_id, u.active, r.name AS role_name, r.access_version AS role_version,
           u.access_version || '.' || r.access_version AS version,
           s.id IS NOT NULL AS session_found, s.revoked_at IS NOT NULL AS revoked, s.expires_at <= now() AS over,
           $3::uuid IS NULL OR coalesce(i.active AND EXISTS (
               SELECT FROM grants m WHERE m.role_id = i.role_id AND m.entity = 'User' AND m.action = 'impersonate'
           ), false) AS may_impersonate,
           EXISTS (
               SELECT FROM second_factors d WHERE d.user_id = u.id AND d.confirmed_at IS NOT NULL
           ) AS second_factor,
           t.id IS NOT NULL AS token_found, t.revoked_at AS token_revoked, t.scopes, t.expires_at AS token_expires,
           CASE WHEN coalesce($5::bytea = t.secret_hash, true) THEN 'LAST' WHEN $5 = t.former_hash THEN 'FORMER' END
               AS shown,
           t.former_until, now() AS present,
           g.entity, g.action, g.rows, f.field, f.access, f.on_rows, f.otherwise
    FROM users u JOIN roles r ON r.id = u.role_id
    LEFT JOIN sessions s ON s.id = $2 AND s.user_id = u.id AND s.impersonator_id IS NOT DISTINCT FROM $3
    LEFT JOIN users i ON i.id = $3
    LEFT JOIN api_tokens t ON t.id = $4 AND t.owner_id = u.id
    LEFT JOIN grants g ON g.role_id = r.id LEFT JOIN field_grants f ON f.grant_id = g.id
    WHERE u.id = $1
"""

GRANTS = """
    SELECT g.entity, g.action, g.rows, f.field, f.access, f.on_rows, f.otherwise
    FROM grants g LEFT JOIN field_grants f ON f.grant_id = g.id WHERE g.role_id = $1
"""
"""The grants of a role, as ``compiled_grants`` takes them."""

_OWNED = """
    WITH owners AS (SELECT $1::uuid AS id UNION SELECT id FROM users WHERE team_id = $2)
    SELECT count(*) > $3 FROM (
        SELECT FROM owners JOIN customers ON owner_id = owners.id
        UNION ALL SELECT FROM owners JOIN opportunities ON owner_id = owners.id AND deleted_at IS NULL
        UNION ALL SELECT FROM owners JOIN tickets ON assignee_id = owners.id AND deleted_at IS NULL
        LIMIT $3 + 1
    ) AS owned
"""
# A table that was never analysed says -1; it is then taken for a large one, in which nobody owns much.
_ROWS = """
    SELECT CASE WHEN reltuples < 0 THEN 100000 ELSE reltuples END::bigint
    FROM pg_class WHERE oid = 'customers'::regclass
"""
_OWNED_FOR = 600.0


class AccessCache:
    """The rights of recent callers, shared among those who may do the same.

    To find a page among all n customers by testing them in order takes about 0.7 µs x page x n / owned / the part of
    them that a filter lets pass; to gather the owned ones takes about 1.2 µs x owned (measured). Where a filter lets a
    fifth pass they are equal at owned = 12 x sqrt(n). But a filter that lets next to nothing pass makes the first walk
    through all n, while the second never takes longer: so ``wide_from`` is above that.
    """

    wide_from = 25.0

    def __init__(self, pool: Any, second_factor_roles: Collection[str] = ()) -> None:
        self._pool = pool
        self._second_factor_roles = frozenset(second_factor_roles)
        self._wide: OrderedDict[UUID, tuple[bool, float]] = OrderedDict()
        self._callers: OrderedDict[Principal, Access] = OrderedDict()
        self._rights: OrderedDict[tuple[UUID, int, bool, tuple[str, ...] | None], Rights] = OrderedDict()

    async def get(self, principal: Principal) -> Access:
        """The caller's rights as last loaded. UnauthenticatedError if there is no such user, or it is disabled, or the
        session or token through which it calls is over."""
        found = self._callers.get(principal)
        if found is None or found.until <= time.time():
            return await self.reload(principal)
        self._callers.move_to_end(principal)
        return found

    def known(self, principal: Principal) -> Access | None:
        """The caller's rights if they are loaded already."""
        return self._callers.get(principal)

    async def reload(self, principal: Principal, *, enrolling: bool = False) -> Access:
        """The caller's rights as they are now. Where its role asks for a second factor that it has not, it has none,
        unless it is ``enrolling`` one."""
        self._callers.pop(principal, None)
        user_id = principal.user_id
        # One statement sees one moment, so that the version belongs to the grants and to the session.
        through = (principal.session_id, principal.impersonator_id, principal.token_id, principal.secret_hash)
        rows = await self._pool.fetch(_CALLER, user_id, *through)
        if not rows:
            raise UnauthenticatedError("This account is unknown.", reason="invalid")
        caller = rows[0]
        if not caller["active"]:
            raise UnauthenticatedError("This account is disabled.", reason="disabled")
        if principal.session_id is not None:
            _check_session(caller)
            if self._lacks_second_factor(principal, caller) and not enrolling:
                said = f"The role {caller['role_name']} needs a second factor: call enrolSecondFactor first."
                raise UnauthenticatedError(said, reason="secondFactor")
        scopes, until = None, math.inf
        if principal.token_id is not None:
            scopes, until = tuple(sorted(caller["scopes"] or ())), _check_token(caller)
        key = (caller["role_id"], caller["role_version"], caller["team_id"] is not None, scopes)
        rights = self._rights.get(key)
        if rights is None:
            granted = [row for row in rows if row["entity"] is not None]
            grants: Grants = compiled_grants(granted, in_team=caller["team_id"] is not None)
            rights = Rights(grants if scopes is None else narrowed(grants, scopes))
            self._keep(self._rights, key, rights)
        wide = await self._is_wide(user_id, caller["team_id"], rights)
        role_id, name, version = caller["role_id"], caller["role_name"], caller["version"]
        if scopes is not None:
            name = f"{name}, narrowed by the scopes of this token,"
        access = Access(principal, role_id, name, caller["team_id"], version, rights, scopes, until, wide)
        if not enrolling:
            self._keep(self._callers, principal, access)
        return access

    def _lacks_second_factor(self, principal: Principal, caller: Any) -> bool:
        """Whether the role asks for one, and the user has none. Whoever acts as the user has given one already."""
        asked = caller["role_name"] in self._second_factor_roles
        return asked and not caller["second_factor"] and principal.impersonator_id is None

    async def _is_wide(self, user_id: UUID, team_id: UUID | None, rights: Rights) -> bool:
        """Whether so many customers are the caller's, by whatever owned or assigned to it, that its pages are better
        sought in their order."""
        scope = rights.rows(ENTITY_CLASSES["Customer"])
        if scope not in (RowScope.OWN, RowScope.TEAM):
            return False
        known = self._wide.get(user_id)
        if known is None or known[1] < time.monotonic() - _OWNED_FOR:
            ((customers,),) = await self._pool.fetch(_ROWS)
            most = max(int(self.wide_from * customers**0.5), -1)
            team = team_id if scope is RowScope.TEAM else None
            ((wide,),) = await self._pool.fetch(_OWNED, user_id, team, most)
            known = (wide, time.monotonic())
            self._keep(self._wide, user_id, known)
        return known[0]

    def _keep(self, kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        kept[key] = value
        if len(kept) > _KEPT:
            kept.popitem(last=False)


def _check_session(caller: Any) -> None:
    """UnauthenticatedError where the session is over. Its end has raised the version that every statement compares."""
    if not caller["session_found"]:
        raise UnauthenticatedError("This session is unknown: sign in again.", reason="invalid")
    if caller["revoked"] or not caller["may_impersonate"]:
        raise UnauthenticatedError("This session has been ended: sign in again.", reason="revoked")
    if caller["over"]:
        raise UnauthenticatedError("This session has expired: sign in again.", reason="expired")


def _check_token(caller: Any) -> float:
    """UnauthenticatedError where the API token, or the secret that was shown, is good no more; else up to when it is.

    Every end but that of a time has raised the version that every statement compares.
    """
    if not caller["token_found"]:
        raise UnauthenticatedError("The token is not one of this server.", reason="invalid")
    if caller["token_revoked"] is not None:
        raise UnauthenticatedError("This token was revoked.", reason="revoked")
    if caller["shown"] is None:
        raise UnauthenticatedError("This secret was replaced by a newer one of its token.", reason="revoked")
    ends = [caller["token_expires"], caller["former_until"] if caller["shown"] == "FORMER" else None]
    found = min((end for end in ends if end is not None), default=None)
    if found is not None and found <= caller["present"]:
        raise UnauthenticatedError("This token has expired.", reason="expired")
    return math.inf if found is None else float(found.timestamp())


def compiled_grants(rows: list[Any], *, in_team: bool) -> dict[str, dict[str, Granted]]:
    """The grants of a role as its callers have them: without a team, TEAM means OWN; what makes no sense is closed."""
    grants: dict[str, dict[str, Granted]] = {}
    for row in rows:
        entity = row["entity"]
        shared = entity in ONLY_ALL
        rows_covered = _scope(row["rows"], in_team, shared)
        if entity not in ENTITY_CLASSES or rows_covered is RowScope.NONE:
            continue
        granted = grants.setdefault(entity, {}).setdefault(row["action"], Granted(rows_covered, {}))
        if row["field"] is not None:
            rule = _rule(row["access"], row["on_rows"], row["otherwise"], in_team, shared)
            granted.fields[row["field"]] = rule  # type: ignore[index]  # Still being built; nobody else has it yet.
    return grants


@cache
def _scope(said: str, in_team: bool, shared: bool) -> RowScope:
    found = RowScope(said)
    if found is RowScope.TEAM and not in_team:
        found = RowScope.OWN
    return RowScope.NONE if shared and found is not RowScope.ALL else found


@cache
def _rule(access: str, on_rows: str, otherwise: str, in_team: bool, shared: bool) -> FieldRule:
    """One of the few rules that there are; a role has hundreds of them."""
    return FieldRule(FieldAccess(access), _scope(on_rows, in_team, shared), FieldAccess(otherwise))
