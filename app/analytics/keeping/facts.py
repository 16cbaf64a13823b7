"""Facts: what is counted of the sold orders of customers that are not deleted."""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from app.analytics.building import ShopFacts
from app.analytics.keeping.literals import literal, literals
from app.analytics.sold import NOT_SOLD

LINES = ("products", "quantities", "totals")
"""The lists of an order's lines by product."""

COLUMNS = ("customer_id", "order_id", "placed_at", "day", "rate", "amount", "lacking", *LINES)

_NOT_SOLD = f"status NOT IN ({literals([status.value for status in NOT_SOLD])})"


def day_of(shop: ShopFacts, moment: str = "o.placed_at") -> str:
    """The day of ``moment`` in the shop's time zone."""
    return f"timezone({literal(shop.timezone)}, {moment})::date"


def rates_of_days(shop: ShopFacts) -> str:
    """Each currency and day of sold orders with its exchange rate: far fewer look-ups than one for each order."""
    return f"""
        SELECT currency, day, exchange_rate(currency, day) AS rate FROM (
            SELECT DISTINCT o.currency, {day_of(shop)} AS day FROM orders o
            WHERE {_NOT_SOLD} AND o.currency <> {literal(shop.currency)}
        ) found
    """


def lines(condition: str = "") -> str:
    """The lists of lines by ``order_id``, of those that meet ``condition``.

    Lines are sorted by the index of an order's lines, for which PostgreSQL need not sort all of them: how many orders
    there are it cannot tell from them.
    """
    lists = ", ".join(
        f"array_agg({value} ORDER BY product_id) AS {name}"
        for name, value in zip(LINES, ("product_id", "quantity", "total"), strict=True)
    )
    return f"""
        SELECT order_id, {lists} FROM (
            SELECT order_id, product_id, sum(quantity) AS quantity, sum(total) AS total FROM (
                SELECT order_id, product_id, quantity, total FROM order_lines {condition}
                ORDER BY order_id, product_id OFFSET 0
            ) each GROUP BY order_id, product_id
        ) by_product GROUP BY order_id
    """


def facts(shop: ShopFacts, *, made: tuple[str, str] | None = None, customers: str | None = None) -> str:
    """The facts as of now; ``customers`` limits ``o``. Where the tables ``made`` are given, rates and lines are taken
    from these, and each fact comes with its ``owner_id``."""
    own = f"o.currency = {literal(shop.currency)}"
    day = day_of(shop)
    rate, joined = f"exchange_rate(o.currency, {day})", ""
    kept = f"LATERAL ({lines('WHERE order_id = o.id')})"
    if made is not None:
        rates, kept = made
        rate = "r.rate"
        joined = f"LEFT JOIN {rates} r ON r.currency = o.currency AND r.day = {day} AND NOT {own}"
    lists = ", ".join((*LINES, *(["owner_id"] if made else [])))
    limited = f"AND {customers}" if customers else ""
    return f"""
        SELECT customer_id, order_id, placed_at, day, rate, total * rate AS amount,
            CASE WHEN rate IS NULL THEN currency END AS lacking, {lists}
        FROM (
            SELECT o.customer_id, o.id AS order_id, o.placed_at, {day} AS day, o.total, o.currency,
                CASE WHEN {own} THEN 1 ELSE {rate} END AS rate, {lists}
            FROM orders o JOIN customers c ON c.id = o.customer_id {joined}
            LEFT JOIN {kept} l ON l.order_id = o.id
            WHERE o.{_NOT_SOLD} AND c.deleted_at IS NULL {limited}
        ) found
    """
