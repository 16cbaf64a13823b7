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
            "lastOrderAt revenue averageOrderValue rfmSegment rfmScores churnState daysBetweenOrders "
            "expectedNextOrderAt",
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
            "SlaPolicy": "timeZone hours holidays lowFirstResponseMinutes lowResolutionMinutes "
            "normalFirstResponseMinutes normalResolutionMinutes highFirstResponseMinutes highResolutionMinutes "
            "urgentFirstResponseMinutes urgentResolutionMinutes version",
            "ExchangeRate": "currency day rate",
            "User": "name email active role team lastLoginAt createdAt updatedAt version",
            "Team": "name region members version",
            "Role": "name description builtIn grants userCount version",
            "ApiToken": "name prefix owner scopes allowedIps expiresAt lastUsedAt requestsToday requestsTotal "
            "revokedAt createdAt",
            "AuditEvent": "at actor token impersonator action entity entityId outcome changes ip userAgent requestId",
        }.items()
    }
)
"""Every entity with its fields, in the order in which they are listed to callers; ``id`` is readable with the row."""

WRITABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(fields.split())
        for name, fields in {
            "Customer": "code name kind email phone tier status source industry city region country tags notes owner "
            "externalRefs",
            "Contact": "customer firstName lastName title email phone isPrimary birthday notes externalRefs",
            "Stage": "name kind position probability rottingAfterDays",
            "Product": "sku name category price active externalRefs",
            "Opportunity": "name customer contact owner product stage amount probability expectedCloseOn externalRefs",
            "Order": "customer opportunity channel discount shippingFee placedAt lines externalRefs",
            "Ticket": "customer contact order subject description kind category priority channel assignee externalRefs",
            "SlaPolicy": "timeZone hours holidays lowFirstResponseMinutes lowResolutionMinutes "
            "normalFirstResponseMinutes normalResolutionMinutes highFirstResponseMinutes highResolutionMinutes "
            "urgentFirstResponseMinutes urgentResolutionMinutes",
            "User": "name email role team",
            "Team": "name region",
            "Role": "name description grants",
            "ApiToken": "name scopes expiresAt allowedIps",
        }.items()
    }
)
"""The fields that ``create`` and ``update`` may write, in the same order; such a grant says READ where it may."""

TOLD = ("reason", "field", "file", "read", "inserted", "updated", "unchanged", "repeated", "rejected")
"""What audit events tell that is no field of their record and that whoever sees the event may know: reasons, the field
that was refused, the counts of an import. Anything else they tell is for those who see the whole log."""


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


def _may(rows: RowScope, actions: str) -> dict[str, Rule]:
    """Plain grants of several actions on the same rows."""
    return {action: Rule(rows) for action in actions.split()}


def _writes_only(entity: str, rows: RowScope, **fields: FieldRule) -> dict[str, Rule]:
    """The grant to update just these fields."""
    return {"update": Rule(rows, {name: fields.get(name, _CLOSED) for name in WRITABLE[entity]})}


_OPEN, _CLOSED = FieldRule(), FieldRule(HIDDEN, ALL, HIDDEN)
_KEEP = "create update delete restore"
_DEAL = "create update move win lose reopen"
_SELL = "create update pay ship deliver complete cancel"
_SERVE = "create update comment pending resolve close reopen rate"

# Whoever gets a token's new secret can act as its owner: nobody but the owner does.
_OWN_TOKENS = _may(OWN, "create rotate")
_SHOP = {
    "Team": _read(ALL),
    "SlaPolicy": _read(ALL),
    "ExchangeRate": _read(ALL),
    "AuditEvent": _read(OWN),
    "ApiToken": _read(OWN) | _OWN_TOKENS | _may(OWN, "revoke"),
}


def _catalogue(actions: str) -> dict[str, dict[str, Rule]]:
    return {"Product": _read(ALL) | _may(ALL, actions), "Stage": _read(ALL)}


def _orders(rows: RowScope, actions: str = "") -> dict[str, dict[str, Rule]]:
    parts = {entity: _read(rows) for entity in ("OrderLine", "OrderStatusChange")}
    return {"Order": _read(rows) | _may(rows, actions), **parts}


def _users(rows: RowScope, otherwise: FieldAccess = HIDDEN) -> dict[str, dict[str, Rule]]:
    return {"User": _read(ALL, _read_on(rows, otherwise, "email", "role", "lastLoginAt")), "Role": _read(OWN)}


_COMMENTS = {"read": Rule(ALL), "readInternal": Rule(ALL), "writeInternal": Rule(ALL)}

POLICY: Mapping[str, BuiltInRole] = MappingProxyType(
    {
        "ADMIN": BuiltInRole(
            "Keeps everything: all rows, all fields, users, roles and settings.",
            {entity: _read(ALL) for entity in ENTITIES}
            | {
                "Customer": _read(ALL)
                | _may(ALL, f"{_KEEP} merge assign erase import reveal lookup bulk export history analyse"),
                "Contact": _read(ALL) | _may(ALL, f"{_KEEP} import export history"),
                "Stage": _read(ALL) | _may(ALL, f"{_KEEP} import"),
                "Product": _read(ALL) | _may(ALL, f"{_KEEP} import export history"),
                "Opportunity": _read(ALL) | _may(ALL, f"{_DEAL} delete restore import bulk export history analyse"),
                **_orders(ALL, f"{_SELL} refund import export history analyse"),
                "Ticket": _read(ALL) | _may(ALL, f"{_SERVE} assign delete restore import bulk export history analyse"),
                "TicketComment": _COMMENTS,
                "SlaPolicy": _read(ALL) | _may(ALL, "update"),
                "ExchangeRate": _read(ALL) | _may(ALL, "update import"),
                "User": _read(ALL)
                | _may(ALL, "create update deactivate activate explain impersonate signOut resetSecondFactor"),
                "Team": _read(ALL) | _may(ALL, "create update delete"),
                "Role": _read(ALL) | _may(ALL, "create update delete"),
                "ApiToken": _read(ALL) | _OWN_TOKENS | _may(ALL, "revoke"),
            },
        ),
        "AUDITOR": BuiltInRole(
            "Reads everything, and changes nothing.",
            {entity: _read(ALL) for entity in ENTITIES}
            | {entity: _read(ALL) | _may(ALL, "export history") for entity in ("Contact", "Product")}
            | {
                entity: _read(ALL) | _may(ALL, "export history analyse")
                for entity in ("Customer", "Opportunity", "Order", "Ticket")
            }
            | {
                "TicketComment": {"read": Rule(ALL), "readInternal": Rule(ALL)},
                "User": _read(ALL) | _may(ALL, "explain"),
                "ApiToken": _read(ALL) | _OWN_TOKENS | _may(OWN, "revoke"),
            },
        ),
        "MANAGER": BuiltInRole(
            "Leads a team: sees and works what anyone of the team owns.",
            {
                "Customer": _read(TEAM) | _may(TEAM, f"{_KEEP} merge assign reveal lookup bulk export history analyse"),
                "Contact": _read(TEAM) | _may(TEAM, f"{_KEEP} export history"),
                "Opportunity": _read(TEAM) | _may(TEAM, f"{_DEAL} delete restore bulk export history analyse"),
                "StageChange": _read(TEAM),
                **_orders(TEAM, f"{_SELL} refund export history analyse"),
                "Ticket": _read(TEAM) | _may(TEAM, f"{_SERVE} assign delete restore bulk export history analyse"),
                "TicketComment": _may(TEAM, "read readInternal writeInternal"),
                "User": _users(TEAM)["User"] | _may(TEAM, "create deactivate activate"),
                "Role": _read(ALL),
                **_catalogue("export history"),
                **_SHOP,
            },
        ),
        "SALES": BuiltInRole(
            "Sells: sees and works its own customers and deals.",
            {
                "Customer": _read(OWN) | _may(OWN, "create update history analyse"),
                "Contact": _read(OWN) | _may(OWN, f"{_KEEP} history"),
                "Opportunity": _read(OWN) | _may(OWN, f"{_DEAL} history analyse"),
                "StageChange": _read(OWN),
                **_orders(OWN, "create update cancel history analyse"),
                "Ticket": _read(OWN) | _may(OWN, f"{_SERVE} history analyse"),
                "TicketComment": _may(OWN, "read readInternal writeInternal"),
                **_users(OWN),
                **_catalogue("history"),
                **_SHOP,
            },
        ),
        # SUPPORT writes every field of a contact, also those that it reads masked: whoever has a caller on the line
        # puts down a new address without being shown the old one. Writing shows nothing of what was there, and is on
        # record.
        "SUPPORT": BuiltInRole(
            "Answers tickets: sees a customer's details where somebody else gave it the customer's ticket.",
            {
                "Customer": _read(
                    ALL, _read_on(ASSIGNED, MASKED, "email", "phone") | _read_on(ASSIGNED, HIDDEN, "notes")
                )
                | _may(ALL, "create reveal lookup history")
                | _writes_only("Customer", ALL, tags=_OPEN, notes=FieldRule(READ, ASSIGNED, HIDDEN)),
                "Contact": _read(
                    ALL,
                    _read_on(ASSIGNED, MASKED, "email", "phone") | _read_on(ASSIGNED, HIDDEN, "notes", "birthday"),
                )
                | _may(ALL, "create update history"),
                **_orders(ALL, "cancel history"),
                "Ticket": _read(ALL) | _may(ALL, f"{_SERVE} assign history analyse"),
                "TicketComment": _COMMENTS,
                **_users(OWN),
                **_catalogue("history"),
                **_SHOP,
            },
        ),
        "MARKETING": BuiltInRole(
            "Knows customers and what they buy, not how to reach them.",
            {
                "Customer": _read(ALL, _masked("email", "phone") | _hidden("notes"))
                | _may(ALL, "history analyse")
                | _writes_only("Customer", ALL, tags=_OPEN),
                "Contact": _read(ALL, _masked("email", "phone") | _hidden("notes", "birthday")) | _may(ALL, "history"),
                **_orders(ALL, "history analyse"),
                **_users(OWN),
                **_catalogue("history"),
                **_SHOP,
            },
        ),
        "ANALYST": BuiltInRole(
            "Reads figures over everything, and nobody's name.",
            {
                "Customer": _read(ALL, _masked("name", "email", "phone") | _hidden("notes"))
                | _may(ALL, "export analyse"),
                "Contact": _read(
                    ALL,
                    _masked("firstName", "lastName", "fullName", "email", "phone") | _hidden("notes", "birthday"),
                )
                | _may(ALL, "export"),
                "Opportunity": _read(ALL, _masked("name") | _hidden("lossNotes")) | _may(ALL, "export analyse"),
                "StageChange": _read(ALL),
                **_orders(ALL, "export analyse"),
                "Ticket": _read(ALL, _masked("subject") | _hidden("description")) | _may(ALL, "export analyse"),
                **_users(OWN),
                **_catalogue("export"),
                **_SHOP,
            },
        ),
        "INTEGRATION": BuiltInRole(
            "For tokens of other systems: all rows of the business, narrowed by the token's scopes.",
            {
                "Customer": _read(ALL) | _may(ALL, "create update bulk export history analyse"),
                "Contact": _read(ALL) | _may(ALL, f"{_KEEP} export history"),
                "Opportunity": _read(ALL) | _may(ALL, f"{_DEAL} bulk export history analyse"),
                "StageChange": _read(ALL),
                **_orders(ALL, f"{_SELL} refund export history analyse"),
                "Ticket": _read(ALL) | _may(ALL, f"{_SERVE} bulk export history analyse"),
                "TicketComment": _read(ALL),
                "User": _read(ALL, _hidden("email", "role", "lastLoginAt")),
                "Role": _read(OWN),
                **_catalogue(f"{_KEEP} export history"),
                **_SHOP,
            },
        ),
    }
)
"""The built-in roles. ``auth/builtin.py`` writes them into the database at every migration."""


ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        entity: tuple(dict.fromkeys(action for role in POLICY.values() for action in role.grants.get(entity, {})))
        for entity in ENTITIES
    }
)
"""Every action that there is on an entity: those of the built-in roles, ``read`` first."""

STAFF = ("SALES", "SUPPORT")
"""The built-in roles that whoever may create users of a team only may give to them, whatever else it has itself."""
