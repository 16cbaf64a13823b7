"""A small shop whose orders change: several currencies, ties, days of daylight saving and leap days."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg

STATUSES = ("PENDING_PAYMENT", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED", "REFUNDED")
MOMENTS = (
    *(datetime(2024, 2, 28 + extra, 23, 30, tzinfo=UTC) for extra in (0, 1)),
    *(datetime(2024, 3, 31, hour, 30, tzinfo=UTC) for hour in (0, 1, 21, 22, 23)),
    *(datetime(2024, 10, 27, hour, 15, tzinfo=UTC) for hour in (0, 1, 2, 22, 23)),
    *(datetime(2024, 12, 31, hour, 59, 59, 999_999, tzinfo=UTC) for hour in (22, 23)),
)
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
CURRENCIES = ("EUR", "EUR", "EUR", "USD", "JPY", "CHF")


class KeptShop:
    """Makes rows and changes them, and tells the outbox as the gate does."""

    def __init__(self, connection: asyncpg.Connection, seed: int) -> None:
        self.connection = connection
        self.chance = random.Random(seed)
        self.customers: list[UUID] = []
        self.products: list[UUID] = []
        self.orders: list[UUID] = []
        self.untold: list[tuple[str, UUID, str]] = []

    async def open(self, customers: int, orders: int) -> None:
        """Fill it."""
        for number in range(3):
            id = uuid4()
            await self.connection.execute(
                "INSERT INTO products (id, sku, name, price, currency) VALUES ($1, $2, 'P', 1.00, 'EUR')",
                id,
                f"P{number}",
            )
            self.products.append(id)
        await self.set_rate("USD", START + timedelta(days=40))
        await self.set_rate("JPY", START + timedelta(days=1))
        for _ in range(customers):
            await self.add_customer()
        for _ in range(orders):
            await self.add_order()

    async def add_customer(self) -> None:
        """Somebody new."""
        id = uuid4()
        await self.connection.execute(
            "INSERT INTO customers (id, name, kind, tier, status) VALUES ($1, 'C', 'PERSON', 'GOLD', 'LEAD')", id
        )
        self.customers.append(id)

    def moment(self) -> datetime:
        """Some moment, often one of a few."""
        if self.chance.random() < 0.4:
            return self.chance.choice(MOMENTS)
        return START + (END - START) * self.chance.random()

    async def add_order(self, **given: Any) -> UUID:
        """An order with up to three lines."""
        id, currency = uuid4(), self.chance.choice(CURRENCIES)
        given = {"customer": self.chance.choice(self.customers[: max(1, 2 * len(self.customers) // 3)])} | given
        await self.connection.execute(
            "INSERT INTO orders (id, customer_id, status, currency, subtotal, discount, shipping_fee, placed_at)"
            " VALUES ($1, $2, $3, $4, round(0, currency_scale($4)), round(0, currency_scale($4)),"
            " round($5, currency_scale($4)), $6)",
            *(id, given["customer"], given.get("status", self.chance.choice(STATUSES)), currency),
            *(Decimal(self.chance.choice((0, 5))), given.get("placed_at", self.moment())),
        )
        await self.set_lines(id)
        self.orders.append(id)
        self.untold.append(("Order", id, "create"))
        return id

    async def set_lines(self, order: UUID) -> None:
        """Other lines, as an import writes them: nobody tells the outbox."""
        execute = self.connection.execute
        async with self.connection.transaction():
            await execute("SET LOCAL rapport.order_subtotals = 'checked at the end'")
            await execute("DELETE FROM order_lines WHERE order_id = $1", order)
            for position in range(self.chance.randrange(4)):
                product = self.chance.choice([*self.products, None])
                await execute(
                    "INSERT INTO order_lines (id, order_id, currency, product_id, sku, name, quantity, unit_price,"
                    " position) SELECT $1, id, currency, $2, 'X', 'X', $3, round($4, currency_scale(currency)), $5"
                    " FROM orders WHERE id = $6",
                    *(uuid4(), product, self.chance.randrange(1, 4), Decimal(self.chance.choice(("2", "2.5", "9.99")))),
                    *(position, order),
                )
            await execute(
                "UPDATE orders o SET subtotal = round(coalesce((SELECT sum(total) FROM order_lines"
                " WHERE order_id = o.id), 0), currency_scale(currency)) WHERE id = $1",
                order,
            )

    async def set_rate(self, currency: str, moment: datetime) -> None:
        """A rate from a day on."""
        await self.connection.execute(
            "INSERT INTO exchange_rates (currency, day, rate) VALUES ($1, $2, $3)"
            " ON CONFLICT (currency, day) DO UPDATE SET rate = excluded.rate",
            *(currency, moment.date(), Decimal(self.chance.choice(("0.9", "1.1234567891", "0.0061")))),
        )

    async def change(self) -> str:
        """Something happens; its name."""
        connection, chance = self.connection, self.chance
        done = chance.choice(
            (
                "order",
                "status",
                "status",
                "status",
                "delete",
                "restore",
                "merge",
                "rate",
                "lost_rate",
                "lines",
                "moved",
                "customer",
            )
        )
        order, customer = chance.choice(self.orders), chance.choice(self.customers)
        match done:
            case "order":
                await self.add_order()
            case "status":
                await connection.execute("UPDATE orders SET status = $2 WHERE id = $1", order, chance.choice(STATUSES))
                self.untold.append(("Order", order, "pay"))
            case "delete" | "restore":
                gone = "now()" if done == "delete" else "NULL"
                await connection.execute(f"UPDATE customers SET deleted_at = {gone} WHERE id = $1", customer)
                self.untold.append(("Customer", customer, done))
            case "merge":
                other = chance.choice(self.customers)
                if other != customer:
                    await connection.execute(
                        "UPDATE orders SET customer_id = $1 WHERE customer_id = $2", customer, other
                    )
                    await connection.execute("UPDATE customers SET deleted_at = now() WHERE id = $1", other)
                    self.untold += [("Customer", customer, "merge"), ("Customer", other, "merge")]
            case "rate":
                await self.set_rate(chance.choice(("USD", "JPY", "CHF")), self.moment())
            case "lost_rate":
                await connection.execute(
                    "DELETE FROM exchange_rates WHERE (currency, day) ="
                    " (SELECT currency, day FROM exchange_rates ORDER BY rate, day LIMIT 1)"
                )
            case "lines":
                await self.set_lines(order)
                await connection.execute("INSERT INTO analytics_changes (order_id) VALUES ($1)", order)
            case "moved":
                await connection.execute("UPDATE orders SET placed_at = $2 WHERE id = $1", order, self.moment())
                await connection.execute(
                    "INSERT INTO analytics_changes (customer_id) SELECT customer_id FROM orders WHERE id = $1", order
                )
            case "customer":
                await self.add_customer()
        return done

    async def tell(self) -> None:
        """Write to the outbox what has not been told yet."""
        await self.connection.executemany(
            "INSERT INTO outbox (event_id, at, action, entity, record_id, fields) VALUES ($1, now(), $2, $3, $4, '{}')",
            [(uuid4(), action, entity, record) for entity, record, action in self.untold],
        )
        self.untold.clear()
