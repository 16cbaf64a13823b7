"""Links to exports: short-lived, signed, and good for what the one who asked may export when they are followed."""

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from app.db.ids import new_id
from app.db.lanes import Lanes
from app.models.base import utcnow
from auth.principal import Principal

_PATH = "/exports/"
_KEEP = """
    WITH old AS (DELETE FROM export_links WHERE expires_at < $12)
    INSERT INTO export_links (id, user_id, session_id, token_id, impersonator_id,
                              entity, format, filter, fields, byte_order_mark, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_FOLLOW = """
    SELECT user_id, session_id, token_id, impersonator_id,
           entity, format, filter::json AS filter, fields, byte_order_mark
    FROM export_links WHERE id = $1 AND expires_at > $2
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for, in the words of the API."""

    principal: Principal
    entity: str
    format: str
    filter: Any
    fields: list[str] | None
    byte_order_mark: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A link, and until when it is good."""

    url: str
    expires_at: datetime


class ExportLinks:
    """Makes links and follows them."""

    def __init__(self, writers: Lanes, secret: str, seconds: int) -> None:
        self._writers = writers
        self._key = hmac.digest(secret.encode(), b"export link", "sha256")
        self._life = timedelta(seconds=seconds)

    async def make(self, asked: Asked) -> Link:
        """A link to an export; those that are long over are forgotten."""
        id, now = new_id(), utcnow()
        until = (now + self._life).replace(microsecond=0)
        filter = None if asked.filter is None else orjson.dumps(asked.filter).decode()
        who = (asked.principal.user_id, asked.principal.session_id, asked.principal.token_id)
        values = (asked.entity, asked.format, filter, asked.fields, asked.byte_order_mark, until)
        await self._writers.fetch(_KEEP, id, *who, asked.principal.impersonator_id, *values, now - self._life)
        expires = int(until.timestamp())
        return Link(f"{_PATH}{id.hex}?expires={expires}&signature={self._sign(id, expires)}", until)

    async def follow(self, id: str, expires: str, signature: str) -> Asked | None:
        """What a link leads to; None where it is not ours, or over."""
        try:
            known, until = UUID(hex=id), int(expires)
        except ValueError:
            return None
        if not hmac.compare_digest(self._sign(known, until).encode(), signature.encode()):
            return None
        now = utcnow()
        if until <= now.astimezone(UTC).timestamp():
            return None
        found = await self._writers.fetchrow(_FOLLOW, known, now)
        if found is None:
            return None
        return Asked(
            Principal(*(id and UUID(bytes=id.bytes) for id in found[:4])),
            found["entity"],
            found["format"],
            orjson.loads(found["filter"]) if found["filter"] else None,
            found["fields"],
            found["byte_order_mark"],
        )

    def _sign(self, id: UUID, expires: int) -> str:
        signature = hmac.digest(self._key, f"{id.hex}.{expires}".encode(), "sha256")
        return base64.urlsafe_b64encode(signature).decode().rstrip("=")
