"""Merging customers: one is kept, and all that belonged to the others becomes its own.

What moved is remembered for each customer that was merged, so that a merge can be taken apart again
(``app/domain/unmerging.py``). Rights are about customers: their records move with them, whoever may see these.
"""

# ruff: noqa: S608  # Statements are made of names of our own tables.

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from app.db.ids import new_id, print_id
from app.domain.customers import check_update
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.rows import new
from app.domain.work import Work
from app.models import Contact, Customer, CustomerMerge, Opportunity, Order, Ticket
from app.models.base import Row
from app.models.enums import RowScope

MOST = 20
MOVED = ("contacts", "opportunities", "orders", "tickets")
"""The tables whose rows have a ``customer_id``; a test compares them with the foreign keys of the database."""
FILLED = ("email", "phone", "source", "industry", "city", "region", "country", "notes", "owner_id")
"""What the kept customer takes over where it has nothing of its own."""
_LABELS = {**{table: table for table in MOVED}, "external_refs": "externalRefs"}


def check_ids(work: Work, keep_id: UUID, merge_ids: Sequence[UUID]) -> None:
    """Note which of the ids cannot be merged."""
    if not 1 <= len(merge_ids) <= MOST:
        said = f"mergeIds has {len(merge_ids)} members: it must have from 1 to {MOST}."
        work.problems.add(("mergeIds",), "OUT_OF_RANGE", said, params={"min": 1, "max": MOST, "actual": len(merge_ids)})
    seen: set[UUID] = set()
    for number, id in enumerate(merge_ids):
        path = ("mergeIds", str(number))
        if id == keep_id:
            work.problems.add(path, "INVALID", "This is the Customer that is kept: it cannot be merged into itself.")
        elif id in seen:
            work.problems.add(path, "INVALID", "This Customer is named twice.")
        seen.add(id)


async def merge(work: Work, _: None, given: Given) -> Customer:
    """Merge the customers of ``merge_ids`` into that of ``keep_id``; with ``dry_run``, say only what would move.

    The kept one gets what it lacks from the others, in their order, and their tags besides; what is given for it
    (``given.within``) goes before everything else.
    """
    keep_id, merge_ids = given.values["keep_id"], given.values["merge_ids"]
    check_ids(work, keep_id, merge_ids)
    overrides = given.within
    if overrides is not None:
        check_update(work, overrides)
    work.problems.refuse()
    rows: Mapping[UUID, Customer] = given.rows["customers"]
    kept, merged = rows[keep_id], [rows[id] for id in merge_ids]
    if given.get("dry_run"):
        work.facts["moved"] = _told(work, await _would_move(work, merge_ids))
        return kept
    operation = new_id()
    memories = {
        row.id: new(CustomerMerge, operation_id=operation, merged_id=row.id, kept_id=kept.id, merged_at=work.now)
        for row in merged
    }
    for memory in memories.values():
        work.add(memory)
    await _keep_one_primary(work, kept.id, memories)
    counts = await _move(work, kept.id, memories)
    before = _plain(kept)
    _fill(kept, merged, memories)
    if overrides is not None:
        overrides.assign(kept)
        await set_external_refs(work, kept, overrides, made=False)
    _remember_fields(kept, before, memories, overrides)
    survivor = print_id(Customer.prefix, kept.id)
    for row in merged:
        row.merged_into_id, row.deleted_at = kept.id, work.now
        work.note(row, "merge", mergedInto=(None, survivor))
    work.facts["moved"] = _told(work, counts)
    work.tell("merged", None, [print_id(Customer.prefix, row.id) for row in merged])
    work.tell("moved", None, {each["label"]: each["count"] for each in counts if each["count"]})
    return kept


def _told(work: Work, counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The counts of what the actor sees of every customer that it sees; the others are nothing to be told."""
    seen = work.actor.rows(Customer, "read")
    kinds: dict[str, type[Row]] = {
        "contacts": Contact,
        "opportunities": Opportunity,
        "orders": Order,
        "tickets": Ticket,
    }
    return [
        each
        for each in counts
        if (entity := kinds.get(each["label"])) is None or work.actor.rows(entity, "read") in (RowScope.ALL, seen)
    ]


async def _would_move(work: Work, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    counts = [f"(SELECT count(*) FROM {table} WHERE customer_id = ANY($1::uuid[]))" for table in MOVED]
    counts.append("(SELECT count(*) FROM external_refs WHERE record_id = ANY($1::uuid[]) AND entity = 'Customer')")
    (found,) = await work.fetch(f"SELECT {', '.join(counts)}", list(ids))
    return [{"label": label, "count": count} for label, count in zip(_LABELS.values(), tuple(found), strict=True)]


async def _keep_one_primary(work: Work, kept_id: UUID, memories: Mapping[UUID, CustomerMerge]) -> None:
    """Of the primary contacts that come together, that of the kept one stays primary, or the first of the others."""
    order = [kept_id, *memories]
    where = "WHERE customer_id = ANY($1::uuid[]) AND is_primary AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE"
    primary = await work.find(Contact, where, order)
    primary.sort(key=lambda contact: order.index(contact.customer_id))
    for contact in primary[1:]:
        if contact.customer_id != kept_id:
            contact.is_primary = False
            memories[contact.customer_id].unset_primary.append(contact.id)


async def _move(work: Work, kept_id: UUID, memories: Mapping[UUID, CustomerMerge]) -> list[dict[str, Any]]:
    """Move all records in one statement, and remember which came from whom. Gives how many there are of each kind.

    Customers that had been merged into a merged one are answered for by the kept one from now on.
    """
    parts, ends = [], []
    for table in MOVED:
        parts.append(f"{table}_then AS (SELECT id, customer_id AS merged FROM {table} WHERE customer_id = ANY($2))")
        parts.append(
            f"{table}_now AS (UPDATE {table} t SET customer_id = $1, updated_at = $3 FROM {table}_then o"
            " WHERE t.id = o.id RETURNING o.merged, to_json(t.id) AS what)"
        )
        ends.append(table)
    parts.append("refs_then AS (SELECT * FROM external_refs WHERE record_id = ANY($2) AND entity = 'Customer')")
    parts.append(
        "external_refs_now AS (UPDATE external_refs t SET record_id = $1 FROM refs_then o"
        " WHERE (t.record_id, t.entity, t.system, t.external_id) = (o.record_id, o.entity, o.system, o.external_id)"
        " RETURNING o.record_id AS merged, json_build_array(t.system, t.external_id) AS what)"
    )
    parts.append(
        "redirected_then AS (SELECT id, merged_into_id AS merged FROM customers WHERE merged_into_id = ANY($2))"
    )
    parts.append(
        "redirected_now AS (UPDATE customers t SET merged_into_id = $1 FROM redirected_then o"
        " WHERE t.id = o.id RETURNING o.merged, to_json(t.id) AS what)"
    )
    ends += ["external_refs", "redirected"]
    said = " UNION ALL ".join(
        f"SELECT '{end}' AS kind, merged, json_agg(what) FROM {end}_now GROUP BY 2" for end in ends
    )
    found = await work.fetch(f"WITH {', '.join(parts)} {said}", kept_id, list(memories), work.now)
    return _remembered(memories, found)


def _remembered(memories: Mapping[UUID, CustomerMerge], found: Iterable[Any]) -> list[dict[str, Any]]:
    counts = dict.fromkeys(_LABELS, 0)
    for kind, merged, whats in found:
        listed = orjson.loads(whats)
        setattr(memories[merged], kind, listed)
        if kind in counts:
            counts[kind] += len(listed)
    return [{"label": label, "count": counts[kind]} for kind, label in _LABELS.items()]


def _fill(kept: Customer, merged: Sequence[Customer], memories: Mapping[UUID, CustomerMerge]) -> None:
    for row in merged:
        own: dict[str, Any] = {}
        for name in FILLED:
            value = getattr(row, name)
            if getattr(kept, name) in (None, "") and value not in (None, ""):
                own[name] = [plain(getattr(kept, name)), plain(value)]
                setattr(kept, name, value)
        more = [tag for tag in row.tags if tag not in kept.tags]
        if more:
            more = list(dict.fromkeys(more))
            own["tags"] = more
            kept.tags = [*kept.tags, *more]
        memories[row.id].fields = {"own": own, "shared": {}}


def _remember_fields(
    kept: Customer, before: Mapping[str, Any], memories: Mapping[UUID, CustomerMerge], overrides: Given | None
) -> None:
    """Fields given by hand belong to the whole merge: they go back with the last of those who were merged."""
    if overrides is None:
        return
    named = [name for name in overrides.values if name in before]
    shared = {name: [before[name], plain(getattr(kept, name))] for name in named if name != "tags"}
    shared |= {"tags": [before["tags"], list(kept.tags)]} if "tags" in named else {}
    for memory in memories.values():
        own = {name: value for name, value in memory.fields["own"].items() if name not in named}
        memory.fields = {"own": own, "shared": {k: v for k, v in shared.items() if v[0] != v[1]}}


def plain(value: Any) -> Any:
    """A value of a customer as JSON holds it."""
    if isinstance(value, UUID):
        return str(UUID(int=value.int))
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, list) else value


def _plain(customer: Customer) -> dict[str, Any]:
    return {name: plain(value) for name, value in customer.__dict__.items() if name in Customer.model_fields}
