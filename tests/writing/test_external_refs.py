"""What records are called in other systems: a change of the record, and unique among those that are not deleted."""

from typing import Any

import pytest

from tests.oracle.rows import typed_id
from tests.writing.calls import call, codes
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

SHOWN = "id version externalRefs { system id }"
REF = {"system": "till", "id": "42"}
CREATE = {
    "Customer": lambda _: {"name": "A"},
    "Product": lambda _: {"sku": "REF-A", "name": "A", "price": {"amount": "1.00"}},
    "Contact": lambda office: {"customerId": typed_id(office.label("probe_1")), "firstName": "A", "lastName": "B"},
    "Opportunity": lambda office: {
        "customerId": typed_id(office.label("probe_1")),
        "name": "A",
        "amount": {"amount": "1.00"},
    },
    "Ticket": lambda office: {
        "customerId": typed_id(office.label("probe_1")),
        "subject": "A",
        "kind": "INQUIRY",
        "channel": "EMAIL",
    },
}


async def make(office: Office, entity: str, **more: Any) -> Any:
    given = {**CREATE[entity](office), "externalRefs": [REF], **more}
    return await call(office, f"create{entity}", show=SHOWN, input=given)


async def made(office: Office, entity: str, **more: Any) -> Any:
    payload = await make(office, entity, **more)
    assert payload["errors"] == []
    return payload[entity[0].lower() + entity[1:]]


@pytest.mark.parametrize("entity", CREATE)
async def test_other_references_alone_are_another_version(office: Office, entity: str) -> None:
    record, field = await made(office, entity), f"update{entity}"
    other = {"system": "web", "id": "7"}
    payload = await call(office, field, show=SHOWN, id=record["id"], version=1, input={"externalRefs": [REF, other]})
    changed = payload[entity[0].lower() + entity[1:]]
    assert (changed["version"], changed["externalRefs"]) == (2, [REF, other])
    event, posted = (await office.events())[-1], (await office.posted())[-1]
    assert event["record_version"] == posted["record_version"] == 2
    stale = await call(office, field, show=SHOWN, id=record["id"], version=1, input={"externalRefs": []})
    assert codes(stale) == [("externalRefs", "CONFLICT")]
    assert stale["errors"][0]["current"] == {"externalRefs": [REF, other]}
    same = await call(office, field, show=SHOWN, id=record["id"], version=2, input={"externalRefs": [other, REF]})
    assert same[entity[0].lower() + entity[1:]]["version"] == 2, "The same ones are no change."


@pytest.mark.parametrize("entity", CREATE)
async def test_a_deleted_record_leaves_its_references_to_others(office: Office, entity: str) -> None:
    more = {"sku": "REF-B"} if entity == "Product" else {}
    old = await made(office, entity)
    assert codes(await make(office, entity, **more)) == [("input.externalRefs", "UNIQUE")]
    await call(office, f"delete{entity}", show="id", id=old["id"], version=1)
    new = await made(office, entity, **more)
    back = await call(office, f"restore{entity}", show="id", id=old["id"])
    assert codes(back) == [("id", "UNIQUE")]
    assert back["errors"][0]["params"] == {"field": "externalRefs"}
    assert "externalRefs" in back["errors"][0]["message"]
    await call(office, f"update{entity}", show="id", id=new["id"], version=1, input={"externalRefs": []})
    assert codes(await call(office, f"restore{entity}", show="id", id=old["id"])) == []
    assert codes(await make(office, entity, **({"sku": "REF-C"} if more else {}))) == [("input.externalRefs", "UNIQUE")]


async def test_in_bulk_too(office: Office) -> None:
    old = await made(office, "Customer")
    await call(office, "deleteCustomer", show="id", id=old["id"], version=1)
    document = "mutation($rows: [CreateCustomerInput!]!) { bulkCreateCustomers(rows: $rows) { count errors { code } } }"
    rows = [{"name": "B", "externalRefs": [REF]}]
    answer = await office.do(document, "ADMIN", rows=rows)
    assert answer["data"]["bulkCreateCustomers"] == {"count": 1, "errors": []}


async def test_a_merge_moves_the_references_of_the_merged_one_alone(office: Office) -> None:
    """A deleted customer was called the same, and keeps its own."""
    deleted = await made(office, "Customer")
    await call(office, "deleteCustomer", show="id", id=deleted["id"], version=1)
    merged, kept = await made(office, "Customer"), office.label("probe_1")
    document = (
        "mutation($keep: ID!, $ids: [ID!]!) { mergeCustomers(keepId: $keep, mergeIds: $ids) { errors { code } } }"
    )
    answer = await office.do(document, "ADMIN", keep=typed_id(kept), ids=[merged["id"]])
    assert answer["data"]["mergeCustomers"]["errors"] == []
    held = "SELECT 'cus_' || replace(record_id::text, '-', '') FROM external_refs WHERE system = 'till' AND live = $1"
    assert await office.connection.fetchval(held, True) == typed_id(kept)
    assert await office.connection.fetchval(held, False) == deleted["id"]
    answer = await office.do(
        "mutation($id: ID!) { unmergeCustomer(id: $id) { errors { code } } }", "ADMIN", id=merged["id"]
    )
    assert answer["data"]["unmergeCustomer"]["errors"] == []
    assert await office.connection.fetchval(held, True) == merged["id"]
