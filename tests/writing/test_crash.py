"""Sudden deaths: the server is killed in the middle of a load of writes, again and again, and nothing is half done."""

import asyncio
import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn

from app.db.ids import split_id
from app.main import create_app
from app.settings import Settings
from auth.tokens import AccessTokens
from tests.api import SECRET
from tests.oracle.rows import typed_id
from tests.test_serve import free_port
from tests.writing.deeds import Office

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KILLS, WRITERS = 20, 6
CREATE = """mutation($customer: ID!, $subject: String!) {
  createTicket(input: { customerId: $customer, subject: $subject }) { ticket { id } errors { code } }
}"""
UPDATE = """mutation($id: ID!, $version: Int!, $notes: String!) {
  updateCustomer(id: $id, version: $version, input: { notes: $notes }) { customer { version } errors { code } }
}"""


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.writing.loaded"])


def serve(url: str, port: int) -> None:
    """What one worker of the program does, in a process forked from one that has the program loaded already."""
    settings = Settings(database_url=url, secret=SECRET, data_dir=Path("/nonexistent"))
    uvicorn.run(create_app(settings, url), port=port, loop="uvloop", log_level="critical")


class Program:
    """The server as its own process, on a database that outlives it."""

    def __init__(self, url: str) -> None:
        self.port = free_port()
        self._process = _FORKS.Process(target=serve, args=(url, self.port), daemon=True)
        self._process.start()

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Wait until it answers."""
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{self.port}/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                assert self._process.is_alive(), "the server did not start"
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._process.close()


class Load:
    """Writers that go on until the server is gone, and what was acknowledged to them."""

    def __init__(self, office: Office) -> None:
        self.token = AccessTokens(SECRET, 3600).sign(office.user("ADMIN"), office.user("ADMIN"))[0]
        self.tickets: list[UUID] = []
        self.versions: dict[str, int] = {}
        live = [row for row in office.rows.all("Customer") if row.deleted_at is None][:WRITERS]
        self.versions = {typed_id(row): row.version for row in live}

    async def write(self, client: httpx.AsyncClient, port: int, customer: str, enough: asyncio.Event) -> None:
        async def send(document: str, **variables: Any) -> Any:
            answer = await client.post(
                f"http://127.0.0.1:{port}/graphql",
                json={"query": document, "variables": variables},
                headers={"Authorization": f"Bearer {self.token}"},
            )
            return answer.json()["data"]

        try:
            while True:
                made = (await send(CREATE, customer=customer, subject="Under load"))["createTicket"]
                assert made["errors"] == []
                split = split_id(made["ticket"]["id"])
                assert split is not None
                self.tickets.append(split[1])
                notes = f"note {len(self.tickets)}"
                changed = await send(UPDATE, id=customer, version=self.versions[customer], notes=notes)
                if changed["updateCustomer"]["customer"] is not None:
                    self.versions[customer] = changed["updateCustomer"]["customer"]["version"]
                else:
                    # The update before was done, but its answer was lost with the server.
                    self.versions[customer] += 1
                if len(self.tickets) % 7 == 0:
                    enough.set()
        except (httpx.TransportError, KeyError):
            return


async def test_what_was_acknowledged_is_there_whole_after_every_kill(office: Office) -> None:
    load = Load(office)
    # Refusals that other tests met in the shop stand in its audit log already; these were never posted.
    earlier = len(await office.events())
    waiting = Program(office.url)
    limits = httpx.Limits(max_keepalive_connections=0)
    for _ in range(KILLS):
        async with httpx.AsyncClient(limits=limits) as client:
            program = waiting
            await program.ready(client)
            waiting = Program(office.url)
            enough = asyncio.Event()
            writers = [
                asyncio.create_task(load.write(client, program.port, customer, enough)) for customer in load.versions
            ]
            await enough.wait()
            program.kill()
            await asyncio.gather(*writers)
    waiting.kill()

    rows = await office.look()
    events, posted = (await office.events())[earlier:], await office.posted()
    made = Counter(event["record_id"] for event in events if event["action"] == "create")
    assert len(load.tickets) >= 7
    assert all(rows.find("Ticket", id) is not None for id in load.tickets)
    written = [row for row in rows.all("Ticket") if row.subject == "Under load"]
    assert made == Counter(row.id for row in written)
    assert Counter(event["id"] for event in events) == Counter(each["event_id"] for each in posted)
    for customer, version in load.versions.items():
        split = split_id(customer)
        assert split is not None
        row = rows.find("Customer", split[1])
        assert row is not None
        assert row.version in (version, version + 1)
        told = [e["record_version"] for e in events if e["record_id"] == split[1] and e["action"] == "update"]
        assert told == list(range(row.version - len(told) + 1, row.version + 1))
