"""Archives: what is moved out can be checked, and so can what stays."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from auth.archiving import ArchiveRefusedError, archive, export, verify_archive
from auth.sealing import head_of, seal_all
from auth.verifying import BrokenError
from tests.audit.log import KEYS, LONG_AGO, by_force, check, sealed, write

pytestmark = pytest.mark.anyio


class File(io.BytesIO):
    """A file in memory; whether it is on a disk cannot be told of it."""

    def fileno(self) -> int:
        return 0

    def lines(self) -> list[bytes]:
        return self.getvalue().splitlines(keepends=True)


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda number: None)


async def test_what_is_moved_out_is_whole_and_what_stays_too(connection: asyncpg.Connection) -> None:
    events = await sealed(connection, 20)
    head = await head_of(connection)
    file = File()
    done = await archive(connection, KEYS, LONG_AGO + timedelta(minutes=12), file)
    assert (done.events, done.first, done.last) == (12, 1, 12)
    left = await connection.fetch("SELECT id FROM audit_events ORDER BY transaction_id, position")
    assert [row["id"] for row in left] == [event["id"] for event in events[12:]]
    assert [row["number"] for row in await connection.fetch("SELECT number FROM audit_seals ORDER BY 1")] == [
        *range(13, 21)
    ]
    found = await check(connection, saved=(head.number, head.mac))
    assert (found.ok, found.checked, found.head) == (True, 8, head)
    told = [orjson.loads(line) for line in file.lines()]
    assert [line["id"] for line in told] == [event["id"].hex for event in events[:12]]
    assert told[3]["changes"] == orjson.loads(events[3]["changes"])
    chain = await verify_archive(connection, KEYS, file.lines())
    assert (chain.checked, chain.head.number) == (12, 12)


async def test_archives_follow_one_another(connection: asyncpg.Connection) -> None:
    await sealed(connection, 20)
    files = [File(), File()]
    for number, file in enumerate(files, 1):
        await archive(connection, KEYS, LONG_AGO + timedelta(minutes=6 * number), file)
    assert (await check(connection)).checked == 8
    for file in files:
        assert (await verify_archive(connection, KEYS, file.lines())).checked == 6
    await write(connection, 3)
    await seal_all(connection, KEYS)
    assert (await check(connection)).checked == 11


async def test_everything_can_be_archived_and_the_chain_goes_on(connection: asyncpg.Connection) -> None:
    await sealed(connection, 5)
    await archive(connection, KEYS, LONG_AGO + timedelta(days=1), File())
    assert (await check(connection)).head.number == 5
    await write(connection, 2)
    await seal_all(connection, KEYS)
    found = await check(connection)
    assert (found.ok, found.checked, found.head.number) == (True, 2, 7)


async def test_many_batches(connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.archiving._OLDEST", __import__("auth.archiving").archiving._OLDEST.replace("5000", "3"))
    await sealed(connection, 10)
    file = File()
    assert (await archive(connection, KEYS, LONG_AGO + timedelta(minutes=8), file)).events == 8
    assert (await check(connection)).checked == 2
    assert (await verify_archive(connection, KEYS, file.lines())).checked == 8


async def test_what_is_not_sealed_stays(connection: asyncpg.Connection) -> None:
    await sealed(connection, 3)
    await write(connection, 2)
    assert (await archive(connection, KEYS, LONG_AGO + timedelta(days=1), File())).events == 3
    found = await check(connection)
    assert (found.ok, found.unsealed) == (True, 2)


async def test_the_last_thirty_days_stay(connection: asyncpg.Connection) -> None:
    with pytest.raises(ArchiveRefusedError, match="30 days"):
        await archive(connection, KEYS, datetime.now(UTC) - timedelta(days=29), File())


async def test_a_broken_chain_is_not_archived(connection: asyncpg.Connection) -> None:
    events = await sealed(connection, 10)
    await by_force(connection, "UPDATE audit_events SET action = 'else' WHERE id = $1", events[2]["id"])
    with pytest.raises(BrokenError) as caught:
        await archive(connection, KEYS, LONG_AGO + timedelta(days=1), File())
    assert caught.value.event == events[2]["id"]
    assert await connection.fetchval("SELECT count(*) FROM audit_events") == 10


async def test_a_changed_archive_is_found(connection: asyncpg.Connection) -> None:
    events = await sealed(connection, 10)
    file = File()
    await archive(connection, KEYS, LONG_AGO + timedelta(days=1), file)
    lines = file.lines()
    for number, old, new in ((3, b'"update"', b'"create"'), (4, b"name 4", b"name 5"), (5, b"192.0.2.1", b"192.0.2.9")):
        changed = [*lines[:number], lines[number].replace(old, new), *lines[number + 1 :]]
        assert changed != lines
        with pytest.raises(BrokenError) as caught:
            await verify_archive(connection, KEYS, changed)
        assert caught.value.event == events[number]["id"]
    for fewer in (lines[:-1], lines[:3] + lines[4:]):
        with pytest.raises(BrokenError):
            await verify_archive(connection, KEYS, fewer)
    for bad in ([b"{}\n"], [b"nonsense\n"], [], lines[1:]):
        with pytest.raises(ArchiveRefusedError):
            await verify_archive(connection, KEYS, bad)


# The door in the trigger


async def _checkpoint(connection: asyncpg.Connection, number: int) -> None:
    await connection.execute(
        "INSERT INTO audit_checkpoints (number, event_id, transaction_id, position, mac, archived_at, signature)"
        " SELECT number, event_id, transaction_id, position, mac, now(), '' FROM audit_seals WHERE number = $1",
        number,
    )


async def test_a_checkpoint_made_up_opens_the_door_but_is_found(connection: asyncpg.Connection) -> None:
    events = await sealed(connection, 10)
    await _checkpoint(connection, 5)
    await connection.execute("DELETE FROM audit_events WHERE position <= $1", events[4]["position"])
    await connection.execute("DELETE FROM audit_seals WHERE number <= 5")
    found = await check(connection)
    assert (found.ok, found.broken) == (False, events[4]["id"])
    assert found.problem is not None
    assert "not archived, but taken out" in found.problem


async def test_a_checkpoint_opens_nothing_beyond_it(connection: asyncpg.Connection) -> None:
    await sealed(connection, 10)
    await _checkpoint(connection, 5)
    for statement in ("DELETE FROM audit_events", "DELETE FROM audit_seals", "DELETE FROM audit_checkpoints"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_a_checkpoint_opens_nothing_for_young_events(connection: asyncpg.Connection) -> None:
    await write(connection, 3, datetime.now(UTC) - timedelta(days=29))
    await seal_all(connection, KEYS)
    await _checkpoint(connection, 3)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("DELETE FROM audit_events")


async def test_an_event_restored_from_an_archive_is_found(connection: asyncpg.Connection) -> None:
    await sealed(connection, 10)
    file = File()
    await archive(connection, KEYS, LONG_AGO + timedelta(minutes=5), file)
    told: dict[str, Any] = orjson.loads(file.lines()[2])
    await connection.execute(
        "INSERT INTO audit_events (id, transaction_id, position, at, action, outcome) OVERRIDING SYSTEM VALUE"
        " VALUES ($1::text::uuid, $2, $3, now(), 'x', 'OK')",
        told["id"],
        told["transaction_id"],
        told["position"],
    )
    found = await check(connection)
    assert (found.ok, found.broken and found.broken.hex) == (False, told["id"])


async def test_an_export_has_every_event_with_its_seal(connection: asyncpg.Connection) -> None:
    events = await sealed(connection, 6)
    await write(connection, 1, LONG_AGO + timedelta(minutes=50))
    since, until = LONG_AGO + timedelta(minutes=2), LONG_AGO + timedelta(minutes=5)
    some = [orjson.loads(line) async for line in export(connection, since, until)]
    assert [line["id"] for line in some] == [event["id"].hex for event in events[2:5]]
    every = [orjson.loads(line) async for line in export(connection, None, None)]
    assert [line["number"] for line in every] == [1, 2, 3, 4, 5, 6, None]
    assert every[1]["changes"]["name"] == {"before": None, "after": "name 1"}
