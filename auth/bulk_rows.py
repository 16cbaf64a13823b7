"""The rows of a deed on many: loaded through the caller's sight and locked, all by a few statements."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.db.ids import print_id
from app.domain.problems import Problem
from app.domain.rows import table_of
from app.domain.work import Actor, Shop, Work
from app.errors import ForbiddenError
from app.models.base import Row, utcnow
from app.models.enums import RowScope
from auth.access import Access, RightsChangedError
from auth.bulk_deeds import BULK, BulkDeed, Entry, Item
from auth.bulk_eyes import BulkEyes
from auth.choosing import selected, still_selected
from auth.eyes import Looks
from auth.flush import Writing
from auth.gate import forbidden, missing_reference
from auth.rows import Found, RowLoader, Want
from auth.scopes import WIDTH


class BulkRows:
    """Loads rows for the rules, and refuses those that a right does not cover."""

    def __init__(self, shop: Shop, most: int) -> None:
        self._shop = shop
        self._most = most
        self._rows = RowLoader()
        self._looks = Looks()

    async def items(
        self, connection: Any, writing: Writing, deed: BulkDeed, access: Access, actor: Actor
    ) -> list[Item]:
        """Every row, with its target if it has one, what is given for it, and the records that it names."""
        now = utcnow()
        eyes = await self._eyes(writing, deed, access)

        def item(index: int, entry: Entry, references: dict[str, Any]) -> Item:
            given = replace(entry.given, values=dict(entry.given.values), rows=dict(references))
            work = Work(writing, actor, self._shop, now)
            work.eyes = eyes
            return Item(index, given, work, eyes)

        if deed.chosen is None:
            named = await self._named(connection, access, deed.entries)
            items = []
            for index, entry in enumerate(deed.entries):
                each = item(index, entry, {**entry.given.rows})
                each.work.problems.found += entry.problems
                self._refer(each, entry, named)
                items.append(each)
            return items
        (entry,) = deed.entries
        targets = await self._targets(connection, deed, access)
        named = await self._named(connection, access, deed.entries)
        first = item(-1, entry, {**entry.given.rows})
        self._refer(first, entry, named)
        first.work.problems.refuse()
        entry = replace(entry, given=first.given)
        items = []
        for index, target in enumerate(targets):
            each = item(index, entry, entry.given.rows)
            if isinstance(target, Problem):
                each.problems = (target,)
            else:
                each.target = each.work.keep(target.row)
            items.append(each)
        return items

    async def _eyes(self, writing: Writing, deed: BulkDeed, access: Access) -> BulkEyes:
        """Eyes that have looked for what all new records might be duplicates of."""
        eyes = BulkEyes(writing, access, self._rows, self._looks)
        if deed.chosen is None:
            await eyes.look(deed.entity, [entry.given for entry in deed.entries])
        return eyes

    async def _targets(self, connection: Any, deed: BulkDeed, access: Access) -> list[Found | Problem]:
        """The chosen records, locked; in place of one that the caller does not see, the problem."""
        assert deed.chosen is not None
        rules = {name: access.rights.writing(deed.entity, deed.action, name) for name in deed.fields}
        asked = tuple(name for name, rule in rules.items() if rule.access is not rule.otherwise)
        want = Want("id", deed.entity, "NO KEY UPDATE", deed.action, asked, also=BULK)
        if deed.chosen.ids is None:
            ids = await selected(connection, access, deed.entity, deed.chosen, self._most)
            rows = await self._rows.all_of(connection, access, want, ids)
            still = await still_selected(connection, access, deed.entity, deed.chosen, list(rows)) if rows else set()
            found = {id: each for id, each in rows.items() if id in still}
            self._refuse_uncovered(deed, access, found.values())
            return list(found.values())
        seen = await self._seen(connection, access, want, deed.chosen.ids)
        self._refuse_uncovered(deed, access, seen.values())
        return _in_order(deed.entity, deed.chosen.ids, seen)

    async def _named(
        self, connection: Any, access: Access, entries: Sequence[Entry]
    ) -> dict[type[Row], dict[UUID, Found]]:
        """The records that all entries name, held in place: one statement for each entity."""
        wanted: dict[type[Row], dict[UUID, None]] = {}
        for entry in entries:
            for reference in entry.references.values():
                wanted.setdefault(reference.entity, {})[reference.id] = None
        return {
            entity: await self._seen(connection, access, Want("named", entity), list(ids))
            for entity, ids in sorted(wanted.items(), key=lambda pair: pair[0].__name__)
        }

    async def _seen(self, connection: Any, access: Access, want: Want, ids: Sequence[UUID]) -> dict[UUID, Found]:
        """Those of the rows that the caller sees, by the id that was asked; a merged one is its survivor."""
        found = await self._rows.all_of(connection, access, want, ids)
        absent = [id for id in ids if id not in found]
        if absent and hasattr(want.entity, "merged_into_id"):
            merged = await connection.fetch(
                f"SELECT id, merged_into_id FROM {table_of(want.entity)}"  # noqa: S608  # The name of a table of ours.
                " WHERE id = ANY($1) AND merged_into_id IS NOT NULL",
                absent,
            )
            if merged:
                survivors = await self._rows.all_of(connection, access, want, [into for _, into in merged])
                # The same row must not be had twice: changes are found in one of them only.
                whole = survivors | found
                found |= {id: whole[into] for id, into in merged if into in whole}
        return found

    async def stand(self, connection: Any, deed: BulkDeed, access: Access, items: Sequence[Item]) -> None:
        """Let every row know the standing rows, all as of the present rights. RightsChangedError where these are not
        the ones that were loaded."""
        wants = [Want(name, entity, standing=True) for name, entity in deed.standing.items()]
        ids = {name: entity.only for name, entity in deed.standing.items() if entity.only is not None}
        version, found = await self._rows.one_each(connection, access, wants, ids)
        if version != access.loaded_version:
            raise RightsChangedError
        for item in items:
            item.given.rows |= {name: at.row for name, at in found.items() if at is not None}

    def _refer(self, item: Item, entry: Entry, named: dict[type[Row], dict[UUID, Found]]) -> None:
        for name, reference in entry.references.items():
            found = named[reference.entity].get(reference.id)
            if found is None:
                missing_reference(item.work, reference)
            item.given.rows[name] = None if found is None else found.row
            if found is not None and f"{name}_id" in item.given.values:
                # Of a merged record, the survivor answers for the id.
                item.given.values[f"{name}_id"] = found.row.id

    def _refuse_uncovered(self, deed: BulkDeed, access: Access, found: Iterable[Found]) -> None:
        """ForbiddenError for the first of the rows that the caller sees and may not change."""
        rows = list(found)
        outside = [each.row for each in rows if not each.allowed]
        if outside:
            raise _forbidden_among(access, _narrower(deed, access), deed.entity, None, outside, len(rows))
        for name in rows[0].writable if rows else ():
            closed = [each.row for each in rows if not each.writable[name]]
            if closed:
                raise _forbidden_among(access, deed.action, deed.entity, name, closed, len(rows))

    async def refuse_unheld(self, connection: Any, deed: BulkDeed, access: Access, items: Sequence[Item]) -> None:
        """Refuse new records that lie outside the rows in which the right to make them holds, and rows for which their
        rule has asked for a further right that does not cover them."""
        needs: dict[tuple[type[Row], str], dict[UUID, Any]] = {}
        if deed.chosen is None:
            made = {item.record.id: item.record for item in items}
            needs = {(deed.entity, action): {**made} for action in (_narrower(deed, access), deed.action, BULK)}
        for item in items:
            for action, row in item.work.needed:
                needs.setdefault((type(row), action), {})[row.id] = row
        for (entity, action), rows in needs.items():
            if access.rights.rows(entity, action) is RowScope.ALL:
                continue
            covered = await self._rows.covered(connection, access, entity, action, list(rows))
            outside = [row for id, row in rows.items() if id not in covered]
            if outside:
                raise _forbidden_among(access, action, entity, None, outside, len(items))


def _narrower(deed: BulkDeed, access: Access) -> str:
    return min((deed.action, BULK), key=lambda action: WIDTH[access.rights.rows(deed.entity, action)])


def _in_order(entity: type[Row], ids: Sequence[UUID], seen: dict[UUID, Found]) -> list[Found | Problem]:
    """What there is of each id. No row may be named twice: its second change would hide the first."""
    places: dict[UUID, int] = {}
    found: list[Found | Problem] = []
    for index, id in enumerate(ids):
        path, at = ("ids", str(index)), seen.get(id)
        if at is None:
            said = f"There is no {entity.__name__} with the id {print_id(entity.prefix, id)} that you may see."
            found.append(Problem(path, "NOT_FOUND", said))
        elif (earlier := places.setdefault(at.row.id, index)) != index:
            said = f"This is the same {entity.__name__} as at the index {earlier}: name it once."
            found.append(Problem(path, "INVALID", said, params={"index": earlier}))
        else:
            found.append(at)
    return found


def _forbidden_among(
    access: Access, action: str, entity: type[Row], field: str | None, outside: Sequence[Any], among: int
) -> ForbiddenError:
    """The refusal of a row, which also says how many of the rows it goes for."""
    error = forbidden(access, action, entity, field, outside[0])
    counted = f"{len(outside)} of the {among} rows lie outside; nothing was done."
    return ForbiddenError(f"{error.message} {counted}", **error.details, count=len(outside))
