"""Ties the types of the API to their tables, by name, and checks at start that both sides and the policy agree."""

from graphql import (
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)
from sqlalchemy import inspect

import app.models as models
from app.models.base import Row
from app.models.enums import FieldAccess
from app.reading.relations import relation
from auth.access import ENTITY_CLASSES, PARTS, RENAMED, attribute_name
from auth.policy import ENTITIES, POLICY, WRITABLE

ENTITY_OF_TYPE: dict[str, type[Row]] = {
    **ENTITY_CLASSES,
    "Grant": models.Grant,
    "FieldGrant": models.FieldGrant,
    "ExternalRef": models.ExternalRef,
}

VIEWER_CAN = "viewerCan"
"""The field that says what the caller may do to the row: it is of no column, and needs no right."""

_RENAMED = {("ExternalRef", "id"): "external_id", **RENAMED}
_MASKABLE = "String"


class SchemaMismatchError(Exception):
    """Types, tables and policy disagree; the message names what, and the file to edit."""


def attribute_of(type_name: str, field: str) -> str:
    """The attribute behind a field of a type."""
    return _RENAMED.get((type_name, field)) or attribute_name(field)


def entity_of(type_name: str) -> type[Row] | None:
    """The entity behind a type; None where the type is no entity's."""
    return ENTITY_OF_TYPE.get(type_name)


def rows_type(field: GraphQLField) -> str:
    """The name of the row type of a field: of its nodes where it is a connection."""
    return get_named_type(field.type).name.removesuffix("Connection")


def check(schema: GraphQLSchema) -> None:
    """Refuse to start where a type, its table and the policy do not agree."""
    for name, entity in ENTITY_OF_TYPE.items():
        kind = schema.type_map.get(name)
        if not isinstance(kind, GraphQLObjectType):
            raise SchemaMismatchError(f"{name} is in auth/policy.py, but no file of schema/types defines it.")
        known = set(inspect(entity).all_orm_descriptors.keys()) | set(getattr(entity, "summaries", ()))
        for field in set(kind.fields) - {VIEWER_CAN}:
            if attribute_of(name, field) not in known:
                raise SchemaMismatchError(
                    f"{name}.{field} is in schema/types, but {entity.__module__} has no {attribute_of(name, field)}."
                )
        if entity not in PARTS:
            _check_policy(name, kind)


def _check_policy(name: str, kind: GraphQLObjectType) -> None:
    relations = inspect(ENTITY_OF_TYPE[name]).relationships
    by_action = {field for field in kind.fields if field in relations and relation(ENTITY_OF_TYPE[name], field).action}
    fields, listed = set(kind.fields) - {"id", VIEWER_CAN} - by_action, set(ENTITIES[name])
    for missing in sorted(fields ^ listed):
        where = "is not listed in auth/policy.py" if missing in fields else "is in auth/policy.py, not in schema/types"
        raise SchemaMismatchError(f"{name}.{missing} {where}.")
    for role, built_in in POLICY.items():
        for action, rule in built_in.grants.get(name, {}).items():
            for field, access in rule.fields.items():
                if field not in listed:
                    raise SchemaMismatchError(f"auth/policy.py: {role} {action} names {name}.{field}: there is none.")
                if action == "read":
                    _check_access(f"auth/policy.py: {role} on {name}.{field}", kind.fields[field], access)
                elif field not in WRITABLE[name]:
                    raise SchemaMismatchError(f"auth/policy.py: {role} {action} names {name}.{field}: not in WRITABLE.")


def _check_access(where: str, field: GraphQLField, rule: object) -> None:
    accesses = {getattr(rule, "access", None), getattr(rule, "otherwise", None)}
    required = isinstance(field.type, GraphQLNonNull)
    if required and FieldAccess.HIDDEN in accesses and len(accesses) > 1:
        raise SchemaMismatchError(f"{where}: HIDDEN on some rows makes null, but the field is never null.")
    if FieldAccess.MASKED in accesses and get_named_type(field.type).name != _MASKABLE:
        raise SchemaMismatchError(f"{where}: only text can be MASKED.")
