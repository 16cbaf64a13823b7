"""The commands of API tokens: create, list, revoke; for scripts, and for tokens that nobody has signed in for."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import asyncpg
import typer
from rich.table import Table

from app.commands import console, origin, with_database
from app.db.ids import print_id, split_id
from app.db.writers import open_writers
from app.domain import api_tokens
from app.domain.api_tokens import Bounds, Secret
from app.domain.given import Given
from app.domain.problems import RefusedError
from app.domain.work import Actor, Shop, Work
from app.mistakes import UserMistakeError
from app.models import ApiToken
from app.models.base import utcnow
from app.models.enums import RowScope
from app.settings import get_settings
from auth import token_scopes, token_secrets
from auth.flush import flush

token_app = typer.Typer(no_args_is_help=True, help="Keep API tokens.")
T = TypeVar("T")


def _with_connection(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    async def run(url: str) -> T:
        writers = open_writers(url, get_settings())
        try:
            async with writers.transaction() as connection:
                return await work(connection)
        except RefusedError as error:
            raise UserMistakeError(" ".join(problem.message for problem in error.problems)) from None
        finally:
            await writers.close()

    return with_database(run)


@token_app.command(name="create")
def token_create(
    email: Annotated[str, typer.Argument(help="The email of the user in whose place it acts.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, such as customer:read or order:*; several times.")],
    expires: Annotated[str | None, typer.Option(help="A day or moment of ISO 8601, in UTC without a zone.")] = None,
    allow_ip: Annotated[
        list[str] | None, typer.Option(help="An address or network from which it is good; several times.")
    ] = None,
) -> None:
    """Make a token. Its secret is printed once, alone on a line."""
    secret = Secret(token_secrets.new_secret, token_secrets.secret_hash, token_secrets.shown)
    bounds = Bounds(None, token_scopes.problem_of, token_scopes.covers)
    values = {"name": name, "scopes": scope, "expires_at": _moment(expires), "allowed_ips": allow_ip or []}

    async def run(connection: asyncpg.Connection) -> None:
        owner = await connection.fetchrow("SELECT id, active FROM users WHERE lower(email) = lower($1)", email)
        if owner is None:
            raise UserMistakeError(f"There is no user with the email {email}.")
        if not owner["active"]:
            raise UserMistakeError(f"{email} is not active, and so would no token be.")
        given = Given(values, path=(), options={"secret": secret, "bounds": bounds})
        await _do(
            connection, "create", UUID(bytes=owner["id"].bytes), lambda work: api_tokens.create(work, None, given)
        )

    _with_connection(run)
    typer.echo(secret.value)


@token_app.command(name="list")
def token_list(owner: Annotated[str | None, typer.Option(help="Those of one user, by email.")] = None) -> None:
    """List the tokens, the newest first."""

    async def run(connection: asyncpg.Connection) -> list[Any]:
        found: list[Any] = await connection.fetch(
            "SELECT t.*, u.email FROM api_tokens t JOIN users u ON u.id = t.owner_id"
            " WHERE $1::text IS NULL OR lower(u.email) = lower($1) ORDER BY t.created_at DESC, t.id DESC",
            owner,
        )
        return found

    table = Table()
    for column in ("id", "name", "begins", "owner", "scopes", "last used", "state"):
        table.add_column(column, overflow="fold")
    for row in _with_connection(run):
        ended = row["expires_at"] is not None and row["expires_at"] <= utcnow()
        state = "revoked" if row["revoked_at"] else "expired" if ended else "good"
        used = row["last_used_at"].isoformat(" ", "minutes") if row["last_used_at"] else "never"
        id = print_id(ApiToken.prefix, row["id"])
        table.add_row(id, row["name"], row["beginning"], row["email"], " ".join(row["scopes"]), used, state)
    console.print(table)


@token_app.command(name="revoke")
def token_revoke(id: Annotated[str, typer.Argument(help="The id of the token: tok_ and 32 digits.")]) -> None:
    """End a token: the next request with it is refused."""
    split = split_id(id)
    if split is None or split[0] != ApiToken.prefix:
        raise UserMistakeError(f"{id!r} is not the id of a token; rapport token list shows them.")

    async def run(connection: asyncpg.Connection) -> None:
        async def revoke(work: Work) -> ApiToken:
            found = await work.find(ApiToken, "WHERE id = $1 FOR NO KEY UPDATE", split[1])
            if not found:
                raise UserMistakeError(f"There is no token {id}; rapport token list shows them.")
            return await api_tokens.revoke(work, found[0], Given({}))

        await _do(connection, "revoke", None, revoke)

    _with_connection(run)
    console.print(f"Revoked {id}.")


async def _do(
    connection: asyncpg.Connection, action: str, user_id: UUID | None, rule: Callable[[Work], Awaitable[ApiToken]]
) -> None:
    """Do it as the gate does, with its events; the connection is in a transaction."""
    settings = get_settings()
    actor = Actor(user_id, None, RowScope.ALL)
    work = Work(connection, actor, Shop(settings.shop_currency, settings.shop_timezone), utcnow())
    token = await rule(work)
    await flush(connection, work, origin(f"token {action}"), action, token)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserMistakeError(
            f"{text!r} is not a day or moment such as 2027-01-31 or 2027-01-31T12:00+01:00."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
