"""The loaders of the ordinary server: one statement for all parents that ask the same within one turn of the loop."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from strawberry.dataloader import DataLoader

COLUMNS = {
    "contacts": "id, first_name, last_name, title, email, phone, is_primary, created_at",
    "orders": "id, number, status, channel, placed_at, currency, total",
    "tickets": "id, number, subject, priority, status, created_at",
}
_LINES = (
    "SELECT order_id, id, sku, name, quantity, unit_price, total, currency FROM order_lines"
    " WHERE order_id = ANY ($1::uuid[]) ORDER BY order_id, position, id"
)


class Loaders:
    """The loaders of one request."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._made: dict[tuple[Any, ...], DataLoader[UUID, Any]] = {}
        self.lines: DataLoader[UUID, list[asyncpg.Record]] = DataLoader(self._lines)

    def children(self, table: str, limit: int, status: str | None) -> DataLoader[UUID, Any]:
        """The newest rows of each customer, at most ``limit``, in a ``status`` where one is given."""

        async def load(keys: Sequence[UUID]) -> list[list[asyncpg.Record]]:
            condition, arguments = _condition(table, status)
            rows = await self._pool.fetch(
                f"SELECT parent.id AS parent, child.* FROM unnest($1::uuid[]) AS parent (id) CROSS JOIN LATERAL"
                f" (SELECT {COLUMNS[table]} FROM {table} AS t WHERE t.customer_id = parent.id{condition}"
                f" ORDER BY t.created_at DESC, t.id DESC LIMIT {limit}) AS child",
                list(keys),
                *arguments,
            )
            return _grouped(keys, rows, "parent")

        return self._once(("children", table, limit, status), load)

    def counts(self, table: str, status: str | None) -> DataLoader[UUID, Any]:
        """How many rows each customer has."""

        async def load(keys: Sequence[UUID]) -> list[int]:
            condition, arguments = _condition(table, status)
            rows = await self._pool.fetch(
                f"SELECT t.customer_id, count(*) FROM {table} AS t"
                f" WHERE t.customer_id = ANY ($1::uuid[]){condition} GROUP BY 1",
                list(keys),
                *arguments,
            )
            found = dict(rows)
            return [found.get(key, 0) for key in keys]

        return self._once(("counts", table, status), load)

    def _once(self, key: tuple[Any, ...], load: Any) -> DataLoader[UUID, Any]:
        if key not in self._made:
            self._made[key] = DataLoader(load)
        return self._made[key]

    async def _lines(self, keys: Sequence[UUID]) -> list[list[asyncpg.Record]]:
        return _grouped(keys, await self._pool.fetch(_LINES, list(keys)), "order_id")


def _condition(table: str, status: str | None) -> tuple[str, tuple[str, ...]]:
    alive = "" if table == "orders" else " AND t.deleted_at IS NULL"
    return (alive, ()) if status is None else (f"{alive} AND t.status = $2", (status,))


def _grouped(keys: Sequence[UUID], rows: Sequence[asyncpg.Record], column: str) -> list[list[asyncpg.Record]]:
    found: dict[UUID, list[asyncpg.Record]] = {key: [] for key in keys}
    for row in rows:
        found[row[column]].append(row)
    return list(found.values())
