"""A won opportunity becomes an order: when, as what, by whom, and once."""

import asyncio
from typing import Any

import orjson
import pytest

from tests.fingerprint import fingerprint
from tests.oracle.rows import typed_id
from tests.writing.deeds import Office
from tests.writing.selling import FROM_OPPORTUNITY, codes, create, do, made, problem, product, step, untrue, uuid

pytestmark = pytest.mark.anyio


async def win(office: Office, label: str = "deal_north", **values: Any) -> str:
    """The id of an opportunity that is won now."""
    assigned = {"stage_id": office.ids["stage_Won"], **values}
    names = ", ".join(f"{name} = ${number}" for number, name in enumerate(assigned, 2))
    await office.connection.execute(
        f"UPDATE opportunities SET {names} WHERE id = $1", office.ids[label], *assigned.values()
    )
    return typed_id(office.label(label))


async def become(office: Office, id: str, role: str = "ADMIN") -> Any:
    return await do(office, FROM_OPPORTUNITY, role, id=id)


async def test_its_product_is_sold_at_its_amount(office: Office) -> None:
    sold = await product(office, "P-1", "99.00", "USD")
    id = await win(office, product_id=uuid(sold))
    payload = await become(office, id, "SALES")
    assert payload["errors"] == []
    order = payload["order"]
    (line,) = order["lines"]
    assert (line["product"], line["sku"], line["name"], line["quantity"]) == ({"id": sold}, "P-1", "Product P-1", 1)
    assert line["unitPrice"] == order["subtotal"] == order["total"] == {"amount": "10.05", "currency": "EUR"}
    assert (order["customer"]["id"], order["opportunity"]["id"]) == (typed_id(office.label("probe_2")), id)
    assert (order["status"], len(order["statusChanges"])) == ("PENDING_PAYMENT", 1)
    event = (await office.events())[-1]
    assert (event["action"], event["entity"], event["record_id"]) == ("create", "Order", uuid(order["id"]))
    assert orjson.loads(event["changes"])["opportunity"]["after"] == id
    assert await untrue(office) == []


async def test_without_a_product_it_is_sold_under_its_name(office: Office) -> None:
    order = (await become(office, await win(office, product_id=None)))["order"]
    (line,) = order["lines"]
    assert (line["product"], line["sku"], line["name"]) == (None, "DEAL", "Deal North")


async def test_only_a_won_one(office: Office) -> None:
    await office.connection.execute("UPDATE orders SET opportunity_id = NULL")
    said = problem(await become(office, typed_id(office.label("deal_north"))))
    assert (said["field"], said["code"], said["params"]) == (["id"], "INVALID", {"kind": "OPEN"})
    assert said["message"] == "Only a won opportunity becomes an order, and this one is OPEN: win it first."
    said = problem(await become(office, typed_id(office.label("deal_deleted"))))
    assert (said["code"], said["message"]) == ("NOT_FOUND", "There is no Opportunity with this id that you may see.")


@pytest.mark.parametrize("change", ["active = false", "deleted_at = now()"])
async def test_not_of_a_product_that_is_sold_no_more(office: Office, change: str) -> None:
    sold = await product(office)
    id = await win(office, product_id=uuid(sold))
    await office.connection.execute(f"UPDATE products SET {change} WHERE id = $1", uuid(sold))
    said = problem(await become(office, id))
    assert (said["field"], said["code"]) == (["id"], "INVALID")
    assert "not sold any more" in said["message"]


async def test_once_while_its_order_lives(office: Office) -> None:
    id = await win(office, product_id=None)
    first = (await become(office, id))["order"]
    said = problem(await become(office, id))
    assert (said["field"], said["code"], said["ids"]) == (["id"], "DUPLICATE", [first["id"]])
    await step(office, first, "cancel")
    second = await made(office, label="probe_2", opportunityId=id)
    assert problem(await become(office, id))["ids"] == [second["id"]]
    await step(office, second, "cancel")
    third = (await become(office, id))["order"]
    await step(office, third, "pay")
    assert codes(await become(office, id)) == [("id", "DUPLICATE")]
    await step(office, third, "refund")
    assert codes(await become(office, id)) == []


async def test_nor_is_another_one_made_of_it_line_by_line(office: Office) -> None:
    id = await win(office, product_id=None)
    first = (await become(office, id))["order"]
    before = await fingerprint(office.connection)
    said = problem(await create(office, label="probe_2", opportunityId=id))
    assert (said["field"], said["code"], said["ids"]) == (["input", "opportunityId"], "DUPLICATE", [first["id"]])
    assert await fingerprint(office.connection) == before
    await step(office, first, "cancel")
    assert codes(await create(office, label="probe_2", opportunityId=id)) == []
    assert codes(await create(office, label="probe_2")) == [], "Others of the customer are none of its business."


async def test_twenty_at_once_make_one_order(office: Office) -> None:
    id = await win(office, product_id=None)
    ways = [
        become(office, id) if number % 2 else create(office, label="probe_2", opportunityId=id) for number in range(20)
    ]
    payloads = await asyncio.gather(*ways)
    (order,) = [payload["order"] for payload in payloads if not payload["errors"]]
    assert [payload["errors"][0]["ids"] for payload in payloads if payload["errors"]] == [[order["id"]]] * 19
    live = await office.connection.fetchval("SELECT count(*) FROM orders WHERE opportunity_id = $1", uuid(id))
    assert live == 1


async def refused(office: Office, id: str) -> Any:
    before = await fingerprint(office.connection)
    answer = await office.do(FROM_OPPORTUNITY, "SALES", id=id)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert await fingerprint(office.connection) == before
    return error["extensions"]


async def test_the_order_has_to_be_one_that_the_caller_may_make(office: Office) -> None:
    """To see the opportunity is not enough: the customer is another's."""
    id = await win(office, "deal_south", product_id=None)
    await office.connection.execute(
        "UPDATE grants SET rows = 'ALL' FROM roles r WHERE r.id = role_id AND r.name = 'SALES' AND action = 'read'"
        " AND entity IN ('Customer', 'Opportunity', 'Order', 'OrderLine', 'OrderStatusChange')"
    )
    await office.connection.execute(
        "UPDATE opportunities SET owner_id = NULL WHERE customer_id = $1", office.ids["probe_2"]
    )
    details = await refused(office, id)
    assert (details["entity"], details["action"]) == ("Order", "create")


async def test_a_field_that_is_closed_to_the_caller_is_not_filled(office: Office) -> None:
    id = await win(office, product_id=None)
    await office.connection.execute(
        "DELETE FROM field_grants USING grants g JOIN roles r ON r.id = g.role_id WHERE g.id = grant_id"
        " AND r.name = 'SALES' AND g.entity = 'Order' AND g.action = 'create' AND field = 'opportunity'"
    )
    assert (await refused(office, id))["field"] == "opportunity"
