"""Problems name no record and no value that the caller does not see, whatever role a shop has made."""

from typing import Any

import pytest

from tests.oracle.rows import typed_id
from tests.writing.deeds import Office
from tests.writing.selling import made
from tests.writing.test_orders_of_opportunities import win

pytestmark = pytest.mark.anyio

ONLY_ERRORS = "{ errors { field code message ids current params } }"


async def without(office: Office, role: str, entity: str, action: str = "read") -> None:
    """Take a right from the role."""
    statement = "DELETE FROM grants USING roles r WHERE r.id = role_id AND r.name = $1 AND entity = $2 AND action = $3"
    assert await office.connection.execute(statement, role, entity, action) == "DELETE 1"


async def grant(office: Office, role: str, entity: str, action: str) -> None:
    """Give the role a right to all rows."""
    await office.connection.execute(
        "INSERT INTO grants (id, role_id, entity, action, rows)"
        " SELECT gen_random_uuid(), id, $2, $3, 'ALL' FROM roles WHERE name = $1",
        *(role, entity, action),
    )


async def field(office: Office, role: str, entity: str, name: str, access: str) -> None:
    """Let the role read a field like this, wherever the row is."""
    found = await office.connection.execute(
        "UPDATE field_grants f SET access = $4, otherwise = $4, on_rows = 'ALL' FROM grants g, roles r"
        " WHERE g.id = f.grant_id AND r.id = g.role_id AND r.name = $1 AND g.entity = $2 AND g.action = 'read'"
        " AND f.field = $3",
        *(role, entity, name, access),
    )
    assert found == "UPDATE 1"


async def refused(office: Office, document: str, role: str, **variables: Any) -> Any:
    """The only problem of a mutation."""
    answer = await office.do(document, role, **variables)
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    (problem,) = payload["errors"]
    return problem


async def test_an_order_that_is_not_seen_is_not_named(office: Office) -> None:
    id = await win(office, product_id=None)
    first = await made(office, label="probe_2", opportunityId=id)
    document = f"mutation($id: ID!) {{ createOrderFromOpportunity(id: $id) {ONLY_ERRORS} }}"
    said = await refused(office, document, "SALES", id=id)
    assert (said["code"], said["ids"]) == ("DUPLICATE", [first["id"]])
    assert first["id"] in said["message"]
    await without(office, "SALES", "Order")
    said = await refused(office, document, "SALES", id=id)
    assert (said["code"], said["ids"]) == ("DUPLICATE", None)
    assert said["message"] == (
        "This opportunity has become an order that you may not see already: cancel or refund that first, or go on"
        " with it."
    )


async def test_how_many_opportunities_hold_a_stage_is_for_those_who_see_them_all(office: Office) -> None:
    stage = office.label("stage_Lead")
    await grant(office, "SALES", "Stage", "delete")
    document = f"mutation($id: ID!, $version: Int!) {{ deleteStage(id: $id, version: $version) {ONLY_ERRORS} }}"
    said = await refused(office, document, "SALES", id=typed_id(stage), version=stage.version)
    assert (said["code"], said["params"]) == ("IN_USE", None)
    assert said["message"] == "Opportunities are in this stage: move, win or lose what is in it first."


async def test_a_stale_write_does_not_tell_that_a_field_changed_which_is_hidden_here(office: Office) -> None:
    """SUPPORT sees the notes of the customers that somebody gave it, and of no others."""
    document = (
        "mutation($id: ID!, $version: Int!, $input: UpdateCustomerInput!)"
        f" {{ updateCustomer(id: $id, version: $version, input: $input) {ONLY_ERRORS} }}"
    )
    # Above the versions of whatever the shop's log tells of them.
    await office.connection.execute("UPDATE customers SET version = 1000 WHERE name LIKE 'Probe%'")
    await office.look()
    for label, fields in (("probe_3", ["notes", "tags"]), ("probe_4", ["tags"])):
        row = office.label(label)
        given: dict[str, Any] = {"id": typed_id(row), "version": row.version}
        await office.do(document, "ADMIN", **given, input={"notes": "changed", "tags": ["changed"]})
        said = await refused(office, document, "SUPPORT", **given, input={"tags": ["mine"]})
        assert (said["code"], sorted(said["field"])) == ("CONFLICT", fields)
        assert sorted(said["current"]) == fields
        assert ("notes" in said["message"]) == ("notes" in fields)


async def test_what_a_merge_moves_is_counted_for_those_who_see_it(office: Office) -> None:
    document = (
        "mutation($keep: ID!, $ids: [ID!]!) { mergeCustomers(keepId: $keep, mergeIds: $ids, dryRun: true)"
        " { moved { label } errors { code } } }"
    )
    given = {"keep": typed_id(office.label("probe_1")), "ids": [typed_id(office.label("probe_2"))]}

    async def labels() -> list[str]:
        answer = await office.do(document, "MANAGER", **given)
        return [each["label"] for each in answer["data"]["mergeCustomers"]["moved"]]

    assert await labels() == ["contacts", "opportunities", "orders", "tickets", "externalRefs"]
    await without(office, "MANAGER", "Ticket")
    await office.connection.execute(
        "UPDATE grants g SET rows = 'OWN' FROM roles r WHERE r.id = role_id AND r.name = 'MANAGER'"
        " AND entity = 'Opportunity' AND action = 'read'"
    )
    assert await labels() == ["contacts", "orders", "externalRefs"]


async def test_a_price_that_is_not_read_is_not_told(office: Office) -> None:
    product = next(
        row for row in office.rows.all("Product") if row.active and row.deleted_at is None and row.currency != "EUR"
    )
    lines = [
        {"sku": "A", "name": "A", "quantity": 1, "unitPrice": {"amount": "1.00", "currency": "EUR"}},
        {"productId": typed_id(product), "quantity": 1},
    ]
    document = f"mutation($input: CreateOrderInput!) {{ createOrder(input: $input) {ONLY_ERRORS} }}"
    given = {"customerId": typed_id(office.label("probe_1")), "lines": lines}
    said = await refused(office, document, "SALES", input=given)
    assert said["params"] == {"currency": "EUR", "actual": product.currency}
    await field(office, "SALES", "Product", "price", "HIDDEN")
    said = await refused(office, document, "SALES", input=given)
    assert (said["field"], said["params"]) == (["input", "lines", "1", "productId"], {"currency": "EUR"})
    assert product.currency not in said["message"]


async def test_a_stage_whose_name_is_not_read_is_called_by_its_id(office: Office) -> None:
    stage, deal = office.label("stage_Won"), office.label("deal_north")
    document = f"mutation($id: ID!, $stage: ID!) {{ moveOpportunity(id: $id, stageId: $stage) {ONLY_ERRORS} }}"
    given = {"id": typed_id(deal), "stage": typed_id(stage)}
    assert (await refused(office, document, "SALES", **given))["message"].startswith("Won is a stage")
    await field(office, "SALES", "Stage", "name", "HIDDEN")
    assert (await refused(office, document, "SALES", **given))["message"].startswith(f"{typed_id(stage)} is a stage")
