"""Typed ids: a prefix that names the entity, and the 32 hexadecimal digits of a UUIDv7.

The database holds plain UUIDs; the prefix exists only at the edges, so that ``cus_…`` can never be taken for ``ord_…``.
"""

import re
from uuid import UUID

from uuid_utils import uuid7 as _native_uuid7
from uuid_utils.compat import uuid7 as _uuid7

_TYPED_ID = re.compile(r"([a-z]{2,3})_([0-9a-f]{32})")


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562): ids made later sort later, so that indexes grow at one end."""
    return _uuid7()


def new_digits() -> str:
    """The 32 digits of a fresh UUIDv7, for COPY: six times as fast as making the UUID first."""
    return _native_uuid7().hex


def print_id(prefix: str, value: UUID) -> str:
    """``cus_0190…`` for the prefix ``cus``."""
    return f"{prefix}_{value.hex}"


def split_id(text: str) -> tuple[str, UUID] | None:
    """The prefix and the UUID of a typed id, or None where the text is not one."""
    match = _TYPED_ID.fullmatch(text)
    return (match[1], UUID(match[2])) if match else None
