"""The way of an order through its states: the table, the moments, and what happens when many go at once."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.order_states import MOMENTS, ORDER_STATES
from tests.api import open_api
from tests.nasty_shop import Shop
from tests.oracle.rows import typed_id
from tests.writing.deeds import Office
from tests.writing.selling import THING, codes, create, made, problem, step, untrue, update, uuid

pytestmark = pytest.mark.anyio

TO = {
    "pay": "PAID",
    "ship": "SHIPPED",
    "deliver": "DELIVERED",
    "complete": "COMPLETED",
    "cancel": "CANCELLED",
    "refund": "REFUNDED",
}
WAYS = {
    "PENDING_PAYMENT": (),
    "PAID": ("pay",),
    "SHIPPED": ("pay", "ship"),
    "DELIVERED": ("pay", "ship", "deliver"),
    "COMPLETED": ("pay", "ship", "deliver", "complete"),
    "CANCELLED": ("cancel",),
    "REFUNDED": ("pay", "refund"),
}
# As it was agreed, not as the program has it.
TABLE = {
    "PENDING_PAYMENT": ["PAID", "CANCELLED"],
    "PAID": ["SHIPPED", "CANCELLED", "REFUNDED"],
    "SHIPPED": ["DELIVERED", "REFUNDED"],
    "DELIVERED": ["COMPLETED", "REFUNDED"],
    "COMPLETED": ["REFUNDED"],
    "CANCELLED": [],
    "REFUNDED": [],
}
FIELDS = {status.value: name.replace("_at", "At") for status, name in MOMENTS.items()}


def test_the_table_is_as_agreed() -> None:
    assert {now: sorted(following) for now, following in ORDER_STATES.items()} == {
        now: sorted(following) for now, following in TABLE.items()
    }
    assert set(WAYS) == set(MOMENTS) == set(ORDER_STATES)


@pytest.mark.parametrize("now", WAYS)
async def test_from_each_state_just_the_steps_of_the_table(office: Office, now: str) -> None:
    for action, to in TO.items():
        order = await made(office)
        for earlier in WAYS[now]:
            order = (await step(office, order, earlier))["order"]
        assert order["status"] == now
        known = len(await office.events())
        payload = await step(office, order, action)
        if to not in TABLE[now]:
            said = problem(payload)
            assert (said["field"], said["code"]) == (["id"], "INVALID_TRANSITION")
            assert said["params"] == {"from": now, "to": to, "allowed": TABLE[now]}
            assert said["message"].startswith(f"This order is {now}: ")
            assert all(state in said["message"] for state in TABLE[now])
            assert len(await office.events()) == known
            continue
        after = payload["order"]
        assert (after["status"], after["version"]) == (to, order["version"] + 1)
        last = after["statusChanges"][-1]
        assert (last["fromStatus"], last["toStatus"], last["changedAt"]) == (now, to, after[FIELDS[to]])
        assert last["reason"] == ("Asked for" if action in ("cancel", "refund") else None)
        (event,) = (await office.events())[known:]
        told = orjson.loads(event["changes"])
        assert (event["action"], event["record_version"]) == (action, after["version"])
        assert told["status"] == {"before": now, "after": to}
        assert set(told) == {"status", FIELDS[to]} | ({"reason"} if action in ("cancel", "refund") else set())
    assert await untrue(office) == []


async def test_a_step_happens_when_it_is_said(office: Office) -> None:
    order = await made(office, placedAt="2024-03-01T10:00:00Z")
    paid = (await step(office, order, "pay", at="2024-03-01T10:00:00Z"))["order"]
    assert paid["paidAt"] == paid["statusChanges"][-1]["changedAt"] == order["placedAt"]
    early = problem(await step(office, paid, "ship", at="2024-03-01T09:59:59.999999Z"))
    assert (early["field"], early["code"]) == (["at"], "OUT_OF_RANGE")
    assert early["params"] == {"min": "2024-03-01T10:00:00.000000+00:00"}
    late = problem(await step(office, paid, "ship", at=(datetime.now(UTC) + timedelta(minutes=1)).isoformat()))
    assert (late["field"], late["code"]) == (["at"], "OUT_OF_RANGE")
    assert "in the future" in late["message"]
    shipped = (await step(office, paid, "ship", at="2024-03-02T00:00:00+02:00"))["order"]
    assert shipped["shippedAt"] == "2024-03-01T22:00:00.000000+00:00"
    # Where the order's own moments say nothing of it, the record of its steps does.
    await office.connection.execute(
        "UPDATE order_status_changes SET changed_at = '2024-04-01' WHERE order_id = $1 AND to_status = 'SHIPPED'",
        uuid(order["id"]),
    )
    assert codes(await step(office, shipped, "deliver", at="2024-03-15T00:00:00Z")) == [("at", "OUT_OF_RANGE")]


async def test_a_step_is_never_before_the_last_one_though_clocks_differ(office: Office) -> None:
    order = await made(office)
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    await office.connection.execute("UPDATE orders SET placed_at = $1 WHERE id = $2", ahead, uuid(order["id"]))
    paid = (await step(office, order, "pay"))["order"]
    assert paid["paidAt"] == paid["placedAt"]


@pytest.mark.parametrize("action", ["cancel", "refund"])
async def test_an_end_has_a_reason(office: Office, action: str) -> None:
    order = (await step(office, await made(office), "pay"))["order"]
    for reason, code in (("", "REQUIRED"), (" \n", "REQUIRED"), ("x" * 2_001, "TOO_LONG"), ("a\0", "INVALID")):
        assert codes(await step(office, order, action, reason=reason)) == [("reason", code)]
    ended = (await step(office, order, action, reason="Broken 💔"))["order"]
    assert ended["statusChanges"][-1]["reason"] == "Broken 💔"
    again = await step(office, order, action, reason=" ")
    assert codes(again) == [("reason", "REQUIRED"), ("id", "INVALID_TRANSITION")]


# Sequences


class Desk:
    """An office for many examples of one test, with an event loop of its own."""

    def __init__(self, runner: asyncio.Runner, office: Office) -> None:
        self.runner, self.office = runner, office


@pytest.fixture(scope="module")
def desk(server: Any, shop: Shop) -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        url = runner.run(server.own(shop.url))
        connection = runner.run(asyncpg.connect(url))
        context = open_api(url, read_pool=1, write_pool=2, max_cost=10**7)
        office = Office(url, shop.ids, runner.run(context.__aenter__()), connection)
        runner.run(office.look())
        yield Desk(runner, office)
        runner.run(context.__aexit__(None, None, None))
        runner.run(connection.close())
        runner.run(server.drop(url))


LINES = st.lists(
    st.builds(
        lambda quantity, cents: THING | {"quantity": quantity, "unitPrice": {"amount": f"{cents / 100:.2f}"}},
        st.integers(0, 100_001) | st.integers(1, 9),
        st.integers(0, 10**6) | st.integers(0, 99_999_999_999_999),
    ),
    max_size=6,
)
AMOUNT = st.builds(lambda cents: {"amount": f"{cents / 100:.2f}"}, st.integers(0, 2_000))
CALLS = st.lists(
    st.sampled_from(list(TO)).map(lambda action: (action, {}))
    | st.tuples(
        st.just("update"),
        st.fixed_dictionaries({}, optional={"lines": LINES, "discount": AMOUNT, "shippingFee": AMOUNT}),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(lines=LINES, calls=CALLS)
def test_no_sequence_of_calls_leaves_the_table_and_totals_are_those_of_the_lines(
    desk: Desk, lines: list[Any], calls: list[Any]
) -> None:
    desk.runner.run(_sequence(desk.office, lines, calls))


async def _sequence(office: Office, lines: list[Any], calls: list[Any]) -> None:
    order = (await create(office, lines=lines))["order"]
    if order is None:
        order = await made(office)
    for action, values in calls:
        payload = await (update(office, order, **values) if action == "update" else step(office, order, action))
        now, to = order["status"], TO.get(action, order["status"])
        allowed = to in TABLE[now] if action != "update" else now == "PENDING_PAYMENT"
        refused = "INVALID_TRANSITION" in [code for _, code in codes(payload)]
        assert refused is not allowed
        if payload["errors"]:
            assert action == "update" or refused
            continue
        order = payload["order"]
        assert order["status"] == to
        cents = [int(line["unitPrice"]["amount"].replace(".", "")) * line["quantity"] for line in order["lines"]]
        subtotal, discount, fee, total = (
            int(order[name]["amount"].replace(".", "")) for name in ("subtotal", "discount", "shippingFee", "total")
        )
        assert subtotal == sum(cents)
        assert total == subtotal - discount + fee
        assert 0 <= discount <= subtotal
        assert total < 10**17
    assert await untrue(office) == []


# Many at once


async def test_fifty_clients_pay_cancel_and_refund_the_same_orders(office: Office) -> None:
    """Each step is done once: what is on record is one chain without a gap, and everything else was refused."""
    known = len(await office.events())
    answered: list[tuple[str, Any]] = []
    async with open_api(office.url, write_pool=50, read_pool=1, max_cost=10**7) as api:
        office.api = api
        orders = [await made(office) for _ in range(4)]
        chance = random.Random(7)

        async def client(number: int) -> None:
            for action in chance.sample(("pay", "cancel", "refund", "pay", "ship"), 5):
                order = orders[(number + chance.randrange(2)) % len(orders)]
                answered.append(
                    (
                        action,
                        await step(office, order, action, reason=f"Client {number}")
                        if action in ("cancel", "refund")
                        else await step(office, order, action),
                    )
                )

        await asyncio.gather(*(client(number) for number in range(50)))
    assert len(answered) == 250
    for _, payload in answered:
        assert [code for _, code in codes(payload)] in ([], ["INVALID_TRANSITION"])
    done = [(action, payload["order"]) for action, payload in answered if not payload["errors"]]
    assert await untrue(office) == []
    events = [event for event in (await office.events())[known:] if event["action"] != "create"]
    assert len(events) == len(done)
    posted = {each["event_id"] for each in await office.posted()}
    rows = await office.look()
    for order in orders:
        id = uuid(order["id"])
        mine = sorted((e for e in events if e["record_id"] == id), key=lambda event: event["record_version"])
        changes = await office.connection.fetch(
            "SELECT * FROM order_status_changes WHERE order_id = $1 ORDER BY changed_at, id", id
        )
        now = rows.find("Order", id)
        assert now.version == 1 + len(mine) == len(changes)
        assert [event["record_version"] for event in mine] == list(range(2, now.version + 1))
        assert {event["id"] for event in mine} <= posted
        path = ["PENDING_PAYMENT"]
        for event, change in zip(mine, changes[1:], strict=True):
            told = orjson.loads(event["changes"])
            assert (told["status"]["before"], told["status"]["after"]) == (change["from_status"], change["to_status"])
            assert change["from_status"] == path[-1]
            assert change["to_status"] in TABLE[path[-1]]
            assert change["changed_by_id"] == event["actor_id"]
            assert change["reason"] == told.get("reason", {}).get("after")
            stamp = getattr(now, MOMENTS[type(next(iter(MOMENTS)))(change["to_status"])])
            assert stamp == change["changed_at"]
            path.append(change["to_status"])
        assert now.status == path[-1]
        assert len(path) == len(set(path))
        assert sorted(TO[action] for action, shown in done if shown["id"] == typed_id(now)) == sorted(path[1:])


async def test_of_many_changes_at_once_of_one_version_one_wins(office: Office) -> None:
    order = await made(office)

    async def one(number: int) -> Any:
        return await update(office, order, lines=[THING | {"quantity": number + 1}, THING])

    payloads = await asyncio.gather(*(one(number) for number in range(20)))
    (winner,) = [payload["order"] for payload in payloads if not payload["errors"]]
    assert {code for payload in payloads for _, code in codes(payload)} == {"CONFLICT"}
    assert winner["version"] == 2
    assert await untrue(office) == []
