"""Exports: who may, what goes out, what a spreadsheet makes of it, and what is on record."""

import asyncio
import csv
import io
import os
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import asyncpg
import orjson
import pytest

from app.cli import main
from app.exporting.cells import Column, harmless
from app.exporting.writers import CsvWriter
from app.exporting.xlsx import UnfitError, XlsxFile
from app.settings import get_settings
from auth.policy import POLICY
from tests.activity import until
from tests.api import SECRET, open_api
from tests.matrix import CALLERS
from tests.nasty_shop import Shop
from tests.oracle.rows import typed_id
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

PLURALS = {
    "Customer": "customers",
    "Contact": "contacts",
    "Opportunity": "opportunities",
    "Order": "orders",
    "Ticket": "tickets",
    "Product": "products",
}
EXPORTING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'rapport export'"
    " AND state = 'active'"
)


@asynccontextmanager
async def opened(server: Any, shop: Shop) -> AsyncIterator[Office]:
    """The nasty shop, to export from."""
    url = await server.own(shop.url)
    connection = await asyncpg.connect(url)
    try:
        async with open_api(url, **LIMITS) as api:
            office = Office(url, shop.ids, api, connection)
            await office.look()
            yield office
    finally:
        await connection.close()
        await server.drop(url)


@pytest.fixture
async def office(server: Any, shop: Shop) -> AsyncIterator[Office]:
    async with opened(server, shop) as office:
        yield office


async def ask(office: Office, role: str | None, entity: str = "Customer", **given: Any) -> Any:
    """The payload with the link, or the whole answer where it is refused."""
    field = f"export{PLURALS[entity][0].upper()}{PLURALS[entity][1:]}"
    document = (
        f"mutation($where: {entity}Filter, $fields: [String!], $format: ExportFormat! = CSV, $bom: Boolean! = false)"
        f" {{ {field}(where: $where, fields: $fields, format: $format, byteOrderMark: $bom)"
        " { url expiresAt errors { field code message } } }"
    )
    answer = await office.do(document, role, **given)
    return answer if "errors" in answer else answer["data"][field]


async def get(office: Office, role: str, entity: str = "Customer", **given: Any) -> bytes:
    """The file."""
    payload = await ask(office, role, entity, **given)
    assert payload["errors"] == [], payload
    response = await office.api.client.get(payload["url"])
    assert response.status_code == 200, response.text
    return response.content


def table(file: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(file.decode(), newline="")))


def sheet(file: bytes) -> list[list[Any]]:
    """The cells of an XLSX file: texts, numbers and Booleans as such."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(file)) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in root.iter(f"{space}row"):
        cells: dict[int, Any] = {}
        for cell in row:
            letters = re.match("[A-Z]+", cell.attrib["r"])
            assert letters
            place = 0
            for letter in letters[0]:
                place = 26 * place + ord(letter) - 64
            assert not cell.findall(f"{space}f"), "a formula"
            kind = cell.attrib.get("t")
            if kind == "inlineStr":
                cells[place] = "".join(part.text or "" for part in cell.iter(f"{space}t"))
            else:
                value = cell.findtext(f"{space}v")
                cells[place] = value == "1" if kind == "b" else Decimal(value or "")
        rows.append([cells.get(place) for place in range(1, max(cells, default=0) + 1)])
    return rows


def selection(columns: list[str]) -> str:
    """The selection set of these columns."""
    tree: dict[str, Any] = {}
    for column in columns:
        place = tree
        for step in column.split("."):
            place = place.setdefault(step, {})
    tree = {name: {"system": {}, "id": {}} if name == "externalRefs" else below for name, below in tree.items()}

    def printed(part: dict[str, Any]) -> str:
        return " ".join(f"{name} {{ {printed(below)} }}" if below else name for name, below in part.items())

    return printed(tree)


async def read(office: Office, role: str, entity: str, fields: str) -> list[Any]:
    """All rows by the read path."""
    found, after = [], None
    while True:
        document = (
            f"query($after: String) {{ {PLURALS[entity]}(first: 200, after: $after)"
            f" {{ nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        )
        page = (await office.do(document, role, after=after))["data"][PLURALS[entity]]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


# Rights


@pytest.mark.parametrize("entity", PLURALS)
async def test_what_goes_out_is_what_is_read(office: Office, entity: str) -> None:
    """By every role, the stranger first: the same rows, the same fields, masked alike."""
    assert (await ask(office, None, entity))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    worked = 0
    for role in CALLERS:
        known = len(await office.events())
        payload = await ask(office, role, entity, format="JSONL")
        if not POLICY[role].grants.get(entity, {}).get("export"):
            error = payload["errors"][0]["extensions"]
            assert (error["code"], error["action"], error["entity"]) == ("FORBIDDEN", "export", entity)
            assert [event["outcome"] for event in (await office.events())[known:]] == ["DENIED"]
            continue
        records = [orjson.loads(line) for line in (await office.api.client.get(payload["url"])).content.splitlines()]
        header = (await get(office, role, entity)).decode().splitlines()[0].split(",")
        expected = sorted(await read(office, role, entity, selection(header)), key=lambda row: row["id"])
        assert records == expected
        worked += bool(records)
        event = (await office.events())[known]
        assert (event["action"], event["entity"], event["outcome"]) == ("export", entity, "OK")
        assert orjson.loads(event["changes"])["rows"] == {"before": None, "after": len(records)}
    assert worked >= 3


async def test_hidden_fields_are_left_out_and_forbidden_when_named(office: Office) -> None:
    header = (await get(office, "ANALYST")).splitlines()[0].decode().split(",")
    assert "notes" not in header
    assert {"name", "email", "owner.id"} <= set(header)
    answer = await ask(office, "ANALYST", fields=["name", "notes"])
    assert answer["errors"][0]["extensions"] | {"requestId": ""} == {
        "code": "FORBIDDEN",
        "entity": "Customer",
        "action": "read",
        "field": "notes",
        "requestId": "",
    }
    answer = await ask(office, "ANALYST", fields=["id"], where={"email": {"startsWith": "a"}})
    assert answer["errors"][0]["extensions"]["field"] == "email"
    answer = await ask(office, "ANALYST", "Contact", fields=["customer.notes"])
    assert answer["errors"][0]["extensions"]["field"] == "notes"


async def test_the_right_to_export_may_cover_fewer_rows_than_that_to_read(office: Office) -> None:
    all_seen = len(table(await get(office, "MANAGER", fields=["id"])))
    await office.connection.execute(
        "UPDATE grants g SET rows = 'OWN' FROM roles r WHERE r.id = role_id AND r.name = 'MANAGER'"
        " AND entity = 'Customer' AND action = 'export'"
    )
    manager, (mine, *_) = office.user("MANAGER"), table(await get(office, "ADMIN", fields=["id"]))
    await office.connection.execute(
        "UPDATE customers SET owner_id = $1 WHERE id = $2::text::uuid", manager, mine["id"].removeprefix("cus_")
    )
    found = {row["id"] for row in table(await get(office, "MANAGER", fields=["id"]))}
    assert mine["id"] in found
    assert len(found) < all_seen


async def test_a_filter_holds_as_in_lists(office: Office) -> None:
    for where in (
        {"tier": {"in": ["GOLD", "SILVER"]}},
        {"createdAt": {"gte": "2025-03-01T08:30:00.000001Z"}, "kind": {"ne": "PERSON"}},
        {"or": [{"tags": {"hasAny": ["vip"]}}, {"owner": {"isNull": True}}]},
        {"opportunities": {"some": {"amount": {"amount": {"gt": "100.00"}}}}},
        {"externalRefs": {"system": "pos", "id": {"isNull": False}}},
    ):
        counted = await office.do("query($w: CustomerFilter) { customers(where: $w) { totalCount } }", "ADMIN", w=where)
        rows = table(await get(office, "ADMIN", where=where, fields=["id"]))
        assert len(rows) == counted["data"]["customers"]["totalCount"], where
    document = 'mutation { exportCustomers(where: { name: { contains: "a" }, kind: { eq: PERSON } }) { url } }'
    link = (await office.do(document, "ADMIN"))["data"]["exportCustomers"]["url"]
    written = table((await office.api.client.get(link)).content)
    asked = await get(office, "ADMIN", where={"name": {"contains": "a"}, "kind": {"eq": "PERSON"}})
    assert written == table(asked)


# Fields


async def test_fields_are_named_as_in_the_api(office: Office) -> None:
    names = ["owner.name", "code", "owner", "orderCount", "lastOrderAt"]
    rows = table(await get(office, "ADMIN", fields=names))
    assert list(rows[0]) == ["owner.name", "code", "owner.id", "orderCount", "lastOrderAt"]
    row = next(row for row in rows if row["code"] == office.label("probe_1").code)
    assert row["owner.name"] == office.label("sales_north").name
    assert row["owner.id"] == typed_id(office.label("sales_north"))
    names = ["total", "customer.owner.name", "shippingFee.currency"]
    assert list(table(await get(office, "ADMIN", "Order", fields=names))[0]) == [
        "total.amount",
        "total.currency",
        "customer.owner.name",
        "shippingFee.currency",
    ]


async def test_every_field_that_will_not_do_is_told(office: Office) -> None:
    names = ["name", "nmae", "contacts", "name", "owner.password_hash", "owner.team.members.name", "", "x\0y" * 99]
    payload = await ask(office, "ADMIN", fields=names)
    assert payload["url"] is None
    assert [(error["field"], error["code"]) for error in payload["errors"]] == [
        (["fields", str(number)], "INVALID") for number in range(1, 8)
    ]
    assert payload["errors"][0]["message"].startswith(
        "'nmae' is no field that can be exported. Did you mean name? Customer has: id, code, name,"
    )
    assert payload["errors"][2]["message"] == "name is named twice."
    assert (await ask(office, "ADMIN", fields=[]))["errors"][0]["code"] == "REQUIRED"
    assert (await ask(office, "ADMIN", fields=["id"] * 300))["errors"][0]["code"] == "TOO_LONG"


# What a spreadsheet makes of it


@pytest.mark.parametrize("text", ["=1+1", "+49 170 1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff20a"])
async def test_no_text_is_a_formula(office: Office, text: str) -> None:
    probe = office.label("probe_1")
    await office.connection.execute("UPDATE customers SET notes = $1, tags = $2 WHERE id = $3", text, [text], probe.id)
    given = {"where": {"id": {"eq": typed_id(probe)}}, "fields": ["notes", "tags", "name"]}
    (row,) = table(await get(office, "ADMIN", **given))
    assert (row["notes"], row["tags"], row["name"]) == (f"'{text}", f"'{text}", "Probe One")
    cells = sheet(await get(office, "ADMIN", **given, format="XLSX"))[1]
    # XML makes one of the ends of lines, and XlsxWriter writes others as it may.
    assert cells[0].replace("_x000D_", "\r")[:2] == f"'{text}"[:2]
    record = orjson.loads(await get(office, "ADMIN", **given, format="JSONL"))
    assert record["notes"] == text


async def test_numbers_stay_numbers(office: Office) -> None:
    fields = ["id", "discount", "total", "version", "customer.name"]
    rows = table(await get(office, "ADMIN", "Order", fields=fields))
    cells = sheet(await get(office, "ADMIN", "Order", fields=fields, format="XLSX"))
    assert cells[0] == list(rows[0])
    seen = {row["id"]: row for row in await read(office, "ADMIN", "Order", "id total { amount currency } version")}
    for row, cell in zip(rows, cells[1:], strict=True):
        amount = seen[row["id"]]["total"]["amount"]
        assert row["total.amount"] == amount
        assert row["total.currency"] == seen[row["id"]]["total"]["currency"] == cell[4]
        exact = len(Decimal(amount).normalize().as_tuple().digits) <= 15
        assert cell[3] == (Decimal(amount) if exact else amount)
        assert cell[5] == Decimal(row["version"]) == seen[row["id"]]["version"]


async def test_csv_is_as_rfc_4180_says(office: Office) -> None:
    file = await get(office, "ADMIN", fields=["id", "name", "notes", "kind", "email"])
    rows = table(file)
    seen = {row["id"]: row for row in await read(office, "ADMIN", "Customer", "id name notes email")}
    assert len(rows) == len(seen)
    for row in rows:
        for name in ("name", "notes", "email"):
            assert row[name] == harmless(seen[row["id"]][name] or "")
    assert file.endswith(b"\r\n")
    assert not file.startswith(b"\xef\xbb\xbf")
    assert (await get(office, "ADMIN", fields=["id"], bom=True)).startswith(b"\xef\xbb\xbfid\r\n")


async def test_booleans_and_moments(office: Office) -> None:
    rows = table(await get(office, "ADMIN", "Ticket", fields=["isOverdue", "createdAt"]))
    assert {row["isOverdue"] for row in rows} <= {"true", "false"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", row["createdAt"]) for row in rows)
    cells = sheet(await get(office, "ADMIN", "Ticket", fields=["isOverdue", "createdAt"], format="XLSX"))
    assert [[cell[0], cell[1]] for cell in cells[1:]] == [
        [row["isOverdue"] == "true", row["createdAt"]] for row in rows
    ]


def test_odd_text_makes_a_workbook_that_can_be_read() -> None:
    odd = ["\x01\x0b\x1f", "<&>\"'", "_x0041_", "\ufffe\uffff", " spaces ", "a\r\nb", "👩‍👩‍👧"]
    book = XlsxFile([Column("text", ("text",))])
    try:
        book.batch([orjson.dumps({"text": text}) for text in odd])
        found = sheet(book.finish().read_bytes())
    finally:
        book.discard()
    assert len(found) == len(odd) + 1
    assert [found[2], found[5], found[7]] == [["<&>\"'"], [" spaces "], ["👩‍👩‍👧"]]
    assert not book.path.exists()


def test_what_no_cell_holds_is_refused_and_leaves_nothing_on_the_disk() -> None:
    book = XlsxFile([Column("notes", ("notes",))])
    with pytest.raises(UnfitError, match="notes of record 1 has 32,768 characters; a cell holds 32,767"):
        book.batch([orjson.dumps({"notes": "x" * 32_768})])
    book.discard()
    assert not book.path.parent.exists()


def test_a_column_of_empty_texts_has_lines() -> None:
    writer = CsvWriter([Column("a", ("a",))])
    assert writer.begin() + writer.batch([b'{"a":""}', b'{"a":null}']) == b'a\r\n""\r\n""\r\n'


# Links


async def test_the_head_of_a_file(office: Office) -> None:
    for format, media in (
        ("CSV", "text/csv; charset=utf-8; header=present"),
        ("JSONL", "application/x-ndjson; charset=utf-8"),
        ("XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ):
        payload = await ask(office, "ADMIN", format=format)
        headers = (await office.api.client.get(payload["url"])).headers
        assert headers["content-type"] == media
        assert re.fullmatch(
            rf'attachment; filename="customers-\d{{4}}-\d\d-\d\d\.{format.lower()}"', headers["content-disposition"]
        )
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


async def test_a_link_that_is_not_ours_leads_nowhere(office: Office) -> None:
    payload = await ask(office, "ADMIN", fields=["id"])
    other = await ask(office, "ADMIN", fields=["name"])
    path, _, query = payload["url"].partition("?")
    expires, signature = query.removeprefix("expires=").split("&signature=")
    for url in (
        path,
        f"{path}?expires={expires}",
        f"{path}?expires={int(expires) + 1}&signature={signature}",
        f"{path}?expires={expires}&signature={signature[:-2]}AA",
        f"{path}?expires={expires}&signature=é",
        f"{path}?expires=soon&signature={signature}",
        f"{other['url'].partition('?')[0]}?{query}",
        "/exports/",
    ):
        response = await office.api.client.get(url)
        assert response.status_code == 404, url
    assert (await office.api.client.get(payload["url"])).status_code == 200
    assert (await office.api.client.get(payload["url"])).status_code == 200, "It may be followed again."
    refused = await office.api.client.post(payload["url"])
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


async def test_a_link_is_over_after_a_while(office: Office) -> None:
    payload = await ask(office, "ADMIN", fields=["id"])
    await office.connection.execute("UPDATE export_links SET expires_at = now()")
    response = await office.api.client.get(payload["url"])
    assert response.status_code == 404
    assert response.json()["errors"][0]["message"] == (
        "There is no such export, or its link is over: ask for a new one."
    )


async def test_old_links_are_forgotten(office: Office) -> None:
    await ask(office, "ADMIN")
    await office.connection.execute("UPDATE export_links SET expires_at = now() - interval '1 day'")
    await ask(office, "ADMIN")
    assert await office.connection.fetchval("SELECT count(*) FROM export_links") == 1


async def test_a_right_withdrawn_is_gone_by_the_download(office: Office) -> None:
    payload = await ask(office, "MANAGER", fields=["id"])
    await office.connection.execute(
        "DELETE FROM grants USING roles r WHERE r.id = role_id AND r.name = 'MANAGER' AND entity = 'Customer'"
        " AND action = 'export'"
    )
    response = await office.api.client.get(payload["url"])
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["action"] == "export"
    event = (await office.events())[-1]
    assert (event["action"], event["entity"], event["outcome"]) == ("export", "Customer", "DENIED")
    payload = await ask(office, "ADMIN", fields=["id"])
    await office.connection.execute("UPDATE users SET active = false WHERE id = $1", office.user("ADMIN"))
    assert (await office.api.client.get(payload["url"])).status_code == 401


async def test_rows_that_have_left_the_callers_sight_do_not_go_out(office: Office) -> None:
    payload = await ask(office, "MANAGER", fields=["id"])
    before = len((await office.api.client.get(payload["url"])).content.splitlines())
    south = office.label("sales_south").team_id
    await office.connection.execute("UPDATE users SET team_id = $1 WHERE id = $2", south, office.user("MANAGER"))
    after = (await office.api.client.get(payload["url"])).content
    await office.look()
    seen = [row for row in office.rows.all("Customer") if office.rights("MANAGER").visible(row)]
    assert {row["id"] for row in table(after)} == {typed_id(row) for row in seen}
    assert len(after.splitlines()) != before


async def test_an_export_is_on_record_once_it_is_done(office: Office) -> None:
    known = len(await office.events())
    payload = await ask(office, "ADMIN", fields=["id", "owner"], where={"tier": {"eq": "GOLD"}}, format="JSONL")
    assert len(await office.events()) == known
    rows = len((await office.api.client.get(payload["url"])).content.splitlines())
    (event,) = (await office.events())[known:]
    assert (event["actor_id"], event["record_id"]) == (office.user("ADMIN"), None)
    assert {name: change["after"] for name, change in orjson.loads(event["changes"]).items()} == {
        "filter": {"tier": {"eq": "GOLD"}},
        "fields": ["id", "owner.id"],
        "format": "jsonl",
        "rows": rows,
    }


# While it is under way


class Download:
    """One request to the application itself, whose client takes the parts one by one, and may hang up."""

    def __init__(self, office: Office, app: Any, url: str) -> None:
        path, _, query = url.partition("?")
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [],
            "client": ("192.0.2.1", 1),
        }
        self.app = app
        self.gone = asyncio.Event()
        self.parts: asyncio.Queue[bytes] = asyncio.Queue()
        self.go_on = asyncio.Semaphore(0)
        self.status = 0

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        await self.parts.put(message["body"])
        await self.go_on.acquire()

    async def run(self) -> None:
        await self.app(self.scope, self.receive, self.send)


@pytest.fixture
async def large(office: Office) -> Office:
    """The shop with thousands of products."""
    await office.connection.execute(
        "INSERT INTO products (id, version, created_at, updated_at, sku, name, price, currency, active)"
        " SELECT gen_random_uuid(), 1, now(), now(), 'S' || n, 'Product ' || n, 1.50, 'EUR', true"
        " FROM generate_series(1, 3000) n"
    )
    return office


def application(office: Office) -> Any:
    """The ASGI application behind the client."""
    return office.api.client._transport.app  # type: ignore[attr-defined]


async def test_all_rows_are_of_one_moment(large: Office) -> None:
    payload = await ask(large, "ADMIN", "Product", fields=["id", "name"])
    download = Download(large, application(large), payload["url"])
    task = asyncio.create_task(download.run())
    found = await download.parts.get()
    await large.connection.execute("UPDATE products SET name = 'changed'")
    await large.connection.execute("UPDATE products SET deleted_at = now() WHERE sku LIKE 'S1%'")
    for _ in range(1000):
        download.go_on.release()
    await task
    while not download.parts.empty():
        found += download.parts.get_nowait()
    rows = table(found)
    assert len(rows) > 3000
    assert "changed" not in {row["name"] for row in rows}


async def test_a_client_that_hangs_up_stops_the_statement_and_is_on_record(large: Office) -> None:
    known = len(await large.events())
    payload = await ask(large, "ADMIN", "Product", fields=["id"])
    download = Download(large, application(large), payload["url"])
    task = asyncio.create_task(download.run())
    for _ in range(3):
        await download.parts.get()
        download.go_on.release()
    await download.parts.get()
    download.gone.set()
    await task
    (event,) = (await large.events())[known:]
    assert (event["action"], event["outcome"]) == ("export", "FAILED")
    assert orjson.loads(event["changes"])["rows"]["after"] in (1000, 1500)
    await until(large.connection, EXPORTING.replace("state = 'active'", "state <> 'idle'"), 0)
    assert len(table(await get(large, "ADMIN", "Product", fields=["id"]))) > 3000


async def test_a_statement_that_waits_is_cancelled_when_nobody_waits_for_it(office: Office) -> None:
    payload = await ask(office, "ADMIN", fields=["id"])
    transaction = office.connection.transaction()
    await transaction.start()
    await office.connection.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
    download = Download(office, application(office), payload["url"])
    download.go_on = asyncio.Semaphore(9)
    task = asyncio.create_task(download.run())
    await until(office.connection, EXPORTING, 1)
    download.gone.set()
    await task
    await until(office.connection, EXPORTING, 0)
    await transaction.rollback()


async def test_so_many_at_once_and_no_more(large: Office) -> None:
    async with open_api(large.url, export_pool=1, **LIMITS) as api:
        large.api = api
        payload = await ask(large, "ADMIN", "Product", fields=["id"])
        download = Download(large, application(large), payload["url"])
        task = asyncio.create_task(download.run())
        await download.parts.get()
        refused = await api.client.get(payload["url"])
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert refused.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        download.gone.set()
        await task
        assert (await api.client.get(payload["url"])).status_code == 200


@pytest.fixture(scope="module")
async def huge(server: Any, shop: Shop) -> AsyncIterator[Office]:
    """A shop of 100,000 products."""
    async with opened(server, shop) as office:
        await office.connection.execute(
            "INSERT INTO products (id, version, created_at, updated_at, sku, name, price, currency, active)"
            " SELECT gen_random_uuid(), 1, now(), now(), 'S' || n, 'Product ' || n, 1.50, 'EUR', true"
            " FROM generate_series(1, 100000) n"
        )
        yield office


@pytest.mark.slow
@pytest.mark.parametrize("format", ["CSV", "JSONL", "XLSX"])
async def test_a_hundred_thousand_rows_take_no_more_memory_than_a_thousand(huge: Office, format: str) -> None:
    office, app = huge, application(huge)

    async def peak(where: Any) -> tuple[int, int]:
        payload = await ask(office, "ADMIN", "Product", where=where, format=format, fields=["sku", "price"])
        size = 0

        async def send(message: Any) -> None:
            nonlocal size
            size += len(message.get("body", b""))

        download = Download(office, app, payload["url"])
        tracemalloc.start()
        try:
            await app(download.scope, download.receive, send)
            return tracemalloc.get_traced_memory()[1], size
        finally:
            tracemalloc.stop()

    few, small = await peak({"sku": {"startsWith": "S99"}})
    many, size = await peak({"sku": {"startsWith": "S"}})
    assert size > 50 * small
    assert many < few + 2_000_000, (few, many, size)


# The command


class Done(NamedTuple):
    """How a command ended, and what it said."""

    status: Any
    out: bytes
    said: str


Run = Callable[..., Awaitable[Done]]


@pytest.fixture
def rapport(
    office: Office, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Run]:
    """Runs the command in a thread, for it has a loop of its own."""
    monkeypatch.setenv("DATABASE_URL", office.url)
    monkeypatch.setenv("RAPPORT_SECRET", SECRET)

    async def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["rapport", "export", *arguments])
        get_settings.cache_clear()
        capfdbinary.readouterr()
        try:
            await asyncio.to_thread(main)
        except SystemExit as ended:
            out, said = capfdbinary.readouterr()
            return Done(ended.code, out, said.decode())
        raise AssertionError("it did not end")

    yield run
    get_settings.cache_clear()


async def test_the_program_itself_writes_bytes_to_its_output(office: Office) -> None:
    # What is compiled is kept: the program starts for other tests, too.
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**ours, "DATABASE_URL": office.url, "RAPPORT_SECRET": SECRET}
    command = [str(Path(sys.executable).with_name("rapport")), "export", "product", "-", "--format", "jsonl"]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == await get(office, "ADMIN", "Product", format="JSONL")
    assert b"Exported" in done.stderr


async def test_the_command_writes_a_file_as_somebody_sees_it(office: Office, rapport: Run, tmp_path: Path) -> None:
    known = len(await office.events())
    analyst = next(user for user in office.rows.all("User") if user.id == office.user("ANALYST"))
    file = tmp_path / "out.csv"
    where = '{"tier": {"eq": "GOLD"}}'
    done = await rapport("customer", str(file), "--as", analyst.email, "--where", where)
    assert done.status == 0, done.said
    assert file.read_bytes() == await get(office, "ANALYST", where={"tier": {"eq": "GOLD"}})
    assert os.listdir(tmp_path) == ["out.csv"]
    event = (await office.events())[known]
    assert (event["actor_id"], event["action"], event["outcome"]) == (analyst.id, "export", "OK")
    done = await rapport("customer", "-", "--fields", "id,notes", "--format", "jsonl")
    assert done.out == await get(office, "ADMIN", fields=["id", "notes"], format="JSONL")
    sheets = tmp_path / "out.xlsx"
    assert (await rapport("product", str(sheets))).status == 0
    assert len(sheet(sheets.read_bytes())) > 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("user", "x.csv"), "'user' cannot be exported; these can: customer,"),
        (("customer", "x.csv", "--where", "{"), "--where is not JSON"),
        (
            ("customer", "x.csv", "--where", '{"nmae": {}}'),
            "where: Expected value of type 'CustomerFilter' not to include unknown field 'nmae'.",
        ),
        (("customer", "x.csv", "--fields", "nmae"), "'nmae' is no field that can be exported."),
        (("customer", "x.csv", "--as", "nobody@example.com"), "There is no user with the email nobody@example.com."),
        (("customer", "/nowhere/x.csv"), "No such file or directory"),
    ],
)
async def test_mistakes_at_the_command_line_are_told_in_a_sentence(
    rapport: Run, arguments: tuple[str, ...], said: str
) -> None:
    done = await rapport(*arguments)
    assert done.status == 1
    told = " ".join(done.said.split())
    assert said in told, told
    assert "Traceback" not in told
