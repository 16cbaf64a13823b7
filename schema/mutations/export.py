"""Asking for exports. The answer is a link: what it leads to is streamed, and never held in an answer."""

from datetime import datetime
from typing import Any

import strawberry
from graphql import GraphQLResolveInfo
from strawberry import UNSET, Info

import app.models as models
from app.domain.problems import RefusedError
from app.exporting.writers import ExportFormat as Format
from app.models.base import Row
from auth.export_links import Asked as AskedFor
from auth.exporting import prepare
from schema.arguments import arguments
from schema.context import Context
from schema.exporting import export_of, said
from schema.permissions import can
from schema.types.contact import ContactFilter
from schema.types.customer import CustomerFilter
from schema.types.errors import UserError, user_error
from schema.types.opportunity import OpportunityFilter
from schema.types.order import OrderFilter
from schema.types.product import ProductFilter
from schema.types.ticket import TicketFilter

Asked = Info[Context, None]
strawberry.enum(Format)


@strawberry.type
class ExportPayload:
    """Where the file is, as a path on this server, and until when. Whoever has the link needs no token."""

    url: str | None = None
    expires_at: datetime | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _link(
    info: Asked, entity: type[Row], fields: list[str] | None, format: Format, byte_order_mark: bool
) -> ExportPayload:
    """Check everything under the present rights, and make the link."""
    context = info.context
    raw: GraphQLResolveInfo[Context] = info._raw_info
    node = raw.field_nodes[0]
    where = arguments(raw.parent_type.fields[node.name.value], node, context.variables).get("where")
    filter = None if where is None or where.is_null else said(where.kind, where.value)
    names = fields if isinstance(fields, list) else None
    access = await context.present_access()
    services = context.services
    try:
        export = export_of(raw.schema, entity, format, names, filter, services.settings)
        prepare(export, access)
    except RefusedError as refusal:
        return ExportPayload(errors=[user_error(problem) for problem in refusal.problems])
    asked = AskedFor(access.principal, entity.__name__, format.value, filter, names, byte_order_mark)
    link = await services.export_links.make(asked)
    return ExportPayload(url=link.url, expires_at=link.expires_at)


def _export(entity: type[Row], filter: Any, plural: str) -> Any:
    """The mutation that exports records of ``entity``."""

    async def export(
        info: Asked,
        where: filter | None = UNSET,
        fields: list[str] | None = UNSET,
        format: Format = Format.CSV,
        byte_order_mark: bool = False,
    ) -> ExportPayload:
        return await _link(info, entity, fields, format, byte_order_mark)

    export.__doc__ = f"""Make a link to the {plural} that you may see and export, as you see them."""
    return strawberry.mutation(resolver=export, extensions=can("export", entity))


@strawberry.type
class ExportMutations:
    """What can be exported. fields are names such as name, total, owner or owner.name; without them, all that a record
    has of its own and that you may see."""

    export_customers = _export(models.Customer, CustomerFilter, "customers")
    export_contacts = _export(models.Contact, ContactFilter, "contacts")
    export_opportunities = _export(models.Opportunity, OpportunityFilter, "opportunities")
    export_orders = _export(models.Order, OrderFilter, "orders")
    export_tickets = _export(models.Ticket, TicketFilter, "tickets")
    export_products = _export(models.Product, ProductFilter, "products")
