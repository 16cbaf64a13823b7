"""Amounts in the currencies of the demo shop, counted in minor units."""

from app.demo.cells import Cell, numeric

SCALES = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
"""Minor units of the currencies that the demo shop sells in."""

_CENTS = {"EUR": 1.0, "USD": 1.1, "JPY": 1.6, "KWD": 3.3}
_STEPS = {"EUR": 1, "USD": 1, "JPY": 10, "KWD": 5}
_FEES = {"EUR": (0, 0, 490, 590, 990), "USD": (0, 599, 899), "JPY": (0, 500, 800), "KWD": (0, 1500, 2750)}

FEES = {currency: tuple(numeric(fee, SCALES[currency]) for fee in fees) for currency, fees in _FEES.items()}
"""Shipping fees of each currency."""


def amount(minor: int, currency: str) -> Cell:
    """The amount of so many minor units, with exactly the digits of its currency."""
    return numeric(minor, SCALES[currency])


def converted(cents: int, currency: str, factor: float = 1.0) -> int:
    """Minor units of ``currency`` worth about ``cents`` euro cents, times ``factor``, as a price would be rounded."""
    step = _STEPS[currency]
    return max(step, round(cents * factor * _CENTS[currency] / step) * step)
