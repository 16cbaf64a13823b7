"""The rows of customers and of their contacts."""

from datetime import date

from app.demo import words
from app.demo.cells import NULL, Cell, day, flag, row, text, texts, time, whole
from app.demo.chance import DAY, Chance, shares
from app.demo.people import ascii_of
from app.demo.places import Place
from app.demo.rows import RECORD_COLUMNS, Batch, Buyer, Frame, references
from app.models.enums import CustomerKind, CustomerStatus, CustomerTier

_CUSTOMER_COLUMNS = (
    *RECORD_COLUMNS,
    *("code", "name", "kind", "email", "phone", "tier", "status", "source", "industry", "city", "region", "country"),
    *("tags", "notes", "owner_id", "merged_into_id", "deleted_at"),
)
_CONTACT_COLUMNS = (
    *RECORD_COLUMNS,
    *("customer_id", "first_name", "last_name", "title", "email", "phone", "is_primary", "birthday", "notes"),
    "deleted_at",
)
_PERSON, _COMPANY = (text(kind.value) for kind in CustomerKind)
_STANDARD, _SILVER, _GOLD, _PLATINUM = (text(tier.value) for tier in CustomerTier)
_LEAD, _ACTIVE, _DORMANT, _LOST = (text(status.value) for status in CustomerStatus)
_CONTACTS_PER_100 = 150


def customer_code(number: int) -> str:
    """The code that the server would have given to the customer of this number, counted from 1."""
    return f"C{number:09d}"


def make_customers(frame: Frame, buyers: list[Buyer]) -> list[Batch]:
    """The customers, and the ids that some have in other systems. Their orders must be planned already."""
    chance = frame.chance("customers")
    # Changes of many customers at once leave them with the same moment.
    bulk_changes = [frame.now - days * DAY for days in (400, 150, 33, 4)]
    rows: list[bytes] = []
    in_shop: list[tuple[str, Cell]] = []
    in_erp: list[tuple[str, Cell]] = []
    names: list[str] = []
    emails: list[str | None] = []
    for number, buyer in enumerate(buyers):
        place = buyer.place
        name, email = _customer_name(chance, buyer, number), None
        if chance.random() > 0.08:
            email = _email(chance, name, place, number, company=buyer.company)
        survivor = NULL
        if buyer.survivor is not None:
            # Merged because it was the same one twice.
            survivor = buyers[buyer.survivor].id
            name, email = names[buyer.survivor].upper(), emails[buyer.survivor]
        names.append(name)
        emails.append(email)
        changed = buyer.created
        if chance.random() > 0.3:
            changed = chance.within(buyer.created, frame.now)
        if chance.random() < 0.08 and (bulk := chance.pick(bulk_changes)) > buyer.created:
            changed = bulk
        deleted = buyer.until if buyer.deleted else None
        changed = deleted or changed
        city, region = chance.pick(place.cities) if chance.random() > 0.06 else (None, None)
        tags = [tag for tag in words.TAGS if chance.random() < 0.04]
        # The code of a deleted customer is free again, and some of the next ones have got it.
        code = number + 2 if buyer.deleted and number % 3 == 0 and number + 1 < len(buyers) else number + 1
        rows.append(
            row(
                buyer.id,
                whole(1 if changed == buyer.created else chance.within(2, 12)),
                time(buyer.created),
                time(changed),
                text(customer_code(code)),
                text(name),
                _COMPANY if buyer.company else _PERSON,
                text(email),
                text(_phone(chance, place)),
                _tier(buyer),
                _status(frame, chance, buyer),
                text(chance.pick(words.SOURCES)),
                text(chance.pick(words.INDUSTRIES)) if buyer.company else NULL,
                text(city),
                text(region),
                text(place.country) if chance.random() > 0.04 else NULL,
                texts(tags),
                text(chance.pick(words.NOTES)) if chance.random() < 0.12 else NULL,
                buyer.owner,
                survivor,
                time(deleted),
            )
        )
        if number % 5 == 2:
            in_shop.append((str(10_000 + number), buyer.id))
        if number % 25 == 7:
            in_erp.append((f"K-{number:07d}", buyer.id))
    return [
        Batch("customers", _CUSTOMER_COLUMNS, rows, len(rows)),
        references("Customer", "shop", in_shop),
        references("Customer", "erp", in_erp),
    ]


def make_contacts(frame: Frame, buyers: list[Buyer]) -> list[Batch]:
    """The people at the customers, in the order in which they came: many have none, a few more than eight."""
    chance = frame.chance("contacts")
    weights = [
        (chance.expovariate(1.0) if chance.random() > 0.25 else 0.0) * (8.0 if number % 60 == 4 else 1.0)
        for number in range(len(buyers))
    ]
    counts = shares(weights, len(buyers) * _CONTACTS_PER_100 // 100)
    found: list[tuple[int, int, bytes]] = []
    elsewhere: list[tuple[str, Cell]] = []
    for buyer, count in zip(buyers, counts, strict=True):
        for place_in_list in range(count):
            created = buyer.created if place_in_list < 2 else chance.within(buyer.created, buyer.until)
            made = _contact(frame, chance, buyer, created, primary=place_in_list == 0, number=len(found))
            if len(found) % 15 == 4:
                elsewhere.append((f"{len(found):x}", buyer.contacts[-1]))
            found.append((created, len(found), made))
    found.sort(key=lambda entry: entry[:2])
    rows = [made for _, _, made in found]
    return [
        Batch("contacts", _CONTACT_COLUMNS, rows, len(rows)),
        references("Contact", "newsletter", elsewhere),
    ]


def _contact(frame: Frame, chance: Chance, buyer: Buyer, created: int, *, primary: bool, number: int) -> bytes:
    place = buyer.place
    given, family = chance.pick(place.given).replace("·", " "), chance.pick(place.family).replace("·", " ")
    if chance.random() < 0.03:
        given = f"{given}-{chance.pick(place.given)}" if place.latin else given
    changed = created if chance.random() < 0.4 else chance.within(created, frame.now)
    deleted = None
    if chance.random() < 0.03:
        deleted = changed = chance.within(created, buyer.until)
    birthday = None
    if chance.random() < 0.3:
        birthday = date(1945 + chance.within(0, 62), chance.within(1, 13), chance.within(1, 29))
        if chance.random() < 0.01:
            birthday = date(1988, 2, 29)
    found = chance.id_at(created)
    buyer.contacts.append(found)
    email = _email(chance, f"{given} {family}", place, number, company=False) if chance.random() > 0.15 else None
    return row(
        found,
        whole(1 if changed == created else 2),
        time(created),
        time(changed),
        buyer.id,
        text(given),
        text(family),
        text(chance.pick(words.TITLES)),
        text(email),
        text(_phone(chance, place)),
        flag(primary),
        day(birthday),
        text(chance.pick(words.NOTES)) if chance.random() < 0.05 else NULL,
        time(deleted),
    )


def _person(chance: Chance, place: Place) -> str:
    given, family = chance.pick(place.given), chance.pick(place.family)
    if place.family_first:
        return family + given
    return f"{given} {family}".replace("·", " ")


def _customer_name(chance: Chance, buyer: Buyer, number: int) -> str:
    place = buyer.place
    if number % 75 == 30:
        return words.SPECIAL_NAMES[number // 75 % len(words.SPECIAL_NAMES)]
    if number % 150 == 12:
        return _long_name(chance, place, 120 + number // 150 % 80)
    if not buyer.company:
        return _person(chance, place)
    firm, ending = chance.pick(place.firms), chance.pick(place.endings)
    draw = chance.random()
    if place.latin and draw < 0.5:
        firm = f"{firm} {chance.pick(place.family).replace('·', ' ')}"
    if draw > 0.95:
        firm += chance.pick(words.EMOJI)
    if place.family_first:
        return f"{firm}{ending}"
    return f"{firm} {ending}"


def _long_name(chance: Chance, place: Place, length: int) -> str:
    """A name as of a firm with all its partners, about ``length`` characters long."""
    joint = "" if place.family_first else " & "
    parts = [chance.pick(place.firms)]
    while sum(map(len, parts)) + len(joint) * len(parts) < length:
        parts.append(_person(chance, place))
    return f"{joint.join(parts)} {chance.pick(place.endings)}"[:200]


def _email(chance: Chance, name: str, place: Place, number: int, *, company: bool) -> str:
    stem = ascii_of(name)[:60].strip(".") if place.latin else ""
    if not stem:
        return f"user{number}@mail.example"
    if company:
        return f"{chance.pick(('info', 'office', 'kontakt'))}@{stem.replace('.', '-')}.example"
    # Short ones belong to several people: duplicates, as customers enter them.
    return f"{stem}{number % 1000 if chance.random() < 0.8 else ''}@{chance.pick(('mail', 'post', 'Web'))}.example"


def _phone(chance: Chance, place: Place) -> str | None:
    draw = chance.random()
    if draw < 0.2:
        return None
    if draw < 0.22:
        return str(chance.within(110, 99_999))
    digits = f"{chance.within(10**8, 10**10)}"
    return f"{place.prefix} {digits[:3]} {digits[3:]}" if draw < 0.7 else f"{place.prefix}{digits}"


def _tier(buyer: Buyer) -> Cell:
    if buyer.orders > 40:
        return _PLATINUM
    if buyer.orders > 15:
        return _GOLD
    return _SILVER if buyer.orders > 7 else _STANDARD


def _status(frame: Frame, chance: Chance, buyer: Buyer) -> Cell:
    if buyer.last_order is None:
        return _LEAD if chance.random() < 0.93 else _LOST
    days = (frame.now - buyer.last_order) // DAY
    if days < 200 or chance.random() < 0.03:
        return _ACTIVE
    return _DORMANT if days < 500 else _LOST
