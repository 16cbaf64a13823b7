"""Exchange rates from files."""

import pytest

from app.importing import ImportRefusedError
from tests.importing.conftest import Desk, figures

pytestmark = pytest.mark.anyio

MAP = """
dates = ["%d.%m.%Y"]
decimal = ","
[fields]
currency = "{code}"
day = "{day}"
rate = "{rate}"
"""
RATES = "SELECT currency, day::text, rate::text FROM exchange_rates ORDER BY 1, 2"


async def test_rates_are_made_changed_and_left(desk: Desk) -> None:
    first = await desk.run("rates", MAP, 'code,day,rate\nUSD,02.01.2025,"0,9651"\nCHF,02.01.2025,"1,0633"\n')
    assert figures(first) == (2, 0, 0, 0, 0)
    again = await desk.run(
        "rates", MAP, 'code,day,rate\nUSD,02.01.2025,"0,9651"\nCHF,02.01.2025,"1,07"\nUSD,03.01.2025,1\n'
    )
    assert figures(again) == (1, 1, 1, 0, 0)
    assert await desk.rows(RATES) == [
        ("CHF", "2025-01-02", "1.07"),
        ("USD", "2025-01-02", "0.9651"),
        ("USD", "2025-01-03", "1"),
    ]


async def test_rows_that_cannot_be_are_refused_each_for_itself(desk: Desk) -> None:
    text = (
        "code,day,rate\nUSD,02.01.2025,1\nusd,02.01.2025,1\nGBP,,1\nGBP,02.01.2025,0\nGBP,03.01.2025,-1\n"
        'GBP,04.01.2025,"0,00000000001"\nGBP,05.01.2025,1000000000\nUSD,02.01.2025,2\nGBP,06.01.2025,\n'
    )
    report = await desk.run("rates", MAP, text)
    assert figures(report) == (1, 0, 0, 0, 8)
    assert await desk.rows(RATES) == [("USD", "2025-01-02", "1")]
    rate = "must be a rate like 0,9137, more than 0, below 10^9 and with 10 decimals at most, not"
    assert desk.rejects() == [
        (3, "code", 'must be a currency of ISO 4217 like EUR, not "usd"'),
        (4, "day", "is required: day must have a value"),
        (5, "rate", f'{rate} "0"'),
        (6, "rate", f'{rate} "-1"'),
        (7, "rate", f'{rate} "0,00000000001"'),
        (8, "rate", f'{rate} "1000000000"'),
        (9, "day", "line 2 has the same currency and day"),
        (10, "rate", "is required: rate must have a value"),
    ]


async def test_the_shops_own_currency_has_no_rates(desk: Desk) -> None:
    report = await desk.run("rates", MAP, "code,day,rate\nEUR,02.01.2025,1\nUSD,02.01.2025,1\n", shop_currency="EUR")
    assert figures(report) == (1, 0, 0, 0, 1)
    assert desk.rejects() == [(2, "code", "EUR is the shop's own currency: its rate is always 1")]


async def test_what_changes_is_queued_for_the_figures(desk: Desk) -> None:
    await desk.run("rates", MAP, "code,day,rate\nUSD,02.01.2025,1\n")
    await desk.connection.execute("DELETE FROM analytics_changes")
    await desk.run("rates", MAP, "code,day,rate\nUSD,02.01.2025,1\nCHF,02.01.2025,1\n")
    assert await desk.rows("SELECT currency, day::text FROM analytics_changes") == [("CHF", "2025-01-02")]


async def test_a_map_says_currency_day_and_rate(desk: Desk) -> None:
    with pytest.raises(ImportRefusedError, match="the fields day are missing"):
        await desk.run("rates", '[fields]\ncurrency = "{code}"\nrate = "{rate}"\n', "code,rate\nUSD,1\n")
    with pytest.raises(ImportRefusedError, match="rates has no external ids; it is known by its currency and day"):
        await desk.run("rates", 'system = "x"\nexternal_id = "{code}"\n' + MAP, "code,day,rate\nUSD,02.01.2025,1\n")
    absent = await desk.run("rates", 'absent = "reject"\n' + MAP, "code,day,rate\nUSD,02.01.2025,1\n")
    assert figures(absent) == (0, 0, 0, 0, 1)
    assert desk.rejects() == [(2, "day", "there is no rate of this currency and day")]
