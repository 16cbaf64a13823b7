"""Budgets in Redis, for those who have one and would rather spare the database the writes."""

from collections.abc import Sequence
from typing import Any

from app.budgets import Spent
from app.mistakes import UserMistakeError

_PREFIX = "rapport:budget:"
# A level that is full again needs not be kept: it expires.
_SETTLE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local levels = {}
for number, key in ipairs(KEYS) do
  local points, restore = tonumber(ARGV[4 * number - 3]), tonumber(ARGV[4 * number - 2])
  local at = now - tonumber(ARGV[4 * number])
  local kept = redis.call('HMGET', key, 'level', 'at')
  local level = points
  if kept[1] then
    level = math.min(points, tonumber(kept[1]) + restore * math.max(0, at - tonumber(kept[2])))
    at = math.max(at, tonumber(kept[2]))
  end
  level = level - tonumber(ARGV[4 * number - 1])
  redis.call('HSET', key, 'level', string.format('%.6f', level), 'at', string.format('%.6f', at))
  redis.call('EXPIRE', key, math.min(2592000, math.max(1, math.ceil((points - level) / restore) + 1)))
  levels[number] = string.format('%.6f', math.min(points, level + restore * math.max(0, now - at)))
end
return levels
"""


class RedisMissingError(UserMistakeError):
    """REDIS_URL is set, and the client for Redis is not installed; the message says how to."""


class RedisStore:
    """Budgets as hashes of level and moment, settled by one script."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._settle = client.register_script(_SETTLE)

    @classmethod
    def open(cls, url: str) -> "RedisStore":
        """A store on the Redis of ``url``; it connects when it is first needed."""
        try:
            from redis.asyncio import Redis
        except ImportError:
            raise RedisMissingError("REDIS_URL is set, but not the client: pip install 'rapport[redis]'.") from None
        return cls(Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2))

    async def settle(self, spent: Sequence[Spent]) -> dict[str, float]:
        """Take off what was spent, and say how much is left of each."""
        if not spent:
            return {}
        arguments = [part for each in spent for part in (*each.limit, each.points, each.ago)]
        levels = await self._settle(keys=[_PREFIX + each.key for each in spent], args=arguments)
        return {each.key: float(level) for each, level in zip(spent, levels, strict=True)}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
