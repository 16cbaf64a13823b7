"""The closed set of errors that the API can answer with at the top level. How they look in HTTP, `schema` decides."""

from typing import Any, ClassVar


class ApiError(Exception):
    """A refusal that the caller is told about: a message for people, a code and details for programs."""

    code: ClassVar[str]

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class UnauthenticatedError(ApiError):
    """The caller is nobody that we know; ``reason`` is missing, invalid, expired, revoked or disabled."""

    code = "UNAUTHENTICATED"


class ForbiddenError(ApiError):
    """A right is missing; ``entity``, ``action`` and perhaps ``field`` say which."""

    code = "FORBIDDEN"


class BadUserInputError(ApiError):
    """An argument is wrong; ``argument`` is its path in GraphQL names."""

    code = "BAD_USER_INPUT"


class ConflictError(ApiError):
    """The request stands against another one."""

    code = "CONFLICT"


class QueryTooCostlyError(ApiError):
    """A limit is exceeded; ``limit``, ``allowed`` and ``actual`` say which and by how much."""

    code = "QUERY_TOO_COSTLY"


class StatementTimeoutError(ApiError):
    """The database took longer than a statement may."""

    code = "TIMEOUT"


class RateLimitedError(ApiError):
    """Too much is asked at once; ``retryAfter`` is in seconds."""

    code = "RATE_LIMITED"


class PersistedQueryNotFoundError(ApiError):
    """The document of a hash is not known, or only registered documents are run: send it in full, or register it."""

    code = "PERSISTED_QUERY_NOT_FOUND"
