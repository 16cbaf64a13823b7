"""What the lines of an order make of it: its subtotal, and the shipping fee and discount that add up over its lines."""

# ruff: noqa: S608  # Statements are made of names of our own; values travel by COPY and as parameters.

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from app.importing.indexes import rebuilt_indexes
from app.importing.resolving import FOUND, Resolution

SUMS = "import_sums"


class OrderSums:
    """The amounts that the orders of the imported lines come to. Lines not in the file count as they are."""

    def __init__(self, resolution: Resolution) -> None:
        columns = {effect.column for effect in resolution.effects}
        self._keeps = resolution.read.existing == "keep"
        self._added = [n for n in ("shipping_fee", "discount") if f"_{n}" in columns and not self._keeps]

    async def work_out(self, connection: asyncpg.Connection) -> None:
        """Add up, and refuse the rows of orders whose amounts would leave what an order can have."""
        scale = "currency_scale(min(o.currency))"
        added = [f"round(coalesce(sum(f._{n}), 0), {scale}) AS {n}" for n in self._added]
        kept = [f"min(o.{n}) AS {n}" for n in ("shipping_fee", "discount") if n not in self._added]
        await connection.execute(
            f"CREATE TEMP TABLE {SUMS} ON COMMIT DROP AS SELECT o.id, {', '.join([*added, *kept])},"
            " round(sum(f.quantity * f.unit_price) + coalesce((SELECT sum(l.total) FROM order_lines l"
            f" WHERE l.order_id = o.id AND l.id <> ALL(array_agg(f._id))), 0), {scale}) AS subtotal"
            f" FROM {FOUND} f JOIN orders o ON o.id = f.order_id WHERE f._problem IS NULL AND f._head"
            f"{' AND f._is_new' if self._keeps else ''} GROUP BY o.id"
        )
        await connection.execute(
            f"UPDATE {FOUND} f SET _problem = ARRAY['order', CASE WHEN n.subtotal >= 1e15 THEN 'its lines add up to"
            " more than an order can hold (10^15)' ELSE 'its discount ' || n.discount || ' would be more than its lines"
            f" and shipping fee (' || n.subtotal + n.shipping_fee || ')' END] FROM {SUMS} n WHERE f.order_id = n.id"
            " AND f._problem IS NULL AND (n.subtotal >= 1e15 OR n.discount > n.subtotal + n.shipping_fee)"
        )

    @asynccontextmanager
    async def written(self, connection: asyncpg.Connection) -> AsyncIterator[None]:
        """Bring the orders to these amounts after the lines, which are written while the context is open.

        An order that has them already stays untouched. Where most orders change, their table is taken for this
        transaction before the lines come, so that these are checked against it all at once.
        """
        columns = ["subtotal", *self._added]
        before, after = (", ".join(f"{alias}.{name}" for name in columns) for alias in ("o", "n"))
        differing = (
            f"{SUMS} n WHERE o.id = n.id AND ROW({before}) IS DISTINCT FROM ROW({after})"
            f" AND n.id IN (SELECT f.order_id FROM {FOUND} f WHERE f._problem IS NULL)"
        )
        changing = await connection.fetchval(f"SELECT count(*) FROM orders o, {differing}")
        async with rebuilt_indexes(connection, "orders", changing):
            yield
            if changing:
                await connection.execute(
                    f"UPDATE orders o SET {', '.join(f'{name} = n.{name}' for name in columns)},"
                    f" version = o.version + 1, updated_at = now() FROM {differing}"
                )
        await connection.execute(
            f"SELECT check_order_subtotals(coalesce(array_agg(n.id), '{{}}')) FROM {SUMS} n"
            f" WHERE n.id IN (SELECT f.order_id FROM {FOUND} f WHERE f._problem IS NULL)"
        )
        await connection.execute(f"DROP TABLE {SUMS}")
