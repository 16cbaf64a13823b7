"""Making API tokens, giving them new secrets, ending them."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import api_tokens
from app.domain.api_tokens import Bounds, Secret
from auth import token_scopes, token_secrets
from schema.acting import Act
from schema.context import Context
from schema.types.api_token import ApiToken
from schema.types.payload import Payload

Asked = Info[Context, None]
_CREATE = Act("create", models.ApiToken, api_tokens.create)
_ROTATE = Act("rotate", models.ApiToken, api_tokens.rotate)
_REVOKE = Act("revoke", models.ApiToken, api_tokens.revoke)


@strawberry.input
class CreateApiTokenInput:
    """A new token. Without ``expiresAt`` it is good until it is revoked, without ``allowedIps`` from everywhere."""

    name: str
    scopes: list[str]
    expires_at: datetime | None = UNSET
    allowed_ips: list[str] | None = UNSET


@strawberry.type
class ApiTokenPayload(Payload):
    """The token, and its secret, which is shown once, here: the answer to a repeated request has none."""

    records: ClassVar[dict[str, str]] = {"apiToken": ""}
    secret: str | None = None

    @strawberry.field
    def api_token(self, info: Asked) -> ApiToken | None:
        """The token; null when nothing was done, or it is no longer yours to see."""
        found: ApiToken | None = self.record(info)
        return found


Overlap = Annotated[int, strawberry.argument(description="For so long the old secret stays good; 0 ends it at once.")]


@strawberry.type
class ApiTokenMutations:
    """What can be done to API tokens."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_api_token(self, info: Asked, input: CreateApiTokenInput) -> ApiTokenPayload:
        """Make a token for yourself. Scopes are such as customer:read or order:*; they narrow your rights."""
        return await _with_secret(info, _CREATE, input=input)

    @strawberry.mutation(extensions=_ROTATE.guard)
    async def rotate_api_token(
        self, info: Asked, id: strawberry.ID, overlap_seconds: Overlap = 3600
    ) -> ApiTokenPayload:
        """Give a token of yours a new secret."""
        return await _with_secret(info, _ROTATE, id=id, overlap_seconds=overlap_seconds)

    @strawberry.mutation(extensions=_REVOKE.guard)
    async def revoke_api_token(self, info: Asked, id: strawberry.ID) -> ApiTokenPayload:
        """End a token: the next request with it is refused, on every server."""
        return await _REVOKE.do(info, ApiTokenPayload, id=id)


async def _with_secret(info: Asked, act: Act, **given: Any) -> ApiTokenPayload:
    access = await info.context.access()
    access.principal.refuse_impersonation(act.action)
    secret = Secret(token_secrets.new_secret, token_secrets.secret_hash, token_secrets.shown)
    bounds = Bounds(access.principal.token_id, token_scopes.problem_of, token_scopes.covers)
    payload = await act.do(info, ApiTokenPayload, secret=secret, bounds=bounds, **given)
    if not payload.errors:
        payload.secret = secret.value
    return payload
