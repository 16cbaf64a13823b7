"""What a token may do is explained by its scopes too, and a token learns nothing of what its owner may do besides."""

from typing import Any

import pytest

from tests.identity.test_explain import EXPLAIN
from tests.identity.test_tokens import REVOKE, make, through
from tests.writing.deeds import Office

pytestmark = pytest.mark.anyio

OF_TOKEN = EXPLAIN.replace("$user: ID", "$token: ID").replace("userId: $user", "tokenId: $token")


async def explain(office: Office, role: str, token: str, entity: str, action: str, **more: Any) -> Any:
    answer = await office.do(OF_TOKEN, role, token=token, entity=entity, action=action, **more)
    return answer if "errors" in answer else answer["data"]["explainAccess"]


async def by_token(office: Office, secret: str, document: str, **variables: Any) -> Any:
    return await through(office.api, secret, document, **variables)


async def test_the_scopes_narrow_and_are_told(office: Office) -> None:
    id, _ = await make(office, "SALES", "customer:read", "order:*")
    for entity, action, allowed in (
        ("Customer", "read", True),
        ("Order", "cancel", True),
        ("Customer", "update", False),
    ):
        assert (await explain(office, "SALES", id, entity, action))["allowed"] is allowed, action
    found = await explain(office, "SALES", id, "Customer", "update")
    assert found["steps"][2] == {"rule": "token", "holds": True, "detail": "The token Test is good."}
    assert found["steps"][-1] == {
        "rule": "scopes",
        "holds": False,
        "detail": "SALES has the grant to update Customer, but none of the token's scopes is customer:update:"
        " customer:read, order:*.",
    }
    found = await explain(office, "SALES", id, "Order", "refund")
    assert found["steps"][-1]["rule"] == "grant", "No scope adds what the role has not."


async def test_a_token_that_was_revoked_may_do_nothing(office: Office) -> None:
    id, _ = await make(office, "SALES", "customer:read")
    await office.do(REVOKE, "SALES", id=id)
    found = await explain(office, "SALES", id, "Customer", "read")
    assert not found["allowed"]
    assert found["steps"][2] == {"rule": "token", "holds": False, "detail": "The token Test was revoked."}


async def test_a_token_explains_itself_and_not_its_owner(office: Office) -> None:
    """Otherwise a token for orders would learn which customers its owner sees."""
    _, secret = await make(office, "ADMIN", "order:read")
    probe = f"cus_{office.ids['probe_1'].hex}"
    asked = {"entity": "Customer", "action": "read", "id": probe}
    found = (await by_token(office, secret, EXPLAIN, **asked))["data"]["explainAccess"]
    assert not found["allowed"]
    assert found["steps"][-1]["rule"] == "scopes"
    answer = await by_token(office, secret, EXPLAIN, **asked, user=f"usr_{office.user('ADMIN').hex}")
    said = answer["errors"][0]["extensions"]
    assert (said["code"], said["entity"], said["action"]) == ("FORBIDDEN", "User", "explain")


async def test_tokens_of_others_are_for_who_may_explain(office: Office) -> None:
    id, _ = await make(office, "SALES", "customer:read")
    nothing = f"tok_{'0' * 32}"
    for role in ("ADMIN", "AUDITOR"):
        assert (await explain(office, role, id, "Customer", "read"))["allowed"]
        answer = await explain(office, role, nothing, "Customer", "read")
        assert answer["errors"][0]["extensions"]["argument"] == "tokenId"
    for role in ("MANAGER", "SUPPORT", "INTEGRATION"):
        for token in (id, nothing):
            answer = await explain(office, role, token, "Customer", "read")
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_user_and_a_token_at_once_are_refused(office: Office) -> None:
    document = "{ explainAccess(userId: %s, tokenId: %s, entity: %s, action: %s) { allowed } }"
    both = document % (f'"usr_{"0" * 32}"', f'"tok_{"0" * 32}"', '"Customer"', '"read"')
    answer = await office.do(both, "ADMIN")
    assert answer["errors"][0]["extensions"]["argument"] == "tokenId"
