"""An OpenID provider, as its discovery document describes it: where it signs people in, how its tokens are checked."""

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt

_DISCOVERY = "/.well-known/openid-configuration"
_ALGORITHMS = {
    "RSA": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    "EC": ["ES256", "ES384", "ES512"],
    "OKP": ["EdDSA"],
}
"""What id tokens may be signed with, by kind of key: keys of which the provider alone has the private half."""
_KEPT_SECONDS = 3_600.0
_LEEWAY = 60
_SECONDS = 10.0
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class ProviderError(Exception):
    """The provider did not do its part; the message says which, for the log."""


@dataclass(frozen=True, slots=True)
class _Key:
    public: Any
    algorithms: list[str]


@dataclass(slots=True)
class Provider:
    """One provider, and this server as its client."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_url: str
    scopes: str
    _document: dict[str, Any] = field(default_factory=dict)
    _keys: dict[str | None, "_Key"] = field(default_factory=dict)
    _fetched: float = 0.0

    async def authorization_url(self, state: str, nonce: str, challenge: str) -> str:
        """Where the browser is sent to sign in."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_url,
            "scope": self.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = await self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def claims(self, code: str, verifier: str, nonce: str) -> dict[str, Any]:
        """What the provider says of whoever came back with ``code``, checked (OpenID Connect Core, 3.1.3.7)."""
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_url,
            "code_verifier": verifier,
        }
        auth = None
        if self.client_secret is None:
            given["client_id"] = self.client_id
        else:
            auth = httpx.BasicAuth(*(urlencode({"": each})[1:] for each in (self.client_id, self.client_secret)))
        endpoint = await self._endpoint("token_endpoint")
        answer = await self._request("POST", endpoint, data=given, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("there is no id token in its answer")
        return await self._checked(token, nonce)

    async def _checked(self, token: str, nonce: str) -> dict[str, Any]:
        try:
            key = await self._key(jwt.get_unverified_header(token))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                key.algorithms,
                issuer=self.issuer,
                audience=self.client_id,
                leeway=_LEEWAY,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            raise ProviderError(f"its id token is not good: {type(error).__name__}") from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self.client_id) != self.client_id:
            raise ProviderError("its id token is for another client")
        if claims.get("nonce") != nonce:
            raise ProviderError("its id token answers another request")
        return claims

    async def _key(self, header: dict[str, Any]) -> _Key:
        kid = header.get("kid")
        await self._discover()
        if kid not in self._keys:
            # It may have new keys; whoever makes one up costs a look at most every few seconds.
            await self._load_keys()
        found = self._keys.get(kid)
        if found is None and kid is None and len(self._keys) == 1:
            (found,) = self._keys.values()
        if found is None:
            raise ProviderError("its id token is signed by none of its keys")
        return found

    async def _endpoint(self, name: str) -> str:
        await self._discover()
        found = self._document.get(name)
        if not isinstance(found, str) or not is_safe(found):
            raise ProviderError(f"its discovery document has no good {name}")
        return found

    async def _discover(self) -> None:
        if self._document and time.monotonic() - self._fetched < _KEPT_SECONDS:
            return
        found = await self._request("GET", self.issuer.rstrip("/") + _DISCOVERY)
        if found.get("issuer") != self.issuer:
            raise ProviderError("its discovery document is that of another issuer")
        self._document, self._fetched = found, time.monotonic()
        await self._load_keys()

    async def _load_keys(self) -> None:
        url = self._document.get("jwks_uri")
        if not isinstance(url, str) or not is_safe(url):
            raise ProviderError("its discovery document has no good jwks_uri")
        found: dict[str | None, _Key] = {}
        for each in (await self._request("GET", url)).get("keys", ()):
            good = [name for name in _ALGORITHMS.get(each.get("kty"), ()) if each.get("alg", name) == name]
            if each.get("use", "sig") == "sig" and good:
                try:
                    found[each.get("kid")] = _Key(jwt.PyJWK(each, good[0]).key, good)
                except jwt.PyJWTError:
                    continue
        self._keys = found

    async def _request(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, trust_env=False) as client:
                response = await client.request(method, url, headers={"accept": "application/json"}, **more)
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderError(f"{urlsplit(url).path} did not answer: {type(error).__name__}") from None
        if response.status_code != 200 or not isinstance(answer, dict):
            raise ProviderError(f"{urlsplit(url).path} answered {response.status_code}")
        return answer


def is_safe(url: str) -> bool:
    """Whether what is sent there is seen by nobody else: by HTTPS, or on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
