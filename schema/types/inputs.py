"""Inputs that several entities share."""

from decimal import Decimal
from typing import Annotated

import strawberry
from strawberry import UNSET

Version = Annotated[int, strawberry.argument(description="The version that you have seen.")]


@strawberry.input
class MoneyInput:
    """An exact amount; without a currency, in that of the record, or else of the shop."""

    amount: Decimal
    currency: str | None = UNSET


@strawberry.input
class ExternalRefInput:
    """The id of the record in another system."""

    system: str
    id: str
