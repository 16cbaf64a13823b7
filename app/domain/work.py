"""Work: one unit of change. It knows who acts, when, and what becomes of which rows; it sends nothing by itself.

Rules change rows by plain assignment. What differs from what was loaded is found when the work is done, and goes to the
database, the audit log and the outbox together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from app.domain.problems import Problems
from app.domain.rows import columns, loaded, table_of, values_of
from app.models.base import Entity, Row
from app.models.enums import RowScope

R = TypeVar("R", bound=Row)


class Connection(Protocol):
    """A connection of asyncpg, inside a transaction."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """All rows of a statement."""


class Eyes(Protocol):
    """What the actor may see, for rules that must look around without looking further than the actor does."""

    async def alike(
        self, entity: type[Row], sought: Mapping[str, str], customer_id: UUID | None = None
    ) -> list[tuple[str, UUID]]:
        """Attribute and id of live rows that have the same email or phone as ``sought``, as far as the actor may READ
        it there; a phone of a contact counts at the customer of that id only."""

    async def exact(self, entity: type[R], action: str, attribute: str, value: str) -> R | None:
        """The live row that has just this email or phone, among those that are seen and that ``action`` covers."""

    async def exceeding(self, role_id: UUID, *, in_team: bool) -> tuple[str, str] | None:
        """A right, as entity and action, that users of that role have and the actor lacks."""

    async def covered(self, entity: type[Row], action: str, id: UUID) -> bool:
        """Whether ``action`` covers a row of whatever state."""

    async def seen(self, entity: type[Row], ids: Sequence[UUID]) -> list[UUID]:
        """Those of the rows that the actor sees, in the order given: what a problem names goes through here."""

    def reads(self, entity: type[Row], attribute: str) -> bool:
        """Whether the actor may READ ``attribute`` on every row of ``entity`` that it sees."""


class Wanted(Protocol):
    """A grant that is to be given."""

    @property
    def entity(self) -> str:
        """What it is about."""

    @property
    def action(self) -> str:
        """What may be done."""

    @property
    def rows(self) -> RowScope:
        """To which rows."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """How much of each field: ``access`` on the rows of ``on_rows``, ``otherwise`` elsewhere."""


class Giving(Protocol):
    """What the actor may give to others: nobody gives what it does not have."""

    @property
    def role_id(self) -> UUID:
        """The actor's own role."""

    async def settle(self) -> None:
        """Wait until no other change of users and roles is under way; the actor's rights are still the present ones
        then, or everything starts again."""

    async def refuse_role(self, role_id: UUID, entity: type[Row], action: str, field: str) -> None:
        """ForbiddenError where the role has more than the actor, who wants to write ``field`` of ``entity``."""

    def refuse_grants(self, grants: Sequence[Wanted], entity: type[Row], action: str, field: str) -> None:
        """The same for grants."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What rules need to know of the shop."""

    currency: str
    timezone: str


def _no_rows(_: type[Row], __: str) -> RowScope:
    return RowScope.NONE


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, or None on the command line; ``scope`` are the rows that the right in use covers.

    ``rows`` says which rows another right covers.
    """

    user_id: UUID | None
    team_id: UUID | None
    scope: RowScope
    rows: Callable[[type[Row], str], RowScope] = _no_rows

    def holds(self, action: str, entity: type[Row]) -> bool:
        """Whether the actor may do ``action`` to some rows of ``entity`` at least."""
        return self.rows(entity, action) is not RowScope.NONE


class RightMissingError(Exception):
    """A rule needs another right of the actor than the one in use, and there is none."""

    def __init__(self, action: str, entity: type[Row]) -> None:
        super().__init__(f"{action} {entity.__name__}")
        self.action = action
        self.entity = entity


@dataclass(slots=True)
class Change:
    """A row that was changed: its columns before, of those that differ."""

    row: Any
    before: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Alike:
    """Many rows of one entity that are changed in the same way, in the values of the same columns, all of which they
    had before. They are locked, and never loaded."""

    entity: type[Entity]
    ids: Sequence[UUID]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


class Work:
    """One unit of change."""

    eyes: Eyes
    giving: Giving

    def __init__(self, connection: Connection, actor: Actor, shop: Shop, now: datetime) -> None:
        self.actor = actor
        self.shop = shop
        self.now = now
        self.problems = Problems()
        self.added: list[Any] = []
        self.removed: list[Any] = []
        self.alike: list[Alike] = []
        """Changes of many rows at once."""
        self.told: dict[str, dict[str, Any]] = {}
        """Facts for the audit event beside the changes of the record, by field: before and after."""
        self.facts: dict[str, Any] = {}
        """What the payload says besides records, as JSON holds it."""
        self.needed: list[tuple[str, Any]] = []
        """Further rights, each with the row that it has to cover."""
        self.about: str | None = None
        """The entity that the audit event is about, where it is about no record that has an id."""
        self.subject: Any = None
        """The record that the audit event is about, where it is not the one that the payload shows."""
        self._noted: dict[int, tuple[Any, str, dict[str, Any]]] = {}
        self._also: dict[str, Any] = {}
        self._connection = connection
        self._before: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._touched: set[int] = set()

    def keep(self, row: R) -> R:
        """Watch a loaded row: what is changed in it from now on will be written."""
        self._before[id(row)] = (row, values_of(row))
        return row

    def touch(self, row: Row) -> None:
        """Count a watched row as changed, though none of its own columns is: something that belongs to it has."""
        self._touched.add(id(row))

    def add(self, row: R) -> R:
        """Make a new row."""
        self.added.append(row)
        return row

    def remove(self, row: Row) -> None:
        """Take a row out of the database. Records are not removed, but marked as deleted."""
        self.removed.append(row)

    def tell(self, field: str, before: Any = None, after: Any = None) -> None:
        """Add a fact to the audit event, such as a reason or a list of lines, under a name of the API."""
        self.told[field] = {"before": before, "after": after}

    def need(self, action: str, row: Row) -> None:
        """Ask for another right than the one in use: on some rows here and now, on this row before anything is kept."""
        if not self.actor.holds(action, type(row)):
            raise RightMissingError(action, type(row))
        self.needed.append((action, row))

    def note(self, row: Row, action: str, **facts: tuple[Any, Any]) -> None:
        """Give a row an event of its own with this action, and facts for it besides, by field: before and after."""
        told = {field: {"before": old, "after": new} for field, (old, new) in facts.items()}
        self._noted[id(row)] = (row, action, told)

    def noted(self) -> dict[int, tuple[Any, str, dict[str, Any]]]:
        """The rows that have something noted, by identity: row, action, facts."""
        return self._noted

    def release(self, row: Row) -> None:
        """Watch a row no longer: what became of it has been written otherwise."""
        self._before.pop(id(row), None)

    def show(self, name: str, row: Row) -> None:
        """Let the payload show another record in its field ``name``."""
        self._also[name] = row

    def shown(self, record: Any) -> dict[str, Any]:
        """The records that the payload shows, by its field; the main one is under the empty name."""
        return {**({"": record} if record is not None else {}), **self._also}

    def changes(self) -> list[Change]:
        """What has been changed in watched rows."""
        found = []
        for row, before in self._before.values():
            here = row.__dict__
            changed = {name: value for name, value in before.items() if here[name] != value}
            if changed or id(row) in self._touched:
                found.append(Change(row, changed))
        return found

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """The rows of a statement, in this unit's transaction."""
        return await self._connection.fetch(sql, *arguments)

    async def find(self, entity: type[R], rest: str, *arguments: Any) -> list[R]:
        """Watched rows of ``entity``; ``rest`` is the statement after FROM. It knows no rights: what rules need for
        themselves is found so, never what a caller asks for."""
        names = ", ".join(columns(entity))
        found: Sequence[Any] = await self.fetch(f"SELECT {names} FROM {table_of(entity)} {rest}", *arguments)  # noqa: S608
        return [self.keep(loaded(entity, tuple(record))) for record in found]
