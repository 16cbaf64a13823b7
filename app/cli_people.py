"""``rapport user`` and ``rapport role``: looking at users and roles, and what must work when nobody can sign in."""

from collections.abc import Mapping
from typing import Annotated, Any

import asyncpg
import typer
from rich.table import Table

from app.commands import console, origin, with_database
from app.db.ids import print_id
from app.domain.grants import Wanted, WantedField
from app.mistakes import UserMistakeError
from app.models import Role, User
from app.models.base import utcnow
from app.models.enums import FieldAccess, RowScope
from app.names import normal_email
from auth.audit import Changes, event
from auth.audit_log import write_events

role_app = typer.Typer(no_args_is_help=True, help="Look at roles.")

_USERS = """
    SELECT u.email, u.name, r.name AS role, t.name AS team, u.active, u.last_login_at
    FROM users u JOIN roles r ON r.id = u.role_id LEFT JOIN teams t ON t.id = u.team_id
    ORDER BY u.email COLLATE "C"
"""
_USER = """
    SELECT u.id, u.version, u.active, u.role_id, r.name AS role FROM users u JOIN roles r ON r.id = u.role_id
    WHERE lower(u.email) = lower($1) FOR NO KEY UPDATE OF u
"""
_ROLES = """
    SELECT r.name, r.built_in, r.description, count(u.id) AS users FROM roles r LEFT JOIN users u ON u.role_id = r.id
    GROUP BY r.id ORDER BY r.name COLLATE "C"
"""
_GRANTS = """
    SELECT g.entity, g.action, g.rows, f.field, f.access, f.on_rows, f.otherwise FROM roles r
    JOIN grants g ON g.role_id = r.id LEFT JOIN field_grants f ON f.grant_id = g.id
    WHERE r.name = $1 ORDER BY g.entity COLLATE "C", g.action COLLATE "C", f.position
"""
ADMIN_LEFT = "users_have_an_admin"
"""The constraint that the last active admin stays."""

Email = Annotated[str, typer.Argument(help="The email of the user.")]


def user_list() -> None:
    """List all users."""

    async def run(url: str) -> None:
        table = Table("email", "name", "role", "team", "active", "last sign-in")
        for row in await _fetch(url, _USERS):
            seen = row["last_login_at"].isoformat(timespec="seconds") if row["last_login_at"] else "never"
            active = "yes" if row["active"] else "no"
            table.add_row(row["email"], row["name"], row["role"], row["team"] or "", active, seen)
        console.print(table)

    with_database(run)


def user_activate(email: Email) -> None:
    """Let a user in again."""
    _change(email, "activate", {"active": True})


def user_deactivate(email: Email) -> None:
    """Let a user in no longer, and end its sessions. The last active ADMIN stays."""
    _change(email, "deactivate", {"active": False})


def user_role(email: Email, role: Annotated[str, typer.Argument(help="The role's name, such as ADMIN.")]) -> None:
    """Give a user another role."""
    _change(email, "update", {"role": role})


@role_app.command(name="list")
def role_list() -> None:
    """List all roles."""

    async def run(url: str) -> None:
        table = Table("role", "built in", "users", "what for")
        for row in await _fetch(url, _ROLES):
            table.add_row(row["name"], "yes" if row["built_in"] else "no", str(row["users"]), row["description"] or "")
        console.print(table)

    with_database(run)


@role_app.command(name="show")
def role_show(name: Annotated[str, typer.Argument(help="The role's name.")]) -> None:
    """Print what a role may do, one grant a line."""

    async def run(url: str) -> None:
        grants: dict[tuple[str, str], Wanted] = {}
        fields: dict[tuple[str, str], dict[str, WantedField]] = {}
        for row in await _fetch(url, _GRANTS, name):
            key = (row["entity"], row["action"])
            of = fields.setdefault(key, {})
            grants.setdefault(key, Wanted(*key, RowScope(row["rows"]), of))
            if row["field"] is not None:
                access, on_rows, otherwise = row["access"], row["on_rows"], row["otherwise"]
                of[row["field"]] = WantedField(FieldAccess(access), RowScope(on_rows), FieldAccess(otherwise))
        if not grants:
            known = [row["name"] for row in await _fetch(url, _ROLES)]
            if name not in known:
                raise UserMistakeError(f"There is no role {name!r}; there are: {', '.join(known)}.")
        for each in grants.values():
            typer.echo(str(each))

    with_database(run)


async def _fetch(url: str, statement: str, *arguments: Any) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        found: list[Any] = await connection.fetch(statement, *arguments)
        return found
    finally:
        await connection.close()


def _change(email: str, action: str, wanted: Mapping[str, Any]) -> None:
    async def run(url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                await _write(connection, email, action, wanted)
        except asyncpg.CheckViolationError as error:
            if error.constraint_name != ADMIN_LEFT:
                raise
            raise UserMistakeError(f"{email} is the last active ADMIN: give the role to somebody else first.") from None
        finally:
            await connection.close()
        console.print(f"Changed {email}.")

    with_database(run)


async def _write(connection: asyncpg.Connection, email: str, action: str, wanted: Mapping[str, Any]) -> None:
    user = await connection.fetchrow(_USER, normal_email(email))
    if user is None:
        raise UserMistakeError(f"There is no user with the email {email}.")
    changes: Changes = {}
    active, role_id = wanted.get("active", user["active"]), user["role_id"]
    if active != user["active"]:
        changes["active"] = {"before": user["active"], "after": active}
    if "role" in wanted:
        role_id = await connection.fetchval("SELECT id FROM roles WHERE name = $1 FOR KEY SHARE", wanted["role"])
        if role_id is None:
            known = ", ".join(row["name"] for row in await connection.fetch(_ROLES))
            raise UserMistakeError(f"There is no role {wanted['role']!r}; there are: {known}.")
        if role_id != user["role_id"]:
            ids = [print_id(Role.prefix, id) for id in (user["role_id"], role_id)]
            changes["role"] = {"before": ids[0], "after": ids[1]}
    if not changes:
        raise UserMistakeError(f"{email} is so already.")
    now = utcnow()
    await connection.execute(
        "UPDATE users SET active = $2, role_id = $3, updated_at = $4, version = version + 1 WHERE id = $1",
        *(user["id"], active, role_id, now),
    )
    told = event(
        origin(f"user {action}"),
        now,
        action,
        entity=User.__name__,
        record_id=user["id"],
        version=user["version"] + 1,
        changes=changes,
    )
    await write_events(connection, told)
