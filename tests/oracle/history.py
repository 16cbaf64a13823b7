"""What audit events show to a caller, in plain Python."""

from typing import Any

from tests.oracle.rights import SOURCES, Rights, mask
from tests.oracle.rows import PARENTS, TO_MANY, TO_ONE, Row

TOLD = {"reason", "field", "file", "read", "inserted", "updated", "unchanged", "repeated", "rejected"}
RECORDED = {
    "Customer": "cus",
    "Contact": "con",
    "Stage": "stg",
    "Opportunity": "opp",
    "Product": "prd",
    "Order": "ord",
    "Ticket": "tkt",
    "TicketComment": "cmt",
    "User": "usr",
    "Team": "tm",
    "Role": "rol",
    "SlaPolicy": "sla",
    "ApiToken": "tok",
}
AMOUNTS = {"amount", "price", "subtotal", "discount", "shippingFee", "total"}


def changes(rights: Rights, event: Row) -> Any:
    """The changes that the caller may see."""
    said = event.changes
    whole = rights.scope_of("AuditEvent") == "ALL"
    if said is None or (whole and (event.record_id is None or event.outcome != "OK")):
        return said
    if event.record_id is None or event.outcome != "OK":
        return {name: change for name, change in said.items() if name in TOLD}
    if whole and (event.entity not in RECORDED or sees_all(rights, event.entity)):
        return said
    if event.entity not in RECORDED or not rights.has(event.entity):
        return None
    row = rights.rows.find(event.entity, event.record_id)
    if row is not None and event.entity == "Customer" and row.merged_into_id is not None:
        row = rights.rows.find("Customer", row.merged_into_id)
    if row is None or not (rights.visible(row) or rights.restorable(row)):
        return None
    shown = {name: _change(rights, row, name, change) for name, change in said.items()}
    return {name: change for name, change in shown.items() if change is not None}


def sees_all(rights: Rights, entity: str) -> bool:
    """Whether the caller may read every field of every row, and all that it follows and refers to."""
    if rights.scope_of(entity) != "ALL" or not _plain(rights, entity):
        return False
    if entity in PARENTS and not sees_all(rights, TO_ONE[entity][PARENTS[entity]]):
        return False
    if any(rights.scope_of(t) != "ALL" for name, t in TO_ONE.get(entity, {}).items() if rights.lists(entity, name)):
        return False
    ends = {target for target, _ in TO_MANY.get(entity, {}).values() if target != "Grant"}
    return all(rights.scope_of(target) == "ALL" and _plain(rights, target) for target in ends)


def _plain(rights: Rights, entity: str) -> bool:
    if entity == "TicketComment" and rights.scope_of(entity, "readInternal") != "ALL":
        return False
    return rights.has(entity) and all(
        rights._possible(entity, name) == {"READ"} and not rights.never_read(entity, name)
        for name in (*rights.fields(entity), *(f for e, f in SOURCES if e == entity))
    )


def _change(rights: Rights, row: Row, name: str, change: Any) -> Any:
    entity = row.type
    if not rights.lists(entity, name):
        return change if name in TOLD else None
    access = rights.access(row, name)
    if name in TO_ONE.get(entity, {}):
        target = TO_ONE[entity][name]
        if access != "READ" or not rights.has(target):
            return None
        return {side: _seen(rights, target, change[side]) for side in ("after", "before")}
    if name in TO_MANY.get(entity, {}):
        target = TO_MANY[entity][name][0]
        if name == "comments":
            return _comment(rights, row, change) if access == "READ" else None
        wide = RANK_OF_SCOPE[rights.scope_of(target)] >= RANK_OF_SCOPE[rights.scope_of(entity)]
        return change if access == "READ" and wide and _plain(rights, target) else None
    if access == "READ":
        return change
    if access == "HIDDEN" or name in AMOUNTS:
        return None
    return {side: mask(name, change[side]) for side in ("after", "before")}


def _comment(rights: Rights, ticket: Row, change: Any) -> Any:
    told = change["after"]
    if not isinstance(told, dict) or "id" not in told or not rights.has("TicketComment"):
        return None
    row = next((row for row in rights.rows.all("TicketComment") if f"cmt_{row.id.hex}" == told["id"]), None)
    if row is None or row.ticket_id != ticket.id or not rights.visible(row):
        return None
    after = {"id": told["id"]}
    # In the order of jsonb: the shorter name first.
    for name in ("body", "internal"):
        access = rights.access(row, name)
        if access == "READ":
            after[name] = told[name]
        elif access == "MASKED":
            after[name] = mask(name, told[name])
    return {"after": after, "before": None}


def _seen(rights: Rights, entity: str, id: str | None) -> str | None:
    if id is None or unconditional(rights, entity):
        return id
    row = next((row for row in rights.rows.all(entity) if row.id.hex == id.partition("_")[2]), None)
    return id if row is not None and rights.visible(row) else None


def unconditional(rights: Rights, entity: str) -> bool:
    """Whether every row is seen, so that nobody looks whether it is there."""
    return entity in ("User", "Role", "Team", "Stage") and rights.scope_of(entity) == "ALL"


RANK_OF_SCOPE = {"NONE": 0, "OWN": 1, "ASSIGNED": 1, "TEAM": 2, "ALL": 3}
