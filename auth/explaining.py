"""Explaining: whether somebody may do a thing, and by which rules, in words.

It reads the same rights and asks PostgreSQL the same conditions as everything else does. All steps have to hold.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, and_, false, func, inspect, literal_column, select, true

from app.db.lanes import Lanes
from app.models import TicketComment, User
from app.models.base import Row
from app.models.enums import FieldAccess, RowScope
from app.reading.aliases import alias, one_statement
from app.reading.binding import Binder, Statement, compile_statement
from app.reading.correlation import survivor, there
from app.reading.read import Operand
from app.reading.relations import kept_of, relation
from app.reading.sight import Treatment
from auth.access import Access, Rights, field_name, fields_of
from auth.covering import Grants
from auth.loading import compiled_grants
from auth.policy import FieldRule
from auth.principal import Principal
from auth.scopes import in_scope, ways
from auth.token_scopes import narrowed, scope_of

_ATTEMPTS, _KEPT = 5, 1_000
_SUBJECT = """
    SELECT k.name AS token, k.scopes, k.revoked_at IS NOT NULL AS revoked,
           coalesce(k.expires_at <= now(), false) AS over,
           EXISTS (
               SELECT FROM second_factors d WHERE d.user_id = u.id AND d.confirmed_at IS NOT NULL
           ) AS second_factor,
           u.active, u.role_id, u.team_id, t.name AS team_name, r.name AS role_name,
           u.access_version || '.' || r.access_version AS version,
           g.entity, g.action, g.rows, f.field, f.access, f.on_rows, f.otherwise
    FROM users u JOIN roles r ON r.id = u.role_id LEFT JOIN teams t ON t.id = u.team_id
    LEFT JOIN api_tokens k ON k.id = $2 AND k.owner_id = u.id
    LEFT JOIN grants g ON g.role_id = r.id LEFT JOIN field_grants f ON f.grant_id = g.id
    WHERE u.id = $1
"""
_OWNER = "SELECT owner_id FROM api_tokens WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Question:
    """May somebody do ``action`` to ``entity``: to the record ``id``, or to some; to ``field`` of it, or as a whole?"""

    entity: type[Row]
    action: str
    id: UUID | None = None
    field: str | None = None

    @property
    def subject(self) -> str:
        """What is asked about, in a word."""
        return self.entity.__name__ if self.field is None else f"{self.entity.__name__}.{self.field}"


@dataclass(frozen=True, slots=True)
class Step:
    """One rule, whether it holds, and why."""

    rule: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps, which have to hold all."""

    steps: Sequence[Step]

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return all(step.holds for step in self.steps)


@dataclass(frozen=True, slots=True)
class Token:
    """The API token through which somebody calls."""

    name: str
    scopes: tuple[str, ...]
    end: str | None
    """What ended it; None while it is good."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody whose rights are explained: as they would be, were the account active, and the token good."""

    active: bool
    team_name: str | None
    role: Rights
    """The rights of the role, which a token narrows."""
    token: Token | None
    access: Access
    second_factor: bool | None = None
    """Whether the user has the second factor that its role asks for in sessions; None where it asks for none."""


Holds = Mapping[str, bool]
"""What PostgreSQL says of the record, by name: ``alive``, the actions, and each way of being in a scope."""


@dataclass
class _Evidence:
    """Conditions on the record, by name."""

    row: Any
    conditions: dict[str, ColumnElement[bool]] = field(default_factory=dict)

    def ask(self, name: str, conditions: Sequence[ColumnElement[bool] | bool]) -> None:
        """Ask whether all conditions hold."""
        if any(condition is False for condition in conditions):
            self.conditions[name] = false()
            return
        found = [condition for condition in conditions if not isinstance(condition, bool)]
        self.conditions[name] = and_(*found).is_(true()) if found else literal_column("true")


class Explainer:
    """Explains rights on the database of ``lanes``."""

    def __init__(self, lanes: Lanes, second_factor_roles: Collection[str] = ()) -> None:
        self._lanes = lanes
        self._second_factor_roles = frozenset(second_factor_roles)
        self._kept: OrderedDict[Any, tuple[Statement, tuple[str, ...]]] = OrderedDict()

    async def subject(self, principal: Principal) -> Subject | None:
        """Somebody with the present rights, active or not."""
        rows = await self._lanes.fetch(_SUBJECT, principal.user_id, principal.token_id)
        if not rows or (principal.token_id is not None and rows[0]["token"] is None):
            return None
        first = rows[0]
        granted: Grants = compiled_grants(
            [row for row in rows if row["entity"] is not None], in_team=first["team_id"] is not None
        )
        role, token, scopes = Rights(granted), None, None
        if first["token"] is not None:
            scopes = tuple(sorted(first["scopes"]))
            end = "was revoked" if first["revoked"] else "has expired" if first["over"] else None
            token = Token(first["token"], scopes, end)
        rights = role if scopes is None else Rights(narrowed(granted, scopes))
        version, name = first["version"], first["role_name"]
        access = Access(principal, first["role_id"], name, first["team_id"], version, rights, scopes)
        asked = token is None and name in self._second_factor_roles
        factor = first["second_factor"] if asked else None
        return Subject(first["active"], first["team_name"], role, token, access, factor)

    async def owner(self, token_id: UUID) -> UUID | None:
        """Whose token that is; None where there is none."""
        found = await self._lanes.fetch(_OWNER, token_id)
        return UUID(bytes=found[0]["owner_id"].bytes) if found else None

    async def sees(self, access: Access, entity: type[Row], id: UUID) -> bool:
        """Whether the caller sees the record, where deleted ones are asked for."""

        def gather() -> _Evidence:
            evidence = _Evidence(alias(entity, "#r"))
            evidence.ask("seen", access.rows(entity, evidence.row, "row", include_deleted=True))
            return evidence

        _, found = await self._look(access, entity, id, "sees", gather)
        return found.get("seen", False)

    async def reached(self, access: Access, action: str, user_id: UUID) -> bool | None:
        """Whether the caller's right to ``action`` covers that user; None where the caller does not see it."""

        def gather() -> _Evidence:
            evidence = _Evidence(alias(User, "#r"))
            evidence.ask("seen", access.rows(User, evidence.row, "row"))
            evidence.ask("covered", in_scope(User, evidence.row, access.rights.rows(User, action), "row"))
            return evidence

        _, found = await self._look(access, User, user_id, ("reached", action), gather)
        return found["covered"] if found.get("seen") else None

    async def explain(self, principal: Principal, question: Question) -> Explanation:
        """Why that user may do it, or may not. What the user does not see is told as if there were no such record."""
        for _ in range(_ATTEMPTS):
            subject = await self.subject(principal)
            assert subject is not None
            access, holds = subject.access, None
            if question.id is not None:
                what = (question.action, question.field)
                gather = partial(_gathered, access, question)
                version, holds = await self._look(access, question.entity, question.id, what, gather)
                if subject.active and version != access.loaded_version:
                    continue
            return Explanation(tuple(_steps(subject, question, holds)))
        raise OverflowError("rights changed again and again")

    async def _look(
        self, access: Access, entity: type[Row], id: UUID, what: Any, gather: Callable[[], _Evidence]
    ) -> tuple[str | None, dict[str, bool]]:
        """The present access version, and what holds for the record, by name; nothing where there is none."""
        key = (entity, what, access.fingerprint)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _made(access, entity, gather)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        statement, names = found
        row = await self._lanes.fetchrow(statement.sql, *statement.arguments({"id": id}, access.arguments))
        version, exists, *values = tuple(row)
        return version, dict(zip(names, map(bool, values), strict=True)) if exists else {}


@one_statement
def _made(access: Access, entity: type[Row], gather: Callable[[], _Evidence]) -> tuple[Statement, tuple[str, ...]]:
    evidence = gather()
    return _statement(access, entity, evidence), tuple(evidence.conditions)


def _statement(access: Access, entity: type[Row], evidence: _Evidence) -> Statement:
    binder = Binder()
    at = binder.bind(Operand(_itself, ("id",)), Uuid())
    shown = [each.label(f"#c{place}") for place, each in enumerate(evidence.conditions.values())]
    query: Any = select(literal_column("true").label("#there"), *shown).select_from(evidence.row)
    found = query.where(evidence.row.id == survivor(entity, at)).lateral("#found")
    version = select(access.version.label("#version")).subquery("#v")
    source = version.outerjoin(found, true())
    return compile_statement(select(version.c["#version"], *found.c).select_from(source), binder)


def _gathered(access: Access, question: Question) -> _Evidence:
    """Everything that the steps need to know of the record."""
    entity, rights = question.entity, access.rights
    evidence = _Evidence(alias(entity, "#r"))
    row = evidence.row
    deleted = hasattr(entity, "deleted_at")
    evidence.ask("alive", [row.deleted_at.is_(None)] if deleted else [])
    evidence.ask("seen", access.rows(entity, row, "row", include_deleted=True))
    for action in dict.fromkeys(("read", question.action)):
        scope = rights.rows(entity, action)
        evidence.ask(action, in_scope(entity, row, scope, "row"))
        _ask_ways(evidence, entity, scope)
    if entity.parent is not None:
        way = relation(entity, entity.parent)
        parent: Any = alias(way.target, "#parent")
        evidence.ask("parent", [there(parent, *way.link(row, parent), *access.rows(way.target, parent, "row"))])
    if entity is TicketComment:
        evidence.ask("open", [row.internal.is_(False)])
        evidence.ask("internal", in_scope(entity, row, rights.rows(entity, "readInternal"), "row"))
    if question.field is not None:
        treatment = _treatment(access, question, row)
        evidence.ask("field", [treatment.readable])
        evidence.ask("masked", [treatment.masked])
        for rule in _rules(rights, question):
            _ask_ways(evidence, entity, rule.on_rows)
    return evidence


def _ask_ways(evidence: _Evidence, entity: type[Row], scope: RowScope) -> None:
    for said, condition in ways(entity, evidence.row, scope):
        evidence.ask(f"{scope} {said}", [condition])


def _treatment(access: Access, question: Question, row: Any) -> Treatment:
    assert question.field is not None
    if question.action == "read":
        return access.treatment(question.entity, fields_of(question.entity)[question.field], row)
    rule = access.rights.writing(question.entity, question.action, question.field)
    opened = [access_ is FieldAccess.READ for access_ in (rule.access, rule.otherwise)]
    if opened[0] == opened[1]:
        return Treatment(opened[0])
    condition = func.coalesce(and_(*in_scope(question.entity, row, rule.on_rows, "row")), false())
    return Treatment(condition if opened[0] else condition.is_not(true()))


def _rules(rights: Rights, question: Question) -> Sequence[FieldRule]:
    assert question.field is not None
    if question.action == "read":
        return rights.rules(question.entity, fields_of(question.entity)[question.field])
    return (rights.writing(question.entity, question.action, question.field),)


def _steps(subject: Subject, question: Question, holds: Holds | None) -> Iterator[Step]:
    access, entity = subject.access, question.entity
    role, name = access.role_name, entity.__name__
    yield Step("account", subject.active, f"The account is {'active' if subject.active else 'not active'}.")
    team = f"in the team {subject.team_name}" if subject.team_name is not None else "in no team, so that team means own"
    yield Step("role", True, f"The role is {role}; the user is {team}.")
    if subject.second_factor is not None:
        has = "has" if subject.second_factor else "does not have"
        yield Step("secondFactor", subject.second_factor, f"{role} needs a second factor, which the user {has}.")
    if subject.token is not None:
        state = subject.token.end or "is good"
        yield Step("token", subject.token.end is None, f"The token {subject.token.name} {state}.")
    wanted = ("read", question.action) if question.action != "read" else ("read",)
    for action in wanted:
        scope = access.rights.rows(entity, action)
        if scope is RowScope.NONE and subject.role.rows(entity, action) is not RowScope.NONE:
            assert subject.token is not None
            said = (
                f"{role} has the grant to {action} {name}, but none of the token's scopes is {scope_of(name, action)}"
            )
            yield Step("scopes", False, f"{said}: {', '.join(subject.token.scopes)}.")
            return
        if scope is RowScope.NONE:
            yield Step("grant", False, f"{role} has no grant to {action} {name}{_why_read(action, question)}.")
            return
        yield Step("grant", True, f"{role} has the grant to {action} {name} on {scope.lower()} rows.")
    if entity.parent is not None:
        parent = relation(entity, entity.parent).target
        if not access.may_see(parent):
            yield Step("parent", False, f"{role} has no grant to read {parent.__name__}, which a {name} needs.")
            return
    if holds is not None:
        if not holds.get("seen"):
            yield Step("record", False, f"There is no {name} with this id that the user may see.")
            return
        yield from _of_record(subject, question, holds)
    if question.field is not None:
        yield from _of_field(subject, question, holds)


def _why_read(action: str, question: Question) -> str:
    return "" if action == question.action else f", and what is not seen is not there to {question.action}"


def _of_record(subject: Subject, question: Question, holds: Holds) -> Iterator[Step]:
    """Steps about a record that is seen."""
    access, entity = subject.access, question.entity
    name = entity.__name__
    yield Step("record", True, _covered("read", access.rights.rows(entity), holds))
    if not holds["alive"]:
        may = question.action in ("read", "restore")
        said = "it is there for those who may restore it" if may else "it has to be restored first"
        yield Step("deleted", may, f"This {name} is deleted: {said}.")
    if entity.parent is not None:
        yield Step("parent", holds["parent"], f"The user sees its {entity.parent}.")
    if entity is TicketComment and not holds["open"]:
        inside = access.rights.rows(entity, "readInternal").lower()
        yield Step("internal", holds["internal"], f"It is internal: readInternal covers {inside} rows.")
    if question.action != "read":
        scope = access.rights.rows(entity, question.action)
        said = _covered(question.action, scope, holds)
        yield Step("rows", holds[question.action], said)


def _covered(action: str, scope: RowScope, holds: Holds) -> str:
    """How it stands with the rows of a grant: which way holds for the record, or which ways there would be."""
    if scope is RowScope.ALL:
        return f"{action} covers all rows."
    return f"{action} covers {scope.lower()} rows: {_way(scope, holds)}."


def _way(scope: RowScope, holds: Holds) -> str:
    known = [name.removeprefix(f"{scope} ") for name in holds if name.startswith(f"{scope} ")]
    holding = [said for said in known if holds[f"{scope} {said}"]]
    if scope is RowScope.TEAM:
        return f"somebody of the team {holding[0]}" if holding else f"nobody of the team {' or '.join(known)}"
    return f"the user {holding[0]}" if holding else f"it is not so that the user {' or '.join(known)}"


def _of_field(subject: Subject, question: Question, holds: Holds | None) -> Iterator[Step]:
    access, entity = subject.access, question.entity
    assert question.field is not None
    rules = _rules(access.rights, question)
    writes = question.action != "read"
    told = "; ".join(dict.fromkeys(_told(rule, writes) for rule in rules)) or "read"
    said = f"{question.subject} is {told}"
    if holds is None:
        opened = all(FieldAccess.READ in (rule.access, rule.otherwise) for rule in rules)
        yield Step("field", opened, f"{said}.")
    else:
        on = [rule.on_rows for rule in rules if rule.access is not rule.otherwise]
        here = [f"here {_way(scope, holds)}" for scope in dict.fromkeys(on) if scope is not RowScope.ALL]
        shown = "" if holds["field"] or writes else _instead(holds)
        yield Step("field", holds["field"], "; ".join([said, *here]) + shown + ".")
    if not writes:
        yield from _of_target(access, entity, fields_of(entity)[question.field])


def _of_target(access: Access, entity: type[Row], attribute: str) -> Iterator[Step]:
    """What the field leads to, or is counted from, has to be readable as well."""
    found = entity.summaries.get(attribute) or kept_of(entity, attribute)
    if found is None and attribute not in inspect(entity).relationships:
        return
    target = relation(entity, found.relation if found else attribute).target
    if not access.may_see(target):
        yield Step("target", False, f"{access.role_name} has no grant to read {target.__name__}.")
        return
    for source in getattr(found, "sources", ()):
        if not access.rights.readable_somewhere(target, source):
            yield Step("target", False, f"{target.__name__}.{field_name(source)} is never read.")


def _instead(holds: Holds) -> str:
    return ": it is shown masked" if holds["masked"] else ": nothing of it is shown"


def _told(rule: FieldRule, writes: bool) -> str:
    """A rule in words: ``read on own rows, else masked``."""
    words = {access: access.lower() for access in FieldAccess}
    if writes:
        words = {access: "written" if access is FieldAccess.READ else "not written" for access in FieldAccess}
    if rule.access is rule.otherwise or rule.on_rows is RowScope.ALL:
        return words[rule.access]
    return f"{words[rule.access]} on {rule.on_rows.lower()} rows, else {words[rule.otherwise]}"


def _itself(value: Any) -> Any:
    return value
