"""The keeper at work: one of many, sealing, checking, clearing away."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.db.ids import new_id
from app.db.migrate import migrate
from app.db.places import settle_places
from app.keeper import Keeper
from app.outbox import Position, follow
from app.settings import Settings
from auth.sealing import AuditKeys, head_of, seal_all
from tests.activity import until
from tests.api import SECRET, open_api
from tests.audit.log import KEYS, LONG_AGO, by_force, check, sealed, write
from tests.audit.test_outbox import post
from tests.settling import settled
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

VERIFICATION = "{ auditVerification { ok checkedEvents firstBrokenEventId head verifiedAt sealedAt } }"


def settings(url: str) -> Settings:
    return Settings(data_dir=Path("/nonexistent"), secret=SECRET, database_url=url)


async def test_a_running_server_seals_and_checks(connection: asyncpg.Connection, empty_database: str) -> None:
    await write(connection, 3)
    async with open_api(empty_database, keeper=True), open_api(empty_database, keeper=True):
        await until(connection, "SELECT count(*)::int FROM audit_seals", 3)
        await until(connection, "SELECT count(*)::int FROM audit_verifications WHERE ok", 1)
        await write(connection, 2)
        await until(connection, "SELECT count(*)::int FROM audit_seals", 5)


async def test_a_running_server_empties_the_lists_before_the_indexes_of_words(
    connection: asyncpg.Connection, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.lists.PACE", 0.05)
    await connection.execute("CREATE EXTENSION pageinspect")
    pages = "SELECT n_pending_pages::int FROM gin_metapage_info(get_raw_page('ix_customers_text', 0))"
    add = (
        "INSERT INTO customers (id, name, kind, tier, status)"
        " SELECT gen_random_uuid(), 'Words', 'PERSON', 'GOLD', 'LEAD' FROM generate_series(1, 200)"
    )
    await connection.execute(add)
    assert await connection.fetchval(pages) > 0
    async with open_api(empty_database, keeper=True):
        await until(connection, pages, 0)
        # An index that somebody holds has its turn when it is free again.
        async with connection.transaction():
            await connection.execute(f"REINDEX INDEX ix_customers_text; {add}")
            waiting = (
                "SELECT count(*)::int FROM pg_locks WHERE relation = 'ix_customers_text'::regclass AND NOT granted"
            )
            await until(connection, waiting, 1)
        await until(connection, pages, 0)


async def test_another_takes_over_when_one_ends(connection: asyncpg.Connection, empty_database: str) -> None:
    keepers = [asyncio.create_task(Keeper(empty_database, settings(empty_database)).run()) for _ in range(3)]
    try:
        for count in (1, 2, 3):
            await write(connection, 1)
            await until(connection, "SELECT count(*)::int FROM audit_seals", count)
            # Whoever holds the lock loses its connection.
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7240526"
                " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
    assert (await Keeper(empty_database, settings(empty_database)).check(connection)).ok


async def test_the_last_check_is_told_to_those_who_see_the_whole_log(office: Office) -> None:
    keeper = Keeper(office.url, settings(office.url))
    answer = await office.do(VERIFICATION, "AUDITOR")
    assert answer["data"]["auditVerification"] == {
        "ok": False,
        "checkedEvents": 0,
        "firstBrokenEventId": None,
        "head": None,
        "verifiedAt": None,
        "sealedAt": None,
    }
    keys = AuditKeys.of(settings(office.url))
    await seal_all(office.connection, keys)
    await keeper.check(office.connection)
    events = await office.events()
    for role in ("ADMIN", "AUDITOR"):
        found = (await office.do(VERIFICATION, role))["data"]["auditVerification"]
        assert (found["ok"], found["checkedEvents"]) == (True, len(events))
        assert found["head"] == str(await head_of(office.connection))
        assert found["verifiedAt"] >= found["sealedAt"]
    victim = events[3]["id"]
    await by_force(office.connection, "UPDATE audit_events SET action = 'else' WHERE id = $1", victim)
    await keeper.check(office.connection)
    found = (await office.do(VERIFICATION, "AUDITOR"))["data"]["auditVerification"]
    assert (found["ok"], found["firstBrokenEventId"]) == (False, f"aud_{victim.hex}")


@pytest.mark.parametrize("role", ["MANAGER", "SALES", "SUPPORT", "MARKETING", "ANALYST", "INTEGRATION"])
async def test_the_last_check_is_told_to_nobody_else(office: Office, role: str) -> None:
    answer = await office.do(VERIFICATION, role)
    assert answer["data"] is None
    (error,) = answer["errors"]
    said = {name: error["extensions"][name] for name in ("code", "entity", "action")}
    assert said == {"code": "FORBIDDEN", "entity": "AuditEvent", "action": "read"}


async def test_what_has_expired_is_cleared_away(office: Office) -> None:
    now = datetime.now(UTC)
    await office.connection.execute("DELETE FROM outbox")
    kept = await post(office.connection, now - timedelta(hours=167))
    await post(office.connection, now - timedelta(hours=169))
    for hours in (23, 25):
        await office.connection.execute(
            "INSERT INTO idempotency_keys (user_id, token_id, key, request_hash, created_at)"
            " VALUES ($1, $2, $3, '', $4)",
            office.user("ADMIN"),
            new_id(),
            f"{hours}",
            now - timedelta(hours=hours),
        )
    for days in (29, 31):
        await office.connection.execute(
            "INSERT INTO sessions (id, user_id, refresh_seed, created_at, last_used_at, expires_at, user_agent)"
            " VALUES ($1, $2, '', $3, $3, $3, $4)",
            new_id(),
            office.user("ADMIN"),
            now - timedelta(days=days),
            f"{days}",
        )
    await Keeper(office.url, settings(office.url)).purge(office.connection)
    await settled(office.connection)
    agents = await office.connection.fetch("SELECT user_agent FROM sessions WHERE expires_at < now()")
    assert [row["user_agent"] for row in agents] == ["29"]
    assert [event.id for event in await follow(office.connection, Position(), 10)] == [kept]
    assert [row["key"] for row in await office.connection.fetch("SELECT key FROM idempotency_keys")] == ["23"]


async def test_events_after_a_move_to_a_server_of_fewer_transactions_come_later(connection: asyncpg.Connection) -> None:
    """A dump restored elsewhere has places that the new server's transactions would take long to reach."""
    await sealed(connection, 3)
    await post(connection)
    # Seen from the log, the server's transaction ids are suddenly lower.
    await connection.execute(
        "CREATE OR REPLACE FUNCTION transaction_offset() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT -500::bigint'"
    )
    await write(connection, 1, LONG_AGO)
    assert not (await check(connection)).ok
    await by_force(connection, "DELETE FROM audit_events WHERE request_id = 'request 0' AND position > 3")
    assert await settle_places(connection) > 0
    assert await settle_places(connection) == 0
    await write(connection, 2)
    await settled(connection)
    await seal_all(connection, KEYS)
    found = await check(connection)
    assert (found.ok, found.checked, found.unsealed) == (True, 5, 0)
    posted = await post(connection)
    await settled(connection)
    assert (await follow(connection, Position(), 10))[-1].id == posted


async def test_a_server_that_was_not_moved_keeps_its_places(connection: asyncpg.Connection) -> None:
    await sealed(connection, 3)
    assert await settle_places(connection) == 0


async def test_the_first_seals_of_a_log_that_was_there_before(empty_database: str, connection: Any) -> None:
    await migrate(empty_database, "0002", down=True)
    await write(connection, 4)
    await migrate(empty_database)
    await settled(connection)
    await seal_all(connection, KEYS)
    assert (await check(connection)).checked == 4
