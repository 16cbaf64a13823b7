"""What may happen to an order."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.db.ids import print_id
from app.domain.checks import check_values, money, required_text
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.order_lines import lines_of, subtotal_of, told
from app.domain.order_states import (
    CANCELLED,
    COMPLETED,
    DELIVERED,
    ENDED,
    MOMENTS,
    ORDER_STATES,
    PAID,
    PENDING_PAYMENT,
    REFUNDED,
    SHIPPED,
)
from app.domain.rows import new
from app.domain.states import transition
from app.domain.work import Work
from app.models import Customer, Opportunity, Order, OrderLine, OrderStatusChange, Product, Stage
from app.models.base import currency_scale
from app.models.enums import OrderStatus, StageKind

_LARGEST = Decimal(10) ** 15
_REASON = 2_000
_AMOUNTS = ("discount", "shipping_fee")
_LIVE = "SELECT id FROM orders WHERE opportunity_id = $1 AND status <> ALL ($2) ORDER BY created_at, id"
UNLISTED = "DEAL"
"""The sku of what an opportunity without a product sells."""


async def create(work: Work, _: None, given: Given) -> Order:
    """A new order, which waits for its payment. Without ``placedAt`` it is placed now. Of an opportunity, there is one
    at a time, as in ``create_from_opportunity``."""
    for name in (*_AMOUNTS, "placed_at"):
        if given.values.get(name) is None:
            given.values.pop(name, None)
    check_values(work, Order, given)
    placed = given.get("placed_at", work.now)
    if placed > work.now:
        _not_in_the_future(work, given.at("placed_at"), placed)
    customer, opportunity = given.rows.get("customer"), given.rows.get("opportunity")
    if customer is not None and opportunity is not None and opportunity.customer_id != customer.id:
        said = f"opportunity {print_id(Opportunity.prefix, opportunity.id)} is not one of this customer."
        work.problems.add(given.at("opportunity_id"), "INVALID", said)
    if opportunity is not None:
        # It is held in place already; this makes others wait who want to make an order of it.
        await work.fetch("SELECT FROM opportunities WHERE id = $1 FOR NO KEY UPDATE", opportunity.id)
        await _only_order(work, given.at("opportunity_id"), opportunity)
    order = new(Order, placed_at=placed, created_at=work.now, updated_at=work.now)
    lines = lines_of(work, order.id, given, None)
    order.currency = lines[0].currency if lines else work.shop.currency
    order.subtotal = subtotal_of(lines)
    _set_amounts(work, order, given)
    if not work.problems.found:
        _check_amounts(work, order, given)
    work.problems.refuse()
    order.customer_id = given.rows["customer"].id
    order.opportunity_id = opportunity.id if opportunity else None
    order.channel = given.get("channel")
    await set_external_refs(work, order, given, made=True)
    return _made(work, order, lines)


async def create_from_opportunity(work: Work, opportunity: Opportunity, given: Given) -> Order:
    """The order that a won opportunity comes to: one of its product, at its amount. There is one at a time.

    The opportunity is locked, so that of two at once the second finds the order of the first.
    """
    path = ("id",)
    (stage,) = await work.find(Stage, "WHERE id = $1", opportunity.stage_id)
    if stage.kind is not StageKind.WON:
        said = f"Only a won opportunity becomes an order, and this one is {stage.kind}: win it first."
        work.problems.add(path, "INVALID", said, params={"kind": str(stage.kind)})
    await _only_order(work, path, opportunity)
    product = None
    if opportunity.product_id is not None:
        (product,) = await work.find(Product, "WHERE id = $1 FOR KEY SHARE", opportunity.product_id)
        if product.deleted_at is not None or not product.active:
            said = (
                "Its product is not sold any more: give the opportunity another one, or none, or make the order"
                " line by line with createOrder."
            )
            work.problems.add(path, "INVALID", said)
    if not await work.find(Customer, "WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE", opportunity.customer_id):
        work.problems.add(path, "INVALID", "Its customer has just been deleted: restore the customer first.")
    work.problems.refuse()
    order = new(
        Order,
        customer_id=opportunity.customer_id,
        opportunity_id=opportunity.id,
        currency=opportunity.currency,
        subtotal=opportunity.amount,
        placed_at=work.now,
        created_at=work.now,
        updated_at=work.now,
    )
    _set_amounts(work, order, given)
    line = new(
        OrderLine,
        order_id=order.id,
        position=1,
        product_id=opportunity.product_id,
        sku=product.sku if product else UNLISTED,
        name=product.name if product else opportunity.name,
        quantity=1,
        unit_price=opportunity.amount,
        currency=opportunity.currency,
    )
    return _made(work, order, [line])


async def _only_order(work: Work, path: tuple[str, ...], opportunity: Opportunity) -> None:
    """Note where the opportunity has become an order that has not ended; those that the actor sees are named.

    Whoever asks has the opportunity locked until it commits.
    """
    live = await work.fetch(_LIVE, opportunity.id, [str(status) for status in ENDED])
    if not live:
        return
    ids = tuple(print_id(Order.prefix, id) for id in await work.eyes.seen(Order, [row["id"] for row in live]))
    which = ", ".join(ids) or "an order that you may not see"
    said = f"This opportunity has become {which} already: cancel or refund that first, or go on with it."
    work.problems.add(path, "DUPLICATE", said, ids=ids or None)


async def update(work: Work, order: Order, given: Given) -> Order:
    """Change what was given, while the order waits for its payment. Lines that are given replace all that it has."""
    if order.status is not PENDING_PAYMENT:
        said = f"This order is {order.status}: only one that is {PENDING_PAYMENT} can be changed."
        params = {"from": str(order.status), "allowed": [str(PENDING_PAYMENT)]}
        work.problems.add(("id",), "INVALID_TRANSITION", said, params=params)
    check_values(work, Order, given)
    lines: list[OrderLine] = []
    if "lines" in given:
        lines = lines_of(work, order.id, given, order.currency)
        order.subtotal = subtotal_of(lines).quantize(_unit(order))
    _set_amounts(work, order, given)
    if not work.problems.found and ("lines" in given or any(name in given for name in _AMOUNTS)):
        _check_amounts(work, order, given)
    work.problems.refuse()
    if "lines" in given:
        await _replace(work, order, lines)
    if "channel" in given:
        order.channel = given.get("channel")
    await set_external_refs(work, order, given, made=False)
    return order


async def pay(work: Work, order: Order, given: Given) -> Order:
    """Its payment came in, now or at ``at``."""
    return await _move(work, order, given, PAID)


async def ship(work: Work, order: Order, given: Given) -> Order:
    """It went off, now or at ``at``."""
    return await _move(work, order, given, SHIPPED)


async def deliver(work: Work, order: Order, given: Given) -> Order:
    """It arrived, now or at ``at``."""
    return await _move(work, order, given, DELIVERED)


async def complete(work: Work, order: Order, given: Given) -> Order:
    """Nothing is left to do."""
    return await _move(work, order, given, COMPLETED)


async def cancel(work: Work, order: Order, given: Given) -> Order:
    """It will not be shipped, for a reason."""
    required_text(work, given, "reason", _REASON)
    return await _move(work, order, given, CANCELLED)


async def refund(work: Work, order: Order, given: Given) -> Order:
    """The customer has the money back, for a reason."""
    required_text(work, given, "reason", _REASON)
    return await _move(work, order, given, REFUNDED)


async def _move(work: Work, order: Order, given: Given, to: OrderStatus) -> Order:
    before, at = order.status, given.get("at")
    earliest = max(moment for name in MOMENTS.values() if (moment := getattr(order, name)) is not None)
    if transition(work, ("id",), ORDER_STATES, before, to, "order") and at is not None:
        last = await work.fetch("SELECT max(changed_at) AS at FROM order_status_changes WHERE order_id = $1", order.id)
        earliest = max(earliest, last[0]["at"] or earliest)
        if at > work.now:
            _not_in_the_future(work, given.at("at"), at)
        elif at < earliest:
            said = f"at is before {_moment(earliest)}, when this order became {before}."
            work.problems.add(given.at("at"), "OUT_OF_RANGE", said, params={"min": _moment(earliest)})
    work.problems.refuse()
    # Another server's clock may be ahead of this one's: no step comes before the one before it.
    at = at or max(work.now, earliest)
    order.status = to
    setattr(order, MOMENTS[to], at)
    reason = given.get("reason")
    if reason is not None:
        work.tell("reason", None, reason)
    _step(work, order, before, at, reason)
    return order


def _step(work: Work, order: Order, before: OrderStatus | None, at: datetime, reason: str | None = None) -> None:
    work.add(
        new(
            OrderStatusChange,
            order_id=order.id,
            from_status=before,
            to_status=order.status,
            changed_at=at,
            changed_by_id=work.actor.user_id,
            reason=reason,
        )
    )


def _made(work: Work, order: Order, lines: Sequence[OrderLine]) -> Order:
    work.add(order)
    for line in lines:
        work.add(line)
    _step(work, order, None, order.placed_at)
    work.tell("lines", None, told(lines))
    return order


async def _replace(work: Work, order: Order, lines: Sequence[OrderLine]) -> None:
    present = await work.find(OrderLine, "WHERE order_id = $1 ORDER BY position, id", order.id)
    before, after = told(present), told(lines)
    if before == after:
        return
    for line in present:
        work.remove(line)
    for line in lines:
        work.add(line)
    work.tell("lines", before, after)
    # Other lines are a change of the order, even where they add up to the same.
    order.updated_at = work.now


def _set_amounts(work: Work, order: Order, given: Given) -> None:
    """Take over discount and shipping fee in the order's currency, and its total, which the database works out too."""
    for name in _AMOUNTS:
        said: Any = given.get(name)
        amount = None
        if said is not None:
            exact = money(work, given.at(name), said, order.currency)
            amount = exact[0] if exact else None
        setattr(order, name, (getattr(order, name) if amount is None else amount).quantize(_unit(order)))
    order.total = order.subtotal - order.discount + order.shipping_fee


def _check_amounts(work: Work, order: Order, given: Given) -> None:
    """Note where an order cannot come to such amounts."""
    lines = given.at("lines") if "lines" in given else given.at("shipping_fee")
    for name, amount in (("subtotal", order.subtotal), ("total", order.total)):
        if amount >= _LARGEST:
            said = f"The order's {name} would be {amount}: it must be below 10^15."
            work.problems.add(lines, "OUT_OF_RANGE", said, params={"actual": str(amount)})
            return
    if order.discount > order.subtotal:
        said = f"discount is {order.discount}: it cannot be more than what the lines add up to, {order.subtotal}."
        params = {"max": str(order.subtotal), "actual": str(order.discount)}
        path = given.at("discount") if "discount" in given else given.at("lines")
        work.problems.add(path, "OUT_OF_RANGE", said, params=params)


def _not_in_the_future(work: Work, path: tuple[str, ...], at: datetime) -> None:
    latest = _moment(work.now)
    said = f"{path[-1]} is {_moment(at)}, in the future: it can be {latest} at the latest."
    work.problems.add(path, "OUT_OF_RANGE", said, params={"max": latest})


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _unit(order: Order) -> Decimal:
    return Decimal(1).scaleb(-currency_scale(order.currency))
