"""Setting exchange rates."""

from datetime import date
from decimal import Decimal

import strawberry
from strawberry import Info

import app.models as models
from app.domain import exchange_rates
from schema.acting import Act
from schema.context import Context
from schema.types.payload import DonePayload, Payload

Asked = Info[Context, None]


@strawberry.input
class ExchangeRateInput:
    """One unit of ``currency`` (ISO 4217, not the shop's own) in the shop's currency from ``day`` on: more than 0, less
    than 1,000,000,000, with 10 decimals at most."""

    currency: str
    day: date
    rate: Decimal


_SET = Act("update", models.ExchangeRate, exchange_rates.set_rates, options=("rates",))


@strawberry.type
class ExchangeRateMutations:
    """What can be done to exchange rates."""

    @strawberry.mutation(extensions=_SET.guard)
    async def set_exchange_rates(self, info: Asked, rates: list[ExchangeRateInput]) -> DonePayload:
        """Set exchange rates, all of them or none; up to 10,000 at once. What is there for a currency and a day is
        replaced. Figures follow within seconds."""
        payload = await _SET.do(info, Payload, rates=rates)
        return DonePayload(done=not payload.errors, errors=payload.errors)
