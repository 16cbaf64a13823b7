"""Another secret: nobody is signed out by it, and nobody stays whose key is given up."""

import pytest

from app.secret import WeakSecretError, audit_secrets, former_secrets
from app.settings import Settings
from auth.tokens import AccessTokens
from tests.api import SECRET, open_api
from tests.sessions.office import REFRESH, STAGES, Office, refused

pytestmark = pytest.mark.anyio

NEW, NEWEST = "another secret, and as long as it has to be", "the newest secret, and as long as it has to be"


async def test_a_new_secret_signs_nobody_out(office: Office) -> None:
    tokens = await office.sign_in("SALES")
    headers = {"authorization": f"Bearer {tokens.access}"}
    for secret, former in ((NEW, (SECRET,)), (NEWEST, (NEW, SECRET))):
        async with open_api(office.url, secret=secret, former_secrets=former) as api:
            assert "errors" not in (await api.client.post("/graphql", json={"query": STAGES}, headers=headers)).json()
            body = {"query": REFRESH, "variables": {"token": tokens.refresh}}
            said = (await api.client.post("/graphql", json=body)).json()["data"]["refreshSession"]
            assert said["errors"] == []
            tokens = tokens._replace(refresh=said["refreshToken"])
            newer = {"authorization": f"Bearer {said['accessToken']}"}
            assert "errors" not in (await api.client.post("/graphql", json={"query": STAGES}, headers=newer)).json()
    # What is signed now is signed by the newest: once the others are given up, it alone is good.
    async with open_api(office.url, secret=NEWEST) as api:
        assert "errors" not in (await api.client.post("/graphql", json={"query": STAGES}, headers=newer)).json()
        answer = (await api.client.post("/graphql", json={"query": STAGES}, headers=headers)).json()
        assert refused(answer) == [("UNAUTHENTICATED", "invalid")]


async def test_a_key_that_is_named_is_the_one_that_counts(office: Office) -> None:
    """Whoever knows one former secret cannot pass it off under the name of another key."""
    user = office.people["SALES"]
    stranger = AccessTokens("a secret of nobody, as long as it has to be", 600)
    ours = AccessTokens(SECRET, 600, (NEW,))
    stranger._kid = ours._kid
    answer = await office.ask(STAGES, stranger.sign(user, user)[0])
    assert refused(answer) == [("UNAUTHENTICATED", "invalid")]
    stranger._kid = "unknown"
    assert refused(await office.ask(STAGES, stranger.sign(user, user)[0])) == [("UNAUTHENTICATED", "invalid")]
    assert ours.verify(AccessTokens(NEW, 600).sign(user, user)[0]).principal.user_id == user
    assert ours.verify(ours.sign(user, user)[0]).principal.user_id == user


def test_former_secrets_are_no_weaker_and_still_open_the_log() -> None:
    with pytest.raises(WeakSecretError, match="former secret has 5 characters"):
        former_secrets(Settings(secret=NEW, former_secrets=("short",)))
    assert audit_secrets(Settings(secret=NEW, former_secrets=(SECRET,))) == [NEW, SECRET]
