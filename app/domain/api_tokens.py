"""API tokens: made by their owners, given a new secret, ended.

A token that acts cannot come to more than it has: what it makes, or gives a new secret, has no wider scopes, no later
end, and no other addresses than its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from uuid import UUID

from app.domain.checks import in_range, required_text
from app.domain.given import Given
from app.domain.rows import new
from app.domain.work import Work
from app.models import ApiToken

MOST_SCOPES, MOST_ADDRESSES, MOST_TOKENS = 200, 100, 100
LONGEST_OVERLAP = 30 * 24 * 3600
"""Seconds for which a secret may stay good beside the one that took its place."""

_YEARS = 10
Network = IPv4Network | IPv6Network


@dataclass(slots=True)
class Secret:
    """A secret to be made: what is kept of it and what is shown come with it. ``value`` stays None until the rule has
    made it, and in an answer to a repeated request."""

    make: Callable[[], str]
    hashed: Callable[[str], bytes]
    shown: Callable[[str], str]
    value: str | None = None

    def issue(self, token: ApiToken) -> None:
        """Give ``token`` a fresh secret."""
        self.value = self.make()
        token.secret_hash = self.hashed(self.value)
        token.beginning = self.shown(self.value)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The token that acts, if one does: what it makes cannot go beyond it."""

    token_id: UUID | None
    problem_of: Callable[[str], str | None]
    """What is wrong with a scope."""
    covers: Callable[[Sequence[str], str], bool]
    """Whether scopes open all that another one does."""


async def create(work: Work, _: None, given: Given) -> ApiToken:
    """A new token of whoever acts."""
    bounds: Bounds = given.options["bounds"]
    required_text(work, given, "name", 100)
    scopes = _scopes(work, given, bounds)
    allowed = _addresses(work, given)
    expires = _expiry(work, given)
    work.problems.refuse()
    owner = work.actor.user_id
    live = await work.fetch(_LIVE, owner)
    if len(live) >= MOST_TOKENS:
        work.problems.add(None, "IN_USE", f"You have {MOST_TOKENS} tokens that are good: revoke one first.")
    token = new(
        ApiToken,
        name=given.values["name"].strip(),
        owner_id=owner,
        scopes=scopes,
        allowed_ips=allowed,
        expires_at=expires,
        created_at=work.now,
    )
    await _check_bounds(work, token, given.at, bounds)
    work.problems.refuse()
    secret: Secret = given.options["secret"]
    secret.issue(token)
    return work.add(token)


async def rotate(work: Work, token: ApiToken, given: Given) -> ApiToken:
    """Give a token a new secret; the old one stays good for the overlap."""
    in_range(work, given, "overlap_seconds", 0, LONGEST_OVERLAP)
    _check_live(work, token)
    work.problems.refuse()
    await _check_bounds(work, token, lambda _: ("id",), given.values["bounds"])
    work.problems.refuse()
    overlap = timedelta(seconds=given.values["overlap_seconds"])
    until = work.now + overlap
    if overlap:
        token.former_hash, token.former_until = token.secret_hash, until
    else:
        token.former_hash = token.former_until = None
    secret: Secret = given.values["secret"]
    secret.issue(token)
    work.tell("overlapSeconds", None, given.values["overlap_seconds"])
    return token


async def revoke(work: Work, token: ApiToken, _: Given) -> ApiToken:
    """End a token. One that has ended stays as it is."""
    if token.revoked_at is None:
        token.revoked_at = work.now
    return token


_LIVE = "SELECT id FROM api_tokens WHERE owner_id = $1 AND revoked_at IS NULL AND coalesce(expires_at > now(), true)"


def _scopes(work: Work, given: Given, bounds: Bounds) -> list[str]:
    found: list[str] = list(dict.fromkeys(given.values["scopes"] or ()))
    path = given.at("scopes")
    if not found:
        work.problems.add(path, "REQUIRED", "scopes cannot be empty: a token without any can do nothing.")
    if len(found) > MOST_SCOPES:
        said = f"scopes has {len(found)} members; {MOST_SCOPES} are allowed."
        work.problems.add(path, "TOO_LONG", said, params={"max": MOST_SCOPES, "actual": len(found)})
        return []
    for number, scope in enumerate(given.values["scopes"]):
        wrong = bounds.problem_of(scope)
        if wrong is not None:
            work.problems.add((*path, str(number)), "INVALID", wrong)
    return found


def _addresses(work: Work, given: Given) -> list[str]:
    texts: Sequence[str] = given.get("allowed_ips") or ()
    path = given.at("allowed_ips")
    if len(texts) > MOST_ADDRESSES:
        said = f"allowedIps has {len(texts)} members; {MOST_ADDRESSES} are allowed."
        work.problems.add(path, "TOO_LONG", said, params={"max": MOST_ADDRESSES, "actual": len(texts)})
        return []
    found = []
    for number, text in enumerate(texts):
        network = read_network(text)
        if network is None:
            shown = text if len(text) <= 60 else f"{text[:57]}…"
            said = f"{shown!r} is no address: give one such as 203.0.113.7, or a network such as 2001:db8::/32."
            work.problems.add((*path, str(number)), "INVALID", said)
        else:
            found.append(print_network(network))
    return list(dict.fromkeys(found))


def read_network(text: str) -> Network | None:
    """An address, or a network in CIDR notation; None where it is neither, or has bits beyond its prefix."""
    if not text.isascii() or "%" in text:
        return None
    try:
        return ip_network(text)
    except ValueError:
        return None


def print_network(network: Network) -> str:
    """A network in CIDR notation; a single address as that."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _expiry(work: Work, given: Given) -> datetime | None:
    expires: datetime | None = given.get("expires_at")
    if expires is None:
        return None
    latest = work.now + timedelta(days=366 * _YEARS)
    if not work.now < expires <= latest:
        said = f"expiresAt must be later than now, and within {_YEARS} years; null is for a token that does not expire."
        work.problems.add(given.at("expires_at"), "OUT_OF_RANGE", said)
    return expires


def _check_live(work: Work, token: ApiToken) -> None:
    if token.revoked_at is not None:
        work.problems.add(("id",), "INVALID_TRANSITION", "This token was revoked: make a new one.")
    elif token.expires_at is not None and token.expires_at <= work.now:
        work.problems.add(("id",), "INVALID_TRANSITION", "This token has expired: make a new one.")


Path = Callable[[str], tuple[str, ...]]


async def _check_bounds(work: Work, token: ApiToken, at: Path, bounds: Bounds) -> None:
    """Note where ``token`` goes beyond the one that acts."""
    if bounds.token_id is None or bounds.token_id == token.id:
        return
    (mine,) = await work.find(ApiToken, "WHERE id = $1", bounds.token_id)
    for scope in token.scopes:
        if not bounds.covers(mine.scopes, scope):
            work.problems.add(at("scopes"), "INVALID", f"{scope} is more than the scopes of the token that asks.")
    if mine.expires_at is not None and (token.expires_at is None or token.expires_at > mine.expires_at):
        said = "expiresAt is later than that of the token that asks."
        work.problems.add(at("expires_at"), "OUT_OF_RANGE", said)
    within = token.allowed_ips and all(_within(each, mine.allowed_ips) for each in token.allowed_ips)
    if mine.allowed_ips and not within:
        work.problems.add(at("allowed_ips"), "INVALID", "allowedIps are more than those of the token that asks.")


def _within(text: str, others: Sequence[str]) -> bool:
    network: Any = ip_network(text)
    return any(network.version == other.version and network.subnet_of(other) for other in map(ip_network, others))
