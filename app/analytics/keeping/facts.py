"""Facts: what is counted of the sold orders of customers that are not deleted."""

# ruff: noqa: S608  # Statements are made of names and values of our own.

from app.analytics.building import ShopFacts
from app.analytics.keeping.literals import literal, literals
from app.analytics.sold import NOT_SOLD

COLUMNS = ("customer_id", "order_id", "placed_at", "day", "rate", "amount", "lacking")

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


def facts(shop: ShopFacts, *, rates: str | None = None, customers: str | None = None) -> str:
    """The facts as of now, rates taken from the table ``rates`` if there is one; ``customers`` limits ``o``."""
    own = f"o.currency = {literal(shop.currency)}"
    day = day_of(shop)
    rate = "r.rate" if rates else f"exchange_rate(o.currency, {day})"
    joined = f"LEFT JOIN {rates} r ON r.currency = o.currency AND r.day = {day} AND NOT {own}" if rates else ""
    limited = f"AND {customers}" if customers else ""
    return f"""
        SELECT customer_id, order_id, placed_at, day, rate, total * rate AS amount,
            CASE WHEN rate IS NULL THEN currency END AS lacking
        FROM (
            SELECT o.customer_id, o.id AS order_id, o.placed_at, {day} AS day, o.total, o.currency,
                CASE WHEN {own} THEN 1 ELSE {rate} END AS rate
            FROM orders o JOIN customers c ON c.id = o.customer_id {joined}
            WHERE o.{_NOT_SOLD} AND c.deleted_at IS NULL {limited}
        ) found
    """
