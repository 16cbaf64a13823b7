"""The program itself, as people start and stop it: with its own PostgreSQL, its signals and its sudden deaths."""

import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx
import psutil
import pytest

from app.cli import DEMO_PASSWORD
from tests.conftest import Server

pytestmark = pytest.mark.slow

PROGRAM = Path(sys.executable).with_name("rapport")
OURS = ("RAPPORT_", "DATABASE_", "PYTHONDONTWRITEBYTECODE")
"""Beginnings of what is not taken over from the tests: what is compiled is kept, for the program starts often here."""
SIGN_IN = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { accessToken errors { code } } }"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Home:
    """A folder with the data of one installation, and the commands that are run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return {**kept, "RAPPORT_DATA_DIR": str(self.folder / "data"), "PORT": str(self.port), "COLUMNS": "200"}

    def run(self, *arguments: str, **more: str) -> str:
        """The output of a command that ends by itself."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            env={**self.environment, **more},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def postgres(self) -> psutil.Process | None:
        """The running PostgreSQL of this installation."""
        path = self.folder / "data" / "postgres" / "postmaster.pid"
        if not path.exists():
            return None
        pid = int(path.read_text().splitlines()[0])
        return psutil.Process(pid) if psutil.pid_exists(pid) else None


class Serving:
    """A running ``rapport serve``."""

    def __init__(self, home: Home, *arguments: str, **more: str) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [PROGRAM, "serve", *arguments],
            env={**home.environment, **more},
            cwd=home.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.home = home
        self.said = ""
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        while "Rapport answers at" not in self.said:
            line = self._lines.get(timeout=60)
            assert line, f"It ended: {self.said}"
            self.said += line
        # The line comes when the socket listens; the first answer waits for the rest of the start.
        self.url = f"http://127.0.0.1:{home.port}"
        assert httpx.get(f"{self.url}/health/ready", timeout=30).status_code == 200
        self.seconds = time.monotonic() - self.started

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def ask(self, document: str, variables: Mapping[str, Any] | None = None, token: str = "") -> Any:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": document, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=body, headers=headers, timeout=30).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def sign_in(self, email: str, password: str) -> str:
        said = self.ask(SIGN_IN, {"e": email, "p": password})["signIn"]
        assert said["errors"] == []
        token: str = said["accessToken"]
        return token

    def stop(self, number: int) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        while line := self._lines.get(timeout=30):
            self.said += line
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="rapport-serve-"))
    folder.chmod(0o755)
    home = Home(folder)
    yield home
    if left := home.postgres():
        left.terminate()
        left.wait(30)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_program_serves_stops_survives_and_loses_nothing(home: Home) -> None:
    """One story, for every start of a PostgreSQL takes its time."""
    # A first start makes everything.
    first = Serving(home, "--demo", "--customers", "50")
    accounts = re.findall(r"(\w+@rapport\.example)", first.said)
    assert {"admin@rapport.example", "sales@rapport.example", "integration@rapport.example"} <= set(accounts)
    assert DEMO_PASSWORD in first.said
    assert first.url in first.said
    token = first.sign_in("admin@rapport.example", DEMO_PASSWORD)
    assert first.ask("{ customers { totalCount } }", token=token)["customers"]["totalCount"] > 40
    assert home.postgres() is not None

    # Other commands work meanwhile, on the same PostgreSQL, and leave it running.
    home.run("user", "add", "Ada@Shop.example", "--name", "Ada", "--role", "SALES")
    home.run("user", "password", "ada@shop.example", RAPPORT_PASSWORD="a long enough password")
    mine = first.sign_in("ADA@shop.example", "a long enough password")
    assert first.ask("{ viewer { user { name role { name } } } }", token=mine)["viewer"]["user"] == {
        "name": "Ada",
        "role": {"name": "SALES"},
    }

    # Ctrl-C stops both.
    assert first.stop(signal.SIGINT) == 0
    assert home.postgres() is None
    assert "Traceback" not in first.said

    # A second start is fast, loads nothing twice, and knows the tokens of before.
    second = Serving(home, "--demo", "--customers", "50")
    assert second.seconds < 15 if os.environ.get("CI") else second.seconds < 10
    assert "Loaded" not in second.said
    count = second.ask("{ customers { totalCount } }", token=token)["customers"]["totalCount"]
    postgres = home.postgres()
    assert postgres is not None

    # A kill -9 leaves PostgreSQL running; the next start adopts it, and stops it in the end.
    assert second.stop(signal.SIGKILL) == -signal.SIGKILL
    assert postgres.is_running()
    third = Serving(home)
    adopted = home.postgres()
    assert adopted is not None
    assert adopted.pid == postgres.pid
    assert third.ask("{ customers { totalCount } }", token=token)["customers"]["totalCount"] == count
    third.sign_in("ada@shop.example", "a long enough password")
    assert third.stop(signal.SIGTERM) == 0
    assert home.postgres() is None


def test_a_database_url_is_used_and_no_postgresql_started(home: Home, server: Server) -> None:
    """The database is missing at first, as that of a new installation is."""
    url = server.url(f"rapport_{server.run}_served")
    try:
        serving = Serving(home, "--demo", "--customers", "50", DATABASE_URL=url)
        token = serving.sign_in("admin@rapport.example", DEMO_PASSWORD)
        assert serving.ask("{ customers { totalCount } }", token=token)["customers"]["totalCount"] > 40
        assert home.postgres() is None
        assert serving.stop(signal.SIGTERM) == 0
    finally:
        anyio.run(server.drop, url)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("serve",), {"RAPPORT_SECRET": "short"}, "RAPPORT_SECRET has 5 characters: use 32 or more."),
        (("user", "password", "a@x.example"), {"RAPPORT_PASSWORD": "short"}, "The password has 5 characters"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence_before_anything_starts(
    home: Home, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    done = subprocess.run(
        [PROGRAM, *arguments],
        env={**home.environment, **environment},
        cwd=home.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert home.postgres() is None
