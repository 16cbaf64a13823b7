"""Small shops full of ties, odd hours and several currencies, for the figures about opportunities and tickets."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from auth.policy import ENTITIES

TICK = timedelta(microseconds=1)
AMOUNTS = {
    "EUR": ("0.00", "0.01", "10.05", "1234.50", "1234.50"),
    "USD": ("10.05", "99.99", "0.07"),
    "JPY": ("999", "120001"),
    "KWD": ("1.005", "0.001"),
}
RATES = (
    ("USD", date(2024, 1, 1), Decimal("0.9")),
    ("USD", date(2024, 2, 29), Decimal("0.8765432101")),
    ("USD", date(2026, 3, 29), Decimal("1.1")),
    ("KWD", date(2026, 1, 1), Decimal("3.14159")),
)
"""None for JPY, and none for KWD before 2026."""

USERS = {
    "admin": ("ADMIN", None),
    "manager": ("MANAGER", "north"),
    "other_manager": ("MANAGER", "south"),
    "lone_manager": ("MANAGER", None),
    "seller": ("SALES", "north"),
    "colleague": ("SALES", "north"),
    "rival": ("SALES", "south"),
    "support": ("SUPPORT", "south"),
    "analyst": ("ANALYST", None),
    "veiled": ("VEILED", "north"),
    "narrow": ("NARROW", "north"),
    "undated": ("UNDATED", "north"),
}
OWNERS = ("manager", "seller", "seller", "colleague", "rival", "support", None)

Grants = dict[tuple[str, str], tuple[str, dict[str, tuple[str, str, str]]]]

VEILED: Grants = {
    ("Customer", "read"): ("ALL", {}),
    ("Opportunity", "read"): (
        "ALL",
        {
            "owner": ("READ", "OWN", "HIDDEN"),
            "amount": ("READ", "TEAM", "HIDDEN"),
            "closedAt": ("READ", "OWN", "HIDDEN"),
        },
    ),
    ("Opportunity", "analyse"): ("TEAM", {}),
    ("StageChange", "read"): ("OWN", {}),
    ("Stage", "read"): ("ALL", {}),
    ("Ticket", "read"): ("ALL", {}),
    ("Ticket", "analyse"): ("OWN", {}),
    ("Product", "read"): ("ALL", {"name": ("MASKED", "ALL", "MASKED")}),
    ("User", "read"): ("TEAM", {"name": ("MASKED", "OWN", "READ")}),
    ("Team", "read"): ("ALL", {}),
}
"""A role that sees little of much: what it cannot read must not show in its figures."""


NARROW: Grants = {
    ("Customer", "read"): ("ALL", {}),
    ("Opportunity", "read"): (
        "ALL",
        {
            "owner": ("READ", "OWN", "HIDDEN"),
            "amount": ("READ", "OWN", "HIDDEN"),
            "expectedCloseOn": ("READ", "OWN", "HIDDEN"),
            "openedAt": ("READ", "OWN", "HIDDEN"),
        },
    ),
    ("Opportunity", "analyse"): ("ALL", {}),
    ("StageChange", "read"): ("OWN", {}),
    ("Stage", "read"): ("ALL", {}),
    ("Product", "read"): ("ALL", {}),
    ("User", "read"): ("ALL", {}),
    ("Team", "read"): ("ALL", {}),
}
"""A role that sees all opportunities, and not all of each."""

UNDATED: Grants = {
    **NARROW,
    ("Opportunity", "read"): ("ALL", {"closedAt": ("READ", "OWN", "HIDDEN")}),
    ("StageChange", "read"): ("ALL", {"toStage": ("READ", "OWN", "HIDDEN")}),
}
"""One that sees all of each, but when it was closed and where it came."""


def moments(now: datetime, zone: str) -> tuple[datetime, ...]:
    """Moments where days, months and clocks turn, and just before."""
    local = [
        datetime(2024, 2, 29),
        datetime(2024, 3, 1),
        datetime(2025, 12, 31, 23, 59),
        datetime(2026, 1, 1),
        datetime(2026, 3, 29, 2, 30),
        datetime(2026, 3, 29, 12),
        datetime(2026, 10, 25, 2, 30),
    ]
    month = now.astimezone(ZoneInfo(zone)).replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    found = [each.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for each in (*local, month)]
    return tuple(moment for each in found for moment in (each, each - TICK, each + timedelta(hours=1)))


class Maker:
    """Makes the rows of a shop."""

    def __init__(self, seed: int, zone: str) -> None:
        self.random = Random(seed)
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.now = datetime.now(UTC)
        self.moments = moments(self.now, zone)

    def add(self, table: str, **values: Any) -> UUID:
        bits = self.random.getrandbits(128)
        id = UUID(int=(bits & ~(0xF << 76) & ~(0b11 << 62)) | (0x7 << 76) | (0b10 << 62))
        self.tables.setdefault(table, []).append({"id": id, **values})
        return id

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def maybe(self, value: Any, percent: int) -> Any:
        return value if self.random.randrange(100) < percent else None

    def moment(self) -> datetime:
        found: datetime = self.pick(self.moments)
        return found


async def build(url: str, seed: int, zone: str = "Europe/Berlin", customers: int = 25) -> dict[str, UUID]:
    """Fill a migrated database that has the built-in roles; without ``customers`` there is nothing but the people and
    the stages. Gives the ids of the users."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            roles = {row["name"]: row["id"] for row in await connection.fetch("SELECT id, name FROM roles")}
            make = Maker(seed, zone)
            _role(make, "VEILED", roles, VEILED)
            _role(make, "NARROW", roles, NARROW)
            _role(make, "UNDATED", roles, UNDATED)
            users = _people(make, roles)
            stages = _stages(make)
            if customers:
                await connection.executemany("INSERT INTO exchange_rates VALUES ($1, $2, $3)", RATES)
                _business(make, users, stages, customers)
            for table, records in make.tables.items():
                columns = list(records[0])
                rows = [[record[column] for column in columns] for record in records]
                await connection.copy_records_to_table(table, columns=columns, records=rows)
        return users
    finally:
        await connection.close()


def _role(make: Maker, name: str, roles: dict[str, UUID], grants: Grants) -> None:
    roles[name] = make.add("roles", name=name, description=None, built_in=False, version=1)
    for (entity, action), (scope, fields) in grants.items():
        grant = make.add("grants", role_id=roles[name], entity=entity, action=action, rows=scope)
        for position, field in enumerate(ENTITIES[entity] if action == "read" else ()):
            access, on_rows, otherwise = fields.get(field, ("READ", "ALL", "READ"))
            rule = {"field": field, "access": access, "on_rows": on_rows, "otherwise": otherwise}
            make.add("field_grants", grant_id=grant, position=position, **rule)


def _people(make: Maker, roles: dict[str, UUID]) -> dict[str, UUID]:
    teams = {name: make.add("teams", name=name, version=1) for name in ("north", "south")}
    found = {}
    for number, (label, (role, team)) in enumerate(USERS.items()):
        name = ("Ann", "ann", "Zoë", "Ann")[number % 4]
        found[label] = make.add(
            "users",
            name=name,
            email=f"{label}@shop.example",
            role_id=roles[role],
            team_id=teams[team] if team else None,
        )
    return found


def _stages(make: Maker) -> list[UUID]:
    found = []
    for name, kind, position, days, deleted in (
        ("Lead", "OPEN", 0, 30, False),
        ("Talk", "OPEN", 1, None, False),
        ("Tie", "OPEN", 1, 100_000, False),
        ("Dropped", "LOST", 2, 1, False),
        ("Old", "OPEN", 2, 5, True),
        ("Offer", "OPEN", 3, 5, False),
        ("Won", "WON", 4, None, False),
        ("Won again", "WON", 4, None, False),
        ("Lost", "LOST", 5, None, False),
        ("Never", "OPEN", 6, None, True),
        ("Empty", "OPEN", 6, None, False),
    ):
        deleted_at = make.moments[0] if deleted else None
        more = {"kind": kind, "position": position, "probability": 50, "rotting_after_days": days}
        found.append(make.add("stages", name=name, deleted_at=deleted_at, **more))
    return found[:-2]


def _business(make: Maker, users: dict[str, UUID], stages: list[UUID], customers: int) -> None:
    products = [
        make.add(
            "products",
            sku=f"S-{number}",
            name=make.pick(("Chair", "Table", "")),
            category=None,
            price=Decimal("1.00"),
            currency="EUR",
            active=True,
            deleted_at=make.moments[0] if number == 0 else None,
        )
        for number in range(5)
    ]
    for number in range(customers):
        customer = make.add(
            "customers",
            code=f"C{number}",
            name=make.pick(("Acme", "Bee")),
            kind=make.pick(("PERSON", "COMPANY")),
            tier=make.pick(("STANDARD", "GOLD")),
            status="ACTIVE",
            owner_id=_user(make, users),
            deleted_at=make.maybe(make.moment(), 10),
        )
        for _ in range(make.random.randrange(6)):
            _deal(make, users, stages, products, customer)
        for _ in range(make.random.randrange(6)):
            _ticket(make, users, customer)


def _user(make: Maker, users: dict[str, UUID]) -> UUID | None:
    label = make.pick(OWNERS)
    return users[label] if label else None


def _deal(make: Maker, users: dict[str, UUID], stages: list[UUID], products: list[UUID], customer: UUID) -> None:
    currency = make.pick(("EUR", "EUR", *AMOUNTS))
    way = [make.pick(stages) for _ in range(make.random.randrange(4))]
    stage = way[-1] if way else make.pick(stages)
    kind = next(each["kind"] for each in make.tables["stages"] if each["id"] == stage)
    opened = make.moment()
    month = make.now.date().replace(day=1)
    days = (None, month, month - timedelta(days=1), month + timedelta(days=35), month + timedelta(days=70))
    deal = make.add(
        "opportunities",
        name=make.pick(("Deal", "Big deal")),
        customer_id=customer,
        owner_id=_user(make, users),
        product_id=make.maybe(make.pick(products), 70),
        stage_id=stage,
        amount=Decimal(make.pick(AMOUNTS[currency])),
        currency=currency,
        probability=make.pick((0, 10, 33, 50, 50, 100)),
        expected_close_on=make.pick(days),
        opened_at=opened,
        stage_entered_at=make.moment(),
        closed_at=None if kind == "OPEN" else make.moment(),
        deleted_at=make.maybe(make.moment(), 10),
    )
    for earlier, later in zip([None, *way], way, strict=False):
        change = {"from_stage_id": earlier, "to_stage_id": later, "changed_at": make.moment()}
        make.add("stage_changes", opportunity_id=deal, changed_by_id=None, **change)


def _ticket(make: Maker, users: dict[str, UUID], customer: UUID) -> None:
    created = make.moment()
    status = make.pick(("OPEN", "PENDING", "RESOLVED", "CLOSED"))
    settled = status in ("RESOLVED", "CLOSED")
    soon = (timedelta(0), timedelta(minutes=1), timedelta(minutes=1), timedelta(days=1, microseconds=7))
    make.add(
        "tickets",
        customer_id=customer,
        subject="Help",
        kind=make.pick(("INQUIRY", "COMPLAINT", "OTHER")),
        priority=make.pick(("LOW", "NORMAL", "URGENT")),
        status=status,
        channel=make.pick(("PHONE", "EMAIL", "WEB")),
        assignee_id=_user(make, users),
        created_at=created,
        first_response_due_at=make.maybe(created + make.pick(soon), 80),
        resolution_due_at=make.pick((None, created + make.pick(soon), make.now + timedelta(days=9))),
        pending_since=make.maybe(make.moment(), 80) if status == "PENDING" else None,
        first_responded_at=make.maybe(created + make.pick(soon), 70),
        resolved_at=make.maybe(created + make.pick(soon), 90) if settled else None,
        closed_at=make.moment() if status == "CLOSED" else None,
        satisfaction=make.pick((None, None, 1, 3, 5)) if settled else None,
        deleted_at=make.maybe(make.moment(), 10),
    )
