"""The command line: ``serve``, ``migrate``, ``demo``, ``import``, ``export``, ``user``, ``sla``, ``audit`` and more.

What needs the GraphQL schema, which takes half of a start to make, loads it when it is called.
"""

import asyncio
import getpass
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from app.cli_analytics import analytics_app
from app.cli_audit import audit_app
from app.cli_people import ADMIN_LEFT, role_app, user_activate, user_deactivate, user_list, user_role
from app.cli_token import token_app
from app.commands import console, origin, prepared, with_database
from app.db.database import database_url
from app.db.ids import new_id
from app.demo.load import DEMO_ACCOUNTS, load_demo
from app.exporting.writers import ExportFormat
from app.importing.importer import import_file
from app.importing.preset import import_preset, preset_names
from app.importing.progress import progress_bar
from app.importing.report import Report, print_report
from app.importing.targets import target
from app.logs import configure_logs
from app.mistakes import UserMistakeError
from app.models import User
from app.models.base import utcnow
from app.names import email_problem, normal_email, normal_name
from app.settings import Settings, get_settings, setting_name
from app.sla_file import print_policy, set_from_file
from auth.audit import Changes, Event, created, event
from auth.audit_log import write_events
from auth.changing_passwords import PasswordRefusedError, set_password
from auth.password_rules import length_problem
from auth.passwords import hash_now

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="The back office of an online shop's customer work.")
user_app = typer.Typer(no_args_is_help=True, help="Keep users.")
sla_app = typer.Typer(no_args_is_help=True, help="What is promised for tickets, and business hours.")
schema_app = typer.Typer(no_args_is_help=True, help="The GraphQL schema.")
docs_app = typer.Typer(no_args_is_help=True, help="The parts of README.md and docs/ that are made from the program.")
cli.add_typer(user_app, name="user")
user_app.command(name="list")(user_list)
user_app.command(name="role")(user_role)
user_app.command(name="deactivate")(user_deactivate)
user_app.command(name="activate")(user_activate)
cli.add_typer(role_app, name="role")
cli.add_typer(token_app, name="token")
cli.add_typer(sla_app, name="sla")
cli.add_typer(audit_app, name="audit")
cli.add_typer(analytics_app, name="analytics")
cli.add_typer(schema_app, name="schema")
cli.add_typer(docs_app, name="docs")

DEMO_PASSWORD = "rapport demo 2026"  # noqa: S105  # It is printed at every start.
_errors = Console(stderr=True)


def main() -> None:
    """Run the command line; mistakes are told in a sentence, without a stack trace."""
    try:
        cli()
    except ValidationError as error:
        for problem in error.errors():
            name = setting_name(str(problem["loc"][0]))
            _tell(f"{name}={problem['input']!s} will not do: {problem['msg'][0].lower()}{problem['msg'][1:]}.")
        sys.exit(1)
    except (UserMistakeError, OSError) as error:
        _tell(str(error))
        sys.exit(1)
    except asyncpg.CheckViolationError as error:
        # An import of users may have taken away the last one; nothing of it is kept then.
        if error.constraint_name != ADMIN_LEFT:
            raise
        _tell(str(error))
        sys.exit(1)


def _tell(mistake: str) -> None:
    _errors.print("[red]Refused:[/red]", mistake, highlight=False, markup=True, soft_wrap=True)


@cli.command()
def serve(
    demo: Annotated[bool, typer.Option("--demo", help="Load demo data first if the database is empty.")] = False,
    customers: Annotated[int, typer.Option(help="How many demo customers.", min=1)] = 1_000,
) -> None:
    """Serve the API until Ctrl-C."""
    from app.main import check, create_app

    settings = get_settings()
    configure_logs(settings)
    check(settings)
    with database_url(settings) as url:
        asyncio.run(prepared(url))
        if demo:
            asyncio.run(_ensure_demo(url, customers, settings))
        listener = _listener(settings)
        console.print(
            f"Rapport answers at [bold]http://{settings.host}:{settings.port}/graphql[/bold]. Ctrl-C stops it."
        )
        # The server passes the signals that stop it on to whoever handled them before; leaving in order, and not by the
        # signal itself, lets the embedded PostgreSQL be stopped too.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: sys.exit(0))
        if settings.workers == 1:
            _uvicorn(create_app(settings, url, alone=True), settings).run(sockets=[listener])
            return
        listener.close()
        os.environ["RAPPORT_SERVING_URL"] = url
        uvicorn.run(
            "app.cli:worker_app",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            proxy_headers=False,
            log_level="warning",
            access_log=False,
        )


def _listener(settings: Settings) -> socket.socket:
    """The socket to serve on, so that nothing is promised before it is had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise UserMistakeError(
            f"Cannot serve on {settings.host}, port {settings.port}: {error.strerror}. Choose with HOST and PORT."
        ) from None


def _uvicorn(app: object, settings: Settings) -> uvicorn.Server:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def worker_app() -> object:
    """The application of one of several worker processes."""
    from app.main import create_app

    settings = get_settings()
    configure_logs(settings)
    return create_app(settings, os.environ["RAPPORT_SERVING_URL"], alone=True)


async def _ensure_demo(url: str, customers: int, settings: Settings) -> None:
    connection = await asyncpg.connect(url)
    try:
        empty = not await connection.fetchval("SELECT EXISTS (SELECT FROM customers)")
        shown = await connection.fetchval(
            "SELECT count(*) FROM users WHERE email = ANY($1::text[])", [account[0] for account in DEMO_ACCOUNTS]
        )
    finally:
        await connection.close()
    if empty and not settings.production:
        await _load_demo(url, customers)
    elif not shown:
        return
    table = Table(title=f"Demo accounts, all with the password “{DEMO_PASSWORD}”")
    table.add_column("role")
    table.add_column("email")
    table.add_column("name")
    for email, role, name in DEMO_ACCOUNTS:
        table.add_row(role, email, name)
    console.print(table)


async def _load_demo(url: str, customers: int) -> None:
    with progress_bar() as watch:
        settings = get_settings()
        report = await load_demo(
            url,
            customers,
            password_hash=hash_now(DEMO_PASSWORD),
            progress=watch,
            shop_currency=settings.shop_currency,
            shop_timezone=settings.shop_timezone,
        )
    rows = sum(report.counts.values())
    console.print(f"Loaded {rows:,} rows of demo data in {report.seconds:.1f} s.")


@cli.command(name="migrate")
def migrate_command() -> None:
    """Bring the database to the present tables and built-in roles."""

    async def nothing_more(_: str) -> None:
        console.print("The database is up to date.")

    with_database(nothing_more)


@cli.command()
def demo(customers: Annotated[int, typer.Option(help="How many customers.", min=1)] = 1_000) -> None:
    """Load demo data into an empty database."""
    if get_settings().production:
        raise UserMistakeError("Demo accounts have a password that everybody knows: never in production.")
    with_database(lambda url: _load_demo(url, customers))


_Rejects = Annotated[Path | None, typer.Option(help="Where refused rows go, as CSV with line, column and reason.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Do everything, report, and undo it.")]


@cli.command(name="import", context_settings={"ignore_unknown_options": False})
def import_command(
    entity: Annotated[
        str,
        typer.Argument(
            help="team, user, customer, contact, product, stage, opportunity, order, order-line, ticket or rates;"
            " or 'preset'."
        ),
    ],
    file: Annotated[str, typer.Argument(help=f"The CSV file; with 'preset' one of {', '.join(preset_names())}.")],
    directory: Annotated[Path | None, typer.Argument(help="With 'preset', the folder that holds its files.")] = None,
    map: Annotated[Path | None, typer.Option(help="The TOML file that says which column is what.")] = None,
    dry_run: _DryRun = False,
    rejects: _Rejects = None,
) -> None:
    """Bring in records: import ENTITY FILE --map MAP.toml, or import preset NAME DIR."""

    async def run(url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            with progress_bar() as watch:
                if entity == "preset":
                    if directory is None:
                        raise UserMistakeError(f"Say where the files are: rapport import preset {file} DIR.")
                    reports = await import_preset(
                        connection, file, directory, dry_run=dry_run, rejects=rejects, progress=watch, note=_import
                    )
                else:
                    if directory is not None:
                        raise UserMistakeError(f"Import one file at a time: what is {directory} for?")
                    if map is None:
                        raise UserMistakeError("Say which column is what: --map MAP.toml.")
                    reports = [
                        await import_file(
                            connection,
                            entity,
                            Path(file),
                            map,
                            dry_run=dry_run,
                            rejects=rejects,
                            progress=watch,
                            note=_import,
                            shop_currency=get_settings().shop_currency,
                        )
                    ]
        finally:
            await connection.close()
        print_report(reports, Console(width=max(console.width, 120)))
        refused = sum(report.rejected for report in reports)
        if refused:
            where = f"They are in {rejects}." if rejects else "See which and why with --rejects FILE."
            console.print(f"{refused:,} rows were refused. {where}")

    with_database(run)


async def _import(connection: Any, report: Report) -> None:
    """Put an import on record: the file, and what came of its rows."""
    names = ("read", "inserted", "updated", "unchanged", "repeated", "rejected")
    told = {"file": report.name, **{name: getattr(report, name) for name in names}}
    changes: Changes = {name: {"before": None, "after": value} for name, value in told.items()}
    about = target(report.entity).entity
    await write_events(connection, event(origin("import"), utcnow(), "import", entity=about, changes=changes))


@cli.command(name="export")
def export_command(
    entity: Annotated[str, typer.Argument(help="customer, contact, opportunity, order, ticket or product.")],
    file: Annotated[str, typer.Argument(help="The file to write; - is standard output.")],
    where: Annotated[str | None, typer.Option(help="A filter as in the API, as JSON.")] = None,
    fields: Annotated[
        str | None, typer.Option(help="Names of fields, with commas, such as name,total,owner.name.")
    ] = None,
    format: Annotated[ExportFormat | None, typer.Option(help="Absent: as the file's name ends, or else CSV.")] = None,
    email: Annotated[
        str | None, typer.Option("--as", metavar="EMAIL", help="Whose rights to use; absent, nothing is hidden.")
    ] = None,
    bom: Annotated[bool, typer.Option("--bom", help="Begin a CSV file with a byte order mark, for Excel.")] = False,
) -> None:
    """Write records to a file, as somebody may see and export them. It is noted in the audit log."""
    from app.export_file import FileOrder, export_file

    try:
        filter = None if where is None else json.loads(where)
    except ValueError as error:
        raise UserMistakeError(f"--where is not JSON: {error}.") from None
    ending = Path(file).suffix.lstrip(".").lower()
    known = {each.value: each for each in ExportFormat}
    chosen = format or known.get(ending, ExportFormat.CSV)
    names = None if fields is None else [name.strip() for name in fields.split(",") if name.strip()]
    order = FileOrder(entity, file, chosen, names, filter, email, bom)
    rows = with_database(lambda url: export_file(url, get_settings(), order))
    _errors.print(f"Exported {rows:,} records.", highlight=False)


@user_app.command(name="add")
def user_add(
    email: Annotated[str, typer.Argument(help="The email to sign in with.")],
    name: Annotated[str, typer.Option(help="The full name.")],
    role: Annotated[str, typer.Option(help="The role's name, such as SALES.")],
    team: Annotated[str | None, typer.Option(help="The team's name.")] = None,
) -> None:
    """Add a user. Give it a password with: rapport user password."""

    async def run(url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            role_id = await _named(connection, "roles", role)
            team_id = await _named(connection, "teams", team) if team else None
            normal = normal_email(email)
            if (said := email_problem(normal)) is not None:
                raise UserMistakeError(f"The email {email!r} {said}")
            if not name.strip() or len(name) > 500:
                raise UserMistakeError("A user needs a name, of 500 characters at most.")
            user = {"id": new_id(), "name": normal_name(name), "email": normal, "role_id": role_id, "team_id": team_id}
            try:
                async with connection.transaction():
                    await connection.execute(
                        "INSERT INTO users (id, name, email, role_id, team_id) VALUES ($1, $2, $3, $4, $5)",
                        *user.values(),
                    )
                    await write_events(connection, _about_user("user add", "create", user["id"], created(User(**user))))
            except asyncpg.UniqueViolationError:
                raise UserMistakeError(f"There is a user with the email {email} already.") from None
        finally:
            await connection.close()
        console.print(f"Added {email}. Set a password with: rapport user password {email}")

    with_database(run)


@user_app.command(name="password")
def user_password(email: Annotated[str, typer.Argument(help="The email of the user.")]) -> None:
    """Set a user's password, and end its sessions: asked for, or taken from RAPPORT_PASSWORD."""
    password = os.environ.get("RAPPORT_PASSWORD") or getpass.getpass("New password: ")
    problem = length_problem(password, ())
    if problem is not None:
        raise UserMistakeError(problem.message)

    async def run(url: str) -> None:
        connection = await asyncpg.connect(url)
        try:
            await set_password(connection, origin("user password"), email, password, get_settings().shop_name)
        except PasswordRefusedError as error:
            raise UserMistakeError(str(error)) from None
        finally:
            await connection.close()
        console.print(f"Set the password of {email}.")

    with_database(run)


def _about_user(command: str, action: str, user_id: UUID, changes: Changes | None = None) -> Event:
    return event(origin(command), utcnow(), action, entity=User.__name__, record_id=user_id, changes=changes)


async def _named(connection: asyncpg.Connection, table: str, name: str) -> Any:
    rows = await connection.fetch(f'SELECT id, name FROM {table} ORDER BY name COLLATE "C"')  # noqa: S608
    for row in rows:
        if row["name"] == name:
            return row["id"]
    names = ", ".join(row["name"] for row in rows) or "none yet"
    raise UserMistakeError(f"There is no {table[:-1]} {name!r}; there are: {names}.")


@sla_app.command(name="show")
def sla_show() -> None:
    """Print the SLA policy, as sla set takes it."""
    typer.echo(with_database(print_policy))


@sla_app.command(name="set")
def sla_set(file: Annotated[Path, typer.Argument(help="The TOML file; it says everything.")]) -> None:
    """Make the SLA policy that of a file. Tickets keep the due times that they have."""
    changed = with_database(lambda url: set_from_file(url, file, get_settings()))
    console.print("Set the policy." if changed else "The policy is this one already.")


@schema_app.command(name="print")
def schema_print() -> None:
    """Print the GraphQL schema."""
    from schema.schema import build_schema

    typer.echo(build_schema().as_str())


@docs_app.command(name="write")
def docs_write() -> None:
    """Make the generated parts anew."""
    from app.docs import outdated

    changed = list(outdated(typer.main.get_command(cli)))
    for page, right in changed:
        page.write_text(right, "utf-8")
        typer.echo(f"Wrote {page}.")
    if not changed:
        typer.echo("Everything is up to date.")


@docs_app.command(name="check")
def docs_check() -> None:
    """Say which generated parts are out of date."""
    from app.docs import outdated

    changed = [str(page) for page, _ in outdated(typer.main.get_command(cli))]
    if changed:
        raise UserMistakeError(f"Out of date: {', '.join(changed)}. Run rapport docs write.")
    typer.echo("Everything is up to date.")
