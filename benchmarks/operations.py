"""What is asked: documents, and for each a maker of random variables and the roles that may ask."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from app.db.ids import print_id

TEN = "id code name kind email phone tier status city createdAt"
_CONTACTS = "contacts(first: 5) {{ {total} nodes {{ id fullName title email phone isPrimary }} }}"
_ORDERS = (
    "orders(first: 5) {{ {total} nodes {{ id number status placedAt total {{ amount currency }} lines {{"
    " id sku name quantity unitPrice {{ amount currency }} total {{ amount currency }} }} }} }}"
)
_TICKETS = (
    "tickets(first: 5, where: {{status: {{eq: OPEN}}}}) {{ {total} nodes {{"
    " id number subject priority status createdAt }} }}"
)
_NESTED = (
    "query Nested($where: CustomerFilter, $orderBy: [CustomerOrder!]) {{"
    " customers(first: 50, where: $where, orderBy: $orderBy) {{ {total} nodes {{ "
    f"{TEN} {_CONTACTS} {_ORDERS} {_TICKETS}"
    " }} pageInfo {{ hasNextPage }} }} }}"
)
EVERYBODY = ("ADMIN", "AUDITOR", "MANAGER", "SALES", "SUPPORT", "MARKETING", "ANALYST", "INTEGRATION")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may call."""

    id: UUID
    role: str
    email: str


@dataclass(frozen=True, slots=True)
class World:
    """What requests are made of: who may call, which customers there are, and which of them a seller owns."""

    users: Mapping[str, Sequence[User]]
    customers: Sequence[UUID]
    owned: Mapping[UUID, Sequence[UUID]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A document with the maker of its variables; ``roles`` may run it. So many ``requests`` are made of it."""

    name: str
    document: str
    variables: Callable[[random.Random, World, User], dict[str, Any]]
    roles: tuple[str, ...] = EVERYBODY
    requests: int = 600

    def body(self, variables: Mapping[str, Any]) -> bytes:
        """The body of one request."""
        return json.dumps({"query": self.document, "variables": variables}).encode()


def _one(chance: random.Random, world: World, user: User) -> dict[str, Any]:
    owned = world.owned.get(user.id)
    return {"id": print_id("cus", chance.choice(owned or world.customers))}


def _page(chance: random.Random, _world: World, user: User) -> dict[str, Any]:
    """One of several shapes of filters, and of all orders, with random operands."""
    moment = datetime(2024, 6, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(2 * 365 * 86_400))
    country = chance.choice(("DE", "DE", "FR", "ES", "IT", "US", "AT"))
    where = chance.choice(
        (
            {"createdAt": {"lt": moment.isoformat()}},
            {"createdAt": {"gte": moment.isoformat()}, "kind": {"eq": chance.choice(("PERSON", "COMPANY"))}},
            {"status": {"eq": chance.choice(("LEAD", "ACTIVE", "DORMANT"))}},
            {"tier": {"in": chance.sample(("STANDARD", "SILVER", "GOLD"), 2)}},
            {"country": {"eq": country}},
        )
    )
    # To order by what one may not read is forbidden.
    fields = ("CREATED_AT", "UPDATED_AT", "CODE") if user.role == "ANALYST" else ("CREATED_AT", "UPDATED_AT", "NAME")
    field = chance.choice(fields)
    return {"where": where, "orderBy": [{"field": field, "direction": chance.choice(("ASC", "DESC"))}]}


_KNOW_TICKETS = tuple(role for role in EVERYBODY if role != "MARKETING")

OPERATIONS = (
    Operation("one customer", f"query One($id: ID!) {{ customer(id: $id) {{ {TEN} }} }}", _one, requests=5000),
    Operation(
        "50 customers",
        "query Page($where: CustomerFilter, $orderBy: [CustomerOrder!]) {"
        f" customers(first: 50, where: $where, orderBy: $orderBy) {{ nodes {{ {TEN} }}"
        " pageInfo { hasNextPage } } }",
        _page,
    ),
    Operation("nested", _NESTED.format(total=""), _page, _KNOW_TICKETS),
    Operation("nested, totalCount", _NESTED.format(total="totalCount"), _page, _KNOW_TICKETS),
)

# An ordinary server without masked fields can serve these; the others need what it does not have.
PLAIN_ROLES = ("ADMIN", "AUDITOR", "MANAGER", "SALES", "INTEGRATION")


async def read_world(url: str) -> World:
    """The users, and some of the customers, of a loaded database. Each user gets a session with its own id."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO sessions (id, user_id, refresh_seed, created_at, last_used_at, expires_at)"
            " SELECT id, id, '', now(), now(), '2100-01-01' FROM users ON CONFLICT DO NOTHING"
        )
        users: dict[str, list[User]] = {}
        for row in await connection.fetch(
            "SELECT users.id, roles.name AS role, email FROM users JOIN roles ON roles.id = role_id"
            " WHERE active ORDER BY email"
        ):
            users.setdefault(row["role"], []).append(User(UUID(bytes=row["id"].bytes), row["role"], row["email"]))
        customers = await connection.fetch("SELECT id, owner_id FROM customers WHERE deleted_at IS NULL ORDER BY id")
    finally:
        await connection.close()
    owned: dict[UUID, list[UUID]] = {}
    for row in customers:
        if row["owner_id"] is not None:
            owned.setdefault(UUID(bytes=row["owner_id"].bytes), []).append(row["id"])
    sellers = {user.id for user in users["SALES"]}
    return World(
        users, [row["id"] for row in customers], {seller: found for seller, found in owned.items() if seller in sellers}
    )
