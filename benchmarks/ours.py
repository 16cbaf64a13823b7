"""(a) This server: how it is started, the tokens of its users, and the statements that it runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from app.main import create_app
from app.reading.spread import Spread
from app.settings import Settings
from auth.tokens import AccessTokens
from benchmarks.operations import User
from benchmarks.statements import Run

SECRET = "only for measuring, on a database of demo data"
ENVIRONMENT = {
    "RAPPORT_SECRET": SECRET,
    "RAPPORT_WORKERS": "1",
    # Budgets are counted, and are as good as endless; requests are logged, to where nobody looks.
    "RAPPORT_BUDGET_POINTS": "1000000000",
    "RAPPORT_BUDGET_RESTORE": "1000000000",
}
COMMAND = [str(Path(sys.executable).with_name("rapport")), "serve"]


def tokens(users: Sequence[User]) -> dict[User, str]:
    """An access token for each user's session, good for longer than the benchmark takes; (b) takes the same ones."""
    signer = AccessTokens(SECRET, 6 * 3600)
    return {user: signer.sign(user.id, user.id)[0] for user in users}


async def statements_of(url: str, requests: Sequence[tuple[bytes, str]]) -> list[Run]:
    """The statements with their arguments that this server runs for requests, given as bodies with their tokens, and
    how it has them planned."""
    app = create_app(Settings(secret=SECRET), url)
    runs: list[Run] = []
    async with app.router.lifespan_context(app):
        reader = app.state.server.reader
        reader.spread = await Spread.of(reader.lanes)
        fetch = reader.fetch

        async def noting(statement: Any, arguments: Sequence[Any]) -> Any:
            runs.append((statement.sql, tuple(arguments), not reader.spread.ordinary(statement, arguments)))
            return await fetch(statement, arguments)

        reader.fetch = noting
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ours") as client:
            for body, token in requests:
                headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                (await client.post("/graphql", content=body, headers=headers)).raise_for_status()
    return runs
