"""The rules of products."""

from copy import copy
from typing import Any

import pytest

from tests.fingerprint import fingerprint
from tests.oracle.rows import Row, typed_id
from tests.writing.calls import call, codes, message
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

SHOWN = "id sku name category price { amount currency } active version deletedAt externalRefs { system id }"
NEW = {"sku": "NEW-1", "name": "New", "price": {"amount": "1.50"}}


def product(office: Office, sku: str, *, deleted: bool = False) -> Row:
    return next(row for row in office.rows.all("Product") if row.sku == sku and (row.deleted_at is not None) == deleted)


async def change(office: Office, row: Row, **values: Any) -> Any:
    return await call(office, "updateProduct", show=SHOWN, id=typed_id(row), version=row.version, input=values)


async def test_a_new_product_is_active_and_its_price_is_in_the_shops_currency(office: Office) -> None:
    made = await call(office, "createProduct", show=SHOWN, input=NEW | {"active": None})
    assert made["errors"] == []
    assert made["product"]["price"] == {"amount": "1.50", "currency": "EUR"}
    assert made["product"]["active"] is True
    refs = [{"system": "erp", "id": "P-1"}]
    other = NEW | {"sku": "NEW-2", "active": False, "price": {"amount": "7", "currency": "JPY"}, "externalRefs": refs}
    made = await call(office, "createProduct", show=SHOWN, input=other)
    assert made["product"]["price"] == {"amount": "7", "currency": "JPY"}
    assert made["product"]["active"] is False
    assert made["product"]["externalRefs"] == refs


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"sku": " "}, [("input.sku", "REQUIRED")]),
        ({"sku": "s" * 501}, [("input.sku", "TOO_LONG")]),
        ({"sku": "SKU-001"}, [("input.sku", "UNIQUE")]),
        ({"sku": "GONE-1"}, []),
        ({"name": ""}, [("input.name", "REQUIRED")]),
        ({"name": "n" * 501}, [("input.name", "TOO_LONG")]),
        ({"category": "c" * 20_001}, [("input.category", "TOO_LONG")]),
        ({"category": "\0"}, [("input.category", "INVALID")]),
        ({"price": {"amount": "-0.01"}}, [("input.price.amount", "OUT_OF_RANGE")]),
        ({"price": {"amount": "0"}}, []),
        ({"price": {"amount": "-0"}}, []),
        ({"price": {"amount": "999999999999999.99"}}, []),
        ({"price": {"amount": "0.001"}}, [("input.price.amount", "INVALID")]),
        ({"price": {"amount": "0.001", "currency": "KWD"}}, []),
        ({"price": {"amount": "0.5", "currency": "JPY"}}, [("input.price.amount", "INVALID")]),
        ({"price": {"amount": "1", "currency": "eur"}}, [("input.price.currency", "INVALID")]),
        (
            {"sku": "", "name": "", "price": {"amount": "-1"}},
            [("input.name", "REQUIRED"), ("input.price.amount", "OUT_OF_RANGE"), ("input.sku", "REQUIRED")],
        ),
    ],
)
async def test_what_a_new_product_may_be(office: Office, given: dict[str, Any], found: list[tuple[str, str]]) -> None:
    before = await fingerprint(office.connection)
    made = await call(office, "createProduct", show=SHOWN, input=NEW | given)
    assert codes(made) == found
    assert (await fingerprint(office.connection) == before) == bool(found)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"sku": None}, [("input.sku", "REQUIRED")]),
        ({"name": None}, [("input.name", "REQUIRED")]),
        ({"price": None}, [("input.price", "REQUIRED")]),
        ({"active": None}, [("input.active", "REQUIRED")]),
        ({"category": None}, []),
        ({"externalRefs": None}, []),
        ({"sku": "SKU-002"}, [("input.sku", "UNIQUE")]),
        ({"sku": "SKU-001"}, []),
        ({"price": {"amount": "-1"}}, [("input.price.amount", "OUT_OF_RANGE")]),
    ],
)
async def test_what_a_product_may_become(office: Office, given: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert codes(await change(office, product(office, "SKU-001"), **given)) == found


async def test_a_new_price_keeps_the_currency_unless_another_is_said(office: Office) -> None:
    # The rows are those of all tests, which go on from them.
    row = copy(next(each for each in office.rows.all("Product") if each.currency == "JPY" and each.deleted_at is None))
    assert (await change(office, row, price={"amount": "12"}))["product"]["price"] == {
        "amount": "12",
        "currency": "JPY",
    }
    row.version += 1
    assert codes(await change(office, row, price={"amount": "12.5"})) == [("input.price.amount", "INVALID")]
    euros = {"amount": "12.5", "currency": "EUR"}
    assert (await change(office, row, price=euros))["product"]["price"] == {"amount": "12.50", "currency": "EUR"}


async def test_a_product_of_which_there_are_orders_may_go_and_its_lines_stand(office: Office) -> None:
    lines = office.rows.all("OrderLine")
    row = next(each for each in office.rows.all("Product") if each.deleted_at is None and each.id in _sold(lines))
    gone = await call(office, "deleteProduct", show=SHOWN, id=typed_id(row), version=row.version)
    assert gone["errors"] == []
    assert gone["product"]["deletedAt"] is not None
    assert {vars(line)["id"] for line in (await office.look()).all("OrderLine")} == {line.id for line in lines}
    assert codes(await call(office, "restoreProduct", id=typed_id(row))) == []
    again = await call(office, "restoreProduct", id=typed_id(row))
    assert codes(again) == [("id", "INVALID_TRANSITION")]


def _sold(lines: list[Row]) -> set[Any]:
    return {line.product_id for line in lines}


async def test_a_deleted_product_does_not_come_back_beside_a_live_one_of_its_sku(office: Office) -> None:
    row = product(office, "SKU-002", deleted=True)
    before = await fingerprint(office.connection)
    for role in ("ADMIN", "INTEGRATION"):
        refused = await call(office, "restoreProduct", role, id=typed_id(row))
        assert codes(refused) == [("id", "UNIQUE")]
        assert refused["errors"][0]["params"] == {"field": "sku"}
        assert "sku" in message(refused)
    assert await fingerprint(office.connection) == before
