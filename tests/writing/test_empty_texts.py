"""An empty text is a text that somebody gave: it is kept or refused, never taken as nothing."""

import pytest

from tests.fingerprint import fingerprint
from tests.oracle.rows import typed_id
from tests.writing.calls import PROBLEM
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio


def _customer(office: Office) -> str:
    return typed_id(office.label("probe_1"))


async def problems(office: Office, field: str, arguments: str) -> list[tuple[str, str, str]]:
    """Field, code and message of each problem of a mutation, by which nothing has changed."""
    before = await fingerprint(office.connection)
    answer = await office.do(f"mutation {{ {field}({arguments}) {{ {PROBLEM} }} }}", "ADMIN")
    assert "errors" not in answer, answer
    assert await fingerprint(office.connection) == before
    found = answer["data"][field]["errors"]
    return [(".".join(each["field"]), each["code"], each["message"]) for each in found]


async def test_an_empty_currency_is_no_currency(office: Office) -> None:
    money = '{ amount: "1", currency: "" }'
    line = '{ sku: "A", name: "A", quantity: 1, unitPrice: { amount: "1" } }'
    product = next(row for row in office.rows.all("Product") if row.deleted_at is None)
    deal, rights = office.label("deal_north"), office.rights("ADMIN")
    order = next(row for row in office.rows.all("Order") if row.status == "PENDING_PAYMENT" and rights.visible(row))
    customer, at = f'customerId: "{_customer(office)}"', "input.{}.currency".format
    for field, arguments, path in (
        ("createProduct", f'input: {{ sku: "E", name: "E", price: {money} }}', at("price")),
        (
            "updateProduct",
            f'id: "{typed_id(product)}", version: {product.version}, input: {{ price: {money} }}',
            at("price"),
        ),
        ("createOpportunity", f'input: {{ {customer}, name: "E", amount: {money} }}', at("amount")),
        (
            "updateOpportunity",
            f'id: "{typed_id(deal)}", version: {deal.version}, input: {{ amount: {money} }}',
            at("amount"),
        ),
        ("winOpportunity", f'id: "{typed_id(deal)}", amount: {money}', "amount.currency"),
        (
            "createOrder",
            f'input: {{ {customer}, lines: [{{ sku: "A", name: "A", quantity: 1, unitPrice: {money} }}] }}',
            at("lines.0.unitPrice"),
        ),
        ("createOrder", f"input: {{ {customer}, lines: [{line}], discount: {money} }}", at("discount")),
        (
            "updateOrder",
            f'id: "{typed_id(order)}", version: {order.version}, input: {{ shippingFee: {money} }}',
            at("shippingFee"),
        ),
    ):
        said = "currency is '': it must be a code of ISO 4217 such as EUR."
        assert await problems(office, field, arguments) == [(path, "INVALID", said)], field


async def test_texts_that_are_needed_cannot_be_empty(office: Office) -> None:
    customer = f'customerId: "{_customer(office)}"'
    refs = 'externalRefs: [{ system: "", id: "" }]'
    for field, arguments, paths in (
        ("createCustomer", f'input: {{ name: "", code: "", {refs} }}', ["name", "code", *_REFS]),
        ("createProduct", f'input: {{ sku: "", name: "", price: {{ amount: "1" }}, {refs} }}', ["sku", "name", *_REFS]),
        (
            "createOpportunity",
            f'input: {{ {customer}, name: "", amount: {{ amount: "1" }}, stageId: "", ownerId: "", {refs} }}',
            ["stageId", "ownerId", "name", *_REFS],
        ),
        (
            "createOrder",
            f'input: {{ {customer}, opportunityId: "", {refs}, lines:'
            ' [{ productId: "", sku: "", name: "", quantity: 1, unitPrice: { amount: "1" } }] }',
            ["opportunityId", "lines.0.productId", "lines.0.sku", "lines.0.name", *_REFS],
        ),
    ):
        found = await problems(office, field, arguments)
        assert {path for path, _, _ in found} == {f"input.{path}" for path in paths}, field
        assert {code for _, code, _ in found} <= {"REQUIRED", "INVALID"}


_REFS = ["externalRefs.0.system", "externalRefs.0.id"]
