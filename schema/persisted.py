"""Documents by hash: those that clients have registered on the way (Apollo's protocol), and those of a manifest."""

from collections import OrderedDict
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from app.errors import BadUserInputError, PersistedQueryNotFoundError
from app.mistakes import UserMistakeError
from app.settings import Settings
from schema.documents import Documents
from schema.requests import Request

_MOST_TEXT = 4_000_000
_NOT_FOUND = "PersistedQueryNotFound"
"""The message that Apollo's clients look for."""


class TrustedDocumentsError(UserMistakeError):
    """The manifest cannot be used; the message says why."""


class Persisted:
    """Finds the text of a request's document. Each process learns hashes for itself: what it does not know, the client
    sends once more in full."""

    def __init__(self, settings: Settings, documents: Documents) -> None:
        self._most = settings.persisted_queries
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._size = 0
        self._trusted: dict[str, str] | None = None
        if settings.trusted_documents is not None:
            self._trusted = read_manifest(settings.trusted_documents, documents)
            self._texts = set(self._trusted.values())

    def text(self, request: Request) -> str:
        """The document's text. PersistedQueryNotFoundError where it is not known, or may not be run."""
        if self._trusted is not None:
            return self._registered(request, self._trusted)
        if request.hash is None:
            assert request.query is not None
            return request.query
        if self._most == 0:
            raise PersistedQueryNotFoundError("PersistedQueryNotSupported", supported=False)
        if request.query is not None:
            if sha256(request.query.encode("utf-8", "surrogatepass")).hexdigest() != request.hash:
                raise BadUserInputError(
                    "The hash is not the SHA-256 of query.", argument="extensions.persistedQuery.sha256Hash"
                )
            return request.query
        found = self._kept.get(request.hash)
        if found is None:
            raise PersistedQueryNotFoundError(_NOT_FOUND)
        self._kept.move_to_end(request.hash)
        return found

    def keep(self, request: Request) -> None:
        """Remember a request's document, which has been found valid, where it came with its hash."""
        if request.hash is None or request.query is None or self._trusted is not None:
            return
        if request.hash not in self._kept:
            self._kept[request.hash] = request.query
            self._size += len(request.query)
        while len(self._kept) > self._most or self._size > _MOST_TEXT:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped)

    def _registered(self, request: Request, trusted: dict[str, str]) -> str:
        if request.hash is not None and request.hash in trusted:
            return trusted[request.hash]
        if request.query is not None and request.query in self._texts:
            return request.query
        if request.query is None:
            raise PersistedQueryNotFoundError(_NOT_FOUND)
        raise PersistedQueryNotFoundError("Only registered documents are run here: send the hash of one.")


def read_manifest(path: Path, documents: Documents) -> dict[str, str]:
    """The documents of a manifest by their SHA-256: a JSON object of ids and texts, or Apollo's form of it.

    TrustedDocumentsError where an id is not the hash, or a document not one of this schema.
    """
    try:
        said = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise TrustedDocumentsError(f"The manifest of trusted documents {path} cannot be read: {error}.") from None
    found: dict[str, str] = {}
    for id, text in _entries(said, path):
        if sha256(text.encode()).hexdigest() != id.removeprefix("sha256:"):
            raise TrustedDocumentsError(f"{path}: the id {id} is not the SHA-256 of its document.")
        errors = documents.get(text).errors
        if errors:
            raise TrustedDocumentsError(f"{path}: the document {id} does not fit the schema: {errors[0].message}")
        found[id.removeprefix("sha256:")] = text
    return found


def _entries(said: Any, path: Path) -> list[tuple[str, str]]:
    pairs: list[tuple[Any, Any]] = []
    if isinstance(said, dict) and isinstance(said.get("operations"), list):
        pairs = [(each.get("id"), each.get("body")) for each in said["operations"] if isinstance(each, dict)]
    elif isinstance(said, dict):
        pairs = list(said.items())
    found = [(id, text) for id, text in pairs if isinstance(id, str) and isinstance(text, str)]
    if not found or len(found) != len(pairs):
        raise TrustedDocumentsError(
            f"{path} is no manifest: it has to be a JSON object of SHA-256 and document, or have Apollo's operations."
        )
    return found
