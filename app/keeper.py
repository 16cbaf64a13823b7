"""The keeper: seals the audit log, checks it from time to time, keeps what the figures use up to date, has the indexes
of words take up what is new, and clears away what has expired.

Every server process has one, and one of them works: the one that holds an advisory lock on the database. It goes with
its connection, so that another takes over when the process ends in whatever way.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import structlog

from app.analytics.building import ShopFacts
from app.analytics.keeping.follow import PACE as ANALYTICS_PACE
from app.analytics.keeping.follow import follow
from app.analytics.keeping.snapshots import snapshot_due
from app.analytics.keeping.totals import add_up
from app.budgets import purge_budgets
from app.db import lists
from app.models.base import utcnow
from app.outbox import purge_outbox
from app.settings import Settings
from auth.idempotency import KEPT_HOURS
from auth.sealing import AuditKeys, Head, head_of, seal
from auth.verifying import Verification, verify

PACE = 1.0
"""Seconds between two looks for events to seal."""

_LOCK = 7_240_526
_PURGE_SECONDS = 600.0
_RETRY_SECONDS = 30.0
_RESTS = 4
"""A check rests this many times as long as it works, so that it takes a fifth of a processor at most."""
_KEPT_VERIFICATIONS = timedelta(days=90)
_FOUND = """
    INSERT INTO audit_verifications (verified_at, ok, checked_events, first_broken_event_id, problem, head)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
_KEYS = """
    DELETE FROM idempotency_keys WHERE (user_id, token_id, key) IN
        (SELECT user_id, token_id, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)
"""
_SESSIONS = """
    DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)
"""
_KEPT_SESSIONS = timedelta(days=30)
_BATCH = 5_000
_log = structlog.get_logger("rapport.keeper")


class Keeper:
    """Keeps one database until it is cancelled."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._settings = settings
        self._keys = AuditKeys.of(settings)

    async def run(self) -> None:
        """Wait for the turn of this process, and keep. What goes wrong is logged and tried again."""
        while True:
            try:
                connection = await self._connect("rapport keeper")
                try:
                    while True:
                        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                            await self._keep(connection)
                        await asyncio.sleep(PACE)
                finally:
                    await connection.close(timeout=5)
            except Exception:
                _log.exception("keeping failed and is tried again")
            await asyncio.sleep(PACE)

    async def _connect(self, name: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._url, server_settings={"application_name": name, "jit": "off", "TimeZone": "UTC"}
        )

    async def _keep(self, connection: asyncpg.Connection) -> None:
        others = [
            asyncio.create_task(self._every(60.0 * self._settings.audit_check_minutes, self.check)),
            asyncio.create_task(self._every(_PURGE_SECONDS, self.purge)),
            asyncio.create_task(self._every(ANALYTICS_PACE, self.analytics)),
            asyncio.create_task(self._every(lists.PACE, self.lists)),
        ]
        try:
            head = await head_of(connection)
            while True:
                head = await self.seal(connection, head)
                await asyncio.sleep(PACE)
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _every(self, seconds: float, work: Callable[[asyncpg.Connection], Awaitable[Any]]) -> None:
        while True:
            wait = seconds
            try:
                connection = await self._connect(f"rapport {work.__name__}")
                try:
                    await work(connection)
                finally:
                    await connection.close(timeout=5)
            except Exception:
                _log.exception("keeping failed and is tried again", work=work.__name__)
                wait = min(seconds, _RETRY_SECONDS)
            await asyncio.sleep(wait)

    async def seal(self, connection: asyncpg.Connection, head: Head) -> Head:
        """Seal what there is after ``head``, the end as this process knows it.

        It goes on from what it knows, whatever the database says since: seals that were taken out in the meantime
        leave a gap for ever.
        """
        while (reached := await seal(connection, self._keys, head)) != head:
            head = reached
            await asyncio.sleep(0)
        return head

    async def check(self, connection: asyncpg.Connection) -> Verification:
        """Check the whole log, and write down what was found."""
        begun = time.monotonic()

        async def rest() -> None:
            nonlocal begun
            await asyncio.sleep(_RESTS * (time.monotonic() - begun))
            begun = time.monotonic()

        found = await verify(connection, self._keys, pause=rest)
        if not found.ok:
            _log.error("the audit log is broken", broken=str(found.broken), problem=found.problem)
        await connection.execute(
            _FOUND, utcnow(), found.ok, found.checked, found.broken, found.problem, str(found.head)
        )
        return found

    async def analytics(self, connection: asyncpg.Connection) -> None:
        """Bring the metrics of customers and the roll-ups to what happened; keep how a month begins."""
        await add_up(connection)
        shop = ShopFacts(self._settings.shop_currency, self._settings.shop_timezone)
        done = await follow(connection, shop, outbox_hours=self._settings.outbox_hours)
        if done is None:
            return
        if done.everything:
            _log.info("analytics were counted anew")
        if month := await snapshot_due(connection, shop):
            _log.info("took a snapshot of the segments", month=f"{month:%Y-%m}")

    async def lists(self, connection: asyncpg.Connection) -> None:
        """Empty the lists before the indexes of words, again and again: searches read them, and writers fill them."""
        while True:
            try:
                await lists.empty_lists(connection)
            except asyncpg.LockNotAvailableError:
                _log.debug("an index is held by somebody: its list is emptied later")
            await asyncio.sleep(lists.PACE)

    async def purge(self, connection: asyncpg.Connection) -> None:
        """Clear away old outbox events, keys of repeated requests, codes, counts of failures, sessions long over, and
        results of checks."""
        await purge_outbox(connection, self._settings.outbox_hours)
        before = utcnow() - timedelta(hours=KEPT_HOURS)
        while int((await connection.execute(_KEYS, before, _BATCH)).split()[-1]) == _BATCH:
            pass
        await connection.execute("DELETE FROM one_time_codes WHERE expires_at < $1", before)
        await connection.execute("DELETE FROM slowed_down WHERE failed_at < $1 AND until < $1", before)
        await purge_budgets(connection)
        over = utcnow() - _KEPT_SESSIONS
        while int((await connection.execute(_SESSIONS, over, _BATCH)).split()[-1]) == _BATCH:
            pass
        await connection.execute(
            "DELETE FROM audit_verifications WHERE verified_at < $1", utcnow() - _KEPT_VERIFICATIONS
        )
