"""Where a request comes from, when proxies stand between: they are believed only as far as the settings trust them."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


def networks(said: Iterable[str]) -> list[Network]:
    """The networks of addresses such as 10.0.0.0/8. ValueError for what is none."""
    return [ip_network(each) for each in said]


class Proxies:
    """The proxies that are trusted, and the header in which they say for whom they ask."""

    def __init__(self, trusted: Sequence[Network], header: str) -> None:
        self._trusted = trusted
        self._forwarded = header == "Forwarded"
        self._header = header.lower().encode()

    def client(self, peer: str | None, headers: Sequence[tuple[bytes, bytes]]) -> tuple[str | None, bool]:
        """The address of the client, and whether a trusted proxy brought the request.

        Each proxy appends the address that it was asked from. So the last address that is no trusted proxy is the
        client's; what stands before it, the client may have made up.
        """
        if not self._trusted or peer is None or not self._trusts(peer):
            return peer, False
        said = b",".join(value for name, value in headers if name == self._header).decode("latin-1")
        hops = _forwarded(said) if self._forwarded else said.split(",")
        client = peer
        for hop in reversed(hops):
            found = _address(hop)
            if found is None:
                break
            client = found
            if not self._trusts(found):
                break
        return client, True

    def _trusts(self, said: str) -> bool:
        found = _address(said)
        if found is None:
            return False
        address = ip_address(found)
        return any(address in network for network in self._trusted)


def _forwarded(said: str) -> list[str]:
    """The ``for`` of each hop of a Forwarded header (RFC 7239); empty where it has none."""
    found = []
    for hop in said.split(","):
        pairs = (pair.partition("=") for pair in hop.split(";"))
        found.append(next((value.strip() for name, _, value in pairs if name.strip().lower() == "for"), ""))
    return found


def _address(said: str) -> str | None:
    """An address as it is written in headers: perhaps in quotes, in brackets, with a port."""
    text = said.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return None if isinstance(found, IPv6Address) and found.scope_id else str(found)


def budget_address(ip: str | None) -> Any:
    """What strangers of one address share: of IPv6 the network of 64 bits, which one customer of a provider has."""
    if ip is None or ":" not in ip:
        return ip or "unknown"
    try:
        return str(ip_network((ip, 64), strict=False).network_address)
    except ValueError:
        return ip
