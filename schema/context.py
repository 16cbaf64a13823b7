"""What the resolvers of one operation share: the caller, the operation, and the way to answer whole fields."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from graphql import FieldNode, GraphQLObjectType

from app.db.lanes import Lanes
from app.errors import BadUserInputError, ForbiddenError, UnauthenticatedError
from app.models.base import Row
from app.rates import Rates
from app.reading.fetch import Reader
from app.settings import Settings
from auth.access import Access
from auth.audit import Origin
from auth.audit_log import AuditLog
from auth.bulk import BulkGate
from auth.changing_passwords import PasswordChanges
from auth.explaining import Explainer
from auth.export_links import ExportLinks
from auth.gate import Gate
from auth.letters import Letters
from auth.loading import AccessCache
from auth.passwords import Passwords
from auth.second_factors import SecondFactors
from auth.sessions import Sessions
from auth.signing_in import SignIn
from auth.throttling import Throttle
from schema.callers import Caller
from schema.documents import Document, Operation
from schema.paying import Payment
from schema.planning import RECORD, Plan, Planner

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Services:
    """What serves all requests of this process."""

    settings: Settings
    reader: Reader
    accesses: AccessCache
    planner: Planner
    sign_in: SignIn
    sessions: Sessions
    gate: Gate
    bulk: BulkGate
    audit: AuditLog
    rates: Rates
    export_links: ExportLinks
    password_changes: PasswordChanges
    writers: Lanes
    passwords: Passwords
    second_factors: SecondFactors
    throttle: Throttle
    explainer: Explainer
    letters: Letters


@dataclass(slots=True)
class Context:
    """One operation under way."""

    services: Services
    caller: Caller
    request_id: str
    document: Document
    operation: Operation
    payment: Payment
    variables: Mapping[str, Any] = field(default_factory=dict)
    shape: Any = None
    raw_variables: Mapping[str, Any] = field(default_factory=dict)
    roots: Sequence[str] = ()
    """The response keys of a query's root fields, in order."""
    outcomes: dict[str, bytes | Exception | None] = field(default_factory=dict)
    """Answers of root fields that are already there, by response key."""
    plans: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    """What figures had to leave out, each with the path of the figure."""
    fresh: set[tuple[str, ...]] = field(default_factory=set)
    """The fields whose plans were made for this request."""
    cost: int = 0
    relation_filters: int = 0
    slots: asyncio.Semaphore | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Headers that are sent with the answer."""

    async def access(self) -> Access:
        """The caller's rights as last loaded. UnauthenticatedError for a stranger."""
        principal = self.caller.principal
        if principal is None:
            raise self.caller.refusal or UnauthenticatedError("Sign in first, and send the token.", reason="missing")
        return await self.services.accesses.get(principal)

    async def present_access(self) -> Access:
        """The caller's rights as they are now, for what is answered without a statement that would check them."""
        known = await self.access()
        return await self.services.accesses.reload(known.principal)

    async def identify(self) -> Access:
        """The caller's own, for enrolling the second factor without which its role has no access."""
        if self.caller.principal is None:
            return await self.access()
        return await self.services.accesses.reload(self.caller.principal, enrolling=True)

    def origin(self) -> Origin:
        """Who acts, and from where, as the audit log keeps it."""
        caller = self.caller
        return Origin.of(caller.principal, self.request_id, caller.ip, caller.user_agent)

    async def answer(
        self,
        parent: GraphQLObjectType,
        nodes: Sequence[FieldNode],
        path: tuple[str, ...],
        record: tuple[type[Row], UUID] | None = None,
        access: Access | None = None,
    ) -> bytes | None:
        """The JSON of a field that answers whole, under the caller's present rights; None for null."""
        if access is None:
            access = await self.access()
        variables = self.variables if record is None else {**self.variables, RECORD: record[1]}
        for _ in range(_ATTEMPTS):
            try:
                plan = self.plan(parent, nodes, path, access, record[0] if record else None)
            except ForbiddenError:
                # The refusal may rest on rights that have grown since they were loaded.
                fresh = await self.services.accesses.reload(access.principal)
                if fresh.loaded_version == access.loaded_version:
                    raise
                access = fresh
                continue
            started = time.perf_counter()
            version, data, *notes = await self._fetch(plan, variables, access)
            if version == access.loaded_version:
                self._note(path, *notes)
                if self.services.settings.debug and not self.services.settings.production:
                    self._tell(path, plan, started, access)
                found: bytes | None = data
                return found
            access = await self.services.accesses.reload(access.principal)
        raise RightsInMotionError(path)

    def _note(self, path: tuple[str, ...], note: bytes | None = None, refusal: bytes | None = None) -> None:
        """Take down what a figure tells besides. BadUserInputError where it cannot be answered."""
        if refusal is not None:
            said = orjson.loads(refusal)
            raise BadUserInputError(said["message"], argument=said["argument"])
        if note is not None:
            self.notes.append({"path": path, **orjson.loads(note)})

    def _tell(self, path: tuple[str, ...], plan: Plan, started: float, access: Access) -> None:
        """Note how a field was answered, for ADMIN alone: statements show what tables and rights there are."""
        if access.role_name == "ADMIN":
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            self.plans.append(
                {
                    "path": path,
                    "statement": plan.statement.sql,
                    "milliseconds": milliseconds,
                    "cacheHit": path not in self.fresh,
                }
            )

    def plan(
        self,
        parent: GraphQLObjectType,
        nodes: Sequence[FieldNode],
        path: tuple[str, ...],
        access: Access,
        record: type[Row] | None = None,
    ) -> Plan:
        """The plan of a field for these rights."""
        planner = self.services.planner
        made = planner.made
        found = planner.plan(
            self.document.text, self.operation, path, parent, nodes, self.variables, self.shape, access, record
        )
        if planner.made != made:
            self.fresh.add(path)
        return found

    async def _fetch(self, plan: Plan, variables: Mapping[str, Any], access: Access) -> Sequence[Any]:
        arguments = plan.statement.arguments(variables, access.arguments)
        if self.slots is None:
            return await self.services.reader.fetch(plan.statement, arguments)
        async with self.slots:
            return await self.services.reader.fetch(plan.statement, arguments)


class RightsInMotionError(Exception):
    """Rights changed again and again while one field was answered."""


def fragment(data: bytes | None) -> orjson.Fragment | None:
    """A finished answer as the executor passes it through; null stays null, so that its type can object."""
    return None if data is None else orjson.Fragment(data)
