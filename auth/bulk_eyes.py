"""Eyes for many rows: they look once for all, and see the rows themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, column, func, literal_column, select, true

from app.db.ids import split_id
from app.domain.checks import can_be_kept
from app.domain.duplicates import COMPARED
from app.domain.given import Given
from app.domain.problems import Problem
from app.models.base import Row
from app.reading.aliases import alias
from app.reading.binding import Binder
from app.reading.likeness import normal, sought
from app.reading.read import Operand
from auth.access import Access
from auth.eyes import NAMED, Eyes, Looks, plain, readable_rows
from auth.rows import RowLoader

Value = tuple[str, str]
"""An attribute with its value."""


class BulkEyes(Eyes):
    """The sight of one caller, for new records of one entity.

    Unlike single mutations, they do not keep others from making the same record at this moment: for ten thousand rows,
    there are not that many locks.
    """

    def __init__(self, connection: Any, access: Access, rows: RowLoader, looks: Looks) -> None:
        super().__init__(connection, access, rows, looks)
        self._found: dict[Value, list[UUID]] = {}
        self._made: dict[Value, UUID] = {}
        self._places: dict[UUID, int] = {}

    async def look(self, entity: type[Row], given: Sequence[Given]) -> None:
        """Look for live rows with an email or a phone number that is given, in one statement for each."""
        for name in COMPARED:
            values = {
                value
                for each in given
                if not each.options.get("allow_duplicate") and (value := each.get(name)) and can_be_kept(value)
            }
            if values and self._access.rights.readable_somewhere(entity, name):
                for value, id in await self._having(entity, name, sorted(values)):
                    self._found.setdefault((name, value), []).append(id)

    async def alike(self, _: type[Row], sought: Mapping[str, str], __: UUID | None = None) -> list[tuple[str, UUID]]:
        """Attribute and id of what has been found, and of earlier rows."""
        alike = []
        for name, given in sought.items():
            alike += [(name, id) for id in self._found.get((name, given), ())]
            earlier = self._made.get((name, plain(name, given)))
            if earlier is not None:
                alike.append((name, earlier))
        return alike

    def remember(self, index: int, id: UUID, given: Given) -> None:
        """Know a record that has just been made."""
        for name in COMPARED:
            if (value := given.get(name)) and plain(name, value):
                self._made.setdefault((name, plain(name, value)), id)
                self._places[id] = index

    def told(self, problems: Sequence[Problem]) -> tuple[Problem, ...]:
        """The problems, where those with earlier rows name the place: their ids may never come to be."""
        return tuple(self._told(problem) if problem.code == "DUPLICATE" else problem for problem in problems)

    def _told(self, problem: Problem) -> Problem:
        known = {id: self._places.get(split[1]) for id in problem.ids or () if (split := split_id(id)) is not None}
        ids = tuple(id for id, place in known.items() if place is None)
        places = [place for place in known.values() if place is not None]
        if not places:
            return problem
        if ids:
            return replace(problem, ids=ids, params={"index": places[0]})
        name = (problem.field or ("",))[-1]
        said = f"The row with the index {places[0]} has this {name}. If you want one more all the same, send"
        return replace(problem, message=f"{said} allowDuplicate: true.", ids=None, params={"index": places[0]})

    async def _having(self, entity: type[Row], name: str, values: Sequence[str]) -> Sequence[Any]:
        statement = self._looks.get(
            ("having", entity, name, self._access.fingerprint), lambda binder: self._lookup(binder, entity, name)
        )
        arguments = statement.arguments({"values": list(values)}, self._access.arguments)
        found: Sequence[Any] = await self._connection.fetch(statement.sql, *arguments)
        return found

    def _lookup(self, binder: Binder, entity: type[Row], name: str) -> Any:
        given = binder.bind(Operand(lambda value: value, ("values",)), ARRAY(Text()))
        values = func.unnest(given).table_valued(column("value", Text), name="#v").render_derived()
        row: Any = alias(entity, "#r")
        same = normal(name, getattr(row, name)) == sought(name, values.c.value)
        conditions = [same, *readable_rows(self._access, entity, row, name)]
        query = select(row.id.label("#id")).select_from(row).where(*conditions).order_by(row.id)
        found = query.limit(literal_column(str(NAMED))).correlate(values).lateral("#f")
        return select(values.c.value, found.c["#id"]).select_from(values).join(found, true())
