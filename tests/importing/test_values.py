"""Values: what a map makes of cells, and what is said of those that cannot be."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from app.importing.errors import ImportRefusedError
from app.importing.templates import parse_template
from tests.importing.conftest import Desk, figures

pytestmark = pytest.mark.anyio

CUSTOMER = 'system = "shop"\nexternal_id = "{id}"\n[fields]\nname = "{id}"\n'
PRODUCT = '[fields]\nsku = "{sku}"\nname = "{sku}"\nprice = "{price}"\ncurrency = "{currency}"\n'


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{name}", "Mei-Mei  Johns_2"),
        ("{name|mailbox}@x.example", "mei-mei.johns_2@x.example"),
        ("{name|slug}", "mei-mei-johns-2"),
        ("{name|words|upper}", "MEI MEI JOHNS 2"),
        ("{name|first:3|lower}", "mei"),
        ("{phone|digits}", "4930"),
        ("{{{phone}}}", "{+49 30}"),
        ("{empty}", ""),
        ("a {empty} b", ""),
        ("{phone}/{empty}", "+49 30/"),
        ("constant", "constant"),
    ],
)
async def test_templates(template: str, filled: str) -> None:
    cells = {"name": "Mei-Mei  Johns_2", "phone": "+49 30", "empty": ""}
    columns = list(cells)
    get = parse_template(template).getter(lambda column: lambda row: row[columns.index(column)])
    assert get(list(cells.values())) == filled


@pytest.mark.parametrize(
    ("template", "message"),
    [("{name", "brace without its pair at character 1"), ("{a|shout}", "unknown filter 'shout': there are lower")],
)
async def test_templates_that_cannot_be_read(template: str, message: str) -> None:
    with pytest.raises(ImportRefusedError, match=message):
        parse_template(template)


async def test_values_are_mapped_defaulted_and_conditional(desk: Desk) -> None:
    map = (
        CUSTOMER
        + 'tier = { value = "{tier}", values = { vip = "GOLD" }, default = "SILVER" }\n'
        + 'status = { value = "{status}", values = { a = "ACTIVE" }, otherwise = "LOST" }\n'
        + 'notes = { value = "{note}", when = { status = ["a"] } }\n'
        + 'kind = "person"\ncity = "{city|title}"\n[replace.city]\nMunchen = "münchen"\n'
    )
    text = "id,tier,status,note,city\n1,vip,a,yes,Munchen\n2,,z,no,lima\n3,platinum,,no,\n"
    assert (await desk.run("customer", map, text)).inserted == 3
    assert await desk.rows("SELECT tier, status, notes, kind, city FROM customers ORDER BY id") == [
        ("GOLD", "ACTIVE", "yes", "PERSON", "München"),
        ("SILVER", "LOST", None, "PERSON", "Lima"),
        ("PLATINUM", "LEAD", None, "PERSON", None),
    ]


async def test_refused_values_are_told_with_what_would_be_right(desk: Desk) -> None:
    map = CUSTOMER + 'kind = "{kind}"\nemail = "{email}"\ncreated_at = { value = "{at}", dates = ["%d.%m.%Y"] }\n'
    text = (
        "id,kind,email,at\n1,ROBOT,a@b.example,1.2.2020\n2,PERSON,nowhere,1.2.2020\n"
        "3,PERSON,,31.2.2020\n4,PERSON,,1.2.1066\n,PERSON,,\n"
    )
    assert (await desk.run("customer", map, text)).rejected == 5
    assert desk.rejects() == [
        (2, "kind", 'must be one of PERSON, COMPANY, not "ROBOT"'),
        (3, "email", 'must be an email address like anna@example.com, not "nowhere"'),
        (4, "at", 'must be a date or time as %d.%m.%Y, not "31.2.2020"'),
        (5, "at", 'lies before 1900: "1.2.1066"'),
        (6, "id", "is required: it is the external id"),
    ]


async def test_refused_rows_between_good_ones_keep_line_and_reason(desk: Desk) -> None:
    rows = [f"{number},ACTIVE" for number in range(1_000)]
    for line in (2, 450, 1_001):
        rows[line - 2] = f"{line},back\\nslash"
    text = "id,status\n" + "\n".join(rows)
    map = CUSTOMER + 'status = "{status}"\n'
    reason = 'must be one of LEAD, ACTIVE, DORMANT, LOST, not "back\\nslash"'
    assert figures(await desk.run("customer", map, text)) == (997, 0, 0, 0, 3)
    assert desk.rejects() == [(line, "status", reason) for line in (2, 450, 1_001)]
    assert figures(await desk.run("customer", map, text)) == (0, 0, 997, 0, 3)


@pytest.mark.parametrize("dates", ["", 'dates = ["%Y-%m-%d %H:%M:%S"]\n'])
async def test_plain_times_are_checked_like_all_others(desk: Desk, dates: str) -> None:
    good = ["1900-01-01 00:00:00", "2024-02-29 23:59:59", "2024-01-28 07:30:15", "2024-12-31 08:00:00"]
    bad = [
        "2024-02-30 00:00:00",
        "2023-02-29 00:00:00",
        "2024-13-01 00:00:00",
        "2024-01-01 07:60:00",
        "1899-12-28 00:00:00",
    ]
    text = "id,at\n" + "".join(f"{number},{time}\n" for number, time in enumerate(good + bad))
    assert figures(await desk.run("customer", dates + CUSTOMER + 'created_at = "{at}"\n', text)) == (4, 0, 0, 0, 5)
    assert [line for line, _, _ in desk.rejects()] == [6, 7, 8, 9, 10]
    times = [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in good]
    assert await desk.rows("SELECT created_at FROM customers ORDER BY id") == [(time,) for time in times]


async def test_several_date_formats_time_zones_and_hours(desk: Desk) -> None:
    map = (
        'timezone = "Europe/Berlin"\ndates = ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%b %d, %Y", "%m/%d/%Y"]\n'
        + CUSTOMER
        + 'created_at = { value = "{at}", timezone = "UTC" }\n'
    )
    text = 'id,at\n1,2024-01-31 08:30:15\n2,31.01.2024 08:30\n3,"Jan 31, 2024"\n4,1/31/2024\n5,\n'
    assert (await desk.run("customer", map.replace(', timezone = "UTC"', ""), text)).inserted == 5
    moments = [at for (at,) in await desk.rows("SELECT created_at FROM customers ORDER BY id")]
    assert moments[:4] == [
        datetime(2024, 1, 31, 7, 30, 15, tzinfo=UTC),
        datetime(2024, 1, 31, 7, 30, tzinfo=UTC),
        datetime(2024, 1, 30, 23, tzinfo=UTC),
        datetime(2024, 1, 30, 23, tzinfo=UTC),
    ]
    assert (await desk.run("customer", map, text)).updated == 4
    assert await desk.value("SELECT created_at FROM customers ORDER BY id LIMIT 1") == datetime(
        2024, 1, 31, 8, 30, 15, tzinfo=UTC
    )


async def test_times_that_name_their_zone_keep_it_and_dates_are_dates(desk: Desk) -> None:
    await desk.run("customer", CUSTOMER, "id\nA\n")
    map = (
        'system = "shop"\nexternal_id = "{id}"\ntimezone = "Asia/Tokyo"\n[fields]\ncustomer = "A"\n'
        'first_name = "X"\nlast_name = "Y"\ncreated_at = "{at}"\nbirthday = "{born}"\nis_primary = "{main}"\n'
    )
    await desk.run("contact", map, "id,at,born,main\n1,2024-01-31T08:00:00+01:00,1980-02-29,yes\n2,,,no\n3,,,perhaps\n")
    assert await desk.rows("SELECT created_at, birthday, is_primary FROM contacts ORDER BY id LIMIT 1") == [
        (datetime(2024, 1, 31, 7, tzinfo=UTC), date(1980, 2, 29), True)
    ]
    assert desk.rejects() == [(4, "main", 'must be true or false, not "perhaps"')]


async def test_money_has_the_decimals_of_its_currency(desk: Desk) -> None:
    text = (
        "sku,price,currency\nA,12.5,EUR\nB,1200.0,JPY\nC,1.2345,KWD\nD,0.5,JPY\nE,1.005,USD\nF,-1,EUR\nG,1e3,EUR\n"
        "H,1234567890123456,EUR\nI,NaN,EUR\nJ,1,eur\nK,7,\nL,1.230,KWD\n"
    )
    assert figures(await desk.run("product", PRODUCT, text)) == (3, 0, 0, 0, 9)
    assert await desk.rows("SELECT sku, price::text FROM products ORDER BY sku") == [
        ("A", "12.50"),
        ("B", "1200"),
        ("L", "1.230"),
    ]
    told = {line: (column, reason) for line, column, reason in desk.rejects()}
    assert told[4] == ("price", "has more decimals than KWD (3): 1.2345")
    assert told[5] == ("price", "has more decimals than JPY (0): 0.5")
    assert told[6] == ("price", "has more decimals than USD (2): 1.005")
    assert told[7][1].startswith("must be an amount like 1234.50, not negative")
    assert {told[line][0] for line in (8, 9, 10)} == {"price"}
    assert told[11] == ("currency", 'must be a currency of ISO 4217 like EUR, not "eur"')
    assert told[12] == ("currency", "is required: currency must have a value")


async def test_a_decimal_comma_is_read(desk: Desk) -> None:
    await desk.run("product", 'decimal = ","\ndelimiter = ";"\n' + PRODUCT, "sku;price;currency\nA;1.234,5;EUR\n")
    assert await desk.value("SELECT price FROM products") == Decimal("1234.50")


async def test_a_new_currency_rescales_the_price_that_stays(desk: Desk) -> None:
    await desk.run("product", PRODUCT, "sku,price,currency\nA,12.00,EUR\nB,1.50,EUR\n")
    map = 'absent = "reject"\n[fields]\nsku = "{sku}"\ncurrency = "{currency}"\n'
    assert (await desk.run("product", map, "sku,currency\nA,JPY\nB,JPY\n")).updated == 1
    assert await desk.rows("SELECT price::text, currency FROM products ORDER BY sku") == [
        ("12", "JPY"),
        ("1.50", "EUR"),
    ]
    assert desk.rejects() == [(3, "price", "has more decimals than JPY (0): 1.50")]


async def test_whole_numbers_keep_their_range(desk: Desk) -> None:
    map = '[fields]\nname = "{name}"\nposition = "{position}"\nprobability = "{p}"\nrotting_after_days = "{days}"\n'
    text = "name,position,p,days\nA,1,50.0,\nB,2,101,\nC,x,1,\nD,99999999999,1,\nE,1,1,0\n"
    assert (await desk.run("stage", map, text)).inserted == 1
    assert [reason for _, _, reason in desk.rejects()] == [
        'must be from 0 to 100, not "101"',
        'must be a whole number, not "x"',
        'must be from -2,147,483,648 to 2,147,483,647, not "99999999999"',
        'must be from 1 to 100,000, not "0"',
    ]


async def test_tags_are_split_and_kept_once(desk: Desk) -> None:
    await desk.run(
        "customer", CUSTOMER + 'tags = { value = "{tags}", split = ";" }\n', 'id,tags\n1,"a; b ""c"",{d};a;\\"\n2,\n'
    )
    assert await desk.rows("SELECT tags FROM customers ORDER BY id") == [(["a", 'b "c",{d}', "\\"],), ([],)]
