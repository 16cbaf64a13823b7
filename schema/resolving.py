"""Resolvers of fields that answer whole."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from graphql import FieldNode, GraphQLObjectType, GraphQLResolveInfo
from strawberry import Info

from app.errors import ForbiddenError
from app.models.base import Row
from auth.access import Access
from schema.context import Context, fragment
from schema.limits import refuse_above
from schema.selection import Selection


async def whole(info: Info[Context, None]) -> Any:
    """The answer of a root field, as a finished fragment: already there, or fetched now."""
    raw: GraphQLResolveInfo[Context] = info._raw_info
    outcomes = info.context.outcomes
    key = str(raw.path.key)
    if key in outcomes:
        outcome = outcomes[key]
        if isinstance(outcome, Exception):
            raise outcome
        return fragment(outcome)
    return fragment(await info.context.answer(raw.parent_type, raw.field_nodes, (key,)))


async def figure(info: Info[Context, None]) -> Any:
    """The answer of a figure, as a finished fragment; what it costs is paid first."""
    raw: GraphQLResolveInfo[Context] = info._raw_info
    context = info.context
    path = tuple(str(step) for step in raw.path.as_list())
    with suppress(ForbiddenError):  # Whether it is one under the present rights is found when it is answered.
        context.cost += context.plan(raw.parent_type, raw.field_nodes, path, await context.access()).cost
    refuse_above("cost", context.cost, context.services.settings.max_cost)
    await context.payment.take(context.cost)
    return fragment(await context.answer(raw.parent_type, raw.field_nodes, path))


async def record(info: Info[Context, None], entity: type[Row], id: UUID, access: Access | None = None) -> Any:
    """One known row below the root (who signed in, what a mutation made), as far as its reader may see it."""
    raw: GraphQLResolveInfo[Context] = info._raw_info
    path = tuple(str(step) for step in raw.path.as_list())
    return fragment(await info.context.answer(raw.parent_type, raw.field_nodes, path, (entity, id), access))


Nodes = Sequence[FieldNode]


async def records(
    info: Info[Context, None],
    type_name: str,
    field: str,
    entity: type[Row],
    id: UUID,
    access: Access,
    below: tuple[tuple[str, ...], Nodes] | None = None,
) -> dict[str, Any]:
    """One known row for each way in which the object of a root field is asked for it, by response key; or an object
    further ``below``, given by its path and its nodes."""
    raw: GraphQLResolveInfo[Context] = info._raw_info
    path, nodes = below or ((str(raw.path.key),), raw.field_nodes)
    kind = _kind(raw, type_name)
    found = {}
    for key, asked in _asked(info, kind, nodes, field).items():
        found[key] = fragment(await info.context.answer(kind, asked, (*path, key), (entity, id), access))
    return found


def objects(info: Info[Context, None], type_name: str, field: str) -> dict[str, tuple[tuple[str, ...], Nodes]]:
    """The ways in which the object of a root field is asked for another object: path and nodes by response key."""
    raw: GraphQLResolveInfo[Context] = info._raw_info
    found = _asked(info, _kind(raw, type_name), raw.field_nodes, field)
    return {key: ((str(raw.path.key), key), nodes) for key, nodes in found.items()}


def _kind(raw: GraphQLResolveInfo[Context], name: str) -> GraphQLObjectType:
    kind = raw.schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return kind


def _asked(info: Info[Context, None], kind: GraphQLObjectType, nodes: Nodes, field: str) -> dict[str, Nodes]:
    context = info.context
    selection = Selection(info._raw_info.schema, context.operation.fragments, context.variables)
    collected = selection.collect(kind, (node.selection_set for node in nodes))
    return {key: found for key, found in collected.items() if found[0].name.value == field}
