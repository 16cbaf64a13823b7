"""Who the customers are to be: when they came, where they live, how busy they are. Their rows are made from this."""

from itertools import pairwise

from app.demo.chance import DAY, HOUR, Chance, shares, weighted
from app.demo.people import Staff
from app.demo.places import PLACES, WEIGHTS
from app.demo.rows import Buyer, Frame

ORDERS_EACH = 5
_TICKETS_PER_100 = 50
_BATCH_EVERY, _BATCH = 250, 12


def plan_buyers(frame: Frame, customers: int, staff: Staff) -> list[Buyer]:
    """The customers in the order in which they came, each with its numbers of orders and tickets."""
    chance = frame.chance("buyers")
    countries = weighted(WEIGHTS)
    buyers = []
    for moment in _arrivals(frame, chance, customers):
        place = PLACES[chance.pick(countries)]
        buyer = Buyer(
            chance.id_at(moment),
            moment,
            frame.now,
            place,
            chance.random() < 0.35,
            _activity(chance, (frame.now - moment) / (365 * DAY)),
        )
        buyer.owner = staff.owner(chance, place.area)
        buyers.append(buyer)
    _delete_some(frame, chance, buyers)
    _count_orders(chance, buyers)
    _count_tickets(chance, buyers)
    return buyers


def _arrivals(frame: Frame, chance: Chance, customers: int) -> list[int]:
    calendar = frame.calendar
    last = frame.now - HOUR
    moments = sorted(calendar.between(chance, calendar.start, last) for _ in range(customers))
    for number in range(customers):
        # An import of some customers gives all of them the same moment.
        if (place := number % _BATCH_EVERY) < _BATCH:
            moments[number] = moments[number - place]
    assert all(a <= b for a, b in pairwise(moments))
    return moments


def _activity(chance: Chance, years: float) -> float:
    """How much a customer does: a third nothing, most a little, few very much."""
    if chance.random() < 0.3:
        return 0.0
    return min(40.0, float((1 - chance.random()) ** -0.7)) * min(1.0, 0.1 + years)


def _delete_some(frame: Frame, chance: Chance, buyers: list[Buyer]) -> None:
    for number, buyer in enumerate(buyers):
        if number % 40 == 17 and frame.now - buyer.created > DAY:
            buyer.deleted = True
            buyer.until = chance.within(buyer.created + HOUR, frame.now)
            buyer.activity *= 0.5
    for number, buyer in enumerate(buyers):
        if buyer.deleted and number % 160 == 57:
            # Whoever was merged has no orders left: the survivor has them.
            buyer.survivor = number - 1
            buyer.activity = 0.0


def _count_orders(chance: Chance, buyers: list[Buyer]) -> None:
    total = ORDERS_EACH * len(buyers)
    favourites = max(2, len(buyers) // 500) if len(buyers) >= 100 else 0
    rest = total
    for _ in range(favourites):
        buyer = buyers[chance.within(0, len(buyers) // 3)]
        if not buyer.deleted and not buyer.orders:
            buyer.orders, buyer.activity, buyer.company = chance.within(120, 480), 40.0, True
            rest -= buyer.orders
    weights = [0.0 if buyer.orders else buyer.activity for buyer in buyers]
    for buyer, count in zip(buyers, shares(weights, max(0, rest)), strict=True):
        buyer.orders += count


def _count_tickets(chance: Chance, buyers: list[Buyer]) -> None:
    # Who buys more asks more; a few ask all the time.
    weights = [
        (0.1 + min(buyer.activity, 5.0)) * chance.expovariate(1.0) ** 2 * (15.0 if number % 100 == 3 else 1.0)
        for number, buyer in enumerate(buyers)
    ]
    for buyer, count in zip(buyers, shares(weights, len(buyers) * _TICKETS_PER_100 // 100), strict=True):
        buyer.tickets = count
