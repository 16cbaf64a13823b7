"""Opportunities and their way through the stages."""

from datetime import date, timedelta

from app.demo import words
from app.demo.catalogue import Step, Ware
from app.demo.cells import NULL, Cell, day, row, text, time, whole
from app.demo.chance import DAY, HOUR, Chance, at, shares
from app.demo.money import amount, converted
from app.demo.people import Staff
from app.demo.rows import RECORD_COLUMNS, Batch, Buyer, Frame, references
from app.models.enums import StageKind

_OPPORTUNITY_COLUMNS = (
    *RECORD_COLUMNS,
    *("name", "customer_id", "contact_id", "owner_id", "product_id", "stage_id", "amount", "currency", "probability"),
    *("expected_close_on", "opened_at", "stage_entered_at", "closed_at", "loss_reason", "loss_notes", "deleted_at"),
)
_CHANGE_COLUMNS = ("id", "opportunity_id", "from_stage_id", "to_stage_id", "changed_at", "changed_by_id")
_PER_100 = 30
_NEGOTIATION, _WON, _LOST = 3, 4, 5
_ROUND = (50_000, 100_000, 100_000, 250_000, 500_000, 1_000_000)

Path = list[tuple[int, int]]


def make_opportunities(
    frame: Frame, buyers: list[Buyer], steps: list[Step], wares: list[Ware], staff: Staff
) -> list[Batch]:
    """The opportunities in the order in which they were entered, with their changes of stage.

    Customers learn which of them were won, so that orders can follow. Contacts must be made already.
    """
    chance = frame.chance("opportunities")
    weights = [
        (chance.expovariate(1.0) + (30.0 if number % 120 == 9 else 0.0))
        if chance.random() < (0.4 if b.company else 0.1)
        else 0.0
        for number, b in enumerate(buyers)
    ]
    made: list[tuple[int, int, bytes, list[bytes]]] = []
    elsewhere: list[tuple[str, Cell]] = []
    for buyer, count in zip(buyers, shares(weights, len(buyers) * _PER_100 // 100), strict=True):
        for _ in range(count):
            opened = frame.calendar.between(chance, buyer.created, max(buyer.created, buyer.until - HOUR))
            created = opened if chance.random() < 0.9 else min(buyer.until, opened + chance.within(0, DAY))
            found = chance.id_at(created)
            if len(made) % 10 == 3:
                elsewhere.append((f"D{len(made)}", found))
            line, changes = _opportunity(frame, chance, buyer, found, opened, created, steps, wares, staff)
            made.append((created, len(made), line, changes))
    made.sort(key=lambda entry: entry[:2])
    rows = [line for _, _, line, _ in made]
    all_changes = [change for _, _, _, changes in made for change in changes]
    return [
        Batch("opportunities", _OPPORTUNITY_COLUMNS, rows, len(rows)),
        Batch("stage_changes", _CHANGE_COLUMNS, all_changes, len(all_changes)),
        references("Opportunity", "erp", elsewhere),
    ]


def _opportunity(
    frame: Frame,
    chance: Chance,
    buyer: Buyer,
    found: Cell,
    opened: int,
    created: int,
    steps: list[Step],
    wares: list[Ware],
    staff: Staff,
) -> tuple[bytes, list[bytes]]:
    path = _path(chance, opened, buyer.until)
    step, entered = steps[path[-1][0]], path[-1][1]
    closed = None if step.kind is StageKind.OPEN else entered
    currency = buyer.place.currency
    owner = buyer.owner
    if (draw := chance.random()) > 0.85:
        owner = NULL if draw > 0.96 else staff.owner(chance, buyer.place.area)
    changed = max(created, entered)
    if chance.random() < 0.2:
        changed = chance.within(changed, frame.now)
    deleted = None
    if chance.random() < 0.02:
        deleted = changed = chance.within(changed, frame.now)
    elif step.kind is StageKind.WON:
        buyer.won.append((entered, found))
    cents = chance.pick(_ROUND) if chance.random() < 0.3 else int(10_000 * 2_000 ** chance.random())
    minor = 0 if chance.random() < 0.01 else converted(cents, currency)
    probability = step.probability
    if closed is None and chance.random() < 0.15:
        probability = chance.within(0, 101)
    lost = step.kind is StageKind.LOST
    made = row(
        found,
        whole(len(path) + chance.within(0, 3)),
        time(created),
        time(changed),
        text(_name(chance)),
        buyer.id,
        chance.pick(buyer.contacts) if buyer.contacts and chance.random() < 0.8 else NULL,
        owner,
        chance.pick(wares).id if chance.random() < 0.6 else NULL,
        step.id,
        amount(minor, currency),
        text(currency),
        whole(probability),
        day(_expected(chance, opened)),
        time(opened),
        time(entered),
        time(closed),
        text(chance.pick(words.LOSS_REASONS)) if lost else NULL,
        text(chance.pick(words.LOSS_NOTES)) if lost else NULL,
        time(deleted),
    )
    return made, _changes(chance, found, path, steps, owner, staff)


def _path(chance: Chance, opened: int, until: int) -> Path:
    """The stages with the moments at which they were entered, the first one at ``opened``."""
    stage = 1 if chance.random() < 0.2 else 0
    path = [(stage, opened)]
    # Some are forgotten in the stage that they have reached: these rot.
    patience = chance.within(0, 4) if chance.random() < 0.22 else 99
    moment = opened
    while len(path) <= patience:
        moment += chance.delay(12 * DAY)
        draw = chance.random()
        if stage == _WON or (stage == _LOST and draw > 0.05):
            break
        if stage == _LOST:
            stage = _NEGOTIATION
        elif stage == _NEGOTIATION:
            stage = _WON if draw < 0.65 else _LOST if draw < 0.95 else stage - 1
        elif draw < 0.12:
            stage = _LOST
        else:
            stage += 2 if draw > 0.93 and stage < 2 else 1
        if moment > until:
            break
        path.append((stage, moment))
    return path


def _changes(
    chance: Chance, opportunity: Cell, path: Path, steps: list[Step], owner: Cell, staff: Staff
) -> list[bytes]:
    found: list[bytes] = []
    before = NULL
    for stage, moment in path:
        by = owner if chance.random() < 0.8 else chance.pick((NULL, chance.pick(staff.leads)))
        step = steps[stage].id
        found.append(row(chance.id_at(moment), opportunity, before, step, time(moment), by))
        before = step
    return found


def _name(chance: Chance) -> str:
    name = chance.pick(words.DEALS)
    if chance.random() < 0.5:
        name = f"{name} {chance.within(2023, 2028)}"
    if chance.random() < 0.01:
        name = f"{name}: {', '.join(words.DEALS)}, {' / '.join(words.THINGS)}"[:200]
    return name


def _expected(chance: Chance, opened: int) -> date | None:
    if chance.random() < 0.15:
        return None
    return (at(opened) + timedelta(days=chance.within(10, 140))).date()
