"""Every mutation by every role, the stranger first: what is granted works and is on record once, what is not changes
nothing and is on record as denied."""

from typing import Any

import pytest

from tests.fingerprint import fingerprint
from tests.matrix import CALLERS
from tests.oracle.rows import Row
from tests.writing.bulk import DEEDS as BULK
from tests.writing.contacts import DEEDS as CONTACTS
from tests.writing.customers import DEEDS as CUSTOMERS
from tests.writing.deeds import Deed, Office
from tests.writing.exports import DEEDS as EXPORTS
from tests.writing.opportunities import DEEDS as OPPORTUNITIES
from tests.writing.orders import DEEDS as ORDERS
from tests.writing.people import DEEDS as PEOPLE
from tests.writing.products import DEEDS as PRODUCTS
from tests.writing.rates import DEEDS as RATES
from tests.writing.sla import DEEDS as SLA
from tests.writing.stages import DEEDS as STAGES
from tests.writing.tickets import DEEDS as TICKETS
from tests.writing.tokens import DEEDS as TOKENS

pytestmark = pytest.mark.anyio

DEEDS = (
    *BULK,
    *CONTACTS,
    *CUSTOMERS,
    *EXPORTS,
    *OPPORTUNITIES,
    *ORDERS,
    *PEOPLE,
    *PRODUCTS,
    *RATES,
    *SLA,
    *STAGES,
    *TICKETS,
    *TOKENS,
)


async def refused(office: Office, deed: Deed, role: str | None, row: Row, code: str) -> None:
    """The deed is refused at the top level, changes nothing, and one denial is on record."""
    before, known = await fingerprint(office.connection), len(await office.events())
    answer = await office.do(deed.document, role, **deed.variables(office, row))
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code], answer
    assert answer["data"] is None
    assert await fingerprint(office.connection) == before
    (denial,) = (await office.events())[known:]
    assert denial["outcome"] == "DENIED"
    assert denial["actor_id"] == (None if role is None else office.user(role))
    if role is not None:
        assert (denial["entity"], denial["action"]) == (deed.entity, deed.action)


async def unseen(office: Office, deed: Deed, role: str, row: Row) -> None:
    """For a row that the caller does not see, the deed answers that there is none, and nothing is done."""
    before = await fingerprint(office.connection)
    answer = await office.do(deed.document, role, **deed.variables(office, row))
    assert "errors" not in answer, answer
    assert "NOT_FOUND" in [error["code"] for error in answer["data"][deed.field]["errors"]], answer
    assert await fingerprint(office.connection) == before


async def done(office: Office, deed: Deed, role: str, row: Row) -> dict[str, Any]:
    """The deed is done, and on record once."""
    known, posted = len(await office.events()), len(await office.posted())
    answer = await office.do(deed.document, role, **deed.variables(office, row))
    assert "errors" not in answer, answer
    payload: dict[str, Any] = answer["data"][deed.field]
    assert payload["errors"] == [], payload
    events = (await office.events())[known:]
    assert len(events) == deed.events, events
    entity, action = deed.recorded or (deed.entity, deed.action)
    for event in events[:1]:
        assert (event["entity"], event["action"], event["outcome"]) == (entity, action, "OK")
        assert event["actor_id"] == office.user(role)
    expected = [event["id"] for event in events] if deed.posted else []
    assert [each["event_id"] for each in (await office.posted())[posted:]] == expected
    return payload


@pytest.mark.parametrize("deed", DEEDS, ids=str)
async def test_by_every_role(office: Office, deed: Deed) -> None:
    assert deed.candidates(office), "no row suits"
    some = deed.candidates(office)[0]
    await refused(office, deed, None, some, "UNAUTHENTICATED")
    worked = 0
    for role in CALLERS:
        rule, rights, rows = deed.grant(role), office.rights(role), deed.candidates(office)
        if rule is None:
            # Those before may have left none to which it could still be done.
            await refused(office, deed, role, rows[0] if rows else some, "FORBIDDEN")
            continue
        for row in rows:
            if not (rights.restorable(row) if deed.deleted else rights.visible(row)):
                await unseen(office, deed, role, row)
                break
        covered = next((row for row in rows if deed.covers(rights, row, rule)), None)
        if covered is not None:
            await done(office, deed, role, covered)
            await office.look()
            worked += 1
    assert worked >= 1


PASSWORDS = {"changePassword", "requestPasswordReset", "resetPassword"}
"""They need no grant; tests/identity tries them."""

SESSIONS = {"signIn", "refreshSession", "signOut", "signOutEverywhere", "impersonateUser"} | {
    "enrolSecondFactor",
    "confirmSecondFactor",
    "renewRecoveryCodes",
    "disableSecondFactor",
    "resetSecondFactor",
}
"""What is done about sessions is tried in tests/sessions."""


def test_every_mutation_is_tried() -> None:
    from tests.matrix import SCHEMA

    assert SCHEMA.mutation_type is not None
    assert {deed.field for deed in DEEDS} == set(SCHEMA.mutation_type.fields) - SESSIONS - PASSWORDS
