"""Set-based writing: new records, changed records, their external ids, and the history of their states."""

# ruff: noqa: S608  # Statements are made of names of our own; values travel by COPY and as parameters.

from dataclasses import dataclass

import asyncpg

from app.importing.effects import ORDER_TIMES
from app.importing.indexes import rebuilt_indexes
from app.importing.resolving import FOUND, Resolution

GOOD = "f._problem IS NULL AND f._head"
# The ids of a record's history share a UUIDv7 of their own; the last digits count the steps, which keeps them in order.
_STEP_ID = "(v._history || '0' || v.n)::uuid"


@dataclass(frozen=True)
class Written:
    """How many records were made and changed."""

    inserted: int
    updated: int


async def write(connection: asyncpg.Connection, resolution: Resolution) -> Written:
    """Write what ``import_found`` holds, all at once."""
    changes = _update(resolution)
    new = await connection.fetchval(f"SELECT count(*) FROM {FOUND} f WHERE f._is_new AND {GOOD}")
    changed = await connection.fetchval(f"SELECT count(*) FROM {changes.of}") if changes else 0
    async with rebuilt_indexes(connection, resolution.target.table, new + changed):
        # New orders lock the counts of their customers. Whoever changes an order locks it first and then such a count,
        # so those that are changed are to be had before that.
        updated = _count(await connection.execute(changes.statement)) if changes and changed else 0
        inserted = _count(await connection.execute(_insert(resolution)))
    async with rebuilt_indexes(connection, "external_refs", new):
        for statement, parameters in _references(resolution):
            await connection.execute(statement, *parameters)
    history = _history(resolution, moving=updated > 0) if inserted or updated else None
    if history is not None:
        table, statement = history
        # Records that move look for their last step by an index.
        async with rebuilt_indexes(connection, table, 0 if updated else new):
            await connection.execute(statement)
    return Written(inserted, updated)


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])


def _insert(resolution: Resolution) -> str:
    columns = [f'"{effect.column}"' for effect in resolution.effects if effect.stored]
    identity = ["id"] if resolution.target.has_ids else []
    own = ["version"] if resolution.target.versioned else []
    dated = [name for name in ("created_at", "updated_at") if resolution.target.dated and f'"{name}"' not in columns]
    values = [*("f._id" for _ in identity), *("1" for _ in own), *("now()" for _ in dated)]
    values += [f"f.{column}" for column in columns]
    return (
        f"INSERT INTO {resolution.target.table} ({', '.join([*identity, *own, *dated, *columns])})"
        f" SELECT {', '.join(values)} FROM {FOUND} f WHERE f._is_new AND {GOOD} ORDER BY f._line"
    )


@dataclass(frozen=True)
class _Update:
    statement: str
    of: str


def _update(resolution: Resolution) -> _Update | None:
    """UPDATE of the records of which something really changes, and FROM and WHERE that select these."""
    columns = [f'"{effect.column}"' for effect in resolution.effects if effect.stored and effect.on_update]
    if resolution.read.existing == "keep" or not columns:
        return None
    changes = [f"{column} = f.{column}" for column in columns]
    if resolution.target.versioned:
        changes.append("version = t.version + 1")
    if resolution.target.dated:
        changes.append("updated_at = now()")
    before, after = (", ".join(f"{alias}.{column}" for column in columns) for alias in ("t", "f"))
    table = resolution.target.table
    keys = [("id", "_id")] if resolution.target.has_ids else [(key, key) for key in resolution.target.composite_key]
    same = " AND ".join(f"t.{here} = f.{there}" for here, there in keys)
    where = f"{same} AND NOT f._is_new AND {GOOD} AND ROW({before}) IS DISTINCT FROM ROW({after})"
    return _Update(
        f"UPDATE {table} t SET {', '.join(changes)} FROM {FOUND} f WHERE {where}", f"{table} t, {FOUND} f WHERE {where}"
    )


def _references(resolution: Resolution) -> list[tuple[str, list[str]]]:
    """INSERT of the external ids that records do not have yet; rows that repeat a record add theirs."""
    read = resolution.read
    given = [("_external", str(read.system))] if read.external_id is not None else []
    given += [(f"_ref{number}", ref.system) for number, ref in enumerate(read.refs)]
    return [
        (
            "INSERT INTO external_refs (entity, system, external_id, record_id)"
            f" SELECT DISTINCT ON (f.{column}) $1::text, $2::text, f.{column}, f._id FROM {FOUND} f"
            f" WHERE f._problem IS NULL AND f.{column} IS NOT NULL AND NOT EXISTS (SELECT FROM external_refs r"
            f" WHERE r.entity = $1::text AND r.system = $2::text AND r.external_id = f.{column} AND r.live)"
            f" ORDER BY f.{column}, f._line",
            [resolution.target.entity, system],
        )
        for column, system in given
    ]


def _history(resolution: Resolution, *, moving: bool) -> tuple[str, str] | None:
    """The table of the history with the statement that writes it; ``moving`` if records that were there may move."""
    moves = "f._is_new"
    if moving:
        moves = "(f._is_new OR f._old IS DISTINCT FROM f.{state})"
    effects = {effect.column for effect in resolution.effects}
    if resolution.target.name == "opportunity" and "stage_id" in effects:
        return "stage_changes", _stage_changes(moves.format(state="stage_id"), first="_first_stage_id" in effects)
    if resolution.target.name == "order" and "status" in effects:
        return "order_status_changes", _status_changes(moves.format(state="status"), effects, moving=moving)
    return None


def _stage_changes(moves: str, *, first: bool) -> str:
    """A new opportunity came into its first stage when it was opened and then into its present one, if that differs."""
    start = "coalesce(f._first_stage_id, f.stage_id)" if first else "f.stage_id"
    records = f"SELECT f._id, f._line, f._history, {{}} FROM {FOUND} f WHERE {GOOD} AND"
    opened = records.format(f"1 AS n, NULL::uuid AS before, {start} AS state, f.opened_at AS moment") + " f._is_new"
    entered = records.format(f"2, CASE WHEN f._is_new THEN {start} ELSE f._old END, f.stage_id, f.stage_entered_at") + (
        f" {moves} AND (NOT f._is_new OR {start} <> f.stage_id)"
    )
    return _steps("stage_changes", ("opportunity_id", "from_stage_id", "to_stage_id"), [opened, entered])


def _status_changes(moves: str, effects: set[str], *, moving: bool) -> str:
    """One step for every time that an order has, and one into its present status if the last step is another.

    A step that is dated before the one before it takes that one's time: the history of an order never runs backwards.
    An order that was there already gets the steps after its last recorded one.
    """
    known = {status: f"f.{column}" for status, column in ORDER_TIMES.items() if column in effects}
    present = latest = f"greatest({', '.join(known.values())})"
    last, happened = "NULL", "{} IS NOT NULL"
    if moving:
        last = "SELECT max(c.changed_at) FROM order_status_changes c WHERE c.order_id = f._id AND NOT f._is_new"
        last, happened = f"coalesce(({last}), '-infinity')", "{} > f._last"
        present = f"CASE WHEN {latest} > f._last THEN {latest} ELSE now() END"
    statements: list[str] = []
    before, times = ["f._old"], []
    step = "SELECT f._id, f._line, f._history, {}, coalesce({}) AS before, {}, {} AS moment FROM f WHERE {}"
    for number, (status, time) in enumerate([*known.items(), ("", present)], 1):
        times.append(time)
        state = f"'{status}'" if status else "f.status"
        moment = f"greatest({', '.join(times)})"
        when = happened.format(time)
        statements.append(step.format(f"{number} AS n", ", ".join(before), f"{state} AS state", moment, when))
        before.insert(0, f"CASE WHEN {when} THEN {state} END")
    return f"WITH f AS (SELECT f.*, {last} AS _last FROM {FOUND} f WHERE {moves} AND {GOOD}) " + _steps(
        "order_status_changes", ("order_id", "from_status", "to_status"), statements
    )


def _steps(table: str, columns: tuple[str, ...], statements: list[str]) -> str:
    """INSERT of the steps that ``statements`` select, those of one record after one another."""
    return (
        f"INSERT INTO {table} (id, {', '.join(columns)}, changed_at)"
        f" SELECT {_STEP_ID}, v._id, v.before, v.state, v.moment FROM ({' UNION ALL '.join(statements)}) v"
        " WHERE v.before IS DISTINCT FROM v.state ORDER BY v._line, v.n"
    )
