"""Merging customers, and taking merges apart."""

from typing import ClassVar
from uuid import UUID

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import customers, merging, unmerging
from app.domain.given import Given
from auth.access import Access
from auth.gate import Deed, Together
from auth.idempotency import Key
from schema.acting import Act, perform, request_key
from schema.context import Context
from schema.given import read_input
from schema.mutations.customer import CustomerPayload, UpdateCustomerInput, customer_id
from schema.permissions import can
from schema.types.common import LabelCount
from schema.types.customer import Customer
from schema.types.payload import Payload

Asked = Info[Context, None]


@strawberry.type
class MergePayload(Payload):
    """The customer that was kept, and how many records of each kind moved to it; or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"customer": ""}

    @strawberry.field
    def customer(self, info: Asked) -> Customer | None:
        """The customer that was kept; null when nothing was done, or when it is out of your sight now."""
        found: Customer | None = self.record(info)
        return found

    @strawberry.field
    def moved(self) -> list[LabelCount]:
        """How many records of each kind moved, or would move in a dry run, whether you may see them or not."""
        return [LabelCount(label=each["label"], count=each["count"]) for each in self.facts.get("moved", ())]


_UNMERGE = Act("merge", models.Customer, unmerging.unmerge, lock="UPDATE", include_deleted=True)


@strawberry.type
class MergingMutations:
    """What can be done to customers that are the same."""

    @strawberry.mutation(extensions=can("merge", models.Customer))
    async def merge_customers(
        self,
        info: Asked,
        keep_id: strawberry.ID,
        merge_ids: list[strawberry.ID],
        overrides: UpdateCustomerInput | None = UNSET,
        dry_run: bool = False,
    ) -> MergePayload:
        """Merge up to 20 customers into one: all that belongs to them moves, what the kept one lacks is filled in from
        them, in their order, and tags are united. Overrides go before that. Their ids are answered for by the kept one
        from then on. A dry run says what would move, and changes nothing."""
        context = info.context
        access = await context.access()
        key = request_key(context, access)
        deed = _merging(info, access, keep_id, list(merge_ids), overrides, dry_run, key)
        return await perform(info, MergePayload, deed, access)

    @strawberry.mutation(extensions=_UNMERGE.guard)
    async def unmerge_customer(self, info: Asked, id: strawberry.ID) -> CustomerPayload:
        """Take a merge apart: the customer with that id is there again, with all that came from it and has not moved
        elsewhere since. Fields that the kept one got from it go back where they still have that value."""
        return await _UNMERGE.do(info, CustomerPayload, id=id, asked_id=customer_id(id))


def _merging(
    info: Asked,
    access: Access,
    keep_id: str,
    merge_ids: list[strawberry.ID],
    overrides: UpdateCustomerInput | None,
    dry_run: bool,
    key: Key | None,
) -> Deed:
    keep, merge = customer_id(keep_id, "keepId"), [customer_id(id, "mergeIds") for id in merge_ids]
    paths: dict[UUID, tuple[str, ...]] = {keep: ("keepId",)}
    for number, id in enumerate(merge[: merging.MOST]):
        paths.setdefault(id, ("mergeIds", str(number)))
    values = {"keep_id": keep, "merge_ids": merge, "dry_run": dry_run}
    origin, inner, problems = info.context.origin(), None, []
    if overrides:
        said = read_input(models.Customer, overrides, ("overrides",), {})
        problems = said.problems
        if said.given.values or problems:
            inner = Deed(
                action="update",
                entity=models.Customer,
                rule=customers.update,
                given=said.given,
                origin=origin,
                target=keep,
                references=said.references,
            )
    return Deed(
        action="merge",
        entity=models.Customer,
        rule=merging.merge,
        given=Given(values, {}, ()),
        origin=origin,
        problems=problems,
        key=key,
        together=Together("customers", paths, "KEY SHARE" if dry_run else "UPDATE"),
        within=inner,
    )
