"""Given: what a caller gave for a record."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.models.base import Row


@dataclass(frozen=True, slots=True)
class GivenMoney:
    """An amount; without a currency it is in the shop's, or in that of the record."""

    amount: Decimal
    currency: str | None


@dataclass(slots=True)
class Given:
    """Values by attribute: absent ones are absent, None clears. References are ids in ``values``, and rows under the
    relation's name in ``rows``; ``path`` leads to the input among the arguments. ``options`` are arguments beside the
    input, ``within`` is what else is done to the record, under a right of its own."""

    values: dict[str, Any]
    rows: dict[str, Any] = field(default_factory=dict)
    path: tuple[str, ...] = ("input",)
    options: dict[str, Any] = field(default_factory=dict)
    within: "Given | None" = None

    def get(self, attribute: str, default: Any = None) -> Any:
        """The value of ``attribute``; the default where it was not given, or is null."""
        value = self.values.get(attribute)
        return default if value is None else value

    def __contains__(self, attribute: str) -> bool:
        return attribute in self.values

    def at(self, attribute: str) -> tuple[str, ...]:
        """The path to ``attribute`` in GraphQL names."""
        first, *rest = attribute.split("_")
        return (*self.path, first + "".join(word.title() for word in rest))

    def assign(self, row: Row, *except_for: str) -> None:
        """Put all values into ``row``, but for those named and those that are no columns of it."""
        here = row.__dict__
        for name, value in self.values.items():
            if name in here and name not in except_for:
                # No session of the ORM watches rows: what it would note at every assignment is for nobody.
                here[name] = value
