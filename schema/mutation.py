"""The mutations."""

import strawberry

from schema.mutations.api_token import ApiTokenMutations
from schema.mutations.bulk import BulkMutations
from schema.mutations.contact import ContactMutations
from schema.mutations.customer import CustomerMutations
from schema.mutations.exchange_rate import ExchangeRateMutations
from schema.mutations.export import ExportMutations
from schema.mutations.merging import MergingMutations
from schema.mutations.opportunity import OpportunityMutations
from schema.mutations.order import OrderMutations
from schema.mutations.password import PasswordMutations
from schema.mutations.person import PersonMutations
from schema.mutations.product import ProductMutations
from schema.mutations.role import RoleMutations
from schema.mutations.second_factor import SecondFactorMutations
from schema.mutations.session import SessionMutations
from schema.mutations.sla import SlaMutations
from schema.mutations.stage import StageMutations
from schema.mutations.team import TeamMutations
from schema.mutations.ticket import TicketMutations
from schema.mutations.user import UserMutations


@strawberry.type
class Mutation(
    ApiTokenMutations,
    BulkMutations,
    ContactMutations,
    CustomerMutations,
    ExchangeRateMutations,
    ExportMutations,
    MergingMutations,
    OpportunityMutations,
    OrderMutations,
    PasswordMutations,
    PersonMutations,
    ProductMutations,
    SecondFactorMutations,
    SessionMutations,
    RoleMutations,
    SlaMutations,
    StageMutations,
    TeamMutations,
    TicketMutations,
    UserMutations,
):
    """What can be done."""
