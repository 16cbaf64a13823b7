"""The SLA policy: who sets it, what it may say, and whom it holds for."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.sla_file import PolicyRefusedError, print_policy, read_policy, set_from_file
from tests.api import SECRET
from tests.fingerprint import fingerprint
from tests.matrix import CALLERS
from tests.writing.deeds import Office
from tests.writing.test_tickets import create, denied, do, last_event

pytestmark = pytest.mark.anyio

SHOWN = """slaPolicy {
  timeZone hours holidays version
  lowFirstResponseMinutes lowResolutionMinutes normalFirstResponseMinutes normalResolutionMinutes
  highFirstResponseMinutes highResolutionMinutes urgentFirstResponseMinutes urgentResolutionMinutes
}"""
SET = f"""mutation($version: Int!, $input: SlaPolicyInput!) {{
  setSlaPolicy(version: $version, input: $input) {{ {SHOWN} errors {{ field code message params }} }}
}}"""
ALWAYS = [
    f"{day} 00:00-24:00" for day in ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
]


async def put(office: Office, version: int = 1, role: str = "ADMIN", **values: Any) -> Any:
    """The payload, or the whole answer where it is refused."""
    answer = await office.do(SET, role, version=version, input=values)
    return answer if "errors" in answer else answer["data"]["setSlaPolicy"]


async def policy(office: Office, role: str = "ADMIN") -> Any:
    return (await office.do(f"{{ {SHOWN} }}", role))["data"]["slaPolicy"]


async def test_everybody_sees_it_and_a_stranger_does_not(office: Office) -> None:
    for role in CALLERS:
        seen = await policy(office, role)
        assert seen["timeZone"] is None
        assert (len(seen["hours"]), seen["hours"][0]) == (10, "MONDAY 09:00-12:30")
        assert (seen["urgentFirstResponseMinutes"], seen["lowResolutionMinutes"]) == (60, 4_800)
    stranger = await office.do(f"{{ {SHOWN} }}", None)
    assert stranger["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_only_admin_sets_it(office: Office) -> None:
    before = await fingerprint(office.connection)
    for role in set(CALLERS) - {"ADMIN"}:
        assert denied(await put(office, role=role, holidays=[])) == ("FORBIDDEN", "SlaPolicy", "update")
    assert await fingerprint(office.connection) == before


async def test_it_is_set_in_part_and_on_record(office: Office) -> None:
    payload = await put(
        office,
        timeZone="America/New_York",
        hours=["TUESDAY 13:00-24:00", "MONDAY 10:00-11:00", "TUESDAY 00:00-13:00"],
        holidays=["2026-12-26", "2026-12-25", "2026-12-26"],
        highResolutionMinutes=None,
        lowResolutionMinutes=1,
    )
    assert payload["errors"] == []
    found = payload["slaPolicy"]
    assert found == await policy(office)
    assert found["hours"] == ["MONDAY 10:00-11:00", "TUESDAY 00:00-13:00", "TUESDAY 13:00-24:00"]
    assert found["holidays"] == ["2026-12-25", "2026-12-26"]
    assert (found["highResolutionMinutes"], found["lowResolutionMinutes"]) == (None, 1)
    assert (found["normalResolutionMinutes"], found["version"]) == (2_400, 2)
    event = await last_event(office)
    assert (event["entity"], event["action"], event["record_version"]) == ("SlaPolicy", "update", 2)
    told = json.loads(event["changes"])
    assert told["lowResolutionMinutes"] == {"before": 4_800, "after": 1}
    assert told["holidays"] == {"before": [], "after": ["2026-12-25", "2026-12-26"]}
    assert set(told) == {"timeZone", "hours", "holidays", "highResolutionMinutes", "lowResolutionMinutes"}


async def test_two_cannot_set_it_unseen_by_one_another(office: Office) -> None:
    payloads = await asyncio.gather(*(put(office, lowResolutionMinutes=4_000 + n) for n in range(8)))
    stale = [payload["errors"][0] for payload in payloads if payload["errors"]]
    assert len(stale) == 7
    assert {(error["code"], *error["field"]) for error in stale} == {("CONFLICT", "lowResolutionMinutes")}


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"timeZone": "Mars/Base"}, [("timeZone", "INVALID")]),
        ({"timeZone": ""}, []),
        ({"timeZone": "../../etc/passwd"}, [("timeZone", "INVALID")]),
        ({"timeZone": "Europe"}, [("timeZone", "INVALID")]),
        ({"timeZone": "a\0b"}, [("timeZone", "INVALID")]),
        ({"timeZone": "x" * 5_000}, [("timeZone", "INVALID")]),
        ({"hours": []}, [("hours", "REQUIRED")]),
        ({"hours": None}, [("hours", "REQUIRED")]),
        ({"hours": ["MONDAY 09:00-12:00"] * 101}, [("hours", "TOO_LONG")]),
        (
            {"hours": ["MONDAY 09:00-12:00", "MONDAY 11:59-13:00", "monday 1-2", "SUNDAY 12:00-09:00"]},
            [("hours.1", "INVALID"), ("hours.2", "INVALID"), ("hours.3", "INVALID")],
        ),
        ({"holidays": [f"{year}-01-01" for year in range(1_000, 2_001)]}, [("holidays", "TOO_LONG")]),
        (
            {"lowResolutionMinutes": 0, "highResolutionMinutes": -1},
            [("lowResolutionMinutes", "OUT_OF_RANGE"), ("highResolutionMinutes", "OUT_OF_RANGE")],
        ),
        ({"urgentFirstResponseMinutes": 527_041}, [("urgentFirstResponseMinutes", "OUT_OF_RANGE")]),
        ({"hours": ["MONDAY 00:00-00:05"]}, [("lowResolutionMinutes", "OUT_OF_RANGE")]),
    ],
)
async def test_what_it_may_not_say(office: Office, values: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    before = await fingerprint(office.connection)
    payload = await put(office, **values)
    found = [(".".join(error["field"][1:]), error["code"]) for error in payload["errors"]]
    assert found == (problems or [("timeZone", "INVALID")])
    assert all(error["field"][0] == "input" for error in payload["errors"])
    assert await fingerprint(office.connection) == before


async def test_it_holds_for_tickets_from_then_on(office: Office) -> None:
    old = (await create(office))["ticket"]
    await put(office, hours=ALWAYS, timeZone="UTC", normalFirstResponseMinutes=30, normalResolutionMinutes=None)
    new = (await create(office))["ticket"]
    made, first = (datetime.fromisoformat(new[name]) for name in ("createdAt", "firstResponseDueAt"))
    assert first - made == timedelta(minutes=30)
    assert new["resolutionDueAt"] is None
    kept = (await do(office, "ADMIN", "updateTicket", id=old["id"], version=1, input={"subject": "Same"}))["ticket"]
    assert (kept["firstResponseDueAt"], kept["resolutionDueAt"]) == (old["firstResponseDueAt"], old["resolutionDueAt"])
    moved = (await do(office, "ADMIN", "updateTicket", id=old["id"], version=2, input={"priority": "URGENT"}))["ticket"]
    made, due = (datetime.fromisoformat(moved[name]) for name in ("createdAt", "resolutionDueAt"))
    assert due - made == timedelta(hours=8)


# From a file


@pytest.fixture
def settings(office: Office) -> Settings:
    return Settings(secret=SECRET, database_url=office.url, write_pool=1)


async def test_a_file_that_was_shown_can_be_set(office: Office, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(await print_policy(office.url), "utf-8")
    known = len(await office.events())
    assert await set_from_file(office.url, file, settings) is False
    assert len(await office.events()) == known
    await put(office, timeZone="Asia/Kolkata", holidays=["2027-01-01"], highResolutionMinutes=None)
    other = await print_policy(office.url)
    assert await set_from_file(office.url, file, settings) is True
    event = await last_event(office)
    assert (event["entity"], event["action"], event["actor_id"]) == ("SlaPolicy", "update", None)
    assert (await policy(office))["timeZone"] is None
    file.write_text(other, "utf-8")
    await set_from_file(office.url, file, settings)
    assert await print_policy(office.url) == other
    assert (await policy(office))["highResolutionMinutes"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hours = [", "is not TOML"),
        ("colour = 1", "there is no colour; there are time_zone, hours"),
        ("hours = 'MONDAY'", "hours must be a list"),
        ("hours = [1]", "hours must be a list"),
        ("holidays = ['2026-12-25']", "holidays must be a list of days"),
        ("holidays = [2026-12-25T10:00:00]", "holidays must be a list of days"),
        ("time_zone = 1", "time_zone must be a name"),
        ("low = 3", "low must be a table"),
        ("[low]\nresolution = 3", "there is no low.resolution;"),
        ("[low]\nresolution_minutes = 3.5", "low.resolution_minutes must be a whole number"),
        ("[low]\nresolution_minutes = true", "low.resolution_minutes must be a whole number"),
    ],
)
def test_a_file_that_is_no_policy(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(PolicyRefusedError) as caught:
        read_policy(file)
    assert said in str(caught.value)


async def test_a_file_with_wrong_values_changes_nothing(office: Office, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("time_zone = 'Nowhere'\n[low]\nresolution_minutes = 0\n", "utf-8")
    before = await fingerprint(office.connection)
    with pytest.raises(PolicyRefusedError) as caught:
        await set_from_file(office.url, file, settings)
    for part in ("Europe/Berlin", "hours cannot be empty", "lowResolutionMinutes is 0: it must be from 1"):
        assert part in str(caught.value)
    assert await fingerprint(office.connection) == before
