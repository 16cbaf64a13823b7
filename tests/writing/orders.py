"""The mutations of orders."""

from typing import Any

from tests.oracle.rows import Row, typed_id
from tests.writing.deeds import Deed, Office, by_id, by_version

ORDER = "{ order { id number status version total { amount } } errors { field code message } }"


def _in(*statuses: str) -> Any:
    return lambda office, row: row.status in statuses


def _can_become_an_order(office: Office, row: Row) -> bool:
    """Whether the opportunity is won, its product is sold still, and no live order has come of it."""
    stage, product = (office.rows.find(*at) for at in (("Stage", row.stage_id), ("Product", row.product_id)))
    orders = [order for order in office.rows.all("Order") if order.opportunity_id == row.id]
    return (
        stage is not None
        and stage.kind == "WON"
        and (row.product_id is None or (product is not None and product.active and product.deleted_at is None))
        and all(order.status in ("CANCELLED", "REFUNDED") for order in orders)
    )


def _step(field: str, action: str, *statuses: str, reason: bool = False) -> Deed:
    given, argument = (", $reason: String!", ", reason: $reason") if reason else ("", "")
    return Deed(
        field,
        action,
        "Order",
        f"mutation($id: ID!{given}) {{ {field}(id: $id{argument}) {ORDER} }}",
        about="Order",
        suits=_in(*statuses),
        variables=(lambda office, row: by_id(office, row) | {"reason": "Asked for"}) if reason else by_id,
    )


DEEDS = (
    Deed(
        "createOrder",
        "create",
        "Order",
        "mutation($customer: ID!) { createOrder(input: { customerId: $customer,"
        ' lines: [{ sku: "A", name: "A thing", quantity: 2, unitPrice: { amount: "2.50" } }] }) ' + ORDER + " }",
        about="Customer",
        variables=lambda office, row: {"customer": typed_id(row)},
    ),
    Deed(
        "createOrderFromOpportunity",
        "create",
        "Order",
        f"mutation($id: ID!) {{ createOrderFromOpportunity(id: $id) {ORDER} }}",
        about="Opportunity",
        suits=_can_become_an_order,
    ),
    Deed(
        "updateOrder",
        "update",
        "Order",
        'mutation($id: ID!, $version: Int!) { updateOrder(id: $id, version: $version, input: { channel: "written" }) '
        + ORDER
        + " }",
        about="Order",
        suits=lambda office, row: row.status == "PENDING_PAYMENT" and row.channel != "written",
        variables=by_version,
    ),
    _step("payOrder", "pay", "PENDING_PAYMENT"),
    _step("shipOrder", "ship", "PAID"),
    _step("deliverOrder", "deliver", "SHIPPED"),
    _step("completeOrder", "complete", "DELIVERED"),
    _step("cancelOrder", "cancel", "PENDING_PAYMENT", "PAID", reason=True),
    _step("refundOrder", "refund", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", reason=True),
)
