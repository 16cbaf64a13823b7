"""The API as a client reaches it: GraphQL over ASGI, on a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from app.logs import configure_logs
from app.main import Server, create_app
from app.settings import Settings
from tests.sharing import share

SECRET = "a secret for tests, long enough for all"


class Api:
    """A client of one running application."""

    def __init__(self, server: Server, client: httpx.AsyncClient) -> None:
        self.server = server
        self.client = client

    def token(self, user: UUID) -> str:
        """An access token of that user's standing session (see conftest)."""
        return self.server.tokens.sign(user, user)[0]

    async def send(
        self,
        document: str,
        variables: Any = None,
        name: str | None = None,
        user: UUID | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """The HTTP response to an operation, under an Idempotency-Key where one is given."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        body = {"query": document, "variables": variables, "operationName": name}
        return await self.client.post("/graphql", json=body, headers=headers)

    async def post(
        self,
        document: str,
        variables: Any = None,
        name: str | None = None,
        user: UUID | None = None,
        key: str | None = None,
    ) -> Any:
        """The JSON answer to an operation."""
        return (await self.send(document, variables, name, user, key)).json()


@asynccontextmanager
async def open_api(url: str, *, cold: bool = False, **settings: Any) -> AsyncIterator[Api]:
    """The application on the database of ``url``, with these settings; a cold one has kept nothing yet."""
    given = {"budget_points": 0, "budget_token_points": 0, "budget_stranger_points": 0, "access_log": False}
    given |= {"data_dir": Path("/nonexistent"), "secret": SECRET, "database_url": url, "keeper": False, **settings}
    made = Settings(**given)
    configure_logs(made)
    app = create_app(made, url)
    async with app.router.lifespan_context(app):
        if not cold:
            share(app.state.server, made)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://rapport.test") as client:
            yield Api(app.state.server, client)
