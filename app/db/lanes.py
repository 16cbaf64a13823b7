"""Connections, handed out last in, first out.

asyncpg's own pool spends about 40 µs on every acquire and release (a proxy, a shield and a task for each), twice what a
small read itself costs; nothing of what it does there is needed here, for neither a read nor an ended transaction
leaves anything behind to reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from app.errors import StatementTimeoutError

_FETCH, _FETCH_ROW = asyncpg.Connection.fetch, asyncpg.Connection.fetchrow
_PLANS_ANEW = "SET plan_cache_mode = force_custom_plan"
MOST_STATEMENTS = 5_000
"""Different statements in the life of a connection: PostgreSQL keeps their row types, 1.5 kB each, until it ends."""


@dataclass(slots=True)
class Lane:
    """A connection, the hashes of the statements that it has seen, and how many transactions; ``anew`` while it plans
    its statements each time that they run."""

    connection: asyncpg.Connection
    seen: set[int] = field(default_factory=set)
    transactions: int = 0
    anew: bool = False


class Lanes:
    """At most ``most`` connections, made when they are needed."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], most: int) -> None:
        self._connect = connect
        self._most = most
        self._open = 0
        self._idle: list[Lane] = []
        self._free = asyncio.Semaphore(most)
        self._pending: set[asyncio.Future[Any]] = set()
        """Connections that are opened or closed with nobody waiting for it."""

    async def fetchrow(self, sql: str, *arguments: Any, anew: bool = False) -> Any:
        """The first row of a statement, planned ``anew`` for its arguments or as the connections do by themselves."""
        return await self._run(_FETCH_ROW, sql, arguments, anew)

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """All rows of a statement."""
        found: list[Any] = await self._run(_FETCH, sql, arguments)
        return found

    async def _run(
        self, method: Callable[..., Awaitable[Any]], sql: str, arguments: tuple[Any, ...], anew: bool = False
    ) -> Any:
        lane = await self._take(anew)
        try:
            if lane.anew is not anew:
                await lane.connection.execute(_PLANS_ANEW if anew else "RESET plan_cache_mode")
                lane.anew = anew
            lane.seen.add(hash(sql))
            found = await method(lane.connection, sql, *arguments)
        except asyncpg.QueryCanceledError as error:
            self._put(lane)
            raise StatementTimeoutError(
                "The database took too long for this: ask for fewer rows, or filter and order by what is indexed."
            ) from error
        except asyncpg.PostgresError:
            self._put(lane)
            raise
        except BaseException:
            # Its state is unknown. Closing waits until PostgreSQL has been told to cancel what still runs.
            self._drop(lane)
            raise
        else:
            self._put(lane)
            return found
        finally:
            self._free.release()

    async def _take(self, anew: bool = False) -> Lane:
        """A lane, if possible one that plans in this way, and one of the places that ``_free`` counts."""
        await self._free.acquire()
        lane = self._waiting(anew)
        if lane is not None and not lane.connection.is_closed():
            return lane
        if lane is not None:
            self._open -= 1
        return await self._opened()

    def _waiting(self, anew: bool) -> Lane | None:
        """An idle lane that plans in this way; where no more may be opened, any."""
        for place in range(len(self._idle) - 1, -1, -1):
            if self._idle[place].anew is anew:
                return self._idle.pop(place)
        return self._idle.pop() if self._idle and self._open >= self._most else None

    async def _opened(self) -> Lane:
        self._open += 1
        opening = asyncio.ensure_future(self._connect())
        try:
            return Lane(await asyncio.shield(opening))
        except asyncio.CancelledError:
            # Whoever waited is gone. asyncpg takes a TLS handshake that is broken off for an error that nobody has
            # handled, so the connection is opened all the same, and serves the next.
            self._await(opening)
            opening.add_done_callback(self._give)
            raise
        except BaseException:
            self._open -= 1
            self._free.release()
            raise

    def _give(self, opened: asyncio.Future[asyncpg.Connection]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            self._idle.append(Lane(opened.result()))
        else:
            self._open -= 1
        self._free.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection inside a transaction, which is committed at the end and rolled back by any exception."""
        lane = await self._take()
        connection = lane.connection
        # Its statements are not looked at; it is taken to have brought a new one.
        lane.transactions += 1
        try:
            await connection.execute("BEGIN")
            yield connection
            await connection.execute("COMMIT")
        except Exception as error:
            await self._roll_back(lane)
            if isinstance(error, asyncpg.QueryCanceledError | asyncpg.LockNotAvailableError):
                raise StatementTimeoutError(
                    "The database took too long for this, and nothing was done: try again, or do less at once."
                ) from error
            raise
        except BaseException:
            self._drop(lane)
            raise
        else:
            self._put(lane)
        finally:
            self._free.release()

    async def _roll_back(self, lane: Lane) -> None:
        try:
            await lane.connection.execute("ROLLBACK")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._drop(lane)
        else:
            self._put(lane)

    def _put(self, lane: Lane) -> None:
        if len(lane.seen) + lane.transactions < MOST_STATEMENTS:
            self._idle.append(lane)
        else:
            self._drop(lane)

    def _drop(self, lane: Lane) -> None:
        self._open -= 1
        self._await(asyncio.ensure_future(_close(lane.connection)))

    def _await(self, pending: asyncio.Future[Any]) -> None:
        self._pending.add(pending)
        pending.add_done_callback(self._pending.discard)

    async def close(self) -> None:
        """Close all connections."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=5)
        while self._idle:
            self._open -= 1
            await _close(self._idle.pop().connection)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=5)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
