"""What of the shop's settings statements depend on."""

from dataclasses import dataclass

from app.models.base import currency_scale


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """The shop's currency (ISO 4217) and its time zone (IANA)."""

    currency: str
    timezone: str

    @property
    def scale(self) -> int:
        """The minor units of the currency."""
        return currency_scale(self.currency)
