"""The schema: queries, mutations, scalars, and the executor through which finished answers pass."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLSchema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext

from schema import mapping
from schema.descriptions import describe
from schema.executor import FragmentExecutor
from schema.mutation import Mutation
from schema.query import Query
from schema.quick_inputs import quicken
from schema.scalars import SCALARS
from schema.types.contact import Contact
from schema.types.opportunity import Opportunity
from schema.types.ticket import TicketComment


class KeptDocument(SchemaExtension):
    """Hands the executor the document that was parsed and validated before."""

    def on_parse(self) -> Iterator[None]:
        """Put the kept document in place; no errors means that validation has been done."""
        context = self.execution_context
        context.graphql_document = context.context.document.node
        context.pre_execution_errors = []
        yield


class Schema(strawberry.Schema):
    """Strawberry's schema; errors are logged where they are shaped, with the request's id."""

    @property
    def graphql(self) -> GraphQLSchema:
        """graphql-core's schema."""
        return self._schema

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing here."""


@cache
def build_schema() -> Schema:
    """The schema, made once a process, checked against tables and policy."""
    schema = Schema(
        Query,
        Mutation,
        types=[Contact, Opportunity, TicketComment],
        extensions=[KeptDocument],
        execution_context_class=FragmentExecutor,
        config=StrawberryConfig(scalar_map=_scalars()),
    )
    quicken(each.definition for each in schema.schema_converter.type_map.values())
    mapping.check(schema.graphql)
    describe(schema.graphql)
    return schema


def _scalars() -> dict[Any, Any]:
    return dict(SCALARS)
