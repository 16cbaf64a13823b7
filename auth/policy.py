"""THE TABLE: which role may do what to which rows and fields. A change of rights is a change of this file.

An entity that a role does not name is closed to it. A field that a grant does not name is READ on its rows. Names are
those of the API. ``MASKED`` shows the shape of a value; ``HIDDEN`` on every row makes asking FORBIDDEN, on some rows it
makes null. The rows of ``OWN``, ``ASSIGNED`` and ``TEAM`` are defined, entity by entity, in ``auth/scopes.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from app.models.enums import FieldAccess, RowScope

HIDDEN, MASKED, READ = FieldAccess.HIDDEN, FieldAccess.MASKED, FieldAccess.READ
NONE, OWN, ASSIGNED, TEAM, ALL = RowScope

ENTITIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(fields.split())
        for name, fields in {
            "Customer": "code name kind email phone tier status source industry city region country tags notes owner "
            "createdAt updatedAt deletedAt version externalRefs contacts opportunities orders tickets orderCount "
            "lastOrderAt",
            "Contact": "customer firstName lastName fullName title email phone isPrimary birthday notes createdAt "
            "updatedAt deletedAt version externalRefs",
            "Stage": "name kind position probability rottingAfterDays deletedAt version",
            "Opportunity": "name customer contact owner product stage amount probability weightedAmount "
            "expectedCloseOn openedAt closedAt lossReason lossNotes isRotting stageChanges createdAt updatedAt "
            "deletedAt version externalRefs",
            "StageChange": "fromStage toStage changedAt changedBy",
            "Product": "sku name category price active createdAt updatedAt deletedAt version externalRefs",
            "Order": "number customer opportunity status channel subtotal discount shippingFee total placedAt paidAt "
            "shippedAt deliveredAt completedAt cancelledAt refundedAt lines statusChanges createdAt updatedAt version "
            "externalRefs",
            "OrderLine": "product sku name quantity unitPrice total",
            "OrderStatusChange": "fromStatus toStatus changedAt changedBy reason",
            "Ticket": "number customer contact order subject description kind category priority status channel "
            "assignee assignedBy firstResponseDueAt resolutionDueAt firstRespondedAt resolvedAt closedAt isOverdue "
            "satisfaction comments createdAt updatedAt deletedAt version externalRefs",
            "TicketComment": "author body internal createdAt",
            "User": "name email active role team lastLoginAt createdAt updatedAt version",
            "Team": "name region members version",
            "Role": "name description builtIn grants userCount version",
        }.items()
    }
)
"""Every entity with its fields, in the order in which they are listed to callers; ``id`` is readable with the row."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """``access`` on the rows of ``on_rows``, ``otherwise`` on the other rows of the grant."""

    access: FieldAccess = READ
    on_rows: RowScope = ALL
    otherwise: FieldAccess = READ


@dataclass(frozen=True, slots=True)
class Rule:
    """An action's rows, and the fields that are not plainly READ."""

    rows: RowScope
    fields: Mapping[str, FieldRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuiltInRole:
    """A role that comes with the program: entity, then action, then rule."""

    description: str
    grants: Mapping[str, Mapping[str, Rule]]


def _hidden(*names: str) -> dict[str, FieldRule]:
    return dict.fromkeys(names, FieldRule(HIDDEN, ALL, HIDDEN))


def _masked(*names: str) -> dict[str, FieldRule]:
    return dict.fromkeys(names, FieldRule(MASKED, ALL, MASKED))


def _read_on(rows: RowScope, otherwise: FieldAccess, *names: str) -> dict[str, FieldRule]:
    return dict.fromkeys(names, FieldRule(READ, rows, otherwise))


def _read(rows: RowScope, fields: Mapping[str, FieldRule] | None = None) -> dict[str, Rule]:
    return {"read": Rule(rows, fields or {})}


def _restore(rows: RowScope) -> dict[str, Rule]:
    return {"read": Rule(rows), "restore": Rule(rows)}


_PEOPLE = {"Team": _read(ALL)}
_CATALOGUE = {"Product": _read(ALL), "Stage": _read(ALL)}


def _orders(rows: RowScope) -> dict[str, dict[str, Rule]]:
    return {entity: _read(rows) for entity in ("Order", "OrderLine", "OrderStatusChange")}


def _users(rows: RowScope, otherwise: FieldAccess = HIDDEN) -> dict[str, dict[str, Rule]]:
    return {"User": _read(ALL, _read_on(rows, otherwise, "email", "role", "lastLoginAt")), "Role": _read(OWN)}


_COMMENTS = {"read": Rule(ALL), "readInternal": Rule(ALL)}

POLICY: Mapping[str, BuiltInRole] = MappingProxyType(
    {
        "ADMIN": BuiltInRole(
            "Keeps everything: all rows, all fields, users, roles and settings.",
            {entity: _read(ALL) for entity in ENTITIES}
            | {entity: _restore(ALL) for entity in ("Customer", "Contact", "Opportunity", "Product", "Stage", "Ticket")}
            | {"TicketComment": _COMMENTS},
        ),
        "AUDITOR": BuiltInRole(
            "Reads everything, and changes nothing.",
            {entity: _read(ALL) for entity in ENTITIES} | {"TicketComment": _COMMENTS},
        ),
        "MANAGER": BuiltInRole(
            "Leads a team: sees and works what anyone of the team owns.",
            {
                "Customer": _restore(TEAM),
                "Contact": _restore(TEAM),
                "Opportunity": _restore(TEAM),
                "StageChange": _read(TEAM),
                **_orders(TEAM),
                "Ticket": _restore(TEAM),
                "TicketComment": {"read": Rule(TEAM), "readInternal": Rule(TEAM)},
                **_users(TEAM),
                **_CATALOGUE,
                **_PEOPLE,
            },
        ),
        "SALES": BuiltInRole(
            "Sells: sees and works its own customers and deals.",
            {
                "Customer": _read(OWN),
                "Contact": _restore(OWN),
                "Opportunity": _read(OWN),
                "StageChange": _read(OWN),
                **_orders(OWN),
                "Ticket": _read(OWN),
                "TicketComment": {"read": Rule(OWN), "readInternal": Rule(OWN)},
                **_users(OWN),
                **_CATALOGUE,
                **_PEOPLE,
            },
        ),
        "SUPPORT": BuiltInRole(
            "Answers tickets: sees a customer's details where somebody else gave it the customer's ticket.",
            {
                "Customer": _read(
                    ALL, _read_on(ASSIGNED, MASKED, "email", "phone") | _read_on(ASSIGNED, HIDDEN, "notes")
                ),
                "Contact": _read(
                    ALL,
                    _read_on(ASSIGNED, MASKED, "email", "phone") | _read_on(ASSIGNED, HIDDEN, "notes", "birthday"),
                ),
                **_orders(ALL),
                "Ticket": _read(ALL),
                "TicketComment": _COMMENTS,
                **_users(OWN),
                **_CATALOGUE,
                **_PEOPLE,
            },
        ),
        "MARKETING": BuiltInRole(
            "Knows customers and what they buy, not how to reach them.",
            {
                "Customer": _read(ALL, _masked("email", "phone") | _hidden("notes")),
                "Contact": _read(ALL, _masked("email", "phone") | _hidden("notes", "birthday")),
                **_orders(ALL),
                **_users(OWN),
                **_CATALOGUE,
                **_PEOPLE,
            },
        ),
        "ANALYST": BuiltInRole(
            "Reads figures over everything, and nobody's name.",
            {
                "Customer": _read(ALL, _masked("name", "email", "phone") | _hidden("notes")),
                "Contact": _read(
                    ALL,
                    _masked("firstName", "lastName", "fullName", "email", "phone") | _hidden("notes", "birthday"),
                ),
                "Opportunity": _read(ALL, _masked("name") | _hidden("lossNotes")),
                "StageChange": _read(ALL),
                **_orders(ALL),
                "Ticket": _read(ALL, _masked("subject") | _hidden("description")),
                **_users(OWN),
                **_CATALOGUE,
                **_PEOPLE,
            },
        ),
        "INTEGRATION": BuiltInRole(
            "For tokens of other systems: all rows of the business, narrowed by the token's scopes.",
            {
                "Customer": _read(ALL),
                "Contact": _restore(ALL),
                "Opportunity": _read(ALL),
                "StageChange": _read(ALL),
                **_orders(ALL),
                "Ticket": _read(ALL),
                "TicketComment": _read(ALL),
                "User": _read(ALL, _hidden("email", "role", "lastLoginAt")),
                "Role": _read(OWN),
                "Product": _restore(ALL),
                "Stage": _read(ALL),
                **_PEOPLE,
            },
        ),
    }
)
"""The built-in roles. ``auth/builtin.py`` writes them into the database at every migration."""
