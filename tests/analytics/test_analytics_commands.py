"""rapport analytics refresh, snapshot and state."""

import anyio
import asyncpg
import pytest

from tests.analytics.kept_shop import KeptShop
from tests.audit.test_commands import Log, Run
from tests.audit.test_commands import log as log
from tests.audit.test_commands import rapport as rapport


def fill(url: str) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(url)
        await KeptShop(connection, 3).open(customers=9, orders=40)
        await connection.close()

    anyio.run(work)


def test_nothing_has_been_counted_yet(rapport: Run) -> None:
    assert "Nothing has been counted yet." in rapport("analytics", "state")
    said = rapport("analytics", "snapshot", status=1)
    assert "Nothing has been counted for this shop yet: run rapport analytics refresh." in said


def test_a_moment_of_the_past_stays_until_the_next_refresh(log: Log, rapport: Run) -> None:
    fill(log.url)
    said = rapport("analytics", "refresh", "--as-of", "2024-07-01T12:00:00+02:00")
    assert "Counted everything: " in said
    state = rapport("analytics", "state")
    assert "Counted for EUR in Europe/Berlin." in state
    assert "The metrics are as of 2024-07-01T10:00:00+00:00, and stay there." in state
    assert "Snapshots: none." in state
    assert "Kept " in rapport("analytics", "snapshot", "--month", "2024-05")
    assert "0 customers as they stood" in rapport("analytics", "snapshot", "--month", "2023-05")
    rapport("analytics", "refresh")
    state = rapport("analytics", "state")
    assert "and move on with time." in state
    assert "Snapshots: 2023-05, 2024-05." in state
    assert "0 changes are queued." in state


def test_what_is_no_moment_or_month_is_refused(rapport: Run) -> None:
    said = rapport("analytics", "refresh", "--as-of", "yesterday", status=1)
    assert "'yesterday' is not a day or moment of ISO 8601, such as 2026-01-31." in said
    assert "'2026' is not a month, such as 2026-11." in rapport("analytics", "snapshot", "--month", "2026", status=1)
    said = rapport("analytics", "snapshot", "--month", "9000-01", status=1)
    assert "9000-01 has not begun" in said


def test_a_shop_of_another_zone_is_said_to_be_counted_anew(rapport: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rapport("analytics", "refresh")
    monkeypatch.setenv("RAPPORT_SHOP_TIMEZONE", "Asia/Tokyo")
    assert "another currency or time zone" in rapport("analytics", "state")
