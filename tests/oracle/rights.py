"""What one caller may see, in plain Python, from the grants as they stand in the database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from math import floor
from typing import Any
from uuid import UUID

from tests.oracle.rows import PARENTS, Row, Rows, snake

RANK = {"HIDDEN": 0, "MASKED": 1, "READ": 2}

WHOLE = {
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
}
THOUSANDTHS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}

SOURCES = {
    ("Contact", "fullName"): ("firstName", "lastName"),
    ("Opportunity", "weightedAmount"): ("amount", "probability"),
    ("Opportunity", "isRotting"): ("stage",),
    ("ApiToken", "requestsToday"): ("requestsTotal",),
    ("Ticket", "isOverdue"): ("status", "resolutionDueAt", "firstRespondedAt", "firstResponseDueAt"),
}
"""The fields that a derived one is worked out from: it is never more readable than the least readable of them."""

_DAYS = ("status", "placedAt")
_VALUE = ("total", *_DAYS)
FROM_ORDERS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "orderCount": (0, ()),
    "lastOrderAt": (None, ("placedAt",)),
    "revenue": (Decimal("0.00"), _VALUE),
    "averageOrderValue": (None, _VALUE),
    "rfmSegment": ("PROSPECTS", _VALUE),
    "rfmScores": (None, _VALUE),
    "churnState": ("NEVER_BOUGHT", _DAYS),
    "daysBetweenOrders": (None, _DAYS),
    "expectedNextOrderAt": (None, _DAYS),
}
"""What a customer has of its orders: what stands there without any, and the fields of orders it is worked out from."""

NEEDS = {
    ("Opportunity", "isRotting"): "Stage",
    **{("Customer", field): "Order" for field in FROM_ORDERS},
}
"""Derived fields that cannot be asked for without a grant on another entity."""


class Rights:
    """The rows and fields that the user ``caller`` may see at the moment ``now``."""

    def __init__(self, rows: Rows, caller: UUID, now: datetime) -> None:
        user = rows.find("User", caller)
        assert user is not None
        assert user.active
        self.rows, self.user, self.now = rows, user, now
        self.role = rows.one(user, "role")
        assert self.role is not None
        self._grants = {(grant.entity, grant.action): grant for grant in rows.many(self.role, "grants")}
        self._fields = {
            (entity, rule.field): rule
            for (entity, action), grant in self._grants.items()
            if action == "read"
            for rule in rows.many(grant, "fields")
        }
        self.visible: Callable[[Row], bool] = cache(self._visible)
        self.access: Callable[[Row, str], str] = cache(self._access)
        self._in_scope: Callable[[Row, str], bool] = cache(self._scope)

    def has(self, entity: str, action: str = "read") -> bool:
        """Whether the role has the grant at all."""
        return (entity, action) in self._grants

    def scope_of(self, entity: str, action: str = "read") -> str:
        """The rows that the role's grant covers for the caller."""
        grant = self._grants.get((entity, action))
        return "NONE" if grant is None else self.meant(grant.rows)

    def lists(self, entity: str, field: str) -> bool:
        """Whether the entity has the field, for those who see any of it."""
        return (entity, field) in self._fields

    def fields(self, entity: str) -> list[str]:
        """The fields of an entity that the caller sees anything of."""
        return [field for of, field in self._fields if of == entity]

    # Rows

    def _visible(self, row: Row) -> bool:
        return getattr(row, "deleted_at", None) is None and self._granted(row, "read") and self._parent_visible(row)

    def restorable(self, row: Row) -> bool:
        """Whether this row is deleted and may be seen where deleted ones are asked for."""
        return (
            getattr(row, "deleted_at", None) is not None and self._granted(row, "restore") and self._parent_visible(row)
        )

    def _parent_visible(self, row: Row) -> bool:
        if row.type not in PARENTS:
            return True
        parent = self.rows.one(row, PARENTS[row.type])
        return parent is not None and self.visible(parent)

    def _granted(self, row: Row, action: str) -> bool:
        grant = self._grants.get((row.type, action))
        if grant is None or not self._in_scope(row, grant.rows):
            return False
        if row.type == "TicketComment" and row.internal:
            internal = self._grants.get(("TicketComment", "readInternal"))
            return internal is not None and self._in_scope(row, internal.rows)
        return True

    def _scope(self, row: Row, scope: str) -> bool:
        """Whether the row is among those that ``scope`` names, deleted or not."""
        if scope in ("ALL", "NONE"):
            return scope == "ALL"
        if scope == "ASSIGNED":
            return self._assigned(row)
        team = self.user.team_id if scope == "TEAM" else None
        people = {u.id for u in self.rows.all("User") if u.team_id == team} if team is not None else {self.user.id}
        return self._belongs(row, people)

    def _belongs(self, row: Row, people: set[UUID]) -> bool:
        one, many = self.rows.one, self.rows.many
        match row.type:
            case "Customer":
                return (
                    row.owner_id in people
                    or any(o.owner_id in people and o.deleted_at is None for o in many(row, "opportunities"))
                    or any(t.assignee_id in people and t.deleted_at is None for t in many(row, "tickets"))
                )
            case "Contact" | "Order":
                return self._belongs(one(row, "customer"), people)
            case "Ticket":
                return row.assignee_id in people or self._belongs(one(row, "customer"), people)
            case "Opportunity":
                return row.owner_id in people or one(row, "customer").owner_id in people
            case "StageChange" | "OrderLine" | "OrderStatusChange" | "TicketComment":
                return self._belongs(one(row, PARENTS[row.type]), people)
            case "AuditEvent":
                return row.actor_id in people
            case "ApiToken":
                return row.owner_id in people
            case "User":
                return row.id in people
            case "Role":
                return row.id == self.user.role_id
        return False

    def _assigned(self, row: Row) -> bool:
        if row.type == "Contact":
            row = self.rows.one(row, "customer")
        if row.type != "Customer":
            return False
        return any(
            ticket.deleted_at is None
            and ticket.status != "CLOSED"
            and ticket.assignee_id == self.user.id
            and ticket.assigned_by_id not in (None, self.user.id)
            for ticket in self.rows.many(row, "tickets")
        )

    # Fields

    def _possible(self, entity: str, field: str) -> set[str]:
        """The accesses that the field has on one row or another."""
        if field == "id" or (entity == "AuditEvent" and not self.has(entity)):
            return {"READ"}
        if (entity, field) in NEEDS and not self.has(NEEDS[entity, field]):
            return {"HIDDEN"}
        rule = self._fields.get((entity, field))
        if rule is None:
            return {"HIDDEN"}
        rows, on_rows = self.meant(self._grants[entity, "read"].rows), self.meant(rule.on_rows)
        if on_rows == "ALL" or (on_rows == rows and on_rows != "ASSIGNED") or (rows, on_rows) == ("OWN", "TEAM"):
            return {rule.access}
        return {rule.otherwise} if on_rows == "NONE" else {rule.access, rule.otherwise}

    def meant(self, scope: str) -> str:
        """What a scope means for the caller: without a team, TEAM is OWN."""
        return "OWN" if scope == "TEAM" and self.user.team_id is None else scope

    def hidden(self, entity: str, field: str) -> bool:
        """Whether the field is HIDDEN on every row, so that asking for it is FORBIDDEN."""
        names = (field, *SOURCES.get((entity, field), ()))
        return self._unknown(entity, field) or any(self._possible(entity, name) == {"HIDDEN"} for name in names)

    def _unknown(self, entity: str, field: str) -> bool:
        """Whether a field of customers is worked out from fields of orders that are never READ."""
        _, sources = FROM_ORDERS.get(field, (None, ())) if entity == "Customer" else (None, ())
        return any(self.never_read("Order", source) for source in sources)

    def never_read(self, entity: str, field: str) -> bool:
        """Whether the field is READ on no row, so that filter and order by it are FORBIDDEN."""
        names = (field, *SOURCES.get((entity, field), ()))
        return self._unknown(entity, field) or any("READ" not in self._possible(entity, name) for name in names)

    def _access(self, row: Row, field: str) -> str:
        if field == "id":
            return "READ"
        if row.type == "AuditEvent":
            # In the history of a record, whoever sees that sees the events of others too, but not from where they came.
            if field in ("ip", "userAgent", "requestId"):
                return "READ" if self._granted(row, "read") else "HIDDEN"
            if not self.has(row.type):
                return "READ"
        rule = self._fields.get((row.type, field))
        if rule is None:
            return "HIDDEN"
        own = rule.access if self._in_scope(row, rule.on_rows) else rule.otherwise
        sources = (self.access(row, source) for source in SOURCES.get((row.type, field), ()))
        return min((own, *sources), key=RANK.__getitem__)

    def can(self, row: Row, action: str) -> bool:
        """Whether the grant of ``action`` covers the row. A deleted one can be brought back, and that is all."""
        grant = self._grants.get((row.type, action))
        if grant is None or not self._in_scope(row, grant.rows):
            return False
        return getattr(row, "deleted_at", None) is None or action in ("read", "restore")

    # Values

    def value(self, row: Row | None, field: str) -> Any:
        """What filter, order and search see: the value where it is READ, else None."""
        if row is None or self.access(row, field) != "READ":
            return None
        return self.computed(row, field)

    def printed(self, row: Row, field: str) -> Any:
        """What an answer shows: the value, its mask, or None."""
        access = self.access(row, field)
        if access == "HIDDEN":
            return None
        raw = self.computed(row, field)
        return mask(field, raw) if access == "MASKED" else raw

    def history(self, row: Row) -> list[Row]:
        """The events of a record that the caller sees."""
        grant = self._grants.get((row.type, "history"))
        if grant is None or not self._in_scope(row, grant.rows):
            return []
        ids = {row.id}
        if row.type == "Customer":
            ids |= {other.id for other in self.rows.all("Customer") if other.merged_into_id == row.id}
        return [event for event in self.rows.all("AuditEvent") if event.record_id in ids]

    def one(self, row: Row | None, relation: str) -> Row | None:
        """The related row as the caller sees it, or None."""
        if row is None or self.access(row, relation) != "READ":
            return None
        found = self.rows.one(row, relation)
        if found is not None and found.type == "Stage":
            # A stage is told by those that refer to it, deleted or not.
            return found if self._granted(found, "read") else None
        return found if found is not None and self.visible(found) else None

    def many(self, row: Row | None, relation: str) -> list[Row]:
        """The related rows that the caller sees."""
        if row is None or self.access(row, relation) != "READ":
            return []
        return [found for found in self.rows.many(row, relation) if self.visible(found)]

    def computed(self, row: Row, field: str) -> Any:
        """The value itself, whoever may see it; what a customer has of its orders, as far as these are seen."""
        match row.type, field:
            case "Contact", "fullName":
                return f"{row.first_name} {row.last_name}"
            case "Opportunity", "weightedAmount":
                weighted: Decimal = row.amount * row.probability / 100
                places = {"JPY": 0, "KWD": 3}.get(row.currency, 2)
                return weighted.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
            case "Opportunity", "isRotting":
                return self._rotting(row)
            case "Ticket", "isOverdue":
                return self._overdue(row)
            case "Customer", of if of in FROM_ORDERS:
                return self._of_orders(row, of)
            case "ApiToken", "prefix":
                return row.beginning
            case "ApiToken", "requestsToday":
                return row.requests_counted if row.counted_on == self.now.date() else 0
            case "Role", "userCount":
                return sum(user.role_id == row.id and self.visible(user) for user in self.rows.all("User"))
        return getattr(row, snake(field))

    def _of_orders(self, customer: Row, field: str) -> Any:
        usual, _ = FROM_ORDERS[field]
        if customer.deleted_at is not None or not self.knows_orders(customer, field):
            return usual
        orders = self.rows.many(customer, "orders")
        match field:
            case "orderCount":
                return len(orders)
            case "lastOrderAt":
                return max((order.placed_at for order in orders), default=None)
            case "revenue":
                return customer.revenue.quantize(Decimal("0.01"))
            case "averageOrderValue" if customer.average_order_value is not None:
                cents = floor(abs(customer.average_order_value) * 100 + Fraction(1, 2))
                return Decimal(cents if customer.average_order_value >= 0 else -cents).scaleb(-2)
        return getattr(customer, snake(field))

    def knows_orders(self, customer: Row, field: str) -> bool:
        """Whether the caller may read the orders of the customer, and what of them the field is worked out from."""
        grant = self._grants.get(("Order", "read"))
        if grant is None or not self._in_scope(customer, grant.rows):
            return False
        for source in FROM_ORDERS[field][1]:
            rule = self._fields.get(("Order", source))
            if rule is None:
                return False
            if (rule.access if self._in_scope(customer, rule.on_rows) else rule.otherwise) != "READ":
                return False
        return True

    def _rotting(self, row: Row) -> bool:
        stage = self.rows.one(row, "stage")
        if stage.kind != "OPEN" or stage.rotting_after_days is None:
            return False
        return bool(row.stage_entered_at < self.now - timedelta(days=stage.rotting_after_days))

    def _overdue(self, row: Row) -> bool:
        if row.status not in ("OPEN", "PENDING"):
            return False
        now = (row.pending_since if row.status == "PENDING" else None) or self.now
        if row.resolution_due_at is not None and row.resolution_due_at < now:
            return True
        due = row.first_response_due_at
        return row.first_responded_at is None and due is not None and bool(due < now)


def minor_units(currency: str) -> int:
    """The digits after the point that ISO 4217 gives the currency."""
    return 0 if currency in WHOLE else 3 if currency in THOUSANDTHS else 2


def mask(field: str, text: str | None) -> str | None:
    """The shape of a value without the value."""
    if not text:
        return text
    if field == "phone":
        return f"{text[:3]}****{text[-4:]}" if len(text) >= 9 else "****"
    if field == "email" and "@" in text:
        return f"{text[0]}***@{text.rpartition('@')[2]}"
    return f"{text[0]}***"
