"""Selling: orders from their first line to their end."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import orders
from schema.acting import Act
from schema.context import Context
from schema.types.inputs import ExternalRefInput, MoneyInput
from schema.types.order import Order
from schema.types.payload import Payload

Asked = Info[Context, None]


@strawberry.input
class OrderLineInput:
    """A line of an order. Sku, name and unit price are copied from the product where they are not given; a line without
    a product gives all three. All prices of an order are in one currency."""

    product_id: strawberry.ID | None = UNSET
    sku: str | None = UNSET
    name: str | None = UNSET
    quantity: int
    unit_price: MoneyInput | None = UNSET


@strawberry.input
class CreateOrderInput:
    """An order of 1 to 200 lines, in the currency of its first price. Without ``placedAt`` it is placed now."""

    customer_id: strawberry.ID
    opportunity_id: strawberry.ID | None = UNSET
    channel: str | None = UNSET
    placed_at: datetime | None = UNSET
    discount: MoneyInput | None = UNSET
    shipping_fee: MoneyInput | None = UNSET
    lines: list[OrderLineInput]
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.input
class UpdateOrderInput:
    """Changes of an order that waits for its payment: an absent field stays, null clears. ``lines`` replace all that it
    has; they stay in its currency."""

    channel: str | None = UNSET
    discount: MoneyInput | None = UNSET
    shipping_fee: MoneyInput | None = UNSET
    lines: list[OrderLineInput] | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.type
class OrderPayload(Payload):
    """The order as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"order": ""}

    @strawberry.field
    def order(self, info: Asked) -> Order | None:
        """The order; null when nothing was done, or when it is out of your sight now."""
        found: Order | None = self.record(info)
        return found


_LINES = {"product_id": models.Product}
_CREATE = Act("create", models.Order, orders.create, references=_LINES)
_CREATE_FROM_OPPORTUNITY = Act(
    "create",
    models.Order,
    orders.create_from_opportunity,
    of=models.Opportunity,
    writes=("customer", "opportunity", "lines"),
)
_UPDATE = Act("update", models.Order, orders.update, references=_LINES)
_PAY = Act("pay", models.Order, orders.pay)
_SHIP = Act("ship", models.Order, orders.ship)
_DELIVER = Act("deliver", models.Order, orders.deliver)
_COMPLETE = Act("complete", models.Order, orders.complete)
_CANCEL = Act("cancel", models.Order, orders.cancel)
_REFUND = Act("refund", models.Order, orders.refund)

Version = Annotated[int, strawberry.argument(description="The version that you have seen.")]
At = Annotated[
    datetime | None,
    strawberry.argument(
        description="When it happened: not in the future, and not before the order's last step. Now, if not given."
    ),
]
Reason = Annotated[str, strawberry.argument(description="Why, in words for the order's record.")]


@strawberry.type
class OrderMutations:
    """What can be done to orders."""

    @strawberry.mutation(extensions=_CREATE_FROM_OPPORTUNITY.guard)
    async def create_order_from_opportunity(self, info: Asked, id: strawberry.ID) -> OrderPayload:
        """Make the order that a won opportunity comes to: one of its product, at its amount. Refused with DUPLICATE
        while another order of it is neither cancelled nor refunded."""
        return await _CREATE_FROM_OPPORTUNITY.do(info, OrderPayload, id=id)

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_order(self, info: Asked, input: CreateOrderInput) -> OrderPayload:
        """Make an order of a customer."""
        return await _CREATE.do(info, OrderPayload, input=input)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_order(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateOrderInput
    ) -> OrderPayload:
        """Change an order that waits for its payment."""
        return await _UPDATE.do(info, OrderPayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_PAY.guard)
    async def pay_order(self, info: Asked, id: strawberry.ID, at: At = UNSET) -> OrderPayload:
        """The payment came in."""
        return await _PAY.do(info, OrderPayload, id=id, at=at)

    @strawberry.mutation(extensions=_SHIP.guard)
    async def ship_order(self, info: Asked, id: strawberry.ID, at: At = UNSET) -> OrderPayload:
        """The goods went off."""
        return await _SHIP.do(info, OrderPayload, id=id, at=at)

    @strawberry.mutation(extensions=_DELIVER.guard)
    async def deliver_order(self, info: Asked, id: strawberry.ID, at: At = UNSET) -> OrderPayload:
        """The goods arrived."""
        return await _DELIVER.do(info, OrderPayload, id=id, at=at)

    @strawberry.mutation(extensions=_COMPLETE.guard)
    async def complete_order(self, info: Asked, id: strawberry.ID) -> OrderPayload:
        """Nothing is left to do."""
        return await _COMPLETE.do(info, OrderPayload, id=id)

    @strawberry.mutation(extensions=_CANCEL.guard)
    async def cancel_order(self, info: Asked, id: strawberry.ID, reason: Reason) -> OrderPayload:
        """Call off an order that is not shipped."""
        return await _CANCEL.do(info, OrderPayload, id=id, reason=reason)

    @strawberry.mutation(extensions=_REFUND.guard)
    async def refund_order(self, info: Asked, id: strawberry.ID, reason: Reason) -> OrderPayload:
        """Give the money back."""
        return await _REFUND.do(info, OrderPayload, id=id, reason=reason)
