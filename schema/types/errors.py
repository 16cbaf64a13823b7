"""Problems that a person can mend, as payloads carry them."""

from enum import Enum

import strawberry
from strawberry.scalars import JSON


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
