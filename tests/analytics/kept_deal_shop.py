"""A small shop whose opportunities change in every way, and in which of them the outbox and the queue are told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.analytics import deal_shop
from tests.settling import settled

DEEDS = (
    *("opened", "edited", "moved", "moved", "ended", "ended", "imported", "deleted", "restored", "gone"),
    *("customer_deleted", "customer_restored", "merged", "rate", "lost_rate", "stage", "team"),
)


class KeptDeals:
    """Changes the rows of a filled shop, and tells the outbox as the gate does."""

    def __init__(self, connection: asyncpg.Connection, users: dict[str, UUID], seed: int, zone: str) -> None:
        self.connection, self.users = connection, users
        self.chance = Random(seed)
        self.moments = deal_shop.moments(datetime.now(UTC), zone)
        self.untold: list[tuple[str, UUID, str]] = []

    async def some(self, table: str, condition: str = "true") -> Any:
        """A row, if there is one that meets the condition."""
        rows = await self.connection.fetch(f"SELECT * FROM {table} WHERE {condition} ORDER BY id")
        return self.chance.choice(rows) if rows else None

    def moment(self) -> datetime:
        """Some moment, mostly one at which days, months and clocks turn."""
        if self.chance.random() < 0.8:
            return self.chance.choice(self.moments)
        return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=self.chance.randrange(90_000_000))

    def user(self) -> UUID | None:
        """An owner, or nobody."""
        label = self.chance.choice(deal_shop.OWNERS)
        return self.users[label] if label else None

    async def set(self, deal: Any, **values: Any) -> None:
        """Write columns of an opportunity."""
        assigned = ", ".join(f"{name} = ${number}" for number, name in enumerate(values, 2))
        await self.connection.execute(
            f"UPDATE opportunities SET {assigned} WHERE id = $1", deal["id"], *values.values()
        )

    def values(self) -> dict[str, Any]:
        """What an opportunity may be about."""
        chance = self.chance
        currency = chance.choice(("EUR", *deal_shop.AMOUNTS))
        days = (None, datetime.now(UTC).date(), datetime.now(UTC).date() + timedelta(days=chance.randrange(-40, 99)))
        return {
            "currency": currency,
            "amount": Decimal(chance.choice(deal_shop.AMOUNTS[currency])),
            "probability": chance.choice((0, 33, 50, 100)),
            "owner_id": self.user(),
            "expected_close_on": chance.choice(days),
        }

    async def change(self, deed: str | None = None) -> str:
        """Something happens; its name."""
        deed = deed or self.chance.choice(DEEDS)
        await getattr(self, f"_{deed}")()
        return deed

    async def tell(self) -> None:
        """Write to the outbox what has not been told yet."""
        await self.connection.executemany(
            "INSERT INTO outbox (event_id, at, action, entity, record_id, fields) VALUES ($1, now(), $2, $3, $4, '{}')",
            [(uuid4(), action, entity, record) for entity, record, action in self.untold],
        )
        self.untold.clear()
        await settled(self.connection)

    async def _opened(self) -> None:
        customer, product, stage = await self.some("customers"), await self.some("products"), await self.some("stages")
        values = {
            **self.values(),
            "id": uuid4(),
            "name": "New",
            "customer_id": customer["id"],
            "product_id": self.chance.choice((product["id"], None)),
            "stage_id": stage["id"],
            "opened_at": self.moment(),
            "stage_entered_at": self.moment(),
            "closed_at": None if stage["kind"] == "OPEN" else self.moment(),
        }
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await self.connection.execute(
            f"INSERT INTO opportunities ({', '.join(values)}) VALUES ({places})", *values.values()
        )
        await self._enters(values["id"], stage["id"])
        self.untold.append(("Opportunity", values["id"], "create"))

    async def _enters(self, deal: UUID, stage: UUID) -> None:
        await self.connection.execute(
            "INSERT INTO stage_changes (id, opportunity_id, to_stage_id, changed_at) VALUES ($1, $2, $3, now())",
            *(uuid4(), deal, stage),
        )

    async def _edited(self) -> None:
        deal = await self.some("opportunities")
        await self.set(deal, **self.values())
        self.untold.append(("Opportunity", deal["id"], "update"))

    async def _moved(self, kinds: str = "kind = 'OPEN'") -> None:
        deal, stage = await self.some("opportunities"), await self.some("stages", kinds)
        closed = None if stage["kind"] == "OPEN" else self.moment()
        await self.set(deal, stage_id=stage["id"], stage_entered_at=self.moment(), closed_at=closed)
        await self._enters(deal["id"], stage["id"])
        self.untold.append(("Opportunity", deal["id"], "move"))

    async def _ended(self) -> None:
        await self._moved("kind <> 'OPEN'")

    async def _imported(self) -> None:
        """Another stage, moments that do not go with it; the queue is told."""
        deal, stage = await self.some("opportunities"), await self.some("stages")
        closed = self.chance.choice((None, self.moment()))
        values = self.values() | {"stage_id": stage["id"], "opened_at": self.moment(), "closed_at": closed}
        await self.set(deal, **values)
        await self.connection.execute("INSERT INTO analytics_changes (opportunity_id) VALUES ($1)", deal["id"])

    async def _deleted(self) -> None:
        deal = await self.some("opportunities", "deleted_at IS NULL")
        if deal is not None:
            await self.set(deal, deleted_at=datetime.now(UTC))
            self.untold.append(("Opportunity", deal["id"], "delete"))

    async def _restored(self) -> None:
        deal = await self.some("opportunities", "deleted_at IS NOT NULL")
        if deal is not None:
            await self.set(deal, deleted_at=None)
            self.untold.append(("Opportunity", deal["id"], "restore"))

    async def _gone(self) -> None:
        """Taken out of the table by hand."""
        deal = await self.some("opportunities")
        await self.connection.execute("DELETE FROM stage_changes WHERE opportunity_id = $1", deal["id"])
        await self.connection.execute("DELETE FROM opportunities WHERE id = $1", deal["id"])
        await self.connection.execute("INSERT INTO analytics_changes (opportunity_id) VALUES ($1)", deal["id"])

    async def _customer_deleted(self) -> None:
        await self._customer("delete", "deleted_at IS NULL", datetime.now(UTC))

    async def _customer_restored(self) -> None:
        await self._customer("restore", "deleted_at IS NOT NULL", None)

    async def _customer(self, action: str, condition: str, deleted_at: datetime | None) -> None:
        customer = await self.some("customers", condition)
        if customer is not None:
            update = "UPDATE customers SET deleted_at = $2 WHERE id = $1"
            await self.connection.execute(update, customer["id"], deleted_at)
            self.untold.append(("Customer", customer["id"], action))

    async def _merged(self) -> None:
        one, other = [await self.some("customers", "deleted_at IS NULL") for _ in range(2)]
        if one is not None and one != other:
            move = "UPDATE opportunities SET customer_id = $1 WHERE customer_id = $2"
            await self.connection.execute(move, one["id"], other["id"])
            await self.connection.execute("UPDATE customers SET deleted_at = now() WHERE id = $1", other["id"])
            self.untold += [("Customer", one["id"], "merge"), ("Customer", other["id"], "merge")]

    async def _rate(self) -> None:
        day = self.moment().date()
        await self.connection.execute(
            "INSERT INTO exchange_rates (currency, day, rate) VALUES ($1, $2, $3)"
            " ON CONFLICT (currency, day) DO UPDATE SET rate = excluded.rate",
            *(self.chance.choice(("USD", "JPY", "KWD")), day, Decimal(self.chance.choice(("0.9", "1.1234567891")))),
        )

    async def _lost_rate(self) -> None:
        await self.connection.execute(
            "DELETE FROM exchange_rates WHERE (currency, day) ="
            " (SELECT currency, day FROM exchange_rates ORDER BY rate, day LIMIT 1)"
        )

    async def _stage(self) -> None:
        """What a stage is, is no matter of what is kept."""
        stage, chance = await self.some("stages"), self.chance
        await self.connection.execute(
            "UPDATE stages SET kind = $2, position = $3, rotting_after_days = $4 WHERE id = $1",
            *(stage["id"], chance.choice(("OPEN", "WON", "LOST")), chance.randrange(6), chance.choice((None, 1, 400))),
        )

    async def _team(self) -> None:
        team = await self.some("teams")
        await self.connection.execute(
            "UPDATE users SET team_id = $2 WHERE id = $1", self.users["seller"], self.chance.choice((team["id"], None))
        )
