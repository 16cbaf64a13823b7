"""The executor: graphql-core's, but finished fragments pass through it untouched."""

from typing import Any

import orjson
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class FragmentExecutor(StrawberryGraphQLCoreExecutionContext):
    """An executor to which an ``orjson.Fragment`` is a completed value of any type. Fragments are never null."""

    def complete_value(self, return_type: Any, nodes: Any, info: Any, path: Any, result: Any, *rest: Any) -> Any:
        """The value of a field as it stands in the response."""
        if type(result) is orjson.Fragment:
            return result
        return super().complete_value(return_type, nodes, info, path, result, *rest)


class DiscreetExecutor(FragmentExecutor):
    """The same, whose errors suggest no names of the schema."""

    @classmethod
    def build(cls, *arguments: Any, **options: Any) -> Any:
        """An executor for one operation, or what is wrong with its variables."""
        return super().build(*arguments, **{**options, "hide_suggestions": True})
