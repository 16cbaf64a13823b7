"""The lines of an order: what was given, and what is copied from the product where nothing was."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.db.ids import print_id
from app.domain.checks import check_values, in_range, money
from app.domain.given import Given, GivenMoney
from app.domain.rows import new
from app.domain.work import Work
from app.models import OrderLine, Product

MOST_LINES = 200
MOST_OF_ONE = 100_000
_COPIED = ("sku", "name", "unit_price")

Path = tuple[str, ...]


def lines_of(work: Work, order_id: UUID, given: Given, currency: str | None) -> list[OrderLine]:
    """The lines that ``given`` lists, of the order ``order_id``; what is wrong with them is noted.

    All prices are in ``currency``. Without one, it is that of the first price: the one that it says, or else that of
    its product, or else the shop's.
    """
    path, said = given.at("lines"), given.get("lines")
    if not said:
        work.problems.add(path, "REQUIRED", "lines cannot be empty: an order has at least one.")
        return []
    if len(said) > MOST_LINES:
        message = f"lines has {len(said)} members; {MOST_LINES} are allowed."
        work.problems.add(path, "TOO_LONG", message, params={"max": MOST_LINES, "actual": len(said)})
        return []
    products = given.rows.get("product") or {}
    found = []
    for number, values in enumerate(said):
        line = Given({name: value for name, value in values.items() if value is not None}, path=(*path, str(number)))
        priced = _priced(work, line, products.get(line.get("product_id")), currency)
        if priced is not None:
            currency = priced[1]
            found.append(_line(order_id, number, line, products.get(line.get("product_id")), priced))
    return found


def _priced(work: Work, line: Given, product: Product | None, currency: str | None) -> tuple[Decimal, str] | None:
    """The price of one and its currency; None where something is wrong with the line, which is noted."""
    known = len(work.problems.found)
    check_values(work, OrderLine, line)
    in_range(work, line, "quantity", 1, MOST_OF_ONE)
    if product is None:
        # A product that is not there, or that no one may see, is a problem already.
        if "product_id" not in line and not any(each.field == line.at("product_id") for each in work.problems.found):
            for attribute in _COPIED:
                if attribute not in line:
                    path = line.at(attribute)
                    work.problems.add(path, "REQUIRED", f"{path[-1]} is needed in a line without productId.")
    elif not product.active:
        said = f"The product {print_id(Product.prefix, product.id)} is not sold any more: it is not active."
        work.problems.add(line.at("product_id"), "INVALID", said)
    priced = None
    given = line.get("unit_price")
    if given is not None:
        own = currency or (product.currency if product else None)
        price = GivenMoney(given.amount, own if given.currency is None else given.currency)
        priced = money(work, line.at("unit_price"), price, currency)
    elif product is not None:
        if currency is not None and currency != product.currency:
            said = f"This product's price is not in {currency}, as the order is: say its unitPrice."
            params = {"currency": currency}
            if work.eyes.reads(Product, "price"):
                said = f"This product's price is in {product.currency}, the order is in {currency}: say its unitPrice."
                params["actual"] = product.currency
            work.problems.add(line.at("product_id"), "INVALID", said, params=params)
        priced = product.price, product.currency
    return priced if len(work.problems.found) == known and (product or "product_id" not in line) else None


def _line(order_id: UUID, number: int, line: Given, product: Product | None, priced: tuple[Decimal, str]) -> OrderLine:
    return new(
        OrderLine,
        order_id=order_id,
        position=number + 1,
        product_id=product.id if product else None,
        sku=line.get("sku", product and product.sku),
        name=line.get("name", product and product.name),
        quantity=line.values["quantity"],
        unit_price=priced[0],
        currency=priced[1],
    )


def subtotal_of(lines: Sequence[OrderLine]) -> Decimal:
    """What the lines add up to."""
    return sum((line.quantity * line.unit_price for line in lines), Decimal(0))


def told(lines: Sequence[OrderLine]) -> list[dict[str, Any]]:
    """The lines as the audit log tells them."""
    return [
        {
            "product": line.product_id and print_id(Product.prefix, line.product_id),
            "sku": line.sku,
            "name": line.name,
            "quantity": line.quantity,
            "unitPrice": {"amount": str(line.unit_price), "currency": line.currency},
        }
        for line in lines
    ]
