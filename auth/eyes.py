"""Eyes: what rules may look for beside the rows that they are given, always through the caller's sight."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, literal_column, select, union_all

from app.domain.rows import columns, loaded
from app.models import Contact
from app.models.base import Row
from app.models.enums import FieldAccess
from app.reading.aliases import alias, one_statement
from app.reading.binding import Binder, Statement, compile_statement
from app.reading.likeness import normal, sought
from app.reading.read import Operand
from auth.access import Access, RightsChangedError
from auth.covering import beyond, of_another
from auth.loading import GRANTS, compiled_grants
from auth.rows import RowLoader
from auth.scopes import in_scope

R = TypeVar("R", bound=Row)
_KEPT = 500
NAMED = 20
"""Records in the way of a new one that are named at most, for each of its values."""
Make = Callable[[Binder], Any]


class Looks:
    """The statements with which rules have looked around; the most recent are kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Statement] = OrderedDict()

    def get(self, key: Any, make: Make) -> Statement:
        """The statement under ``key``, made where it is new."""
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _made(make)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


@one_statement
def _made(make: Make) -> Statement:
    binder = Binder()
    return compile_statement(make(binder), binder)


class Eyes:
    """The sight of one caller, in one transaction."""

    def __init__(self, connection: Any, access: Access, rows: RowLoader, looks: Looks) -> None:
        self._connection = connection
        self._access = access
        self._rows = rows
        self._looks = looks

    async def alike(
        self, entity: type[Row], sought: Mapping[str, str], customer_id: UUID | None = None
    ) -> list[tuple[str, UUID]]:
        """Attribute and id of live rows with the same email or phone, where the caller may READ it."""
        rights = self._access.rights
        names = tuple(name for name in sought if rights.readable_somewhere(entity, name))
        if not names or not rights.may_see(entity):
            return []
        # Whoever makes the same record at this moment waits here, and then finds this one.
        places = sorted(f"{entity.__name__} {name} {plain(name, sought[name])}" for name in names)
        await self._connection.fetch(_TURN, places)
        statement = self._looks.get(
            ("alike", entity, names, self._access.fingerprint), lambda binder: self._alike(binder, entity, names)
        )
        given = {**sought, "customer_id": customer_id}
        found = await self._connection.fetch(statement.sql, *statement.arguments(given, self._access.arguments))
        return [(row[0], row[1]) for row in found]

    async def exact(self, entity: type[R], action: str, attribute: str, value: str) -> R | None:
        """The live row with just this email or phone, of several the one changed last."""
        statement = self._looks.get(
            ("exact", entity, action, attribute, self._access.fingerprint),
            lambda binder: self._exact(binder, entity, action, attribute),
        )
        found = await self._connection.fetch(
            statement.sql, *statement.arguments({attribute: value}, self._access.arguments)
        )
        return loaded(entity, tuple(found[0])) if found else None

    async def exceeding(self, role_id: UUID, *, in_team: bool) -> tuple[str, str] | None:
        """A right, as entity and action, that users of a role have and the caller lacks. Whoever keeps the role from
        changing finds it as it is; RightsChangedError where the caller's own rights are no longer those at hand."""
        version, _ = await self._rows.one_each(self._connection, self._access, (), {})
        if version != self._access.loaded_version:
            raise RightsChangedError
        grants = compiled_grants(await self._connection.fetch(GRANTS, role_id), in_team=in_team)
        lacking = beyond(of_another(grants), self._access.rights.grants)
        return min(((each.entity, each.action) for each in lacking), default=None)

    async def covered(self, entity: type[Row], action: str, id: UUID) -> bool:
        """Whether the action covers a row of whatever state."""
        return await self._rows.covers(self._connection, self._access, entity, action, id)

    async def seen(self, entity: type[Row], ids: Sequence[UUID]) -> list[UUID]:
        """Those of the rows that the caller sees, in the order given."""
        if not ids or not self._access.rights.may_see(entity):
            return []
        statement = self._looks.get(
            ("seen", entity, self._access.fingerprint), lambda binder: self._seen(binder, entity)
        )
        arguments = statement.arguments({"ids": list(ids)}, self._access.arguments)
        found = {row[0] for row in await self._connection.fetch(statement.sql, *arguments)}
        return [id for id in ids if id in found]

    def reads(self, entity: type[Row], attribute: str) -> bool:
        """Whether the caller may READ ``attribute`` on every row of ``entity`` that it sees."""
        rules = self._access.rights.rules(entity, attribute)
        return all(rule.access is rule.otherwise is FieldAccess.READ for rule in rules)

    def _seen(self, binder: Binder, entity: type[Row]) -> Any:
        row: Any = alias(entity, "#r")
        ids = binder.bind(Operand(_itself, ("ids",)), ARRAY(Uuid()))
        return select(row.id).where(row.id == ids.any_(), *self._access.rows(entity, row, "row"))

    def _alike(self, binder: Binder, entity: type[Row], names: Sequence[str]) -> Any:
        parts = []
        for number, name in enumerate(names):
            row: Any = alias(entity, f"#r{number}")
            conditions = [*_same(binder, row, name), *readable_rows(self._access, entity, row, name)]
            if entity is Contact and name == "phone":
                # Colleagues share the number of their office, and everybody in it; nobody shares it with another one's.
                conditions.append(row.customer_id == binder.bind(Operand(_itself, ("customer_id",)), Uuid()))
            label = literal_column(f"'{name}'", Text).label("#name")
            found = select(label, row.id.label("#id")).where(*conditions).order_by(row.id).limit(_literal(NAMED))
            parts.append(select(found.subquery(f"#s{number}")))
        return union_all(*parts)

    def _exact(self, binder: Binder, entity: type[Row], action: str, attribute: str) -> Any:
        row: Any = alias(entity, "#r")
        shown = [getattr(row, name).label(f"#c{place}") for place, name in enumerate(columns(entity))]
        conditions = [*_same(binder, row, attribute), *self._access.rows(entity, row, "row")]
        conditions += in_scope(entity, row, self._access.rights.rows(entity, action), "row")
        return select(*shown).where(*conditions).order_by(row.updated_at.desc(), row.id.desc()).limit(_literal(1))


def readable_rows(access: Access, entity: type[Row], row: Any, attribute: str) -> list[ColumnElement[bool]]:
    """The conditions under which the caller sees the row, and may READ the attribute there."""
    readable = access.treatment(entity, attribute, row).readable
    return [*access.rows(entity, row, "row"), *([] if isinstance(readable, bool) else [readable])]


_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(place, 7240523)) FROM unnest($1::text[]) place"


def _same(binder: Binder, row: Any, attribute: str) -> list[ColumnElement[bool]]:
    value = binder.bind(Operand(_itself, (attribute,)), Text())
    return [normal(attribute, getattr(row, attribute)) == sought(attribute, value)]


def plain(attribute: str, value: str) -> str:
    """What is compared of an email or a phone number."""
    return "".join(c for c in value if c in "0123456789") if attribute == "phone" else value.lower()


def _literal(number: int) -> ColumnElement[int]:
    return literal_column(str(number))


def _itself(value: Any) -> Any:
    return value
