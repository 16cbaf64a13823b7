"""Mutations as the tests try them: by every role, the stranger first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from auth.policy import POLICY, Rule
from tests.api import Api
from tests.matrix import CALLERS
from tests.oracle.rights import Rights
from tests.oracle.rows import Row, Rows, load, typed_id


class Office:
    """A shop of a test's own, its API, and what stands in it at this moment."""

    def __init__(self, url: str, ids: dict[str, UUID], api: Api, connection: asyncpg.Connection) -> None:
        self.url, self.ids, self.api, self.connection = url, ids, api, connection
        self.rows: Rows = Rows({})

    async def look(self) -> Rows:
        """All rows as they are now."""
        self.rows = await load(self.connection, self.rows)
        return self.rows

    def user(self, role: str) -> UUID:
        """The user that tries things as ``role``."""
        return self.ids[CALLERS[role]]

    def rights(self, role: str) -> Rights:
        """What that user may see, worked out in plain Python."""
        return Rights(self.rows, self.user(role), datetime.now(UTC))

    async def events(self) -> list[asyncpg.Record]:
        """The audit log, in its order."""
        return await self.connection.fetch("SELECT * FROM audit_events ORDER BY transaction_id, position")

    async def posted(self) -> list[asyncpg.Record]:
        """The outbox, in its order."""
        return await self.connection.fetch("SELECT * FROM outbox ORDER BY transaction_id, position")

    async def do(self, document: str, role: str | None, key: str | None = None, **variables: Any) -> Any:
        """The answer to an operation of ``role``; None is a stranger."""
        user = None if role is None else self.user(role)
        return await self.api.post(document, variables, user=user, key=key)

    def label(self, label: str) -> Row:
        """The row of that label."""
        for entity in self.rows.by_id:
            if (found := self.rows.find(entity, self.ids[label])) is not None:
                return found
        raise KeyError(label)


Variables = Callable[[Office, Row], dict[str, Any]]


def by_id(_: Office, row: Row) -> dict[str, Any]:
    """Just the id."""
    return {"id": typed_id(row)}


def by_version(_: Office, row: Row) -> dict[str, Any]:
    """The id, and the version that the row has."""
    return {"id": typed_id(row), "version": row.version}


@dataclass(frozen=True)
class Deed:
    """One mutation.

    ``about`` is the entity whose rows decide whether a role may: the record's own, or, for a new one, its parent's.
    ``suits`` says which rows will do; ``recorded`` is the entity and action of the audit event where they are not those
    of the right.
    """

    field: str
    action: str
    entity: str
    document: str
    about: str
    suits: Callable[[Office, Row], bool] = lambda _, row: True
    variables: Variables = by_id
    recorded: tuple[str, str] | None = None
    deleted: bool = False
    events: int = 1
    posted: bool = True
    """Whether its events go to the outbox: those of records do."""
    settings: dict[str, Any] = field(default_factory=dict)

    def grant(self, role: str) -> Rule | None:
        """What the policy grants."""
        return POLICY[role].grants.get(self.entity, {}).get(self.action)

    def candidates(self, office: Office) -> list[Row]:
        """The rows that will do, the newest last."""
        rows = [row for row in office.rows.all(self.about) if self.suits(office, row)]
        gone = [row for row in rows if (getattr(row, "deleted_at", None) is not None) == self.deleted]
        return sorted(gone, key=lambda row: row.id)

    def covers(self, rights: Rights, row: Row, rule: Rule) -> bool:
        """Whether the caller sees the row, and the right covers it."""
        seen = rights.restorable(row) if self.deleted else rights.visible(row)
        return seen and rights._scope(row, rights.meant(rule.rows.value))

    def __str__(self) -> str:
        return self.field
