"""A small shop whose tickets change: ties, days of daylight saving and leap days, and moments around now."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.analytics.kept_shop import END, MOMENTS, START, KeptShop

SOON = (
    *(timedelta(0), timedelta(minutes=1), timedelta(minutes=1), timedelta(seconds=7, microseconds=3)),
    *(timedelta(hours=5), timedelta(days=1), timedelta(days=40, hours=7), -timedelta(hours=1)),
)
SORTS = {
    "kind": ("INQUIRY", "COMPLAINT", "OTHER"),
    "priority": ("LOW", "NORMAL", "URGENT"),
    "channel": ("PHONE", "EMAIL", "WEB"),
}
HAPPENINGS = (
    *("ticket", "ticket", "answer", "pending", "resolve", "close", "reopen", "rate", "sort", "comment"),
    *("delete", "restore", "delete_customer", "restore_customer", "merge", "import", "import", "customer"),
)


class TicketShop(KeptShop):
    """Makes tickets and changes them, and tells the outbox as the gate does."""

    def __init__(self, connection: asyncpg.Connection, seed: int) -> None:
        super().__init__(connection, seed)
        self.tickets: list[UUID] = []
        self.now = datetime.now(UTC)

    async def open_tickets(self, customers: int, tickets: int) -> None:
        """Fill it."""
        for _ in range(customers):
            await self.add_customer()
        for _ in range(tickets):
            await self.add_ticket()

    def near(self) -> datetime:
        """Some moment of a year; or a few hours or days from now, before or after it."""
        choice = self.chance.random()
        if choice < 0.3:
            return self.now + self.chance.choice((-1, 1)) * self.chance.choice((timedelta(hours=3), timedelta(days=2)))
        if choice < 0.6:
            return self.chance.choice(MOMENTS)
        return START + (END - START) * self.chance.random()

    def values(self) -> dict[str, Any]:
        """A ticket in any state, also in such as only an import can bring about."""
        chance = self.chance
        created, status = self.near(), chance.choice(("OPEN", "PENDING", "RESOLVED", "CLOSED", "CLOSED"))
        settled = status in ("RESOLVED", "CLOSED")

        def later(share: float) -> datetime | None:
            return created + chance.choice(SOON) if chance.random() < share else None

        return {
            "customer_id": chance.choice(self.customers),
            "status": status,
            **{name: chance.choice(choices) for name, choices in SORTS.items()},
            "created_at": created,
            "first_response_due_at": chance.choice((None, later(1), later(1), self.near())),
            "resolution_due_at": chance.choice((None, later(1), self.near())),
            "pending_since": chance.choice((None, self.near(), later(1))) if status == "PENDING" else None,
            "first_responded_at": later(0.6),
            "resolved_at": chance.choice((later(1), later(1), None, self.near())) if settled else later(0.1),
            "closed_at": chance.choice((None, self.near())) if status == "CLOSED" else None,
            "satisfaction": chance.choice((None, 1, 3, 3, 5)),
        }

    async def add_ticket(self, **given: Any) -> UUID:
        """A ticket."""
        id, values = uuid4(), self.values() | given
        names = ", ".join(values)
        numbered = ", ".join(f"${number}" for number in range(2, len(values) + 2))
        await self.connection.execute(
            f"INSERT INTO tickets (id, subject, {names}) VALUES ($1, 'Help', {numbered})", id, *values.values()
        )
        self.tickets.append(id)
        self.untold.append(("Ticket", id, "create"))
        return id

    async def set(self, ticket: UUID, **values: Any) -> None:
        """Change a ticket; nobody is told."""
        assigned = ", ".join(f"{name} = ${number}" for number, name in enumerate(values, 2))
        await self.connection.execute(f"UPDATE tickets SET {assigned} WHERE id = $1", ticket, *values.values())

    async def happen(self) -> str:
        """Something happens to tickets or to their customers; its name."""
        chance = self.chance
        done = chance.choice(HAPPENINGS)
        ticket, customer = chance.choice(self.tickets), chance.choice(self.customers)
        moment = self.near()
        changes: dict[str, dict[str, Any]] = {
            "answer": {"first_responded_at": moment},
            "pending": {"status": "PENDING", "pending_since": moment},
            "resolve": {"status": "RESOLVED", "pending_since": None, "resolved_at": moment},
            "close": {"status": "CLOSED", "pending_since": None, "resolved_at": moment, "closed_at": moment},
            "reopen": {"status": "OPEN", "pending_since": None, "resolved_at": None, "closed_at": None},
            "rate": {"satisfaction": chance.choice((1, 2, 5))},
            "sort": {name: chance.choice(choices) for name, choices in SORTS.items()},
            "comment": {"subject": "Help me"},
            "delete": {"deleted_at": moment},
            "restore": {"deleted_at": None},
        }
        if done in changes:
            await self.set(ticket, **changes[done])
            self.untold.append(("Ticket", ticket, done))
            return done
        match done:
            case "ticket":
                await self.add_ticket()
            case "delete_customer" | "restore_customer":
                action = done.removesuffix("_customer")
                gone = moment if action == "delete" else None
                await self.connection.execute("UPDATE customers SET deleted_at = $2 WHERE id = $1", customer, gone)
                self.untold.append(("Customer", customer, action))
            case "merge":
                other = chance.choice(self.customers)
                if other != customer:
                    move = "UPDATE tickets SET customer_id = $1 WHERE customer_id = $2"
                    await self.connection.execute(move, customer, other)
                    await self.connection.execute("UPDATE customers SET deleted_at = now() WHERE id = $1", other)
                    self.untold += [("Customer", each, "merge") for each in (customer, other)]
            case "import":
                await self.set(ticket, **self.values())
                await self.connection.execute("INSERT INTO analytics_changes (ticket_id) VALUES ($1)", ticket)
            case "customer":
                await self.add_customer()
        return done
