"""Amounts that a caller gave, made exact."""

from app.domain.checks import money
from app.domain.given import Given, GivenMoney
from app.domain.work import Work


def set_amount(work: Work, given: Given, attribute: str, currency: str | None = None) -> None:
    """Put the amount given as ``attribute`` into the scale of its currency, and that currency beside it.

    Without a currency of its own it is in ``currency``, that of the record, or else in the shop's. What cannot be kept
    exactly is noted. Where nothing was given, or null, nothing happens.
    """
    said: GivenMoney | None = given.get(attribute)
    if said is None:
        return
    own = currency if said.currency is None else said.currency
    exact = money(work, given.at(attribute), GivenMoney(said.amount, own))
    if exact is not None:
        amount, given.values["currency"] = exact
        # None is negative, but for a zero with a sign, which the database would not keep.
        given.values[attribute] = amount.copy_abs()
