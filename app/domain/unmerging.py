"""Taking a merge of customers apart: what moved, and has not moved elsewhere since, goes back."""

# ruff: noqa: S608  # Statements are made of names of our own tables.

from typing import Any
from uuid import UUID

import orjson

from app.db.ids import print_id
from app.domain.given import Given
from app.domain.merging import MOVED, plain
from app.domain.problems import Problem, RefusedError
from app.domain.work import Work
from app.models import Contact, Customer, CustomerMerge

_MEMORY = "WHERE merged_id = $1 AND undone_at IS NULL ORDER BY merged_at DESC, id DESC LIMIT 1 FOR NO KEY UPDATE"
_OTHERS = "SELECT FROM customer_merges WHERE operation_id = $1 AND undone_at IS NULL AND id <> $2 LIMIT 1"
_REDIRECTED = """
    UPDATE customers t SET merged_into_id = $1 FROM customer_merges m
    WHERE m.id = $2 AND t.id = ANY(m.redirected) AND t.merged_into_id = $3
"""
# Later merges moved on what had come from this customer. It is this one's own again, and theirs to give back no more.
_FORGOTTEN = f"""
    UPDATE customer_merges m SET redirected = ARRAY(
        SELECT c.id FROM customers c WHERE c.id = ANY(m.redirected) AND c.id <> $1 AND c.merged_into_id <> $1
    ), {
    ", ".join(
        f"{table} = ARRAY(SELECT x FROM unnest(m.{table}) x WHERE NOT EXISTS"
        f" (SELECT FROM {table} t WHERE t.id = x AND t.customer_id = $1))"
        for table in MOVED
    )
}, external_refs = (
        SELECT coalesce(jsonb_agg(r), '[]') FROM jsonb_array_elements(m.external_refs) r WHERE NOT EXISTS (
            SELECT FROM external_refs t WHERE t.entity = 'Customer' AND t.record_id = $1
            AND t.system = r->>0 AND t.external_id = r->>1
        )
    )
    WHERE m.undone_at IS NULL AND $1 = ANY(m.redirected)
    AND m.kept_id IN (SELECT $2::uuid UNION ALL SELECT id FROM customers WHERE merged_into_id = $2)
"""
_PRIMARY = "SELECT FROM contacts WHERE customer_id = $1 AND is_primary AND deleted_at IS NULL LIMIT 1"


async def unmerge(work: Work, survivor: Customer, given: Given) -> Customer:
    """Bring the customer of ``asked_id`` back, who was merged into ``survivor`` or into one that was merged into it.

    Fields that the kept one got go back where they still have the value of the merge.
    """
    id: UUID = given.values["asked_id"]
    if id == survivor.id:
        said = "This Customer is not merged into another one: there is nothing to take apart."
        raise RefusedError(Problem(("id",), "INVALID_TRANSITION", said))
    found = await work.find(Customer, "WHERE id = $1 AND merged_into_id = $2 FOR UPDATE", id, survivor.id)
    if not found:
        raise _unseen()
    (merged,) = found
    memories = await work.find(CustomerMerge, _MEMORY, id)
    counts: dict[str, int] = {}
    if memories:
        (memory,) = memories
        counts = await _move_back(work, memory, survivor)
        await work.fetch(_REDIRECTED, merged.id, memory.id, survivor.id)
        await work.fetch(_FORGOTTEN, merged.id, survivor.id)
        await _primary_again(work, memory, merged)
        await _fields_back(work, memory, survivor)
        memory.undone_at = work.now
    # Whose it is depends on its deals and tickets too, so it is asked once these are back.
    if not await work.eyes.covered(Customer, "merge", id):
        raise _unseen()
    merged.merged_into_id, merged.deleted_at = None, None
    work.note(merged, "unmerge", mergedInto=(print_id(Customer.prefix, survivor.id), None), moved=(None, counts))
    work.note(survivor, "unmerge")
    return merged


def _unseen() -> RefusedError:
    return RefusedError(Problem(("id",), "NOT_FOUND", "There is no merged Customer with this id that you may unmerge."))


async def _move_back(work: Work, memory: CustomerMerge, survivor: Customer) -> dict[str, int]:
    parts = [
        f"{table}_now AS (UPDATE {table} t SET customer_id = $1, updated_at = $4 FROM customer_merges m"
        f" WHERE m.id = $2 AND t.id = ANY(m.{table}) AND t.customer_id = $3 RETURNING t.id)"
        for table in MOVED
    ]
    parts.append(
        "external_refs_now AS (UPDATE external_refs t SET record_id = $1 FROM customer_merges m,"
        " jsonb_array_elements(m.external_refs) r WHERE m.id = $2 AND t.entity = 'Customer'"
        " AND t.system = r->>0 AND t.external_id = r->>1 AND t.record_id = $3 RETURNING t.system)"
    )
    kinds = (*MOVED, "external_refs")
    said = ", ".join(f"(SELECT count(*) FROM {kind}_now)" for kind in kinds)
    statement = f"WITH {', '.join(parts)} SELECT {said}"
    (counted,) = await work.fetch(statement, memory.merged_id, memory.id, survivor.id, work.now)
    labels = (*MOVED, "externalRefs")
    return {label: count for label, count in zip(labels, tuple(counted), strict=True) if count}


async def _primary_again(work: Work, memory: CustomerMerge, merged: Customer) -> None:
    """The contact that lost its place is primary again, unless another one that came back is now."""
    if memory.unset_primary and not await work.fetch(_PRIMARY, merged.id):
        where = "WHERE id = ANY($1::uuid[]) AND customer_id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE"
        for contact in await work.find(Contact, where, list(memory.unset_primary), merged.id):
            contact.is_primary = True


async def _fields_back(work: Work, memory: CustomerMerge, survivor: Customer) -> None:
    """The one that was kept may have been merged itself since: the fields are its own all the same."""
    fields = memory.fields if isinstance(memory.fields, dict) else orjson.loads(memory.fields)
    own, shared = dict(fields.get("own", {})), fields.get("shared", {})
    if shared and not await work.fetch(_OTHERS, memory.operation_id, memory.id):
        own |= {name: value for name, value in shared.items() if name not in own}
    if not own:
        return
    kept: Any = survivor
    if memory.kept_id != survivor.id:
        (kept,) = await work.find(Customer, "WHERE id = $1 FOR UPDATE", memory.kept_id)
        work.note(kept, "unmerge")
    for name, said in own.items():
        if name == "tags" and name not in shared:
            kept.tags = [tag for tag in kept.tags if tag not in said]
        elif plain(getattr(kept, name)) == said[1]:
            setattr(kept, name, _typed(kept, name, said[0]))


def _typed(kept: Customer, name: str, value: Any) -> Any:
    if value is not None and name.endswith("_id"):
        return UUID(value)
    present = getattr(kept, name)
    return type(present)(value) if value is not None and present is not None and name != "tags" else value
