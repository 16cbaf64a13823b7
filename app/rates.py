"""How often something may be done: a window that moves with time, for each caller, counted by each process."""

import math
import time
from collections.abc import Mapping

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from app.errors import RateLimitedError
from app.settings import Settings


class Rates:
    """The limits of this process, by name."""

    def __init__(self, limits: Mapping[str, RateLimitItem]) -> None:
        self._limits = limits
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    @classmethod
    def of(cls, settings: Settings) -> "Rates":
        """The limits that the settings say."""
        return cls({"lookup": RateLimitItemPerMinute(settings.lookup_per_minute)})

    async def take(self, name: str, who: str) -> None:
        """Count one more for ``who``; RateLimitedError, with the seconds until there is room, where it is too much."""
        limit = self._limits[name]
        if await self._windows.hit(limit, name, who):
            return
        stats = await self._windows.get_window_stats(limit, name, who)
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        raise RateLimitedError(
            f"{limit.amount} a minute are allowed of {name}: wait {wait} s.", retryAfter=wait, limit=name
        )
