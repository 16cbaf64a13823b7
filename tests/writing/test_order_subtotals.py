"""The database itself refuses an order whose subtotal is not what its lines add up to."""

from typing import Any

import asyncpg
import pytest

from tests.writing.deeds import Office
from tests.writing.selling import THING, made, uuid

pytestmark = pytest.mark.anyio

NEW_LINE = (
    "INSERT INTO order_lines (id, order_id, position, sku, name, quantity, unit_price, currency)"
    " VALUES (gen_random_uuid(), $1, 9, 'X', 'X', 1, 1.00, 'EUR')"
)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET subtotal = subtotal + 1 WHERE id = $1",
        NEW_LINE,
        "DELETE FROM order_lines WHERE order_id = $1 AND position = 1",
        "UPDATE order_lines SET quantity = quantity + 1 WHERE order_id = $1",
        "UPDATE order_lines SET unit_price = 0.00 WHERE order_id = $1 AND position = 2",
        "UPDATE order_lines SET order_id = (SELECT id FROM orders WHERE currency = 'EUR' AND id <> $1 LIMIT 1)"
        " WHERE order_id = $1 AND position = 1",
    ],
)
async def test_a_write_past_the_gate_is_refused(office: Office, statement: str) -> None:
    order = uuid((await made(office, lines=[THING, THING]))["id"])
    with pytest.raises(asyncpg.CheckViolationError, match="not what its lines add up to") as caught:
        await office.connection.execute(statement, order)
    assert caught.value.constraint_name == "subtotal_is_that_of_the_lines"


async def test_a_new_order_with_a_subtotal_needs_its_lines(office: Office) -> None:
    statement = (
        "INSERT INTO orders (id, customer_id, status, currency, subtotal, discount, shipping_fee, placed_at)"
        " VALUES (gen_random_uuid(), $1, 'PAID', 'EUR', {}, 0.00, 0.00, now())"
    )
    with pytest.raises(asyncpg.CheckViolationError):
        await office.connection.execute(statement.format("1.00"), office.ids["probe_1"])
    await office.connection.execute(statement.format("0.00"), office.ids["probe_1"])


async def test_what_is_right_at_the_end_of_a_transaction_passes(office: Office) -> None:
    order = uuid((await made(office))["id"])
    async with office.connection.transaction():
        await office.connection.execute(NEW_LINE, order)
        await office.connection.execute("UPDATE orders SET subtotal = subtotal + 1 WHERE id = $1", order)


async def test_of_two_at_once_neither_passes_on_the_others_lines(office: Office) -> None:
    order = uuid((await made(office))["id"])
    other = await asyncpg.connect(office.url)
    add = "UPDATE orders SET subtotal = 6.00 WHERE id = $1"
    try:
        one, two = office.connection.transaction(), other.transaction()
        await one.start()
        await two.start()
        await office.connection.execute(NEW_LINE, order)
        await other.execute(NEW_LINE, order)
        await office.connection.execute(add, order)
        await one.commit()
        await other.execute(add, order)
        with pytest.raises(asyncpg.CheckViolationError):
            await two.commit()
    finally:
        await other.close()
    assert await office.connection.fetchval("SELECT subtotal::text FROM orders WHERE id = $1", order) == "6.00"


@pytest.mark.parametrize("ids", [True, False])
async def test_a_load_of_many_rows_checks_them_all_together(office: Office, ids: bool) -> None:
    order = uuid((await made(office))["id"])
    check: tuple[Any, ...] = (
        ("SELECT check_order_subtotals($1)", [order]) if ids else ("SELECT check_order_subtotals()",)
    )
    await office.connection.execute(*check)
    transaction = office.connection.transaction()
    await transaction.start()
    await office.connection.execute("SET LOCAL rapport.order_subtotals = 'checked at the end'")
    await office.connection.execute(NEW_LINE, order)
    with pytest.raises(asyncpg.CheckViolationError):
        await office.connection.execute(*check)
    await transaction.rollback()
    # The setting ends with its transaction.
    with pytest.raises(asyncpg.CheckViolationError):
        await office.connection.execute(NEW_LINE, order)


FETCHED = """
    SELECT coalesce(sum(pg_stat_get_xact_tuples_fetched(oid) + pg_stat_get_xact_tuples_returned(oid)), 0)
    FROM pg_class WHERE oid = 'order_lines'::regclass OR oid IN (
        SELECT indexrelid FROM pg_index WHERE indrelid = 'order_lines'::regclass)
"""


async def test_the_lines_of_an_order_are_looked_at_once(office: Office) -> None:
    """Each of 200 lines looked at all 200."""
    order = uuid((await made(office))["id"])
    async with office.connection.transaction():
        await office.connection.execute(
            "INSERT INTO order_lines (id, order_id, position, sku, name, quantity, unit_price, currency)"
            " SELECT gen_random_uuid(), $1, n, 'X', 'X', 1, 1.00, 'EUR' FROM generate_series(2, 200) n",
            order,
        )
        await office.connection.execute("UPDATE orders SET subtotal = subtotal + 199 WHERE id = $1", order)
        before = await office.connection.fetchval(FETCHED)
        await office.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert await office.connection.fetchval(FETCHED) - before <= 4 * 200


@pytest.mark.parametrize(
    "statement",
    [
        NEW_LINE,
        "DELETE FROM order_lines WHERE order_id = $1 AND position = 1",
        "UPDATE order_lines SET quantity = quantity + 1 WHERE order_id = $1 AND position = 2",
        "UPDATE orders SET subtotal = subtotal + 1 WHERE id = $1",
    ],
)
async def test_what_was_checked_before_is_checked_again_when_it_changes(office: Office, statement: str) -> None:
    order = uuid((await made(office, lines=[THING, THING]))["id"])
    transaction = office.connection.transaction()
    await transaction.start()
    right = "UPDATE order_lines SET quantity = quantity WHERE order_id = $1"
    await office.connection.execute(right, order)
    await office.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    await office.connection.execute(right, order)
    with pytest.raises(asyncpg.CheckViolationError):
        await office.connection.execute(statement, order)
    await transaction.rollback()
    # Nor does it pass where it is checked at the end only, or by another transaction.
    statements = (right, "SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED", statement)
    with pytest.raises(asyncpg.CheckViolationError):
        await together(office, order, *statements)
    with pytest.raises(asyncpg.CheckViolationError):
        await together(office, order, statement)


async def together(office: Office, order: Any, *statements: str) -> None:
    """Run the statements in one transaction."""
    async with office.connection.transaction():
        for statement in statements:
            await office.connection.execute(statement, *([order] if "$1" in statement else []))


async def test_lines_of_several_orders_are_all_checked(office: Office) -> None:
    one, two = [uuid((await made(office, lines=[THING, THING]))["id"]) for _ in range(2)]
    both = "UPDATE order_lines SET quantity = quantity + 1 WHERE order_id = ANY($1)"
    for wrong, right in ((one, two), (two, one)):
        only = f"UPDATE orders SET subtotal = subtotal + 5 WHERE '{right}' = id AND id = ANY($1)"
        with pytest.raises(asyncpg.CheckViolationError, match=str(wrong)):
            await together(office, [one, two], both, only)
    await together(office, [one, two], both, "UPDATE orders SET subtotal = subtotal + 5 WHERE id = ANY($1)")
