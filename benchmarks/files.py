"""Made files for measuring imports: for every entity a map, and a CSV file of rows that refer to one another."""

import csv
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

_SEED = 7
_SYSTEM = 'system = "made"\nexternal_id = "{id}"\n'
_START = datetime(2022, 1, 1)
_STAGES = {"Prospecting": ("OPEN", 10), "Engaging": ("OPEN", 40), "Won": ("WON", 100), "Lost": ("LOST", 0)}
_STATUSES = ("PENDING_PAYMENT", "PAID", "SHIPPED", "DELIVERED", "DELIVERED", "DELIVERED", "COMPLETED", "CANCELLED")
_FIRST = ("Anna", "Émile", "Mia", "José", "Chen", "Aiko", "Omar", "Ivana", "Lars", "Priya", "Zoë", "Tomasz")
_LAST = ("Hoffmann", "Zola", "Huber", "Núñez", "Wei", "Tanaka", "Haddad", "Petrov", "Nilsson", "Sharma", "Smith")
_CITIES = ("Berlin", "São Paulo", "Lyon", "Osaka", "Toronto", "Kraków", "Cape Town", "Milano", "Austin", "Leeds")
_GOODS = ("Lamp", "Desk", "Chair", "Kettle", "Backpack", "Headphones", "Tent", "Notebook", "Router", "Blanket")
_COMPLAINTS = ("Late delivery", "Broken on arrival", "Wrong colour", "Refund", "Cannot sign in", "Invoice missing")

Row = dict[str, object]


@dataclass(frozen=True)
class Made:
    """The files of one entity."""

    entity: str
    path: Path
    map: Path


def made_files(folder: Path, rows: int) -> Iterator[Made]:
    """Write the files of every entity, those that others refer to first, each as it is asked for."""
    for entity, (text, make) in _ENTITIES.items():
        path, map_path = folder / f"{entity}.csv", folder / f"{entity}.toml"
        map_path.write_text(f'entity = "{entity}"\n{text}', encoding="utf-8")
        chance = random.Random(f"{_SEED} {entity}")
        found = (make(chance, number, rows) for number in range(rows))
        first = next(found)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(first))
            writer.writeheader()
            writer.writerow(first)
            writer.writerows(found)
        yield Made(entity, path, map_path)


def _same(*names: str) -> str:
    return "".join(f'{name} = "{{{name}}}"\n' for name in names)


def _time(chance: random.Random, after: datetime = _START, days: float = 1000) -> datetime:
    return after + timedelta(seconds=chance.randrange(int(days * 86_400)))


def _amount(chance: random.Random) -> str:
    return f"{chance.randrange(100, 200_000) / 100:.2f}"


def _team(chance: random.Random, number: int, _rows: int) -> Row:
    return {"name": f"Team {number}", "region": chance.choice(_CITIES)}


def _user(chance: random.Random, number: int, _rows: int) -> Row:
    return {
        "name": f"{chance.choice(_FIRST)} {chance.choice(_LAST)}",
        "email": f"user{number}@shop.example",
        "role": chance.choice(("SALES", "SUPPORT", "ANALYST")),
        "team": f"Team {number % 50}",
        "created_at": _time(chance),
    }


def _customer(chance: random.Random, number: int, rows: int) -> Row:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    return {
        "id": f"c{number:x}",
        "name": f"{first} {last} {number}",
        "kind": chance.choice(("PERSON", "COMPANY")),
        "email": f"{last.lower()}{number}@example.com",
        "phone": f"+49 30 {chance.randrange(10**7):07}",
        "tier": chance.choice(("STANDARD", "STANDARD", "SILVER", "GOLD")),
        "status": chance.choice(("LEAD", "ACTIVE", "DORMANT")),
        "source": chance.choice(("web", "fair", "friend")),
        "city": chance.choice(_CITIES),
        "country": "Germany",
        "tags": chance.choice(("", "new", "vip,loyal")),
        "owner": f"user{chance.randrange(min(rows, 200))}@shop.example",
        "created_at": _time(chance),
    }


def _contact(chance: random.Random, number: int, rows: int) -> Row:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    return {
        "id": f"n{number:x}",
        "customer": f"c{chance.randrange(rows):x}",
        "first_name": first,
        "last_name": last,
        "title": chance.choice(("", "Buyer", "Manager")),
        "email": f"{last.lower()}.{number}@example.com",
        "phone": f"+33 1 {chance.randrange(10**8):08}",
        "is_primary": chance.choice(("yes", "no")),
        "birthday": _time(chance, datetime(1960, 1, 1), 15_000).date(),
    }


def _product(chance: random.Random, number: int, _rows: int) -> Row:
    return {
        "id": f"p{number:x}",
        "sku": f"SKU-{number:07}",
        "name": f"{chance.choice(_GOODS)} {number % 997}",
        "category": chance.choice(_GOODS),
        "price": _amount(chance),
        "currency": "EUR",
    }


def _stage(chance: random.Random, number: int, _rows: int) -> Row:
    named = list(_STAGES.items())
    name, (kind, probability) = (
        named[number] if number < len(named) else (f"Stage {number}", ("OPEN", chance.randrange(101)))
    )
    return {"name": name, "kind": kind, "position": number, "probability": probability, "rotting_after_days": 30}


def _opportunity(chance: random.Random, number: int, rows: int) -> Row:
    stage, opened = chance.choice(list(_STAGES)), _time(chance)
    return {
        "id": f"o{number:x}",
        "name": f"{chance.choice(_GOODS)} for {chance.choice(_LAST)} {number % 997}",
        "customer": f"c{chance.randrange(rows):x}",
        "product": f"SKU-{chance.randrange(rows):07}",
        "owner": f"user{chance.randrange(min(rows, 200))}@shop.example",
        "stage": stage,
        "first_stage": "Prospecting",
        "amount": _amount(chance) if stage == "Won" else "",
        "opened_at": opened,
        "closed_at": _time(chance, opened, 90) if stage in ("Won", "Lost") else "",
    }


def _order(chance: random.Random, number: int, rows: int) -> Row:
    status, placed = chance.choice(_STATUSES), _time(chance)
    paid = _time(chance, placed, 2) if status != "PENDING_PAYMENT" else None
    shipped = _time(chance, paid, 5) if paid and status not in ("PAID", "CANCELLED") else None
    delivered = _time(chance, shipped, 15) if shipped and status != "SHIPPED" else None
    return {
        "id": f"{chance.getrandbits(128):032x}-{number:x}",
        "order_number": f"M-{number}",
        "customer": f"c{chance.randrange(rows):x}",
        "status": status,
        "placed_at": placed,
        "paid_at": paid or "",
        "shipped_at": shipped or "",
        "delivered_at": delivered or "",
    }


def _order_line(chance: random.Random, number: int, rows: int) -> Row:
    return {
        "order": f"M-{number // 2}",
        "position": number % 2 + 1,
        "product": f"SKU-{chance.randrange(rows):07}",
        "quantity": chance.randrange(1, 5),
        "unit_price": _amount(chance),
        "shipping_fee": _amount(chance),
    }


def _ticket(chance: random.Random, number: int, rows: int) -> Row:
    created = _time(chance)
    status = chance.choice(("OPEN", "PENDING", "RESOLVED", "CLOSED"))
    answered = _time(chance, created, 2) if status != "OPEN" else None
    resolved = _time(chance, answered, 10) if answered and status != "PENDING" else None
    return {
        "id": f"t{number:x}",
        "subject": f"{chance.choice(_COMPLAINTS)}: {chance.choice(_GOODS)} {number % 997}",
        "category": chance.choice(_GOODS),
        "customer": f"c{chance.randrange(rows):x}",
        "kind": chance.choice(("INQUIRY", "COMPLAINT", "TECHNICAL")),
        "priority": chance.choice(("LOW", "NORMAL", "HIGH", "URGENT")),
        "status": status,
        "channel": chance.choice(("PHONE", "EMAIL", "WEB")),
        "assignee": f"user{chance.randrange(min(rows, 200))}@shop.example",
        "created_at": created,
        "first_responded_at": answered or "",
        "resolved_at": resolved or "",
        "satisfaction": chance.randrange(1, 6) if resolved else "",
    }


_ORDER_FIELDS = _same("customer", "status", "placed_at", "paid_at", "shipped_at", "delivered_at")
_CUSTOMER_FIELDS = _same("name", "kind", "email", "phone", "tier", "status", "source", "city", "country", "tags")
_TICKET_TIMES = _same("created_at", "first_responded_at", "resolved_at")
_TICKET_FIELDS = _same("subject", "category", "customer", "kind", "priority", "status", "channel", "assignee")
_LINE_FIELDS = _same("position", "quantity", "unit_price", "shipping_fee")
_BY_NUMBER = 'order = { value = "{order}", by = "number" }\nproduct = { value = "{product}", by = "sku" }\n'
_BY_SKU = 'product = { value = "{product}", by = "sku" }\ncurrency = "EUR"\n'

_ENTITIES: dict[str, tuple[str, Callable[[random.Random, int, int], Row]]] = {
    "team": ("[fields]\n" + _same("name", "region"), _team),
    "user": ("[fields]\n" + _same("name", "email", "role", "team", "created_at"), _user),
    "customer": (f"{_SYSTEM}[fields]\n{_CUSTOMER_FIELDS}{_same('owner', 'created_at')}", _customer),
    "contact": (
        f"{_SYSTEM}[fields]\n"
        + _same("customer", "first_name", "last_name", "title", "email", "phone", "is_primary", "birthday"),
        _contact,
    ),
    "product": (f"{_SYSTEM}[fields]\n" + _same("sku", "name", "category", "price", "currency"), _product),
    "stage": ("[fields]\n" + _same("name", "kind", "position", "probability", "rotting_after_days"), _stage),
    "opportunity": (
        f"{_SYSTEM}[fields]\n{_BY_SKU}"
        + _same("name", "customer", "owner", "stage", "first_stage", "amount", "opened_at", "closed_at"),
        _opportunity,
    ),
    "order": (
        f'{_SYSTEM}[fields]\nnumber = "{{order_number}}"\nchannel = "web"\ncurrency = "EUR"\n{_ORDER_FIELDS}',
        _order,
    ),
    "order-line": (f"[fields]\n{_BY_NUMBER}{_LINE_FIELDS}", _order_line),
    "ticket": (f"{_SYSTEM}[fields]\n{_TICKET_FIELDS}{_TICKET_TIMES}{_same('satisfaction')}", _ticket),
}
