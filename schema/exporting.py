"""From what callers say of an export, in the words of the API, to the export."""

from collections.abc import Sequence
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    Undefined,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
)
from graphql.utilities import coerce_input_value, validate_input_value

from app.errors import BadUserInputError, QueryTooCostlyError
from app.exporting.writers import ExportFormat
from app.models.base import Row
from app.reading.shop import ShopFacts
from app.settings import Settings
from auth.exporting import Export
from schema.arguments import Given
from schema.filtering import entity_filter
from schema.limits import check_filters

EXPORTED = ("Customer", "Contact", "Opportunity", "Order", "Ticket", "Product")
"""The entities that can be exported."""


def export_of(
    schema: GraphQLSchema,
    entity: type[Row],
    format: ExportFormat,
    names: Sequence[str] | None,
    where: Any,
    settings: Settings,
) -> Export:
    """The export with the filter ``where``, as JSON. BadUserInputError says what is wrong with it."""
    shop = ShopFacts(settings.shop_currency, settings.shop_timezone)
    if where is None:
        return Export(entity, format, shop, names)
    kind = schema.type_map[f"{entity.__name__}Filter"]
    assert isinstance(kind, GraphQLInputObjectType)
    try:
        value = _coerced(where, kind)
        variables = {"where": value}
        found = entity_filter(entity, Given(kind, ("where",), variables, source=("where",)))
        check_filters([found], settings)
    except RecursionError:
        raise QueryTooCostlyError("The filters are nested too deeply.", limit="filter nesting") from None
    return Export(entity, format, shop, names, found, variables, where)


def _coerced(where: Any, kind: GraphQLInputObjectType) -> Any:
    found = coerce_input_value(where, kind)
    if found is not Undefined:
        return found
    wrong: list[tuple[str, str]] = []

    def note(error: GraphQLError, path: Sequence[str | int]) -> None:
        wrong.append((".".join(str(step) for step in ("where", *path)), error.message))

    validate_input_value(where, kind, note)
    place, message = wrong[0]
    raise BadUserInputError(f"{place}: {message}", argument=place)


def said(kind: Any, value: Any) -> Any:
    """A coerced value as it stands in JSON."""
    if value is None or value is Undefined:
        return None
    kind = get_nullable_type(kind)
    if is_list_type(kind):
        return [said(kind.of_type, each) for each in value]
    if is_input_object_type(kind):
        return {name: said(kind.fields[name].type, member) for name, member in value.items()}
    return kind.coerce_output_value(value)
