"""What the makers of rows share: the shape of a batch, and what they must know of one another's rows."""

from dataclasses import dataclass, field

from app.demo.cells import NULL, Cell, row, text
from app.demo.chance import Calendar, Chance
from app.demo.places import Place
from app.domain.sla_policy import Clock


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table, in the order of ``columns``, for one COPY. ``expected`` is about how many there are in all."""

    table: str
    columns: tuple[str, ...]
    rows: list[bytes]
    expected: int


def references(entity: str, system: str, ids: list[tuple[str, Cell]]) -> Batch:
    """What records are called in another system: pairs of the name there and the record's id."""
    entity_cell, system_cell = text(entity), text(system)
    columns = ("entity", "system", "external_id", "record_id")
    rows = [row(entity_cell, system_cell, text(name), record) for name, record in ids]
    return Batch("external_refs", columns, rows, len(rows))


RECORD_COLUMNS = ("id", "version", "created_at", "updated_at")


@dataclass(slots=True)
class Buyer:
    """What others must know of a customer. ``until`` is its deletion, or the moment up to which all data goes."""

    id: Cell
    created: int
    until: int
    place: Place
    company: bool
    activity: float
    deleted: bool = False
    survivor: int | None = None
    owner: Cell = NULL
    orders: int = 0
    last_order: int | None = None
    tickets: int = 0
    contacts: list[Cell] = field(default_factory=list)
    placed: list[tuple[int, Cell]] = field(default_factory=list)
    won: list[tuple[int, Cell]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a whole load has in common: its seed and its time."""

    seed: int
    calendar: Calendar
    clock: Clock | None = None
    """What is promised for tickets; nothing, where there is none."""

    @property
    def now(self) -> int:
        """The moment up to which all data goes."""
        return self.calendar.end

    def chance(self, name: str) -> Chance:
        """The source of chance of one kind of row."""
        return Chance(f"{self.seed}:{name}")
