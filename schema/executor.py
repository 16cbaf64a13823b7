"""The executor: graphql-core's, but finished fragments pass through it untouched, and no root field stops another."""

from typing import Any

import orjson
from graphql import OperationType, Undefined, get_nullable_type, is_non_null_type
from graphql.execution.values import VariableValues, VariableValueSource
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class FragmentExecutor(StrawberryGraphQLCoreExecutionContext):
    """An executor to which an ``orjson.Fragment`` is a completed value of any type. Fragments are never null."""

    _without_data = False

    @classmethod
    def build(cls, *arguments: Any, **options: Any) -> Any:
        """An executor for one operation, or what is wrong with its variables; whether with suggestions, the document
        says. Variables that fit are not coerced once more: with thousands of rows it takes a fifth of all the time."""
        schema, _, root, context, _, *rest = arguments
        options["hide_suggestions"] = context.document.discreet
        if context.shape is None or not context.services.settings.shortcut:
            return super().build(*arguments, **options)
        operation = context.operation
        found: Any = super().build(schema, operation.bare, root, context, {}, *rest, **options)
        sources = {
            name: VariableValueSource(signature, context.raw_variables.get(name, Undefined))
            for name, signature in operation.signatures.items()
        }
        found.operation, found.variable_values = operation.node, VariableValues(sources, dict(context.variables))
        return found

    def complete_value(self, return_type: Any, nodes: Any, info: Any, path: Any, result: Any, *rest: Any) -> Any:
        """The value of a field as it stands in the response."""
        if type(result) is orjson.Fragment:
            return result
        return super().complete_value(return_type, nodes, info, path, result, *rest)

    def handle_field_error(self, raw_error: Any, return_type: Any, nodes: Any, path: Any) -> None:
        """Note an error, or raise it for the field above.

        Nothing stands above a root field. A query goes on there, so that the answer has the errors of all of them.
        """
        if path.prev is None and self.operation.operation is OperationType.QUERY and is_non_null_type(return_type):
            self._without_data = True
            return_type = get_nullable_type(return_type)
        super().handle_field_error(raw_error, return_type, nodes, path)

    def build_response(self, data: Any) -> Any:
        """The answer; without data where a root field failed that is never null."""
        return super().build_response(None if self._without_data else data)
