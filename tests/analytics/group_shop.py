"""The nasty shop, with exchange rates, moments around odd midnights, and roles that analyse less than they see."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg

from auth.policy import ENTITIES
from tests.analytics.plain_groups import Plain
from tests.conftest import Server
from tests.nasty_shop import Shop
from tests.oracle.execute import Oracle
from tests.oracle.rows import load

MOMENTS = (
    "2024-02-28T23:30:00Z",
    "2024-02-29T22:59:59.999999Z",
    "2024-02-29T23:00:00Z",
    "2024-12-29T23:00:00Z",
    "2024-12-31T22:59:59.999999Z",
    "2024-12-31T23:00:00Z",
    "2025-03-29T22:59:59.999999Z",
    "2025-03-29T23:00:00Z",
    "2025-03-30T00:59:59.999999Z",
    "2025-03-30T01:00:00Z",
    "2025-03-30T21:59:59.999999Z",
    "2025-03-30T22:00:00Z",
    "2024-10-26T22:30:00Z",
    "2024-10-27T00:30:00Z",
    "2024-10-27T01:30:00Z",
    "2024-10-27T23:00:00Z",
    "2018-11-04T02:59:59.999999Z",
    "2018-11-04T03:30:00Z",
    "2024-11-03T04:30:00Z",
    "2024-11-03T05:30:00Z",
    "2011-12-30T09:30:00Z",
    "2011-12-30T10:30:00Z",
    "1969-12-31T23:30:00Z",
)
"""Leap days, ends of years, the days of 23 and 25 hours in Berlin, a day without midnight in São Paulo, one with two in
Havana, and one that Samoa skipped."""

ZONES = ("Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Pacific/Apia", "Asia/Kathmandu", "UTC")

RATES: Mapping[str, Sequence[tuple[date, Decimal]]] = {
    "JPY": ((date(2023, 1, 1), Decimal("0.0071")), (date(2025, 3, 30), Decimal("0.00625"))),
    "KWD": ((date(2024, 2, 29), Decimal("3.0123456789")),),
}
"""What is placed before the first of these has none."""

Rules = Mapping[str, tuple[str, str, str]]

HIDDEN = ("HIDDEN", "ALL", "HIDDEN")
OWN_OR_HIDDEN = ("READ", "OWN", "HIDDEN")
OWN_OR_MASKED = ("READ", "OWN", "MASKED")

NARROW: Mapping[tuple[str, str], tuple[str, Rules]] = {
    ("Customer", "read"): ("ALL", {"region": OWN_OR_HIDDEN, "tier": HIDDEN, "owner": OWN_OR_HIDDEN}),
    ("Customer", "analyse"): ("TEAM", {}),
    ("Order", "read"): (
        "ALL",
        {"channel": ("READ", "TEAM", "MASKED"), "total": HIDDEN, "paidAt": OWN_OR_HIDDEN, "opportunity": OWN_OR_HIDDEN},
    ),
    ("Order", "analyse"): ("TEAM", {}),
    ("Opportunity", "read"): (
        "TEAM",
        {
            "expectedCloseOn": OWN_OR_HIDDEN,
            "lossReason": OWN_OR_MASKED,
            "product": OWN_OR_HIDDEN,
            "closedAt": OWN_OR_HIDDEN,
        },
    ),
    ("Opportunity", "analyse"): ("OWN", {}),
    ("Ticket", "read"): ("ALL", {"satisfaction": OWN_OR_HIDDEN, "assignee": OWN_OR_HIDDEN, "resolvedAt": HIDDEN}),
    ("Ticket", "analyse"): ("TEAM", {}),
    ("User", "read"): ("OWN", {}),
    ("Stage", "read"): ("ALL", {"position": HIDDEN}),
    ("Product", "read"): ("ALL", {"category": HIDDEN}),
    ("Team", "read"): ("ALL", {}),
}
"""Reads what it may not analyse, and reads some of it on some rows only."""

ANALYSE = {
    "PARTNER": {"Customer": "TEAM", "Order": "TEAM", "Opportunity": "OWN", "Ticket": "TEAM"},
    "CLERK": {"Customer": "ALL", "Order": "ALL", "Opportunity": "TEAM"},
    "SCOUT": {"Customer": "OWN", "Ticket": "OWN"},
}

CALLERS = (
    *("admin", "manager_north", "manager_alone", "sales_north", "sales_alone", "support_north", "marketing"),
    *("analyst", "integration", "partner", "partner_alone", "clerk", "scout", "manager_south"),
)
"""The last of them is NARROW here."""


class Grouped(NamedTuple):
    """The shop: its database, the ids of what has a label in it, and the oracle over its rows."""

    url: str
    ids: dict[str, UUID]
    oracle: Oracle

    def plain(self, who: str) -> Plain:
        """The answers in plain Python to that user."""
        return Plain(self.oracle.schema, self.oracle.rights(self.ids[who]), RATES)


async def make(server: Server, shop: Shop) -> Grouped:
    """A copy of the nasty shop, changed so."""
    url = await server.copy(urlsplit(shop.url).path[1:])
    connection = await asyncpg.connect(url)
    await connection.execute("SET session_replication_role = replica")
    await _move(connection)
    await connection.executemany(
        "INSERT INTO exchange_rates (currency, day, rate) VALUES ($1, $2, $3)",
        [(currency, day, rate) for currency, rates in RATES.items() for day, rate in rates],
    )
    role = uuid4()
    await connection.execute("INSERT INTO roles (id, name) VALUES ($1, 'NARROW')", role)
    for (entity, action), (rows, fields) in NARROW.items():
        await _grant(connection, role, entity, action, rows, fields)
    await connection.execute("UPDATE users SET role_id = $1 WHERE id = $2", role, shop.ids["manager_south"])
    for name, granted in ANALYSE.items():
        for entity, rows in granted.items():
            await _grant(connection, shop.ids[f"role_{name}"], entity, "analyse", rows, {})
    await connection.close()
    return Grouped(url, shop.ids, Oracle(await load(url), datetime.now(UTC)))


async def _move(connection: asyncpg.Connection) -> None:
    moments = [datetime.fromisoformat(text) for text in MOMENTS]
    for table, column in (
        ("orders", "placed_at"),
        ("opportunities", "closed_at"),
        ("tickets", "created_at"),
        ("customers", "created_at"),
    ):
        await connection.execute(
            f"UPDATE {table} SET {column} = ($1::timestamptz[])[1 + n % cardinality($1::timestamptz[])]"
            f" FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM {table}) t"
            f" WHERE t.id = {table}.id AND n % 5 > 0 AND {table}.{column} IS NOT NULL",
            moments,
        )
    await connection.execute(
        "UPDATE customer_metrics m SET last_order_at = (SELECT max(placed_at) FROM orders o"
        " WHERE o.customer_id = m.customer_id)"
    )


async def _grant(connection: asyncpg.Connection, role: UUID, entity: str, action: str, rows: str, fields: Any) -> None:
    grant = uuid4()
    await connection.execute(
        "INSERT INTO grants (id, role_id, entity, action, rows) VALUES ($1, $2, $3, $4, $5)",
        *(grant, role, entity, action, rows),
    )
    listed = ENTITIES[entity] if action == "read" else ()
    await connection.executemany(
        "INSERT INTO field_grants (id, grant_id, position, field, access, on_rows, otherwise)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (uuid4(), grant, place, name, *fields.get(name, ("READ", "ALL", "READ")))
            for place, name in enumerate(listed)
        ],
    )
