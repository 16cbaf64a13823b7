"""Bringing facts from what has been counted to what is there now."""

# ruff: noqa: S608  # Statements are made of names of our own.

from collections.abc import Collection
from typing import Any

import asyncpg


async def collect(connection: asyncpg.Connection, table: str, column: str, select: str, *arguments: Any) -> int:
    """Make the temporary ``table`` of the ids, named ``column``, that ``select`` finds; how many they are."""
    await connection.execute(f"CREATE TEMP TABLE {table} ({column} uuid PRIMARY KEY) ON COMMIT DROP")
    await connection.execute(f"INSERT INTO {table} {select}", *arguments)
    await connection.execute(f"ANALYZE {table}")
    count: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
    return count


async def compare(connection: asyncpg.Connection, name: str, columns: Collection[str]) -> bool:
    """Make the temporary table ``{name}_moved``; whether it has any rows. These are the facts of ``{name}_before`` that
    are gone, with the ``sign`` -1, and those of ``{name}_after`` that have come, with 1. What stays need not be
    touched.
    """
    names = ", ".join(columns)
    only = f"SELECT {names} FROM {name}_{{0}} EXCEPT ALL SELECT {names} FROM {name}_{{1}}"
    await connection.execute(
        f"""
        CREATE TEMP TABLE {name}_moved ON COMMIT DROP AS
        SELECT -1 AS sign, gone.* FROM ({only.format("before", "after")}) gone
        UNION ALL SELECT 1, come.* FROM ({only.format("after", "before")}) come
        """
    )
    await connection.execute(f"ANALYZE {name}_moved")
    found: bool = await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name}_moved)")
    return found


async def replace(
    connection: asyncpg.Connection, table: str, name: str, keys: Collection[str], columns: Collection[str]
) -> None:
    """Take the facts of ``{name}_moved`` that are gone out of ``table``, and put in those that have come."""
    names, same = ", ".join(columns), " AND ".join(f"f.{key} = m.{key}" for key in keys)
    await connection.execute(f"DELETE FROM {table} f USING {name}_moved m WHERE m.sign < 0 AND {same}")
    await connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {name}_moved WHERE sign > 0")
