"""The mutation of exchange rates. Its event is about no record: it is on record, and not in the outbox."""

from tests.oracle.rows import Row
from tests.writing.deeds import Deed, Office

SET = """mutation($rates: [ExchangeRateInput!]!) {
  setExchangeRates(rates: $rates) { done errors { field code message } }
}"""


def _another(office: Office, _: Row) -> dict[str, object]:
    """A rate that differs from the one before."""
    rate = 1 + len(office.rows.all("ExchangeRate"))
    return {"rates": [{"currency": "USD", "day": f"20{rate:02}-01-01", "rate": str(rate)}]}


DEEDS = (
    Deed(
        "setExchangeRates",
        "update",
        "ExchangeRate",
        SET,
        about="User",
        suits=lambda office, row: row.active,
        variables=_another,
        posted=False,
    ),
)
