"""Orders with their history, and lines that add up on them."""

from datetime import UTC, datetime

import pytest

from tests.importing.conftest import Desk, figures

pytestmark = pytest.mark.anyio

KEY = 'system = "shop"\nexternal_id = "{id}"\n'
ORDER = KEY + (
    '[fields]\ncustomer = "C"\ncurrency = "EUR"\nstatus = "{status}"\nplaced_at = "{placed}"\npaid_at = "{paid}"\n'
    'shipped_at = "{shipped}"\n'
)
HEAD = "id,status,placed,paid,shipped\n"
LINE = (
    'system = "shop"\n[fields]\norder = "{order}"\nposition = "{pos}"\nquantity = "{n}"\nunit_price = "{price}"\n'
    'product = { value = "{sku}", by = "sku" }\nshipping_fee = "{fee}"\n'
)
LINES = "order,pos,sku,n,price,fee\n"
HISTORY = (
    "SELECT c.from_status, c.to_status, extract(day FROM c.changed_at)::int FROM order_status_changes c"
    " JOIN external_refs r ON r.record_id = c.order_id WHERE r.external_id = $1 ORDER BY c.changed_at, c.id"
)
SUMS = (
    "SELECT r.external_id, o.subtotal::text, o.shipping_fee::text, o.total::text, o.version FROM orders o"
    " JOIN external_refs r ON r.record_id = o.id ORDER BY 1"
)


@pytest.fixture
async def shop(desk: Desk) -> Desk:
    await desk.run("customer", KEY + '[fields]\nname = "{id}"\n', "id\nC\nD\n")
    product = '[fields]\nsku = "{s}"\nname = "{s} name"\nprice = "{p}"\ncurrency = "{c}"\n'
    await desk.run("product", product, "s,p,c\nA,10,EUR\nB,2.5,EUR\nU,7,USD\n")
    return desk


async def test_an_order_has_a_step_for_every_time_and_ends_in_its_status(shop: Desk) -> None:
    text = HEAD + (
        "1,shipped,2024-01-01,2024-01-02,2024-01-03\n"
        "2,cancelled,2024-01-01,2024-01-02,\n"
        "3,delivered,2024-01-01,,\n"
        "4,shipped,2024-01-01,2024-01-05,2024-01-03\n"
        "5,pending_payment,2024-01-01,,\n"
    )
    assert figures(await shop.run("order", ORDER, text)) == (5, 0, 0, 0, 0)
    start = (None, "PENDING_PAYMENT", 1)
    assert await shop.rows(HISTORY, "1") == [start, ("PENDING_PAYMENT", "PAID", 2), ("PAID", "SHIPPED", 3)]
    assert await shop.rows(HISTORY, "2") == [start, ("PENDING_PAYMENT", "PAID", 2), ("PAID", "CANCELLED", 2)]
    assert await shop.rows(HISTORY, "3") == [start, ("PENDING_PAYMENT", "DELIVERED", 1)]
    # A step dated before the one before it: the order keeps its times, its history does not run backwards.
    assert await shop.rows(HISTORY, "4") == [start, ("PENDING_PAYMENT", "PAID", 5), ("PAID", "SHIPPED", 5)]
    assert await shop.rows(HISTORY, "5") == [start]
    assert await shop.rows(
        "SELECT cancelled_at, delivered_at FROM orders WHERE status IN ('CANCELLED', 'DELIVERED')"
    ) == [
        (datetime(2024, 1, 2, tzinfo=UTC), None),
        (None, None),
    ]
    assert await shop.value("SELECT shipped_at FROM orders WHERE shipped_at < paid_at") == datetime(
        2024, 1, 3, tzinfo=UTC
    )
    assert figures(await shop.run("order", ORDER, text)) == (0, 0, 5, 0, 0)
    assert await shop.value("SELECT count(*) FROM order_status_changes") == 12


async def test_an_order_that_moved_on_gets_the_steps_it_lacks(shop: Desk) -> None:
    await shop.run("order", ORDER, HEAD + "1,paid,2024-01-01,2024-01-02,\n2,paid,2024-01-01,2024-01-02,\n")
    moved = HEAD + "1,delivered,2024-01-01,2024-01-02,2024-01-04\n2,paid,2024-01-01,2024-01-02,\n"
    assert figures(await shop.run("order", ORDER, moved)) == (0, 1, 1, 0, 0)
    assert await shop.rows(HISTORY, "1") == [
        (None, "PENDING_PAYMENT", 1),
        ("PENDING_PAYMENT", "PAID", 2),
        ("PAID", "SHIPPED", 4),
        ("SHIPPED", "DELIVERED", 4),
    ]
    assert len(await shop.rows(HISTORY, "2")) == 2
    back = HEAD + "1,paid,2024-01-01,2024-01-02,2024-01-04\n"
    await shop.run("order", ORDER, back)
    last = (await shop.rows(HISTORY.replace("extract(day FROM c.changed_at)::int", "c.changed_at = now()"), "1"))[-1]
    assert last == ("DELIVERED", "PAID", True)


async def test_lines_copy_their_product_and_add_up_on_the_order(shop: Desk) -> None:
    await shop.run("order", ORDER, HEAD + "1,paid,2024-01-01,,\n2,paid,2024-01-01,,\n")
    assert [row[1:4] for row in await shop.rows(SUMS)] == [("0.00", "0.00", "0.00")] * 2
    text = LINES + "1,1,A,2,,1.5\n1,2,B,1,3,2\n2,1,B,4,,\n"
    assert figures(await shop.run("order-line", LINE, text)) == (3, 0, 0, 0, 0)
    assert await shop.rows(
        "SELECT sku, name, quantity, unit_price::text, total::text FROM order_lines ORDER BY id"
    ) == [
        ("A", "A name", 2, "10.00", "20.00"),
        ("B", "B name", 1, "3.00", "3.00"),
        ("B", "B name", 4, "2.50", "10.00"),
    ]
    sums = [("1", "23.00", "3.50", "26.50", 2), ("2", "10.00", "0.00", "10.00", 2)]
    assert await shop.rows(SUMS) == sums
    assert figures(await shop.run("order-line", LINE, text)) == (0, 0, 3, 0, 0)
    assert await shop.rows(SUMS) == sums


async def test_a_changed_line_changes_only_its_order_and_other_lines_still_count(shop: Desk) -> None:
    await shop.run("order", ORDER, HEAD + "1,paid,2024-01-01,,\n2,paid,2024-01-01,,\n")
    map = LINE.replace('shipping_fee = "{fee}"\n', "")
    await shop.run("order-line", map, LINES + "1,1,A,2,,\n1,2,B,1,3,\n2,1,B,4,,\n")
    assert figures(await shop.run("order-line", map, LINES + "1,2,B,2,3,\n1,3,A,1,,\n2,1,B,4,,\n")) == (1, 1, 1, 0, 0)
    assert await shop.rows(SUMS) == [("1", "36.00", "0.00", "36.00", 3), ("2", "10.00", "0.00", "10.00", 2)]


async def test_lines_that_cannot_be_are_refused(shop: Desk) -> None:
    await shop.run("order", ORDER, HEAD + "1,paid,2024-01-01,,\n")
    text = LINES + (
        "1,1,A,1,,0.001\n9,1,A,1,,\n1,2,Z,1,,\n1,3,U,1,,\n1,4,U,1,5,\n1,4,A,1,,\n1,5,A,0,,\n1,6,A,1,0.123,\n1,7,,1,1,\n"
    )
    assert figures(await shop.run("order-line", LINE, text)) == (1, 0, 0, 0, 8)
    told = {line: (column, reason) for line, column, reason in shop.rejects()}
    assert told[2] == ("fee", "has more decimals than EUR (2): 0.001")
    assert told[3] == ("order", 'no order has the external id "9" in the system shop')
    assert told[4] == ("sku", 'no product has the sku "Z"')
    assert told[5] == (
        "price",
        "is required: unit_price must have a value, or product one whose price is in the order's currency",
    )
    assert told[7] == ("pos", "line 6 has the same order and position")
    assert told[8] == ("n", 'must be from 1 to 2,147,483,647, not "0"')
    assert told[9] == ("price", "has more decimals than EUR (2): 0.123")
    assert told[10][1] == "is required: sku must have a value, or product one to copy it from"
    assert [row[1] for row in await shop.rows(SUMS)] == ["5.00"]


async def test_a_discount_never_exceeds_the_order(shop: Desk) -> None:
    map = ORDER + 'discount = "{discount}"\n'
    text = "id,status,placed,paid,shipped,discount\n1,paid,2024-01-01,,,0\n2,paid,2024-01-01,,,5\n"
    assert figures(await shop.run("order", map, text)) == (1, 0, 0, 0, 1)
    assert shop.rejects() == [
        (
            3,
            "discount",
            "is more than the order's lines and shipping fee (0.00): import the discount with the order-lines",
        )
    ]
    lines = LINE.replace("shipping_fee", "discount")
    assert figures(await shop.run("order-line", lines, LINES + "1,1,A,1,,6\n1,2,A,1,,15\n")) == (0, 0, 0, 0, 2)
    reason = "its discount 21.00 would be more than its lines and shipping fee (20.00)"
    assert shop.rejects() == [(2, "order", reason), (3, "order", reason)]
    assert figures(await shop.run("order-line", lines, LINES + "1,1,A,1,,6\n1,2,A,1,,14\n")) == (2, 0, 0, 0, 0)
    assert await shop.rows("SELECT subtotal::text, discount::text, total::text FROM orders") == [
        ("20.00", "20.00", "0.00")
    ]
    # A line may not become cheaper than the discount that the order has.
    assert (
        await shop.run("order-line", LINE.replace('shipping_fee = "{fee}"\n', ""), LINES + "1,1,A,1,9,\n")
    ).rejected == 1


async def test_an_order_with_lines_keeps_its_currency_and_one_without_changes_it(shop: Desk) -> None:
    await shop.run("order", ORDER, HEAD + "1,paid,2024-01-01,,\n2,paid,2024-01-01,,\n")
    await shop.run("order-line", LINE, LINES + "1,1,A,1,,\n")
    report = await shop.run("order", ORDER.replace("EUR", "JPY"), HEAD + "1,paid,2024-01-01,,\n2,paid,2024-01-01,,\n")
    assert figures(report) == (0, 1, 0, 0, 1)
    assert await shop.rows("SELECT currency, subtotal::text FROM orders ORDER BY id") == [
        ("EUR", "10.00"),
        ("JPY", "0"),
    ]


async def test_orders_are_known_by_number_too(shop: Desk) -> None:
    map = (
        '[fields]\nnumber = "{n}"\ncurrency = "EUR"\ncustomer = { value = "C", by = "external_id", system = "shop" }\n'
    )
    assert figures(await shop.run("order", map, "n\nX-1\nX-1\n")) == (1, 0, 0, 0, 1)
    assert shop.rejects() == [(3, "n", "line 2 has the same number")]
    assert await shop.rows("SELECT number, status, placed_at = now() FROM orders") == [("X-1", "PENDING_PAYMENT", True)]
    assert figures(await shop.run("order", map, "n\nX-1\n")) == (0, 0, 1, 0, 0)


async def test_lines_that_are_there_keep_the_price_that_they_were_sold_at(shop: Desk) -> None:
    await shop.run("order", ORDER, HEAD + "1,paid,2024-01-01,,\n")
    map = 'system = "shop"\n[fields]\norder = "{o}"\nposition = "{p}"\nproduct = { value = "{s}", by = "sku" }\n'
    await shop.run("order-line", map, "o,p,s\n1,1,A\n")
    await shop.connection.execute("UPDATE products SET price = 99.00, name = 'New' WHERE sku = 'A'")
    assert figures(await shop.run("order-line", map, "o,p,s\n1,1,A\n")) == (0, 0, 1, 0, 0)
    assert figures(await shop.run("order-line", map, "o,p,s\n1,1,B\n")) == (0, 1, 0, 0, 0)
    assert await shop.rows("SELECT name, unit_price::text FROM order_lines") == [("A name", "10.00")]
    assert [row[1] for row in await shop.rows(SUMS)] == ["10.00"]


async def test_lines_that_are_kept_count_as_they_are(shop: Desk) -> None:
    await shop.run("order", ORDER, HEAD + "1,paid,2024-01-01,,\n")
    await shop.run("order-line", LINE, LINES + "1,1,A,1,,3\n")
    report = await shop.run("order-line", 'existing = "keep"\n' + LINE, LINES + "1,1,A,5,1,8\n1,2,B,1,,9\n")
    assert figures(report) == (1, 0, 1, 0, 0)
    assert await shop.rows(SUMS) == [("1", "12.50", "3.00", "15.50", 3)]


async def test_a_large_first_import_leaves_every_foreign_key_in_place(shop: Desk) -> None:
    statement = (
        "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
    )
    before = await shop.rows(statement)
    text = HEAD + "".join(f"{n},paid,2024-01-01,2024-01-02,\n" for n in range(2_500))
    assert figures(await shop.run("order", ORDER, text)) == (2_500, 0, 0, 0, 0)
    assert await shop.value("SELECT count(*) FROM order_status_changes") == 5_000
    assert await shop.rows(statement) == before
