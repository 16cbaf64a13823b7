"""What a client accepts: the media type of an answer, and whether it may be compressed (RFC 9110, section 12)."""

from collections.abc import Iterator

JSON = b"application/json; charset=utf-8"
GRAPHQL_JSON = b"application/graphql-response+json; charset=utf-8"

_OURS = {"application/json": JSON, "application/graphql-response+json": GRAPHQL_JSON}
_KEPT = 1_000


class Negotiation:
    """Remembers what it found: clients say the same again and again."""

    def __init__(self) -> None:
        self._media: dict[bytes, bytes | None] = {}
        self._gzip: dict[bytes, bool] = {}

    def media(self, accept: bytes | None) -> bytes | None:
        """The media type for an Accept header; None where nothing that we have will do."""
        if not accept:
            return JSON
        if accept not in self._media:
            if len(self._media) >= _KEPT:
                self._media.clear()
            self._media[accept] = _media(accept)
        return self._media[accept]

    def gzip(self, accept: bytes | None) -> bool:
        """Whether an Accept-Encoding header takes gzip."""
        if not accept:
            return False
        if accept not in self._gzip:
            if len(self._gzip) >= _KEPT:
                self._gzip.clear()
            self._gzip[accept] = _takes_gzip(accept)
        return self._gzip[accept]


def _media(accept: bytes) -> bytes | None:
    """The type that is liked best. Equally liked ones: that of GraphQL if it is named, or else JSON, which all know."""
    ranges = {}
    for name, quality, charset in _parts(accept):
        if charset in ("", "utf-8", "utf8"):
            ranges[name] = quality
    best: tuple[float, bool, bytes] | None = None
    for name, media in _OURS.items():
        for known in (name, "application/*", "*/*"):
            if known in ranges:
                found = (ranges[known], known == name, media)
                if found[0] > 0 and (best is None or found[:2] > best[:2] or (known == name and found[:2] == best[:2])):
                    best = found
                break
    return best[2] if best else None


def _takes_gzip(accept: bytes) -> bool:
    ranges = {name: quality for name, quality, _ in _parts(accept)}
    gzip = ranges.get("gzip", ranges.get("x-gzip", ranges.get("*", 0.0)))
    return gzip > 0 and gzip >= ranges.get("identity", 0.0)


def _parts(header: bytes) -> Iterator[tuple[str, float, str]]:
    """Each range of a header: its name, its quality, and its charset."""
    for part in header.decode("latin-1").lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        quality, charset = 1.0, ""
        for parameter in parameters:
            key, _, value = (each.strip() for each in parameter.partition("="))
            if key == "q":
                quality = _quality(value)
            elif key == "charset":
                charset = value.strip('"')
        if name:
            yield name, quality, charset


def _quality(said: str) -> float:
    """A qvalue; nothing that is none makes a type acceptable."""
    whole, _, rest = said.partition(".")
    if whole not in ("0", "1") or (rest and not rest.isdigit()) or not said.isascii() or len(rest) > 3:
        return 0.0
    return min(float(said), 1.0)
