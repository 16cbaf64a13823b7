"""Scopes of API tokens: ``customer:read``, ``order:*``. They narrow the rights of the owner's role, and add none."""

from collections.abc import Collection, Mapping

from auth.covering import Granted, Grants
from auth.policy import ENTITIES, POLICY

ANY = "*"
_NEVER = frozenset({("User", "impersonate")})
"""What no token can do, whatever its scopes say: it would leave them."""


def actions() -> Mapping[str, Collection[str]]:
    """The actions that there are on each entity: those that some built-in role is granted."""
    found: dict[str, set[str]] = {name: set() for name in ENTITIES}
    for role in POLICY.values():
        for entity, granted in role.grants.items():
            found[entity] |= granted.keys()
    return {name: {action for action in known if (name, action) not in _NEVER} for name, known in found.items()}


def entity_of(scope: str) -> str:
    """The entity that a scope names: ``OrderLine`` of ``orderLine:read``."""
    name = scope.partition(":")[0]
    return name[:1].upper() + name[1:]


def scope_of(entity: str, action: str) -> str:
    """The scope of one action."""
    return f"{entity[:1].lower()}{entity[1:]}:{action}"


def problem_of(scope: str) -> str | None:
    """What is wrong with a scope; None where it names an entity and an action that there are."""
    shown = scope if len(scope) <= 60 else f"{scope[:57]}…"
    entity, action = entity_of(scope), scope.partition(":")[2]
    known = _ACTIONS.get(entity)
    if known is None or not scope[:1].islower() or ":" not in scope:
        form = "a scope is an entity and an action, such as customer:read or order:*"
        return f"{shown!r} is no scope: {form}. Entities are {', '.join(scope_of(name, '')[:-1] for name in _ACTIONS)}."
    if action != ANY and action not in known:
        return f"{shown!r} is no scope: the actions of {entity} are {', '.join(sorted(known))}, and * for all."
    return None


def covers(scopes: Collection[str], scope: str) -> bool:
    """Whether ``scopes`` open all that ``scope`` does."""
    return scope in scopes or scope_of(entity_of(scope), ANY) in scopes


def narrowed(grants: Grants, scopes: Collection[str]) -> Grants:
    """The part of ``grants`` that ``scopes`` name."""
    found: dict[str, dict[str, Granted]] = {}
    for entity, granted in grants.items():
        kept = {
            action: each
            for action, each in granted.items()
            if covers(scopes, scope_of(entity, action)) and (entity, action) not in _NEVER
        }
        if kept:
            found[entity] = kept
    return found


_ACTIONS = actions()
