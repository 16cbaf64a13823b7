"""Bulk acts: what a mutation of many records needs to know. Performed by the bulk gate."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from graphql import GraphQLResolveInfo
from strawberry import Info
from strawberry.extensions import FieldExtension

from app.errors import QueryTooCostlyError
from app.models.base import Row
from app.reading.read import Filter
from auth.bulk_deeds import BULK, BulkDeed, Entry
from auth.choosing import Chosen
from auth.gate import Rule
from schema import conversions as to
from schema.acting import request_key
from schema.arguments import arguments
from schema.context import Context
from schema.filtering import entity_filter
from schema.given import read_input
from schema.limits import check_filters
from schema.permissions import can
from schema.types.bulk import BulkPayload, ErrorPolicy


class BulkAct:
    """One mutation of many records: ``rule`` done to each by whoever may ``bulk`` them and ``action`` them."""

    def __init__(
        self,
        action: str,
        entity: type[Row],
        rule: Rule,
        *,
        guarded_by: str = BULK,
        standing: Mapping[str, type[Row]] | None = None,
    ) -> None:
        self.action = action
        self.entity = entity
        self.rule = rule
        self.standing = standing or {}
        self._guards = (action, BULK) if guarded_by == action else (BULK, action)

    @property
    def guard(self) -> list[FieldExtension]:
        """The extensions of the field: both rights that it needs."""
        return can(self._guards[0], self.entity, self._guards[1])

    async def create(
        self,
        info: Info[Context, None],
        rows: Sequence[Any],
        error_policy: ErrorPolicy,
        *,
        dry_run: bool,
        **options: Any,
    ) -> BulkPayload:
        """Make a record from each row; ``options`` are the rule's."""
        entries = []
        for number, row in enumerate(rows):
            said = read_input(self.entity, row, ("rows", str(number)), {})
            said.given.options.update(options)
            entries.append(Entry(said.given, said.references, said.problems))
        return await self._perform(info, entries, None, error_policy, dry_run=dry_run)

    async def change(
        self,
        info: Info[Context, None],
        ids: Any,
        input: Any,
        error_policy: ErrorPolicy = ErrorPolicy.REJECT_EVERYTHING,
        *,
        dry_run: bool = False,
        path: tuple[str, ...] = ("input",),
    ) -> BulkPayload:
        """Do the same to each of the records that ``ids``, or the filter in the argument ``where``, choose."""
        said = read_input(self.entity, input, path, {})
        these = [self._id(number, id) for number, id in enumerate(ids)] if isinstance(ids, list) else None
        chosen = Chosen(these, self._where(info), info.context.variables)
        entry = Entry(said.given, said.references, said.problems)
        return await self._perform(info, [entry], chosen, error_policy, dry_run=dry_run)

    async def _perform(
        self,
        info: Info[Context, None],
        entries: Sequence[Entry],
        chosen: Chosen | None,
        policy: ErrorPolicy,
        *,
        dry_run: bool,
    ) -> BulkPayload:
        context = info.context
        access = await context.access()
        deed = BulkDeed(
            action=self.action,
            entity=self.entity,
            rule=self.rule,
            origin=context.origin(),
            entries=entries,
            chosen=chosen,
            all_or_none=policy is ErrorPolicy.REJECT_EVERYTHING,
            dry_run=dry_run,
            key=request_key(context, access),
            standing=self.standing,
        )
        try:
            done = await context.services.bulk.perform(deed, access)
        except RecursionError:
            raise QueryTooCostlyError("The filters are nested too deeply.", limit="filter nesting") from None
        context.cost += len(done.rows)
        return BulkPayload(count=done.count, done=done, prefix=self.entity.prefix)

    def _id(self, number: int, id: str) -> UUID:
        found: UUID = to.record_id(self.entity, f"ids.{number}")(id)
        return found

    def _where(self, info: Info[Context, None]) -> Filter | None:
        raw: GraphQLResolveInfo[Context] = info._raw_info
        context = info.context
        node = raw.field_nodes[0]
        given = arguments(raw.parent_type.fields[node.name.value], node, context.variables).get("where")
        if given is None or given.is_null:
            return None
        found = entity_filter(self.entity, given)
        check_filters([found], context.services.settings)
        return found
