"""What README.md and docs/ show is tried: operations, commands, answers, links, and the generated parts.

``RAPPORT_DOCS_RECORD=1 pytest tests/test_docs.py`` writes the present answers into the pages.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import anyio
import asyncpg
import pytest
import typer
from graphql import parse, validate

import app.docs as generated
from app import errors
from app.cli import DEMO_PASSWORD, cli, main
from app.db.migrate import ROOT
from app.demo.load import DEMO_ACCOUNTS, load_demo
from app.domain.problems import Code
from app.settings import Settings, get_settings
from auth.passwords import hash_now
from auth.principal import Principal
from schema.schema import build_schema
from tests.api import Api, open_api
from tests.conftest import Server
from tests.docs_tool import (
    Block,
    agrees,
    blocks,
    commands,
    curl,
    following,
    last_cursor,
    prints,
    shown,
    steadied,
    without_noise,
)

RECORD = bool(os.environ.get("RAPPORT_DOCS_RECORD"))
PAGES = generated.pages()
BLOCKS = {page: blocks(page) for page in PAGES}
OTHER_PROGRAMS = {
    "make",
    "curl",
    ".venv/bin/alembic",
    "pg_dump",
    "pg_restore",
    "createdb",
    "psql",
    "export",
    "cd",
    "git",
}
CUSTOMERS = 1_000  # As many as `make run` loads, so that readers see what is shown.


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def where(block: Block) -> str:
    return f"{name_of(block.page)}, line {block.line}"


def operations(page: Path) -> list[Block]:
    return [block for block in BLOCKS[page] if block.language == "graphql"]


@pytest.fixture(scope="module")
def demo(server: Server, migrated: str, slow_hashes: None) -> Iterator[str]:
    """The URL of a database like that of `make run`. Only sessions are written to it."""
    url = anyio.run(server.copy, migrated)

    async def fill() -> None:
        await load_demo(url, CUSTOMERS, password_hash=hash_now(DEMO_PASSWORD))

    anyio.run(fill)
    yield url
    anyio.run(server.drop, url)


async def accounts(url: str) -> dict[str, UUID]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT id, email FROM users WHERE password_hash IS NOT NULL")
    finally:
        await connection.close()
    found = {row["email"]: row["id"] for row in rows}
    return {role: found[email] for email, role, _ in DEMO_ACCOUNTS}


class Recorder:
    """Compares answers with the pages, or writes them into the pages."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.changes: list[tuple[Block, str]] = []

    def compare(self, block: Block, answer: Any) -> None:
        expected = json.loads(block.text) if block.text.strip() else None
        found = without_noise(answer, expected or {})
        if expected is not None and agrees(found, expected):
            return
        self.change(block, shown(steadied(found)) + "\n")

    def change(self, block: Block, right: str) -> None:
        self.changes.append((block, right))
        self.wrong.append(f"{where(block)} shows something else than\n{right}")

    def finish(self) -> None:
        if not RECORD:
            assert not self.wrong, "\n\n".join(self.wrong)
        for block, answer in self.changes:
            start, end = blocks(block.page)[BLOCKS[block.page].index(block)].span  # Others may have moved it.
            text = block.page.read_text("utf-8")
            block.page.write_text(text[:start] + answer + text[end:], "utf-8")


class Asker:
    """Sends the operations of the pages, and remembers the last cursor."""

    def __init__(self, people: dict[str, UUID]) -> None:
        self.people = people
        self.cursor: str | None = None

    async def ask(self, api: Api, block: Block) -> Any:
        given = following(block, BLOCKS[block.page], "variables")
        values = json.loads(given.text) if given else None
        if values:
            values = {name: self.cursor if value == "…" else value for name, value in values.items()}
        role = block.words[0]
        answer = await api.post(block.text, values, user=None if role == "STRANGER" else self.people[role])
        self.cursor = last_cursor(answer) or self.cursor
        return answer


@pytest.mark.anyio
async def test_operations_have_the_answers_that_are_shown(demo: str) -> None:
    asker, recorder = Asker(await accounts(demo)), Recorder()
    shown_ones = [
        (block, answer)
        for page in PAGES
        for block in operations(page)
        if block.words and (answer := following(block, BLOCKS[page], "answer"))
    ]
    assert len(shown_ones) > 10
    async with open_api(demo) as api:
        for block, answer in shown_ones:
            if not block.named:
                recorder.compare(answer, await asker.ask(api, block))
    for block, answer in shown_ones:
        if block.named:
            async with open_api(demo, **block.named) as api:
                recorder.compare(answer, await asker.ask(api, block))
    recorder.finish()


@pytest.mark.anyio
async def test_requests_by_curl_have_the_answers_that_are_shown(demo: str) -> None:
    recorder, tried = Recorder(), 0
    async with open_api(demo) as api:
        for page in PAGES:
            variables: dict[str, str] = {}
            for block in BLOCKS[page]:
                answer = following(block, BLOCKS[page], "answer")
                if block.language != "sh" or answer is None:
                    continue
                words = [words for _, words in commands(block.text) if words and words[0] == "curl"]
                method, path, headers, body = curl(words[-1], variables)
                response = await api.client.request(method, path, headers=headers, content=body)
                recorder.compare(answer, response.json())
                signed_in = (response.json().get("data") or {}).get("signIn") or {}
                variables["TOKEN"] = signed_in.get("accessToken") or variables.get("TOKEN", "")
                tried += 1
    assert tried >= 3
    recorder.finish()


@pytest.mark.anyio
async def test_too_many_sign_ins_at_once_are_answered_as_shown(demo: str) -> None:
    (answer,) = [block for page in PAGES for block in BLOCKS[page] if "RATE_LIMITED" in block.words]
    document = f'mutation {{ signIn(email: "sales@rapport.example", password: "{DEMO_PASSWORD}") {{ accessToken }} }}'
    found: list[Any] = []
    async with open_api(demo, password_queue=1) as api, anyio.create_task_group() as group:

        async def one() -> None:
            found.append(await api.post(document))

        for _ in range(2):
            group.start_soon(one)
    recorder = Recorder()
    recorder.compare(answer, next(each for each in found if "errors" in each))
    recorder.finish()


@pytest.mark.anyio
async def test_a_key_used_for_another_request_is_answered_as_shown(demo: str) -> None:
    (answer,) = [block for page in PAGES for block in BLOCKS[page] if "CONFLICT" in block.words]
    admin = (await accounts(demo))["ADMIN"]
    recorder = Recorder()
    async with open_api(demo) as api:
        for id in ("0" * 32, "1" * 32):
            document = f'mutation {{ deleteCustomer(id: "cus_{id}", version: 1) {{ errors {{ code }} }} }}'
            found = await api.post(document, user=admin, key="the same")
    recorder.compare(answer, found)
    recorder.finish()


@pytest.mark.anyio
async def test_a_statement_that_takes_too_long_is_answered_as_shown(demo: str) -> None:
    (answer,) = [block for page in PAGES for block in BLOCKS[page] if "TIMEOUT" in block.words]
    admin = (await accounts(demo))["ADMIN"]
    recorder = Recorder()
    blocker = await asyncpg.connect(demo)
    try:
        async with open_api(demo, statement_timeout_ms=300) as api:
            await api.server.accesses.get(Principal(admin, admin))
            async with blocker.transaction():
                await blocker.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
                recorder.compare(answer, await api.post("{ customers { totalCount } }", user=admin))
    finally:
        await blocker.close()
    recorder.finish()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_operation_is_valid(page: Path) -> None:
    schema = build_schema().graphql
    for block in operations(page):
        answer = following(block, BLOCKS[page], "answer")
        expected = json.loads(answer.text) if answer and answer.text.strip() else {}
        codes = {error["extensions"]["code"] for error in expected.get("errors", ())}
        if not codes & {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}:
            assert validate(schema, parse(block.text)) == [], where(block)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_exists_with_its_options(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in BLOCKS[page]:
        if block.language != "sh":
            continue
        for _, words in commands(block.text):
            if not words:
                continue
            if words[0].split("/")[-1] == "rapport":
                check_arguments(words[1:], where(block))
            else:
                assert words[0] in OTHER_PROGRAMS, f"{where(block)}: {words[0]}"
            if words[0] == "make":
                assert set(words[1:]) <= targets, where(block)


def check_arguments(words: list[str], place: str) -> None:
    command: Any = typer.main.get_command(cli)
    parent = None
    while hasattr(command, "commands"):
        assert words, f"{place}: the command is not whole"
        parent = command.make_context("rapport", [words[0], "--help"], parent=parent, resilient_parsing=True)
        assert words[0] in command.commands, f"{place}: there is no {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    command.make_context("rapport", list(words), parent=parent)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.words[:1] == ("run",) for b in BLOCKS[page])], ids=name_of
)
def test_commands_do_what_is_shown(
    page: Path,
    server: Server,
    migrated: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = anyio.run(server.copy, migrated)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "150")
    output, recorder = "", Recorder()
    try:
        for block in BLOCKS[page]:
            if name := block.named.get("file"):
                if not (tmp_path / name).exists():
                    (tmp_path / name).write_text(block.text)
                elif (found := (tmp_path / name).read_text()) != block.text:
                    recorder.change(block, found)
            elif block.language == "sh" and "run" in block.words:
                output = "".join(run(given, words, monkeypatch, capsys) for given, words in commands(block.text))
            elif block.language == "text" and "output" in block.words:
                assert prints(output, block.text) is None, f"{where(block)}: not in\n{output}"
    finally:
        get_settings.cache_clear()
        anyio.run(server.drop, url)
    recorder.finish()


def run(
    given: dict[str, str], words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    with monkeypatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["rapport", *words[1:]])
        get_settings.cache_clear()
        with pytest.raises(SystemExit):
            main()
    said = capsys.readouterr()
    return said.out + said.err


def test_the_generated_parts_are_up_to_date() -> None:
    changed = [name_of(page) for page, _ in generated.outdated(typer.main.get_command(cli))]
    assert changed == [], "Run rapport docs write."


def test_the_generated_parts_are_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    right = (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text(right.replace("| `RAPPORT_WORKERS` |", "| `RAPPORT_THREADS` |"))
    ((page, text),) = generated.outdated(typer.main.get_command(cli))
    assert page == tmp_path / "README.md"
    assert text == right


def test_every_setting_command_and_error_is_documented() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    for name, field in Settings.model_fields.items():
        assert f"`{generated.variable(name, field)}`" in text
    for words, _ in generated.commands(typer.main.get_command(cli)):
        assert f"`{' '.join(words)}" in text
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    codes |= {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "INTERNAL_SERVER_ERROR"}
    frontend = (ROOT / "docs" / "frontend.md").read_text("utf-8")
    shown_codes = set(re.findall(r'"code": "([A-Z_]+)"', frontend))
    assert codes - {"INTERNAL_SERVER_ERROR"} <= shown_codes
    assert all(f"`{code}`" in frontend for code in codes)
    assert all(f"`{code}`" in frontend for code in get_args(Code)), "Problems that a person can mend."


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{name_of(page)}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", aim.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{name_of(page)}: {link}"


def test_paths_of_files_that_are_named_exist() -> None:
    for page in PAGES:
        for path in re.findall(r"`((?:app|auth|schema|migrations|tests|benchmarks|docs)/[\w/.-]+)`", page.read_text()):
            assert "campaign" in path or (ROOT / path).exists(), f"{name_of(page)}: {path}"
