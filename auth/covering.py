"""Covering: what some rights lack of others. Nobody can give what they do not have.

Scopes are compared by their width, for one and the same person: every row that is ASSIGNED to somebody is OWN, every
row that is OWN is of the TEAM. Whose rows they are then is another matter: whoever may see the rows of a team may let
somebody see its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.models.enums import FieldAccess, RowScope
from auth.policy import FieldRule

NESTED = (RowScope.NONE, RowScope.ASSIGNED, RowScope.OWN, RowScope.TEAM, RowScope.ALL)
"""The scopes, each of which holds all rows of those before it."""

_AMOUNT = {access: amount for amount, access in enumerate(FieldAccess)}
_NOTHING = FieldRule(FieldAccess.HIDDEN, RowScope.ALL, FieldAccess.HIDDEN)


@dataclass(frozen=True)
class Granted:
    """One action on one entity: its rows and, by field of the API, how much of each field."""

    rows: RowScope
    fields: Mapping[str, FieldRule]


Grants = Mapping[str, Mapping[str, Granted]]
"""Entity, then action."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """A right that is not had: the action, perhaps just on a field, and the rows for which it was to be given."""

    entity: str
    action: str
    field: str | None
    rows: RowScope

    def __str__(self) -> str:
        subject = self.entity if self.field is None else f"{self.entity}.{self.field}"
        return f"{self.action} {subject} on {self.rows.lower()} rows"


def beyond(given: Grants, own: Grants) -> list[Beyond]:
    """What ``given`` has and ``own`` has not, in the order of ``given``; nothing where ``own`` covers it."""
    return [
        each
        for entity, actions in given.items()
        for action, granted in actions.items()
        for each in _of_action(entity, action, granted, own.get(entity, {}).get(action))
    ]


def of_another(grants: Grants) -> Grants:
    """The same rights as another person has them: what rows are its own, or its team's, might be any, and as much of a
    field as is shown on some of them is shown on all. API tokens are kept by nobody who acts as somebody else."""
    return {
        entity: {
            action: Granted(RowScope.ALL, {name: _most(rule, granted.rows) for name, rule in granted.fields.items()})
            for action, granted in actions.items()
            if entity != "ApiToken" or action == "read"
        }
        for entity, actions in grants.items()
    }


def _most(rule: FieldRule, rows: RowScope) -> FieldRule:
    access = list(FieldAccess)[max(_amount(rule, here) for here in _kinds_of_rows(rows))]
    return FieldRule(access, RowScope.ALL, access)


def wider(one: RowScope, other: RowScope) -> bool:
    """Whether ``one`` has rows that ``other`` has not."""
    return NESTED.index(one) > NESTED.index(other)


def _of_action(entity: str, action: str, given: Granted, own: Granted | None) -> Iterator[Beyond]:
    if wider(given.rows, own.rows if own else RowScope.NONE):
        yield Beyond(entity, action, None, given.rows)
        return
    for field, rule in given.fields.items():
        mine = own.fields.get(field, _NOTHING) if own else _NOTHING
        if any(_amount(rule, here) > _amount(mine, here) for here in _kinds_of_rows(given.rows)):
            yield Beyond(entity, action, field, given.rows)


def _kinds_of_rows(rows: RowScope) -> tuple[RowScope, ...]:
    """The rows of a scope by the narrowest scope that each of them is in."""
    return NESTED[1 : NESTED.index(rows) + 1]


def _amount(rule: FieldRule, here: RowScope) -> int:
    """How much of a field is shown on a row of which ``here`` is the narrowest scope."""
    return _AMOUNT[rule.otherwise if wider(here, rule.on_rows) else rule.access]
