"""The types of the ordinary server: every field is resolved one by one, as Strawberry does by default."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import asyncpg
import strawberry
from strawberry.types.scalar import ScalarDefinition

from app.db.ids import print_id
from app.models import enums
from benchmarks.dataloaders import Loaders

Row = asyncpg.Record
Kind = strawberry.enum(enums.CustomerKind, name="CustomerKind")
Tier = strawberry.enum(enums.CustomerTier, name="CustomerTier")
Status = strawberry.enum(enums.CustomerStatus, name="CustomerStatus")
StateOfOrder = strawberry.enum(enums.OrderStatus, name="OrderStatus")
StateOfTicket = strawberry.enum(enums.TicketStatus, name="TicketStatus")
Priority = strawberry.enum(enums.TicketPriority, name="TicketPriority")

SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        serialize=lambda value: value.isoformat(timespec="microseconds"),
        parse_value=datetime.fromisoformat,
    ),
    Decimal: strawberry.scalar(name="Decimal", serialize=lambda value: format(value, "f"), parse_value=Decimal),
}
T = TypeVar("T")


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool = False


@strawberry.type
class Money:
    amount: Decimal
    currency: str


@strawberry.type
class Connection(Generic[T]):
    nodes: list[T]
    page_info: PageInfo
    counter: strawberry.Private[Callable[[], Any]]

    @strawberry.field
    async def total_count(self) -> int:
        return int(await self.counter())


def connection(make: Callable[[Row], T], rows: list[Row], first: int, counter: Callable[[], Any]) -> Any:
    """The first rows of one more than were asked for, which tells whether there is a next page."""
    return Connection(
        nodes=[make(row) for row in rows[:first]], page_info=PageInfo(has_next_page=len(rows) > first), counter=counter
    )


@strawberry.type
class Contact:
    id: strawberry.ID
    first_name: str
    last_name: str
    title: str | None
    email: str | None
    phone: str | None
    is_primary: bool
    created_at: datetime

    @strawberry.field
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @classmethod
    def of(cls, row: Row) -> "Contact":
        return cls(
            id=strawberry.ID(print_id("con", row["id"])),
            first_name=row["first_name"],
            last_name=row["last_name"],
            title=row["title"],
            email=row["email"],
            phone=row["phone"],
            is_primary=row["is_primary"],
            created_at=row["created_at"],
        )


@strawberry.type
class OrderLine:
    id: strawberry.ID
    sku: str
    name: str
    quantity: int
    row: strawberry.Private[Row]

    @strawberry.field
    def unit_price(self) -> Money:
        return Money(amount=self.row["unit_price"], currency=self.row["currency"])

    @strawberry.field
    def total(self) -> Money:
        return Money(amount=self.row["total"], currency=self.row["currency"])

    @classmethod
    def of(cls, row: Row) -> "OrderLine":
        return cls(
            id=strawberry.ID(print_id("lin", row["id"])),
            sku=row["sku"],
            name=row["name"],
            quantity=row["quantity"],
            row=row,
        )


@strawberry.type
class Order:
    id: strawberry.ID
    number: str
    status: StateOfOrder
    channel: str | None
    placed_at: datetime
    row: strawberry.Private[Row]

    @strawberry.field
    def total(self) -> Money:
        return Money(amount=self.row["total"], currency=self.row["currency"])

    @strawberry.field
    async def lines(self, info: strawberry.Info) -> list[OrderLine]:
        loaders: Loaders = info.context["loaders"]
        return [OrderLine.of(row) for row in await loaders.lines.load(self.row["id"])]

    @classmethod
    def of(cls, row: Row) -> "Order":
        return cls(
            id=strawberry.ID(print_id("ord", row["id"])),
            number=row["number"],
            status=enums.OrderStatus(row["status"]),
            channel=row["channel"],
            placed_at=row["placed_at"],
            row=row,
        )


@strawberry.type
class Ticket:
    id: strawberry.ID
    number: str
    subject: str
    priority: Priority
    status: StateOfTicket
    created_at: datetime

    @classmethod
    def of(cls, row: Row) -> "Ticket":
        return cls(
            id=strawberry.ID(print_id("tkt", row["id"])),
            number=row["number"],
            subject=row["subject"],
            priority=enums.TicketPriority(row["priority"]),
            status=enums.TicketStatus(row["status"]),
            created_at=row["created_at"],
        )


@strawberry.input
class TicketStatusFilter:
    eq: StateOfTicket | None = None


@strawberry.input
class TicketFilter:
    status: TicketStatusFilter | None = None


@strawberry.type
class Customer:
    id: strawberry.ID
    code: str
    name: str
    kind: Kind
    email: str | None
    phone: str | None
    tier: Tier
    status: Status
    city: str | None
    region: str | None
    country: str | None
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    version: int
    key: strawberry.Private[Any]

    @strawberry.field
    async def contacts(self, info: strawberry.Info, first: int = 25) -> Connection[Contact]:
        return await _children(info, self.key, "contacts", Contact.of, first, None)

    @strawberry.field
    async def orders(self, info: strawberry.Info, first: int = 25) -> Connection[Order]:
        return await _children(info, self.key, "orders", Order.of, first, None)

    @strawberry.field
    async def tickets(
        self, info: strawberry.Info, first: int = 25, where: TicketFilter | None = None
    ) -> Connection[Ticket]:
        status = where.status.eq if where and where.status else None
        return await _children(info, self.key, "tickets", Ticket.of, first, status.value if status else None)

    @classmethod
    def of(cls, row: Row) -> "Customer":
        return cls(
            id=strawberry.ID(print_id("cus", row["id"])),
            code=row["code"],
            name=row["name"],
            kind=enums.CustomerKind(row["kind"]),
            email=row["email"],
            phone=row["phone"],
            tier=enums.CustomerTier(row["tier"]),
            status=enums.CustomerStatus(row["status"]),
            city=row["city"],
            region=row["region"],
            country=row["country"],
            tags=row["tags"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            version=row["version"],
            key=row["id"],
        )


async def _children(
    info: strawberry.Info, key: Any, table: str, make: Callable[[Row], Any], first: int, status: str | None
) -> Any:
    if not 1 <= first <= 200:
        raise ValueError("first is 1 to 200")
    loaders: Loaders = info.context["loaders"]
    rows = await loaders.children(table, first + 1, status).load(key)
    return connection(make, rows, first, lambda: loaders.counts(table, status).load(key))
