"""Problems that a person can mend, as payloads carry them."""

from enum import Enum
from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from app.domain.problems import Problem


@strawberry.enum
class ErrorCode(Enum):
    """The kinds of problems."""

    REQUIRED = "REQUIRED"
    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    UNIQUE = "UNIQUE"
    DUPLICATE = "DUPLICATE"
    CONFLICT = "CONFLICT"
    INVALID_TRANSITION = "INVALID_TRANSITION"
    TOO_LONG = "TOO_LONG"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    IN_USE = "IN_USE"
    SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"


@strawberry.type
class UserError:
    """A problem that a person can mend. field is the path into the arguments in GraphQL names; ids names the records in
    the way; current holds the present values of changed fields; params fills a translated message."""

    field: list[str] | None
    code: ErrorCode
    message: str
    ids: list[strawberry.ID] | None = None
    current: JSON | None = None
    params: JSON | None = None


def user_error(problem: Problem) -> UserError:
    """A problem as payloads carry it."""
    return UserError(
        field=list(problem.field) if problem.field is not None else None,
        code=ErrorCode(problem.code),
        message=problem.message,
        ids=[strawberry.ID(id) for id in problem.ids] if problem.ids else None,
        current=problem.current,
        params=cast(Any, problem.params),
    )


def error_values(error: UserError) -> dict[str, Any]:
    """A problem by the names of the API."""
    return {
        "field": error.field,
        "code": error.code.value,
        "message": error.message,
        "ids": error.ids,
        "current": error.current,
        "params": error.params,
    }
