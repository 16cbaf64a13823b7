"""Changing many records at once: the rules of the single mutations, row by row, in one transaction."""

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import customers, opportunities, tickets
from schema.bulk_acting import BulkAct
from schema.context import Context
from schema.mutations.customer import CreateCustomerInput, UpdateCustomerInput
from schema.mutations.opportunity import UpdateOpportunityInput
from schema.mutations.ticket import UpdateTicketInput
from schema.types.bulk import BulkPayload, ErrorPolicy
from schema.types.customer import CustomerFilter
from schema.types.opportunity import OpportunityFilter
from schema.types.ticket import TicketFilter

Asked = Info[Context, None]

_ASSIGN_CUSTOMERS = BulkAct("assign", models.Customer, customers.update, guarded_by="assign")
_CREATE_CUSTOMERS = BulkAct("create", models.Customer, customers.create)
_UPDATE_CUSTOMERS = BulkAct("update", models.Customer, customers.update)
_UPDATE_OPPORTUNITIES = BulkAct("update", models.Opportunity, opportunities.update)
_UPDATE_TICKETS = BulkAct("update", models.Ticket, tickets.update, standing={"sla_policy": models.SlaPolicy})


@strawberry.type
class BulkMutations:
    """What can be done to many records at once. Give either ids or where; a filter that selects everything is refused.

    Nothing is left out silently: a record that you see and may not change refuses the whole.
    """

    @strawberry.mutation(extensions=_ASSIGN_CUSTOMERS.guard)
    async def assign_customers(
        self,
        info: Asked,
        owner_id: strawberry.ID,
        ids: list[strawberry.ID] | None = UNSET,
        where: CustomerFilter | None = UNSET,
    ) -> BulkPayload:
        """Give customers to an owner."""
        return await _ASSIGN_CUSTOMERS.change(info, ids, {"owner_id": owner_id}, path=())

    @strawberry.mutation(extensions=_CREATE_CUSTOMERS.guard)
    async def bulk_create_customers(
        self,
        info: Asked,
        rows: list[CreateCustomerInput],
        error_policy: ErrorPolicy = ErrorPolicy.REJECT_EVERYTHING,
        dry_run: bool = False,
        allow_duplicate: bool = False,
    ) -> BulkPayload:
        """Make a customer from each row. One that has the email or the phone number of another customer, or of an
        earlier row, is a DUPLICATE, unless you allow that."""
        return await _CREATE_CUSTOMERS.create(
            info, rows, error_policy, dry_run=dry_run, allow_duplicate=allow_duplicate
        )

    @strawberry.mutation(extensions=_UPDATE_CUSTOMERS.guard)
    async def bulk_update_customers(
        self,
        info: Asked,
        input: UpdateCustomerInput,
        ids: list[strawberry.ID] | None = UNSET,
        where: CustomerFilter | None = UNSET,
        error_policy: ErrorPolicy = ErrorPolicy.REJECT_EVERYTHING,
        dry_run: bool = False,
    ) -> BulkPayload:
        """Change customers, all in the same way: an absent field stays, null clears."""
        return await _UPDATE_CUSTOMERS.change(info, ids, input, error_policy, dry_run=dry_run)

    @strawberry.mutation(extensions=_UPDATE_OPPORTUNITIES.guard)
    async def bulk_update_opportunities(
        self,
        info: Asked,
        input: UpdateOpportunityInput,
        ids: list[strawberry.ID] | None = UNSET,
        where: OpportunityFilter | None = UNSET,
        error_policy: ErrorPolicy = ErrorPolicy.REJECT_EVERYTHING,
        dry_run: bool = False,
    ) -> BulkPayload:
        """Change opportunities, all in the same way: an absent field stays, null clears."""
        return await _UPDATE_OPPORTUNITIES.change(info, ids, input, error_policy, dry_run=dry_run)

    @strawberry.mutation(extensions=_UPDATE_TICKETS.guard)
    async def bulk_update_tickets(
        self,
        info: Asked,
        input: UpdateTicketInput,
        ids: list[strawberry.ID] | None = UNSET,
        where: TicketFilter | None = UNSET,
        error_policy: ErrorPolicy = ErrorPolicy.REJECT_EVERYTHING,
        dry_run: bool = False,
    ) -> BulkPayload:
        """Change tickets, all in the same way: an absent field stays, null clears."""
        return await _UPDATE_TICKETS.change(info, ids, input, error_policy, dry_run=dry_run)
