"""All presets together in one database, twice, on the real data. These lie beside the repository, not in it."""

import csv
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import anyio
import asyncpg
import pytest

from app.importing import import_preset, preset_names
from tests.conftest import Server
from tests.importing.conftest import DATA, figures

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not DATA.is_dir(), reason="The data lie beside the repository."),
]


@pytest.fixture(scope="module")
def imported(server: Server, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    url = anyio.run(server.copy, migrated)
    folder = tmp_path_factory.mktemp("rejects")

    async def run() -> dict[str, object]:
        connection = await asyncpg.connect(url)
        found: dict[str, object] = {"url": url}
        for turn in ("first", "second"):
            for name in preset_names():
                reports = await import_preset(connection, name, DATA, rejects=folder / f"{name}.csv")
                found[f"{turn} {name}"] = {report.name: figures(report) for report in reports}
                with (folder / f"{name}.csv").open(newline="") as file:
                    found[f"rejects {name}"] = list(csv.DictReader(file))
        await connection.close()
        return found

    yield anyio.run(run)
    anyio.run(server.drop, url)


@pytest.fixture
async def database(imported: dict[str, object]) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(str(imported["url"]))
    yield connection
    await connection.close()


async def test_the_first_time_all_rows_are_in_but_those_without_account(imported: dict[str, object]) -> None:
    assert imported["first maven-crm"] == {
        "teams": (6, 0, 0, 29, 0),
        "managers": (6, 0, 0, 29, 0),
        "agents": (35, 0, 0, 0, 0),
        "accounts": (85, 0, 0, 0, 0),
        "products": (7, 0, 0, 0, 0),
        "stages": (4, 0, 0, 0, 0),
        "opportunities": (7_375, 0, 0, 0, 1_425),
    }
    assert imported["first olist"] == {
        "people": (8_016, 0, 0, 119, 0),
        "products": (5_460, 0, 0, 0, 0),
        "prices": (0, 5_460, 0, 2_905, 0),
        "orders": (8_135, 0, 0, 0, 0),
        "order-lines": (8_365, 0, 0, 0, 0),
    }
    assert imported["first tickets"] == {
        "agents": (15, 0, 0, 985, 0),
        "inbox": (1, 0, 0, 0, 0),
        "tickets": (1_000, 0, 0, 0, 0),
    }


async def test_the_second_time_nothing_changes(imported: dict[str, object]) -> None:
    for name in preset_names():
        second = imported[f"second {name}"]
        assert isinstance(second, dict)
        assert all(figures[:2] == (0, 0) for figures in second.values()), (name, second)


async def test_the_rejects_are_the_deals_without_account(imported: dict[str, object]) -> None:
    rejects = imported["rejects maven-crm"]
    assert isinstance(rejects, list)
    assert len(rejects) == 1_425
    assert {(row["column"], row["reason"]) for row in rejects} == {
        ("account", "is required: customer must have a value")
    }
    with (DATA / "crm_sales_pipeline.csv").open(newline="") as file:
        lines = [str(line) for line, row in enumerate(csv.DictReader(file), 2) if not row["account"]]
    assert [row["line"] for row in rejects] == lines
    assert imported["rejects olist"] == imported["rejects tickets"] == []


async def test_deals(database: asyncpg.Connection) -> None:
    found = await database.fetch(
        "SELECT s.name, count(*), sum(amount), min(o.probability), max(o.probability), count(closed_at)"
        " FROM opportunities o JOIN stages s ON s.id = stage_id GROUP BY s.name, s.position ORDER BY s.position"
    )
    assert [tuple(row) for row in found] == [
        ("Prospecting", 163, Decimal("365612.00"), 10, 10, 0),
        ("Engaging", 501, Decimal("1269836.00"), 50, 50, 0),
        ("Won", 4_238, Decimal("10005534.00"), 100, 100, 4_238),
        ("Lost", 2_473, Decimal("5946468.00"), 0, 0, 2_473),
    ]
    owned = await database.fetchval("SELECT count(*) FROM opportunities WHERE owner_id IS NOT NULL")
    assert owned == 7_375


@pytest.mark.parametrize(
    ("table", "changes", "key", "state"),
    [
        ("opportunities", "stage_changes", "opportunity_id", "stage_id"),
        ("orders", "order_status_changes", "order_id", "status"),
    ],
)
async def test_histories_are_chains_that_end_in_the_present(
    database: asyncpg.Connection, table: str, changes: str, key: str, state: str
) -> None:
    broken = await database.fetchval(
        f"SELECT count(*) FROM (SELECT from_{state}, lag(to_{state}) OVER w AS before FROM {changes}"
        f" WINDOW w AS (PARTITION BY {key} ORDER BY changed_at, id)) c WHERE before IS DISTINCT FROM from_{state}"
    )
    assert broken == 0
    other = await database.fetchval(
        f"SELECT count(*) FROM {table} r WHERE {state} IS DISTINCT FROM (SELECT to_{state} FROM {changes} c"
        f" WHERE c.{key} = r.id ORDER BY changed_at DESC, id DESC LIMIT 1)"
    )
    assert other == 0


async def test_orders(database: asyncpg.Connection) -> None:
    assert await database.fetchval("SELECT sum(total) FROM orders") == Decimal("1265552.74")
    statuses = dict(await database.fetch("SELECT status, count(*) FROM orders GROUP BY status"))
    assert statuses == {
        "DELIVERED": 5_172,
        "SHIPPED": 1_107,
        "CANCELLED": 625 + 609,
        "PAID": 314 + 301 + 2,
        "PENDING_PAYMENT": 5,
    }
    wrong = await database.fetchval(
        "SELECT count(*) FROM orders o WHERE currency <> 'BRL' OR subtotal <> coalesce((SELECT sum(total) FROM"
        " order_lines l WHERE l.order_id = o.id), 0) OR (status = 'CANCELLED') <> (cancelled_at IS NOT NULL)"
    )
    assert wrong == 0
    times = await database.fetchrow("SELECT count(paid_at), count(shipped_at), count(delivered_at) FROM orders")
    with (DATA / "olist_orders.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ("order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date")
    assert tuple(times) == tuple(sum(1 for row in rows if row[column]) for column in columns)


async def test_people_are_known_by_each_of_their_ids(database: asyncpg.Connection) -> None:
    found = await database.fetchrow(
        "SELECT count(*), count(DISTINCT record_id) FROM external_refs WHERE entity = 'Customer' AND system = 'olist'"
    )
    assert tuple(found) == (8_135 + 8_016, 8_016)
    assert await database.fetchval("SELECT count(*) FROM customers WHERE kind = 'PERSON'") == 8_016


async def test_tickets(database: asyncpg.Connection) -> None:
    found = await database.fetch(
        "SELECT status, count(*), count(resolved_at), count(closed_at), count(satisfaction),"
        " count(first_responded_at) FROM tickets GROUP BY status ORDER BY status"
    )
    assert [tuple(row) for row in found] == [
        ("CLOSED", 238, 238, 238, 238, 238),
        ("OPEN", 175 + 204, 0, 0, 0, 379),
        ("PENDING", 193, 0, 0, 0, 193),
        ("RESOLVED", 190, 190, 0, 190, 190),
    ]
    assert await database.fetchval("SELECT count(DISTINCT customer_id) FROM tickets") == 1
    urgent = await database.fetchval("SELECT count(*) FROM tickets WHERE priority = 'URGENT'")
    assert urgent == 243
    first = await database.fetchrow(
        "SELECT t.created_at::text, t.first_responded_at - t.created_at, c.name, u.email FROM tickets t"
        " JOIN external_refs r ON r.record_id = t.id JOIN customers c ON c.id = customer_id"
        " JOIN users u ON u.id = assignee_id WHERE r.external_id = 'TKT-00001'"
    )
    assert first["name"] == "Support inbox"
    assert first["email"] == "agent_1@support.example"
