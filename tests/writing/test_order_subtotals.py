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
