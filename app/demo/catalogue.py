"""The stages of the pipeline, and the products with their prices."""

from dataclasses import dataclass

from app.demo import words
from app.demo.cells import Cell, flag, row, text, time, whole
from app.demo.chance import DAY, weighted
from app.demo.money import SCALES, amount, converted
from app.demo.rows import RECORD_COLUMNS, Batch, Frame, references
from app.models.enums import StageKind

_STAGES = (
    ("New", StageKind.OPEN, 1, 10, 14),
    ("Qualified", StageKind.OPEN, 2, 25, 21),
    ("Proposal", StageKind.OPEN, 3, 50, 30),
    ("Negotiation", StageKind.OPEN, 4, 75, None),
    ("Won", StageKind.WON, 5, 100, None),
    ("Lost", StageKind.LOST, 6, 0, None),
)
_RETIRED_STAGES = (("Demo booked", StageKind.OPEN, 2, 30, 10), ("Qualified", StageKind.OPEN, 3, 20, None))
_STAGE_COLUMNS = (*RECORD_COLUMNS, "name", "kind", "position", "probability", "rotting_after_days", "deleted_at")
_PRODUCT_COLUMNS = (*RECORD_COLUMNS, "sku", "name", "category", "price", "currency", "active", "deleted_at")
_PRODUCT_CURRENCIES = weighted({"EUR": 17, "USD": 1, "JPY": 1, "KWD": 1})
_LONG_NAME = (
    "Set of 12 hand-painted porcelain espresso cups with saucers, Château de la Loire edition, dishwasher-safe, "
    "in a gift box with ribbon and a card for your personal message (delivery takes up to 3 weeks)"
)


@dataclass(frozen=True, slots=True)
class Step:
    """What others must know of a stage."""

    id: Cell
    kind: StageKind
    probability: int


@dataclass(frozen=True, slots=True)
class Ware:
    """What others must know of a product. ``prices`` are what it was sold for in a currency: amount, minor units."""

    id: Cell
    created: int
    sku: Cell
    names: tuple[Cell, ...]
    prices: dict[str, tuple[tuple[Cell, int], ...]]


def make_stages(frame: Frame) -> tuple[list[Step], list[Batch]]:
    """The stages in use, four open ones first, and with them in the batch deleted ones that nothing refers to."""
    chance, created = frame.chance("stages"), frame.calendar.start
    steps: list[Step] = []
    rows: list[bytes] = []
    for number, (name, kind, position, probability, rotting) in enumerate((*_STAGES, *_RETIRED_STAGES)):
        retired = created + 40 * DAY if number >= len(_STAGES) else None
        found = chance.id_at(created)
        rows.append(
            row(
                found,
                whole(2 if retired else 1),
                time(created),
                time(retired or created),
                text(name),
                text(kind.value),
                whole(position),
                whole(probability),
                whole(rotting),
                time(retired),
            )
        )
        if not retired:
            steps.append(Step(found, kind, probability))
    return steps, [Batch("stages", _STAGE_COLUMNS, rows, len(rows))]


def make_products(frame: Frame, customers: int) -> tuple[list[Ware], list[Batch]]:
    """The products, the oldest first: a few inactive, a few deleted, whose sku some successors have again."""
    chance, start, now = frame.chance("products"), frame.calendar.start, frame.now
    wares: list[Ware] = []
    rows: list[bytes] = []
    elsewhere: list[tuple[str, Cell]] = []
    count = max(40, customers // 100)
    freed: list[str] = []
    for number in range(count):
        # Four fifths were there from the beginning, entered in a few batches; the others came one by one.
        early = number < count * 0.8
        created = start + (number % 4 * DAY if early else (number - count // 2) * (now - start) // count)
        thing = chance.pick(words.THINGS)
        name = f"{chance.pick(words.ADJECTIVES)} {thing}"
        if number % 3:
            name += f", {chance.pick(words.COLOURS)}"
        if number % 97 == 20:
            name = _LONG_NAME
        sku = f"{chance.pick('ABCDEFGH')}{chance.pick('KLMNP')}-{1000 + number}"
        if freed and created > start + 400 * DAY:
            sku = freed.pop()
        cents = int(300 * 60 ** chance.random()) + chance.pick((0, 50, 90, 95, 99))
        currency = chance.pick(_PRODUCT_CURRENCIES)
        deleted = created + 380 * DAY if early and number % 31 == 11 else None
        if deleted:
            freed.append(sku)
        changed = deleted or chance.pick((created, created, chance.within(created, now)))
        found = chance.id_at(created)
        prices = {
            code: tuple(
                (amount(minor, code), minor) for f in (1.0, 1.0, 0.9, 0.75) for minor in (converted(cents, code, f),)
            )
            for code in SCALES
        }
        # Lines keep the name that a product had when it was sold.
        names = (text(name), text(name), text(f"{name} (2024)"))
        wares.append(Ware(found, created, text(sku), names, prices))
        rows.append(
            row(
                found,
                whole(1 if changed == created else chance.within(2, 9)),
                time(created),
                time(changed),
                text(sku),
                text(name),
                text(chance.pick((*words.CATEGORIES, None))),
                prices[currency][0][0],
                text(currency),
                flag(number % 12 != 5),
                time(deleted),
            )
        )
        if number % 2:
            elsewhere.append((f"{40_000 + number}", found))
    wares.sort(key=lambda ware: ware.created)
    return wares, [
        Batch("products", _PRODUCT_COLUMNS, rows, len(rows)),
        references("Product", "shop", elsewhere),
    ]
