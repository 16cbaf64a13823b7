"""The SLA policy as a file in TOML, which can be read, changed and set again."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg

from app.db.writers import open_writers
from app.domain.given import Given
from app.domain.problems import RefusedError
from app.domain.rows import columns, loaded
from app.domain.sla_policy import set_policy
from app.domain.work import Actor, Shop, Work
from app.mistakes import UserMistakeError
from app.models import SlaPolicy
from app.models.base import utcnow
from app.models.enums import RowScope, TicketPriority
from app.models.sla import SLA_POLICY
from app.settings import Settings
from auth.audit import Origin
from auth.flush import flush

_TARGETS = ("first_response_minutes", "resolution_minutes")
_KNOWN = ("time_zone", "hours", "holidays", *(priority.lower() for priority in TicketPriority))


class PolicyRefusedError(UserMistakeError):
    """The file is no policy; the message says what would be right."""


async def print_policy(url: str) -> str:
    """The policy in the database of ``url``."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(f"SELECT {', '.join(columns(SlaPolicy))} FROM sla_policies")  # noqa: S608
    finally:
        await connection.close()
    return _printed(loaded(SlaPolicy, tuple(row)))


async def set_from_file(url: str, file: Path, settings: Settings) -> bool:
    """Make the policy in the database of ``url`` that of ``file``, and whether it was another before."""
    values = read_policy(file)
    writers = open_writers(url, settings)
    try:
        async with writers.transaction() as connection:
            shop = Shop(settings.shop_currency, settings.shop_timezone)
            work = Work(connection, Actor(None, None, RowScope.ALL), shop, utcnow())
            (policy,) = await work.find(SlaPolicy, "WHERE id = $1 FOR NO KEY UPDATE", SLA_POLICY)
            await set_policy(work, policy, Given(values, path=()))
            return bool(await flush(connection, work, Origin(None, "rapport sla set"), "update", policy))
    except RefusedError as refusal:
        said = [f"{'.'.join(problem.field or ())}: {problem.message}" for problem in refusal.problems]
        raise PolicyRefusedError(f"{file} is not set. " + " ".join(said)) from None
    finally:
        await writers.close()


def read_policy(file: Path) -> dict[str, Any]:
    """What ``file`` says, by attribute. It is whole: a target that it does not name is no promise."""
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyRefusedError(f"{file} is not TOML: {error}.") from None
    _only(file, "", said, _KNOWN)
    hours, holidays, zone = said.get("hours", []), said.get("holidays", []), said.get("time_zone")
    if not isinstance(hours, list) or not all(isinstance(each, str) for each in hours):
        raise PolicyRefusedError(f'{file}: hours must be a list such as ["MONDAY 09:00-12:30"].')
    if not isinstance(holidays, list) or not all(type(each) is date for each in holidays):
        raise PolicyRefusedError(f"{file}: holidays must be a list of days such as [2026-12-25].")
    if zone is not None and not isinstance(zone, str):
        raise PolicyRefusedError(f'{file}: time_zone must be a name such as "Europe/Berlin".')
    values: dict[str, Any] = {"time_zone": zone, "hours": hours, "holidays": holidays}
    for priority in TicketPriority:
        name = priority.lower()
        targets = said.get(name, {})
        if not isinstance(targets, dict):
            raise PolicyRefusedError(f"{file}: {name} must be a table with {' and '.join(_TARGETS)}.")
        _only(file, f"{name}.", targets, _TARGETS)
        for target in _TARGETS:
            minutes = targets.get(target)
            if minutes is not None and type(minutes) is not int:
                raise PolicyRefusedError(f"{file}: {name}.{target} must be a whole number.")
            values[f"{name}_{target}"] = minutes
    return values


def _only(file: Path, place: str, said: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in said:
        if name not in known:
            raise PolicyRefusedError(f"{file}: there is no {place}{name}; there are {', '.join(known)}.")


def _printed(policy: SlaPolicy) -> str:
    zone = f'time_zone = "{policy.time_zone}"' if policy.time_zone else "# time_zone is the shop's."
    lines = [zone, "hours = [", *(f'  "{period}",' for period in policy.hours), "]"]
    lines.append(f"holidays = [{', '.join(day.isoformat() for day in policy.holidays)}]")
    for priority in TicketPriority:
        lines += ["", f"[{priority.lower()}]"]
        for target in _TARGETS:
            minutes = getattr(policy, f"{priority.lower()}_{target}")
            lines.append(f"# {target} is not promised." if minutes is None else f"{target} = {minutes}")
    return "\n".join(lines)
