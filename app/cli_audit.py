"""The commands of the audit log: verify, head, export, archive."""

import sys
from pathlib import Path
from typing import Annotated, TypeVar

import asyncpg
import typer

from app.commands import console, moment, origin, with_connection
from app.db.ids import print_id
from app.mistakes import UserMistakeError
from app.models import AuditEvent
from app.models.base import utcnow
from app.settings import get_settings
from auth.archiving import Archived, ArchiveRefusedError, archive, export, verify_archive
from auth.audit import event
from auth.audit_log import write_events
from auth.sealing import AuditKeys, Head, head_of
from auth.verifying import BrokenError, Verification, verify

audit_app = typer.Typer(no_args_is_help=True, help="The audit log.")
T = TypeVar("T")
_Day = Annotated[str | None, typer.Option(help="A day or moment of ISO 8601, in UTC where it names no zone.")]


@audit_app.command(name="verify")
def audit_verify(
    head: Annotated[Path | None, typer.Option(help="A file with an earlier answer of rapport audit head.")] = None,
    archive: Annotated[
        list[Path] | None, typer.Option(help="A file of rapport audit archive, to check as well.")
    ] = None,
) -> None:
    """Check every seal and value of the audit log; name the first event that is broken, and end with 1."""
    saved = _saved(head) if head is not None else None
    keys = AuditKeys.of(get_settings())

    async def run(connection: asyncpg.Connection) -> Verification:
        for path in archive or ():
            with path.open("rb") as file:
                chain = await verify_archive(connection, keys, file)
            console.print(f"{path}: {chain.checked:,} archived events are whole.")
        return await verify(connection, keys, saved=saved)

    try:
        found = with_connection(run)
    except BrokenError as error:
        found = Verification(False, 0, Head(), error.event, str(error))
    if not found.ok:
        name = f" {print_id(AuditEvent.prefix, found.broken)}:" if found.broken else ""
        raise UserMistakeError(f"BROKEN:{name} {found.problem} {found.checked:,} events before it are whole.")
    console.print(f"{found.checked:,} events are whole, up to {found.head}.", highlight=False)
    if found.erased:
        console.print(f"{found.erased:,} values in them have been erased.")
    if found.unsealed:
        console.print(f"{found.unsealed:,} newer events have no seal yet.")


@audit_app.command(name="head")
def audit_head() -> None:
    """Print the number and MAC of the last seal, to be kept elsewhere and given to rapport audit verify --head."""
    typer.echo(str(with_connection(head_of)))


@audit_app.command(name="export")
def audit_export(since: _Day = None, until: _Day = None) -> None:
    """Print events with their seals, a JSON object a line: from SINCE on, before UNTIL."""
    begin, end = moment(since), moment(until)

    async def run(connection: asyncpg.Connection) -> None:
        count = 0
        async for line in export(connection, begin, end):
            sys.stdout.buffer.write(line)
            count += 1
        sys.stdout.buffer.flush()
        await _note(connection, "export", events=count, since=since, until=until)

    with_connection(run)


@audit_app.command(name="archive")
def audit_archive(
    file: Annotated[Path, typer.Argument(help="The new file, JSON lines.")],
    before: Annotated[str, typer.Option(help="A day or moment of ISO 8601: events from before it are moved.")],
) -> None:
    """Move old sealed events out to a file; the rest of the chain still verifies."""
    keys, until = AuditKeys.of(get_settings()), moment(before)
    assert until is not None

    async def run(connection: asyncpg.Connection) -> Archived:
        with file.open("xb") as target:
            try:
                done = await archive(connection, keys, until, target)
            except BrokenError as error:
                raise ArchiveRefusedError(f"The log is broken, and stays where it is: {error}") from error
            finally:
                empty = target.tell() == 0
                if empty:
                    file.unlink()
        if done.events:
            await _note(connection, "archive", file=file.name, events=done.events, first=done.first, last=done.last)
        return done

    done = with_connection(run)
    if not done.events:
        console.print("There is nothing to archive from before then.")
        return
    console.print(f"Moved {done.events:,} events, numbers {done.first:,} to {done.last:,}, to {file}.", highlight=False)


async def _note(connection: asyncpg.Connection, action: str, **facts: object) -> None:
    told = {name: {"before": None, "after": fact} for name, fact in facts.items()}
    await write_events(
        connection, event(origin(f"audit {action}"), utcnow(), action, entity=AuditEvent.__name__, changes=told)
    )


def _saved(path: Path) -> tuple[int, bytes]:
    text = path.read_text("utf-8").strip()
    number, _, mac = text.partition(":")
    try:
        found = int(number), bytes.fromhex(mac)
    except ValueError:
        found = (0, b"")
    if len(found[1]) != 32:
        raise UserMistakeError(f"{path} does not hold what rapport audit head prints.")
    return found
