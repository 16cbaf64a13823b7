"""What the types of several entities share."""

from decimal import Decimal
from enum import Enum

import strawberry


class UnwalkedError(Exception):
    """A nested field was entered. Root fields answer whole: nothing below them is ever resolved on its own."""


@strawberry.interface
class Node:
    """A row that can be had by its id."""

    id: strawberry.ID


@strawberry.type
class PageInfo:
    """Where a page lies. Both flags are exact in either direction."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Money:
    """An exact amount, printed with the minor units of its currency (ISO 4217)."""

    amount: Decimal
    currency: str


@strawberry.type
class ExternalRef:
    """The id of a record in another system, unique within that system."""

    system: str
    id: str


@strawberry.enum
class OrderDirection(Enum):
    """Up or down."""

    ASC = "asc"
    DESC = "desc"


@strawberry.type
class LabelCount:
    """How many there are of one kind."""

    label: str
    count: int
