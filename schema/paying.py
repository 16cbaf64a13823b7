"""What operations cost their callers: points for the rows that a read may touch, given back where it touched fewer."""

from dataclasses import dataclass

from app.budgets import Budgets, Limit, Purse
from app.settings import Settings
from schema.callers import Caller
from schema.proxies import budget_address
from schema.requests import HeaderList

MUTATION = 10
"""Points that a mutation costs besides what it reads and, in bulk, the records that it is about."""


@dataclass(slots=True)
class Payment:
    """What one operation pays."""

    budgets: Budgets
    purse: Purse | None
    paid: int = 0
    cost: int = 0
    """What it has cost in the end."""

    async def take(self, price: int) -> None:
        """Pay until ``price`` is paid. RateLimitedError where the budget does not hold it."""
        if self.purse is not None and price > self.paid:
            await self.budgets.take(self.purse, price - self.paid, self.paid)
            self.paid = price

    def settle(self, actual: int) -> None:
        """Pay what is owed in the end, or get back what was paid too much."""
        self.cost = actual
        if self.purse is not None and actual != self.paid:
            self.budgets.spend(self.purse, actual - self.paid)
            self.paid = actual

    def told(self, requested: int, actual: int) -> dict[str, float]:
        """``extensions.cost``."""
        said: dict[str, float] = {"requested": requested, "actual": actual}
        if self.purse is not None:
            said["remaining"] = max(0, int(self.purse.remaining()))
            said["restoreRate"] = self.purse.limit.restore
        return said


class Payments:
    """Finds the budget of each caller: a token's, a user's, or that of all strangers at one address."""

    def __init__(self, budgets: Budgets, settings: Settings) -> None:
        self._budgets = budgets
        self._user = Limit(settings.budget_points, settings.budget_restore)
        self._token = Limit(settings.budget_token_points, settings.budget_token_restore)
        self._stranger = Limit(settings.budget_stranger_points, settings.budget_stranger_restore)

    def purse(self, caller: Caller) -> Purse | None:
        """The budget of a caller; None where it has none."""
        principal = caller.principal
        if principal is None:
            limit, key = self._stranger, f"ip:{budget_address(caller.ip)}"
        elif principal.token_id is not None:
            limit, key = self._token, f"token:{principal.token_id.hex}"
        else:
            limit, key = self._user, f"user:{principal.user_id.hex}"
        return self._budgets.purse(key, limit) if limit.points else None

    def payment(self, purse: Purse | None) -> Payment:
        """The payment of one operation from ``purse``."""
        return Payment(self._budgets, purse)


def budget_headers(purse: Purse) -> HeaderList:
    """What is left, as IETF's draft of RateLimit header fields says it, and as its older form that most clients read.

    Seconds are those until the budget is full again.
    """
    points, restore = purse.limit
    left = max(0, int(purse.remaining()))
    full = int((points - purse.left) / restore) + (purse.left < points)
    whole = max(1, int(points / restore))
    return (
        (b"ratelimit-policy", b'"cost";q=%d;w=%d' % (points, whole)),
        (b"ratelimit", b'"cost";r=%d;t=%d' % (left, full)),
        (b"ratelimit-limit", b"%d" % points),
        (b"ratelimit-remaining", b"%d" % left),
        (b"ratelimit-reset", b"%d" % full),
    )
