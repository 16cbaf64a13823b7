"""The queries. Every field says which right it needs; its rows are fetched whole by one statement."""

from datetime import date

import strawberry
from strawberry import UNSET, Info

import app.models as models
from schema.context import Context
from schema.permissions import can
from schema.resolving import whole
from schema.types.aggregates.customer import CustomerAggregate, CustomerGroupBy, CustomerGroupOrder, CustomerHaving
from schema.types.aggregates.opportunity import (
    OpportunityAggregate,
    OpportunityGroupBy,
    OpportunityGroupOrder,
    OpportunityHaving,
)
from schema.types.aggregates.order import OrderAggregate, OrderGroupBy, OrderGroupOrder, OrderHaving
from schema.types.aggregates.ticket import TicketAggregate, TicketGroupBy, TicketGroupOrder, TicketHaving
from schema.types.analytics import Analytics
from schema.types.api_token import ApiTokenConnection
from schema.types.audit_event import AuditEventConnection, AuditEventFilter
from schema.types.audit_verification import AuditVerification
from schema.types.common import Node
from schema.types.contact import Contact, ContactConnection, ContactFilter, ContactOrder
from schema.types.customer import Customer, CustomerConnection, CustomerFilter, CustomerOrder
from schema.types.exchange_rate import ExchangeRate
from schema.types.explanation import AccessExplanation, explained
from schema.types.opportunity import Opportunity, OpportunityConnection, OpportunityFilter, OpportunityOrder
from schema.types.order import Order, OrderConnection, OrderFilter, OrderOrder
from schema.types.product import Product, ProductConnection, ProductFilter, ProductOrder
from schema.types.role import Role
from schema.types.shop import Shop
from schema.types.sla import SlaPolicy
from schema.types.stage import Stage
from schema.types.team import Team
from schema.types.ticket import Ticket, TicketConnection, TicketFilter, TicketOrder
from schema.types.user import User, UserConnection, UserFilter, UserOrder
from schema.types.viewer import Viewer

Asked = Info[Context, None]


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field
    async def viewer(self, info: Asked) -> Viewer | None:
        """Who is calling, and what they may do; null for a stranger."""
        context = info.context
        if context.caller.principal is None and context.caller.refusal is None:
            return None
        return await Viewer.of(info, await context.present_access())

    @strawberry.field
    async def shop(self, info: Asked) -> Shop:
        """The shop's name, currency, time zone and locale."""
        await info.context.present_access()
        return Shop.of(info.context.services.settings)

    @strawberry.field
    async def analytics(self, info: Asked) -> Analytics:
        """Figures over the rows that the caller may analyse."""
        await info.context.access()
        return Analytics()

    @strawberry.field(extensions=can("analyse", models.Customer))
    async def customers_aggregate(
        self,
        info: Asked,
        where: CustomerFilter | None = UNSET,
        group_by: list[CustomerGroupBy] | None = UNSET,
        having: CustomerHaving | None = UNSET,
        order_by: list[CustomerGroupOrder] | None = UNSET,
        first: int = 100,
        timezone: str | None = UNSET,
    ) -> CustomerAggregate:
        """The customers that the caller may see and analyse, by groups: by at most 4 things; without any, all in one
        group. Buckets of time are those of the shop's zone, or of ``timezone``. The first 1 to 1000 groups are listed,
        in the order of their keys unless another is given."""
        return await whole(info)

    @strawberry.field(extensions=can("analyse", models.Opportunity))
    async def opportunities_aggregate(
        self,
        info: Asked,
        where: OpportunityFilter | None = UNSET,
        group_by: list[OpportunityGroupBy] | None = UNSET,
        having: OpportunityHaving | None = UNSET,
        order_by: list[OpportunityGroupOrder] | None = UNSET,
        first: int = 100,
        timezone: str | None = UNSET,
    ) -> OpportunityAggregate:
        """The opportunities that the caller may see and analyse, by groups: by at most 4 things; without any, all in
        one group. Buckets of time are those of the shop's zone, or of ``timezone``. The first 1 to 1000 groups are
        listed, in the order of their keys unless another is given."""
        return await whole(info)

    @strawberry.field(extensions=can("analyse", models.Order))
    async def orders_aggregate(
        self,
        info: Asked,
        where: OrderFilter | None = UNSET,
        group_by: list[OrderGroupBy] | None = UNSET,
        having: OrderHaving | None = UNSET,
        order_by: list[OrderGroupOrder] | None = UNSET,
        first: int = 100,
        timezone: str | None = UNSET,
    ) -> OrderAggregate:
        """The orders that the caller may see and analyse, by groups: by at most 4 things; without any, all in one
        group. Buckets of time are those of the shop's zone, or of ``timezone``. The first 1 to 1000 groups are listed,
        in the order of their keys unless another is given."""
        return await whole(info)

    @strawberry.field(extensions=can("analyse", models.Ticket))
    async def tickets_aggregate(
        self,
        info: Asked,
        where: TicketFilter | None = UNSET,
        group_by: list[TicketGroupBy] | None = UNSET,
        having: TicketHaving | None = UNSET,
        order_by: list[TicketGroupOrder] | None = UNSET,
        first: int = 100,
        timezone: str | None = UNSET,
    ) -> TicketAggregate:
        """The tickets that the caller may see and analyse, by groups: by at most 4 things; without any, all in one
        group. Buckets of time are those of the shop's zone, or of ``timezone``. The first 1 to 1000 groups are listed,
        in the order of their keys unless another is given."""
        return await whole(info)

    @strawberry.field
    async def node(self, info: Asked, id: strawberry.ID) -> Node | None:
        """The row of any entity with that id; null if there is none that the caller may see."""
        return await whole(info)

    @strawberry.field
    async def nodes(self, info: Asked, ids: list[strawberry.ID]) -> list[Node | None]:
        """The rows with those ids, in their order, at most 200; null where there is none that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Customer))
    async def customer(self, info: Asked, id: strawberry.ID, include_deleted: bool = False) -> Customer | None:
        """The customer with that id; null if there is none that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Customer))
    async def customers(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: CustomerFilter | None = UNSET,
        order_by: list[CustomerOrder] | None = UNSET,
        search: str | None = UNSET,
        include_deleted: bool = False,
    ) -> CustomerConnection:
        """The customers that the caller may see, page by page."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Customer))
    async def duplicate_customers(self, info: Asked, id: strawberry.ID, first: int = 10) -> list[Customer]:
        """Customers that are probably the same as that one, best first: the same email, the same phone number, or a
        similar name, as far as the caller may read them. At most 50."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Contact))
    async def contact(self, info: Asked, id: strawberry.ID, include_deleted: bool = False) -> Contact | None:
        """The contact with that id; null if there is none that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Contact))
    async def contacts(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: ContactFilter | None = UNSET,
        order_by: list[ContactOrder] | None = UNSET,
        search: str | None = UNSET,
        include_deleted: bool = False,
    ) -> ContactConnection:
        """The contacts that the caller may see, page by page."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Opportunity))
    async def opportunity(self, info: Asked, id: strawberry.ID, include_deleted: bool = False) -> Opportunity | None:
        """The opportunity with that id; null if there is none that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Opportunity))
    async def opportunities(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: OpportunityFilter | None = UNSET,
        order_by: list[OpportunityOrder] | None = UNSET,
        search: str | None = UNSET,
        include_deleted: bool = False,
    ) -> OpportunityConnection:
        """The opportunities that the caller may see, page by page."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Product))
    async def product(self, info: Asked, id: strawberry.ID, include_deleted: bool = False) -> Product | None:
        """The product with that id; null if there is none that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Product))
    async def products(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: ProductFilter | None = UNSET,
        order_by: list[ProductOrder] | None = UNSET,
        search: str | None = UNSET,
        include_deleted: bool = False,
    ) -> ProductConnection:
        """The products that the caller may see, page by page."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Order))
    async def order(self, info: Asked, id: strawberry.ID) -> Order | None:
        """The order with that id; null if there is none that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Order))
    async def orders(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: OrderFilter | None = UNSET,
        order_by: list[OrderOrder] | None = UNSET,
        search: str | None = UNSET,
    ) -> OrderConnection:
        """The orders that the caller may see, page by page."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Ticket))
    async def ticket(self, info: Asked, id: strawberry.ID, include_deleted: bool = False) -> Ticket | None:
        """The ticket with that id; null if there is none that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Ticket))
    async def tickets(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: TicketFilter | None = UNSET,
        order_by: list[TicketOrder] | None = UNSET,
        search: str | None = UNSET,
        include_deleted: bool = False,
    ) -> TicketConnection:
        """The tickets that the caller may see, page by page."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.User))
    async def user(self, info: Asked, id: strawberry.ID) -> User | None:
        """The user with that id; null if there is none that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.User))
    async def users(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: UserFilter | None = UNSET,
        order_by: list[UserOrder] | None = UNSET,
        search: str | None = UNSET,
    ) -> UserConnection:
        """The users that the caller may see, page by page."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.SlaPolicy))
    async def sla_policy(self, info: Asked) -> SlaPolicy:
        """What the shop promises for tickets, and its business hours."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.ExchangeRate))
    async def exchange_rates(
        self, info: Asked, currency: str | None = UNSET, before: date | None = UNSET
    ) -> list[ExchangeRate]:
        """The exchange rates by currency and day, of one currency or of all: the newest 1,000 of each. With before,
        those of days before that one."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Stage))
    async def stages(self, info: Asked) -> list[Stage]:
        """The stages that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Team))
    async def teams(self, info: Asked) -> list[Team]:
        """The teams that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.Role))
    async def roles(self, info: Asked) -> list[Role]:
        """The roles that the caller may see."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.ApiToken))
    async def api_tokens(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
    ) -> ApiTokenConnection:
        """The API tokens that the caller may see, the newest first."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.AuditEvent))
    async def audit_events(
        self,
        info: Asked,
        first: int | None = UNSET,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        where: AuditEventFilter | None = UNSET,
    ) -> AuditEventConnection:
        """The audit log, the newest event first: all of it, or what the caller has done."""
        return await whole(info)

    @strawberry.field(extensions=can("read", models.AuditEvent))
    async def audit_verification(self, info: Asked) -> AuditVerification:
        """What the last check of the whole audit log has found, for whoever may read all of it."""
        return await AuditVerification.last(info)

    @strawberry.field
    async def explain_access(
        self,
        info: Asked,
        entity: str,
        action: str,
        user_id: strawberry.ID | None = UNSET,
        token_id: strawberry.ID | None = UNSET,
        id: strawberry.ID | None = UNSET,
        field: str | None = UNSET,
    ) -> AccessExplanation:
        """Whether you may do that, and by which rules: to some record of the entity, or to the one with that id, as a
        whole or in a field. With userId or tokenId it is about somebody else or about a token: for your own tokens,
        and for whoever has the right to explain users."""
        return await explained(info, entity, action, user_id=user_id, token_id=token_id, id=id, field=field)
