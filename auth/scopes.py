"""The rows of OWN, ASSIGNED and TEAM, entity by entity, as conditions.

Each scope of an entity is a list of ways in which a row belongs to somebody. A way is written twice: as the set of ids
that it leads to, for lists (the statement then starts from what the caller owns, not from the whole table), and as a
test of one row at hand. The bind parameters ``caller`` and ``team`` stand for the caller; statements never hold ids.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Uuid,
    any_,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from app.models import ApiToken, AuditEvent, Contact, Customer, Opportunity, Role, Ticket, User
from app.models.base import Row
from app.models.enums import RowScope, TicketStatus
from app.reading.aliases import alias
from app.reading.binding import CALLER, TEAM
from app.reading.correlation import there
from app.reading.relations import relation
from app.reading.sight import How

WIDTH = {RowScope.NONE: 0, RowScope.OWN: 1, RowScope.ASSIGNED: 1, RowScope.TEAM: 2, RowScope.ALL: 3}
"""Which scopes cover which: a wider one covers all rows of a narrower one."""

Belongs = Callable[[ColumnElement[Any]], ColumnElement[bool]]
"""Whether a column with a user's id names the caller, or one of the caller's team."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which rows belong to somebody: the select of their ids, the test of one row, the condition by which
    they are gathered, and what it is in words, with {} for what is owned or assigned: the row, or what ``path`` leads
    to from it."""

    ids: Callable[[Belongs], Select[Any]]
    holds: Callable[[Any, Belongs], ColumnElement[bool]]
    gathers: Callable[[Any, Belongs], ColumnElement[bool]]
    said: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``owns an opportunity of its customer``"""
        if not self.path:
            return self.said.format("it")
        first, *rest = self.path
        return self.said.format("".join(f"the {name} of " for name in reversed(rest)) + f"its {first}")


def caller() -> ColumnElement[Any]:
    """The caller's id."""
    return bindparam(CALLER, type_=Uuid())


def team() -> ColumnElement[Any]:
    """The id of the caller's team."""
    return bindparam(TEAM, type_=Uuid())


def _mine(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column == caller()


def _ours(column: ColumnElement[Any]) -> ColumnElement[bool]:
    member: Any = alias(User)
    return column.in_(select(member.id).where(member.team_id == team()))


def _among_ours(column: ColumnElement[Any]) -> ColumnElement[bool]:
    member: Any = alias(User)
    return among(column, select(member.id).where(member.team_id == team()))


_BELONGS: dict[RowScope, Belongs] = {RowScope.OWN: _mine, RowScope.TEAM: _ours}
_GATHERED: dict[RowScope, Belongs] = {RowScope.OWN: _mine, RowScope.TEAM: _among_ours}


def among(column: ColumnElement[Any], found: Select[Any]) -> ColumnElement[bool]:
    """Whether ``column`` holds a value that ``found`` finds, which it does beforehand: PostgreSQL then seeks the values
    in an index, also where this is one of several conditions of which one has to hold."""
    return column == any_(func.array(found.scalar_subquery(), type_=ARRAY(Uuid())))


def _owned(model: Any) -> Way:
    """Rows that somebody owns."""

    def ids(belongs: Belongs) -> Select[Any]:
        row = alias(model)
        return select(row.id).where(belongs(row.owner_id))

    def holds(row: Any, belongs: Belongs) -> ColumnElement[bool]:
        return belongs(row.owner_id)

    return Way(ids, holds, holds, "owns {}")


def _customers_of(model: Any, user: str, said: str) -> Way:
    """Customers of the live rows of ``model`` that name somebody in the column ``user``."""

    def ids(belongs: Belongs) -> Select[Any]:
        row = alias(model)
        return select(row.customer_id).where(belongs(getattr(row, user)), row.deleted_at.is_(None))

    def holds(customer: Any, belongs: Belongs) -> ColumnElement[bool]:
        row = alias(model)
        return there(row, row.customer_id == customer.id, belongs(getattr(row, user)), row.deleted_at.is_(None))

    return Way(ids, holds, lambda customer, belongs: among(customer.id, ids(belongs)), said)


def _opportunities_of_owned_customers() -> Way:
    def ids(belongs: Belongs) -> Select[Any]:
        row: Any = alias(Opportunity)
        customer: Any = alias(Customer)
        return select(row.id).join(customer, row.customer_id == customer.id).where(belongs(customer.owner_id))

    def holds(row: Any, belongs: Belongs) -> ColumnElement[bool]:
        customer: Any = alias(Customer)
        return there(customer, customer.id == row.customer_id, belongs(customer.owner_id))

    def gathers(row: Any, belongs: Belongs) -> ColumnElement[bool]:
        customer: Any = alias(Customer)
        return among(row.customer_id, select(customer.id).where(belongs(customer.owner_id)))

    return Way(ids, holds, gathers, "owns {}", ("customer",))


def _children(model: Any, ways: Sequence[Way]) -> tuple[Way, ...]:
    """Rows of ``model`` whose customer belongs to somebody in one of ``ways``."""

    def child(way: Way) -> Way:
        def ids(belongs: Belongs) -> Select[Any]:
            row = alias(model)
            return select(row.id).where(row.customer_id.in_(way.ids(belongs)))

        def holds(row: Any, belongs: Belongs) -> ColumnElement[bool]:
            customer: Any = alias(Customer)
            return there(customer, customer.id == row.customer_id, way.holds(customer, belongs))

        def gathers(row: Any, belongs: Belongs) -> ColumnElement[bool]:
            return among(row.customer_id, way.ids(belongs))

        return Way(ids, holds, gathers, way.said, ("customer", *way.path))

    return tuple(child(way) for way in ways)


def _assigned_tickets() -> Way:
    def ids(belongs: Belongs) -> Select[Any]:
        row: Any = alias(Ticket)
        return select(row.id).where(belongs(row.assignee_id))

    def holds(row: Any, belongs: Belongs) -> ColumnElement[bool]:
        return belongs(row.assignee_id)

    return Way(ids, holds, holds, "is assigned {}")


_CUSTOMER = (
    _owned(Customer),
    _customers_of(Opportunity, "owner_id", "owns an opportunity of {}"),
    _customers_of(Ticket, "assignee_id", "is assigned a ticket of {}"),
)

WAYS: dict[type[Row], tuple[Way, ...]] = {
    Customer: _CUSTOMER,
    Contact: _children(Contact, _CUSTOMER),
    Ticket: (_assigned_tickets(), *_children(Ticket, _CUSTOMER)),
    Opportunity: (_owned(Opportunity), _opportunities_of_owned_customers()),
}
"""How rows belong to somebody. Entities that are not here follow their parent, or are in the two functions below;
acts belong to whoever acted."""

FOLLOWERS = {"Contact", "Order", "Ticket", "StageChange", "OrderLine", "OrderStatusChange", "TicketComment"}
"""Entities of which every row belongs to whomever its parent belongs to (a ticket to its assignee besides)."""


ONLY_ALL = ("Stage", "Product", "Team", "SlaPolicy", "ExchangeRate")
"""Entities whose rows belong to nobody."""


def scopes_of(entity: type[Row]) -> tuple[RowScope, ...]:
    """The rows that a grant on ``entity`` can be for; nobody's team has a role."""
    if entity.__name__ in ONLY_ALL:
        return (RowScope.ALL,)
    return (RowScope.OWN, RowScope.ALL) if entity is Role else (RowScope.OWN, RowScope.TEAM, RowScope.ALL)


def field_scopes_of(entity: type[Row]) -> tuple[RowScope, ...]:
    """The rows on which a field of ``entity`` can be another than elsewhere."""
    assigned = (RowScope.ASSIGNED,) if entity in (Customer, Contact) else ()
    return (*assigned, *scopes_of(entity))


def in_scope(entity: type[Row], row: Any, scope: RowScope, how: How) -> list[ColumnElement[bool]]:
    """The conditions under which ``row`` is in ``scope``: none for ALL."""
    if scope is RowScope.ALL:
        return []
    if scope is RowScope.NONE:
        return [false()]
    if scope is RowScope.ASSIGNED:
        return [_assigned(entity, row)]
    belongs = _BELONGS[scope]
    if entity is User:
        return [row.id == caller() if scope is RowScope.OWN else row.team_id == team()]
    if entity is AuditEvent:
        # A plain condition on its column, so that the list is sought in the index of the actor's events.
        return [belongs(row.actor_id)]
    if entity is ApiToken:
        return [belongs(row.owner_id)]
    if entity is Role:
        me: Any = alias(User)
        return [row.id == select(me.role_id).where(me.id == caller()).scalar_subquery()]
    ways = WAYS.get(entity)
    if ways is None:
        assert entity.parent is not None, f"auth/scopes.py does not say which rows of {entity.__name__} are {scope}"
        return _through_parent(entity, row, scope, how)
    if how == "row":
        return [or_(*(way.holds(row, belongs) for way in ways))]
    if how in ("among", "owned", "others"):
        gathered = [way.gathers(row, _GATHERED[scope]) for way in ways]
        if how == "others":
            return [or_(*gathered[1:]), gathered[0].is_not(True)]
        return gathered[:1] if how == "owned" else [or_(*gathered)]
    return [row.id.in_(union_all(*(way.ids(belongs) for way in ways)))]


def _through_parent(entity: type[Row], row: Any, scope: RowScope, how: How) -> list[ColumnElement[bool]]:
    way = relation(entity, entity.parent or "")
    parent = alias(way.target)
    if how == "among":
        ((near, far),) = way.pairs
        found = select(getattr(parent, far)).where(*in_scope(way.target, parent, scope, how))
        return [among(getattr(row, near), found)]
    return [there(parent, *way.link(row, parent), *in_scope(way.target, parent, scope, how))]


def _assigned(entity: type[Row], row: Any) -> ColumnElement[bool]:
    """Whether somebody else gave the caller an unclosed ticket of the customer."""
    customer_id = row.id if entity is Customer else row.customer_id
    ticket: Any = alias(Ticket)
    return there(
        ticket,
        ticket.customer_id == customer_id,
        ticket.assignee_id == caller(),
        ticket.assigned_by_id != caller(),
        ticket.status != literal_column(f"'{TicketStatus.CLOSED}'"),
        ticket.deleted_at.is_(None),
    )


def ways(entity: type[Row], row: Any, scope: RowScope) -> list[tuple[str, ColumnElement[bool]]]:
    """In which ways ``row`` can be in ``scope``, each in words: together they are ``in_scope``. None for ALL."""
    if scope in (RowScope.ALL, RowScope.NONE):
        return []
    if scope is RowScope.ASSIGNED:
        what = "was given an unclosed ticket of {} by somebody else"
        return [(what.format("it" if entity is Customer else "its customer"), _assigned(entity, row))]
    if entity in _PLAIN:
        (condition,) = in_scope(entity, row, scope, "row")
        return [(_PLAIN[entity], condition)]
    return [(str(way), way.holds(row, _BELONGS[scope])) for way in _all_ways(entity)]


_PLAIN: dict[type[Row], str] = {
    User: "is this user",
    Role: "has this role",
    AuditEvent: "did this",
    ApiToken: "owns it",
}


def _all_ways(entity: type[Row]) -> Sequence[Way]:
    """The ways of an entity that has some, or follows one that has."""
    known = WAYS.get(entity)
    if known is not None:
        return known
    step = relation(entity, entity.parent or "")

    def through(inner: Way) -> Way:
        def holds(row: Any, belongs: Belongs) -> ColumnElement[bool]:
            parent: Any = alias(step.target)
            return there(parent, *step.link(row, parent), inner.holds(parent, belongs))

        return replace(inner, holds=holds, path=(step.name, *inner.path))

    return [through(inner) for inner in _all_ways(step.target)]
