"""From a request's headers to who calls."""

from dataclasses import dataclass

from app.errors import UnauthenticatedError
from auth.api_tokens import ApiTokens
from auth.principal import Principal
from auth.token_secrets import BEGINNING
from auth.tokens import AccessTokens
from schema import cookies
from schema.requests import Headers, Scope

MODE = b"rapport-session"
"""The header by which a browser asks for cookies, and without which no cookie counts: pages of other sites cannot send
it without asking first, which nobody answers (CSRF)."""


@dataclass(slots=True)
class Caller:
    """Who sends a request, and from where. ``refusal`` says why nobody is known to."""

    principal: Principal | None = None
    refusal: UnauthenticatedError | None = None
    ip: str | None = None
    user_agent: str | None = None
    idempotency_key: str | None = None
    wants_cookies: bool = False
    """Whether tokens go into cookies, and not into answers."""
    by_cookie: bool = False
    """Whether it was a cookie that said who calls."""
    refresh_token: str | None = None
    """The refresh token of the caller's cookie."""
    secure: bool = False
    """Whether cookies are for HTTPS only."""


class Callers:
    """Finds out who calls. Whether the session or token is still good is not asked here, but by the caller's first
    statement (see auth/loading.py)."""

    def __init__(self, tokens: AccessTokens, api_tokens: ApiTokens, *, production: bool) -> None:
        self._tokens = tokens
        self._api_tokens = api_tokens
        self._production = production

    async def of(self, scope: Scope, headers: Headers) -> Caller:
        """The caller of one HTTP request. It never fails: a stranger is a caller too."""
        client = scope.get("client")
        caller = Caller(ip=client[0] if client else None, user_agent=headers.text(b"user-agent"))
        caller.idempotency_key = headers.text(b"idempotency-key") or None
        caller.secure = self._production or scope.get("scheme") == "https"
        caller.wants_cookies = headers.text(MODE).lower() == "cookie"
        try:
            if said := headers.text(b"authorization"):
                caller.principal = await self._bearer(said, caller.ip)
            elif said := headers.text(b"cookie"):
                self._look_at(cookies.read(said), caller)
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

    def _look_at(self, found: dict[str, str], caller: Caller) -> None:
        access = found.get(cookies.access_name(secure=caller.secure))
        if access is not None and not caller.wants_cookies:
            said = "A cookie counts only with the header Rapport-Session: cookie, which other sites cannot send."
            raise UnauthenticatedError(said, reason="unguarded")
        if caller.wants_cookies:
            caller.refresh_token = found.get(cookies.refresh_name(secure=caller.secure))
            if access is not None:
                caller.principal = self._tokens.verify(access).principal
                caller.by_cookie = True
