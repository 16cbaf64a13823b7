"""Setting the indexes and keys of empty tables aside while they are filled: built once, they come much faster."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg

# The definition of a key does not say how its index is kept.
_CONSTRAINTS = """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS away,
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(k.oid))
           || CASE WHEN contype <> 'f' AND i.reloptions IS NOT NULL
              THEN format(' WITH (%s)', array_to_string(i.reloptions, ', ')) ELSE '' END AS back
    FROM pg_constraint k JOIN pg_class i ON i.oid = conindid
"""
_FOREIGN_KEYS = f"""
    {_CONSTRAINTS}
    WHERE contype = 'f' AND (conrelid = ANY ($1::text[]::regclass[]) OR confrelid = ANY ($1::text[]::regclass[]))
    ORDER BY conrelid, conname
"""
_INDEXES = """
    SELECT format('DROP INDEX %s', index.oid::regclass) AS away, pg_get_indexdef(index.oid) AS back
    FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
    WHERE indrelid = ANY ($1::text[]::regclass[])
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY indrelid, index.relname
"""
_KEYS = f"""
    {_CONSTRAINTS}
    WHERE contype IN ('p', 'u') AND conrelid = ANY ($1::text[]::regclass[])
    ORDER BY conrelid, conname
"""


@dataclass(frozen=True, slots=True)
class Definition:
    """The statements that take an index or a key away and put it back as it was."""

    away: str
    back: str


async def set_aside(connection: asyncpg.Connection, tables: Sequence[str]) -> list[Definition]:
    """Drop the indexes and keys of ``tables`` and the foreign keys to and from them, and return their definitions.

    Run it in the transaction that fills the tables and puts everything back, so that nobody ever misses them.
    """
    await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
    # Compressing pages for the log takes as long as building the indexes; only a privileged user may do without.
    await connection.execute(
        "SELECT set_config('wal_compression', 'off', true)"
        " WHERE has_parameter_privilege(current_user, 'wal_compression', 'SET')"
    )
    found: list[Definition] = []
    for query in (_FOREIGN_KEYS, _INDEXES, _KEYS):
        definitions = [Definition(row["away"], row["back"]) for row in await connection.fetch(query, tables)]
        for definition in definitions:
            await connection.execute(definition.away)
        found += definitions
    return found


async def put_back(connection: asyncpg.Connection, definitions: Sequence[Definition]) -> AsyncIterator[int]:
    """Build everything again, keys first and foreign keys last, and yield after each how many are there."""
    for done, definition in enumerate(reversed(definitions), 1):
        await connection.execute(definition.back)
        yield done
