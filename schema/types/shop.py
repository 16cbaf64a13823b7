"""The shop in the API."""

import strawberry

from app.settings import Settings


@strawberry.type
class Shop:
    """What holds for the whole shop."""

    name: str
    currency: str
    timezone: str
    locale: str

    @classmethod
    def of(cls, settings: Settings) -> "Shop":
        """The shop of these settings."""
        return cls(
            name=settings.shop_name,
            currency=settings.shop_currency,
            timezone=settings.shop_timezone,
            locale=settings.shop_locale,
        )
