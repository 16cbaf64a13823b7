"""A small but nasty shop: every NULL, tie, deleted row and odd text that the tables allow. The same at every run."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from auth.policy import ENTITIES
from tests.oracle.shop_events import add_events
from tests.oracle.shop_metrics import keep_metrics
from tests.oracle.shop_roles import ROLES

Record = dict[str, Any]

NAMES = (
    "Acme",
    "acme",
    "ACME 100% Cotton_Works",
    "Zoë & Søn ApS",
    "Ångström Élan",
    "élan vital",
    "Müller-Lüdenscheidt KG",
    "杭州丝绸有限公司",
    "杭州",
    "王芳",
    "شركة النور",
    "Ольга Ёлкина",
    'O\'Brien "Quoted" Ltd',
    "back\\slash \\% Co",
    "under_score",
    "100%",
    "Party 🎉 Supplies 👩‍👩‍👧",
    "a",
    "",
    "tab\tand\nnewline",
    "Ζεύς ΟΔΥΣΣΕΥΣ",
    "Long " + "name " * 30,
)
EMAILS = (
    None,
    "",
    "a",
    "no-at-sign",
    "@start.example",
    "end@",
    "anna@example.com",
    "Anna@Example.COM",
    "two@at@signs.example",
    "zoë@exämple.example",
    "o'brien_100%@example.org",
    "王芳@例子.example",
)
PHONES = (None, "", "1", "12345678", "123456789", "+49 170 1234567", "+86 571 8888 0000", "٠١٢٣٤٥٦٧٨٩", "0800_1%2")
WORDS = (None, "", "web", "Web", "trade fair", "参考", "50%_off", "back\\slash", "emoji 🎉", 'say "hi"', "réseau")
CITIES = (None, "", "Berlin", "berlin", "杭州", "القاهرة", "Århus")
TAGS = (
    [],
    ["vip"],
    ["vip", "vip"],
    ["", "VIP"],
    ["大客户", "vip"],
    ['quo"te', "com,ma", "{brace}", "back\\slash"],
    ["NULL"],
)
TIMES = tuple(
    datetime(2025, 3, 1, 8, 30, tzinfo=UTC) + timedelta(days=days, microseconds=micros)
    for days, micros in ((0, 0), (0, 1), (0, 999_999), (1, 0), (30, 123_456), (90, 120_000), (-400, 0), (-800, 7))
)
FAR = datetime(2090, 1, 1, tzinfo=UTC)
DAYS = (None, date(2025, 1, 1), date(2025, 1, 1), date(2024, 2, 29), date(1969, 12, 31), date(2099, 12, 31))
AMOUNTS = {
    "EUR": ("0.00", "10.00", "10.05", "1234.50", "99999999999999.99", "0.01"),
    "JPY": ("0", "10", "999", "120000", "1"),
    "KWD": ("0.000", "10.000", "1.005", "0.001", "1234.567"),
}


class _Shop:
    """The records that are to be written, table by table."""

    def __init__(self) -> None:
        self.random = Random("rapport")
        self.tables: dict[str, list[Record]] = {}
        self.labels: dict[str, UUID] = {}

    def id(self) -> UUID:
        """A UUIDv7 whose order says nothing about the order of creation."""
        bits = self.random.getrandbits(128)
        return UUID(int=(bits & ~(0xF << 76) & ~(0b11 << 62)) | (0x7 << 76) | (0b10 << 62))

    def add(self, table: str, label: str | None = None, **values: Any) -> Record:
        record = {"id": self.id(), **values}
        self.tables.setdefault(table, []).append(record)
        if label is not None:
            self.labels[label] = record["id"]
        return record

    def record(self, table: str, label: str | None = None, **values: Any) -> Record:
        """A row that has times and a version."""
        moments = {"created_at": self.pick(TIMES), "updated_at": self.pick(TIMES), "version": self.random.randint(1, 9)}
        return self.add(table, label, **moments | values)

    def pick(self, choices: Any) -> Any:
        return self.random.choice(choices)

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def maybe(self, value: Any, percent: int = 70) -> Any:
        return value if self.chance(percent) else None

    def deleted(self, percent: int = 12) -> datetime | None:
        return self.pick(TIMES) if self.chance(percent) else None

    def money(self) -> tuple[Decimal, str]:
        currency = self.pick(tuple(AMOUNTS))
        return Decimal(self.pick(AMOUNTS[currency])), currency


USERS = {
    "admin": ("ADMIN", None),
    "auditor": ("AUDITOR", "north"),
    "manager_north": ("MANAGER", "north"),
    "manager_south": ("MANAGER", "south"),
    "manager_alone": ("MANAGER", None),
    "sales_north": ("SALES", "north"),
    "sales_north_2": ("SALES", "north"),
    "sales_south": ("SALES", "south"),
    "sales_alone": ("SALES", None),
    "support_north": ("SUPPORT", "north"),
    "support_south": ("SUPPORT", "south"),
    "support_alone": ("SUPPORT", None),
    "marketing": ("MARKETING", None),
    "analyst": ("ANALYST", "south"),
    "integration": ("INTEGRATION", None),
    "partner": ("PARTNER", "north"),
    "partner_alone": ("PARTNER", None),
    "clerk": ("CLERK", "south"),
    "scout": ("SCOUT", "north"),
    "nobody": ("EMPTY", "south"),
    "retired": ("SALES", "north"),
}
"""Label → role and team. ``retired`` is not active."""

OWNERS = (
    "sales_north",
    "sales_north",
    "sales_north_2",
    "sales_south",
    "sales_south",
    "sales_alone",
    "manager_alone",
    "manager_south",
    "partner",
    "partner_alone",
    "clerk",
    "scout",
    "retired",
)
ASSIGNEES = ("support_north", "support_south", "support_alone", "sales_north", "scout", "clerk", "partner", "retired")


def _people(shop: _Shop, roles: dict[str, UUID]) -> None:
    for label, name, region in (("north", "Équipe Nord", None), ("south", "南方团队", "APAC"), ("void", "Void", "")):
        shop.add("teams", f"team_{label}", name=name, region=region, version=1)
    for number, (label, (role, team)) in enumerate(USERS.items()):
        shop.record(
            "users",
            label,
            name=("Same Name", label.replace("_", " ").title(), "王芳", "Zoë")[number % 4],
            email=f"{label.replace('_', '.')}@{'shop' if number % 2 else 'Shop'}.example",
            active=label != "retired",
            role_id=roles[role],
            team_id=shop.labels[f"team_{team}"] if team else None,
            last_login_at=None if number % 3 == 0 else shop.pick(TIMES[:4]),
        )


def _catalogue(shop: _Shop) -> None:
    for name, kind, position, probability, days, deleted in (
        ("Lead", "OPEN", 0, 10, 7, None),
        ("商谈", "OPEN", 1, 33, None, None),
        ("Proposal", "OPEN", 1, 50, 36_500, None),
        ("Won", "WON", 3, 100, None, None),
        ("Lost", "LOST", 4, 0, 5, None),
        ("Lead", "OPEN", 0, 10, None, TIMES[0]),
    ):
        shop.record(
            "stages",
            None if deleted else f"stage_{name}",
            name=name,
            kind=kind,
            position=position,
            probability=probability,
            rotting_after_days=days,
            deleted_at=deleted,
        )
    for number in range(15):
        price, currency = shop.money()
        shop.record(
            "products",
            sku=f"SKU-{number if number not in (3, 4) else 2:03}",
            name=shop.pick(NAMES),
            category=shop.pick(WORDS),
            price=price,
            currency=currency,
            active=shop.chance(70),
            deleted_at=TIMES[1] if number in (3, 4, 7) else None,
        )


def _customer(shop: _Shop, label: str | None = None, **values: Any) -> Record:
    number = len(shop.tables.get("customers", ()))
    return shop.record(
        "customers",
        label,
        **{
            "code": f"C{number:09}",
            "name": shop.pick(NAMES),
            "kind": shop.pick(("PERSON", "COMPANY")),
            "email": shop.pick(EMAILS),
            "phone": shop.pick(PHONES),
            "tier": shop.pick(("STANDARD", "STANDARD", "SILVER", "GOLD", "PLATINUM")),
            "status": shop.pick(("LEAD", "ACTIVE", "DORMANT", "LOST")),
            "source": shop.pick(WORDS),
            "industry": shop.pick(WORDS),
            "city": shop.pick(CITIES),
            "region": shop.pick(CITIES),
            "country": shop.pick((None, "DE", "CN", "de")),
            "tags": shop.pick(TAGS),
            "notes": shop.pick(WORDS),
            "owner_id": shop.maybe(shop.labels[shop.pick(OWNERS)], 60),
            "merged_into_id": None,
            "deleted_at": shop.deleted(),
        }
        | values,
    )


def _contact(shop: _Shop, customer: Record, label: str | None = None, **values: Any) -> Record:
    return shop.record(
        "contacts",
        label,
        customer_id=customer["id"],
        **{
            "first_name": shop.pick(NAMES),
            "last_name": shop.pick(NAMES),
            "title": shop.pick(WORDS),
            "email": shop.pick(EMAILS),
            "phone": shop.pick(PHONES),
            "is_primary": shop.chance(30),
            "birthday": shop.pick(DAYS),
            "notes": shop.pick(WORDS),
            "deleted_at": shop.deleted(),
        }
        | values,
    )


def _opportunity(shop: _Shop, customer: Record, label: str | None = None, **values: Any) -> Record:
    amount, currency = shop.money()
    stages = [stage for stage in shop.tables["stages"] if stage["deleted_at"] is None]
    stage = shop.pick(stages)
    found = shop.record(
        "opportunities",
        label,
        customer_id=customer["id"],
        **{
            "name": shop.pick(NAMES),
            "contact_id": _contact_of(shop, customer),
            "owner_id": shop.maybe(shop.labels[shop.pick(OWNERS)], 60),
            "product_id": shop.maybe(shop.pick(shop.tables["products"])["id"]),
            "stage_id": stage["id"],
            "amount": amount,
            "currency": currency,
            "probability": shop.pick((0, 10, 33, 50, 50, 100)),
            "expected_close_on": shop.pick(DAYS),
            "opened_at": shop.pick(TIMES),
            "stage_entered_at": shop.pick((*TIMES, FAR)),
            "closed_at": shop.maybe(shop.pick(TIMES), 40),
            "loss_reason": shop.pick(WORDS),
            "loss_notes": shop.pick(WORDS),
            "deleted_at": shop.deleted(),
        }
        | values,
    )
    path = [None, *(shop.pick(stages) for _ in range(shop.random.randrange(4)))]
    for earlier, later in pairwise(path):
        shop.add(
            "stage_changes",
            opportunity_id=found["id"],
            from_stage_id=earlier["id"] if earlier else None,
            to_stage_id=later["id"],
            changed_at=shop.pick(TIMES[:3]),
            changed_by_id=shop.maybe(shop.labels[shop.pick(OWNERS)]),
        )
    return found


def _contact_of(shop: _Shop, customer: Record) -> UUID | None:
    """Mostly a contact of the customer, deleted or not; now and then another customer's; or none."""
    own = [c for c in shop.tables["contacts"] if c["customer_id"] == customer["id"]]
    if own and shop.chance(70):
        return shop.pick(own)["id"]
    return shop.maybe(shop.pick(shop.tables["contacts"])["id"], 40)


def _order(shop: _Shop, customer: Record, label: str | None = None, **values: Any) -> Record:
    subtotal, currency = shop.money()
    currency = values.get("currency", currency)
    subtotal = values.get("subtotal", subtotal)
    own = [o for o in shop.tables["opportunities"] if o["customer_id"] == customer["id"]]
    opportunity = shop.pick(own) if own and shop.chance(70) else shop.pick(shop.tables["opportunities"])
    found = shop.record(
        "orders",
        label,
        customer_id=customer["id"],
        **{
            "number": f"O{len(shop.tables.get('orders', ())):09}",
            "opportunity_id": shop.maybe(opportunity["id"], 60),
            "status": shop.pick(STATUSES),
            "channel": shop.pick(WORDS),
            "currency": currency,
            "subtotal": subtotal,
            "discount": shop.pick((subtotal * 0, subtotal * 0, subtotal)),
            "shipping_fee": Decimal(shop.pick(AMOUNTS[currency][:3])),
            "placed_at": shop.pick(TIMES),
            "paid_at": shop.maybe(shop.pick(TIMES)),
            "shipped_at": shop.maybe(shop.pick(TIMES), 50),
            "delivered_at": shop.maybe(shop.pick(TIMES), 40),
            "completed_at": shop.maybe(shop.pick(TIMES), 30),
            "cancelled_at": shop.maybe(shop.pick(TIMES), 20),
            "refunded_at": shop.maybe(shop.pick(TIMES), 10),
        }
        | values,
    )
    lines = [
        shop.add(
            "order_lines",
            order_id=found["id"],
            position=shop.random.randrange(3),
            product_id=shop.maybe(shop.pick(shop.tables["products"])["id"]),
            sku=f"SKU-{shop.random.randrange(9):03}",
            name=shop.pick(NAMES),
            quantity=shop.pick((1, 1, 2, 1000)),
            unit_price=Decimal(shop.pick(AMOUNTS[currency])),
            currency=currency,
        )
        for _ in range(shop.random.randrange(5))
    ]
    _add_up(shop, found, lines, values.get("subtotal"))
    for earlier, later in list(zip((None, *STATUSES), STATUSES, strict=False))[: shop.random.randrange(4)]:
        shop.add(
            "order_status_changes",
            order_id=found["id"],
            from_status=earlier,
            to_status=later,
            changed_at=shop.pick(TIMES[:3]),
            changed_by_id=shop.maybe(shop.labels[shop.pick(OWNERS)]),
            reason=shop.pick(WORDS),
        )
    return found


def _add_up(shop: _Shop, order: Record, lines: list[Record], wanted: Decimal | None) -> None:
    """Make the subtotal what the lines add up to. Where it is ``wanted`` so, one line of that price is all there is."""
    zero = order["discount"] * 0
    for line in lines:
        if line["quantity"] * line["unit_price"] >= 10**15:
            line["quantity"] = 1
    if wanted is not None:
        for line in lines[1:]:
            shop.tables["order_lines"].remove(line)
        lines = lines[:1] or [
            shop.add(
                "order_lines",
                order_id=order["id"],
                position=0,
                product_id=None,
                sku="SKU-000",
                name="Probe",
                currency=order["currency"],
            )
        ]
        lines[0] |= {"quantity": 1, "unit_price": wanted}
    order["subtotal"] = sum((line["quantity"] * line["unit_price"] for line in lines), zero)
    order["discount"] = min(order["discount"], order["subtotal"])


STATUSES = ("PENDING_PAYMENT", "PAID", "SHIPPED", "DELIVERED", "COMPLETED", "CANCELLED", "REFUNDED")


def _ticket(shop: _Shop, customer: Record, label: str | None = None, **values: Any) -> Record:
    assignee = shop.maybe(shop.labels[shop.pick(ASSIGNEES)], 50)
    giver = shop.pick((None, assignee, shop.labels["manager_north"], shop.labels["support_south"]))
    found = shop.record(
        "tickets",
        label,
        customer_id=customer["id"],
        **{
            "number": f"T{len(shop.tables.get('tickets', ())):09}",
            "contact_id": _contact_of(shop, customer),
            "order_id": shop.maybe(shop.pick(shop.tables["orders"])["id"], 50),
            "subject": shop.pick(NAMES),
            "description": shop.pick(WORDS),
            "kind": shop.pick(("INQUIRY", "COMPLAINT", "AFTER_SALES", "TECHNICAL", "OTHER")),
            "category": shop.pick(WORDS),
            "priority": shop.pick(("LOW", "NORMAL", "NORMAL", "HIGH", "URGENT")),
            "status": shop.pick(("OPEN", "OPEN", "PENDING", "RESOLVED", "CLOSED")),
            "channel": shop.pick(("PHONE", "EMAIL", "CHAT", "WEB", "SOCIAL")),
            "assignee_id": assignee,
            "assigned_by_id": giver,
            "first_response_due_at": shop.pick((None, TIMES[0], TIMES[4], FAR)),
            "resolution_due_at": shop.pick((None, TIMES[0], TIMES[4], FAR, FAR)),
            "pending_since": None,
            "first_responded_at": shop.maybe(shop.pick(TIMES), 50),
            "resolved_at": shop.maybe(shop.pick(TIMES), 30),
            "closed_at": shop.maybe(shop.pick(TIMES), 20),
            "satisfaction": shop.pick((None, None, 1, 3, 5)),
            "deleted_at": shop.deleted(),
        }
        | values,
    )
    if found["status"] == "PENDING":
        # Before, between and after the times at which tickets are due; of some it is not known.
        found["pending_since"] = (None, TIMES[6], TIMES[0], TIMES[3], TIMES[5])[len(shop.tables["tickets"]) % 5]
    for _ in range(shop.random.randrange(4)):
        shop.add(
            "ticket_comments",
            ticket_id=found["id"],
            author_id=shop.maybe(shop.labels[shop.pick((*ASSIGNEES, *OWNERS))]),
            body=shop.pick(NAMES),
            internal=shop.chance(40),
            created_at=shop.pick(TIMES[:4]),
        )
    return found


def _probes(shop: _Shop) -> None:
    """A few records whose every right value is known to the tests by hand."""
    who = shop.labels
    plain = {"deleted_at": None, "owner_id": None, "created_at": TIMES[3], "email": None, "phone": None, "tags": []}
    one = _customer(
        shop,
        "probe_1",
        **plain
        | {
            "name": "Probe One",
            "owner_id": who["sales_north"],
            "email": "anna@example.com",
            "phone": "+491701234567",
            "notes": "first",
            "tags": ["vip", "大客户"],
            "city": "Berlin",
        },
    )
    two = _customer(shop, "probe_2", **plain | {"name": "Probe Two", "phone": "12345678", "city": None})
    three = _customer(
        shop,
        "probe_3",
        **plain
        | {"name": "Probe Three", "owner_id": who["sales_south"], "email": "three", "notes": "third", "city": "berlin"},
    )
    four = _customer(shop, "probe_4", **plain | {"name": "Probe Four", "phone": "123456789", "notes": "", "city": ""})
    five = _customer(
        shop, "probe_5", **plain | {"name": "Probe Five", "owner_id": who["retired"], "email": "", "city": "Århus"}
    )
    gone = _customer(
        shop,
        "probe_gone",
        **plain | {"name": "Probe Gone", "owner_id": who["sales_north"], "deleted_at": TIMES[4]},
    )
    _customer(shop, "probe_merged", **plain | {"deleted_at": TIMES[4], "merged_into_id": one["id"]})
    _customer(shop, "probe_merged_away", **plain | {"deleted_at": TIMES[4], "merged_into_id": gone["id"]})

    _contact(shop, one, "contact_1", first_name="Ada", last_name="Lovelace", email="ada@x.example", deleted_at=None)
    _contact(shop, gone, "contact_of_gone", deleted_at=None)
    _contact(shop, one, "contact_gone", deleted_at=TIMES[4])
    deal = {"amount": Decimal("10.05"), "currency": "EUR", "probability": 50, "deleted_at": None, "closed_at": None}
    lead = {"stage_id": who["stage_Lead"], "stage_entered_at": TIMES[0]}
    _opportunity(shop, two, "deal_north", **deal | lead | {"owner_id": who["sales_north"], "name": "Deal North"})
    _opportunity(
        shop,
        two,
        "deal_south",
        **deal
        | {
            "owner_id": who["sales_south"],
            "name": "Deal South",
            "stage_id": who["stage_Proposal"],
            "stage_entered_at": TIMES[0],
            "contact_id": who["contact_gone"],
            "closed_at": TIMES[3],
        },
    )
    _opportunity(
        shop,
        three,
        "deal_deleted",
        **deal | lead | {"owner_id": who["sales_north"], "name": "Deal Deleted", "deleted_at": TIMES[4]},
    )
    paid = {
        "currency": "EUR",
        "subtotal": Decimal("10.00"),
        "discount": Decimal("1.00"),
        "shipping_fee": Decimal("0.50"),
    }
    _order(shop, one, "order_1", **paid | {"placed_at": TIMES[0]})
    _order(shop, one, "order_2", **paid | {"placed_at": TIMES[3], "status": "CANCELLED"})
    _order(shop, gone, "order_of_gone", **paid)

    care = who["support_north"]
    given = {
        "assignee_id": care,
        "assigned_by_id": who["support_south"],
        "status": "OPEN",
        "deleted_at": None,
        "first_response_due_at": None,
        "resolution_due_at": None,
    }
    _ticket(shop, three, "ticket_given", **given | {"subject": "Given", "priority": "URGENT", "satisfaction": None})
    _ticket(
        shop,
        four,
        "ticket_taken",
        **given | {"assigned_by_id": care, "subject": "Taken", "resolution_due_at": TIMES[0], "priority": "LOW"},
    )
    _ticket(shop, five, "ticket_closed", **given | {"status": "CLOSED", "subject": "Closed", "priority": "HIGH"})
    _ticket(
        shop,
        five,
        "ticket_deleted",
        **given | {"assignee_id": who["sales_south"], "deleted_at": TIMES[4], "subject": "Deleted"},
    )
    _ticket(shop, one, "ticket_nobody", **given | {"assignee_id": None, "assigned_by_id": None, "subject": "Nobody's"})
    for label, internal in (("said_inside", True), ("said_openly", False)):
        shop.add(
            "ticket_comments",
            label,
            ticket_id=who["ticket_given"],
            author_id=care,
            body=label,
            internal=internal,
            created_at=TIMES[0],
        )


def _references(shop: _Shop) -> None:
    for entity, table in (
        ("Customer", "customers"),
        ("Contact", "contacts"),
        ("Opportunity", "opportunities"),
        ("Product", "products"),
        ("Order", "orders"),
        ("Ticket", "tickets"),
    ):
        for number, record in enumerate(shop.tables[table]):
            for system in ("erp", "Shop", "旧系统")[: shop.pick((0, 0, 1, 2, 3))]:
                shop.tables.setdefault("external_refs", []).append(
                    {"entity": entity, "system": system, "external_id": f"{number}", "record_id": record["id"]}
                )
                if shop.chance(20):
                    shop.tables["external_refs"].append(
                        {"entity": entity, "system": system, "external_id": f"é%_{number}", "record_id": record["id"]}
                    )


def _business(shop: _Shop) -> None:
    customers = [_customer(shop) for _ in range(36)]
    shop.labels["customer_any"] = next(c["id"] for c in customers if c["deleted_at"] is None)
    busy = customers[:28]
    for _ in range(57):
        _contact(shop, shop.pick(busy))
    for _ in range(57):
        _opportunity(shop, shop.pick(busy))
    for _ in range(77):
        _order(shop, shop.pick(busy))
    for _ in range(57):
        _ticket(shop, shop.pick(busy))
    _probes(shop)
    _references(shop)
    add_events(shop, (*OWNERS, *ASSIGNEES, "admin", "marketing", "analyst", "nobody"), TIMES[:6])


def _spares(shop: _Shop) -> None:
    """Stages that hold nothing live, some deleted, and deleted products, each with a name of its own; and deals that
    tell of a deleted stage."""
    for label, deleted in (("spare", None), ("spare_2", None), ("forgotten", TIMES[0]), ("forgotten_2", TIMES[0])):
        more = {"kind": "OPEN", "position": 9, "probability": 70, "rotting_after_days": None, "deleted_at": deleted}
        shop.record("stages", f"stage_{label}", name=label, **more)
    for number in (1, 2):
        price = {"price": Decimal("9.99"), "currency": "EUR", "active": True, "deleted_at": TIMES[0]}
        shop.record("products", sku=f"GONE-{number}", name="Gone", category=None, **price)
    gone, customer = (
        shop.labels["stage_forgotten_2"],
        next(each for each in shop.tables["customers"] if each["id"] == shop.labels["probe_2"]),
    )
    _opportunity(shop, customer, "deal_stranded", stage_id=gone, deleted_at=TIMES[4])
    change = {"opportunity_id": shop.labels["deal_north"], "changed_at": TIMES[0], "changed_by_id": None}
    shop.add("stage_changes", **change, from_stage_id=gone, to_stage_id=gone)
    # Somebody else who keeps users, so that the first may be put out, more who are out, and what nobody is in or has.
    for label, role, team in (
        ("admin_2", "ADMIN", None),
        ("retired_2", "SALES", "south"),
        ("gone", "SUPPORT", "south"),
    ):
        shop.record(
            "users",
            label,
            name="Same Name",
            email=f"{label}@spare.example",
            active=role == "ADMIN",
            role_id=shop.labels[f"role_{role}"],
            team_id=shop.labels[f"team_{team}"] if team else None,
            last_login_at=None,
        )
    for name in ("SPARE", "SPARE 2"):
        shop.add("roles", f"role_{name}", name=name, description=None, built_in=False, version=3)
        shop.add("teams", f"team_{name}", name=name, region=None, version=1)


def _tokens(shop: _Shop) -> None:
    """A token of each user that is good, some that are not, and events of what was done with them. They have chances of
    their own, so that the rest of the shop is what it is without them."""
    chance = Random("tokens")
    scopes = (["customer:read"], ["order:*", "customer:read", "ticket:comment"], ["apiToken:rotate", "stage:read"])
    for number, label in enumerate((*USERS, "sales_north", "admin", "integration")):
        again = number >= len(USERS)
        shop.add(
            "api_tokens",
            f"token_{label}{'_old' if again else ''}",
            name=chance.choice(("Warehouse", "Nächtlicher Abgleich", "报表")),
            beginning=f"rpt_{number:08}",
            owner_id=shop.labels[label],
            scopes=chance.choice(scopes),
            allowed_ips=chance.choice(([], ["127.0.0.1"], ["10.0.0.0/8", "2001:db8::/32"])),
            secret_hash=number.to_bytes(32, "big"),
            former_hash=None,
            former_until=None,
            expires_at=chance.choice((None, TIMES[0])) if again else None,
            revoked_at=TIMES[1] if again else None,
            created_at=chance.choice(TIMES),
            last_used_at=chance.choice((None, TIMES[2])),
            requests_total=number * 10,
            requests_counted=number,
            counted_on=chance.choice((None, TIMES[2].date())),
        )
    tokens = shop.tables["api_tokens"]
    for event in shop.tables["audit_events"]:
        event["token_id"] = chance.choice((None, None, None, chance.choice(tokens)["id"]))


async def _roles(connection: asyncpg.Connection, shop: _Shop) -> dict[str, UUID]:
    for name, grants in ROLES.items():
        role = shop.add("roles", f"role_{name}", name=name, description=None, built_in=False, version=1)
        for (entity, action), (scope, fields) in grants.items():
            grant = shop.add("grants", role_id=role["id"], entity=entity, action=action, rows=scope)
            listed = ENTITIES[entity] if action == "read" else ()
            assert set(fields) <= set(listed)
            for position, field in enumerate(listed):
                access, on_rows, otherwise = fields.get(field, ("READ", "ALL", "READ"))
                shop.add(
                    "field_grants",
                    grant_id=grant["id"],
                    position=position,
                    field=field,
                    access=access,
                    on_rows=on_rows,
                    otherwise=otherwise,
                )
    await _write(connection, shop)
    return {record["name"]: record["id"] for record in await connection.fetch("SELECT id, name FROM roles")}


async def _write(connection: asyncpg.Connection, shop: _Shop) -> None:
    for table, records in shop.tables.items():
        columns = list(records[0])
        await connection.copy_records_to_table(
            table, columns=columns, records=[[record[column] for column in columns] for record in records]
        )
    shop.tables.clear()


async def build_shop(url: str) -> dict[str, UUID]:
    """Fill a migrated database that has the built-in roles. Gives the ids of users and other records by label."""
    shop = _Shop()
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            roles = await _roles(connection, shop)
            shop.labels |= {f"role_{name}": id for name, id in roles.items()}
            # What is in the shop does not hang on how many fields roles have.
            shop.random = Random("shop")
            _people(shop, roles)
            _catalogue(shop)
            _business(shop)
            _spares(shop)
            _tokens(shop)
            await _write(connection, shop)
            # Two months of which there are snapshots, in which nobody had bought.
            await connection.execute(
                "INSERT INTO segment_snapshot_months (month, taken_at)"
                " VALUES ('2026-01-01', '2026-01-01Z'), ('2026-02-01', '2026-02-01Z')"
            )
            await keep_metrics(connection)
            for sequence in ("customer_codes", "order_numbers", "ticket_numbers"):
                await connection.execute("SELECT setval($1, 1000)", sequence)
    finally:
        await connection.close()
    return shop.labels
