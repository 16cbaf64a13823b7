"""No sequence of mutations, and no two at once, bring an opportunity into a state outside the rules."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api import open_api
from tests.nasty_shop import Shop
from tests.oracle.rows import typed_id
from tests.writing.calls import call
from tests.writing.conftest import LIMITS
from tests.writing.deeds import Office

EXAMPLES = int(os.environ.get("RAPPORT_PIPELINE_EXAMPLES", "40"))
OPEN, ENDS = ("Lead", "商谈", "Proposal"), {"Won": "WON", "Lost": "LOST"}
STAGES = (*OPEN, *ENDS)
Step = dict[str, Any]

moments = st.sampled_from((None, "then", "before", "future"))
steps = st.one_of(
    st.fixed_dictionaries({"do": st.just("move"), "stage": st.sampled_from((*STAGES, "forgotten"))}),
    st.fixed_dictionaries(
        {"do": st.just("win"), "amount": st.sampled_from((None, "3.50", "-1")), "closed": moments},
    ),
    st.fixed_dictionaries(
        {"do": st.just("lose"), "reason": st.sampled_from(("price", "price", "time", " ")), "closed": moments}
    ),
    st.fixed_dictionaries({"do": st.just("reopen"), "stage": st.sampled_from((None, None, *STAGES))}),
    st.fixed_dictionaries(
        {"do": st.just("update")},
        optional={
            "probability": st.sampled_from((None, -1, 0, 10, 33, 50, 77, 100, 101)),
            "amount": st.sampled_from(("10", "11.25", "-1")),
            "name": st.sampled_from(("A", "B", " ")),
        },
    ),
    st.fixed_dictionaries({"do": st.sampled_from(("delete", "restore"))}),
    st.fixed_dictionaries({"do": st.just("stage"), "stage": st.sampled_from(OPEN), "to": st.integers(1, 99)}),
)


class Model:
    """What the rules say, in plain Python, of one deal."""

    def __init__(self, probabilities: dict[str, int]) -> None:
        self.probabilities = probabilities
        self.path = ["Lead"]
        self.probability = probabilities["Lead"]
        self.amount, self.name, self.reason = Decimal("10.00"), "A", None
        self.closed = self.deleted = False
        self.actions = ["create"]

    def _state(self) -> tuple[Any, ...]:
        values = (self.probability, self.amount, self.name, self.reason, self.closed, self.deleted)
        return (*self.path, *values)

    def take(self, step: Step) -> bool:
        """Take the step, if the rules let it be taken."""
        before = self._state()
        way = step["do"]
        if way == "stage":
            follows = self.probability == self.probabilities[self.path[-1]]
            self.probabilities[step["stage"]] = step["to"]
            if follows and self.path[-1] == step["stage"]:
                self.probability = step["to"]
            way = "update"
        elif self.deleted != (way == "restore") or not getattr(self, f"_{way}")(step):
            return False
        if self._state() != before:
            self.actions.append(way)
        return True

    def _enter(self, stage: str) -> None:
        self.path.append(stage)
        self.closed = stage in ENDS
        self.reason = None

    def _move(self, step: Step) -> bool:
        here, to = self.path[-1], step["stage"]
        if self.closed or to not in OPEN:
            return False
        if to != here:
            if self.probability == self.probabilities[here]:
                self.probability = self.probabilities[to]
            self._enter(to)
        return True

    def _win(self, step: Step) -> bool:
        if self.closed or step["amount"] == "-1" or step["closed"] in ("before", "future"):
            return False
        self.amount = Decimal(step["amount"] or self.amount)
        self._enter("Won")
        self.probability = 100
        return True

    def _lose(self, step: Step) -> bool:
        if self.closed or not step["reason"].strip() or step["closed"] in ("before", "future"):
            return False
        self._enter("Lost")
        self.probability, self.reason = 0, step["reason"]
        return True

    def _reopen(self, step: Step) -> bool:
        to = step["stage"] or next(stage for stage in reversed(self.path) if stage in OPEN)
        if not self.closed or to not in OPEN:
            return False
        self._enter(to)
        self.probability = self.probabilities[to]
        return True

    def _update(self, step: Step) -> bool:
        probability = step.get("probability", self.probability)
        if probability is None:
            probability = self.probabilities[self.path[-1]]
        amount, name = Decimal(step.get("amount", self.amount)), step.get("name", self.name)
        if not 0 <= probability <= 100 or amount < 0 or not name.strip():
            return False
        if self.closed and (probability, amount) != (self.probability, self.amount):
            return False
        self.probability, self.amount, self.name = probability, amount, name
        return True

    def _delete(self, _: Step) -> bool:
        self.deleted = True
        return True

    def _restore(self, _: Step) -> bool:
        self.deleted = False
        return True


class Desk:
    """An office that stays open for many examples."""

    def __init__(self, runner: asyncio.Runner, office: Office) -> None:
        self.runner, self.office = runner, office
        self._one_at_a_time = asyncio.Lock()
        self.names = {office.ids[f"stage_{name}"]: name for name in (*STAGES, "forgotten")}

    def stage(self, name: str) -> str:
        return typed_id(self.office.label(f"stage_{name}"))

    async def create(self) -> str:
        values = {"name": "A", "customerId": typed_id(self.office.label("probe_2")), "amount": {"amount": "10"}}
        made = await call(self.office, "createOpportunity", "ADMIN", "id", input=values)
        return str(made["opportunity"]["id"])

    async def row(self, deal: str) -> asyncpg.Record:
        async with self._one_at_a_time:
            found = await self.office.connection.fetchrow(
                "SELECT o.*, s.kind, s.name AS stage FROM opportunities o JOIN stages s ON s.id = o.stage_id"
                " WHERE o.id = $1",
                UUID(deal[4:]),
            )
        assert found is not None
        return found

    async def probabilities(self) -> dict[str, int]:
        records = await self.office.connection.fetch("SELECT id, probability FROM stages")
        return {self.names[each["id"]]: each["probability"] for each in records if each["id"] in self.names}

    async def take(self, deal: str, step: Step, role: str = "ADMIN") -> Any:
        """What the step comes to when it is sent to the server."""
        row, arguments = await self.row(deal), {key: value for key, value in step.items() if key != "do"}
        if step["do"] == "stage":
            stage = self.office.ids[f"stage_{step['stage']}"]
            async with self._one_at_a_time:
                version = await self.office.connection.fetchval("SELECT version FROM stages WHERE id = $1", stage)
            about = {"id": self.stage(step["stage"]), "version": version}
            return await call(self.office, "updateStage", input={"probability": step["to"]}, **about)
        if "closed" in arguments:
            opened, now = row["opened_at"], datetime.now(UTC)
            tick = timedelta(microseconds=1)
            known = {"then": opened, "before": opened - tick, "future": now + timedelta(hours=1), None: None}
            moment = known[arguments.pop("closed")]
            arguments["closedAt"] = moment and moment.isoformat()
        if "stage" in arguments:
            named = arguments.pop("stage")
            arguments["stageId"] = named and self.stage(named)
        if arguments.get("amount") is not None:
            arguments["amount"] = {"amount": arguments["amount"]}
        if step["do"] == "update":
            arguments = {"version": row["version"], "input": arguments}
        elif step["do"] == "delete":
            arguments = {"version": row["version"]}
        return await call(self.office, f"{step['do']}Opportunity", role, "id", id=deal, **arguments)

    async def check(self, deal: str) -> list[str]:
        """Whatever the rules say of any deal at any moment. Gives the names of the stages through which it came."""
        row, connection = await self.row(deal), self.office.connection
        assert (row["closed_at"] is not None) == (row["kind"] != "OPEN")
        assert (row["loss_reason"] is not None) == (row["kind"] == "LOST")
        assert row["kind"] == "OPEN" or row["probability"] == {"WON": 100, "LOST": 0}[row["kind"]]
        assert row["closed_at"] is None or row["opened_at"] <= row["closed_at"] <= datetime.now(UTC)
        changes = await connection.fetch(
            "SELECT * FROM stage_changes WHERE opportunity_id = $1 ORDER BY changed_at, id", row["id"]
        )
        assert changes[0]["from_stage_id"] is None
        for earlier, later in pairwise(changes):
            assert earlier["to_stage_id"] == later["from_stage_id"] != later["to_stage_id"]
            assert earlier["changed_at"] < later["changed_at"]
        assert (changes[-1]["to_stage_id"], changes[-1]["changed_at"]) == (row["stage_id"], row["stage_entered_at"])
        assert all(change["changed_by_id"] is not None for change in changes)
        await self._check_events(row)
        return [self.names[change["to_stage_id"]] for change in changes]

    async def _check_events(self, row: asyncpg.Record) -> None:
        """The log tells every version once, and from it alone the present values can be told."""
        events = await self.office.connection.fetch(
            "SELECT * FROM audit_events WHERE record_id = $1 AND outcome = 'OK' ORDER BY record_version", row["id"]
        )
        assert [event["record_version"] for event in events] == list(range(1, row["version"] + 1))
        posted = await self.office.connection.fetch("SELECT event_id FROM outbox WHERE record_id = $1", row["id"])
        assert {each["event_id"] for each in posted} == {event["id"] for event in events}
        told: dict[str, Any] = {}
        for event in events:
            for field, change in orjson.loads(event["changes"]).items():
                assert change["before"] == told.get(field)
                told[field] = change["after"]
        assert told["stage"] == f"stg_{row['stage_id'].hex}"
        assert told["probability"] == row["probability"]
        assert told["amount"] == {"amount": str(row["amount"]), "currency": row["currency"]}
        assert told.get("lossReason") == row["loss_reason"]
        assert (told.get("closedAt") is None) == (row["closed_at"] is None)
        assert (told.get("deletedAt") is None) == (row["deleted_at"] is None)

    async def actions(self, deal: str) -> list[str]:
        events = await self.office.connection.fetch(
            "SELECT action FROM audit_events WHERE record_id = $1 AND outcome = 'OK' ORDER BY record_version",
            UUID(deal[4:]),
        )
        return [event["action"] for event in events]


@pytest.fixture(scope="module")
def desk(server: Any, shop: Shop) -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        url = runner.run(server.own(shop.url))
        connection = runner.run(asyncpg.connect(url))
        opened = open_api(url, **LIMITS)
        office = Office(url, shop.ids, runner.run(opened.__aenter__()), connection)
        runner.run(office.look())
        yield Desk(runner, office)
        runner.run(opened.__aexit__(None, None, None))
        runner.run(connection.close())
        runner.run(server.drop(url))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(sequence=st.lists(steps, min_size=1, max_size=12))
def test_whatever_is_asked_one_after_another(desk: Desk, sequence: list[Step]) -> None:
    async def walk() -> None:
        deal, model = await desk.create(), Model(await desk.probabilities())
        for step in sequence:
            taken = model.take(step)
            answer = await desk.take(deal, step)
            assert "data" not in answer, answer
            assert (answer["errors"] == []) == taken, (step, answer)
            row = await desk.row(deal)
            assert await desk.check(deal) == model.path
            assert (row["probability"], row["amount"], row["name"]) == (model.probability, model.amount, model.name)
            assert (row["loss_reason"], row["deleted_at"] is not None) == (model.reason, model.deleted)
            assert await desk.actions(deal) == model.actions

    desk.runner.run(walk())


ways = st.sampled_from(
    (
        {"do": "move", "stage": "Proposal"},
        {"do": "move", "stage": "商谈"},
        {"do": "win", "amount": "3.50", "closed": None},
        {"do": "lose", "reason": "price", "closed": None},
        {"do": "reopen", "stage": None},
        {"do": "update", "probability": None},
        {"do": "update", "probability": 77},
        {"do": "stage", "stage": "Lead", "to": 12},
        {"do": "stage", "stage": "商谈", "to": 34},
    )
)


@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(at_once=st.lists(ways, min_size=2, max_size=8))
def test_whatever_is_asked_at_once(desk: Desk, at_once: list[Step]) -> None:
    """Of those that cannot both be, one is refused; what is done is done whole, in some order."""

    async def run() -> None:
        deal = await desk.create()
        answers = await asyncio.gather(*(desk.take(deal, step) for step in at_once))
        for answer in answers:
            assert "data" not in answer, answer
        await desk.check(deal)
        row, probabilities = await desk.row(deal), await desk.probabilities()
        if {"do": "update", "probability": 77} not in at_once:
            assert row["probability"] == probabilities[row["stage"]], "It follows the stage, whatever came first."

    desk.runner.run(run())
