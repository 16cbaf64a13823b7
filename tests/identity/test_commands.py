"""``rapport user`` and ``rapport role``, and the last admin where no gate is passed."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from app.cli import main
from app.settings import get_settings
from tests.conftest import Server

Run = Callable[..., str]


@pytest.fixture
def url(server: Server, migrated: str) -> Iterator[str]:
    found = anyio.run(server.copy, migrated)
    yield found
    anyio.run(server.drop, found)


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """What a command prints."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "200")

    def go(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rapport", *words])
        get_settings.cache_clear()
        with pytest.raises(SystemExit):
            main()
        said = capsys.readouterr()
        return said.out + said.err

    yield go
    get_settings.cache_clear()


async def _events(url: str) -> list[tuple[str, str | None]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT action, changes FROM audit_events ORDER BY transaction_id, position")
    finally:
        await connection.close()
    return [(row["action"], row["changes"]) for row in rows]


def test_users_are_listed_changed_and_shut_out(run: Run, url: str) -> None:
    run("user", "add", "Ada@SHOP.example", "--name", "Ada", "--role", "ADMIN")
    run("user", "add", "bob@shop.example", "--name", "Bob", "--role", "SALES")
    assert "Changed BOB@shop.example" in run("user", "role", "BOB@shop.example", "SUPPORT")
    assert "is so already" in run("user", "activate", "bob@shop.example")
    assert "Changed bob@shop.example" in run("user", "deactivate", "bob@shop.example")
    listed = run("user", "list")
    assert "Ada@shop.example" in listed
    assert "SUPPORT" in listed
    assert [action for action, _ in anyio.run(_events, url)] == ["create", "create", "update", "deactivate"]


def test_what_there_is_not_is_told(run: Run) -> None:
    assert "There is no user with the email" in run("user", "deactivate", "nobody@shop.example")
    run("user", "add", "ada@shop.example", "--name", "Ada", "--role", "ADMIN")
    assert "There is no role 'BOSS'; there are: ADMIN" in run("user", "role", "ada@shop.example", "BOSS")
    assert "There is no role 'BOSS'" in run("role", "show", "BOSS")
    assert "several scripts" in run("user", "add", "\u0430da@shop.example", "--name", "Ada", "--role", "ADMIN")


def test_roles_are_shown_in_words(run: Run) -> None:
    assert "MARKETING" in run("role", "list")
    shown = run("role", "show", "SUPPORT")
    assert "read Customer on all rows; email, phone read on assigned rows, else masked; notes" in shown


def test_the_last_admin_stays_whatever_is_tried(run: Run, tmp_path: Path, url: str) -> None:
    run("user", "add", "ada@shop.example", "--name", "Ada", "--role", "ADMIN")
    assert "last active ADMIN" in run("user", "deactivate", "ada@shop.example")
    assert "last active ADMIN" in run("user", "role", "ada@shop.example", "SALES")
    (tmp_path / "people.csv").write_text("email,active\nada@shop.example,no\n")
    fields = 'entity = "user"\nabsent = "reject"\n[fields]\nemail = "{email}"\nactive = "{active}"\n'
    (tmp_path / "people.toml").write_text(fields)
    said = run("import", "user", str(tmp_path / "people.csv"), "--map", str(tmp_path / "people.toml"))
    assert "has to have the role ADMIN" in said, said
