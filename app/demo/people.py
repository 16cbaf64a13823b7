"""Teams and users: one demo account for each built-in role, regional sellers with their managers, support agents."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.demo.cells import NULL, Cell, flag, row, text, time, uuid, whole
from app.demo.chance import DAY, HOUR, Chance
from app.demo.places import AREAS, PLACES
from app.demo.rows import RECORD_COLUMNS, Batch, Frame

DEMO_ACCOUNTS: tuple[tuple[str, str, str], ...] = (
    ("admin@rapport.example", "ADMIN", "Ada Admin"),
    ("manager@rapport.example", "MANAGER", "Mona Manager"),
    ("sales@rapport.example", "SALES", "Sam Seller"),
    ("support@rapport.example", "SUPPORT", "Suki Support"),
    ("marketing@rapport.example", "MARKETING", "Malik Marketing"),
    ("analyst@rapport.example", "ANALYST", "Ana Analyst"),
    ("auditor@rapport.example", "AUDITOR", "Otto Auditor"),
    ("integration@rapport.example", "INTEGRATION", "Shop Integration"),
)
"""Email, role and name of the accounts that have a password."""

_TEAM_OF_ACCOUNT = {
    "MANAGER": "Sales North 1",
    "SALES": "Sales North 1",
    "SUPPORT": "Support 1",
    "MARKETING": "Marketing",
}
_TEAM_SIZE = 10
_USER_COLUMNS = (*RECORD_COLUMNS, "name", "email", "active", "role_id", "team_id", "password_hash", "last_login_at")


@dataclass(frozen=True, slots=True)
class Staff:
    """The ids of those who own, answer and assign. The demo seller and agent stand first in their tuples."""

    sellers: Mapping[str, tuple[Cell, ...]]
    agents: tuple[Cell, ...]
    leads: tuple[Cell, ...]

    def owner(self, chance: Chance, area: str) -> Cell:
        """Who owns a customer there: mostly a seller of the area, sometimes another one, sometimes nobody."""
        draw = chance.random()
        if draw < 0.08:
            return NULL
        return chance.pick(self.sellers[area if draw < 0.9 else chance.pick(AREAS)])


def ascii_of(text: str) -> str:
    """``text`` as it stands in an address: ASCII letters and digits, with a dot for everything else between them."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ł", "l").replace("\u0131", "i")).lower()
    kept = "".join(c if c.isascii() and c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return ".".join(kept.split())


class _Register:
    """The users and teams made so far."""

    def __init__(self, frame: Frame, roles: Mapping[str, UUID], password_hash: str) -> None:
        self.chance = frame.chance("people")
        self.now, self.first = frame.now, frame.calendar.start
        self.roles, self.password_hash = roles, password_hash
        self.teams: dict[str, Cell] = {}
        self.team_rows: list[bytes] = []
        self.rows: list[bytes] = []
        self.emails = {email for email, _, _ in DEMO_ACCOUNTS}

    def team(self, name: str, region: str | None) -> Cell:
        if name not in self.teams:
            self.teams[name] = self.chance.id_at(self.first)
            self.team_rows.append(row(self.teams[name], whole(1), text(name), text(region)))
        return self.teams[name]

    def user(self, name: str, email: str, role: str, team: Cell, *, account: bool, active: bool = True) -> Cell:
        created = self.chance.within(self.first, self.first + 300 * DAY) if not account else self.first
        changed = created if active else self.chance.within(self.now - 200 * DAY, self.now - 90 * DAY)
        seen = None if account or self.chance.random() < 0.1 else changed - self.chance.within(0, HOUR)
        if seen is not None and active:
            # Some came on the very same moment, as after a restart of the office's network.
            seen = self.now - self.chance.within(0, 20) * 12 * HOUR
        found = self.chance.id_at(created)
        self.rows.append(
            row(
                found,
                whole(1 if active else 2),
                time(created),
                time(changed),
                text(name),
                text(email),
                flag(active),
                uuid(self.roles[role]),
                team,
                text(self.password_hash if account else None),
                time(seen if seen is not None and seen > created else None),
            )
        )
        return found

    def colleague(self, role: str, team: Cell, *, active: bool = True) -> Cell:
        place = PLACES[self.chance.pick(("DE", "DE", "FR", "ES", "IT", "PL", "US"))]
        name = f"{self.chance.pick(place.given)} {self.chance.pick(place.family)}"
        stem, number = ascii_of(name), 1
        email = f"{stem}@rapport.example"
        while email in self.emails:
            number += 1
            email = f"{stem}{number}@rapport.example"
        self.emails.add(email)
        return self.user(name, email, role, team, account=False, active=active)


def make_people(
    frame: Frame, customers: int, roles: Mapping[str, UUID], password_hash: str
) -> tuple[Staff, list[Batch]]:
    """Everybody who works at a shop of so many customers. ``roles`` are the ids of the built-in roles by name."""
    register = _Register(frame, roles, password_hash)
    accounts = {}
    for email, role, name in DEMO_ACCOUNTS:
        team_name = _TEAM_OF_ACCOUNT.get(role)
        team = register.team(team_name, "North" if team_name.startswith("Sales") else None) if team_name else NULL
        accounts[role] = register.user(name, email, role, team, account=True)
    leads = [accounts["MANAGER"]]
    sellers: dict[str, list[Cell]] = {area: [] for area in AREAS}
    sellers["North"].append(accounts["SALES"])
    for number in range(1, max(8, customers // 2500)):
        # The North has as many sellers as it has customers: half of them.
        area = "North" if number % 2 == 0 else AREAS[1 + number // 2 % (len(AREAS) - 1)]
        team_number, place_in_team = divmod(len(sellers[area]), _TEAM_SIZE)
        name = f"Sales {area} {team_number + 1}"
        team = register.team(name, area)
        if place_in_team == 0:
            leads.append(register.colleague("MANAGER", team))
        sellers[area].append(register.colleague("SALES", team, active=number % 7 != 6))
    agents = [accounts["SUPPORT"]]
    for number in range(1, max(6, customers // 5000)):
        team = register.team(f"Support {number // _TEAM_SIZE + 1}", None)
        if number % _TEAM_SIZE == 1:
            leads.append(register.colleague("MANAGER", team))
        agents.append(register.colleague("SUPPORT", team, active=number % 9 != 8))
    for role in ("MARKETING", "ANALYST"):
        register.colleague(role, register.team("Marketing", None) if role == "MARKETING" else NULL)
    staff = Staff({area: tuple(found) for area, found in sellers.items()}, tuple(agents), tuple(leads))
    return staff, [
        Batch("teams", ("id", "version", "name", "region"), register.team_rows, len(register.team_rows)),
        Batch("users", _USER_COLUMNS, register.rows, len(register.rows)),
    ]
