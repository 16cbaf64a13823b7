"""Exchange rates in the API."""

from datetime import date
from decimal import Decimal

import strawberry


@strawberry.type
class ExchangeRate:
    """What one unit of a currency is worth in the shop's currency from that day on, until a later rate: the latest day
    that is not after a figure's moment counts."""

    currency: str
    day: date
    rate: Decimal
