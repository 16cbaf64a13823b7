"""The words that generated operations are made of: ids and values that stand in the rows."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tests.oracle.conditions import SEARCHED
from tests.oracle.execute import Oracle
from tests.oracle.rights import SOURCES
from tests.oracle.rows import PREFIXES, Row, snake, typed_id


class Vocabulary:
    """Values by entity and field, each once, in an order that is the same at every run."""

    def __init__(self, oracle: Oracle) -> None:
        self._rows = oracle.rows
        self._values: dict[tuple[str, str], list[Any]] = {}
        self.systems = sorted({system for e in PREFIXES for row in oracle.rows.all(e) for system, _ in row.refs})
        self.external = sorted({id for e in PREFIXES for row in oracle.rows.all(e) for _, id in row.refs})[:40]

    def ids(self, entity: str) -> list[str]:
        """The typed ids of all rows, deleted ones too."""
        return self._memo(entity, "#id", lambda: [typed_id(row) for row in self._rows.all(entity)])

    def values(self, entity: str, field: str) -> list[Any]:
        """The values that stand in the field somewhere."""
        column = snake(field)
        return self._memo(
            entity,
            field,
            lambda: (
                []
                if (entity, field) in SOURCES
                else sorted({v for row in self._rows.all(entity) if (v := getattr(row, column)) is not None})
            ),
        )

    def tags(self) -> list[str]:
        """Every tag of a customer."""
        return self._memo("Customer", "#tag", lambda: sorted({t for c in self._rows.all("Customer") for t in c.tags}))

    def currencies(self, entity: str) -> list[str]:
        """The currencies of the amounts of that entity."""
        return self._memo(entity, "#currency", lambda: sorted({row.currency for row in self._rows.all(entity)}))

    def _memo(self, entity: str, field: str, make: Any) -> list[Any]:
        if (entity, field) not in self._values:
            self._values[entity, field] = make()
        return self._values[entity, field]


@lru_cache(maxsize=8)
def vocabulary(oracle: Oracle) -> Vocabulary:
    """The vocabulary of that oracle's rows."""
    return Vocabulary(oracle)


def searchable(row: Row) -> list[str]:
    """The texts of a row that search may look into."""
    return [text for field in SEARCHED[row.type] if (text := getattr(row, snake(field)))]


def other_case(text: str) -> str:
    """The same text in the other case, letter by letter, where that can be turned back."""

    def turn(letter: str) -> str:
        turned = letter.swapcase()
        return turned if len(turned) == 1 and turned.swapcase() == letter else letter

    return "".join(map(turn, text))


def time_forms(value: datetime) -> list[str]:
    """One moment, and its neighbours, in several ways of writing it."""
    shifted = value.astimezone(timezone(timedelta(hours=8)))
    near = value.astimezone(UTC) + timedelta(microseconds=1)
    return [
        value.astimezone(UTC).isoformat(),
        value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        shifted.isoformat(),
        near.isoformat(),
    ]


def date_forms(value: date) -> list[str]:
    """A day, and its neighbour."""
    return [value.isoformat(), (value + timedelta(days=1)).isoformat()]


def decimal_forms(value: Decimal) -> list[str]:
    """One number in several ways of writing it, and its neighbour."""
    return [format(value, "f"), format(value.normalize(), "f"), f"{value + Decimal('0.01'):f}"]
