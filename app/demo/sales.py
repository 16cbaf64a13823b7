"""Orders with their lines and their changes of state, made in the order in which they were placed."""

from collections.abc import Iterator

from app.demo import words
from app.demo.buyers import ORDERS_EACH
from app.demo.catalogue import Ware
from app.demo.cells import NULL, Cell, row, text, time, whole
from app.demo.chance import DAY, HOUR, MINUTE, weighted
from app.demo.money import FEES, amount
from app.demo.people import Staff
from app.demo.rows import RECORD_COLUMNS, Batch, Buyer, Frame, references
from app.models.enums import OrderStatus

_ORDER_COLUMNS = (
    *RECORD_COLUMNS,
    *("number", "customer_id", "opportunity_id", "status", "channel", "currency", "subtotal", "discount"),
    *("shipping_fee", "placed_at", "paid_at", "shipped_at", "delivered_at", "completed_at", "cancelled_at"),
    "refunded_at",
)
_LINE_COLUMNS = ("id", "order_id", "position", "product_id", "sku", "name", "quantity", "unit_price", "currency")
_CHANGE_COLUMNS = ("id", "order_id", "from_status", "to_status", "changed_at", "changed_by_id", "reason")
_PENDING, _PAID, _SHIPPED, _DELIVERED, _COMPLETED, _CANCELLED, _REFUNDED = (
    text(status.value) for status in OrderStatus
)
_LINES = weighted({1: 30, 2: 22, 3: 18, 4: 10, 5: 7, 6: 5, 7: 3, 8: 3, 12: 1, 20: 1})
_QUANTITIES = weighted({1: 70, 2: 18, 3: 6, 4: 3, 6: 2, 12: 1})
_LINES_EACH, _CHANGES_EACH = 3, 4.5
_SLICE = 20_000

Events = list[tuple[Cell, int]]

_MISCELLANEOUS, _GIFT_WRAPPING = text("MISC"), text("Gift wrapping 🎁")


def plan_orders(frame: Frame, buyers: list[Buyer]) -> list[int]:
    """When whose orders are placed, in order: each is a moment times the number of customers, plus the customer's."""
    chance, calendar = frame.chance("order times"), frame.calendar
    size = len(buyers)
    planned = []
    for number, buyer in enumerate(buyers):
        last = None
        for _ in range(buyer.orders):
            moment = calendar.between(chance, buyer.created, buyer.until)
            if last is not None and chance.random() < 0.01:
                moment = last
            planned.append(moment * size + number)
            last = moment
            if buyer.last_order is None or moment > buyer.last_order:
                buyer.last_order = moment
    planned.sort()
    return planned


def make_orders(
    frame: Frame, buyers: list[Buyer], planned: list[int], wares: list[Ware], staff: Staff
) -> Iterator[Batch]:
    """The planned orders, slice by slice, each slice's orders before their lines and changes."""
    maker = _Maker(frame, wares, staff)
    count = ORDERS_EACH * len(buyers)
    for buyer in buyers:
        buyer.won.sort(reverse=True)
    for start in range(0, len(planned), _SLICE):
        orders: list[bytes] = []
        lines: list[bytes] = []
        changes: list[bytes] = []
        elsewhere: list[tuple[str, Cell]] = []
        for number, plan in enumerate(planned[start : start + _SLICE], start + 1):
            placed, buyer_number = divmod(plan, len(buyers))
            found, order = maker.order(number, placed, buyers[buyer_number], lines, changes)
            orders.append(order)
            if number % 10 == 1:
                elsewhere.append((f"#{100_000 + number}", found))
        yield Batch("orders", _ORDER_COLUMNS, orders, count)
        yield Batch("order_lines", _LINE_COLUMNS, lines, count * _LINES_EACH)
        yield Batch("order_status_changes", _CHANGE_COLUMNS, changes, int(count * _CHANGES_EACH))
        yield references("Order", "shop", elsewhere)


class _Maker:
    """Makes one order after the other."""

    def __init__(self, frame: Frame, wares: list[Ware], staff: Staff) -> None:
        self.frame, self.staff = frame, staff
        self.chance = frame.chance("orders")
        # Few products sell often, and all of them sometimes.
        self.popular = tuple(
            ware for number, ware in enumerate(wares) for _ in range(1 + 3 * len(wares) // (number % 200 + 3))
        )
        self.first = wares[: len(wares) // 2]
        self.channels = weighted(words.CHANNELS)
        self.cancellations = [text(reason) for reason in words.CANCELLATIONS]
        self.refunds = [text(reason) for reason in words.REFUNDS]
        self.names = {name: text(name) for name in (*self.channels, *FEES)}

    def order(
        self, number: int, placed: int, buyer: Buyer, lines: list[bytes], changes: list[bytes]
    ) -> tuple[Cell, bytes]:
        """The id and the row of one order; its lines and changes are added to the lists."""
        chance, currency = self.chance, buyer.place.currency
        channel = chance.pick(self.channels)
        # Orders on the phone are placed before they are entered.
        created = min(buyer.until, placed + chance.within(MINUTE, 3 * HOUR)) if channel == "phone" else placed
        found = chance.id_at(created)
        subtotal = self._lines(found, placed, buyer, lines)
        discount = 0
        if (draw := chance.random()) < 0.15:
            discount = subtotal if draw < 0.0005 else subtotal * chance.pick((5, 10, 10, 20)) // 100
        fee = chance.pick(FEES[currency])
        events = self._events(placed)
        self._changes(found, events, changes)
        reached = dict(events)
        opportunity = NULL
        if buyer.won and buyer.won[-1][0] <= placed:
            opportunity = buyer.won.pop()[1]
        if buyer.tickets:
            buyer.placed.append((placed, found))
        changed = max(created, events[-1][1])
        return found, row(
            found,
            whole(len(events)),
            time(created),
            time(changed),
            text(f"O{number:09d}"),
            buyer.id,
            opportunity,
            events[-1][0],
            self.names[channel],
            self.names[currency],
            amount(subtotal, currency),
            amount(discount, currency),
            fee,
            time(placed),
            time(reached.get(_PAID)),
            time(reached.get(_SHIPPED)),
            time(reached.get(_DELIVERED)),
            time(reached.get(_COMPLETED)),
            time(reached.get(_CANCELLED)),
            time(reached.get(_REFUNDED)),
        )

    def _lines(self, order: Cell, placed: int, buyer: Buyer, lines: list[bytes]) -> int:
        chance, currency = self.chance, buyer.place.currency
        currency_cell, subtotal = self.names[currency], 0
        for position in range(1, chance.pick(_LINES) + 1):
            ware = chance.pick(self.popular)
            if ware.created > placed:
                ware = chance.pick(self.first)
            draw = chance.random()
            quantity = chance.pick(_QUANTITIES)
            if buyer.company and draw < 0.1:
                quantity *= 10
            price, minor = chance.pick(ware.prices[currency])
            subtotal += quantity * minor
            line_id = chance.id_at(placed)
            if draw > 0.99:
                # Things that are no products have only a name.
                thing = (NULL, _MISCELLANEOUS, _GIFT_WRAPPING)
            else:
                thing = (ware.id, ware.sku, chance.pick(ware.names))
            lines.append(row(line_id, order, whole(position), *thing, whole(quantity), price, currency_cell))
        return subtotal

    def _events(self, placed: int) -> Events:
        """The states with the moments at which they were reached, as far as ``now``."""
        chance, now = self.chance, self.frame.now
        events = [(_PENDING, placed)]
        draw = chance.random()
        steps = (
            (_PAID, 2 * MINUTE if draw < 0.85 else 2 * DAY),
            (_SHIPPED, int(1.2 * DAY)),
            (_DELIVERED, 3 * DAY),
            (_COMPLETED, 14 * DAY),
        )
        fate = chance.random()
        stop = int(fate * 50) if fate < 0.06 else -1
        moment = placed
        for number, (status, typical) in enumerate(steps):
            moment += chance.delay(typical)
            if moment > now:
                return events
            if number == stop:
                # Only what is not shipped can be cancelled, and only what is paid refunded.
                events.append((_CANCELLED if number < 2 else _REFUNDED, moment))
                return events
            events.append((status, moment))
        if fate > 0.98 and (moment := moment + chance.delay(20 * DAY)) <= now:
            events.append((_REFUNDED, moment))
        return events

    def _changes(self, order: Cell, events: Events, changes: list[bytes]) -> None:
        chance, staff = self.chance, self.staff
        before = NULL
        for status, moment in events:
            by, reason = NULL, NULL
            if status == _SHIPPED:
                by = staff.agents[moment % len(staff.agents)] if moment % 3 == 0 else NULL
            elif status == _CANCELLED:
                by, reason = chance.pick((NULL, staff.agents[0])), chance.pick(self.cancellations)
            elif status == _REFUNDED:
                by, reason = chance.pick(staff.agents), chance.pick(self.refunds)
            changes.append(row(chance.id_at(moment), order, before, status, time(moment), by, reason))
            before = status
