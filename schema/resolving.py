"""Resolvers of fields that answer whole."""

from typing import Any
from uuid import UUID

from graphql import GraphQLObjectType, GraphQLResolveInfo
from strawberry import Info

from app.models.base import Row
from auth.access import Access
from schema.context import Context, fragment
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


async def record(info: Info[Context, None], entity: type[Row], id: UUID, access: Access | None = None) -> Any:
    """One known row below the root (who signed in, what a mutation made), as far as its reader may see it."""
    raw: GraphQLResolveInfo[Context] = info._raw_info
    path = tuple(str(step) for step in raw.path.as_list())
    return fragment(await info.context.answer(raw.parent_type, raw.field_nodes, path, (entity, id), access))


async def records(
    info: Info[Context, None], type_name: str, field: str, entity: type[Row], id: UUID, access: Access
) -> dict[str, Any]:
    """One known row for each way in which the object of a root field is asked for it, by response key."""
    raw: GraphQLResolveInfo[Context] = info._raw_info
    context = info.context
    kind = raw.schema.type_map[type_name]
    assert isinstance(kind, GraphQLObjectType)
    selection = Selection(raw.schema, context.operation.fragments, context.variables)
    found = {}
    for key, nodes in selection.collect(kind, (node.selection_set for node in raw.field_nodes)).items():
        if nodes[0].name.value == field:
            path = (str(raw.path.key), key)
            found[key] = fragment(await context.answer(kind, nodes, path, (entity, id), access))
    return found
