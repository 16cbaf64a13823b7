"""An office of one user for each role, with passwords, and two applications on its database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx

from app.db.ids import new_id
from auth.passwords import hash_now
from auth.policy import POLICY
from tests.api import Api, open_api

PASSWORD = "correct horse battery staple"
HASHED = hash_now(PASSWORD)
PAYLOAD = "accessToken refreshToken expiresAt user { id name } errors { field code message }"
SIGN_IN = (
    f"mutation($email: String!, $password: String!) {{ signIn(email: $email, password: $password) {{ {PAYLOAD} }} }}"
)
REFRESH = f"mutation($token: String) {{ refreshSession(refreshToken: $token) {{ {PAYLOAD} }} }}"
SIGN_OUT = "mutation { signOut { done errors { field code } } }"
EVERYWHERE = "mutation($id: ID) { signOutEverywhere(userId: $id) { done errors { field code } } }"
MAKE_STAGE = (
    'mutation { createStage(input: {name: "Late", kind: OPEN, position: 99, probability: 5}) { errors { code } } }'
)
WHO = "{ viewer { user { name } } }"
STAGES = "{ stages { id } }"


class Tokens(NamedTuple):
    """What a sign-in gave."""

    access: str
    refresh: str


@dataclass
class Office:
    """One user for each role, named by it; the connection sees everything."""

    url: str
    db: asyncpg.Connection
    apis: list[Api]
    people: dict[str, UUID]

    async def send(
        self, document: str, variables: Any = None, token: str | None = None, api: int = 0, **headers: str
    ) -> httpx.Response:
        """The response of one of the applications."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        body = {"query": document, "variables": variables}
        return await self.apis[api].client.post("/graphql", json=body, headers=headers)

    async def ask(self, document: str, token: str | None = None, variables: Any = None, api: int = 0) -> Any:
        """The answer of one of the applications."""
        return (await self.send(document, variables, token, api)).json()

    async def sign_in(self, who: str, api: int = 0) -> Tokens:
        """A new session."""
        answer = await self.ask(SIGN_IN, variables={"email": f"{who}@shop.example", "password": PASSWORD}, api=api)
        said = answer["data"]["signIn"]
        assert said["errors"] == [], said
        return Tokens(said["accessToken"], said["refreshToken"])

    async def refresh(self, token: str | None, api: int = 0) -> Any:
        """The payload of a renewal."""
        return (await self.ask(REFRESH, variables={"token": token}, api=api))["data"]["refreshSession"]

    async def id(self, token: str) -> UUID:
        """The id of the session of an access token."""
        found = self.apis[0].server.tokens.verify(token).principal.session_id
        assert found is not None
        return found

    async def events(self, action: str) -> list[asyncpg.Record]:
        """The audit events of that action, in order."""
        found: list[asyncpg.Record] = await self.db.fetch(
            "SELECT *, changes::text AS told FROM audit_events WHERE action = $1 ORDER BY position", action
        )
        return found

    def typed(self, who: str) -> str:
        """The id of a user as the API has it."""
        return f"usr_{self.people[who].hex}"


@asynccontextmanager
async def open_office(server: Any, migrated: str, **settings: Any) -> AsyncIterator[Office]:
    """An office of its own for a test."""
    url = await server.copy(migrated)
    db = await asyncpg.connect(url)
    try:
        people = {}
        team = new_id()
        await db.execute("INSERT INTO teams (id, name) VALUES ($1, 'North')", team)
        names = [*POLICY, "ADMIN2", "SALES2"]
        for name in names:
            people[name] = new_id()
            await db.execute(
                "INSERT INTO users (id, name, email, role_id, team_id, password_hash)"
                " VALUES ($1, $2, $3, (SELECT id FROM roles WHERE name = $4), $5, $6)",
                people[name],
                name,
                f"{name}@shop.example",
                name.rstrip("2"),
                team,
                HASHED,
            )
        async with open_api(url, **settings) as one, open_api(url, **{**settings, "shortcut": False}) as two:
            yield Office(url, db, [one, two], people)
    finally:
        await db.close()
        await server.drop(url)


def refused(answer: Any) -> list[tuple[str, Any]]:
    """Code and reason of each top-level error of an answer without data."""
    assert not any((answer.get("data") or {}).values()), answer
    return [(error["extensions"]["code"], error["extensions"].get("reason")) for error in answer["errors"]]


def signed_in(answer: Any, who: str) -> bool:
    """Whether an answer to WHO is that user's."""
    assert answer["data"]["viewer"]["user"]["name"] == who, answer
    return "errors" not in answer
