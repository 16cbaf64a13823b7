"""The log is whole, or the first event that is not is named: whatever somebody does who has the database."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.db.ids import new_id
from auth.sealing import SEALED, AuditKeys, Head, head_of, seal, seal_all
from auth.verifying import verify
from tests.audit.log import KEYS, LONG_AGO, by_force, check, sealed, write
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

OTHER: dict[str, Any] = {
    "id": UUID(int=7),
    "transaction_id": 1,
    "at": LONG_AGO,
    "actor_id": UUID(int=7),
    "token_id": UUID(int=7),
    "impersonator_id": UUID(int=7),
    "action": "updatf",
    "entity": "Customes",
    "record_id": UUID(int=7),
    "record_version": 70,
    "outcome": "DENIED",
    "hashes": '{"name": "00"}',
    "ip": "192.0.2.2",
    "user_agent": "testt",
    "request_id": "",
    "changes": '{"name": {"before": null, "after": "name 8"}, "tags": {"before": ["a"], "after": ["ä", "b"]}}',
    "salts": '{"name": "00"}',
}


async def test_a_log_that_nobody_touched_is_whole(connection: asyncpg.Connection) -> None:
    await sealed(connection, 20)
    found = await check(connection)
    assert (found.ok, found.checked, found.unsealed, found.broken) == (True, 20, 0, None)
    assert found.head == await head_of(connection)


async def test_an_empty_log_is_whole(connection: asyncpg.Connection) -> None:
    found = await check(connection)
    assert (found.ok, found.checked, found.head) == (True, 0, Head())


def test_every_column_is_tried() -> None:
    assert OTHER.keys() | {"position"} == {*SEALED, "changes", "salts"}


@pytest.mark.parametrize("column", OTHER)
async def test_a_change_of_any_column_of_an_old_event_is_found_and_named(
    connection: asyncpg.Connection, column: str
) -> None:
    events = await sealed(connection)
    victim = events[7]["id"]
    await by_force(connection, f"UPDATE audit_events SET {column} = $2 WHERE id = $1", victim, OTHER[column])
    found = await check(connection)
    assert not found.ok
    if column == "transaction_id":
        # It stands at the beginning now, where it has no seal.
        assert (found.broken, found.checked) == (victim, 0)
    else:
        assert (found.broken, found.checked) == (victim, 7)


async def test_one_byte_of_one_value_is_found(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    await by_force(
        connection,
        "UPDATE audit_events SET changes = replace(changes::text, 'name 3', 'name 4')::jsonb WHERE id = $1",
        events[3]["id"],
    )
    found = await check(connection)
    assert (found.ok, found.broken) == (False, events[3]["id"])
    assert found.problem == "The value of name is not the one that was sealed."


async def test_a_value_put_beside_the_others_is_found(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    added = """UPDATE audit_events SET changes = changes || '{"notes": {"before": 1, "after": 2}}' WHERE id = $1"""
    await by_force(connection, added, events[4]["id"])
    assert (await check(connection)).broken == events[4]["id"]


async def test_an_event_taken_out_is_named(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    await by_force(connection, "DELETE FROM audit_events WHERE id = $1", events[9]["id"])
    found = await check(connection)
    assert (found.ok, found.broken, found.checked) == (False, events[9]["id"], 9)


async def test_an_event_taken_out_with_its_seal_is_found(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    await by_force(connection, "DELETE FROM audit_events WHERE id = $1", events[9]["id"])
    await by_force(connection, "DELETE FROM audit_seals WHERE event_id = $1", events[9]["id"])
    found = await check(connection)
    assert (found.ok, found.broken, found.checked) == (False, events[10]["id"], 9)
    assert found.problem == "The seal number 10 is missing."
    await by_force(connection, "UPDATE audit_seals SET number = number - 1 WHERE number > 10")
    found = await check(connection)
    assert (found.ok, found.broken, found.checked) == (False, events[10]["id"], 9)


async def _copy(connection: asyncpg.Connection, id: UUID, **changed: Any) -> UUID:
    names = [name for name in (*SEALED, "changes", "salts") if name not in changed and name != "id"]
    listed = ", ".join(names)
    added = new_id()
    await by_force(
        connection,
        f"INSERT INTO audit_events (id, {', '.join([*changed, ''])} {listed}) OVERRIDING SYSTEM VALUE"
        f" SELECT $2, {', '.join([*(str(value) for value in changed.values()), ''])} {listed}"
        " FROM audit_events WHERE id = $1",
        id,
        added,
    )
    return added


@pytest.mark.parametrize("place", [0, 8])
async def test_an_event_put_between_others_is_named(connection: asyncpg.Connection, place: int) -> None:
    events = await sealed(connection)
    before = events[place]
    added = await _copy(connection, before["id"], position=before["position"] - 1000)
    found = await check(connection)
    assert (found.ok, found.broken) == (False, added)
    await seal_all(connection, KEYS)
    assert (await check(connection)).broken == added, "it gets no seal later"


async def test_events_that_changed_places_are_found(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    one, other = events[5], events[6]
    for event, transaction_id in ((one, 0), (other, one["transaction_id"]), (one, other["transaction_id"])):
        statement = "UPDATE audit_events SET transaction_id = $2 WHERE id = $1"
        await by_force(connection, statement, event["id"], transaction_id)
    found = await check(connection)
    assert (found.ok, found.broken, found.checked) == (False, one["id"], 5)
    await by_force(
        connection,
        "UPDATE audit_seals SET event_id = CASE event_id WHEN $1 THEN gen_random_uuid() ELSE $1 END"
        " WHERE event_id IN ($1, $2)",
        one["id"],
        other["id"],
    )
    await by_force(connection, "UPDATE audit_seals SET event_id = $1 WHERE number = 6", other["id"])
    found = await check(connection)
    assert (found.ok, found.broken, found.checked) == (False, other["id"], 5)


async def test_an_end_that_was_cut_off_is_found_against_a_saved_head(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    head = await head_of(connection)
    saved = (head.number, head.mac)
    assert (await check(connection, saved=saved)).ok
    for event in events[15:]:
        await by_force(connection, "DELETE FROM audit_events WHERE id = $1", event["id"])
    await by_force(connection, "DELETE FROM audit_seals WHERE number > 15")
    assert (await check(connection)).ok, "what is left is a chain of its own"
    found = await check(connection, saved=saved)
    assert not found.ok
    assert found.problem is not None
    assert "15" in found.problem
    assert "20" in found.problem
    # More events do not cover it up.
    await write(connection, 10)
    await seal_all(connection, KEYS)
    found = await check(connection, saved=saved)
    assert not found.ok
    assert found.problem == "Up to here, the chain is not the one whose head was saved."


async def test_a_head_from_the_middle_is_found_again(connection: asyncpg.Connection) -> None:
    await sealed(connection)
    head = await head_of(connection)
    await write(connection, 5)
    await seal_all(connection, KEYS)
    assert (await check(connection, saved=(head.number, head.mac))).ok
    assert not (await check(connection, saved=(head.number, bytes(32)))).ok


async def test_a_sealer_at_work_leaves_a_gap_where_seals_were_cut_off(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    head = await head_of(connection)
    for event in events[15:]:
        await by_force(connection, "DELETE FROM audit_events WHERE id = $1", event["id"])
    await by_force(connection, "DELETE FROM audit_seals WHERE number > 15")
    await write(connection, 3)
    assert (await seal_all(connection, KEYS, head)).number == 23
    found = await check(connection)
    assert not found.ok
    assert found.problem == "The seal number 16 is missing."


async def test_seals_rewritten_without_the_key_are_found(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    await by_force(connection, "UPDATE audit_events SET action = 'nothing' WHERE id = $1", events[2]["id"])
    await by_force(connection, "TRUNCATE audit_seals")
    await seal_all(connection, AuditKeys(["another key, made up by somebody else"]))
    found = await check(connection)
    assert (found.ok, found.broken, found.checked) == (False, events[0]["id"], 0)


async def test_a_moment_of_sealing_is_sealed(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    await by_force(connection, "UPDATE audit_seals SET sealed_at = sealed_at - interval '1 us' WHERE number = 5")
    assert (await check(connection)).broken == events[4]["id"]


async def test_a_mac_changed_is_found(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    await by_force(
        connection, "UPDATE audit_seals SET mac = set_byte(mac, 31, get_byte(mac, 31) # 1) WHERE number = 20"
    )
    assert (await check(connection)).broken == events[19]["id"]


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE audit_events",
        "TRUNCATE audit_seals",
        "TRUNCATE audit_checkpoints",
        "DELETE FROM audit_events",
        "DELETE FROM audit_seals",
        "UPDATE audit_seals SET sealed_at = now()",
        "UPDATE audit_events SET action = 'nothing'",
        "UPDATE audit_events SET hashes = NULL",
        """UPDATE audit_events SET changes = '{"name": {"before": 1, "after": 2}}'""",
    ],
)
async def test_the_log_is_only_added_to(connection: asyncpg.Connection, statement: str) -> None:
    await sealed(connection, 3)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
        await connection.execute(statement)
    assert (await check(connection)).ok


async def test_values_erased_leave_the_chain_whole(connection: asyncpg.Connection) -> None:
    events = await sealed(connection)
    await connection.execute(
        "UPDATE audit_events SET changes = changes - 'name', salts = salts - 'name' WHERE id = $1", events[6]["id"]
    )
    found = await check(connection)
    assert (found.ok, found.checked, found.erased) == (True, 20, 1)


async def test_seals_go_on_under_a_new_key_and_not_again_under_the_old_one(connection: asyncpg.Connection) -> None:
    old, new = "the former key, long enough for everybody", "the present key, long enough for everybody"
    await write(connection, 5)
    await seal_all(connection, AuditKeys([old]))
    await write(connection, 5)
    await seal_all(connection, AuditKeys([new, old]))
    assert (await verify(connection, AuditKeys([new, old]))).ok
    assert not (await verify(connection, AuditKeys([new]))).ok
    await write(connection, 1)
    await seal_all(connection, AuditKeys([old]))
    found = await verify(connection, AuditKeys([new, old]))
    assert (found.ok, found.checked) == (False, 10)


async def test_many_batches_make_one_chain(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO audit_events (id, at, action, outcome)"
        " SELECT gen_random_uuid(), now(), 'many', 'OK' FROM generate_series(1, 2300)"
    )
    await seal_all(connection, KEYS)
    found = await check(connection)
    assert (found.ok, found.checked) == (True, 2300)


async def test_what_has_not_ended_is_sealed_later_in_its_place(
    connection: asyncpg.Connection, empty_database: str
) -> None:
    other = await asyncpg.connect(empty_database)
    try:
        begun = other.transaction()
        await begun.start()
        await write(other, 1)
        await write(connection, 3)
        assert (await seal(connection, KEYS, Head())).number == 0, "an earlier transaction may still write"
        await begun.commit()
        assert (await seal_all(connection, KEYS)).number == 4
        assert (await check(connection)).ok
    finally:
        await other.close()


async def test_sealing_while_twenty_write(office: Office) -> None:
    """Nobody waits for the sealer, every event gets its seal once, and the chain is whole at every moment."""
    writing = 20
    keys, known = KEYS, len(await office.events())
    head = await seal_all(office.connection, keys)
    assert head.number == known

    async def writer(number: int) -> None:
        nonlocal writing
        for turn in range(10):
            answer = await office.do(
                "mutation($name: String!) { createCustomer(input: { name: $name }, allowDuplicate: true)"
                " { customer { id } errors { message } } }",
                "ADMIN",
                name=f"Writer {number} {turn}",
            )
            assert answer["data"]["createCustomer"]["errors"] == []
        writing -= 1

    async def sealer() -> int:
        nonlocal head
        rounds = 0
        while writing:
            head = await seal(office.connection, keys, head)
            rounds += 1
            await asyncio.sleep(0)
        return rounds

    *_, rounds = await asyncio.gather(*(writer(number) for number in range(20)), sealer())
    assert rounds > 1
    head = await seal_all(office.connection, keys, head)
    assert head.number == known + 200
    assert await office.connection.fetchval("SELECT count(DISTINCT event_id) FROM audit_seals") == known + 200
    found = await check(office.connection)
    assert (found.ok, found.checked, found.unsealed) == (True, known + 200, 0)
