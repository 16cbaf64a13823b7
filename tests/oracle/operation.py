"""A request, as it goes over the wire."""

from typing import Any, NamedTuple


class Operation(NamedTuple):
    """One request of a client."""

    document: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
