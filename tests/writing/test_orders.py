"""Making and changing orders: every rule, with the problem that it answers and where."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.fingerprint import fingerprint
from tests.oracle.rows import typed_id
from tests.writing.deeds import Office
from tests.writing.selling import THING, codes, create, made, problem, product, step, untrue, update, uuid

pytestmark = pytest.mark.anyio


async def test_a_line_copies_its_product_and_what_is_given_goes_before(office: Office) -> None:
    id = await product(office, "P-1", "10.00")
    lines = [
        {"productId": id, "quantity": 3},
        {"productId": id, "quantity": 1, "unitPrice": {"amount": "8.5"}, "name": "Dented", "sku": None},
        THING,
    ]
    order = await made(
        office, lines=lines, discount={"amount": "3.50"}, shippingFee={"amount": "4"}, channel="web", placedAt=None
    )
    assert order["lines"] == [
        {
            "product": {"id": id},
            "sku": "P-1",
            "name": "Product P-1",
            "quantity": 3,
            "unitPrice": {"amount": "10.00", "currency": "EUR"},
            "total": {"amount": "30.00"},
        },
        {
            "product": {"id": id},
            "sku": "P-1",
            "name": "Dented",
            "quantity": 1,
            "unitPrice": {"amount": "8.50", "currency": "EUR"},
            "total": {"amount": "8.50"},
        },
        {
            "product": None,
            "sku": "A",
            "name": "A thing",
            "quantity": 2,
            "unitPrice": {"amount": "2.50", "currency": "EUR"},
            "total": {"amount": "5.00"},
        },
    ]
    assert order["subtotal"] == {"amount": "43.50", "currency": "EUR"}
    assert order["total"] == {"amount": "44.00", "currency": "EUR"}
    assert (order["status"], order["version"], order["channel"]) == ("PENDING_PAYMENT", 1, "web")
    (first,) = order["statusChanges"]
    assert (first["fromStatus"], first["toStatus"], first["changedAt"]) == (None, "PENDING_PAYMENT", order["placedAt"])
    assert first["changedBy"]["id"] == f"usr_{office.user('ADMIN').hex}"
    await office.connection.execute("UPDATE products SET price = 99.00, name = 'New' WHERE sku = 'P-1'")
    payload = await update(office, order, channel="phone")
    assert payload["order"]["lines"] == order["lines"]
    assert await untrue(office) == []


async def test_the_audit_event_of_a_new_order_tells_its_lines_and_amounts(office: Office) -> None:
    order = await made(office, discount={"amount": "1"})
    event = (await office.events())[-1]
    changes = orjson.loads(event["changes"])
    assert (event["action"], event["entity"], event["record_id"]) == ("create", "Order", uuid(order["id"]))
    assert changes["lines"]["after"] == [
        {
            "product": None,
            "sku": "A",
            "name": "A thing",
            "quantity": 2,
            "unitPrice": {"amount": "2.50", "currency": "EUR"},
        }
    ]
    assert changes["total"] == {"before": None, "after": {"amount": "4.00", "currency": "EUR"}}
    assert changes["status"] == {"before": None, "after": "PENDING_PAYMENT"}


async def test_all_problems_of_an_order_come_at_once(office: Office) -> None:
    gone = await product(office, "OLD", active=False)
    dollars = await product(office, "USD", currency="USD")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    payload = await create(
        office,
        placedAt=later,
        channel="x" * 20_001,
        opportunityId="opp_" + "0" * 32,
        discount={"amount": "0.001"},
        shippingFee={"amount": "1", "currency": "USD"},
        lines=[
            {"quantity": 0},
            THING | {"sku": " ", "name": None, "unitPrice": {"amount": "-1"}},
            THING | {"productId": "prd_1"},
            {"productId": "prd_" + "0" * 32, "quantity": 1},
            {"productId": gone, "quantity": 1},
            {"productId": dollars, "quantity": 1},
            THING | {"quantity": 100_001, "sku": "x" * 501, "unitPrice": {"amount": "1", "currency": "USD"}},
            THING,
        ],
        externalRefs=[{"system": "", "id": "1"}],
    )
    assert payload["order"] is None
    assert sorted(codes(payload)) == sorted(
        [
            ("input.placedAt", "OUT_OF_RANGE"),
            ("input.channel", "TOO_LONG"),
            ("input.opportunityId", "NOT_FOUND"),
            ("input.discount.amount", "INVALID"),
            ("input.shippingFee.currency", "INVALID"),
            ("input.lines.0.quantity", "OUT_OF_RANGE"),
            ("input.lines.0.sku", "REQUIRED"),
            ("input.lines.0.name", "REQUIRED"),
            ("input.lines.0.unitPrice", "REQUIRED"),
            ("input.lines.1.sku", "REQUIRED"),
            ("input.lines.1.name", "REQUIRED"),
            ("input.lines.1.unitPrice.amount", "OUT_OF_RANGE"),
            ("input.lines.2.productId", "INVALID"),
            ("input.lines.3.productId", "NOT_FOUND"),
            ("input.lines.4.productId", "INVALID"),
            ("input.lines.5.productId", "INVALID"),
            ("input.lines.6.quantity", "OUT_OF_RANGE"),
            ("input.lines.6.sku", "TOO_LONG"),
            ("input.lines.6.unitPrice.currency", "INVALID"),
            ("input.externalRefs.0.system", "REQUIRED"),
        ]
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"lines": []}, [("input.lines", "REQUIRED")]),
        ({"lines": [THING] * 200}, []),
        ({"lines": [THING] * 201}, [("input.lines", "TOO_LONG")]),
        ({"lines": [THING | {"quantity": 100_000}]}, []),
        ({"lines": [THING | {"quantity": -1}]}, [("input.lines.0.quantity", "OUT_OF_RANGE")]),
        ({"lines": [THING | {"unitPrice": {"amount": "0"}}]}, []),
        ({"discount": {"amount": "5.00"}}, []),
        ({"discount": {"amount": "5.01"}, "shippingFee": {"amount": "9"}}, [("input.discount", "OUT_OF_RANGE")]),
        ({"discount": {"amount": "-1"}}, [("input.discount.amount", "OUT_OF_RANGE")]),
        ({"discount": None, "shippingFee": None}, []),
        (
            {"lines": [THING | {"quantity": 1, "unitPrice": {"amount": "999999999999999.99"}}]},
            [],
        ),
        (
            {
                "lines": [THING | {"quantity": 1, "unitPrice": {"amount": "999999999999999.99"}}],
                "shippingFee": {"amount": "0.01"},
            },
            [("input.lines", "OUT_OF_RANGE")],
        ),
        ({"lines": [THING | {"unitPrice": {"amount": "500000000000000"}}]}, [("input.lines", "OUT_OF_RANGE")]),
        (
            {"lines": [THING | {"quantity": 100_000, "unitPrice": {"amount": "999999999999999"}}] * 200},
            [("input.lines", "OUT_OF_RANGE")],
        ),
        ({"lines": [THING | {"sku": "x" * 500}]}, []),
        ({"lines": [THING | {"sku": "a\0"}]}, [("input.lines.0.sku", "INVALID")]),
        ({"placedAt": "2020-02-29T12:00:00Z"}, []),
    ],
)
async def test_boundaries(office: Office, values: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    before = await fingerprint(office.connection)
    payload = await create(office, **values)
    assert codes(payload) == expected
    if expected:
        assert await fingerprint(office.connection) == before
    assert await untrue(office) == []


async def test_an_order_is_in_the_currency_of_its_first_price(office: Office) -> None:
    yen = await product(office, "YEN", "300", "JPY")
    line = {"productId": yen, "quantity": 1}

    def own(amount: str, currency: str | None = None) -> dict[str, Any]:
        return THING | {"unitPrice": {"amount": amount, "currency": currency}}

    assert (await made(office))["total"]["currency"] == "EUR"
    assert (await made(office, lines=[line, own("7")]))["total"] == {"amount": "314", "currency": "JPY"}
    assert (await made(office, lines=[own("1.5", "KWD"), own("2")]))["total"] == {"amount": "7.000", "currency": "KWD"}
    cheap = line | {"unitPrice": {"amount": "250"}}
    assert (await made(office, lines=[cheap]))["total"] == {"amount": "250", "currency": "JPY"}
    priced = line | {"unitPrice": {"amount": "2.50", "currency": "EUR"}}
    assert (await made(office, lines=[priced, THING]))["total"] == {"amount": "7.50", "currency": "EUR"}
    said = problem(await create(office, lines=[THING, line]))
    assert (said["field"], said["params"]) == (
        ["input", "lines", "1", "productId"],
        {"currency": "EUR", "actual": "JPY"},
    )
    assert said["message"] == "This product's price is in JPY, the order is in EUR: say its unitPrice."
    assert codes(await create(office, lines=[line, own("0.5")])) == [("input.lines.1.unitPrice.amount", "INVALID")]
    assert codes(await create(office, lines=[own("1", "eur"), THING])) == [
        ("input.lines.0.unitPrice.currency", "INVALID")
    ]
    assert codes(await create(office, lines=[line], discount={"amount": "0.5"})) == [
        ("input.discount.amount", "INVALID")
    ]


async def test_an_opportunity_has_to_be_of_the_same_customer(office: Office) -> None:
    deal = typed_id(office.label("deal_north"))
    said = problem(await create(office, label="probe_1", opportunityId=deal))
    assert (said["field"], said["code"]) == (["input", "opportunityId"], "INVALID")
    assert said["message"] == f"opportunity {deal} is not one of this customer."
    order = await made(office, label="probe_2", opportunityId=deal)
    assert order["opportunity"] == {"id": deal}


async def test_an_order_of_a_merged_customer_is_one_of_the_survivor(office: Office) -> None:
    assert (await made(office, label="probe_merged"))["customer"]["id"] == typed_id(office.label("probe_1"))


async def test_lines_replace_all_lines(office: Office) -> None:
    id = await product(office, "P-1", "10.00")
    order = await made(office, lines=[THING, THING | {"sku": "B"}], discount={"amount": "10.00"})
    payload = await update(office, order, lines=[{"productId": id, "quantity": 2}])
    assert payload["errors"] == []
    now = payload["order"]
    assert [line["sku"] for line in now["lines"]] == ["P-1"]
    assert (now["subtotal"]["amount"], now["total"]["amount"], now["version"]) == ("20.00", "10.00", 2)
    event = (await office.events())[-1]
    changes = orjson.loads(event["changes"])
    assert set(changes) == {"lines", "subtotal", "total"}
    assert [[line["sku"] for line in changes["lines"][when]] for when in ("before", "after")] == [["A", "B"], ["P-1"]]
    assert (changes["total"]["before"]["amount"], changes["total"]["after"]["amount"]) == ("0.00", "10.00")
    assert await untrue(office) == []


async def test_other_lines_that_add_up_to_the_same_are_a_change_and_the_same_lines_are_none(office: Office) -> None:
    order = await made(office)
    known = len(await office.events())
    same = await update(office, order, lines=[THING])
    assert (same["order"]["version"], len(await office.events())) == (1, known)
    other = await update(office, order, lines=[THING | {"name": "Another"}])
    assert (other["order"]["version"], other["order"]["subtotal"]["amount"]) == (2, "5.00")
    stale = await update(office, order, channel="web")
    assert [code for _, code in codes(stale)] == ["CONFLICT"]
    assert len(await office.connection.fetch("SELECT FROM order_lines WHERE order_id = $1", uuid(order["id"]))) == 1


async def test_an_absent_field_stays_and_null_clears(office: Office) -> None:
    order = await made(office, channel="web", discount={"amount": "1"}, externalRefs=[{"system": "pos", "id": "1"}])
    payload = await update(office, order, shippingFee={"amount": "2"})
    assert (payload["order"]["channel"], payload["order"]["total"]["amount"]) == ("web", "6.00")
    payload = await update(office, payload["order"], channel=None, externalRefs=[])
    assert (payload["order"]["channel"], payload["order"]["externalRefs"]) == (None, [])
    payload = await update(office, payload["order"], discount=None, shippingFee=None, lines=None)
    assert codes(payload) == [
        ("input.discount", "REQUIRED"),
        ("input.shippingFee", "REQUIRED"),
        ("input.lines", "REQUIRED"),
    ]


async def test_a_discount_never_exceeds_the_lines(office: Office) -> None:
    order = await made(office, discount={"amount": "5"})
    cheaper = [THING | {"quantity": 1}]
    assert codes(await update(office, order, lines=cheaper)) == [("input.lines", "OUT_OF_RANGE")]
    assert codes(await update(office, order, discount={"amount": "5.01"})) == [("input.discount", "OUT_OF_RANGE")]
    payload = await update(office, order, lines=cheaper, discount={"amount": "2.50"})
    assert payload["order"]["total"]["amount"] == "0.00"


async def test_an_order_keeps_its_currency(office: Office) -> None:
    order = await made(office)
    yen = await product(office, "YEN", "300", "JPY")
    payload = await update(office, order, lines=[{"productId": yen, "quantity": 1}])
    assert codes(payload) == [("input.lines.0.productId", "INVALID")]
    payload = await update(office, order, discount={"amount": "1", "currency": "JPY"})
    assert codes(payload) == [("input.discount.currency", "INVALID")]


@pytest.mark.parametrize("action", ["pay", "cancel"])
async def test_only_an_order_that_waits_for_its_payment_can_be_changed(office: Office, action: str) -> None:
    order = (await step(office, await made(office), action))["order"]
    said = problem(await update(office, order, channel="late"))
    assert (said["field"], said["code"]) == (["id"], "INVALID_TRANSITION")
    assert said["params"] == {"from": order["status"], "allowed": ["PENDING_PAYMENT"]}
    assert said["message"] == f"This order is {order['status']}: only one that is PENDING_PAYMENT can be changed."
