"""The rows of a database as plain Python objects that hang together by dictionaries."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from tests.connecting import Where, connected

TABLES = {
    "Customer": "customers",
    "Contact": "contacts",
    "Stage": "stages",
    "Opportunity": "opportunities",
    "StageChange": "stage_changes",
    "Product": "products",
    "Order": "orders",
    "OrderLine": "order_lines",
    "OrderStatusChange": "order_status_changes",
    "Ticket": "tickets",
    "TicketComment": "ticket_comments",
    "SlaPolicy": "sla_policies",
    "ExchangeRate": "exchange_rates",
    "User": "users",
    "Team": "teams",
    "Role": "roles",
    "Grant": "grants",
    "FieldGrant": "field_grants",
    "AuditEvent": "audit_events",
    "ApiToken": "api_tokens",
}

PREFIXES = {
    "Customer": "cus",
    "Contact": "con",
    "Opportunity": "opp",
    "StageChange": "chg",
    "Product": "prd",
    "Stage": "stg",
    "Order": "ord",
    "OrderLine": "lin",
    "OrderStatusChange": "chg",
    "Ticket": "tkt",
    "TicketComment": "cmt",
    "SlaPolicy": "sla",
    "ExchangeRate": "",
    "User": "usr",
    "Team": "tm",
    "Role": "rol",
    "AuditEvent": "aud",
    "ApiToken": "tok",
}

NODES = (
    "Customer",
    "Contact",
    "Stage",
    "Opportunity",
    "Product",
    "Order",
    "Ticket",
    "TicketComment",
    "User",
    "Team",
    "Role",
    "AuditEvent",
    "ApiToken",
)
"""The entities that ``node`` answers, in the order of the contract."""

PARENTS = {
    "Contact": "customer",
    "Opportunity": "customer",
    "Order": "customer",
    "Ticket": "customer",
    "StageChange": "opportunity",
    "OrderLine": "order",
    "OrderStatusChange": "order",
    "TicketComment": "ticket",
}
"""The relation that a row follows: without its parent it is not there."""

TO_ONE = {
    "Customer": {"owner": "User"},
    "Contact": {"customer": "Customer"},
    "Opportunity": {
        "customer": "Customer",
        "contact": "Contact",
        "owner": "User",
        "product": "Product",
        "stage": "Stage",
    },
    "StageChange": {
        "opportunity": "Opportunity",
        "fromStage": "Stage",
        "toStage": "Stage",
        "changedBy": "User",
    },
    "Order": {"customer": "Customer", "opportunity": "Opportunity"},
    "OrderLine": {"order": "Order", "product": "Product"},
    "OrderStatusChange": {"order": "Order", "changedBy": "User"},
    "Ticket": {
        "customer": "Customer",
        "contact": "Contact",
        "order": "Order",
        "assignee": "User",
        "assignedBy": "User",
    },
    "TicketComment": {"ticket": "Ticket", "author": "User"},
    "User": {"role": "Role", "team": "Team"},
    "Grant": {"role": "Role"},
    "FieldGrant": {"grant": "Grant"},
    "AuditEvent": {"actor": "User", "token": "ApiToken", "impersonator": "User"},
    "ApiToken": {"owner": "User"},
}
"""Entity → relation → entity it leads to. The column is the relation's name in snake case with ``_id``."""

TO_MANY = {
    "Customer": {
        "contacts": ("Contact", "customer"),
        "opportunities": ("Opportunity", "customer"),
        "orders": ("Order", "customer"),
        "tickets": ("Ticket", "customer"),
    },
    "Opportunity": {"stageChanges": ("StageChange", "opportunity")},
    "Order": {"lines": ("OrderLine", "order"), "statusChanges": ("OrderStatusChange", "order")},
    "Ticket": {"comments": ("TicketComment", "ticket")},
    "Team": {"members": ("User", "team")},
    "Role": {"grants": ("Grant", "role")},
    "Grant": {"fields": ("FieldGrant", "grant")},
}
"""Entity → relation → entity it leads to, and the relation that leads back."""


@cache
def snake(name: str) -> str:
    """``stageEnteredAt`` → ``stage_entered_at``."""
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


class Row:
    """One row: its columns as attributes, its entity as ``type``, its (system, id) pairs elsewhere as ``refs``."""

    def __init__(self, entity: str, columns: dict[str, Any]) -> None:
        self.type = entity
        self.refs: list[tuple[str, str]] = []
        self.__dict__.update(columns)

    def __repr__(self) -> str:
        return f"<{typed_id(self)}>"


def typed_id(row: Row) -> str:
    """The id that the API prints."""
    return f"{PREFIXES.get(row.type, row.type)}_{row.id.hex}"


class Rows:
    """All rows, by entity and id."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        for rate in tables.get("ExchangeRate", ()):
            rate.id = uuid5(UUID(int=0), f"{rate.currency} {rate.day}")  # It has none in the database.
        self.by_id = {entity: {row.id: row for row in rows} for entity, rows in tables.items()}
        self._children: dict[tuple[str, str], dict[UUID, list[Row]]] = {}
        self.rights = ""
        """Changes with every change of the tables of ``RIGHTS``."""

    def keep_rights(self, known: "Rows") -> None:
        """Take the rows of the tables of ``RIGHTS`` from what was read before."""
        for entity in RIGHTS:
            self.by_id[entity] = known.by_id[entity]
        self._children = {way: rows for way, rows in known._children.items() if way[0] in RIGHTS}

    def all(self, entity: str) -> list[Row]:
        """Every row of ``entity``, deleted ones too."""
        return list(self.by_id[entity].values())

    def find(self, entity: str, id: UUID | None) -> Row | None:
        """The row of that id, deleted or not."""
        return None if id is None else self.by_id[entity].get(id)

    def one(self, row: Row, relation: str) -> Row | None:
        """The row at the other end of a to-one relation, whoever may see it."""
        return self.find(TO_ONE[row.type][relation], getattr(row, snake(relation) + "_id"))

    def many(self, row: Row, relation: str) -> list[Row]:
        """The rows at the other end of a to-many relation, whoever may see them, in no order."""
        entity, back = TO_MANY[row.type][relation]
        if (entity, back) not in self._children:
            found: dict[UUID, list[Row]] = {}
            for child in self.all(entity):
                found.setdefault(getattr(child, snake(back) + "_id"), []).append(child)
            self._children[entity, back] = found
        return self._children[entity, back].get(row.id, [])


def _keep(customer: Row, kept: Any, shops_rhythm: Decimal | None) -> None:
    """Give a customer what is kept of its orders, as if these were columns of its own."""
    valued = kept["sold_orders"] - kept["unvalued_orders"]
    rhythm = kept["rhythm"] if kept["order_days"] >= 3 else shops_rhythm
    last, recency = kept["last_sold_at"], kept["recency_score"]
    customer.order_count, customer.last_order_at = kept["order_count"], kept["last_order_at"]
    customer.revenue = kept["revenue"]
    customer.average_order_value = Fraction(kept["exact_revenue"]) / valued if valued else None
    customer.rfm_segment, customer.churn_state = kept["segment"], kept["churn_state"]
    scores = {name: kept[f"{name}_score"] for name in ("recency", "frequency", "monetary")}
    customer.rfm_scores = None if recency is None else scores
    customer.days_between_orders = None if kept["rhythm"] is None else float(kept["rhythm"])
    known = last is not None and rhythm is not None
    customer.expected_next_order_at = last + timedelta(days=float(rhythm)) if known else None


RIGHTS = ("Grant", "FieldGrant")
"""Tables that hold most of all rows, and seldom change."""

_RIGHTS = "SELECT " + " || ' ' || ".join(
    f"(SELECT count(*) || '/' || coalesce(sum(xmin::text::bigint), 0) FROM {TABLES[entity]})" for entity in RIGHTS
)


async def load(where: Where, known: Rows | None = None) -> Rows:
    """Read every table of a database, in one snapshot; but not again what is as in ``known``, which was read before of
    this database, or of the one that it is a copy of."""
    async with connected(where) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        rights = await connection.fetchval(_RIGHTS)
        same = known is not None and known.rights == rights
        tables = {
            entity: [Row(entity, dict(record)) for record in await connection.fetch(f"SELECT * FROM {table}")]
            for entity, table in TABLES.items()
            if not (same and entity in RIGHTS)
        }
        refs = await connection.fetch("SELECT entity, system, external_id, record_id FROM external_refs")
        kept = await connection.fetch("SELECT * FROM customer_metrics")
        rhythm = await connection.fetchval("SELECT rhythm FROM analytics_state")
    for event in tables["AuditEvent"]:
        event.changes = json.loads(event.changes) if event.changes else None
        prefix = PREFIXES.get(event.entity or "")
        event.entity_id = f"{prefix}_{event.record_id.hex}" if event.record_id and prefix else None
    rows = Rows(tables)
    rows.rights = rights
    if known is not None and same:
        rows.keep_rights(known)
    for record in kept:
        _keep(rows.by_id["Customer"][record["customer_id"]], record, rhythm)
    for ref in refs:
        record = rows.find(ref["entity"], ref["record_id"])
        if record is not None:
            record.refs.append((ref["system"], ref["external_id"]))
    for entity in tables:
        for row in rows.all(entity):
            row.refs.sort()
    return rows
