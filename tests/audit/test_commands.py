"""The commands of the audit log, and what other commands leave in it."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

from app.cli import main
from app.settings import get_settings
from auth.sealing import AuditKeys, seal_all
from tests.api import SECRET
from tests.audit.log import by_force, write
from tests.conftest import Server

Run = Callable[..., str]


class Log:
    """A database of the test's own, reached by connections of the moment."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _do(self, work: Callable[[asyncpg.Connection], Any]) -> Any:
        async def run() -> Any:
            connection = await asyncpg.connect(self.url)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return anyio.run(run)

    def fill(self, count: int) -> None:
        async def work(connection: asyncpg.Connection) -> None:
            await write(connection, count)
            await seal_all(connection, AuditKeys([SECRET]))

        self._do(work)

    def events(self) -> Any:
        return self._do(lambda c: c.fetch("SELECT * FROM audit_events ORDER BY transaction_id, position"))

    def force(self, statement: str, *arguments: Any) -> None:
        self._do(lambda c: by_force(c, statement, *arguments))


@pytest.fixture
def log(server: Server, migrated: str) -> Iterator[Log]:
    url = anyio.run(server.copy, migrated)
    yield Log(url)
    anyio.run(server.drop, url)


@pytest.fixture
def rapport(
    log: Log, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Run]:
    monkeypatch.setenv("DATABASE_URL", log.url)
    monkeypatch.setenv("RAPPORT_SECRET", SECRET)
    monkeypatch.setenv("RAPPORT_PASSWORD", "a password long enough")
    monkeypatch.chdir(tmp_path)

    def run(*words: str, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["rapport", *words])
        get_settings.cache_clear()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfdbinary.readouterr()
        text = (said.out + said.err).decode()
        assert ended.value.code == status, text
        return text

    yield run
    get_settings.cache_clear()


def test_verify_says_how_many_events_are_whole(log: Log, rapport: Run, tmp_path: Path) -> None:
    log.fill(12)
    head = rapport("audit", "head")
    assert head.startswith("12:")
    (tmp_path / "head").write_text(head)
    log.fill(3)
    assert rapport("audit", "verify", "--head", "head").startswith("15 events are whole, up to 15:")


def test_verify_names_the_first_broken_event(log: Log, rapport: Run) -> None:
    log.fill(12)
    victim = log.events()[4]["id"]
    log.force("UPDATE audit_events SET ip = '192.0.2.99' WHERE id = $1", victim)
    said = rapport("audit", "verify", status=1)
    assert f"BROKEN: aud_{victim.hex}: The event is not as it was sealed" in said
    assert "4 events before it are whole." in said


def test_verify_finds_an_end_cut_off_against_the_saved_head(log: Log, rapport: Run, tmp_path: Path) -> None:
    log.fill(12)
    (tmp_path / "head").write_text(rapport("audit", "head"))
    log.force("DELETE FROM audit_events WHERE position > 9")
    log.force("DELETE FROM audit_seals WHERE number > 9")
    assert "9 events are whole" in rapport("audit", "verify")
    said = rapport("audit", "verify", "--head", "head", status=1)
    assert "its end has been cut off" in said


def test_verify_with_another_key_says_that_it_may_be_the_key(
    log: Log, rapport: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.fill(3)
    monkeypatch.setenv("RAPPORT_SECRET", "another secret, long enough for everybody")
    assert "the key is not the one that sealed them" in rapport("audit", "verify", status=1)
    monkeypatch.setenv("RAPPORT_AUDIT_FORMER_KEYS", json.dumps([SECRET]))
    assert "3 events are whole" in rapport("audit", "verify")
    monkeypatch.setenv("RAPPORT_AUDIT_KEY", "a key of its own that is long enough now")
    assert "3 events are whole" in rapport("audit", "verify")
    monkeypatch.setenv("RAPPORT_AUDIT_KEY", "short")
    assert "A key of the audit log has 5 characters" in rapport("audit", "verify", status=1)


@pytest.mark.parametrize("text", ["", "12", "12:00", "x:" + "0" * 64, "nonsense"])
def test_a_head_that_is_none_is_refused(rapport: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "head").write_text(text)
    assert "does not hold what rapport audit head prints" in rapport("audit", "verify", "--head", "head", status=1)


def test_export_prints_a_line_an_event_and_is_on_record(log: Log, rapport: Run) -> None:
    log.fill(5)
    lines = [json.loads(line) for line in rapport("audit", "export").splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5]
    assert rapport("audit", "export", "--since", "2021-01-01", "--until", "2022-01-01") == ""
    assert "is not a day or moment" in rapport("audit", "export", "--since", "soon", status=1)
    *_, first, second = log.events()
    for event, count in ((first, 5), (second, 0)):
        assert (event["action"], event["entity"], event["actor_id"]) == ("export", "AuditEvent", None)
        assert json.loads(event["changes"])["events"]["after"] == count


def test_archive_moves_events_to_a_file_that_verifies(log: Log, rapport: Run, tmp_path: Path) -> None:
    log.fill(8)
    said = rapport("audit", "archive", "--before", "2020-05-01T12:05:00Z", "old.jsonl")
    assert said.startswith("Moved 5 events, numbers 1 to 5, to old.jsonl.")
    assert len((tmp_path / "old.jsonl").read_text().splitlines()) == 5
    assert [event["action"] for event in log.events()] == ["update"] * 3 + ["archive"]
    said = rapport("audit", "verify", "--archive", "old.jsonl")
    assert "old.jsonl: 5 archived events are whole." in said
    assert "3 events are whole" in said
    (tmp_path / "old.jsonl").write_text((tmp_path / "old.jsonl").read_text().replace("name 3", "name 4"))
    assert "BROKEN: aud_" in rapport("audit", "verify", "--archive", "old.jsonl", status=1)


def test_archive_refuses_what_it_should(log: Log, rapport: Run, tmp_path: Path) -> None:
    log.fill(3)
    assert "30 days" in rapport("audit", "archive", "--before", "2999-01-01", "new.jsonl", status=1)
    assert not (tmp_path / "new.jsonl").exists()
    assert "nothing to archive" in rapport("audit", "archive", "--before", "2019-01-01", "new.jsonl")
    assert not (tmp_path / "new.jsonl").exists()
    (tmp_path / "there.jsonl").write_text("mine")
    assert "exists" in rapport("audit", "archive", "--before", "2021-01-01", "there.jsonl", status=1)
    assert (tmp_path / "there.jsonl").read_text() == "mine"
    assert len(log.events()) == 3


def test_commands_about_users_are_on_record(log: Log, rapport: Run) -> None:
    rapport("user", "add", "sam@shop.example", "--name", "Sam Seller", "--role", "SALES")
    rapport("user", "add", "sam@shop.example", "--name", "Sam Seller", "--role", "SALES", status=1)
    rapport("user", "password", "sam@shop.example")
    rapport("user", "password", "nobody@shop.example", status=1)
    added, changed = log.events()
    assert (added["action"], added["entity"], added["outcome"], added["actor_id"]) == ("create", "User", "OK", None)
    told = {name: change["after"] for name, change in json.loads(added["changes"]).items()}
    assert (told["name"], told["email"], told["active"]) == ("Sam Seller", "sam@shop.example", True)
    assert told["role"].startswith("rol_")
    assert "passwordHash" not in told
    assert "rapport user add, by the system user" in added["user_agent"]
    assert (changed["action"], changed["record_id"], changed["changes"]) == ("setPassword", added["record_id"], None)


def test_an_import_is_on_record_once_a_file_and_a_dry_run_is_not(log: Log, rapport: Run, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("Name,Mail\nAda,ada@shop.example\nBob,bob-at-shop\n")
    (tmp_path / "people.toml").write_text(
        'entity = "customer"\n[fields]\nname = "{Name}"\nemail = "{Mail}"\ncode = "{Name}"\n'
    )
    rapport("import", "customer", "people.csv", "--map", "people.toml", "--dry-run")
    assert log.events() == []
    rapport("import", "customer", "people.csv", "--map", "people.toml")
    (event,) = log.events()
    assert (event["action"], event["entity"], event["record_id"], event["outcome"]) == (
        "import",
        "Customer",
        None,
        "OK",
    )
    told = {name: change["after"] for name, change in json.loads(event["changes"]).items()}
    assert told == {
        "file": "people.csv",
        "read": 2,
        "inserted": 1,
        "updated": 0,
        "unchanged": 0,
        "repeated": 0,
        "rejected": 1,
    }
