"""Exchange rates: setting what currencies are worth in the shop's."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from app.domain.given import Given
from app.domain.work import Work
from app.models import ExchangeRate
from app.models.exchange_rate import is_currency

MOST = 10_000
LARGEST, PLACES = Decimal(10) ** 9, 10
"""Rates are less than the one, and have no more decimals than the other."""

_PRESENT = """
    SELECT r.currency, r.day, r.rate FROM exchange_rates r
    JOIN unnest($1::text[], $2::date[]) AS n (currency, day) ON (r.currency, r.day) = (n.currency, n.day)
"""
_WRITE = """
    INSERT INTO exchange_rates (currency, day, rate)
    SELECT * FROM unnest($1::text[], $2::date[], $3::numeric[]) AS n (currency, day, rate)
    ON CONFLICT (currency, day) DO UPDATE SET rate = excluded.rate
"""

_Key = tuple[str, date]


async def set_rates(work: Work, _: None, given: Given) -> None:
    """Set all rates that are given, or none. One that is there already becomes what is given."""
    wanted = _checked(work, given.options["rates"])
    work.problems.refuse()
    # Nobody else sets rates until this is done: what is told of before is what was there.
    await work.fetch("LOCK TABLE exchange_rates IN SHARE ROW EXCLUSIVE MODE")
    keys = sorted(wanted)
    currencies, days = [key[0] for key in keys], [key[1] for key in keys]
    present = {(row[0], row[1]): row[2] for row in await work.fetch(_PRESENT, currencies, days)}
    changed = [key for key in keys if present.get(key) != wanted[key]]
    if not changed:
        return
    await work.fetch(_WRITE, *zip(*((*key, wanted[key]) for key in changed), strict=True))
    work.about = ExchangeRate.__name__
    work.tell("rates", _told(changed, present), _told(changed, wanted))


def _checked(work: Work, rates: Sequence[Mapping[str, Any]]) -> dict[_Key, Decimal]:
    """The rates by currency and day, in their shortest form; what is wrong with them is noted."""
    if not 1 <= len(rates) <= MOST:
        said = f"rates has {len(rates)} members: it must have from 1 to {MOST:,}."
        work.problems.add(("rates",), "OUT_OF_RANGE", said, params={"min": 1, "max": MOST, "actual": len(rates)})
        return {}
    found: dict[_Key, Decimal] = {}
    first: dict[_Key, int] = {}
    for number, each in enumerate(rates):
        path, key = ("rates", str(number)), (each["currency"], each["day"])
        _check_currency(work, (*path, "currency"), each["currency"])
        rate = _checked_rate(work, (*path, "rate"), each["rate"])
        if key in first:
            said = f"{key[0][:20]} on {key[1]} is given twice, first as rates.{first[key]}: say it once."
            work.problems.add((*path, "day"), "DUPLICATE", said)
            continue
        first[key] = number
        if rate is not None:
            found[key] = rate
    return found


def _check_currency(work: Work, path: tuple[str, ...], currency: str) -> None:
    if not is_currency(currency):
        said = f"currency is {currency[:20]!r}: it must be a code of ISO 4217 such as USD."
        work.problems.add(path, "INVALID", said)
    elif currency == work.shop.currency:
        said = f"{currency} is the shop's own currency: its rate is always 1, and none is kept."
        work.problems.add(path, "INVALID", said)


def _checked_rate(work: Work, path: tuple[str, ...], rate: Decimal) -> Decimal | None:
    short = rate.normalize()
    if short <= 0 or short >= LARGEST:
        said = f"rate is {_shown(rate)}: it must be more than 0 and less than {LARGEST:,}."
        work.problems.add(path, "OUT_OF_RANGE", said, params={"above": "0", "below": str(LARGEST)})
        return None
    places = -int(short.as_tuple().exponent)
    if places > PLACES:
        said = f"rate is {_shown(rate)}: it can have {PLACES} decimals at most."
        work.problems.add(path, "INVALID", said, params={"places": PLACES})
        return None
    return Decimal(format(short, "f"))


def _shown(rate: Decimal) -> str:
    return format(rate, "f")[:40]


def _told(keys: Sequence[_Key], rates: Mapping[_Key, Decimal]) -> list[dict[str, str]] | None:
    """The rates as the audit log keeps them; None where there are none."""
    known = [(key, rates[key]) for key in keys if key in rates]
    return [{"currency": key[0], "day": key[1].isoformat(), "rate": format(rate, "f")} for key, rate in known] or None
