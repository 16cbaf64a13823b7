"""Exchange rates: what one unit of a currency is worth in the shop's currency."""

from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, Numeric
from sqlmodel import Field

from app.models.base import Row, words


class ExchangeRate(Row, table=True):
    """The rate of a currency from ``day`` on, until a later one. The shop's own currency has none: it is 1."""

    __tablename__ = "exchange_rates"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_is_iso_4217"),
        CheckConstraint("rate > 0 AND rate < 1e9 AND scale(rate) <= 10", name="rate_is_positive"),
    )

    currency: str = words(required=True, primary_key=True)
    day: date = Field(primary_key=True)
    rate: Decimal = Field(sa_type=Numeric, nullable=False)
