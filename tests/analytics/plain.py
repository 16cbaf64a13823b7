"""What the figures computed in plain Python share: rates, periods, buckets, rounding, and how two answers compare."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.connecting import Where, connected
from tests.oracle.rights import Rights, minor_units
from tests.oracle.rows import Row, Rows, load

DAY = 86_400


class Plain:
    """The rows of a shop as one caller sees them at ``now``, its exchange rates, its currency and its time zone."""

    def __init__(
        self,
        rights: Rights,
        rates: dict[str, list[tuple[date, Fraction]]],
        currency: str = "EUR",
        zone: str = "Europe/Berlin",
    ) -> None:
        self.rights, self.rows, self.now = rights, rights.rows, rights.now
        self.rates, self.currency, self.zone = rates, currency, ZoneInfo(zone)

    def local(self, moment: datetime) -> datetime:
        """``moment`` as the shop's clocks show it."""
        return moment.astimezone(self.zone).replace(tzinfo=None)

    def rate(self, currency: str, moment: datetime) -> Fraction | None:
        """What one unit of ``currency`` is worth on the day of ``moment``."""
        if currency == self.currency:
            return Fraction(1)
        known = self.rates.get(currency, [])
        place = bisect_right([day for day, _ in known], self.local(moment).date())
        return known[place - 1][1] if place else None

    def money(self, amount: Fraction) -> dict[str, str]:
        """``amount`` as it is shown: rounded half away from zero."""
        return {"amount": rounded(amount, minor_units(self.currency)), "currency": self.currency}

    def moment_of(self, local: datetime) -> str:
        """The moment at which the shop's clocks show ``local`` (the first of two), as it is printed. Where they skip
        it, they would show it but for the skipping."""
        return printed(local.replace(tzinfo=self.zone).astimezone(UTC))

    def buckets(
        self, bucket: str, moments: Iterable[datetime], start: datetime | None, end: datetime | None
    ) -> dict[datetime, int]:
        """How many of ``moments`` lie in each bucket of the period, by its local start."""
        within = [moment for moment in moments if inside(moment, start, end)]
        found: dict[datetime, int] = {}
        firsts = [bucket_start(bucket, self.local(moment)) for moment in within]
        if start is None and not firsts:
            return {}
        if end is None and not firsts:
            return {}
        first = bucket_start(bucket, self.local(start)) if start else min(firsts)
        last = bucket_start(bucket, self.local(end - timedelta(microseconds=1))) if end else max(firsts)
        while first <= last:
            found[first] = 0
            first = next_start(bucket, first)
        for each in firsts:
            found[each] += 1
        return found


async def load_plain(where: Where, **settings: str) -> tuple[Rows, dict[str, list[tuple[date, Fraction]]]]:
    """All rows of a database, and its exchange rates."""
    async with connected(where) as connection:
        rates: dict[str, list[tuple[date, Fraction]]] = {}
        for currency, day, rate in await connection.fetch(
            "SELECT currency, day, rate FROM exchange_rates ORDER BY day"
        ):
            rates.setdefault(currency, []).append((day, Fraction(rate)))
    return await load(where), rates


def rounded(amount: Fraction, places: int) -> str:
    """``amount`` with so many digits after the point, halves away from zero."""
    scaled = abs(amount) * 10**places
    whole = math.floor(scaled + Fraction(1, 2))
    text = f"{whole:0{places + 1}}"
    text = f"{text[:-places]}.{text[-places:]}" if places else text
    return f"-{text}" if amount < 0 and whole else text


def printed(moment: datetime) -> str:
    """``moment`` as the API prints it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def inside(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    """Whether ``moment`` lies in the period, which its end is not part of."""
    return moment is not None and (start is None or moment >= start) and (end is None or moment < end)


def seconds(length: timedelta) -> Fraction:
    """``length`` in seconds, exact."""
    return Fraction(length // timedelta(microseconds=1), 1_000_000)


def mean(values: Sequence[Any]) -> Fraction | None:
    """The average; None of nothing."""
    return Fraction(sum(values, Fraction(0))) / len(values) if values else None


def percentile(share: Fraction, values: Iterable[Fraction]) -> Fraction | None:
    """The value below which ``share`` of them lies, between two of them in proportion, as SQL's percentile_cont."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def bucket_start(bucket: str, local: datetime) -> datetime:
    """The start of the bucket in which a local time lies."""
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    match bucket:
        case "DAY":
            return day
        case "WEEK":
            return day - timedelta(days=day.weekday())
        case "MONTH":
            return day.replace(day=1)
        case "QUARTER":
            return day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
    return day.replace(day=1, month=1)


def next_start(bucket: str, start: datetime) -> datetime:
    """The start of the next bucket."""
    if bucket in ("DAY", "WEEK"):
        return start + timedelta(days=1 if bucket == "DAY" else 7)
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[bucket]
    years, month = divmod(start.month - 1 + months, 12)
    return start.replace(year=start.year + years, month=month + 1)


def differences(found: Any, expected: Any, path: str = "") -> Iterator[str]:
    """Where two answers differ. Ratios and averages are floats, so these may differ in their last digits; of what goes
    by the present moment (``averageDaysInStage``) so much as a minute."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in found.keys() | expected.keys():
            yield from differences(found.get(key, "absent"), expected.get(key, "absent"), f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif isinstance(expected, Fraction | float) and isinstance(found, int | float):
        slack = 1e-3 if path.endswith("averageDaysInStage") else 1e-9
        if not math.isclose(found, expected, rel_tol=1e-9, abs_tol=slack):
            yield f"{path}: {found} is not {float(expected)}"
    elif found != expected:
        yield f"{path}: {found!r} is not {expected!r}"


def typed(row: Row, prefix: str) -> str:
    """The id of ``row`` as the API prints it."""
    return f"{prefix}_{row.id.hex}"
