"""From a request's headers to who calls."""

from dataclasses import dataclass

from app.errors import UnauthenticatedError
from auth.api_tokens import ApiTokens
from auth.principal import Principal
from auth.token_secrets import BEGINNING
from auth.tokens import AccessTokens
from schema.requests import Headers, Scope


@dataclass(slots=True)
class Caller:
    """Who sends a request, and from where. ``refusal`` says why nobody is known to."""

    principal: Principal | None = None
    refusal: UnauthenticatedError | None = None
    ip: str | None = None
    user_agent: str | None = None
    idempotency_key: str | None = None


class Callers:
    """Finds out who calls. Whether the session or token is still good is not asked here, but by the caller's first
    statement (see auth/loading.py)."""

    def __init__(self, tokens: AccessTokens, api_tokens: ApiTokens) -> None:
        self._tokens = tokens
        self._api_tokens = api_tokens

    async def of(self, scope: Scope, headers: Headers) -> Caller:
        """The caller of one HTTP request. It never fails: a stranger is a caller too."""
        client = scope.get("client")
        caller = Caller(ip=client[0] if client else None, user_agent=headers.text(b"user-agent"))
        caller.idempotency_key = headers.text(b"idempotency-key") or None
        said = headers.text(b"authorization")
        if said:
            try:
                caller.principal = await self._bearer(said, caller.ip)
            except UnauthenticatedError as error:
                caller.refusal = error
        return caller

    async def _bearer(self, said: str, ip: str | None) -> Principal:
        kind, _, token = said.partition(" ")
        if kind.lower() != "bearer":
            raise UnauthenticatedError("Send the token as Authorization: Bearer …", reason="invalid")
        token = token.strip()
        if token.startswith(BEGINNING):
            return await self._api_tokens.verify(token, ip)
        return self._tokens.verify(token).principal
