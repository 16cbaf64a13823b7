"""What the tests of orders share: making them, and looking at what stands in the database."""

from typing import Any
from uuid import UUID

from app.db.ids import new_id, print_id, split_id
from tests.oracle.rows import typed_id
from tests.writing.deeds import Office

ORDER = """{
  order {
    id number status version channel customer { id } opportunity { id } placedAt paidAt shippedAt deliveredAt
    completedAt cancelledAt refundedAt
    subtotal { amount currency } discount { amount } shippingFee { amount } total { amount currency }
    lines { product { id } sku name quantity unitPrice { amount currency } total { amount } }
    statusChanges { fromStatus toStatus changedAt changedBy { id } reason }
    externalRefs { system id }
  }
  errors { field code message ids params }
}"""
CREATE = f"mutation($input: CreateOrderInput!) {{ createOrder(input: $input) {ORDER} }}"
UPDATE = f"""mutation($id: ID!, $version: Int!, $input: UpdateOrderInput!) {{
  updateOrder(id: $id, version: $version, input: $input) {ORDER}
}}"""
FROM_OPPORTUNITY = f"mutation($id: ID!) {{ createOrderFromOpportunity(id: $id) {ORDER} }}"
STEPS = {
    "pay": f"mutation($id: ID!, $at: DateTime) {{ payOrder(id: $id, at: $at) {ORDER} }}",
    "ship": f"mutation($id: ID!, $at: DateTime) {{ shipOrder(id: $id, at: $at) {ORDER} }}",
    "deliver": f"mutation($id: ID!, $at: DateTime) {{ deliverOrder(id: $id, at: $at) {ORDER} }}",
    "complete": f"mutation($id: ID!) {{ completeOrder(id: $id) {ORDER} }}",
    "cancel": f"mutation($id: ID!, $reason: String!) {{ cancelOrder(id: $id, reason: $reason) {ORDER} }}",
    "refund": f"mutation($id: ID!, $reason: String!) {{ refundOrder(id: $id, reason: $reason) {ORDER} }}",
}
THING: dict[str, Any] = {"sku": "A", "name": "A thing", "quantity": 2, "unitPrice": {"amount": "2.50"}}


async def do(office: Office, document: str, role: str = "ADMIN", **variables: Any) -> Any:
    """The payload of a mutation."""
    answer = await office.do(document, role, **variables)
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload


async def create(office: Office, role: str = "ADMIN", label: str = "probe_1", **values: Any) -> Any:
    """The payload of a new order of the customer ``label``; one line of a thing, if no others are given."""
    return await do(
        office, CREATE, role, input={"customerId": typed_id(office.label(label)), "lines": [THING], **values}
    )


async def made(office: Office, **values: Any) -> Any:
    """A new order."""
    payload = await create(office, **values)
    assert payload["errors"] == []
    return payload["order"]


async def update(office: Office, order: Any, role: str = "ADMIN", **values: Any) -> Any:
    """The payload of a change."""
    return await do(office, UPDATE, role, id=order["id"], version=order["version"], input=values)


async def step(office: Office, order: Any, action: str, role: str = "ADMIN", **values: Any) -> Any:
    """The payload of a step; a reason is given where one is needed."""
    if action in ("cancel", "refund"):
        values = {"reason": "Asked for", **values}
    return await do(office, STEPS[action], role, id=order["id"], **values)


async def product(
    office: Office, sku: str = "P", price: str = "10.00", currency: str = "EUR", active: bool = True
) -> str:
    """The id of a new product."""
    id = new_id()
    await office.connection.execute(
        "INSERT INTO products (id, sku, name, price, currency, active) VALUES ($1, $2, $3, $4::text::numeric, $5, $6)",
        *(id, sku, f"Product {sku}", price, currency, active),
    )
    return print_id("prd", id)


def uuid(typed: str) -> UUID:
    """The bare id."""
    split = split_id(typed)
    assert split is not None
    return split[1]


def codes(payload: Any) -> list[tuple[str, str]]:
    """Field path and code of each problem."""
    return [(".".join(error["field"] or ()), error["code"]) for error in payload["errors"]]


def problem(payload: Any) -> Any:
    """The only problem."""
    (found,) = payload["errors"]
    return found


async def untrue(office: Office) -> list[Any]:
    """Orders made here whose amounts or history are not what they should be."""
    return await office.connection.fetch(
        """
        SELECT o.id FROM orders o WHERE o.number > 'O000001000' AND (
            subtotal <> (SELECT coalesce(sum(total), 0) FROM order_lines WHERE order_id = o.id)
            OR total <> subtotal - discount + shipping_fee
            OR status IS DISTINCT FROM (SELECT to_status FROM order_status_changes WHERE order_id = o.id
                ORDER BY changed_at DESC, id DESC LIMIT 1)
            OR EXISTS (SELECT FROM (
                SELECT from_status, lag(to_status) OVER w AS before FROM order_status_changes WHERE order_id = o.id
                WINDOW w AS (ORDER BY changed_at, id)) c WHERE from_status IS DISTINCT FROM before))
        """
    )
