"""The mutations."""

import strawberry

from schema.mutations.api_token import ApiTokenMutations
from schema.mutations.bulk import BulkMutations
from schema.mutations.contact import ContactMutations
from schema.mutations.customer import CustomerMutations
from schema.mutations.export import ExportMutations
from schema.mutations.merging import MergingMutations
from schema.mutations.opportunity import OpportunityMutations
from schema.mutations.order import OrderMutations
from schema.mutations.password import PasswordMutations
from schema.mutations.person import PersonMutations
from schema.mutations.product import ProductMutations
from schema.mutations.session import SessionMutations
from schema.mutations.sla import SlaMutations
from schema.mutations.stage import StageMutations
from schema.mutations.ticket import TicketMutations


@strawberry.type
class Mutation(
    ApiTokenMutations,
    BulkMutations,
    ContactMutations,
    CustomerMutations,
    ExportMutations,
    MergingMutations,
    OpportunityMutations,
    OrderMutations,
    PasswordMutations,
    PersonMutations,
    ProductMutations,
    SessionMutations,
    SlaMutations,
    StageMutations,
    TicketMutations,
):
    """What can be done."""
