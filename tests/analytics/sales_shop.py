"""Small shops for figures about sales: ties, several currencies, daylight-saving days, leap days, deleted rows."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from app.analytics.building import ShopFacts
from app.analytics.keeping.refresh import refresh
from app.analytics.keeping.state import turn
from auth.policy import ENTITIES
from tests.api import Api, open_api
from tests.conftest import Server

ZONE = "Europe/Berlin"

MOMENTS = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2023-12-31T22:59:59.999999",  # The last moment of a year in Berlin,
        "2023-12-31T23:00:00",  # the first of the next,
        "2024-01-01T00:00:00",
        "2024-02-29T12:00:00",
        "2024-02-29T23:30:00",
        "2024-03-30T22:59:59.999999",
        "2024-03-30T23:00:00",  # the day of 23 hours,
        "2024-03-31T00:59:59.999999",
        "2024-03-31T01:00:00",
        "2024-03-31T21:59:59.999999",
        "2024-03-31T22:00:00",
        "2024-10-26T22:00:00",  # the day of 25 hours,
        "2024-10-27T00:30:00",  # half past two twice,
        "2024-10-27T01:30:00",
        "2024-10-27T22:59:59.999999",
        "2024-12-30T00:00:00",  # a week of two years.
        "2025-01-05T23:00:00",
        "2025-02-28T23:30:00",
        "2025-06-15T10:00:00",
    )
)

STATUSES = ("PENDING_PAYMENT", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED", "REFUNDED")
PRICES = {"EUR": ("0.00", "10.00", "10.05", "0.01", "333.33"), "USD": ("10.00", "0.03", "99.99"), "JPY": ("1", "1000")}
PRICES["GBP"] = PRICES["USD"]
RATES = {
    "USD": (("2023-01-01", "0.9"), ("2024-02-29", "0.9123456789"), ("2024-03-31", "1.1"), ("2024-10-27", "0.95")),
    "JPY": (("2024-02-29", "0.0061"), ("2025-01-01", "0.0062345678")),
}
"""The pound has none; the yen has none in the beginning."""

USERS = {
    "admin": ("ADMIN", None),
    "analyst": ("ANALYST", None),
    "manager": ("MANAGER", "north"),
    "seller": ("SALES", "north"),
    "seller_2": ("SALES", "north"),
    "stranger": ("SALES", "south"),
    "narrow": ("NARROW", None),
    "blind": ("BLIND", None),
    "short": ("SHORT", None),
}

GRANTS: dict[str, dict[tuple[str, str], str]] = {
    # Sees all customers, and the orders of its own.
    "NARROW": {
        ("Customer", "read"): "ALL",
        ("Customer", "analyse"): "ALL",
        ("Order", "read"): "OWN",
        ("Order", "analyse"): "OWN",
        ("OrderLine", "read"): "OWN",
        ("Product", "read"): "ALL",
    },
    # Sees all customers and orders; totals and who ordered only where it owns the customer.
    "BLIND": {
        ("Customer", "read"): "ALL",
        ("Customer", "analyse"): "ALL",
        ("Order", "read"): "ALL",
        ("Order", "analyse"): "ALL",
        ("OrderLine", "read"): "ALL",
        ("Product", "read"): "ALL",
    },
    # Sees all customers and orders, and the lines of those of its own.
    "SHORT": {
        ("Customer", "read"): "ALL",
        ("Customer", "analyse"): "ALL",
        ("Order", "read"): "ALL",
        ("Order", "analyse"): "ALL",
        ("OrderLine", "read"): "OWN",
        ("Product", "read"): "ALL",
    },
}
FIELDS = {
    ("BLIND", "Order", "total"): ("READ", "OWN", "HIDDEN"),
    ("BLIND", "Order", "customer"): ("READ", "OWN", "HIDDEN"),
}

WHO = ("admin", "analyst", "manager", "seller", "narrow", "blind")

_TABLES = "order_lines, orders, opportunities, tickets, customers, products, exchange_rates"


class SalesShop:
    """A database that is filled anew for each shop, and the API on it."""

    def __init__(self, url: str, connection: asyncpg.Connection, api: Api, users: dict[str, UUID]) -> None:
        self.url, self.connection, self.api, self.users = url, connection, api, users

    async def ask(self, fields: str, who: str = "admin", **variables: Any) -> Any:
        """What ``analytics`` answers."""
        answer = await self.post(fields, who, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]["analytics"]

    async def post(self, fields: str, who: str = "admin", **variables: Any) -> Any:
        """The whole answer."""
        kinds = {name: _KINDS.get(name, "DateTime") for name in variables}
        head = ", ".join(f"${name}: {kind}" for name, kind in kinds.items())
        document = f"query({head}) {{ analytics {{ {fields} }} }}" if head else f"{{ analytics {{ {fields} }} }}"
        return await self.api.post(document, variables, user=self.users[who])

    async def count_anew(self, as_of: datetime) -> None:
        """Count all that is kept for figures, the metrics as of a moment."""
        async with turn(self.connection):
            await refresh(self.connection, SHOP, as_of)

    async def fill(self, seed: int, customers: int = 25, orders: int = 120) -> None:
        """Another shop: the same for the same arguments."""
        await self.connection.execute(f"TRUNCATE {_TABLES} CASCADE")
        await self.connection.execute("UPDATE analytics_state SET built = false")
        async with self.connection.transaction():
            for table, rows in _Maker(seed, self.users).shop(customers, orders).items():
                if rows:
                    columns = list(rows[0])
                    await self.connection.copy_records_to_table(
                        table, columns=columns, records=[[row[column] for column in columns] for row in rows]
                    )


def printed(moment: datetime | None) -> str | None:
    """A moment as an argument."""
    return moment.isoformat() if moment else None


SHOP = ShopFacts("EUR", ZONE)

_KINDS = {
    "where": "OrderFilter",
    "customers": "CustomerFilter",
    "zone": "String",
    "bucket": "TimeBucket!",
    "by": "ProductRanking!",
    "month": "Date!",
    "later": "Date!",
}


class _Maker:
    def __init__(self, seed: int, users: dict[str, UUID]) -> None:
        self.random, self.users = Random(seed), users

    def id(self) -> UUID:
        bits = self.random.getrandbits(128)
        return UUID(int=(bits & ~(0xF << 76) & ~(0b11 << 62)) | (0x7 << 76) | (0b10 << 62))

    def shop(self, customers: int, orders: int) -> dict[str, list[dict[str, Any]]]:
        pick = self.random.choice
        people = [self._customer() for _ in range(customers)]
        products = [self._product(number) for number in range(9)]
        bought: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        # Some buy often, some once, some never.
        buyers = [each for each in people for _ in range(self.random.choice((0, 1, 1, 3, 9)))] or people
        for _ in range(orders if people else 0):
            self._order(pick(buyers)["id"], products, bought, lines)
        rates = [
            {"currency": currency, "day": date.fromisoformat(day), "rate": Decimal(rate)}
            for currency, known in RATES.items()
            for day, rate in known
        ]
        found = {"customers": people, "products": products, "orders": bought, "order_lines": lines}
        return {**found, "exchange_rates": rates}

    def _customer(self) -> dict[str, Any]:
        owner = self.random.choice(("seller", "seller", "seller_2", "stranger", "narrow", "blind", None))
        return {
            "id": self.id(),
            "name": "Customer",
            "kind": "PERSON",
            "tier": self.random.choice(("STANDARD", "GOLD")),
            "status": "ACTIVE",
            "owner_id": self.users[owner] if owner else None,
            "deleted_at": MOMENTS[-1] if self.random.random() < 0.12 else None,
        }

    def _product(self, number: int) -> dict[str, Any]:
        return {
            "id": self.id(),
            "sku": f"SKU-{number}",
            "name": "Product",
            "category": (None, "", "Books", "Ärger", "books", None, "Books", "gone", "zoo")[number],
            "price": Decimal("1.00"),
            "currency": "EUR",
            "deleted_at": MOMENTS[-1] if number in (2, 7) else None,
        }

    def _moment(self) -> datetime:
        if self.random.random() < 0.5:
            return self.random.choice(MOMENTS)
        start, end = self.random.choice(list(pairwise(MOMENTS[1:])))
        return start + timedelta(microseconds=self.random.randrange((end - start) // timedelta(microseconds=1)))

    def _order(self, customer: UUID, products: list[dict[str, Any]], orders: list[Any], lines: list[Any]) -> None:
        pick, currency = self.random.choice, self.random.choice(("EUR", "EUR", "EUR", "USD", "JPY", "GBP"))
        id, subtotal = self.id(), Decimal(0)
        for position in range(pick((0, 1, 1, 2, 4))):
            quantity, price = pick((1, 1, 2, 7)), Decimal(pick(PRICES[currency]))
            subtotal += quantity * price
            line = {"id": self.id(), "order_id": id, "position": position, "sku": "S", "name": "N"}
            product = None if self.random.random() < 0.1 else pick(products)["id"]
            price_of = {"quantity": quantity, "unit_price": price, "currency": currency}
            lines.append(line | {"product_id": product, **price_of})
        zero = Decimal(PRICES[currency][0]) * 0
        placed, status = self._moment(), pick((*STATUSES[1:5] * 2, *STATUSES))
        orders.append(
            {
                "id": id,
                "customer_id": customer,
                "status": status,
                "currency": currency,
                "subtotal": subtotal + zero,
                "discount": pick((zero, zero, subtotal + zero)),
                "shipping_fee": Decimal(pick(PRICES[currency])),
                "placed_at": placed,
                "paid_at": placed if status not in ("PENDING_PAYMENT", "CANCELLED") else None,
                # Money is given back months later; the order then counts no more.
                "refunded_at": placed + timedelta(days=100) if status == "REFUNDED" else None,
            }
        )


@asynccontextmanager
async def open_sales_shop(server: Server, migrated: str, **settings: Any) -> AsyncIterator[SalesShop]:
    """A database with users of several rights, and no business yet."""
    url = await server.copy(migrated)
    connection = await asyncpg.connect(url)
    users = await _people(connection)
    async with open_api(url, shop_timezone=ZONE, shop_currency="EUR", max_aliases=500, **settings) as api:
        yield SalesShop(url, connection, api, users)
    await connection.close()
    await server.drop(url)


async def _people(connection: asyncpg.Connection) -> dict[str, UUID]:
    maker = _Maker(0, {})
    roles = {record["name"]: record["id"] for record in await connection.fetch("SELECT id, name FROM roles")}
    for role, grants in GRANTS.items():
        roles[role] = await _role(connection, maker, role, grants)
    teams = {name: maker.id() for name in ("north", "south")}
    await connection.executemany("INSERT INTO teams (id, name) VALUES ($1, $2)", [(i, n) for n, i in teams.items()])
    users = {label: maker.id() for label in USERS}
    await connection.executemany(
        "INSERT INTO users (id, name, email, role_id, team_id) VALUES ($1, $2, $2 || '@shop.example', $3, $4)",
        [(users[label], label, roles[role], teams.get(team or "")) for label, (role, team) in USERS.items()],
    )
    return users


async def _role(connection: asyncpg.Connection, maker: _Maker, name: str, grants: dict[tuple[str, str], str]) -> UUID:
    role = maker.id()
    await connection.execute("INSERT INTO roles (id, name) VALUES ($1, $2)", role, name)
    for (entity, action), rows in grants.items():
        grant = maker.id()
        await connection.execute(
            "INSERT INTO grants (id, role_id, entity, action, rows) VALUES ($1, $2, $3, $4, $5)",
            *(grant, role, entity, action, rows),
        )
        fields: Sequence[str] = ENTITIES[entity] if action == "read" else ()
        await connection.executemany(
            "INSERT INTO field_grants (id, grant_id, position, field, access, on_rows, otherwise)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            [
                (maker.id(), grant, place, field, *FIELDS.get((name, entity, field), ("READ", "ALL", "READ")))
                for place, field in enumerate(fields)
            ],
        )
    return role
