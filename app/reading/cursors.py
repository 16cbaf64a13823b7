"""Cursors: the place of a row in an order, signed, and bound to entity and order.

A cursor is base64url(signature, payload). The payload is the JSON list of the row's effective order values and its id;
a value that the caller may not read is null there. The signature is the first 12 bytes of SHA-256(key, SHA-256(key,
payload)), the nested construction of HMAC (RFC 2104) without its pads, which PostgreSQL can work out without
extensions. The key is derived from the server's secret for each entity and order: a cursor serves no other list.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Date, DateTime, LargeBinary, Numeric, Text, Uuid, cast, func, literal_column
from sqlalchemy.types import TypeEngine

from app.errors import BadUserInputError

_SIGNATURE = 12


class CursorKeys:
    """Derives the signing keys of cursors from the server's secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def key(self, subject: str) -> bytes:
        """The key for the cursors of ``subject``, an entity and its order in words."""
        return hmac.digest(self._secret, b"cursor\0" + subject.encode(), "sha256")


def signed(key: ColumnElement[bytes], payload: ColumnElement[str]) -> ColumnElement[str]:
    """The cursor for ``payload``, as SQL."""
    content = func.convert_to(payload, literal_column("'UTF8'"), type_=LargeBinary)
    signature = func.sha256(key.concat(func.sha256(key.concat(content), type_=LargeBinary)), type_=LargeBinary)
    short = func.substr(signature, literal_column("1"), literal_column(str(_SIGNATURE)), type_=LargeBinary)
    encoded = func.encode(short.concat(content), literal_column("'base64'"))
    return func.translate(encoded, literal_column("E'+/=\\n'"), literal_column("'-_'"), type_=Text)


def payload(values: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """The payload for the order values of a row, its id last, as SQL."""
    exact = [cast(value, Text) if isinstance(value.type, Numeric | Uuid) else value for value in values]
    return cast(func.json_build_array(*exact), Text)


def reader(argument: str, key: bytes, types: Sequence[TypeEngine[Any]]) -> Callable[[Any, int], Any]:
    """A function from a cursor and a position to the order value at that position."""
    loads = [_loader(kind) for kind in types]

    def read(cursor: Any, position: int) -> Any:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
            expected = sha256(key + sha256(key + content).digest()).digest()[:_SIGNATURE]
            if not hmac.compare_digest(signature, expected):
                raise ValueError
            value = orjson.loads(content)[position]
            return None if value is None else loads[position](value)
        except (ValueError, TypeError, IndexError, binascii.Error):
            raise BadUserInputError(
                f"{argument} is not a cursor of this list in this order: take one from its edges or pageInfo.",
                argument=argument,
            ) from None

    return read


def _loader(kind: TypeEngine[Any]) -> Callable[[Any], Any]:
    if isinstance(kind, DateTime):
        return datetime.fromisoformat
    if isinstance(kind, Date):
        return date.fromisoformat
    if isinstance(kind, Numeric):
        return Decimal
    if isinstance(kind, Uuid):
        return UUID
    return _itself


def _itself(value: Any) -> Any:
    return value
