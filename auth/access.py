"""Access: the compiled rights of one caller, and its sight of rows and fields as SQL."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, cast, false, inspect, literal_column, or_, select

import app.models as models
from app.models.base import Row
from app.models.enums import FieldAccess, RowScope
from app.reading.aliases import alias
from app.reading.correlation import there
from app.reading.relations import kept_of, relation, sources
from app.reading.sight import How, Treatment
from auth.covering import Granted as Granted
from auth.covering import Grants
from auth.models import RECORDED, Role, User
from auth.policy import ENTITIES, TOLD, FieldRule
from auth.principal import Principal
from auth.scopes import FOLLOWERS, WIDTH, among, caller, in_scope

PARTS = {models.ExternalRef, models.Grant, models.FieldGrant}
"""Tables whose rows are parts of a record: seen with it, by no right of their own."""

_WHENCE = {"ip", "user_agent", "request_id"}
"""From where an event came: for those whose own right to the log covers it, not for all who see a record's history."""

ENTITY_CLASSES: Mapping[str, type[Row]] = {name: getattr(models, name) for name in ENTITIES}


RENAMED = {("ApiToken", "prefix"): "beginning"}
"""Fields of the API whose name the tables have for something else, and the attributes behind them."""

_FIELDS = {(entity, attribute): field for (entity, field), attribute in RENAMED.items()}


def attribute_name(field: str) -> str:
    """The attribute of a field of the API: ``last_order_at`` for ``lastOrderAt``."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in field)


def field_name(attribute: str) -> str:
    """The field of the API for an attribute: ``lastOrderAt`` for ``last_order_at``."""
    first, *rest = attribute.split("_")
    return first + "".join(word.title() for word in rest)


def field_of(entity: type[Row], attribute: str) -> str:
    """The field of the API for an attribute of ``entity``."""
    return _FIELDS.get((entity.__name__, attribute)) or field_name(attribute)


@cache
def fields_of(entity: type[Row]) -> Mapping[str, str]:
    """The fields of ``entity`` as the API names them, and the attributes behind them."""
    name = entity.__name__
    return {field: RENAMED.get((name, field)) or attribute_name(field) for field in ENTITIES.get(name, ())}


class RightsChangedError(Exception):
    """The caller's rights are no longer those that were loaded; with the present ones, everything starts again."""


class Rights:
    """What a role (with or without a team, through a token or not) may do; shared by all who may do the same."""

    def __init__(self, grants: Grants) -> None:
        self.grants = grants
        self._rules: dict[tuple[type[Row], str], tuple[FieldRule, ...]] = {}

    @cached_property
    def fingerprint(self) -> str:
        """The same for equal rights: the key under which compiled statements are shared."""
        said = [
            (entity, action, str(grant.rows), sorted((name, _said(rule)) for name, rule in grant.fields.items()))
            for entity, actions in sorted(self.grants.items())
            for action, grant in sorted(actions.items())
        ]
        return sha256(repr(said).encode()).hexdigest()

    def rows(self, entity: type[Row], action: str = "read") -> RowScope:
        """The rows of ``entity`` that ``action`` covers."""
        if entity in PARTS:
            return RowScope.ALL
        granted = self.grants.get(entity.__name__, {}).get(action)
        return granted.rows if granted else RowScope.NONE

    def may_see(self, entity: type[Row]) -> bool:
        """Whether any row of ``entity`` may be read."""
        return self.rows(entity) is not RowScope.NONE

    def writing(self, entity: type[Row], action: str, field: str) -> FieldRule:
        """Where ``action`` may write ``field``: on the rows where the rule says READ."""
        granted = self.grants.get(entity.__name__, {}).get(action)
        rule = granted.fields.get(field, _NOTHING) if granted else _NOTHING
        return _simplified(rule, granted.rows) if granted else rule

    def rules(self, entity: type[Row], attribute: str) -> tuple[FieldRule, ...]:
        """How much of ``attribute`` may be seen; all rules hold, those of a computed value's sources too."""
        if (found := self._rules.get((entity, attribute))) is None:
            found = self._rules[entity, attribute] = tuple(self._find_rules(entity, attribute))
        return found

    def _find_rules(self, entity: type[Row], attribute: str) -> list[FieldRule]:
        if entity in PARTS or attribute == "id":
            return []
        granted = self.grants.get(entity.__name__, {}).get("read")
        if granted is None:
            # The history of a record shows its events whole to whoever may ask for it; there is no other way to them.
            return [] if entity is models.AuditEvent else [_NOTHING]
        rules: list[FieldRule] = []
        for source in sources(entity, attribute):
            if source != attribute:
                rules += self.rules(entity, source)
                if source in inspect(entity).relationships and not self.may_see(relation(entity, source).target):
                    return [_NOTHING]
        name = field_of(entity, attribute)
        if name in ENTITIES[entity.__name__]:
            rules.append(granted.fields.get(name, _NOTHING))
        kept = kept_of(entity, attribute)
        if kept is not None:
            rules += self._kept_rules(relation(entity, kept.relation).target, kept.sources)
        return [_simplified(rule, granted.rows) for rule in rules]

    def _kept_rules(self, target: type[Row], sources: Sequence[str]) -> list[FieldRule]:
        """What is kept of rows of ``target``, which follow the row that it stands beside: all of them are in a scope
        where that row is, and so it is readable where they are, with their ``sources``."""
        assert target.__name__ in FOLLOWERS
        rows = self.rows(target)
        if rows is RowScope.NONE:
            return [_NOTHING]
        found = [FieldRule(FieldAccess.READ, rows, FieldAccess.HIDDEN)]
        for rule in (rule for source in sources for rule in self.rules(target, source)):
            access, otherwise = (
                each if each is FieldAccess.READ else FieldAccess.HIDDEN for each in (rule.access, rule.otherwise)
            )
            found.append(FieldRule(access, rule.on_rows, otherwise))
        return found

    def readable_somewhere(self, entity: type[Row], attribute: str) -> bool:
        """Whether the value may be read on any row at all."""
        return all(FieldAccess.READ in (rule.access, rule.otherwise) for rule in self.rules(entity, attribute))

    def sees_all(self, entity: type[Row]) -> bool:
        """Whether every field of every row may be read, and so may what it follows and what it refers to."""
        if self.rows(entity) is not RowScope.ALL or not self._reads_all(entity):
            return False
        if entity.parent and not self.sees_all(relation(entity, entity.parent).target):
            return False
        for attribute in fields_of(entity).values():
            if attribute in inspect(entity).relationships:
                found = relation(entity, attribute)
                if self.rows(found.target) is not RowScope.ALL or (found.many and not self._reads_all(found.target)):
                    return False
        return True

    def _reads_all(self, entity: type[Row]) -> bool:
        if entity is models.TicketComment and self.rows(entity, "readInternal") is not RowScope.ALL:
            return False
        return entity in PARTS or all(
            rule.access is rule.otherwise is FieldAccess.READ
            for attribute in fields_of(entity).values()
            for rule in self.rules(entity, attribute)
        )

    @cached_property
    def with_tokens(self) -> "Rights":
        """The same with sight of one's own API tokens: one of them knows what it is, whatever its scopes are."""
        read = Granted(RowScope.OWN, {name: FieldRule() for name in ENTITIES["ApiToken"]})
        return Rights({**self.grants, "ApiToken": {**self.grants.get("ApiToken", {}), "read": read}})

    def hidden(self, entity: type[Row], attribute: str) -> bool:
        """Whether nothing of the value is shown on any row."""
        return any(rule.access is rule.otherwise is FieldAccess.HIDDEN for rule in self.rules(entity, attribute))


_NOTHING = FieldRule(FieldAccess.HIDDEN, RowScope.ALL, FieldAccess.HIDDEN)


def _simplified(rule: FieldRule, rows: RowScope) -> FieldRule:
    """The rule without a condition that every row of the grant meets, or that makes no difference."""
    if rule.on_rows is not RowScope.ASSIGNED and WIDTH[rule.on_rows] >= WIDTH[rows]:
        return FieldRule(rule.access, RowScope.ALL, rule.access)
    return rule


def _said(rule: FieldRule) -> str:
    return f"{rule.access} {rule.on_rows} {rule.otherwise}"


@dataclass(frozen=True)
class Access:
    """One caller: who it is, its rights, and the version of both at which they were loaded. It is a ``Sight``."""

    principal: Principal
    role_id: UUID
    role_name: str
    team_id: UUID | None
    loaded_version: str
    rights: Rights
    scopes: tuple[str, ...] | None = None
    """The scopes of the API token through which it calls; its rights are narrowed by them already."""
    until: float = math.inf
    """When they have to be asked for anew, in seconds since 1970: something ends then without any change."""
    wide: bool = False
    """Whether so much is owned that a page is found sooner by testing rows in their order than among the owned."""

    @property
    def user_id(self) -> UUID:
        """The user who calls."""
        return self.principal.user_id

    @property
    def fingerprint(self) -> str:
        """The same for all callers for whom a compiled statement serves."""
        return f"{self.rights.fingerprint}{'+' if self.wide else ''}"

    @property
    def arguments(self) -> dict[str, Any]:
        """The caller's bind parameters."""
        return {"caller": self.principal.user_id, "team": self.team_id}

    @property
    def version(self) -> ColumnElement[str]:
        """The present version of the caller's rights; NULL when the user is gone or disabled."""
        user: Any = alias(User)
        role: Any = alias(Role)
        versions = cast(user.access_version, Text), cast(role.access_version, Text)
        found = (
            select(versions[0].concat(literal_column("'.'")).concat(versions[1]))
            .join(role, role.id == user.role_id)
            .where(user.id == caller(), user.active)
        )
        return found.scalar_subquery()

    def may_see(self, entity: type[Row]) -> bool:
        """Whether the caller may see any row of ``entity`` at all."""
        return self.rights.may_see(entity)

    def covered(self, entity: type[Row], row: Any, action: str) -> list[ColumnElement[bool]]:
        """The conditions under which ``action`` covers ``row``, which is visible."""
        scope, seen = self.rights.rows(entity, action), self.rights.rows(entity)
        if scope is not RowScope.ASSIGNED and WIDTH[scope] >= WIDTH[seen]:
            return []
        return in_scope(entity, row, scope, "row")

    def covers_all(self, entity: type[Row], action: str) -> bool:
        """Whether the caller sees every live row of ``entity`` whose parents live, and ``action`` covers them all."""
        if not self.rights.rows(entity, action) is self.rights.rows(entity) is RowScope.ALL:
            return False
        return entity.parent is None or self.covers_all(relation(entity, entity.parent).target, "read")

    def below(
        self, entity: type[Row], parent: Any, action: str, attributes: Sequence[str]
    ) -> ColumnElement[bool] | bool:
        """On which rows ``parent``, which are visible, every row of ``entity`` below is in sight: it may be read,
        ``action`` covers it, and so much is readable of it as ``attributes``."""
        assert entity.__name__ in FOLLOWERS
        assert entity.parent is not None
        above = relation(entity, entity.parent).target
        seen = self.rights.rows(above)
        scopes = [self.rights.rows(entity, each) for each in ("read", action)]
        narrower = [scope for scope in scopes if WIDTH[scope] < WIDTH[seen]]
        conditions: list[ColumnElement[bool] | bool] = [
            condition for scope in narrower for condition in in_scope(above, parent, scope, "row")
        ]
        for attribute in attributes:
            rules = self.rights.rules(entity, attribute)
            conditions += [_where(rule, {FieldAccess.READ}, above, parent) for rule in rules]
        return _all(conditions)

    @property
    def recorded(self) -> Sequence[type[Row]]:
        """The entities of whose records the audit log tells values."""
        return [ENTITY_CLASSES[name] for name in RECORDED]

    @property
    def told(self) -> Sequence[str]:
        """What the audit log tells besides, by name, that everybody may know who sees the event."""
        return TOLD

    @property
    def sees_log(self) -> bool:
        """Whether the caller sees the whole audit log."""
        return self.rights.rows(models.AuditEvent) is RowScope.ALL

    def sees_all(self, entity: type[Row]) -> bool:
        """Whether every field of every row of ``entity`` is plainly readable."""
        return self.rights.sees_all(entity)

    def fields(self, entity: type[Row]) -> Mapping[str, str]:
        """The fields of ``entity`` as the API names them, and the attributes behind them."""
        return fields_of(entity)

    def gathers(self, entity: type[Row]) -> bool:
        """Whether the first rows of an order are found sooner by gathering those in sight than by walking the order."""
        whose = entity
        while whose.parent is not None:
            whose = relation(whose, whose.parent).target
        limited = self.rights.rows(entity) in (RowScope.OWN, RowScope.TEAM)
        return limited and whose is models.Customer and not self.wide

    def owning(self, entity: type[Row]) -> str | None:
        """The attribute by which the caller owns rows, where those in sight are ``owned`` and ``others``."""
        return "owner_id" if entity is models.Customer and self.rights.rows(entity) is RowScope.OWN else None

    def treatment(self, entity: type[Row], attribute: str, row: Any) -> Treatment:
        """How ``attribute`` of ``row`` is shown."""
        rules = self.rights.rules(entity, attribute)
        readable = _all([_where(rule, {FieldAccess.READ}, entity, row) for rule in rules])
        if entity is models.AuditEvent and attribute in _WHENCE:
            readable = _all([readable, *in_scope(entity, row, self.rights.rows(entity), "row")])
        if not any(FieldAccess.MASKED in (rule.access, rule.otherwise) for rule in rules):
            kept = kept_of(entity, attribute)
            return Treatment(readable, otherwise=kept.otherwise if kept else None)
        shown = _all([_where(rule, {FieldAccess.READ, FieldAccess.MASKED}, entity, row) for rule in rules])
        return Treatment(readable, shown)

    def rows(
        self,
        entity: type[Row],
        row: Any,
        how: How,
        *,
        include_deleted: bool = False,
        parent_seen: bool = False,
        referred: bool = False,
    ) -> list[ColumnElement[bool]]:
        """The conditions under which ``row`` is visible: alive, in scope, of a visible parent."""
        if entity in PARTS:
            return []
        scope = self.rights.rows(entity)
        if scope is RowScope.NONE:
            return [false()]
        conditions = [] if referred and entity.outlasts else self._alive(entity, row, include_deleted)
        parent = relation(entity, entity.parent) if entity.parent else None
        covered = False
        if parent is not None and WIDTH[scope] >= WIDTH[self.rights.rows(parent.target)]:
            covered = entity.__name__ in FOLLOWERS
        if not covered:
            conditions += in_scope(entity, row, scope, how)
        if parent is not None and not parent_seen:
            conditions += self._parent(entity, row, how, scope, include_deleted)
        if entity is models.TicketComment:
            inside = self.rights.rows(entity, "readInternal")
            if WIDTH[inside] < WIDTH[scope]:
                conditions.append(or_(row.internal.is_(False), and_(*in_scope(entity, row, inside, "row"))))
        return conditions

    def _alive(self, entity: type[Row], row: Any, include_deleted: bool) -> list[ColumnElement[bool]]:
        if not hasattr(entity, "deleted_at"):
            return []
        alive = row.deleted_at.is_(None)
        if not include_deleted:
            return [alive]
        restorable = in_scope(entity, row, self.rights.rows(entity, "restore"), "row")
        return [or_(alive, *(and_(condition) for condition in restorable))] if restorable else []

    def _parent(
        self, entity: type[Row], row: Any, how: How, scope: RowScope, include_deleted: bool
    ) -> list[ColumnElement[bool]]:
        """The condition that the parent is visible. What the row's own scope implies of it is left out."""
        way = relation(entity, entity.parent or "")
        parent: Any = alias(way.target)
        conditions = self.rows(way.target, parent, how)
        only_alive = self.covers_all(way.target, "read") and way.target.parent is None
        own_owner = entity is models.Opportunity and not include_deleted
        if own_owner and WIDTH[scope] <= WIDTH[self.rights.rows(way.target)]:
            # Whoever owns a live opportunity, or its customer, sees the customer: only its life is left to check.
            conditions, only_alive = [parent.deleted_at.is_(None)], True
        if not conditions:
            return []
        if how == "figure" and only_alive:
            # Every row has its parent: the few that are gone are looked through sooner than the many that are there.
            return [~there(parent, *way.link(row, parent), parent.deleted_at.is_not(None))]
        ((near, far),) = way.pairs
        found = select(getattr(parent, far)).where(*conditions)
        if how in ("set", "figure"):
            return [getattr(row, near).in_(found)]
        if how == "among":
            return [among(getattr(row, near), found)]
        return [there(parent, *way.link(row, parent), *conditions)]


def _where(rule: FieldRule, wanted: set[FieldAccess], entity: type[Row], row: Any) -> ColumnElement[bool] | bool:
    """On which rows ``rule`` gives an access of ``wanted``."""
    if rule.access in wanted and rule.otherwise in wanted:
        return True
    if rule.access not in wanted and rule.otherwise not in wanted:
        return False
    condition = and_(*in_scope(entity, row, rule.on_rows, "row"))
    return condition if rule.access in wanted else condition.is_not(True)


def _all(parts: list[ColumnElement[bool] | bool]) -> ColumnElement[bool] | bool:
    if any(part is False for part in parts):
        return False
    conditions = [part for part in parts if not isinstance(part, bool)]
    return and_(*conditions) if conditions else True
