"""What the events of a record show to whom: the values that one may read of it now, and nothing else."""

from typing import Any

import pytest

from app.models.base import Versioned
from auth.access import ENTITY_CLASSES
from auth.audit import Origin, event
from auth.audit_log import write_events
from auth.models import RECORDED
from tests.audit.log import LONG_AGO
from tests.oracle.rows import Row, typed_id
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

FIELDS = "id at actor { id } action entity entityId outcome changes ip userAgent requestId"
HISTORY = f"query($id: ID!) {{ customer(id: $id) {{ history {{ totalCount nodes {{ {FIELDS} }} }} }} }}"
UPDATE = (
    "mutation($id: ID!, $version: Int!, $email: String, $phone: String, $notes: String, $tags: [String!]) {"
    " updateCustomer(id: $id, version: $version,"
    " input: { email: $email, phone: $phone, notes: $notes, tags: $tags }) { errors { field code message } } }"
)
DELETE = "mutation($id: ID!, $version: Int!) { deleteCustomer(id: $id, version: $version) { errors { code } } }"
NEW: dict[str, Any] = {
    "email": "new@shop.example",
    "phone": "+49891234567",
    "notes": "told in confidence",
    "tags": ["x"],
}
MASKED = {"email": "n***@shop.example", "phone": "+49****4567"}


async def updated(office: Office, label: str, role: str = "ADMIN") -> Row:
    """The customer of that label, with everything new."""
    row = office.label(label)
    answer = await office.do(UPDATE, role, id=typed_id(row), version=row.version, **NEW)
    assert answer["data"]["updateCustomer"]["errors"] == []
    await office.look()
    return row


async def latest(office: Office, role: str, row: Row) -> Any:
    answer = await office.do(HISTORY, role, id=typed_id(row))
    assert "errors" not in answer, answer
    return answer["data"]["customer"]["history"]["nodes"][0]


def after(event: Any) -> dict[str, Any]:
    return {name: change["after"] for name, change in event["changes"].items()}


async def told(office: Office, row: Row, entity: str = "Customer", actor: str | None = None, **facts: Any) -> None:
    """An event about the record that tells these facts."""
    changes = {name: {"before": None, "after": value} for name, value in facts.items()}
    origin = Origin(office.user(actor) if actor else None, "told")
    at = LONG_AGO.replace(year=2080)
    await write_events(office.connection, event(origin, at, "tell", entity=entity, record_id=row.id, changes=changes))


# Role by role


@pytest.mark.parametrize("role", ["ADMIN", "AUDITOR", "MANAGER", "SALES", "INTEGRATION"])
async def test_who_reads_everything_of_a_customer_sees_every_change(office: Office, role: str) -> None:
    row = await updated(office, "probe_1")
    found = await latest(office, role, row)
    assert after(found) == NEW
    assert found["changes"]["email"]["before"] == "anna@example.com"
    assert (found["action"], found["entity"], found["entityId"]) == ("update", "Customer", typed_id(row))
    assert found["actor"] == {"id": f"usr_{office.user('ADMIN').hex}"}


async def test_support_sees_details_in_changes_where_somebody_gave_it_the_customer(office: Office) -> None:
    given = await updated(office, "probe_3")
    assert after(await latest(office, "SUPPORT", given)) == NEW


async def test_support_sees_masks_in_changes_elsewhere(office: Office) -> None:
    other = await updated(office, "probe_4")  # Its ticket is the caller's, but nobody else gave it.
    found = await latest(office, "SUPPORT", other)
    assert after(found) == {**MASKED, "tags": ["x"]}
    assert found["changes"]["phone"] == {"before": "123****6789", "after": "+49****4567"}


async def test_a_ticket_closed_takes_old_values_out_of_sight_again(office: Office) -> None:
    row = await updated(office, "probe_3")
    await office.connection.execute("UPDATE tickets SET status = 'CLOSED' WHERE customer_id = $1", row.id)
    assert after(await latest(office, "SUPPORT", row)) == {**MASKED, "tags": ["x"]}


async def test_marketing_sees_masks_and_no_notes(office: Office) -> None:
    row = await updated(office, "probe_1")
    assert after(await latest(office, "MARKETING", row)) == {**MASKED, "tags": ["x"]}


async def test_an_analyst_has_no_history_and_the_attempt_is_on_record(office: Office) -> None:
    row, known = office.label("probe_1"), len(await office.events())
    answer = await office.do(HISTORY, "ANALYST", id=typed_id(row))
    assert answer["data"]["customer"] is None
    (error,) = answer["errors"]
    assert error["message"] == "The role ANALYST has no right to history Customer."
    said = {name: error["extensions"][name] for name in ("code", "entity", "action")}
    assert said == {"code": "FORBIDDEN", "entity": "Customer", "action": "history"}
    (denial,) = (await office.events())[known:]
    assert (denial["outcome"], denial["entity"], denial["action"]) == ("DENIED", "Customer", "history")


async def test_sales_sees_no_values_of_a_customer_that_it_has_lost(office: Office) -> None:
    row = await updated(office, "probe_1", "SALES")
    mine = f'{{ auditEvents(where: {{ entityId: {{ eq: "{typed_id(row)}" }} }}) {{ nodes {{ {FIELDS} }} }} }}'
    (event, *_) = (await office.do(mine, "SALES"))["data"]["auditEvents"]["nodes"]
    assert after(event) == NEW
    await office.connection.execute("UPDATE customers SET owner_id = NULL WHERE id = $1", row.id)
    await office.connection.execute("UPDATE tickets SET assignee_id = NULL WHERE customer_id = $1", row.id)
    await office.connection.execute("UPDATE opportunities SET owner_id = NULL WHERE customer_id = $1", row.id)
    assert (await office.do(HISTORY, "SALES", id=typed_id(row)))["data"]["customer"] is None
    (event, *_) = (await office.do(mine, "SALES"))["data"]["auditEvents"]["nodes"]
    assert event["changes"] is None
    assert (event["action"], event["entityId"], event["requestId"] is None) == ("update", typed_id(row), False)


# The whole log, and one's own acts


@pytest.mark.parametrize("role", ["MANAGER", "SALES", "SUPPORT", "MARKETING", "ANALYST", "INTEGRATION"])
async def test_others_see_their_own_acts_alone(office: Office, role: str) -> None:
    answer = await office.do("{ auditEvents(first: 200) { nodes { actor { id } } totalCount } }", role)
    found = answer["data"]["auditEvents"]
    own = [row for row in office.rows.all("AuditEvent") if row.actor_id == office.user(role)]
    assert found["totalCount"] == len(own)
    assert {node["actor"]["id"] for node in found["nodes"]} <= {f"usr_{office.user(role).hex}"}


@pytest.mark.parametrize("role", ["ADMIN", "AUDITOR"])
async def test_the_whole_log_shows_values_of_what_is_deleted_too(office: Office, role: str) -> None:
    row = await updated(office, "probe_1")
    version = office.label("probe_1").version
    await office.do(DELETE, "ADMIN", id=typed_id(row), version=version)
    answer = await office.do(
        'query($id: ID!) { auditEvents(where: { entityId: { eq: $id }, action: { eq: "update" } }, first: 1)'
        " { nodes { changes } } }",
        role,
        id=typed_id(row),
    )
    (event,) = answer["data"]["auditEvents"]["nodes"]
    assert after(event) == NEW


async def test_who_could_restore_a_record_sees_its_history(office: Office) -> None:
    row = await updated(office, "probe_1")
    await office.do(DELETE, "ADMIN", id=typed_id(row), version=office.label("probe_1").version)
    document = HISTORY.replace("customer(id: $id)", "customer(id: $id, includeDeleted: true)")
    nodes = (await office.do(document, "MANAGER", id=typed_id(row)))["data"]["customer"]["history"]["nodes"]
    assert [node["action"] for node in nodes[:2]] == ["delete", "update"]
    assert after(nodes[1]) == NEW


async def test_the_comments_of_a_deleted_ticket_are_not_told(office: Office) -> None:
    """They are not shown on it either, to whoever could bring it back."""
    document = "{ tickets(first: 50) { nodes { id comments(first: 1) { nodes { id body internal } } } } }"
    nodes = (await office.do(document, "MANAGER"))["data"]["tickets"]["nodes"]
    id, comment = next((node["id"], *node["comments"]["nodes"]) for node in nodes if node["comments"]["nodes"])
    ticket = next(row for row in office.rows.all("Ticket") if typed_id(row) == id)
    await told(office, ticket, "Ticket", comments=comment)
    asked = "query($id: ID!) { ticket(id: $id, includeDeleted: true) { history(first: 1) { nodes { changes } } } }"

    async def shown(role: str) -> Any:
        (event,) = (await office.do(asked, role, id=id))["data"]["ticket"]["history"]["nodes"]
        return after(event)

    assert await shown("MANAGER") == await shown("ADMIN") == {"comments": comment}
    await office.connection.execute("UPDATE tickets SET deleted_at = now() WHERE id = $1", ticket.id)
    assert await shown("MANAGER") == {}
    assert await shown("ADMIN") == {"comments": comment}


async def test_where_others_acted_from_stands_in_no_history(office: Office) -> None:
    row = await updated(office, "probe_1")
    for role, told_too in (("SALES", False), ("MANAGER", False), ("INTEGRATION", False), ("AUDITOR", True)):
        found = await latest(office, role, row)
        assert all((found[name] is not None) is told_too for name in ("ip", "userAgent", "requestId")), role
    row = office.label("probe_1")
    await office.do(UPDATE, "SALES", id=typed_id(row), version=row.version, tags=["mine"])
    found = await latest(office, "SALES", row)
    assert found["ip"] is not None
    assert found["requestId"] is not None


# What is no field, or no plain one


async def test_reasons_are_for_all_who_see_the_event_other_facts_for_the_log(office: Office) -> None:
    row = office.label("probe_1")
    await told(office, row, reason="asked by phone", moved={"orders": 3})
    assert after(await latest(office, "MARKETING", row)) == {"reason": "asked by phone"}
    assert after(await latest(office, "AUDITOR", row)) == {"reason": "asked by phone", "moved": {"orders": 3}}


async def test_a_denial_shows_the_field_and_no_value(office: Office) -> None:
    row = office.label("probe_1")
    await office.do(UPDATE, "MARKETING", id=typed_id(row), version=row.version, notes="sneaked in")
    document = "{ auditEvents(first: 1, where: { outcome: { eq: DENIED } }) { nodes { action entity changes } } }"
    for role in ("MARKETING", "ADMIN"):
        (found,) = (await office.do(document, role))["data"]["auditEvents"]["nodes"]
        assert (found["action"], found["entity"], after(found)) == ("update", "Customer", {"field": "notes"})


async def test_an_id_of_what_is_out_of_sight_is_null(office: Office) -> None:
    ticket, gone = office.label("ticket_given"), office.label("contact_gone")
    seen = office.label("contact_1")
    document = "query($id: ID!) { ticket(id: $id) { history(first: 1) { nodes { changes } } } }"
    for contact, shown in ((seen, typed_id(seen)), (gone, None)):
        await told(office, ticket, "Ticket", contact=typed_id(contact), assignee=f"usr_{office.user('SALES').hex}")
        answer = await office.do(document, "SUPPORT", id=typed_id(ticket))
        (event,) = answer["data"]["ticket"]["history"]["nodes"]
        assert after(event) == {"contact": shown, "assignee": f"usr_{office.user('SALES').hex}"}
    # Whoever sees the whole log sees what was written.
    answer = await office.do(document, "AUDITOR", id=typed_id(ticket))
    assert after(answer["data"]["ticket"]["history"]["nodes"][0])["contact"] == typed_id(gone)


@pytest.mark.parametrize(
    "value", ["nonsense", "con_", "con_" + "g" * 32, "con_'; DROP TABLE customers", 7, None, ["x"]]
)
async def test_what_somebody_wrote_into_the_log_by_force_breaks_no_answer(office: Office, value: Any) -> None:
    ticket = office.label("ticket_given")
    await told(office, ticket, "Ticket", contact=value, subject=value, priority={"odd": [value]}, tags=value)
    for role in ("SUPPORT", "SALES", "AUDITOR", "MANAGER"):
        answer = await office.do("{ auditEvents { nodes { changes } } }", role)
        assert "errors" not in answer
    answer = await office.do(
        "query($id: ID!) { ticket(id: $id) { history { nodes { changes } } } }", "SUPPORT", id=typed_id(ticket)
    )
    assert "errors" not in answer


# Filters


async def test_filters_find_events(office: Office) -> None:
    row = await updated(office, "probe_1")
    (made, *_) = reversed(await office.events())
    document = "query($where: AuditEventFilter) { auditEvents(where: $where) { nodes { id } } }"
    actor = f"usr_{office.user('ADMIN').hex}"
    for where in (
        {"entityId": {"in": [typed_id(row)]}, "at": {"gte": made["at"].isoformat()}},
        {"requestId": {"eq": made["request_id"]}},
        {"actor": {"id": {"eq": actor}}, "at": {"gt": "2026-01-01T00:00:00Z"}},
        {
            "entity": {"eq": "Customer"},
            "action": {"eq": "update"},
            "outcome": {"eq": "OK"},
            "at": {"gt": "2026-01-01T00:00:00Z"},
        },
    ):
        answer = await office.do(document, "AUDITOR", where=where)
        assert answer["data"]["auditEvents"]["nodes"] == [{"id": f"aud_{made['id'].hex}"}], where


async def test_an_id_of_another_entity_finds_nothing(office: Office) -> None:
    row = await updated(office, "probe_1")
    document = "query($where: AuditEventFilter) { auditEvents(where: $where) { totalCount } }"

    async def count(**how: Any) -> int:
        answer = await office.do(document, "AUDITOR", where={"entityId": how})
        found: int = answer["data"]["auditEvents"]["totalCount"]
        return found

    every = len(await office.events())
    right, wrong = typed_id(row), f"con_{row.id.hex}"
    found = await count(eq=right)
    assert found
    assert await count(eq=wrong) == await count(**{"in": [wrong]}) == 0
    assert await count(**{"in": [wrong, right]}) == found
    assert await count(ne=wrong) == await count(notIn=[wrong]) == every
    assert await count(ne=right) == every - found


@pytest.mark.parametrize(
    "bad",
    ["", "foo_" + "0" * 32, "lin_" + "0" * 32, "cus_123", "nonsense", "CUS_" + "0" * 32, "customer_" + "1" * 32],
)
async def test_a_bad_id_is_told_with_its_place(office: Office, bad: str) -> None:
    document = "query($id: ID!) { auditEvents(where: { entityId: { eq: $id } }) { nodes { id } } }"
    answer = await office.do(document, "AUDITOR", id=bad)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["argument"] == "where.entityId.eq"


async def test_a_stranger_sees_nothing_of_the_log(office: Office) -> None:
    for document in ("{ auditEvents { totalCount } }", "{ auditVerification { ok } }"):
        answer = await office.do(document, None)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


# What must not be forgotten


def test_every_record_that_changes_has_its_place_in_the_log() -> None:
    """An entity that the log does not know would have events without ids, and values that nobody sees."""
    changing = {name: kind.prefix for name, kind in ENTITY_CLASSES.items() if issubclass(kind, Versioned)}
    assert changing.items() <= RECORDED.items()


async def test_a_stage_that_was_deleted_is_told_by_the_deals_that_were_in_it(office: Office) -> None:
    deal = office.label("deal_north")
    gone = next(row for row in office.rows.all("Stage") if row.deleted_at is not None)
    await told(office, deal, "Opportunity", stage=typed_id(gone))
    document = "query($id: ID!) { opportunity(id: $id) { history(first: 1) { nodes { changes } } } }"
    for role in ("MANAGER", "SALES", "ADMIN"):
        answer = await office.do(document, role, id=typed_id(deal))
        assert after(answer["data"]["opportunity"]["history"]["nodes"][0]) == {"stage": typed_id(gone)}


# Merged customers


async def test_the_history_of_a_survivor_tells_that_of_the_merged_ones_under_the_same_rights(office: Office) -> None:
    one, two, keep = [await updated(office, label) for label in ("probe_1", "probe_2", "probe_3")]
    merge = "mutation($keep: ID!, $ids: [ID!]!) { mergeCustomers(keepId: $keep, mergeIds: $ids) { errors { code } } }"
    unmerge = "mutation($id: ID!) { unmergeCustomer(id: $id) { errors { code } } }"

    async def history(role: str) -> dict[str, list[Any]]:
        answer = await office.do(HISTORY, role, id=typed_id(keep))
        assert "errors" not in answer, answer
        found: dict[str, list[Any]] = {}
        shown = answer["data"]["customer"]["history"]
        assert shown["totalCount"] == len(shown["nodes"])
        for node in shown["nodes"]:
            found.setdefault(node["entityId"], []).append(node)
        return found

    async def updates(role: str) -> dict[str, dict[str, Any]]:
        found = await history(role)
        return {id: after(next(n for n in nodes if n["action"] == "update")) for id, nodes in found.items()}

    ids = [typed_id(row) for row in (keep, one, two)]
    alone = await history("ADMIN")
    assert set(alone) == {ids[0]}
    for row in (one, two):
        answer = await office.do(merge, "ADMIN", keep=ids[0], ids=[typed_id(row)])
        assert answer["data"]["mergeCustomers"]["errors"] == []
    assert await updates("ADMIN") == await updates("AUDITOR") == dict.fromkeys(ids, NEW)
    masks = {**MASKED, "tags": ["x"]}
    assert await updates("MARKETING") == dict.fromkeys(ids, masks)
    assert await updates("SUPPORT") == dict.fromkeys(ids, NEW), "Somebody gave it a ticket of the survivor."
    await office.connection.execute("UPDATE tickets SET status = 'CLOSED' WHERE customer_id = $1", keep.id)
    assert await updates("SUPPORT") == dict.fromkeys(ids, masks)
    answer = await office.do(unmerge, "ADMIN", id=ids[1])
    assert answer["data"]["unmergeCustomer"]["errors"] == []
    assert set(await updates("ADMIN")) == {ids[0], ids[2]}
