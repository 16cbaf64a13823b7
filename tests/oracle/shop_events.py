"""The shop's audit log: events of every kind, about records that are there, deleted or gone, by all sorts of people."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from auth.audit import value_hash

PREFIXES = {
    "users": ("User", "usr"),
    "teams": ("Team", "tm"),
    "stages": ("Stage", "stg"),
    "products": ("Product", "prd"),
    "customers": ("Customer", "cus"),
    "contacts": ("Contact", "con"),
    "opportunities": ("Opportunity", "opp"),
    "orders": ("Order", "ord"),
    "tickets": ("Ticket", "tkt"),
    "ticket_comments": ("TicketComment", "cmt"),
}
REFERRED = {
    "owner_id": "usr",
    "role_id": "rol",
    "team_id": "tm",
    "customer_id": "cus",
    "contact_id": "con",
    "product_id": "prd",
    "stage_id": "stg",
    "opportunity_id": "opp",
    "order_id": "ord",
    "assignee_id": "usr",
    "assigned_by_id": "usr",
    "author_id": "usr",
}
AMOUNTS = {"amount", "price", "subtotal", "discount", "shipping_fee"}
SILENT = {"id", "version", "created_at", "updated_at", "merged_into_id", "stage_entered_at", "ticket_id", "currency"}
TOLD: tuple[tuple[str, Any], ...] = (
    ("reason", "as agreed"),
    ("moved", {"orders": 3}),
    ("lines", [{"sku": "SKU-001", "quantity": 2}]),
    ("externalRefs", [{"system": "erp", "id": "1"}]),
)


def _field(column: str) -> str:
    first, *rest = column.removesuffix("_id").split("_")
    return first + "".join(word.title() for word in rest)


def _told(record: dict[str, Any], column: str) -> Any:
    value = record[column]
    if value is None:
        return None
    if column in REFERRED:
        return f"{REFERRED[column]}_{value.hex}"
    if column in AMOUNTS:
        return {"amount": str(value), "currency": record["currency"]}
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | UUID) else value


def _salted(changes: dict[str, Any] | None) -> dict[str, str | None]:
    if changes is None:
        return {"changes": None, "salts": None, "hashes": None}
    salts = {field: f"{number:032x}" for number, field in enumerate(changes)}
    hashes = {field: value_hash(salts[field], field, change) for field, change in changes.items()}
    return {"changes": json.dumps(changes), "salts": json.dumps(salts), "hashes": json.dumps(hashes)}


def add_events(shop: Any, people: tuple[str, ...], times: tuple[datetime, ...]) -> None:
    """Some events for some records of each table."""

    def add(action: str, changes: dict[str, Any] | None, **more: Any) -> None:
        actor = shop.labels[shop.pick(people)]
        shop.add(
            "audit_events",
            **{
                "at": shop.pick(times),
                "actor_id": shop.maybe(actor, 90),
                "impersonator_id": shop.labels["admin"] if len(shop.tables.get("audit_events", ())) % 7 == 0 else None,
                "action": action,
                "entity": None,
                "record_id": None,
                "record_version": None,
                "outcome": "OK",
                "ip": shop.maybe("192.0.2.7"),
                "user_agent": shop.maybe("probe/1"),
                "request_id": shop.maybe(f"request-{shop.random.randrange(9)}"),
                **_salted(changes),
            }
            | more,
        )

    for table, (entity, _) in PREFIXES.items():
        records = shop.tables[table]
        alike = {tuple(record) for record in records}
        assert len(alike) == 1, table
        columns = [column for column in records[0] if column not in SILENT]
        for _ in range(25 if entity in ("Customer", "Contact", "Opportunity", "Order", "Ticket") else 8):
            now, before = shop.pick(records), shop.pick(records)
            chosen = [column for column in columns if shop.chance(40)]
            changes = {
                _field(column): {
                    "before": shop.maybe(_told(before, column), 80),
                    "after": _told(now, column),
                }
                for column in chosen
            }
            for name, value in TOLD:
                if shop.chance(12):
                    changes[name] = {"before": None, "after": value}
            add(
                shop.pick(("create", "update", "update", "delete")),
                changes if shop.chance(92) else None,
                entity=entity,
                record_id=shop.id() if shop.chance(4) else now["id"],
                record_version=shop.random.randrange(1, 9),
            )
    for label in ("probe_1", "probe_3", "probe_gone"):
        changes = {
            "email": {"before": "old@example.com", "after": "new@example.com"},
            "phone": {"before": None, "after": "+491701234567"},
            "notes": {"before": "secret once", "after": None},
            "owner": {"before": None, "after": f"usr_{shop.labels['sales_north'].hex}"},
        }
        add("update", changes, entity="Customer", record_id=shop.labels[label], record_version=2)
    for comment in shop.tables["ticket_comments"][:40]:
        told = {
            "id": f"cmt_{comment['id'].hex}",
            "internal": bool(comment["internal"]),
            "body": comment["body"],
        }
        changes = {"comments": {"before": None, "after": told}}
        add("comment", changes, entity="Ticket", record_id=comment["ticket_id"], record_version=3)
    refused = {"field": {"before": None, "after": "notes"}}
    for entity, record, changes in (
        ("Customer", shop.labels["probe_1"], refused),
        ("Customer", None, refused),
        ("AuditEvent", None, None),
        ("Ticket", shop.labels["ticket_given"], None),
    ):
        add("update", changes, entity=entity, record_id=record, outcome="DENIED")
    add("signIn", {"email": {"before": None, "after": "a***@example.com"}}, entity="User", outcome="FAILED")
    add("import", {"file": {"before": None, "after": "a.csv"}, "moved": {"before": 1, "after": 2}}, entity="Customer")
    add("something", {"odd": {"before": 1, "after": 2}})
