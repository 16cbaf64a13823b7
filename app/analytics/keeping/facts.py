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

    They are sorted first, which PostgreSQL can do an order at a time, by their index. By itself it would gather all of
    them at once: it takes the orders for far fewer than they are.
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


def all_facts(shop: ShopFacts, rates: str, lines: str) -> str:
    """The facts as of now, rates and lines taken from tables, each with its ``owner_id``."""
    foreign = f"o.currency <> {literal(shop.currency)}"
    joined = f"""
        LEFT JOIN {rates} r ON r.currency = o.currency AND r.day = {day_of(shop)} AND {foreign}
        LEFT JOIN {lines} l ON l.order_id = o.id
    """
    lists = ", ".join(f"l.{name}" for name in LINES)
    return _facts(shop, "r.rate", f"{lists}, c.owner_id", joined, "true")


def some_facts(shop: ShopFacts, customers: str, same: str) -> str:
    """The facts as of now of the orders ``o`` that meet ``customers``. The table ``same`` has the lists of lines that
    are as they were."""
    joined = f"""
        LEFT JOIN {same} s ON s.order_id = o.id
        LEFT JOIN LATERAL ({lines("WHERE order_id = o.id AND s.order_id IS NULL")}) l ON true
    """
    lists = ", ".join(f"coalesce(s.{name}, l.{name}) AS {name}" for name in LINES)
    return _facts(shop, f"exchange_rate(o.currency, {day_of(shop)})", lists, joined, customers)


def _facts(shop: ShopFacts, rate: str, more: str, joined: str, condition: str) -> str:
    return f"""
        SELECT found.*, total * rate AS amount, CASE WHEN rate IS NULL THEN currency END AS lacking
        FROM (
            SELECT o.customer_id, o.id AS order_id, o.placed_at, {day_of(shop)} AS day, o.total, o.currency,
                CASE WHEN o.currency = {literal(shop.currency)} THEN 1 ELSE {rate} END AS rate, {more}
            FROM orders o JOIN customers c ON c.id = o.customer_id {joined}
            WHERE o.{_NOT_SOLD} AND c.deleted_at IS NULL AND {condition}
        ) found
    """
