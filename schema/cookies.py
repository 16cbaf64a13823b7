"""Cookies that hold the tokens of a session, for browsers: no script can read them.

Over HTTPS they have the prefixes that browsers enforce: none that came over HTTP, or from a neighbouring host, passes
for ours. The refresh token is sent to ``/graphql/refresh`` alone, which is ``/graphql`` under another name.
"""

from datetime import datetime

from app.models.base import utcnow
from auth.sessions import SignedIn

REFRESH_PATH = "/graphql/refresh"
_ACCESS, _REFRESH = "rapport-access", "rapport-refresh"
Header = tuple[bytes, bytes]


def access_name(*, secure: bool) -> str:
    """The name of the cookie with the access token."""
    return f"__Host-{_ACCESS}" if secure else _ACCESS


def refresh_name(*, secure: bool) -> str:
    """The name of the cookie with the refresh token."""
    return f"__Secure-{_REFRESH}" if secure else _REFRESH


def read(header: str) -> dict[str, str]:
    """The cookies of a request. Of one that comes twice, whoever sent the second cannot be us: it is not read."""
    found: dict[str, str] = {}
    twice = set()
    for pair in header.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals and found.setdefault(name, value) != value:
            twice.add(name)
    return {name: value for name, value in found.items() if name not in twice}


def signed_in(session: SignedIn, *, secure: bool) -> list[Header]:
    """Headers that put the tokens of a session into cookies. A session as somebody else leaves the refresh token of
    one's own where it is, so that one comes back by it."""
    headers = [_set(access_name(secure=secure), session.access_token, "/", session.expires_at, secure)]
    if session.refresh_token is not None and session.refresh_until is not None:
        name = refresh_name(secure=secure)
        headers.append(_set(name, session.refresh_token, REFRESH_PATH, session.refresh_until, secure))
    return headers


def signed_out(*, secure: bool, wholly: bool) -> list[Header]:
    """Headers that take the access token out of its cookie, and, ``wholly``, the refresh token."""
    headers = [_set(access_name(secure=secure), "", "/", None, secure)]
    if wholly:
        headers.append(_set(refresh_name(secure=secure), "", REFRESH_PATH, None, secure))
    return headers


def _set(name: str, value: str, path: str, until: datetime | None, secure: bool) -> Header:
    seconds = 0 if until is None else max(0, int((until - utcnow()).total_seconds()))
    said = f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    return b"set-cookie", (f"{said}; Secure" if secure else said).encode()
