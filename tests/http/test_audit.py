"""The audit suite of graphql-http, the reference implementation of GraphQL over HTTP, on a server with a real socket.

Needs Node and npm, which installs the suite, by the names, versions and hashes in ``audit/package-lock.json``.
"""

import asyncio
import json
import shutil
import socket
from pathlib import Path

import pytest
import uvicorn

from app.main import Application
from tests.api import open_api
from tests.nasty_shop import Shop

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

_FOLDER = Path(__file__).parent / "audit"


async def run(*command: str, folder: Path) -> tuple[int, str]:
    """The exit code of a command, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the suite is installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("There is no Node here.")
    folder = tmp_path_factory.mktemp("audit")
    for name in ("package.json", "package-lock.json", "audit.mjs"):
        shutil.copy(_FOLDER / name, folder)
    code, said = await run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    if code:
        pytest.skip(f"The suite cannot be had: {said[-500:]}")
    return folder


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "executor"])
async def test_every_audit_of_graphql_http_passes(shop: Shop, suite: Path, shortcut: bool) -> None:
    async with open_api(shop.url, read_pool=1, shortcut=shortcut) as api:
        app: Application = api.client._transport.app  # type: ignore[attr-defined]
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", proxy_headers=False))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
            code, said = await run("node", "audit.mjs", url, folder=suite)
        finally:
            server.should_exit = True
            await serving
            listener.close()
    assert code == 0, said
    results = json.loads(said)
    assert len(results) > 50
    assert [result for result in results if result["status"] != "ok"] == []
