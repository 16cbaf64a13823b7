"""The shape of errors in answers: a code that programs can rely on, and never what only the log should hold."""

from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from app.errors import ApiError, BadUserInputError

_log = structlog.get_logger("rapport.errors")

INTERNAL = "INTERNAL_SERVER_ERROR"


def cause(error: GraphQLError | ApiError) -> BaseException | None:
    """What an error goes back to; None or an error of graphql-core where it is that one's own."""
    original = error.original_error if isinstance(error, GraphQLError) else error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    return original


def shape(error: GraphQLError | ApiError, request_id: str, *, code: str = BadUserInputError.code) -> dict[str, Any]:
    """An error as the answer holds it. ``code`` is for errors of graphql-core itself, by the step that made them."""
    original = cause(error)
    details: dict[str, Any] = {}
    if isinstance(original, ApiError):
        message, code, details = original.message, original.code, original.details
    elif isinstance(error, GraphQLSyntaxError):
        message, code = error.message, "GRAPHQL_PARSE_FAILED"
    elif isinstance(error, GraphQLError) and (original is None or isinstance(original, GraphQLError)):
        message = error.message
    else:
        _log.error("internal error", request_id=request_id, exc_info=original)
        message, code = "Something went wrong on our side; the log has it under this requestId.", INTERNAL
    shaped: dict[str, Any] = {"message": message}
    if isinstance(error, GraphQLError):
        if error.locations:
            shaped["locations"] = [location.formatted for location in error.locations]
        if error.path:
            shaped["path"] = error.path
    return {**shaped, "extensions": {"code": code, **details, "requestId": request_id}}
