"""A denial, and the proof that nothing came of it."""

from typing import Any

from tests.fingerprint import fingerprint
from tests.writing.calls import call
from tests.writing.deeds import Office


async def denied(office: Office, field: str, role: str = "ADMIN", **arguments: Any) -> dict[str, Any]:
    """What a mutation that is FORBIDDEN says; nothing has changed, and the denial is on record."""
    before, known = await fingerprint(office.connection), len(await office.events())
    answer = await call(office, field, role, **arguments)
    assert "errors" in answer, answer
    assert "code" not in answer["errors"][0], answer
    assert answer["data"] is None
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN", error
    assert await fingerprint(office.connection) == before
    (event,) = (await office.events())[known:]
    assert (event["outcome"], event["actor_id"]) == ("DENIED", office.user(role))
    return {"message": error["message"], **error["extensions"]}


async def refused(office: Office, field: str, role: str = "ADMIN", **arguments: Any) -> Any:
    """The payload of a mutation that has problems; nothing has changed, and nothing is on record."""
    before, known = await fingerprint(office.connection), len(await office.events())
    payload = await call(office, field, role, **arguments)
    assert payload.get("errors"), payload
    assert "code" in payload["errors"][0], payload
    assert await fingerprint(office.connection) == before
    assert len(await office.events()) == known
    return payload
