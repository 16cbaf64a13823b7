"""Exchange rates: what one unit of a currency is worth in the shop's currency."""

import re
from datetime import date
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import CheckConstraint, Numeric
from sqlmodel import Field

from app.models.base import Row, words

_CODE = re.compile("[A-Z]{3}")


def is_currency(text: str) -> bool:
    """Whether ``text`` has the form of a code of ISO 4217."""
    return _CODE.fullmatch(text) is not None


class ExchangeRate(Row, table=True):
    """The rate of a currency from ``day`` on, until a later one. The shop's own currency has none: it is 1."""

    __tablename__ = "exchange_rates"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_is_iso_4217"),
        CheckConstraint("rate > 0 AND rate < 1e9 AND scale(rate) <= 10", name="rate_is_positive"),
    )

    listed: ClassVar[tuple[str, ...]] = ("currency", "day")

    currency: str = words(required=True, primary_key=True)
    day: date = Field(primary_key=True)
    rate: Decimal = Field(sa_type=Numeric, nullable=False)
