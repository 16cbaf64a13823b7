"""What grants are made of, as the schema, the policy and the scopes say it."""

from functools import lru_cache

from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_list_type, is_non_null_type

from app.domain.grants import Vocabulary
from app.reading.relations import relation
from auth.access import ENTITY_CLASSES
from auth.policy import ACTIONS, ENTITIES, WRITABLE
from auth.scopes import field_scopes_of, scopes_of


@lru_cache(maxsize=2)
def vocabulary(schema: GraphQLSchema) -> Vocabulary:
    """The entities with their actions, fields and rows."""
    kinds = {name: kind for name in ENTITIES if isinstance(kind := schema.type_map[name], GraphQLObjectType)}
    fields = {(name, field): kinds[name].fields[field].type for name, known in ENTITIES.items() for field in known}
    return Vocabulary(
        actions=ACTIONS,
        fields=ENTITIES,
        writable=WRITABLE,
        rows={name: scopes_of(entity) for name, entity in ENTITY_CLASSES.items()},
        on_rows={name: field_scopes_of(entity) for name, entity in ENTITY_CLASSES.items()},
        parents={
            name: relation(entity, entity.parent).target.__name__
            for name, entity in ENTITY_CLASSES.items()
            if entity.parent is not None
        },
        texts=frozenset(
            key
            for key, kind in fields.items()
            if get_named_type(kind).name == "String"
            and not is_list_type(kind.of_type if is_non_null_type(kind) else kind)
        ),
        required=frozenset(key for key, kind in fields.items() if is_non_null_type(kind)),
    )
