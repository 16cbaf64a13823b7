"""Keys of repeated requests: a mutation sent twice under one key is done once.

What is kept is the hash of the request, the ids of the records that the payload shows, and the problems; never a
rendered answer, so that a repeat sees no more than its sender may see by then. Denials and bugs are not kept.
"""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import orjson

from app.db.lanes import Lanes
from app.domain.problems import Problem
from app.errors import ConflictError
from app.models.base import utcnow

_NO_TOKEN = UUID(int=0)
_CLAIM = """
    INSERT INTO idempotency_keys (user_id, token_id, key, request_hash, outcome, created_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id, token_id, key) DO NOTHING RETURNING true
"""
_EARLIER = "SELECT request_hash, outcome::json FROM idempotency_keys WHERE user_id = $1 AND token_id = $2 AND key = $3"
_REMEMBER = "UPDATE idempotency_keys SET outcome = $4 WHERE user_id = $1 AND token_id = $2 AND key = $3"
KEPT_HOURS = 24

Earlier = tuple[dict[str, UUID], dict[str, Any], tuple[Problem, ...]]


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its sender scoped it, and the hash of the request that came under it."""

    user_id: UUID
    token_id: UUID | None
    """The API token, or whoever acts as the user: they have keys of their own."""
    key: str
    request_hash: bytes

    @property
    def place(self) -> tuple[UUID, UUID, str]:
        """The primary key."""
        return self.user_id, self.token_id or _NO_TOKEN, self.key


async def claim(connection: Any, key: Key) -> Earlier | None:
    """What the request came to earlier; None where it is new, and then it is claimed.

    Whoever claims the same key at the same moment waits here until the first has ended. ConflictError where the key
    was used for another request.
    """
    claimed = await connection.fetchrow(_CLAIM, *key.place, key.request_hash, None, utcnow())
    if claimed is not None:
        return None
    found = await connection.fetchrow(_EARLIER, *key.place)
    if found is None:
        # Forgotten between the two statements; whoever comes again claims it anew.
        raise ConflictError("The request under this Idempotency-Key has just been forgotten: send it again.")
    if found["request_hash"] != key.request_hash:
        raise ConflictError(
            "This Idempotency-Key was used for another request: use a new key for a new request.", key=key.key
        )
    outcome = orjson.loads(found["outcome"] or b"{}")
    records = {name: UUID(id) for name, id in outcome.get("records", {}).items()}
    problems = tuple(problem_told(each) for each in outcome.get("problems", ()))
    return records, outcome.get("facts", {}), problems


async def remember(connection: Any, key: Key, records: dict[str, UUID], facts: dict[str, Any]) -> None:
    """Keep what the claimed request came to, in the transaction that did it."""
    await connection.execute(_REMEMBER, *key.place, _json({"records": records, "facts": facts}))


async def remember_refusal(
    writers: Lanes, key: Key, problems: tuple[Problem, ...], facts: dict[str, Any] | None = None
) -> None:
    """Keep the problems of a request that did nothing, and what else its payload says."""
    outcome = _json({"facts": facts or {}, "problems": [asdict(problem) for problem in problems]})
    async with writers.transaction() as connection:
        await connection.execute(_CLAIM, *key.place, key.request_hash, outcome, utcnow())


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def problem_told(said: Any) -> Problem:
    """A problem as it was kept."""

    def listed(name: str) -> tuple[str, ...] | None:
        return None if said[name] is None else tuple(said[name])

    more = {"ids": listed("ids"), "current": said["current"], "params": said["params"]}
    return Problem(listed("field"), said["code"], said["message"], **more)
