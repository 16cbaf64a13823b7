"""Exchange rates of the demo shop: one for each working day, as central banks publish them."""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

_IN_EUROS = {"EUR": 1.0, "USD": 0.91, "JPY": 0.0061, "KWD": 2.96}
_SWING = {"EUR": 0.0, "USD": 0.04, "JPY": 0.07, "KWD": 0.03}
_PHASE = {"EUR": 0.0, "USD": 0.4, "JPY": 2.1, "KWD": 3.9}
_WAVE = 75.0
"""Days between two highest values are 2π times as many: about 15 months."""

_EXACT = Decimal("0.000001")


def exchange_rates(first: date, last: date, shop_currency: str) -> Iterator[tuple[str, date, Decimal]]:
    """Currency, day and rate: what one unit was worth in ``shop_currency``, from ``first`` to ``last``. There are none
    where the demo shop does not sell in that currency."""
    if shop_currency not in _IN_EUROS:
        return
    day = first
    while day <= last:
        # The first day has one whatever weekday it is, so that nothing comes before all rates.
        if day == first or day.weekday() < 5:
            shop = _in_euros(shop_currency, day)
            for currency in _IN_EUROS:
                if currency != shop_currency:
                    yield currency, day, Decimal(_in_euros(currency, day) / shop).quantize(_EXACT)
        day += timedelta(days=1)


def _in_euros(currency: str, day: date) -> float:
    return _IN_EUROS[currency] * (1 + _SWING[currency] * math.sin(day.toordinal() / _WAVE + _PHASE[currency]))
