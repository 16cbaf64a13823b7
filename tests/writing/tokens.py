"""The mutations of API tokens, each by every role."""

from typing import Any

from tests.oracle.rows import Row
from tests.writing.deeds import Deed, Office

_PAYLOAD = "{ apiToken { id name scopes revokedAt } secret errors { field code message } }"


def _new(_: Office, __: Row) -> dict[str, Any]:
    return {"input": {"name": "Tried", "scopes": ["customer:read"]}}


def _good(_: Office, row: Row) -> bool:
    return row.revoked_at is None and row.expires_at is None


DEEDS = (
    Deed(
        "createApiToken",
        "create",
        "ApiToken",
        f"mutation($input: CreateApiTokenInput!) {{ createApiToken(input: $input) {_PAYLOAD} }}",
        about="User",
        suits=lambda office, row: row.active,
        variables=_new,
    ),
    Deed(
        "rotateApiToken",
        "rotate",
        "ApiToken",
        f"mutation($id: ID!) {{ rotateApiToken(id: $id) {_PAYLOAD} }}",
        about="ApiToken",
        suits=_good,
    ),
    Deed(
        "revokeApiToken",
        "revoke",
        "ApiToken",
        f"mutation($id: ID!) {{ revokeApiToken(id: $id) {_PAYLOAD} }}",
        about="ApiToken",
        suits=_good,
    ),
)
