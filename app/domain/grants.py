"""Grants as somebody writes them: checked against what there is, and told in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from app.domain.work import Work
from app.models.enums import FieldAccess, RowScope

MOST = 500
_BY_FIELD = ("read", "create", "update")
_NESTED = (RowScope.NONE, RowScope.ASSIGNED, RowScope.OWN, RowScope.TEAM, RowScope.ALL)
_SHOWN = 60

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WantedField:
    """How much of a field: ``access`` on the rows of ``on_rows``, ``otherwise`` elsewhere."""

    access: FieldAccess
    on_rows: RowScope
    otherwise: FieldAccess


CLOSED = WantedField(FieldAccess.HIDDEN, RowScope.ALL, FieldAccess.HIDDEN)
OPEN = WantedField(FieldAccess.READ, RowScope.ALL, FieldAccess.READ)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One grant, with every field that its action goes by."""

    entity: str
    action: str
    rows: RowScope
    fields: Mapping[str, WantedField]

    def __str__(self) -> str:
        """The grant as the audit log tells it: ``read Customer on all rows; email masked; notes hidden``."""
        alike: dict[str, list[str]] = {}
        for name, each in self.fields.items():
            if each != OPEN:
                alike.setdefault(_said(each), []).append(name)
        parts = [f"{', '.join(names)} {said}" for said, names in alike.items()]
        return "; ".join([f"{self.action} {self.entity} on {self.rows.lower()} rows", *parts])


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What grants are made of, entity by entity: the actions, the fields that are read and those that are written, the
    scopes of rows and of fields, the entity that each follows, the fields that are text, and those that are never
    null."""

    actions: Mapping[str, Sequence[str]]
    fields: Mapping[str, Sequence[str]]
    writable: Mapping[str, Sequence[str]]
    rows: Mapping[str, Sequence[RowScope]]
    on_rows: Mapping[str, Sequence[RowScope]]
    parents: Mapping[str, str]
    texts: frozenset[tuple[str, str]]
    required: frozenset[tuple[str, str]]

    def by_field(self, entity: str, action: str) -> Sequence[str]:
        """The fields that an action goes by."""
        if action == "read":
            return self.fields[entity]
        return self.writable.get(entity, ()) if action in _BY_FIELD else ()


class Checking:
    """The check of one list of grants. It notes every problem, and gives the grants that have none."""

    def __init__(self, work: Work, known: Vocabulary) -> None:
        self._work = work
        self._known = known

    def grants(self, path: Path, given: Sequence[Mapping[str, Any]]) -> list[Wanted]:
        """The grants given at ``path``."""
        if len(given) > MOST:
            said = f"{path[-1]} has {len(given)} members; {MOST} are allowed."
            self._work.problems.add(path, "TOO_LONG", said, params={"max": MOST, "actual": len(given)})
            return []
        found: dict[tuple[str, str], Wanted] = {}
        places: dict[tuple[str, str], Path] = {}
        for number, each in enumerate(given):
            at = (*path, str(number))
            wanted = self._grant(at, each)
            if wanted is None:
                continue
            key = (wanted.entity, wanted.action)
            if key in found:
                self._invalid((*at, "action"), f"{wanted.action} {wanted.entity} is granted twice: say it once.")
            found[key], places[key] = wanted, at
        for key, wanted in found.items():
            self._within(places[key], wanted, found)
        return list(found.values())

    def _grant(self, at: Path, given: Mapping[str, Any]) -> Wanted | None:
        known, entity, action, rows = self._known, given["entity"], given["action"], given["rows"]
        if entity not in known.actions:
            self._unknown((*at, "entity"), "entity", entity, list(known.actions))
            return None
        if action not in known.actions[entity]:
            self._unknown((*at, "action"), f"action on {entity}", action, known.actions[entity])
            return None
        if rows not in known.rows[entity]:
            self._scope((*at, "rows"), f"{action} {entity}", rows, known.rows[entity])
            return None
        names = known.by_field(entity, action)
        said = given.get("fields")
        if said is None:
            return Wanted(entity, action, rows, dict.fromkeys(names, OPEN))
        if not names:
            if said:
                problem = f"{action} {entity} does not go by fields: leave fields out."
                self._invalid((*at, "fields"), problem)
            return Wanted(entity, action, rows, {})
        fields = dict.fromkeys(names, CLOSED)
        seen: set[str] = set()
        for number, each in enumerate(said):
            place = (*at, "fields", str(number))
            name = each["field"]
            if name not in fields:
                what = f"field of {entity}" if action == "read" else f"field of {entity} that {action} writes"
                self._unknown((*place, "field"), what, name, names)
            elif name in seen:
                self._invalid((*place, "field"), f"{name} is named twice: say it once.")
            else:
                seen.add(name)
                fields[name] = self._field(place, entity, action, name, each)
        return Wanted(entity, action, rows, fields)

    def _field(self, at: Path, entity: str, action: str, name: str, given: Mapping[str, Any]) -> WantedField:
        access, on_rows = given["access"], given.get("on_rows")
        if on_rows is None or on_rows is RowScope.ALL:
            found = WantedField(access, RowScope.ALL, access)
        else:
            found = WantedField(access, on_rows, given.get("otherwise") or FieldAccess.HIDDEN)
        accesses, subject = {found.access, found.otherwise}, f"{entity}.{name}"
        if found.on_rows not in self._known.on_rows[entity]:
            self._scope((*at, "onRows"), subject, found.on_rows, self._known.on_rows[entity])
        elif action == "create" and len(accesses) > 1:
            self._invalid((*at, "onRows"), f"{subject} is not there before create: leave onRows out.")
        elif action != "read" and FieldAccess.MASKED in accesses:
            self._invalid((*at, "access"), f"{subject} is written or not: {action} takes READ or HIDDEN.")
        elif FieldAccess.MASKED in accesses and (entity, name) not in self._known.texts:
            self._invalid((*at, "access"), f"{subject} is no text: it is READ or HIDDEN, it has no mask.")
        elif action == "read" and self._partly_hidden(entity, name, accesses):
            said = f"{subject} is never null, so it cannot be HIDDEN on some rows: choose MASKED, or HIDDEN on all."
            self._invalid((*at, "otherwise"), said)
        return found

    def _partly_hidden(self, entity: str, name: str, accesses: set[FieldAccess]) -> bool:
        return len(accesses) > 1 and FieldAccess.HIDDEN in accesses and (entity, name) in self._known.required

    def _within(self, at: Path, wanted: Wanted, all_wanted: Mapping[tuple[str, str], Wanted]) -> None:
        """Note where a grant has rows that the one which shows them has not: an action those of ``read``, a child
        those of its parent."""
        entity, action = wanted.entity, wanted.action
        shows = entity if action != "read" else self._known.parents.get(entity)
        if shows is None:
            return
        seen = all_wanted.get((shows, "read"))
        if seen is None:
            said = f"{action} {entity} needs the grant to read {shows}: add it, or leave this out."
            self._invalid((*at, "entity" if action == "read" else "action"), said)
        elif _NESTED.index(wanted.rows) > _NESTED.index(seen.rows):
            said = f"{action} {entity} cannot be wider than read {shows}, which covers {seen.rows.lower()} rows."
            self._invalid((*at, "rows"), said)

    def _scope(self, at: Path, subject: str, said: RowScope, right: Sequence[RowScope]) -> None:
        self._invalid(at, f"{subject} cannot be for {said} rows: choose {_either(right)}.")

    def _unknown(self, at: Path, what: str, said: str, right: Sequence[str]) -> None:
        shown = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
        near = nearest(said, right)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(right)}."
        more: dict[str, Any] = {"nearest": near} if near else {"known": list(right)}
        self._work.problems.add(at, "INVALID", f"There is no {what} {shown!r}: {hint}", params=more)

    def _invalid(self, at: Path, said: str) -> None:
        self._work.problems.add(at, "INVALID", said)


def nearest(said: str, right: Sequence[str]) -> str | None:
    """The right name that was probably meant."""
    plain = {name.lower(): name for name in right}
    found = get_close_matches(said[:_SHOWN].lower(), plain, n=1)
    return plain[found[0]] if found else None


def _said(each: WantedField) -> str:
    if each.access is each.otherwise or each.on_rows is RowScope.ALL:
        return each.access.lower()
    return f"{each.access.lower()} on {each.on_rows.lower()} rows, else {each.otherwise.lower()}"


def _either(right: Sequence[RowScope]) -> str:
    return " or ".join(right)
