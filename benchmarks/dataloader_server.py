"""(b) An ordinary server over the same tables: Strawberry, field by field, with DataLoaders that batch and limit.

It answers the benchmark's operations for roles that see all rows (ADMIN, AUDITOR, INTEGRATION), a team's (MANAGER) or
their own (SALES), with the same names and the same values as ours. ``DATABASE_URL``, ``PORT`` and ``RAPPORT_SECRET``
say where and with which tokens.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import strawberry
import uvicorn
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from app.db.ids import split_id
from auth.tokens import AccessTokens
from benchmarks.dataloader_types import SCALARS, Connection, Customer, Kind, Status, Tier, connection
from benchmarks.dataloaders import Loaders

_COLUMNS = (
    "c.id, c.code, c.name, c.kind, c.email, c.phone, c.tier, c.status, c.city, c.region, c.country, c.tags,"
    " c.created_at, c.updated_at, c.version"
)
_OF_ONE = (
    " AND (c.owner_id = {who} OR EXISTS (SELECT FROM opportunities AS o WHERE o.customer_id = c.id"
    " AND o.deleted_at IS NULL AND o.owner_id = {who}) OR EXISTS (SELECT FROM tickets AS t"
    " WHERE t.customer_id = c.id AND t.deleted_at IS NULL AND t.assignee_id = {who}))"
)
_SIGHT = {
    "ADMIN": "",
    "AUDITOR": "",
    "INTEGRATION": "",
    "SALES": _OF_ONE.format(who="$1"),
    "MANAGER": _OF_ONE.format(
        who="ANY (ARRAY(SELECT id FROM users WHERE team_id = (SELECT team_id FROM users WHERE id = $1)))"
    ),
}
_ORDERS = {"CREATED_AT": "c.created_at", "UPDATED_AT": "c.updated_at", "NAME": 'c.name COLLATE "C"'} | {
    "CODE": 'c.code COLLATE "C"'
}


@strawberry.enum
class CustomerOrderField(Enum):
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"
    NAME = "NAME"
    CODE = "CODE"


@strawberry.enum
class OrderDirection(Enum):
    ASC = "ASC"
    DESC = "DESC"


@strawberry.input
class CustomerOrder:
    field: CustomerOrderField
    direction: OrderDirection = OrderDirection.ASC


def _choice(kind: Any, name: str) -> Any:
    annotations = {"eq": kind | None, "in_": list[kind] | None}
    members = {"__annotations__": annotations, "eq": None, "in_": strawberry.field(name="in", default=None)}
    return strawberry.input(type(name, (), members))


KindFilter = _choice(Kind, "CustomerKindFilter")
TierFilter = _choice(Tier, "CustomerTierFilter")
StatusFilter = _choice(Status, "CustomerStatusFilter")
StringFilter = _choice(str, "StringFilter")


@strawberry.input
class DateTimeFilter:
    lt: datetime | None = None
    gte: datetime | None = None


@strawberry.input
class CustomerFilter:
    kind: KindFilter | None = None
    tier: TierFilter | None = None
    status: StatusFilter | None = None
    country: StringFilter | None = None
    created_at: DateTimeFilter | None = None


def _conditions(where: CustomerFilter | None, arguments: list[Any]) -> str:
    """The SQL of a filter; its operands are added to ``arguments``."""
    found = ""
    for column in ("kind", "tier", "status", "country"):
        choice = getattr(where, column, None)
        if choice is not None and choice.eq is not None:
            arguments.append(str(choice.eq))
            found += f" AND c.{column} = ${len(arguments)}"
        if choice is not None and choice.in_ is not None:
            arguments.append([str(member) for member in choice.in_])
            found += f" AND c.{column} = ANY (${len(arguments)}::text[])"
    if where and where.created_at:
        for operator, operand in (("<", where.created_at.lt), (">=", where.created_at.gte)):
            if operand is not None:
                arguments.append(operand)
                found += f" AND c.created_at {operator} ${len(arguments)}"
    return found


@strawberry.type
class Query:
    @strawberry.field
    async def customer(self, info: strawberry.Info, id: strawberry.ID) -> Customer | None:
        found = split_id(id)
        if found is None or found[0] != "cus":
            raise ValueError("not the id of a customer")
        sight, arguments = _sight(info)
        arguments.append(found[1])
        row = await info.context["pool"].fetchrow(
            f"SELECT {_COLUMNS} FROM customers AS c WHERE c.id = ${len(arguments)} AND c.deleted_at IS NULL{sight}",
            *arguments,
        )
        return Customer.of(row) if row else None

    @strawberry.field
    async def customers(
        self,
        info: strawberry.Info,
        first: int = 25,
        where: CustomerFilter | None = None,
        order_by: list[CustomerOrder] | None = None,
    ) -> Connection[Customer]:
        if not 1 <= first <= 200:
            raise ValueError("first is 1 to 200")
        pool = info.context["pool"]
        sight, arguments = _sight(info)
        source = f"FROM customers AS c WHERE c.deleted_at IS NULL{_conditions(where, arguments)}{sight}"
        terms = [(_ORDERS[term.field.value], term.direction.value) for term in order_by or []]
        terms = terms or [("c.created_at", "DESC")]
        order = ", ".join(f"{column} {direction}" for column, direction in [*terms, ("c.id", terms[-1][1])])
        rows = await pool.fetch(f"SELECT {_COLUMNS} {source} ORDER BY {order} LIMIT {first + 1}", *arguments)
        return connection(Customer.of, rows, first, lambda: pool.fetchval(f"SELECT count(*) {source}", *arguments))


def _sight(info: strawberry.Info) -> tuple[str, list[Any]]:
    user_id, role = info.context["caller"]
    if role not in _SIGHT:
        raise PermissionError("This role may not read customers here.")
    sight = _SIGHT[role]
    return sight, [user_id] if sight else []


class View(GraphQL[Any, Any]):
    """The view of a request by somebody whom a token names."""

    app: Starlette

    async def get_context(self, request: Any, response: Any) -> Any:  # noqa: ARG002
        state = self.app.state
        user_id = state.tokens.verify(request.headers["authorization"].removeprefix("Bearer ")).principal.user_id
        return {"pool": state.pool, "loaders": Loaders(state.pool), "caller": (user_id, state.roles[user_id])}

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


def create_app(url: str, secret: str) -> Starlette:
    """The application on the database of ``url``."""
    schema = strawberry.Schema(
        Query,
        extensions=[lambda: ParserCache(maxsize=500), lambda: ValidationCache(maxsize=500)],
        config=StrawberryConfig(scalar_map=SCALARS),
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        settings = {"jit": "off", "TimeZone": "UTC"}
        async with asyncpg.create_pool(url, min_size=8, max_size=8, server_settings=settings) as pool:
            rows = await pool.fetch("SELECT users.id, roles.name FROM users JOIN roles ON roles.id = role_id")
            app.state.pool = pool
            app.state.roles = {UUID(bytes=row["id"].bytes): row["name"] for row in rows}
            app.state.tokens = AccessTokens(secret, 3600)
            yield

    view = View(schema)
    app = Starlette(lifespan=lifespan)
    view.app = app
    app.add_route("/graphql", view)
    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(os.environ["DATABASE_URL"], os.environ["RAPPORT_SECRET"]),
        port=int(os.environ["PORT"]),
        log_level="warning",
        access_log=False,
    )
